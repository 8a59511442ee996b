//! A run -> every file of its paper but the PDFs, which other programs set. Pure: the same run and templates give
//! the same bytes, on any machine.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Figures, Templates, context::figures_of, levels, render};
use crate::{
    analysis::{Summary, tables},
    claims::Claims,
    figures::{self, Figure, Labels},
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
    let drawn = figures::draw(summary, &Labels::of(&run.study, &run.environment), figures_of(templates)?.as_ref())?;
    let figures = Figures {
        svg: drawn.iter().map(|figure| (figure.id.clone(), figure.svg.clone())).collect(),
        page: drawn.iter().map(|figure| (figure.id.clone(), figure.page.clone())).collect(),
    };
    let mut files = as_files(summary, drawn);
    let paper = render(templates, run, claims, &levels(&run.study, summary, claims, templates)?, &figures)?;
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
    Ok(as_files(summary, figures::draw(summary, &Labels::of(&run.study, &run.environment), own)?))
}

fn as_files(summary: &Summary, drawn: Vec<Figure>) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for table in tables::of(summary) {
        files.insert(format!("tables/{}", table.name), table.csv.into_bytes());
    }
    for figure in drawn {
        for (extension, bytes) in [("svg", figure.svg), ("pdf", figure.pdf), ("png", figure.png)] {
            files.insert(format!("figures/{}.{extension}", figure.id), bytes);
        }
    }
    files
}
