//! `templates/references.bib` -> numbered references, in the order of their first citation, as Markdown.

use anyhow::{Result, anyhow};
use hayagriva::{
    Entry, Library,
    io::{BibLaTeXError, from_biblatex_str},
    types::Person,
};

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
            let all: Vec<String> = errors.iter().map(|error| told(bibliography, error)).collect();
            anyhow!("{}\nhint: is a brace or a comma missing there, or before?", all.join("\n"))
        })?;
        Ok(References { library })
    }

    pub fn has(&self, key: &str) -> bool {
        self.library.get(key).is_some()
    }

    /// The list for the keys as cited, first citation first.
    ///
    /// # Errors
    /// A key that the bibliography lacks.
    pub fn list(&self, cited: &[String]) -> Result<String> {
        let mut text = String::new();
        for (index, key) in cited.iter().enumerate() {
            let Some(entry) = self.library.get(key) else {
                if let Some((known, rest)) = key.split_once([',', ' ']).filter(|(known, _)| self.has(known)) {
                    let hint =
                        format!("a citation has keys alone: write [@{known}], and {} in words beside it", rest.trim());
                    return Err(Lost::new(format!("`@{key}`: expected a key"), format!("@{key}"), hint).into());
                }
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

/// With the place in the file.
fn told(bibliography: &str, error: &BibLaTeXError) -> String {
    let (at, kind) = match error {
        BibLaTeXError::Parse(error) => (error.span.start, error.kind.to_string()),
        BibLaTeXError::Type(error) => (error.span.start, error.kind.to_string()),
    };
    let before = &bibliography[..bibliography.floor_char_boundary(at.min(bibliography.len()))];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("templates/references.bib:{line}:{column}: {kind}")
}

/// A title as text: commands of LaTeX for how words look, and the marks of formulas, are not printed.
fn plain(title: &str) -> String {
    const LOOKS: [&str; 6] = ["\\emph", "\\textit", "\\textbf", "\\textsc", "\\texttt", "\\mathrm"];
    let text = LOOKS.iter().fold(title.to_owned(), |text, look| text.replace(look, ""));
    text.replace(['$', '{', '}'], "")
}

/// In an address between `<` and `>`.
fn address(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || "<>\"\\^`{|}".contains(c) {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().for_each(|byte| out += &format!("%{byte:02X}"));
        } else {
            out.push(c);
        }
    }
    out
}

/// `A. Author, B. Author. Title. Venue, 2024, pp. 1-9. <link>`
fn formatted(entry: &Entry) -> Result<String> {
    let title = entry.title().ok_or_else(|| anyhow!("templates/references.bib: `{}` has no title", entry.key()))?;
    let mut parts = Vec::new();
    if let Some(people) = entry.authors() {
        parts.push(escape(&names(people)));
    }
    parts.push(format!("*{}*", escape(&plain(&title.to_string()))));
    let venue = entry.parents().first().and_then(|parent| parent.title()).map(ToString::to_string);
    let publisher = || entry.publisher().and_then(|publisher| publisher.name()).map(ToString::to_string);
    let year = entry.date_any().map(|date| date.year.to_string());
    let institution = || entry.organization().map(ToString::to_string);
    let pages = entry.page_range().map(|pages| pages.to_string());
    let pages = pages.map(|pages| format!("{} {pages}", if pages.contains(['-', ',', '–']) { "pp." } else { "p." }));
    let venue = venue.map(|venue| plain(&venue));
    let place: Vec<String> =
        venue.or_else(publisher).or_else(institution).into_iter().chain(year).chain(pages).collect();
    if !place.is_empty() {
        parts.push(escape(&place.join(", ")));
    }
    let link = match (entry.doi(), entry.url_any()) {
        (Some(doi), _) => format!(" <https://doi.org/{}>", address(doi)),
        (None, Some(url)) => format!(" <{}>", address(url.value.as_str())),
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
    // As BibTeX says that there are more.
    let (people, more) = match people {
        [first @ .., last] if last.name == "others" && last.given_name.is_none() => (first, true),
        all => (all, false),
    };
    let shown: Vec<String> = people.iter().take(4).map(name).collect();
    let rest = if more || people.len() > 4 { " et al" } else { "" };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(entry: &str) -> String {
        References::new(entry).unwrap().list(&["k".to_owned()]).unwrap()
    }

    #[test]
    fn an_entry_has_what_it_was_given() {
        let entry = "@article{k, author = {Reddi, Vijay Janapa and Cheng, C. and others}, title = {On \\emph{it} in $O(n^2)$},\n\
            journal = {J}, year = {2020}, pages = {3--9}, doi = {10.1000/x<b>y}}";
        let found = listed(entry);
        assert!(found.contains("V. J. Reddi, C. Cheng et al. *On it in O(n\\^2)*. J, 2020, pp. 3-9"), "{found}");
        assert!(found.contains("<https://doi.org/10.1000/x%3Cb%3Ey>"), "{found}");
        let thesis = "@phdthesis{k, author = {Lee, Ana}, title = {T}, school = {Uni Y}, year = {2021}}";
        assert!(listed(thesis).contains("A. Lee. *T*. Uni Y, 2021."), "{}", listed(thesis));
    }

    #[test]
    fn a_slip_in_the_file_has_its_line() {
        let error = References::new("@misc{a, title = {A}}\n\n@misc{b, title = {B}\n").err().unwrap().to_string();
        assert!(error.starts_with("templates/references.bib:"), "{error}");
        assert!(!error.starts_with("templates/references.bib:1:"), "{error}");
    }

    #[test]
    fn a_page_in_a_citation_is_told_apart_from_a_key() {
        let references = References::new("@misc{k, title = {A}}").unwrap();
        let error = references.list(&["k, p. 3".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("expected a key") && error.contains("[@k], and p. 3 in words"), "{error}");
    }
}
