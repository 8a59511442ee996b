//! A text of a data set on the Hugging Face hub, as `quality.text` names one:
//! `hf:owner/name@revision/path#sha256=HEX&column=NAME`.

use std::{fmt, str::FromStr};

use anyhow::{Result, ensure};

/// A parsed name. What follows `#` may be left out, and so may `@revision`, which is `main` then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubText {
    pub repository: String,
    /// A branch, a tag or a commit; no slash, since a path follows.
    pub revision: String,
    /// Of the file in the repository; `.parquet` at its end makes it a table.
    pub path: String,
    /// The text's, as it is predicted; what came of a table, not the table.
    pub sha256: Option<String>,
    /// Of a table: the column of text, where it is not [`HubText::COLUMN`].
    pub column: Option<String>,
}

impl HubText {
    /// How every such name begins.
    pub const PREFIX: &str = "hf:";
    /// The column of text in a table.
    pub const COLUMN: &str = "text";
    /// What is expected, for errors.
    pub const FORM: &str = "hf:owner/name@revision/path, with #sha256=64 hexadecimal digits and, of a .parquet file, &column=NAME as one likes";

    /// Is the file a table of which one column is the text?
    pub fn is_table(&self) -> bool {
        self.path.ends_with(".parquet")
    }

    /// The repository at its revision, as messages name it.
    pub fn place(&self) -> String {
        format!("hf:{}@{}", self.repository, self.revision)
    }

    /// The same text at a commit, without its hash: what records call it.
    pub fn resolved(&self, commit: &str) -> String {
        HubText { revision: commit.to_owned(), sha256: None, ..self.clone() }.to_string()
    }

    /// Is it the text that the name asks for?
    ///
    /// # Errors
    /// It has another SHA-256.
    pub fn expects(&self, sha256: &str) -> Result<()> {
        let wanted = self.sha256.as_deref().unwrap_or(sha256);
        let of = if self.is_table() { " (of the column's text, not of the file)" } else { "" };
        ensure!(
            wanted == sha256,
            "{self}: expected a text with SHA-256 {wanted}, found {sha256}{of}\n\
             hint: name the commit that had it; or, if this is the text that you mean, write its hash"
        );
        Ok(())
    }
}

impl FromStr for HubText {
    type Err = &'static str;

    /// The error says what part is not as it should be.
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let rest = text.strip_prefix(HubText::PREFIX).ok_or("it does not begin with hf:")?;
        let (place, said) = rest.split_once('#').unwrap_or((rest, ""));
        let [owner, name, path] = place.splitn(3, '/').collect::<Vec<_>>()[..] else {
            return Err("it has no path in the repository");
        };
        let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
        let letter = |c: char| c.is_ascii_alphanumeric() || "._-=+".contains(c);
        let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(letter);
        if ![owner, name, revision].into_iter().chain(path.split('/')).all(plain) {
            return Err(
                "a part of it is empty, begins with a dot, or has a letter that is none of A-Z a-z 0-9 . _ - = +",
            );
        }
        let mut found = HubText {
            repository: format!("{owner}/{name}"),
            revision: revision.to_owned(),
            path: path.to_owned(),
            sha256: None,
            column: None,
        };
        for (key, value) in
            said.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")))
        {
            match key {
                "sha256" if value.len() == 64 && value.chars().all(|c| c.is_ascii_hexdigit()) => {
                    found.sha256 = Some(value.to_lowercase());
                }
                "sha256" => return Err("sha256 is not 64 hexadecimal digits"),
                "column" if !found.is_table() => return Err("only a .parquet file has columns"),
                "column" if !value.is_empty() && !value.contains(char::is_control) => {
                    found.column = Some(value.to_owned())
                }
                "column" => return Err("column has no name"),
                _ => return Err("after # stand sha256=HEX and column=NAME, joined by &"),
            }
        }
        Ok(found)
    }
}

impl fmt::Display for HubText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hf:{}@{}/{}", self.repository, self.revision, self.path)?;
        let said = [("sha256", &self.sha256), ("column", &self.column)];
        for (place, (key, value)) in
            said.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?))).enumerate()
        {
            write!(f, "{}{key}={value}", if place == 0 { '#' } else { '&' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_written() {
        let hash = "0123456789abcdef".repeat(4);
        for text in [
            "hf:Salesforce/wikitext@main/wikitext-2-raw-v1/test-00000-of-00001.parquet".to_owned(),
            format!("hf:a/b@v1/c.raw#sha256={hash}"),
            format!("hf:a/b@{}/c=1/d.parquet#sha256={hash}&column=page text", "0".repeat(40)),
        ] {
            assert_eq!(text.parse::<HubText>().unwrap().to_string(), text);
        }
        let text: HubText = format!("hf:a/b/c.parquet#column=body&sha256={}", hash.to_uppercase()).parse().unwrap();
        assert_eq!(text.to_string(), format!("hf:a/b@main/c.parquet#sha256={hash}&column=body"));
        assert_eq!(text.resolved("f00"), "hf:a/b@f00/c.parquet#column=body");
    }

    #[test]
    fn other_texts_are_refused_for_what_is_wrong() {
        for (text, said) in [
            ("a/b/c.txt", "does not begin with hf:"),
            ("hf:wikitext/test.txt", "no path"),
            ("hf:a/b@main", "no path"),
            ("hf:a/b@main/", "is empty"),
            ("hf:a/b@/c.txt", "is empty"),
            ("hf:a/../c.txt", "begins with a dot"),
            ("hf:a/b/c/../../d.txt", "begins with a dot"),
            ("hf:a/b/c d.txt", "none of A-Z"),
            ("hf:a/b/c.txt#sha256=12", "64 hexadecimal"),
            ("hf:a/b/c.txt#column=text", "only a .parquet file"),
            ("hf:a/b/c.parquet#column=", "no name"),
            ("hf:a/b/c.parquet#rows=3", "joined by &"),
        ] {
            let error = text.parse::<HubText>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
