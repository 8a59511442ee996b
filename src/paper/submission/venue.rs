//! Venues: their skins, what they ask of a study, what lies in their archive beside the paper.

use crate::study::{Author, Study};

/// Whom the paper goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Venue {
    Arxiv,
    /// ACM's proceedings, `acmart`.
    Acm,
    /// IEEE's conferences, `IEEEtran`.
    Ieee,
    /// Springer's Lecture Notes in Computer Science, `llncs`.
    Llncs,
    /// Elsevier's journals, `elsarticle`.
    Elsevier,
    /// A skin of the project's.
    Own,
}

/// A file of an author's data that may be missing.
type Of = fn(&Author) -> &Option<String>;

impl Venue {
    pub const ALL: [Venue; 6] = [Venue::Arxiv, Venue::Acm, Venue::Ieee, Venue::Llncs, Venue::Elsevier, Venue::Own];

    pub fn name(self) -> &'static str {
        match self {
            Venue::Arxiv => "arxiv",
            Venue::Acm => "acm",
            Venue::Ieee => "ieee",
            Venue::Llncs => "llncs",
            Venue::Elsevier => "elsevier",
            Venue::Own => "own",
        }
    }

    /// Its skin's path under `templates/skins/`.
    pub fn skin(self) -> &'static str {
        match self {
            Venue::Arxiv => "venues/arxiv.tex",
            Venue::Acm => "venues/acm.tex",
            Venue::Ieee => "venues/ieee.tex",
            Venue::Llncs => "venues/llncs.tex",
            Venue::Elsevier => "venues/elsevier.tex",
            Venue::Own => "venue.tex",
        }
    }

    /// This program's skin of it.
    pub(super) fn own_skin(self) -> Option<&'static str> {
        Some(match self {
            Venue::Arxiv => include_str!("../../../templates/skins/venues/arxiv.tex"),
            Venue::Acm => include_str!("../../../templates/skins/venues/acm.tex"),
            Venue::Ieee => include_str!("../../../templates/skins/venues/ieee.tex"),
            Venue::Llncs => include_str!("../../../templates/skins/venues/llncs.tex"),
            Venue::Elsevier => include_str!("../../../templates/skins/venues/elsevier.tex"),
            Venue::Own => return None,
        })
    }

    /// What its archives are called: publishers' systems take zip files, arXiv a tar.
    pub fn extension(self) -> &'static str {
        match self {
            Venue::Arxiv | Venue::Own => "tar.gz",
            Venue::Acm | Venue::Ieee | Venue::Llncs | Venue::Elsevier => "zip",
        }
    }

    /// The references stand in the paper. Publishers ask for their source, too; arXiv would run BibTeX on it.
    pub(super) fn wants_bibliography(self) -> bool {
        self != Venue::Arxiv
    }

    /// A file that says how to compile the rest.
    pub(super) fn readme(self) -> Option<(&'static str, &'static str)> {
        const OF_ARXIV: &str = "{\n  \"process\": {\n    \"compiler\": \"pdflatex\"\n  },\n  \"sources\": [\n    {\n      \
                                \"filename\": \"paper.tex\",\n      \"usage\": \"toplevel\"\n    }\n  ]\n}\n";
        (self == Venue::Arxiv).then_some(("00README.json", OF_ARXIV))
    }

    /// What it asks for and the study does not say.
    pub(super) fn lacks(self, study: &Study, anonymous: bool) -> Vec<String> {
        let mut lacks = Vec::new();
        if !anonymous {
            if study.authors.is_empty() {
                lacks.push("study.authors: the title page says \"The authors of the study\"".to_owned());
            }
            for (key, of) in self.asks() {
                let without: Vec<&str> = study
                    .authors
                    .iter()
                    .filter(|author| of(author).is_none())
                    .map(|author| author.name.as_str())
                    .collect();
                if !without.is_empty() {
                    lacks.push(format!("study.authors[].{key} of {}", without.join(", ")));
                }
            }
        }
        if self != Venue::Arxiv && study.keywords.is_empty() {
            lacks.push("study.keywords".to_owned());
        }
        if self == Venue::Acm {
            lacks.push(
                "CCS concepts (\\ccsdesc), rights and the conference's name: no study has them; paper.tex has a comment where they go"
                    .to_owned(),
            );
        }
        lacks
    }

    /// Of each author.
    fn asks(self) -> &'static [(&'static str, Of)] {
        const AFFILIATION: (&str, Of) = ("affiliation", |author| &author.affiliation);
        const CITY: (&str, Of) = ("city", |author| &author.city);
        const COUNTRY: (&str, Of) = ("country", |author| &author.country);
        const EMAIL: (&str, Of) = ("email", |author| &author.email);
        match self {
            Venue::Acm => &[AFFILIATION, CITY, COUNTRY, EMAIL],
            Venue::Ieee => &[AFFILIATION, CITY, COUNTRY, EMAIL],
            Venue::Llncs | Venue::Elsevier => &[AFFILIATION, EMAIL],
            Venue::Arxiv | Venue::Own => &[],
        }
    }
}
