//! `templates/references.bib` -> numbered references, in the order of their first citation, as Markdown.

use anyhow::{Result, anyhow};
use hayagriva::{Entry, Library, io::from_biblatex_str, types::Person};

use super::{lost::Lost, prose::escape};

/// The parsed bibliography.
pub struct References {
    library: Library,
}

impl References {
    /// Reads a bibliography, in BibLaTeX.
    ///
    /// # Errors
    /// A malformed entry.
    pub fn new(bibliography: &str) -> Result<Self> {
        let library = from_biblatex_str(bibliography).map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let hint = "hint: the numbers are characters of the file; is a brace or a comma missing there?";
            anyhow!("templates/references.bib: {}\n{hint}", all.join("; "))
        })?;
        Ok(References { library })
    }

    /// The list for the keys as cited, first citation first.
    ///
    /// # Errors
    /// A key that the bibliography lacks.
    pub fn list(&self, cited: &[String]) -> Result<String> {
        let mut text = String::new();
        for (index, key) in cited.iter().enumerate() {
            let Some(entry) = self.library.get(key) else {
                let known: Vec<&str> = self.library.keys().collect();
                let near = known.iter().min_by_key(|known| strsim::levenshtein(known, key));
                let hint = near.map_or_else(
                    || "add one; there is none so far".to_owned(),
                    |near| format!("add one; the most similar is `{near}`"),
                );
                return Err(Lost::new(
                    format!("`@{key}`: templates/references.bib has no such entry"),
                    format!("@{key}"),
                    hint,
                )
                .into());
            };
            text += &format!("{}. <a id=\"ref-{key}\"></a>{}\n", index + 1, formatted(entry)?);
        }
        Ok(text)
    }
}

/// `A. Author, B. Author. Title. Venue, 2024. <link>`
fn formatted(entry: &Entry) -> Result<String> {
    let title = entry.title().ok_or_else(|| anyhow!("templates/references.bib: `{}` has no title", entry.key()))?;
    let mut parts = Vec::new();
    if let Some(people) = entry.authors() {
        parts.push(escape(&names(people)));
    }
    parts.push(format!("*{}*", escape(&title.to_string())));
    let venue = entry.parents().first().and_then(|parent| parent.title()).map(ToString::to_string);
    let publisher = || entry.publisher().and_then(|publisher| publisher.name()).map(ToString::to_string);
    let year = entry.date_any().map(|date| date.year.to_string());
    let place: Vec<String> = venue.or_else(publisher).into_iter().chain(year).collect();
    if !place.is_empty() {
        parts.push(escape(&place.join(", ")));
    }
    let link = match (entry.doi(), entry.url_any()) {
        (Some(doi), _) => format!(" <https://doi.org/{doi}>"),
        (None, Some(url)) => format!(" <{}>", url.value),
        (None, None) => String::new(),
    };
    Ok(format!("{}.{link}", parts.join(". ")))
}

/// At most four names, then `et al.`
fn names(people: &[Person]) -> String {
    let name = |person: &Person| {
        let initials: Vec<String> = person
            .given_name
            .iter()
            .flat_map(|given| given.split_whitespace())
            .filter_map(|part| part.chars().next().map(|initial| format!("{initial}.")))
            .collect();
        let prefix = person.prefix.clone();
        initials.into_iter().chain(prefix).chain([person.name.clone()]).collect::<Vec<_>>().join(" ")
    };
    let shown: Vec<String> = people.iter().take(4).map(name).collect();
    let rest = if people.len() > 4 { " et al" } else { "" };
    format!("{}{rest}", shown.join(", "))
}
