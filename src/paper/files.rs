//! A run -> every file of its paper but the PDFs, which other programs set. Pure: the same run and templates give
//! the same bytes, on any machine.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Templates, context::figures_of, levels, render};
use crate::{
    analysis::{Summary, tables},
    claims::Claims,
    figures::{self, Labels},
    store::Run,
};

/// By path under the paper's folder: `paper.md`, `claims.json`, `tables/cells.csv`, `figures/latency.svg`, ...
///
/// # Errors
/// Prose that does not fit the claims.
pub fn files(
    run: &Run,
    summary: &Summary,
    claims: &Claims,
    templates: &Templates,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = exhibits(run, summary, figures_of(templates)?.as_ref())?;
    let drawn = |(path, bytes): (&String, &Vec<u8>)| {
        Some((path.strip_prefix("figures/")?.strip_suffix(".svg")?.to_owned(), bytes.clone()))
    };
    let figures = files.iter().filter_map(drawn).collect();
    let paper = render(templates, claims, &levels(&run.study, summary, claims, templates)?, &figures)?;
    files.extend([
        ("paper.md".to_owned(), paper.markdown.into_bytes()),
        ("paper.tex".to_owned(), paper.latex.into_bytes()),
        ("paper.html".to_owned(), paper.html.into_bytes()),
        ("claims.json".to_owned(), claims.to_json()?.into_bytes()),
    ]);
    files.extend(paper.typst.map(|typst| ("paper.typ".to_owned(), typst.into_bytes())));
    Ok(files)
}

/// Its tables and figures: what needs no prose. `own` are the paper's figures of its own.
///
/// # Errors
/// A drawing library fails; what is wrong with `own`.
pub fn exhibits(run: &Run, summary: &Summary, own: Option<&figures::Own>) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for table in tables::of(summary) {
        files.insert(format!("tables/{}", table.name), table.csv.into_bytes());
    }
    for figure in figures::draw(summary, &Labels::of(&run.study, &run.environment), own)? {
        for (extension, bytes) in [("svg", figure.svg), ("pdf", figure.pdf), ("png", figure.png)] {
            files.insert(format!("figures/{}.{extension}", figure.id), bytes);
        }
    }
    Ok(files)
}
