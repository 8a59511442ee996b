//! A set -> every file of its paper but the PDFs. Pure, as a run's paper is.

use std::collections::BTreeMap;

use anyhow::Result;

use super::{Set, context, exhibits};
use crate::{
    claims::{Claims, Id},
    figures::Own,
    paper::{self, Figures, Head, Place, Templates},
};

/// By path under the paper's folder.
pub type Made = BTreeMap<String, Vec<u8>>;

/// # Errors
/// Prose that does not fit the claims.
pub fn files(set: &Set, claims: &Claims, templates: &Templates) -> Result<Made> {
    let mut drawn = exhibits::figures(set, claims)?;
    let pictures = Own::default().with_pictures(templates.pictures())?.pictures(&drawn)?;
    drawn.extend(pictures);
    let figures = Figures {
        svg: drawn.iter().map(|figure| (figure.id.clone(), figure.svg.clone())).collect(),
        page: drawn.iter().map(|figure| (figure.id.clone(), figure.page.clone())).collect(),
    };
    let mut files = Made::new();
    for (name, csv) in exhibits::tables(set, claims) {
        files.insert(format!("tables/{name}"), csv.into_bytes());
    }
    for figure in drawn {
        for (extension, bytes) in [("svg", figure.svg), ("pdf", figure.pdf), ("png", figure.png)] {
            files.insert(format!("figures/{}.{extension}", figure.id), bytes);
        }
    }
    let paper = paper::without_rows(templates, claims, &context::of(set, claims), &figures, &head(set))?;
    files.extend([
        ("paper.md".to_owned(), paper.markdown.into_bytes()),
        ("paper.tex".to_owned(), paper.latex.into_bytes()),
        ("paper.html".to_owned(), paper.html.into_bytes()),
        ("claims.json".to_owned(), claims.to_json()?.into_bytes()),
    ]);
    files.extend(paper.typst.map(|typst| ("paper.typ".to_owned(), typst.into_bytes())));
    Ok(files)
}

/// Where each claim stands in `paper.md`.
///
/// # Errors
/// As [`files`].
pub fn places(set: &Set, claims: &Claims, templates: &Templates) -> Result<BTreeMap<Id, Vec<Place>>> {
    paper::places_under(templates, claims, &context::of(set, claims), &head(set))
}

fn head(set: &Set) -> Head {
    let members = set.members().len();
    Head {
        source: format!("set of {members} executions (sha256 {})", set.sha256),
        command: "offprint report --set".to_owned(),
    }
}
