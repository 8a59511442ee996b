//! Figures of an author's own: a file beside the paper's templates -> scenes, drawn as the program's own are. Also says which of those
//! are drawn.
//!
//! What the file says is checked in two steps: its form when it is read, its meaning when there is a summary to draw.

mod bars;
mod board;
mod boxes;
mod condition;
mod ecdf;
mod fault;
mod file;
mod heat;
mod lanes;
mod line;
mod pareto;
mod picture;
mod points;
mod ratios;
mod ruler;
mod sheet;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};

use super::{Figure, Labels, font::Font, scene::Scene};
use crate::{analysis::Summary, factor::KNOWN};
use fault::{Source, did_you_mean};
use file::{Entry, Figures, File, Mark, Names, Words};
use sheet::Sheet;

/// Figures that are there whatever a study's factors are called, and that of a comparison.
const TAKEN: [&str; 9] =
    ["latency", "throughput", "fit", "distribution", "decomposition", "order", "comparison", "load", "quality"];
/// What no file may be called on Windows.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
const LONGEST_ID: usize = 40;

/// A file of figures whose form is right, and pictures beside it.
#[derive(Debug, Clone, Default)]
pub struct Own {
    source: Source,
    draw: Option<Vec<String>>,
    figures: Vec<(String, Entry)>,
    /// The texts of SVG files, by id.
    pictures: BTreeMap<String, String>,
}

impl Own {
    /// Reads a file's text; `file_name` is what errors call it.
    ///
    /// # Errors
    /// It is no YAML of this form, or a figure's name cannot be one; with line and column.
    pub fn read(file_name: &str, text: &str) -> Result<Own> {
        let source = Source { file: file_name.to_owned(), text: text.to_owned() };
        let File { draw, figures } = file::read(&source)?;
        let figures = figures.map(|Figures(figures)| figures).unwrap_or_default();
        for (id, _) in &figures {
            check_id(id).map_err(|(what, hint)| source.fault(&format!("figures.{id}"), what, hint))?;
        }
        let draw = draw.map(|Names(names)| names);
        for (index, name) in draw.iter().flatten().enumerate() {
            if draw.iter().flatten().take(index).any(|earlier| earlier == name) {
                let what = format!("expected each figure once, found `{name}` again");
                return Err(source.fault(&format!("draw[{index}]"), what, "remove one of the two"));
            }
        }
        Ok(Own { source, draw, figures, pictures: BTreeMap::new() })
    }

    /// And these SVG files of `templates/pictures/`, by name without the ending.
    ///
    /// # Errors
    /// A name that a figure cannot have, or has already.
    pub fn with_pictures<'a>(mut self, pictures: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Own> {
        for (id, text) in pictures {
            let file = || format!("templates/pictures/{id}.svg");
            check_id(id).map_err(|(what, hint)| anyhow!("{}: {what}\nhint: {hint}", file()))?;
            let is_new = self.figures.iter().all(|(figure, _)| figure != id);
            ensure!(is_new, "{}: `{id}` is a figure of figures.yaml\nhint: give one another name", file());
            self.pictures.insert(id.to_owned(), text.to_owned());
        }
        Ok(self)
    }

    /// The texts that stand in pictures, by id.
    pub fn letters(&self) -> Vec<(String, String)> {
        self.pictures.iter().map(|(id, text)| (id.clone(), picture::letters(text))).collect()
    }

    /// The pictures as figures, beside those that are drawn already.
    ///
    /// # Errors
    /// What a picture may not ask for; with file and line.
    pub fn pictures(&self, drawn: &[Figure]) -> Result<Vec<Figure>> {
        let font = Font::open()?;
        let picture = |(id, text): (&String, &String)| {
            let is_new = drawn.iter().all(|figure| figure.id != *id);
            ensure!(
                is_new,
                "templates/pictures/{id}.svg: there is a figure `{id}`\nhint: give the picture another name"
            );
            picture::figure(id, text, &font)
        };
        self.pictures.iter().map(picture).collect()
    }

    /// Is this one of the program's figures drawn, if the study has it?
    pub fn draws(&self, id: &str) -> bool {
        self.draw.as_ref().is_none_or(|draw| draw.iter().any(|name| name == id))
    }

    /// Which of the program's figures, of those that the study has, are drawn.
    ///
    /// # Errors
    /// One that it has not.
    pub(super) fn chosen(&self, has: &[&str]) -> Result<Vec<bool>> {
        let Some(draw) = &self.draw else { return Ok(vec![true; has.len()]) };
        for (index, name) in draw.iter().enumerate() {
            let key = format!("draw[{index}]");
            if self.figures.iter().any(|(id, _)| id == name) {
                let what = format!("`{name}` is a figure of this file, which is drawn in any case");
                return Err(self.source.fault(&key, what, "`draw` chooses among the program's own figures"));
            }
            // One that this study has not is not drawn; a section that shows it is refused by its own line.
            let is_known = TAKEN.contains(&name.as_str()) || KNOWN.iter().any(|known| known.name == name);
            if !has.contains(&name.as_str()) && !is_known {
                let what = format!("expected a figure of the program, found `{name}`");
                return Err(self.source.fault(&key, what, did_you_mean(name, has.to_vec())));
            }
        }
        Ok(has.iter().map(|id| draw.iter().any(|name| name == id)).collect())
    }

    /// The author's figures, by id, in the order of the file.
    ///
    /// # Errors
    /// What a figure names and the study has not, and what cannot be drawn; with line and column.
    pub(super) fn scenes(&self, summary: &Summary, labels: &Labels, font: &Font) -> Result<Vec<(String, Scene)>> {
        let mut scenes = Vec::new();
        for (id, entry) in &self.figures {
            if summary.factors.iter().any(|factor| factor.name == *id) {
                let key = format!("figures.{id}");
                let what = format!("`{id}` is a factor of the study, whose own figure has its name");
                return Err(self.source.fault(&key, what, "give the figure another name"));
            }
            let sheet = Sheet::of(summary, labels, font, (&self.source, id, entry))?;
            sheet.need_channels()?;
            let scene = match entry.mark {
                Mark::Points => points::scene(&sheet),
                Mark::Bars => bars::scene(&sheet),
                Mark::Line => line::scene(&sheet),
                Mark::Box => boxes::scene(&sheet),
                Mark::Ecdf => ecdf::scene(&sheet),
                Mark::Heat => heat::scene(&sheet),
                Mark::Forest => ratios::scene(&sheet),
                Mark::Pareto => pareto::scene(&sheet),
            };
            scenes.push((id.clone(), scene?));
        }
        Ok(scenes)
    }
}

/// A name of a file on any system, and of nothing else.
fn check_id(id: &str) -> Result<(), (String, &'static str)> {
    let fault = |what: String, hint| Err((what, hint));
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let begins = id.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || !id.chars().all(is_plain) || id.len() > LONGEST_ID {
        let what = format!("expected a name of at most {LONGEST_ID} small letters, digits, `_` and `-`, found {id:?}");
        return fault(what, "e.g. `memory-front`; it is the file's name, and `figure:memory-front` in templates");
    }
    let numbered = id.strip_prefix("com").or(id.strip_prefix("lpt")).is_some_and(|rest| rest.len() == 1 && rest != "-");
    if DEVICES.contains(&id) || numbered {
        return fault(format!("no file may be called `{id}` on Windows"), "give the figure another name");
    }
    if TAKEN.contains(&id) || KNOWN.iter().any(|known| known.name == id) {
        return fault(format!("`{id}` is a figure of the program's own"), "give yours another name");
    }
    Ok(())
}

impl Sheet<'_> {
    /// Nothing is said of what the figure does not show.
    fn need_channels(&self) -> Result<()> {
        let Entry { x, y, colour, unit, scale, .. } = self.entry;
        let has = |words: &Option<Words>| words.is_some();
        let said = [
            ("unit.x", has(&unit.x), has(x)),
            ("unit.y", has(&unit.y), has(y)),
            ("unit.colour", has(&unit.colour), has(colour)),
            ("scale.x", scale.x.is_some(), has(x)),
            ("scale.y", scale.y.is_some(), has(y)),
            ("scale.colour", scale.colour.is_some(), has(colour)),
        ];
        for (key, is_said, is_shown) in said {
            if is_said && !is_shown {
                return Err(self.fault(key, "the figure has nothing there to measure", "remove it"));
            }
        }
        let variables = [("x", self.x), ("y", self.y), ("colour", self.colour)];
        for (key, variable) in variables {
            let (unit, scaled) = match key {
                "x" => (&unit.x, scale.x.is_some()),
                "y" => (&unit.y, scale.y.is_some()),
                _ => (&unit.colour, scale.colour.is_some()),
            };
            let is_factor = matches!(variable, Some(sheet::Variable::Factor(_)));
            if is_factor && unit.is_some() {
                let what = "a factor is shown in its own unit";
                return Err(self.fault(&format!("unit.{key}"), what, "`unit` is of metrics; remove it"));
            }
            let spaced = key == "x" && matches!(self.entry.mark, Mark::Points | Mark::Line);
            if is_factor && scaled && !spaced {
                let what = "levels stand side by side here and have no scale";
                return Err(self.fault(&format!("scale.{key}"), what, "`points` and `line` have one on x; remove it"));
            }
        }
        Ok(())
    }
}
