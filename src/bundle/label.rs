//! `data/bundle.json`: what a bundle says it is. All other files of a bundle are found through it.

use anyhow::{Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::names;

/// The schema of `data/bundle.json`.
pub const BUNDLE_SCHEMA: &str = "offprint.bundle/1";
/// Where the label stands in a bundle.
pub const LABEL: &str = "data/bundle.json";

/// `data/bundle.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// [`BUNDLE_SCHEMA`].
    pub schema: String,
    /// The study's name.
    pub study: String,
    /// Semantic: `1.0.0`.
    pub version: String,
    /// The run folder's name.
    pub run_id: String,
    /// SPDX identifiers, joined by ` OR `.
    pub licence: String,
    /// The program that made the bundle, its paper included.
    pub offprint_version: String,
}

impl Label {
    /// `smollm2-1.0.0`: the archive's name and that of the one folder in it.
    pub fn name(&self) -> String {
        format!("{}-{}", self.study, self.version)
    }

    /// The run folder's own name.
    pub fn run_name(&self) -> &str {
        self.run_id.rsplit('/').next().unwrap_or(&self.run_id)
    }

    /// A file of the run folder, under the bag's: `data/results/smollm2/20261123T183937Z/runs.jsonl`.
    pub fn run_file(&self, name: &str) -> String {
        format!("data/results/{}/{}/{name}", self.study, self.run_id)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// None that a value here can cause.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads `data/bundle.json`, strictly. `file` is its name in errors.
    ///
    /// # Errors
    /// Another schema, another form, a name that cannot be a folder's.
    pub fn from_json(file: &str, text: &str) -> Result<Label> {
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let misfit =
            |error| anyhow!("{file}: expected the fields of {BUNDLE_SCHEMA}, found JSON that does not fit: {error}");
        let Schema { schema } = serde_json::from_str(text).map_err(misfit)?;
        ensure!(
            schema == BUNDLE_SCHEMA,
            "{file}: schema: expected {BUNDLE_SCHEMA}, found {schema}\nhint: verify it with the version of offprint that made it"
        );
        let label: Label = serde_json::from_str(text).map_err(misfit)?;
        for (key, value) in [("study", &label.study), ("run_id", &label.run_id)] {
            let plain = !value.contains('/') && names::fault(value.as_bytes()).is_none();
            ensure!(plain, "{file}: {key}: expected a folder's name, found {value:?}");
        }
        check_version(&label.version).map_err(|error| error.context(format!("{file}: version")))?;
        Ok(label)
    }
}

/// Accepts `MAJOR.MINOR.PATCH`, with a pre-release part such as `-rc.1` if wanted (semver.org 2.0.0, rules 2 and 9).
///
/// # Errors
/// Everything else.
pub fn check_version(version: &str) -> Result<()> {
    let (core, pre) = version.split_once('-').map_or((version, None), |(core, pre)| (core, Some(pre)));
    let number = |part: &str| {
        (1..10).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| {
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && (number(part) || !part.bytes().all(|b| b.is_ascii_digit()))
    };
    let numbers: Vec<&str> = core.split('.').collect();
    let good = numbers.len() == 3
        && numbers.into_iter().all(number)
        && pre.is_none_or(|pre| pre.len() < 64 && pre.split('.').all(word));
    ensure!(
        good,
        "expected a semantic version, found `{version}`\nhint: three numbers: 1.0.0; another paper from the same records is 1.0.1"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        assert!(["0.0.1", "1.0.0", "10.20.30", "1.0.0-rc.1", "2.1.0-x-y.7"].iter().all(|v| check_version(v).is_ok()));
        let bad = [
            "",
            "1",
            "1.0",
            "01.0.0",
            "1.0.0.0",
            "v1.0.0",
            "1.0.0-",
            "1.0.0-01",
            "1.0.0+b",
            "1.0.x",
            "1.0.0-a..b",
            "1. 0.0",
        ];
        assert!(bad.iter().all(|v| check_version(v).is_err()));
    }

    #[test]
    fn a_label_cannot_point_outside() {
        let label = Label {
            schema: BUNDLE_SCHEMA.to_owned(),
            study: "tiny".to_owned(),
            version: "1.0.0".to_owned(),
            run_id: "r".to_owned(),
            licence: "MIT".to_owned(),
            offprint_version: "0.1.0".to_owned(),
        };
        let text = label.to_json().unwrap();
        assert_eq!(Label::from_json("x", &text).unwrap(), label);
        for altered in ["../x", "a/b", "", "/x"] {
            assert!(Label::from_json("x", &text.replace("\"r\"", &format!("{altered:?}"))).is_err(), "{altered}");
        }
        assert!(
            Label::from_json("x", &text.replace("bundle/1", "bundle/2")).unwrap_err().to_string().contains("hint:")
        );
    }
}
