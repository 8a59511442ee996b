//! What templates may loop over: the factors of the design with their levels, and which claims speak of each. Numbers come from claims
//! alone.

use std::collections::BTreeSet;

use anyhow::Result;
use serde::Serialize;

use super::Templates;
use crate::{
    analysis::{Group, Summary, label::Label, quality::Quality},
    claims::{Claims, Id, Part, shortened},
    factor::{Factor, LENGTH, MODEL, PER_SECOND, PROMPT, QUANTIZATION, Role, TEMPERATURE},
    figures,
    metric::Metric,
    packing::Recipe,
    study::Study,
};

#[derive(Debug, Clone, Default, Serialize)]
pub struct Context {
    /// Those that vary, in the order in which they enter an analysis.
    pub factors: Vec<FactorText>,
    /// Is a model compared with others? Is anything?
    pub several_models: bool,
    pub several_systems: bool,
    /// Are the same weights compared at several levels of quantization?
    pub several_levels: bool,
    /// How well each model predicts a text, where that was measured.
    pub quality: Vec<QualityText>,
    /// Has a run several requests, of an open loop?
    pub load: bool,
    /// Does the study measure energy?
    pub energy: bool,
    pub open_loop: bool,
    /// Is there a figure of it?
    pub load_figure: bool,
    /// Percentiles that the runs have requests enough for.
    pub percentiles: Vec<String>,
    /// The time to a first token that all runs have: `ttft`, or `ttft_from_text` where a server is among the engines.
    pub first: String,
    /// Are the weights known here? A server's may not be.
    pub weights: bool,
    /// Engines of others, in the study's order.
    pub foreign: Vec<String>,
    /// Does anything vary beside prompt, length and temperature?
    pub further: bool,
    /// Has llama-bench names for cells?
    pub tests: bool,
    /// Keys of the levels that have runs.
    pub lengths: Vec<String>,
    pub temperatures: Vec<String>,
    pub prompts: Vec<PromptLevel>,
    pub cells: Vec<CellLevel>,
    /// Of the analysis of variance: the factors that have several levels, and their interactions.
    pub terms: Vec<Term>,
    /// Ids of the values that another document has published, and of what was found in it; empty where the study names none.
    pub published: Vec<String>,
    pub findings: Vec<String>,
    /// What stands beside the run: its baseline, if it has one.
    pub beside: Vec<Beside>,
    /// What is compared with the baseline, as templates of bundles up to 1.0.0 ask for it.
    pub baseline: Compared,
}

/// A factor that varies.
#[derive(Debug, Clone, Serialize)]
pub struct FactorText {
    pub name: String,
    pub label: String,
    /// With a capital letter, for a heading.
    pub title: String,
    /// `output length (tokens)`: heads a column.
    pub axis: String,
    pub unit: String,
    /// Averaged over, or compared?
    pub crossed: bool,
    pub compared: bool,
    /// An amount of work: rates may rise with it.
    pub amount: bool,
    /// Has every level but the first a ratio of decode rates? Of perplexities?
    pub decode_ratios: bool,
    pub quality_ratios: bool,
    /// Is there a figure of what its levels cost and give?
    pub quality_figure: bool,
    /// The output length, which has the fitted line; is there a figure of that?
    pub length: bool,
    pub fit: bool,
    pub prompt: bool,
    /// Has it a figure of its own name?
    pub figure: bool,
    /// Do its runs have a decode rate?
    pub decode: bool,
    /// Those that have runs.
    pub levels: Vec<LevelText>,
    /// As people say the first of them.
    pub reference: String,
    /// Each further level by each metric, against the first: claims `ID.ratio`, `.low`, `.high` and `.verdict`, predicate `ID`.
    pub ratios: Vec<RatioText>,
    /// Predicates on lines in its levels.
    pub trends: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct LevelText {
    pub key: String,
    pub label: String,
    /// As people say it: `64 tokens`.
    pub say: String,
    /// Begins the ids of its claims: `by_length.64`.
    pub by: String,
    /// Begins those of the time to a first token that all runs have.
    pub first: String,
    /// Begins those of its comparison with the first level; empty for that one.
    pub vs: String,
}

/// A model at a level of quantization.
#[derive(Debug, Clone, Serialize)]
pub struct QualityText {
    /// What tells it from the others: its level, its name, or both.
    pub label: String,
    /// The id of its perplexity.
    pub perplexity: String,
    /// Begins the ids of its comparison with the first level; empty for that one.
    pub vs: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct RatioText {
    pub id: String,
    pub level: String,
    pub metric: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct Beside {
    /// Begins the ids of its claims: `baseline.`.
    pub its: String,
    /// For the tables' labels.
    pub label: String,
    /// Another system of the same execution? Up to 0.1 a study's further systems stood here, too.
    pub system: bool,
    #[serde(flatten)]
    pub compared: Compared,
}

/// Ids of what is compared, without their beginning: numbers, ratios and shares, judgements.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Compared {
    pub absolute: Vec<String>,
    pub relative: Vec<String>,
    pub judgements: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Term {
    /// As in claim ids: `length_prompt`.
    pub key: String,
    /// For people: `length × prompt`.
    pub name: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct PromptLevel {
    pub id: String,
    pub text: String,
    /// A text of Offprint's, of just so many tokens.
    pub filler: bool,
}

#[derive(Debug, Clone, Serialize)]
pub struct CellLevel {
    pub key: String,
    pub prompt: String,
    pub length: String,
    pub temperature: String,
    /// The levels of whatever else varies, if anything does.
    pub compared: String,
    /// The levels of all that varies, as people say them.
    pub said: String,
    /// Ids of its percentiles.
    pub percentiles: Vec<Percentile>,
    /// What llama-bench calls its prefill and its decoding; empty of a design that is not in tokens.
    pub tests: String,
}

/// The context of a design, from its claims' own source.
///
/// # Errors
/// The templates' `figures.yaml` is none.
pub fn levels(study: &Study, summary: &Summary, claims: &Claims, templates: &Templates) -> Result<Context> {
    let chosen = figures_of(templates)?;
    let draws = |name: &str| chosen.as_ref().is_none_or(|own| own.draws(name));
    let first = if study.tells_from_text() { Metric::TtftFromText } else { Metric::Ttft }.name();
    let factors = summary.varying().into_iter().map(|place| factor(summary, claims, place, first));
    let factors = factors.map(|text| FactorText {
        quality_figure: text.name == QUANTIZATION && figures::has_quality(summary) && draws("quality"),
        figure: text.figure && draws(&text.name),
        fit: text.fit && draws("fit"),
        ..text
    });
    let keys = |name: &str| summary.by(name).iter().map(|group| group.key.clone()).collect();
    Ok(Context {
        factors: factors.collect(),
        several_models: summary.by(MODEL).len() > 1,
        several_levels: summary.by(QUANTIZATION).len() > 1,
        quality: quality(study, summary),
        several_systems: !summary.compared().is_empty(),
        load: study.has_several(),
        energy: study.energy.is_some(),
        open_loop: study.load.is_some() && summary.grid.factor(PER_SECOND).is_some(),
        load_figure: figures::has_load(summary) && draws("load"),
        percentiles: percentiles(claims),
        first: first.to_owned(),
        weights: claims.claims.get("model.parameters").is_some_and(|claim| claim.text != "none"),
        foreign: study.foreign().iter().map(|engine| engine.name().to_owned()).collect(),
        further: !further(summary).is_empty(),
        tests: summary.cells.iter().any(|cell| !tests(summary, cell).is_empty()),
        lengths: keys(LENGTH),
        temperatures: keys(TEMPERATURE),
        prompts: study
            .prompts
            .iter()
            .filter(|prompt| summary.by(PROMPT).iter().any(|group| group.key == prompt.id))
            .map(|prompt| {
                let filler = prompt.tokens.is_some();
                let text =
                    if filler { "the beginning of a text of Offprint's".to_owned() } else { shortened(&prompt.text) };
                PromptLevel { id: prompt.id.clone(), text, filler }
            })
            .collect(),
        cells: cells(summary, &percentiles(claims)),
        terms: terms(claims),
        published: listed(claims, "published.values"),
        beside: beside(claims),
        baseline: compared(claims, "baseline."),
        findings: claims.claims.keys().filter(|id| id.starts_with("published.finding.")).map(Id::to_string).collect(),
    })
}

/// The figures that templates describe, where they do.
///
/// # Errors
/// As [`figures::Own::read`] and [`figures::Own::with_pictures`].
pub fn figures_of(templates: &Templates) -> Result<Option<figures::Own>> {
    let own = templates.figures().map(|text| figures::Own::read("templates/figures.yaml", text)).transpose()?;
    let mut pictures = templates.pictures().peekable();
    if pictures.peek().is_none() {
        return Ok(own);
    }
    own.unwrap_or_default().with_pictures(pictures).map(Some)
}

fn factor(summary: &Summary, claims: &Claims, place: usize, first: &str) -> FactorText {
    let (factor, groups) = (&summary.factors[place], &summary.by[place]);
    let Factor { name, label, unit, role, .. } = factor;
    let levels: Vec<LevelText> = groups
        .iter()
        .enumerate()
        .map(|(index, group)| {
            let level = &factor.levels[group.level];
            LevelText {
                key: group.key.clone(),
                label: level.label.clone(),
                say: factor.say(level),
                by: Id::by(name, &group.key).to_string(),
                first: format!("{}.{first}", Id::by(name, &group.key)),
                vs: if index == 0 { String::new() } else { format!("vs.{name}.{}", group.key) },
            }
        })
        .collect();
    let ratio = |level: &LevelText, metric: Metric| {
        let id = format!("{}.{}", level.vs, metric.name());
        let known = claims.claims.contains_key(format!("{id}.ratio").as_str());
        known.then(|| RatioText { id, level: level.say.clone(), metric: metric.about().label.to_owned() })
    };
    let compared = levels.iter().skip(1).flat_map(|level| SHOWN.iter().filter_map(move |metric| ratio(level, *metric)));
    let trend = |metric: &Metric| {
        Some(format!("fit.{name}.{}", metric.name())).filter(|id| claims.predicates.contains_key(id.as_str()))
    };
    let every = |what: &str| {
        let compared = levels.iter().filter(|level| !level.vs.is_empty());
        levels.len() > 1
            && compared.map(|level| format!("{}.{what}", level.vs)).all(|id| claims.claims.contains_key(id.as_str()))
    };
    FactorText {
        title: crate::claims::words::sentence(label),
        axis: factor.axis(),
        crossed: *role == Role::Crossed,
        compared: *role == Role::Compared,
        decode_ratios: every("decode.ratio"),
        quality_ratios: every("perplexity.ratio"),
        quality_figure: false,
        amount: factor.is_amount(),
        length: name == LENGTH,
        fit: name == LENGTH && groups.len() > 1,
        prompt: name == PROMPT,
        figure: figures::with_figure(summary).contains(&place),
        decode: groups.iter().all(|group| group.metrics.contains_key(&Metric::Decode)),
        reference: levels.first().map(|level| level.say.clone()).unwrap_or_default(),
        ratios: compared.collect(),
        trends: SHOWN.iter().filter_map(trend).collect(),
        levels,
        name: name.clone(),
        label: label.clone(),
        unit: unit.clone(),
    }
}

/// What is shown of a comparison, the most wanted first.
const SHOWN: [Metric; 14] = [
    Metric::FullRate,
    Metric::OutputRate,
    Metric::RequestRate,
    Metric::Goodput,
    Metric::Decode,
    Metric::JoulesAToken,
    Metric::Ttft,
    Metric::TtftFromText,
    Metric::Prefill,
    Metric::WarmLatency,
    Metric::Latency,
    Metric::Throughput,
    Metric::PeakMemory,
    Metric::PeakRss,
];

/// Ids of claims on a percentile over the requests of a cell's runs.
#[derive(Debug, Clone, Serialize)]
pub struct Percentile {
    pub ttft: String,
    pub e2e: String,
}

impl Percentile {
    fn of(cell: &str, share: &str) -> Self {
        let id = |time: &str| format!("by_cell.{cell}.{time}_{share}.mean");
        Percentile { ttft: id("ttft"), e2e: id("e2e") }
    }
}

fn percentiles(claims: &Claims) -> Vec<String> {
    let has = |share: &&str| claims.claims.contains_key(format!("ttft_{share}.mean").as_str());
    ["p50", "p90", "p95", "p99"].into_iter().filter(has).map(str::to_owned).collect()
}

fn cells(summary: &Summary, percentiles: &[String]) -> Vec<CellLevel> {
    let level = |cell: usize, place: usize| &summary.factors[place].levels[summary.grid.cells[cell][place]];
    let named = |cell: usize, name: &str| {
        summary.grid.factor(name).map(|place| level(cell, place).key().into_owned()).unwrap_or_default()
    };
    let others = further(summary);
    let text =
        |cell: usize| others.iter().map(|place| summary.factors[*place].say(level(cell, *place))).collect::<Vec<_>>();
    let said = |cell: usize| {
        let varying = summary.varying().into_iter();
        let said: Vec<String> = varying.map(|place| summary.factors[place].say(level(cell, place))).collect();
        if said.is_empty() { "all".to_owned() } else { said.join(", ") }
    };
    summary
        .cells
        .iter()
        .map(|cell| CellLevel {
            key: cell.key.clone(),
            prompt: named(cell.level, PROMPT),
            length: named(cell.level, LENGTH),
            temperature: named(cell.level, TEMPERATURE),
            compared: text(cell.level).join(", "),
            said: said(cell.level),
            percentiles: percentiles.iter().map(|share| Percentile::of(&cell.key, share)).collect(),
            tests: tests(summary, cell),
        })
        .collect()
}

/// What llama-bench calls a cell's prefill and its decoding, of a design in tokens.
fn tests(summary: &Summary, cell: &Group) -> String {
    let labels = [Metric::Prefill, Metric::Decode].map(|metric| Label::of(summary, &cell.runs, metric));
    let said: Vec<String> = labels.iter().flatten().filter(|_| summary.counted).map(Label::to_string).collect();
    said.join(", ")
}

fn quality(study: &Study, summary: &Summary) -> Vec<QualityText> {
    let several = summary.by(MODEL).len() > 1;
    let row = |of: &Quality| {
        let before = if several { format!("by_model.{}.", of.model) } else { String::new() };
        let level = of.quantization.as_ref();
        let name = study.models.iter().find(|model| model.id == of.model).map_or("", |model| model.name.as_str());
        let words = level.map(|level| level.parse::<Recipe>().map_or_else(|_| level.clone(), Recipe::words));
        QualityText {
            label: match words {
                Some(words) if several => format!("{name}, {words}"),
                Some(words) => words,
                None => name.to_owned(),
            },
            perplexity: level.map_or_else(
                || format!("{before}perplexity"),
                |level| format!("{before}by_quantization.{level}.perplexity"),
            ),
            vs: level
                .filter(|_| of.measured.against.is_some())
                .map_or_else(String::new, |level| format!("{before}vs.quantization.{level}")),
        }
    };
    summary.quality.iter().map(row).collect()
}

/// What varies and has no column of its own in the table of all cells.
fn further(summary: &Summary) -> Vec<usize> {
    let has_column = |place: &usize| [PROMPT, LENGTH, TEMPERATURE].contains(&summary.factors[*place].name.as_str());
    summary.varying().into_iter().filter(|place| !has_column(place)).collect()
}

/// What the claims compare the run with.
fn beside(claims: &Claims) -> Vec<Beside> {
    let its = "baseline.";
    let is_there = claims.claims.contains_key("baseline.summary");
    let beside =
        || Beside { its: its.to_owned(), label: "baseline".to_owned(), system: false, compared: compared(claims, its) };
    is_there.then(beside).into_iter().collect()
}

fn compared(claims: &Claims, its: &str) -> Compared {
    let [absolute, relative, judgements] =
        ["absolute", "relative", "judgements"].map(|sort| listed(claims, &format!("{its}{sort}")));
    Compared { absolute, relative, judgements }
}

/// The ids that a claim lists; none where there is no such claim.
fn listed(claims: &Claims, id: &str) -> Vec<String> {
    let text = claims.claims.get(id).map_or("", |claim| &claim.text);
    text.split(", ").filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// The terms that the claims on latency's variance name: factors first, then ever longer interactions, as they were analysed.
fn terms(claims: &Claims) -> Vec<Term> {
    let of = |id: &Id| match id.parts() {
        [Part::Words(words), Part::Metric(Metric::Latency), Part::Level(term)] if words == "variance" => {
            Some(term.clone())
        }
        _ => None,
    };
    let known: BTreeSet<String> = claims.claims.keys().filter_map(of).collect();
    let mut order: Vec<&str> = crate::factor::KNOWN.iter().map(|known| known.name).collect();
    order.extend(known.iter().filter(|term| !term.contains('_')).map(String::as_str));
    let place = |term: &String| {
        let factors: Vec<usize> =
            term.split('_').filter_map(|part| order.iter().position(|name| *name == part)).collect();
        (term == "higher", factors.len(), factors)
    };
    let mut keys: Vec<String> = known.iter().cloned().collect();
    keys.sort_by_key(place);
    keys.into_iter().map(|key| Term { name: key.replace('_', " × "), key }).collect()
}
