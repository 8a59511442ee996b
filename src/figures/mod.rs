//! Summary -> figures as SVG, PDF and PNG bytes, with an embedded font and no system fonts. Writes no files.
//!
//! Each figure is described as a `scene` in data units; one renderer draws scenes with plotters; one exit makes the three formats
//! from the same outlines. Captions stand in the paper's templates, where their numbers are claims.

mod boxes;
mod canvas;
mod data;
mod decomposition;
mod distribution;
mod effects;
mod fit;
#[cfg(test)]
mod fixture;
mod font;
mod forest;
mod grid;
mod inline;
mod layout;
mod load;
mod marks;
mod order;
mod output;
mod own;
mod page;
mod palette;
mod quality;
mod relative;
mod render;
mod rooms;
mod scale;
mod scene;
mod swarm;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
pub use forest::{Forest, ForestPanel, ForestRow, Look, forest};

pub use load::has as has_load;
pub use own::Own;
pub use quality::has as has_quality;
pub use relative::factors as with_figure;

use crate::{
    analysis::Summary, factor::LENGTH, machine::Environment, metric::Metric, store::not_a_measurement, study::Study,
};
use data::Data;

/// One figure in three formats that show the same outlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// `latency`, `throughput`, `fit`, `distribution`, `decomposition`, `order`, a factor's name, or the author's: the file's name, and
    /// the name in templates.
    pub id: String,
    pub svg: Vec<u8>,
    /// One page, as large as the figure.
    pub pdf: Vec<u8>,
    /// 1200 pixels wide, 300 dots an inch at the figure's size in the SVG and the PDF.
    pub png: Vec<u8>,
    /// For the paper's page: the same drawing with texts as texts, colours as classes, and the runs behind its marks.
    pub page: String,
}

/// What figures say beside the summary's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// Why the records are no measurement; `None` when they are one.
    pub not_a_measurement: Option<String>,
    /// Of every interval, e.g. 0.95.
    pub confidence: f64,
    /// Effects within this share of the mean count as negligible, e.g. 0.02.
    pub equivalence_margin: f64,
}

impl Labels {
    pub fn of(study: &Study, environment: &Environment) -> Self {
        Labels {
            not_a_measurement: not_a_measurement(study, environment).map(str::to_owned),
            confidence: study.statistics.confidence,
            equivalence_margin: study.statistics.equivalence_margin,
        }
    }
}

/// Draws the program's figures, always in the same order, then the author's. The same input gives the same bytes.
///
/// # Errors
/// No run ended well, a value is not finite, the author's figures do not fit the study, or a drawing library fails.
pub fn draw(summary: &Summary, labels: &Labels, own: Option<&Own>) -> Result<Vec<Figure>> {
    let font = font::Font::open()?;
    let mut scenes = scenes(summary, labels)?;
    if let Some(own) = own {
        let has: Vec<&str> = scenes.iter().map(|(id, _)| id.as_str()).collect();
        let mut chosen = own.chosen(&has)?.into_iter();
        scenes.retain(|_| chosen.next().unwrap_or(true));
        scenes.extend(own.scenes(summary, labels, &font)?);
    }
    let drawn = scenes.into_iter().map(|(id, scene)| {
        let drawn = figure(&id, &scene, &font);
        drawn.with_context(|| format!("figure `{id}`"))
    });
    let mut figures = drawn.collect::<Result<Vec<Figure>>>()?;
    let pictures = own.map_or(Ok(Vec::new()), |own| own.pictures(&figures))?;
    figures.extend(pictures);
    Ok(figures)
}

fn figure(id: &str, scene: &scene::Scene, font: &font::Font) -> Result<Figure> {
    let output::Files { svg, pdf, png } = output::files(&render::render(scene, font)?, &scene.title)?;
    Ok(Figure { id: id.to_owned(), svg, pdf, png, page: render::on_page(scene, font)? })
}

fn scenes(summary: &Summary, labels: &Labels) -> Result<Vec<(String, scene::Scene)>> {
    let data = Data::new(summary)?;
    let mut scenes = Vec::new();
    let mut put = |id: &str, scene| scenes.push((id.to_owned(), scene));
    if !summary.varying().is_empty() {
        put("latency", effects::scene(&data, labels, Metric::Latency, "Latency of every run, by factor")?);
        put("throughput", effects::scene(&data, labels, Metric::Throughput, "Throughput of every run, by factor")?);
    }
    if summary.by(LENGTH).len() > 1 {
        put("fit", fit::scene(&data, labels)?);
    }
    for place in relative::factors(summary) {
        put(&summary.factors[place].name, relative::scene(&data, labels, place)?);
    }
    if load::has(summary) {
        put("load", load::scene(&data, labels)?);
    }
    if quality::has(summary) {
        put("quality", quality::scene(&data, labels)?);
    }
    put("distribution", distribution::scene(&data, labels)?);
    if data.has(Metric::Ttft) {
        put("decomposition", decomposition::scene(&data, labels)?);
    }
    put("order", order::scene(&data, labels)?);
    Ok(scenes)
}
