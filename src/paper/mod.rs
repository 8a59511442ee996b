//! Templates + claims + figures -> Markdown, LaTeX, HTML, Typst. The only door for a number into prose. Knows nothing of MLX.
//!
//! The prose has one source: the sections are rendered once to Markdown; the others are made from that Markdown,
//! parsed. So the formats cannot say different things.

mod context;
mod files;
pub mod given;
mod html;
mod latex;
mod layout;
mod letters;
mod living;
mod lost;
mod marks;
mod nearest;
mod numbering;
mod people;
mod proofread;
mod prose;
mod references;
pub mod submission;
mod tabular;
mod templates;
mod width;
mod typst;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
pub use context::{Context as Levels, figures_of, levels};
pub use files::{exhibits, files};
use pulldown_cmark::{Event, Options, Parser};
use serde::Serialize;
pub use templates::{Found, Templates};
use tera::{Context, Delimiters, Tera};
pub use typst::lacking;
#[cfg(test)]
pub(crate) use {
    prose::{escape, seen},
    typst::{bodies, written},
};

use crate::{
    claims::{Claims, Id},
    store::Run,
};
use layout::Layout;
use living::Living;
pub use living::{Script, script};
use numbering::Numbered;
use people::People;
use references::References;

/// The paper in its text formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    pub markdown: String,
    pub latex: String,
    pub html: String,
    /// What the PDF is made of; templates of bundles up to 0.2 have no skin for it.
    pub typst: Option<String>,
}

/// A paper's figures, by id: as files, and as drawings for the page.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub svg: BTreeMap<String, Vec<u8>>,
    pub page: BTreeMap<String, String>,
}

/// What a paper says of where it comes from, where that is no run folder.
#[derive(Debug, Clone)]
pub struct Head {
    pub source: String,
    pub command: String,
}

/// Renders the paper of a run.
///
/// # Errors
/// A template that asks for an unknown claim, a reference to nothing, a bibliography entry that is missing or unused.
pub fn render(templates: &Templates, run: &Run, claims: &Claims, levels: &Levels, figures: &Figures) -> Result<Paper> {
    rendered(templates, claims, levels, figures, Front::of(claims), Some(run))
}

/// Renders a paper whose page has no rows in it, and so nothing that computes again.
///
/// # Errors
/// As [`render`].
pub fn without_rows(
    templates: &Templates,
    claims: &Claims,
    levels: &impl Serialize,
    figures: &Figures,
    head: &Head,
) -> Result<Paper> {
    rendered(templates, claims, levels, figures, Front::under(claims, head), None)
}

fn rendered(
    templates: &Templates,
    claims: &Claims,
    levels: &impl Serialize,
    figures: &Figures,
    front: Front,
    run: Option<&Run>,
) -> Result<Paper> {
    let Numbered { printed: marked, symbolic } = marked(templates, claims, levels, Some(&figures.svg))?;
    let (body, symbolic) = (marks::strip(&marked), marks::strip(&symbolic));
    lost::check(&body, &figures.svg).map_err(|lost| lost::placed(lost.into(), templates))?;
    let html = templates.get("skins/paper.html")?;
    let living = if living::is_asked(html) {
        let data = run.map(|run| living::Data { claims, run });
        let ids = run.map(|_| marks::Ids::of(claims));
        let marked = if ids.is_some() { &marked } else { &body };
        living::of(templates, marked, ids.as_ref(), &figures.page, data.as_ref())?
    } else {
        living::Living { body: html::body(&body, &figures.svg), ..Default::default() }
    };
    Ok(Paper {
        markdown: markdown(templates, &front, &body)?,
        latex: tex("paper.tex", templates.get("skins/paper.tex")?, &front, &symbolic)?,
        html: page_of(html, &front, &living)?,
        typst: typst(templates, &front, split_abstract(&body).into(), &figures.svg)?,
    })
}

/// For Typst, in the skin that there is. One of somebody else's is looked at as it will be read, filled.
fn typst(
    templates: &Templates,
    front: &Front,
    texts: [&str; 2],
    figures: &BTreeMap<String, Vec<u8>>,
) -> Result<Option<String>> {
    let Ok(template) = templates.get(typst::SKIN) else { return Ok(None) };
    let [abstract_, rest] = typst::bodies(texts, figures);
    let filled = skin("paper.typ", template, front, typst::value, [&abstract_, &rest], None)?;
    if Templates::built_in().get(typst::SKIN)? != template {
        typst::check(&filled).with_context(|| format!("templates/{}, filled", typst::SKIN))?;
    }
    Ok(Some(filled))
}

/// Another document in the paper's skins, e.g. a reviewer's report.
#[derive(Debug, Clone)]
pub struct Page {
    pub title: String,
    pub authors: String,
    pub keywords: String,
    pub date: String,
    /// The records that it rests on.
    pub source: String,
    /// The command that made it.
    pub command: String,
    /// Why it is no measurement, in a sentence; `None` when it is one.
    pub warning: Option<String>,
}

/// Writes a page as Markdown and as HTML. `body` is Markdown; figures are drawings for the page by id.
///
/// # Errors
/// None that a value here can cause.
pub fn page(page: &Page, body: &str, figures: &BTreeMap<String, String>) -> Result<(String, String)> {
    let front = Front {
        title: page.title.clone(),
        authors: page.authors.clone(),
        people: People::default(),
        keywords: page.keywords.clone(),
        date: page.date.clone(),
        doi: String::new(),
        source: page.source.clone(),
        records: String::new(),
        command: page.command.clone(),
        real: page.warning.is_none(),
        warning: page.warning.clone().unwrap_or_default(),
        venues: None,
    };
    let templates = Templates::built_in();
    let living = living::of(&templates, body, None, figures, None)?;
    let html = page_of(templates.get("skins/paper.html")?, &front, &living)?;
    Ok((markdown(&templates, &front, body)?, html))
}

fn page_of(template: &str, front: &Front, living: &Living) -> Result<String> {
    skin("paper.html", template, front, html::escape, [&living.body, ""], Some(living))
}

/// LaTeX's document in the skin called so.
fn tex(name: &str, template: &str, front: &Front, symbolic: &str) -> Result<String> {
    let layout = Layout::of(template).with_context(|| format!("templates/skins/{name}"))?;
    let (abstract_, rest) = split_abstract(symbolic);
    skin(name, template, front, latex::words, [&latex::body(abstract_, &layout), &latex::body(rest, &layout)], None)
}

/// The numbered Markdown, without front matter, with marks at what claims and predicates say.
fn marked(
    templates: &Templates,
    claims: &Claims,
    levels: &impl Serialize,
    drawn: Option<&BTreeMap<String, Vec<u8>>>,
) -> Result<Numbered> {
    let references = References::new(templates.get("references.bib")?)?;
    let text = prose::sections(templates, claims, levels)?;
    let pictures: Vec<&str> = templates.pictures().map(|(id, _)| id).collect();
    let missing = drawn.and_then(|drawn| numbering::figures(&text).iter().find_map(|id| lost::undrawn(id, drawn)));
    missing
        .map_or_else(|| numbering::number(&text, &references, &pictures), |lost| Err(lost.into()))
        .map_err(|error| lost::placed(error, templates))
}

fn markdown(templates: &Templates, front: &Front, body: &str) -> Result<String> {
    skin("paper.md", templates.get("skins/paper.md")?, front, prose::escape, [body, ""], None)
}

/// A line of `paper.md` in which a claim stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// From 1.
    pub line: usize,
    pub text: String,
}

/// Where each claim stands in `paper.md`, by id. Claims that stand there only inside a predicate's sentence are not found.
///
/// # Errors
/// As [`render`].
pub fn places(templates: &Templates, claims: &Claims, levels: &Levels) -> Result<BTreeMap<Id, Vec<Place>>> {
    places_of(templates, claims, levels, &Front::of(claims))
}

/// The same of a paper with this head.
///
/// # Errors
/// As [`render`].
pub fn places_under(
    templates: &Templates,
    claims: &Claims,
    levels: &impl Serialize,
    head: &Head,
) -> Result<BTreeMap<Id, Vec<Place>>> {
    places_of(templates, claims, levels, &Front::under(claims, head))
}

fn places_of(
    templates: &Templates,
    claims: &Claims,
    levels: &impl Serialize,
    front: &Front,
) -> Result<BTreeMap<Id, Vec<Place>>> {
    let text = markdown(templates, front, &marked(templates, claims, levels, None)?.printed)?;
    let ids = marks::Ids::of(claims);
    let mut found: BTreeMap<Id, Vec<Place>> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let here = marks::pieces(line).into_iter().filter_map(|piece| match piece {
            marks::Piece::Begin(of @ marks::Of::Claim, place) => ids.get(of, place),
            _ => None,
        });
        for id in here {
            let places = found.entry(id.clone()).or_default();
            let place = Place { line: index + 1, text: marks::strip(line) };
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
    }
    Ok(found)
}

/// What every skin shows before the text.
struct Front {
    title: String,
    authors: String,
    people: People,
    keywords: String,
    date: String,
    /// Reserved for the paper; empty where none is.
    doi: String,
    source: String,
    /// SHA-256 of the rows; empty of a page that is no paper.
    records: String,
    command: String,
    real: bool,
    warning: String,
    /// Of what goes to a venue.
    venues: Option<submission::Venues>,
}

impl Front {
    fn under(claims: &Claims, Head { source, command }: &Head) -> Self {
        Front { source: source.clone(), command: command.clone(), ..Front::of(claims) }
    }

    fn of(claims: &Claims) -> Self {
        let text = |id: &str| claims.claims.get(id).map(|claim| claim.text.clone()).unwrap_or_default();
        let real = claims.predicates.get("measurement.real");
        Front {
            title: text("paper.title"),
            authors: text("study.authors"),
            people: People::of(claims),
            keywords: text("study.keywords"),
            date: text("study.date"),
            doi: text("study.doi"),
            records: claims.source.sha256.chars().filter(char::is_ascii_hexdigit).collect(),
            source: format!("run {} (runs.jsonl sha256 {})", claims.source.run_id, claims.source.sha256),
            command: "offprint report".to_owned(),
            real: real.is_some_and(|predicate| predicate.holds == Some(true)),
            warning: real.map(|predicate| predicate.text.clone()).unwrap_or_default(),
            venues: None,
        }
    }
}

/// Fills a skin. Its delimiters are `<%`, `<<` and `<#`, which no format uses; values are escaped for the format, the
/// already written bodies are not.
fn skin(
    name: &str,
    template: &str,
    front: &Front,
    escape: fn(&str) -> String,
    bodies: [&str; 2],
    living: Option<&Living>,
) -> Result<String> {
    let mut tera = Tera::new();
    let delimiters = Delimiters {
        block_start: "<%".into(),
        block_end: "%>".into(),
        variable_start: "<<".into(),
        variable_end: ">>".into(),
        comment_start: "<#".into(),
        comment_end: "#>".into(),
    };
    let failed = |error: tera::Error| anyhow!("templates/skins/{name}: {error}");
    tera.set_delimiters(delimiters).map_err(failed)?;
    tera.autoescape_on(Vec::<&str>::new());
    tera.add_raw_template(name, template).map_err(failed)?;
    let mut context = Context::new();
    for (key, value) in [
        ("title", &front.title),
        ("authors", &front.authors),
        ("keywords", &front.keywords),
        ("date", &front.date),
        ("doi_text", &front.doi),
        ("source", &front.source),
        ("command", &front.command),
        ("warning", &front.warning),
    ] {
        context.insert(key, &escape(value));
    }
    front.people.insert(&mut context, escape);
    // Hexadecimal, so that it needs no escaping, which would put places to break into it.
    context.insert("records", &front.records);
    // Part of an address, which the study has checked.
    context.insert(
        "doi",
        &front.doi.chars().filter(|c| c.is_ascii_graphic() && !"<>\"'\\{}%#&".contains(*c)).collect::<String>(),
    );
    context.insert("real", &front.real);
    if let Some(submission::Venues { anonymous, people, places, keyword_list }) = &front.venues {
        context.insert("anonymous", anonymous);
        context.insert("people", people);
        context.insert("places", places);
        context.insert("keyword_list", keyword_list);
    }
    if let Some(Living { style, script, policy, contents, data, .. }) = living {
        for (key, raw) in
            [("style", style), ("script", script), ("policy", policy), ("contents", contents), ("data", data)]
        {
            context.insert(key, raw);
        }
    }
    context.insert("body", bodies[0]);
    context.insert("rest", bodies[1]);
    tera.render(name, &context).map_err(failed)
}

/// The abstract, empty where the text does not begin with one, and what follows it.
fn split_abstract(body: &str) -> (&str, &str) {
    let Some(text) = body.trim_start().strip_prefix("## Abstract\n") else { return ("", body) };
    text.split_once("\n## ").map_or((text, ""), |(first, _)| (first, &text[first.len() + 1..]))
}

/// The one Markdown dialect of the paper.
fn parse(markdown: &str) -> impl Iterator<Item = Event<'_>> {
    Parser::new_ext(markdown, Options::ENABLE_TABLES)
}
