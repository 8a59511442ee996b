//! What is wrong with a file of figures: where, what was expected, what was found, and the way out.

use anyhow::{Error, anyhow};

use crate::study::{Place, locate};

/// The text of a file, to find places in.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// As the user named it.
    pub file: String,
    pub text: String,
}

impl Source {
    /// `file:line:column: key: what`, and a hint. The place is that of the key's value, or the nearest thing around it.
    pub fn fault(&self, key: &str, what: impl AsRef<str>, hint: impl AsRef<str>) -> Error {
        self.fault_at(locate::value(&self.text, key), key, what, hint)
    }

    /// ... at a place that is known.
    pub fn fault_at(&self, place: Option<Place>, key: &str, what: impl AsRef<str>, hint: impl AsRef<str>) -> Error {
        let place = place.map_or(String::new(), |at| format!(":{}:{}", at.line, at.column));
        let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
        anyhow!("{}{place}: {key}{}\nhint: {}", self.file, what.as_ref(), hint.as_ref())
    }
}

/// The name that somebody may have meant, or all that there are.
pub fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    /// So many names are listed.
    const MOST: usize = 12;
    let known: Vec<&str> = known.into_iter().collect();
    let distance = |name: &&&str| strsim::damerau_levenshtein(found, name);
    match known.iter().min_by_key(distance).filter(|name| distance(name) <= name.len() / 3 + 1) {
        Some(name) => format!("did you mean `{name}`?"),
        None if known.len() > MOST => format!("known here: {}, … ({} in all)", known[..MOST].join(", "), known.len()),
        None => format!("known here: {}", known.join(", ")),
    }
}
