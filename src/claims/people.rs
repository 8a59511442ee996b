//! Where the authors work and by which number they are known -> claims, for the title page. A study that says neither has none.

use super::{Id, registry::Registry, words::list};
use crate::study::Study;

impl Registry {
    /// `study.affiliation.N` with `.authors`, in the order in which the study names them, and `study.orcid.N` with `.author`.
    pub(super) fn people(&mut self, study: &Study) {
        let mut places: Vec<(&str, Vec<String>)> = Vec::new();
        for author in &study.authors {
            let Some(affiliation) = &author.affiliation else { continue };
            match places.iter_mut().find(|(place, _)| place == affiliation) {
                Some((_, names)) => names.push(author.name.clone()),
                None => places.push((affiliation, vec![author.name.clone()])),
            }
        }
        for (number, (place, names)) in (1..).zip(places) {
            let id = Id::new(format!("study.affiliation.{number}"));
            self.fact(id.clone(), place, "affiliation in the study");
            self.fact(id.word("authors"), &list(&names), "authors of this affiliation in the study");
        }
        let known = study.authors.iter().filter_map(|author| Some((author, author.orcid.as_deref()?)));
        for (number, (author, orcid)) in (1..).zip(known) {
            let id = Id::new(format!("study.orcid.{number}"));
            self.fact(id.clone(), orcid, "orcid of an author in the study");
            self.fact(id.word("author"), &author.name, "the author of this orcid in the study");
        }
    }
}
