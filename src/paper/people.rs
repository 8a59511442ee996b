//! What a title page says of the authors beside their names, from claims: where they work, and by which ORCID iD they are known.

use serde::Serialize;
use tera::Context;

use crate::claims::Claims;

/// Lines of the title page; none where a study says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct People {
    /// `Ada Lovelace and Mary Somerville: London`, or the place alone where it is everybody's.
    affiliations: Vec<String>,
    orcids: Vec<Orcid>,
}

#[derive(Debug, Clone, Serialize)]
struct Orcid {
    /// The author; empty where there is no other.
    name: String,
    /// `0000-0002-1825-0097`
    id: String,
}

impl People {
    pub(super) fn of(claims: &Claims) -> Self {
        let text = |id: String| claims.claims.get(id.as_str()).map(|claim| claim.text.clone());
        let all = text("study.authors".to_owned()).unwrap_or_default();
        // Whose it is needs no word where it is everybody's.
        let whose = |names: Option<String>| names.filter(|names| *names != all).unwrap_or_default();
        let listed = |kind: &str, whose_is: &str| -> Vec<(String, String)> {
            let id = |number: u32| format!("study.{kind}.{number}");
            let found = (1..).map_while(|number| Some((text(id(number))?, text(format!("{}.{whose_is}", id(number))))));
            found.map(|(what, names)| (what, whose(names))).collect()
        };
        let affiliation = |(place, names): (String, String)| {
            if names.is_empty() { place } else { format!("{names}: {place}") }
        };
        People {
            affiliations: listed("affiliation", "authors").into_iter().map(affiliation).collect(),
            orcids: listed("orcid", "author").into_iter().map(|(id, name)| Orcid { name, id }).collect(),
        }
    }

    /// For a skin: `affiliations`, and `orcids` with `name` and `id`.
    pub(super) fn insert(&self, context: &mut Context, escape: fn(&str) -> String) {
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        let orcids = self.orcids.iter().map(|Orcid { name, id }| Orcid {
            name: escape(name),
            // Part of a link, where nothing may break it.
            id: id.chars().filter(plain).collect(),
        });
        context.insert("orcids", &orcids.collect::<Vec<_>>());
        context.insert("affiliations", &self.affiliations.iter().map(|line| escape(line)).collect::<Vec<_>>());
    }
}
