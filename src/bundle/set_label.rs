//! `data/set.json`: what a set says it is, and which bundles are in it.

use anyhow::{Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    bundle::{
        label::{Label, check_version},
        names,
    },
    digest::sha256_hex,
};

/// The schema of `data/set.json`.
pub const SET_SCHEMA: &str = "offprint.set/1";
/// Where it stands.
pub const SET: &str = "data/set.json";

/// `data/set.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLabel {
    /// [`SET_SCHEMA`].
    pub schema: String,
    /// The study that every member has executed.
    pub study: String,
    /// Semantic: `1.0.0`.
    pub version: String,
    /// SPDX identifiers, joined by ` OR `.
    pub licence: String,
    /// The program that made the set, its paper included.
    pub offprint_version: String,
    /// The machine that the others are set against.
    pub reference: String,
    pub members: Vec<Entry>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The machine's label.
    pub machine: String,
    /// From 1, in the order of time.
    pub session: u32,
    /// Of the bundle.
    pub sha256: String,
}

impl Entry {
    /// `data/members/m4-1.zip`
    pub fn path(&self) -> String {
        format!("data/members/{}-{}.zip", self.machine, self.session)
    }
}

/// Accepts what can be a part of claim ids, file names and commands on every system.
///
/// # Errors
/// Everything else.
pub fn check_machine(label: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let good = (1..=32).contains(&label.len())
        && label.chars().all(plain)
        && label.starts_with(|c: char| c.is_ascii_alphanumeric());
    ensure!(
        good,
        "a machine's label: expected up to 32 letters, digits, `-` and `_`, found `{label}`\nhint: name it as mac-m4"
    );
    Ok(())
}

impl SetLabel {
    /// As other labels are written: the set's name, `smollm2-1.0.0`, comes of it.
    pub fn as_label(&self) -> Label {
        Label {
            schema: SET_SCHEMA.to_owned(),
            study: self.study.clone(),
            version: self.version.clone(),
            run_id: format!("set of {}", self.members.len()),
            licence: self.licence.clone(),
            offprint_version: self.offprint_version.clone(),
        }
    }

    /// SHA-256 of what a paper rests on: study, reference and members, whatever the version and who put them together. Of the text
    /// `offprint.set/1`, study, reference, then `LABEL/SESSION SHA256`, a line each.
    pub fn sha256(&self) -> String {
        let members =
            self.members.iter().map(|entry| format!("{}/{} {}\n", entry.machine, entry.session, entry.sha256));
        let text = format!("{SET_SCHEMA}\n{}\n{}\n{}", self.study, self.reference, members.collect::<String>());
        sha256_hex(text.as_bytes())
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// None that a value here can cause.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads `data/set.json`, strictly. `file` is its name in errors.
    ///
    /// # Errors
    /// Another schema, another form, a name that cannot be one, members out of order.
    pub fn from_json(file: &str, text: &str) -> Result<SetLabel> {
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let misfit =
            |error| anyhow!("{file}: expected the fields of {SET_SCHEMA}, found JSON that does not fit: {error}");
        let Schema { schema } = serde_json::from_str(text).map_err(misfit)?;
        ensure!(
            schema == SET_SCHEMA,
            "{file}: schema: expected {SET_SCHEMA}, found {schema}\nhint: read it with the version of offprint that made it"
        );
        let label: SetLabel = serde_json::from_str(text).map_err(misfit)?;
        let plain = !label.study.contains('/') && names::fault(label.study.as_bytes()).is_none();
        ensure!(plain, "{file}: study: expected a folder's name, found {:?}", label.study);
        check_version(&label.version).map_err(|error| error.context(format!("{file}: version")))?;
        for entry in &label.members {
            check_machine(&entry.machine).map_err(|error| error.context(file.to_owned()))?;
            let hex = entry.sha256.len() == 64
                && entry.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            ensure!(hex, "{file}: sha256: expected 64 hexadecimal digits, found {:?}", entry.sha256);
        }
        let keys: Vec<(&str, u32)> =
            label.members.iter().map(|entry| (entry.machine.as_str(), entry.session)).collect();
        let mut once = keys.clone();
        once.sort_unstable();
        once.dedup();
        ensure!(
            once.len() == keys.len() && !keys.is_empty(),
            "{file}: members: expected each session once, found {keys:?}"
        );
        ensure!(
            label.members.iter().any(|entry| entry.machine == label.reference),
            "{file}: reference: expected a machine of the set, found {:?}",
            label.reference
        );
        Ok(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_strictly() {
        let entry = |session| Entry { machine: "m4".into(), session, sha256: "0".repeat(64) };
        let label = SetLabel {
            schema: SET_SCHEMA.into(),
            study: "tiny".into(),
            version: "1.0.0".into(),
            licence: "MIT".into(),
            offprint_version: "0.8.0".into(),
            reference: "m4".into(),
            members: vec![entry(1), entry(2)],
        };
        let text = label.to_json().unwrap();
        assert_eq!(SetLabel::from_json("set.json", &text).unwrap(), label);
        for (from, to) in [
            ("set/1", "set/2"),
            ("\"tiny\"", "\"a/b\""),
            ("1.0.0", "1"),
            ("\"machine\": \"m4\"", "\"machine\": \"../m4\""),
            ("\"session\": 2", "\"session\": 1"),
            ("\"reference\": \"m4\"", "\"reference\": \"m1\""),
            ("\"licence\"", "\"license\""),
            (&"0".repeat(64), "00"),
        ] {
            assert!(SetLabel::from_json("set.json", &text.replace(from, to)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn machines_have_plain_names() {
        assert!(["m4", "mac-m4", "H100_80GB", "0"].iter().all(|label| check_machine(label).is_ok()));
        let long = "a".repeat(33);
        assert!(["", "-m4", "m.4", "m 4", "m/4", "ü", &long].iter().all(|label| check_machine(label).is_err()));
    }
}
