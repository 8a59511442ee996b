//! Summary -> figures as SVG, PDF and PNG bytes, with an embedded font and no system fonts. Writes no files.
//!
//! Each figure is described as a `scene` in data units; one renderer draws scenes with plotters; one exit makes the three formats
//! from the same outlines. Captions stand in the paper's templates, where their numbers are claims.

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
mod layout;
mod marks;
mod order;
mod output;
mod palette;
mod render;
mod scale;
mod scene;
mod swarm;
mod temperature;
#[cfg(test)]
mod tests;

use anyhow::{Context, Result};
pub use forest::{Forest, ForestPanel, ForestRow, Look, forest};

use crate::{analysis::Summary, machine::Environment, store::not_a_measurement, study::Study};
use data::{Data, LATENCY, THROUGHPUT};

/// One figure in three formats that show the same outlines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// `latency`, `throughput`, `fit`, `temperature`, `distribution`, `decomposition`, `order`: the file's name, and
    /// the name in templates.
    pub id: &'static str,
    pub svg: Vec<u8>,
    /// One page, as large as the figure.
    pub pdf: Vec<u8>,
    /// 1200 pixels wide, 300 dots an inch at the figure's size in the SVG and the PDF.
    pub png: Vec<u8>,
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

/// Draws every figure, always in the same order. The same summary and labels give the same bytes.
///
/// # Errors
/// No run ended well, a value is not finite, or a drawing library fails.
pub fn draw(summary: &Summary, labels: &Labels) -> Result<Vec<Figure>> {
    let font = font::Font::open()?;
    scenes(summary, labels)?
        .into_iter()
        .map(|(id, scene)| {
            let source = render::render(&scene, &font).with_context(|| format!("figure `{id}`"))?;
            let output::Files { svg, pdf, png } =
                output::files(&source, scene.title).with_context(|| format!("figure `{id}`"))?;
            Ok(Figure { id, svg, pdf, png })
        })
        .collect()
}

fn scenes(summary: &Summary, labels: &Labels) -> Result<Vec<(&'static str, scene::Scene)>> {
    let data = Data::new(summary)?;
    Ok(vec![
        ("latency", effects::scene(&data, labels, LATENCY, "latency", "Latency of every run, by factor")?),
        ("throughput", effects::scene(&data, labels, THROUGHPUT, "throughput", "Throughput of every run, by factor")?),
        ("fit", fit::scene(&data, labels)?),
        ("temperature", temperature::scene(&data, labels)?),
        ("distribution", distribution::scene(&data, labels)?),
        ("decomposition", decomposition::scene(&data, labels)?),
        ("order", order::scene(&data, labels)?),
    ])
}
