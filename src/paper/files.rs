//! A run -> every file of its paper but the PDF, whose bytes are the TeX engine's. Pure: the same run and templates give
//! the same bytes, on any machine.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Templates, levels, render};
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
    let figures = figures::draw(summary, &Labels::of(&run.study, &run.environment))?;
    let by_id = figures.iter().map(|figure| (figure.id.to_owned(), figure.svg.clone())).collect();
    let paper = render(templates, claims, &levels(&run.study, summary, claims), &by_id)?;

    let mut files = BTreeMap::from([
        ("paper.md".to_owned(), paper.markdown.into_bytes()),
        ("paper.tex".to_owned(), paper.latex.into_bytes()),
        ("paper.html".to_owned(), paper.html.into_bytes()),
        ("claims.json".to_owned(), claims.to_json()?.into_bytes()),
    ]);
    for table in tables::of(summary) {
        files.insert(format!("tables/{}", table.name), table.csv.into_bytes());
    }
    for figure in figures {
        for (extension, bytes) in [("svg", figure.svg), ("pdf", figure.pdf), ("png", figure.png)] {
            files.insert(format!("figures/{}.{extension}", figure.id), bytes);
        }
    }
    Ok(files)
}
