//! What another document has published about the same design: YAML in, `Published` out. Values are kept as they are printed there,
//! since how many digits a number has says how well it is known. Knows nothing of our own numbers.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The schema that this build reads.
pub const PUBLISHED_SCHEMA: &str = "offprint.published/1";

/// A document's values and what is known of how they came about.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// [`PUBLISHED_SCHEMA`].
    pub schema: String,
    /// What prose calls the document: `the v1 manuscript`.
    pub name: String,
    pub title: String,
    pub date: String,
    pub url: String,
    /// The model's name, as a study would give it.
    pub model: String,
    /// The machine, for people.
    pub machine: String,
    /// Part of the name that this machine's processor has for itself.
    pub chip: String,
    /// Runs behind its overall values.
    pub runs: u32,
    /// In the order in which the paper lists them.
    pub values: Vec<PublishedValue>,
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// One published number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedValue {
    /// The id of our claim about the same quantity.
    pub id: String,
    pub label: String,
    pub unit: String,
    /// Digits as they stand in the document.
    pub printed: String,
    /// The document says "less than" this.
    #[serde(default)]
    pub below: bool,
    /// What the document's own data give.
    pub repository: Option<String>,
    /// Where in the document.
    pub at: String,
    #[serde(default)]
    pub causes: Vec<Cause>,
}

/// Why a value would differ from ours on the same machine, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// It measures something else under the same name.
    Definition,
    /// It does not follow from the document's own data or text.
    Defect,
}

/// Something that was found in the document, in words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub source: FoundIn,
    pub what: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FoundIn {
    /// The document itself.
    Text,
    /// The code and data that it names.
    Repository,
}

impl Published {
    /// Reads a file's text; `file` is its name in errors.
    ///
    /// # Errors
    /// Another schema, an unknown or missing key, a value that is no decimal number, the same id twice.
    pub fn from_str(file: &str, text: &str) -> Result<Self> {
        let hint = "hint: docs/FORMAT.md lists every key of a file of published values";
        let published: Published = serde_yaml::from_str(text).with_context(|| format!("{file}\n{hint}"))?;
        ensure!(
            published.schema == PUBLISHED_SCHEMA,
            "{file}: schema: expected `{PUBLISHED_SCHEMA}`, found `{}`\n{hint}",
            published.schema
        );
        let mut seen = std::collections::BTreeSet::new();
        for (i, value) in published.values.iter().enumerate() {
            let key = format!("{file}: values[{i}]");
            let fits =
                !value.id.is_empty() && value.id.split('.').all(|part| !part.is_empty()) && !value.id.contains(' ');
            ensure!(fits, "{key}.id: expected a claim's id, found {:?}\n{hint}", value.id);
            ensure!(seen.insert(&value.id), "{key}.id: expected an id of its own, found `{}` twice\n{hint}", value.id);
            for (name, text) in [("printed", Some(&value.printed)), ("repository", value.repository.as_ref())] {
                let Some(text) = text else { continue };
                ensure!(
                    Printed::of(text).is_some(),
                    "{key}.{name}: expected a decimal number in quotes, found {text:?}\n{hint}"
                );
            }
        }
        Ok(published)
    }
}

/// A number as printed: what was rounded to it lies within half a unit of its last digit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Printed {
    pub value: f64,
    /// Half a unit of the last digit.
    pub half: f64,
    /// Digits after the point.
    pub decimals: i32,
}

impl Printed {
    /// `None` for anything but digits with at most one point among them.
    pub fn of(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || (text.contains('.') && fraction.is_empty()) {
            return None;
        }
        let decimals = fraction.len() as i32;
        let half = format!("5e-{}", decimals + 1).parse().ok()?;
        Some(Printed { value: text.parse().ok()?, half, decimals })
    }

    /// Smallest and largest value that rounds to it.
    pub fn range(&self) -> (f64, f64) {
        (self.value - self.half, self.value + self.half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = include_str!("../../config/published/v1.yaml");

    #[test]
    fn digits_say_how_well_a_value_is_known() {
        assert_eq!(Printed::of("2.68").map(|p| (p.value, p.half, p.decimals)), Some((2.68, 0.005, 2)));
        assert_eq!(Printed::of("54").map(|p| p.range()), Some((53.5, 54.5)));
        for other in ["", ".5", "5.", "1e3", "-1", "2,7", "1.2.3", "~2"] {
            assert_eq!(Printed::of(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(Published::from_str("v1.yaml", V1).unwrap().values.len() > 20);
        for (from, to, said) in [
            (
                "\"2.68\"",
                "\"about 3\"",
                "v1.yaml: values[0].printed: expected a decimal number in quotes, found \"about 3\"",
            ),
            (
                "id: latency.sd",
                "id: latency.mean",
                "v1.yaml: values[1].id: expected an id of its own, found `latency.mean` twice",
            ),
            (
                "id: latency.sd",
                "id: \"latency sd\"",
                "v1.yaml: values[1].id: expected a claim's id, found \"latency sd\"",
            ),
            (
                "offprint.published/1",
                "offprint.published/9",
                "expected `offprint.published/1`, found `offprint.published/9`",
            ),
            ("chip:", "chips:", "unknown field `chips`"),
        ] {
            let error = format!("{:#}", Published::from_str("v1.yaml", &V1.replacen(from, to, 1)).unwrap_err());
            assert!(error.contains(said) && error.contains("\nhint: "), "{error}");
        }
    }
}
