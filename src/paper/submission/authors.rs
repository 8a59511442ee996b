//! The authors of a study -> what a venue's skin prints of them. Escaped when the skin is filled.

use serde::Serialize;

use super::Venues;
use crate::{paper::latex, study::Study};

#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Author {
    name: String,
    affiliation: String,
    city: String,
    country: String,
    email: String,
    orcid: String,
    /// Of the affiliation among [`Venues::places`], from 1; 0 for none.
    place: usize,
}

/// Where authors work, once each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    number: usize,
    name: String,
    city: String,
    country: String,
}

/// For LaTeX.
pub(super) fn of(study: &Study, anonymous: bool) -> Venues {
    let keyword_list = study.keywords.iter().map(|keyword| latex::words(keyword)).collect();
    if anonymous {
        return Venues { anonymous, keyword_list, ..Venues::default() };
    }
    let text = |text: &Option<String>| latex::words(text.as_deref().unwrap_or_default());
    let mut places: Vec<Place> = Vec::new();
    let people = study.authors.iter().map(|author| {
        let found = Place {
            number: 0,
            name: text(&author.affiliation),
            city: text(&author.city),
            country: text(&author.country),
        };
        let known = places.iter().position(|place| Place { number: 0, ..place.clone() } == found);
        let place = match known {
            _ if author.affiliation.is_none() => 0,
            Some(position) => position + 1,
            None => {
                places.push(Place { number: places.len() + 1, ..found.clone() });
                places.len()
            }
        };
        Author {
            name: latex::words(&author.name),
            affiliation: found.name,
            city: found.city,
            country: found.country,
            // Of the characters that the study allows, one has a meaning; a place to break would be printed.
            email: author.email.clone().unwrap_or_default().replace('_', "\\_"),
            // Digits, which the study has checked.
            orcid: author.orcid.clone().unwrap_or_default(),
            place,
        }
    });
    let people = people.collect();
    Venues { anonymous, people, places, keyword_list }
}
