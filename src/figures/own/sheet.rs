//! A figure as it is written and a summary -> what it is about: its variables, and the runs that it shows. What does not fit the study is
//! an error here, before anything is drawn.

use std::collections::BTreeSet;

use anyhow::{Error, Result};

use super::{
    super::{
        Labels,
        font::Font,
        page::{KEY_MOST, LABEL_SIZE, TICK_SIZE},
        scene::{Key, Sample},
    },
    condition,
    fault::{Source, did_you_mean},
    file::{Entry, Mark, Words},
};
use crate::{
    analysis::{RunMetrics, Stats, Summary, stats},
    factor::{Factor, Known},
    metric::Metric,
};

/// Panels of one figure.
const MOST_PANELS: usize = 12;
/// Levels that differ in colour and shape, and those that differ in colour alone.
const MOST_LOOKS: usize = 35;
const MOST_COLOURS: usize = 7;

/// What an axis or a colour shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Variable {
    /// By its place among the summary's.
    Factor(usize),
    Metric(Metric),
}

/// A figure, ready to be drawn.
pub struct Sheet<'a> {
    pub summary: &'a Summary,
    pub labels: &'a Labels,
    pub font: &'a Font,
    source: &'a Source,
    id: &'a str,
    pub entry: &'a Entry,
    pub x: Option<Variable>,
    pub y: Option<Variable>,
    pub colour: Option<Variable>,
    facet: Option<usize>,
    /// Those that meet the conditions and have every metric, ascending.
    pub runs: Vec<&'a RunMetrics>,
    /// What some runs lack, for the legend.
    pub remarks: Vec<Key>,
}

/// One panel's heading and runs.
pub type Facet<'a> = (String, Vec<&'a RunMetrics>);

impl<'a> Sheet<'a> {
    /// # Errors
    /// What the figure names and the study has not, conditions that no run meets, a factor that does not vary.
    pub fn of(
        summary: &'a Summary,
        labels: &'a Labels,
        font: &'a Font,
        (source, id, entry): (&'a Source, &'a str, &'a Entry),
    ) -> Result<Self> {
        let runs = summary.runs.iter().collect();
        let mut sheet = Sheet {
            summary,
            labels,
            font,
            source,
            id,
            entry,
            x: None,
            y: None,
            colour: None,
            facet: None,
            runs,
            remarks: Vec::new(),
        };
        sheet.x = sheet.variable("x", entry.x.as_ref())?;
        sheet.y = sheet.variable("y", entry.y.as_ref())?;
        sheet.colour = sheet.variable("colour", entry.colour.as_ref())?;
        sheet.facet = match sheet.variable("facet", entry.facet.as_ref())? {
            Some(Variable::Metric(metric)) => return Err(sheet.wants_factor("facet", metric)),
            Some(Variable::Factor(place)) => Some(place),
            None => None,
        };
        if let (Some(Variable::Metric(metric)), false) = (sheet.colour, entry.mark == Mark::Heat) {
            return Err(sheet.wants_factor("colour", metric));
        }
        sheet.choose()?;
        sheet.need_metrics()?;
        sheet.need_levels()?;
        Ok(sheet)
    }

    /// An error about one of the figure's keys.
    pub fn fault(&self, key: &str, what: impl AsRef<str>, hint: impl AsRef<str>) -> Error {
        let key = if key.is_empty() { format!("figures.{}", self.id) } else { format!("figures.{}.{key}", self.id) };
        self.source.fault(&key, what, hint)
    }

    /// An error about an axis that a mark needs.
    pub fn lacks(&self, key: &str, what: &str) -> anyhow::Error {
        let mark = self.entry.mark.name();
        self.fault("", format!("`{mark}` wants {what} as `{key}`, found none"), format!("add `{key}:`"))
    }

    fn variable(&self, key: &str, name: Option<&Words>) -> Result<Option<Variable>> {
        let Some(Words(name)) = name else { return Ok(None) };
        if let Some(place) = self.summary.factors.iter().position(|factor| factor.name == *name) {
            return Ok(Some(Variable::Factor(place)));
        }
        if let Some(metric) = Metric::named(name) {
            return Ok(Some(Variable::Metric(metric)));
        }
        let varying: Vec<&str> =
            self.summary.varying().into_iter().map(|place| self.summary.factors[place].name.as_str()).collect();
        if let Some(known) = Known::named(name) {
            let hint =
                format!("levels of it stand in the study under `{}`; it varies {}", known.listed, varying.join(", "));
            return Err(self.fault(key, format!("expected a factor of the study, which has no `{name}`"), hint));
        }
        let known = varying.into_iter().chain(Metric::ALL.map(Metric::name));
        Err(self.fault(key, format!("expected a factor or a metric, found `{name}`"), did_you_mean(name, known)))
    }

    fn wants_factor(&self, key: &str, metric: Metric) -> Error {
        let what = format!("expected a factor, found the metric `{}`", metric.name());
        self.fault(key, what, "only the colour of `heat` is a metric; metrics go on the axes")
    }

    /// Keeps the runs that meet the conditions.
    fn choose(&mut self) -> Result<()> {
        let Some(Words(text)) = &self.entry.condition else { return Ok(()) };
        let fault = |(what, hint): condition::Fault| self.fault("where", what, hint);
        let mut conditions = Vec::new();
        for written in condition::parse(text).map_err(fault)? {
            conditions.push(condition::resolve(&written, &self.summary.factors).map_err(fault)?);
        }
        let summary = self.summary;
        self.runs.retain(|run| conditions.iter().all(|condition| condition.meets(summary, run)));
        if self.runs.is_empty() {
            let all = self.summary.runs.len();
            let what = format!("no run meets `{text}`, of {all} that ended well");
            return Err(self.fault("where", what, "leave a condition out, or look at tables/runs.csv"));
        }
        Ok(())
    }

    /// Leaves out the runs without a metric that is shown, and says so.
    fn need_metrics(&mut self) -> Result<()> {
        for (key, variable) in [("x", self.x), ("y", self.y), ("colour", self.colour)] {
            let Some(Variable::Metric(metric)) = variable else { continue };
            let before = self.runs.len();
            self.runs.retain(|run| run.value(metric).is_some());
            if self.runs.is_empty() {
                let what = format!("none of the {before} runs has `{}`", metric.name());
                return Err(self.fault(key, what, "tables/overall.csv lists the metrics that the runs have"));
            }
            if let Some(run) = self.runs.iter().find(|run| !run.value(metric).is_some_and(f64::is_finite)) {
                let what = format!("run {}: `{}` is not a finite number", run.run, metric.name());
                return Err(self.fault(key, what, "look at the run's row of runs.jsonl"));
            }
            let lacking = before - self.runs.len();
            if lacking > 0 {
                let runs = if lacking == 1 { "1 run lacks".to_owned() } else { format!("{lacking} runs lack") };
                self.remarks.push(Key::new(Sample::Nothing, format!("{runs} {}", metric.about().label)));
            }
        }
        Ok(())
    }

    /// Every factor that is shown varies, and no level's look or panel is one too many.
    fn need_levels(&self) -> Result<()> {
        let factor = |variable| if let Some(Variable::Factor(place)) = variable { Some(place) } else { None };
        let shown =
            [("x", factor(self.x)), ("y", factor(self.y)), ("colour", factor(self.colour)), ("facet", self.facet)];
        for (key, place) in shown {
            let Some(place) = place else { continue };
            let (name, levels) = (&self.summary.factors[place].name, self.levels(place).count());
            if levels < 2 {
                let held = match (self.entry.condition.is_some(), self.remarks.is_empty()) {
                    (true, _) => "in the runs that `where` leaves",
                    (false, true) => "in this study",
                    (false, false) => "in the runs that have every metric of the figure",
                };
                let what = format!("`{name}` does not vary {held}");
                return Err(self.fault(key, what, format!("remove `{key}`, or take a factor that varies")));
            }
            let (most, hint) = match (key, self.entry.mark) {
                ("facet", _) => (MOST_PANELS, "choose some with `where: \"… in {a, b}\"`"),
                ("colour", Mark::Bars) => (MOST_COLOURS, "bars differ in colour alone; take `points` or `facet`"),
                ("colour", _) => (MOST_LOOKS, "choose some with `where: \"… in {a, b}\"`"),
                _ => (usize::MAX, ""),
            };
            if levels > most {
                let what = format!("expected at most {most} levels, which can be told apart; `{name}` has {levels}");
                return Err(self.fault(key, what, hint));
            }
        }
        if factor(self.x).is_some() && factor(self.x) == factor(self.y) {
            return Err(self.fault("y", "expected another factor than that of x, found the same", "take another one"));
        }
        for (key, place) in &shown[..2] {
            if place.is_some() && *place == self.facet {
                let what = format!("expected another factor than that of {key}, found the same");
                return Err(self.fault("facet", what, "a panel would show one level; remove `facet`"));
            }
        }
        Ok(())
    }

    /// The levels of a factor that the figure's runs are at.
    pub fn levels(&self, place: usize) -> Levels<'a> {
        let summary = self.summary;
        let present: BTreeSet<usize> = self.runs.iter().map(|run| summary.grid.cells[run.cell][place]).collect();
        Levels { summary, place, present: present.into_iter().collect() }
    }

    /// What colours tell apart.
    pub fn colours(&self) -> Option<Levels<'a>> {
        match self.colour {
            Some(Variable::Factor(place)) => Some(self.levels(place)),
            _ => None,
        }
    }

    /// Panels with their runs; one without a heading where there is no facet.
    pub fn facets(&self) -> Vec<Facet<'a>> {
        let Some(place) = self.facet else { return vec![(String::new(), self.runs.clone())] };
        let levels = self.levels(place);
        let mut facets: Vec<Facet> = levels.headings(self.font).into_iter().map(|said| (said, Vec::new())).collect();
        for run in &self.runs {
            facets[levels.at(run)].1.push(run);
        }
        facets
    }

    /// Statistics of a metric over some of the runs, in their order: where they are all runs of a level or a cell, these are the
    /// summary's own, since they are made the same way.
    ///
    /// # Errors
    /// There is no run.
    pub fn stats(&self, runs: &[&RunMetrics], metric: Metric) -> Result<Stats> {
        let values: Vec<f64> = runs.iter().filter_map(|run| run.value(metric)).collect();
        stats::of(&values, self.labels.confidence)
    }

    /// What is read out: the author's words, or what the axes show.
    pub fn title(&self) -> String {
        if let Some(Words(title)) = &self.entry.title {
            return title.clone();
        }
        let said = |variable: Option<Variable>| match variable? {
            Variable::Factor(place) => Some(self.summary.factors[place].label.clone()),
            Variable::Metric(metric) => Some(metric.about().label.to_owned()),
        };
        let shown: Vec<String> = [said(self.y), said(self.x)].into_iter().flatten().collect();
        let mut title = shown.join(" against ");
        if self.entry.mark == Mark::Ecdf {
            title = format!("Distribution of {title}");
        }
        if let Some(colour) = said(self.colour) {
            title += &format!(", by {colour}");
        }
        if let Some(place) = self.facet {
            title += &format!(", a panel for each {}", self.summary.factors[place].label);
        }
        crate::claims::words::sentence(&title)
    }
}

/// The levels of a factor that occur, by their position among them.
#[derive(Debug, Clone)]
pub struct Levels<'a> {
    summary: &'a Summary,
    place: usize,
    present: Vec<usize>,
}

impl<'a> Levels<'a> {
    pub fn factor(&self) -> &'a Factor {
        &self.summary.factors[self.place]
    }

    pub fn count(&self) -> usize {
        self.present.len()
    }

    /// A run's position.
    pub fn at(&self, run: &RunMetrics) -> usize {
        self.present.binary_search(&self.summary.grid.cells[run.cell][self.place]).unwrap_or(0)
    }

    /// Index of a level among the factor's.
    pub fn index(&self, at: usize) -> usize {
        self.present[at]
    }

    /// `64 tokens`
    pub fn said(&self, at: usize) -> String {
        self.factor().say(&self.factor().levels[self.present[at]])
    }

    pub fn number(&self, at: usize) -> Option<f64> {
        self.factor().levels[self.present[at]].as_number()
    }

    /// What axes and legends call them: such as would look alike, once drawn in `room` points, are numbered.
    pub fn names(&self, font: &Font, room: f64) -> Vec<String> {
        let label = |level: &usize| self.factor().levels[*level].label.clone();
        told_apart(self.present.iter().map(label).collect(), font, (TICK_SIZE, room))
    }

    /// ... and what stands above panels.
    fn headings(&self, font: &Font) -> Vec<String> {
        told_apart((0..self.count()).map(|at| self.said(at)).collect(), font, (LABEL_SIZE, 75.0))
    }

    /// Legend entries.
    pub fn keys(&self, font: &Font, sample: fn(usize) -> Sample) -> Vec<Key> {
        let names = self.names(font, KEY_MOST).into_iter();
        names.enumerate().map(|(at, name)| Key::new(sample(at), name)).collect()
    }

    /// Begins the legend.
    pub fn key_title(&self) -> String {
        format!("{}:", self.factor().axis())
    }
}

/// The names, with a number before each where two of them would look alike in this size and room.
fn told_apart(names: Vec<String>, font: &Font, (size, room): (f64, f64)) -> Vec<String> {
    let mut drawn: Vec<String> = names.iter().map(|name| font.drawable(&font.shorten(name, size, room))).collect();
    drawn.sort();
    if drawn.windows(2).all(|pair| pair[0] != pair[1]) {
        return names;
    }
    names.into_iter().enumerate().map(|(at, name)| format!("{}: {name}", at + 1)).collect()
}
