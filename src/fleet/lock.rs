//! `fleet.lock.yaml`: what every execution of a fleet must be of. Written when the fleet is planned; each shard is held to it before its
//! first run, and each bundle when all are put together.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::{Expected, Fleet};
use crate::{
    digest::sha256_hex,
    machine::{CheckpointFacts, Environment, Fact},
    study::{Plan, Problem, Study, published_text, written_out},
};

/// The schema of `fleet.lock.yaml`.
pub const FLEET_SCHEMA: &str = "offprint.fleet/1";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// [`FLEET_SCHEMA`].
    pub schema: String,
    /// What planned it.
    pub build: Build,
    /// The label that others are compared with.
    pub reference: String,
    /// By label.
    pub machines: BTreeMap<String, LockedMachine>,
    /// By the study's name.
    pub studies: BTreeMap<String, LockedStudy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    pub version: String,
    /// Absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedMachine {
    pub sessions: u32,
    /// What it must say of itself; absent: nothing is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedStudy {
    /// Of the copy that a run folder keeps.
    pub study_sha256: String,
    /// As in a bundle's statement.
    pub plan_sha256: String,
    /// By model id, behind it `, quantization RECIPE` where that varies; empty where they were not at hand.
    #[serde(default)]
    pub weights: BTreeMap<String, String>,
}

impl Lock {
    pub fn of(fleet: &Fleet, studies: BTreeMap<String, LockedStudy>, environment: &Environment) -> Lock {
        let locked = |expect: &Expected| LockedMachine {
            sessions: fleet.sessions,
            chip: expect.chip.clone(),
            gpu: expect.gpu.clone(),
        };
        let machines = fleet.machines.iter().map(|machine| (machine.label.clone(), locked(&machine.expect)));
        Lock {
            schema: FLEET_SCHEMA.to_owned(),
            build: Build::of(environment),
            reference: fleet.reference.clone(),
            machines: machines.collect(),
            studies,
        }
    }

    /// Reads a lock, strictly.
    ///
    /// # Errors
    /// No such file, another schema, fields that do not fit.
    pub fn read(path: &Path) -> Result<Lock> {
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let file = path.display();
        let hint = "hint: offprint fleet plan writes it";
        let text = fs::read_to_string(path).with_context(|| format!("{file}\n{hint}"))?;
        let misfit = |error| anyhow!("{file}: expected the fields of {FLEET_SCHEMA}: {error}\n{hint}");
        let Schema { schema } = serde_yaml::from_str(&text).map_err(misfit)?;
        ensure!(
            schema == FLEET_SCHEMA,
            "{file}: schema: expected {FLEET_SCHEMA}, found {schema}\nhint: use the version of offprint that wrote it"
        );
        let lock: Lock = serde_yaml::from_str(&text).map_err(misfit)?;
        ensure!(
            lock.machines.contains_key(&lock.reference),
            "{file}: reference: expected a machine of the lock, found `{}`\n{hint}",
            lock.reference
        );
        Ok(lock)
    }

    /// As it is written.
    ///
    /// # Errors
    /// None that a lock can cause.
    pub fn to_yaml(&self) -> Result<String> {
        Ok(format!(
            "# Made by `offprint fleet plan`: what each execution of this fleet must be of. Shards are held to it.\n{}",
            serde_yaml::to_string(self)?
        ))
    }
}

impl LockedStudy {
    /// # Errors
    /// As [`study_sha256`].
    pub fn of(study: &Study, text: &str, checkpoints: &[CheckpointFacts]) -> Result<LockedStudy, Problem> {
        let plan = serde_json::to_vec(&Plan::of(study)).unwrap_or_default();
        Ok(LockedStudy {
            study_sha256: study_sha256(study, text)?,
            plan_sha256: sha256_hex(&plan),
            weights: weights(checkpoints),
        })
    }

    /// How another study is not this one, in words; weights are not looked at.
    pub fn differs(&self, other: &LockedStudy) -> Option<String> {
        let plans = ("plan_sha256", &self.plan_sha256, &other.plan_sha256);
        let studies = ("study_sha256", &self.study_sha256, &other.study_sha256);
        let (name, expected, found) = [plans, studies].into_iter().find(|(_, expected, found)| expected != found)?;
        Some(format!("{name}: expected {expected}, found {found}"))
    }

    /// Weights that are not those of the lock, in words, each.
    pub fn other_weights(&self, checkpoints: &[CheckpointFacts]) -> Vec<String> {
        let found = weights(checkpoints);
        let word = |digest: Option<&String>| digest.map_or("none", String::as_str).to_owned();
        let other = self.weights.iter().filter(|(model, digest)| found.get(*model) != Some(digest));
        other
            .map(|(model, digest)| format!("{model}: expected weights {digest}, found {}", word(found.get(model))))
            .collect()
    }
}

/// SHA-256 of the study's text as a run folder keeps it.
///
/// # Errors
/// A local source whose place in the text is not found.
pub fn study_sha256(study: &Study, text: &str) -> Result<String, Problem> {
    Ok(sha256_hex(published_text(&written_out(text, study)?, study)?.as_bytes()))
}

/// A digest of each model's files: SHA-256 of lines `NAME SHA-256`, by the model's id, behind it `, quantization RECIPE` where that varies.
pub fn weights(checkpoints: &[CheckpointFacts]) -> BTreeMap<String, String> {
    let digest = |facts: &CheckpointFacts| {
        let files: String = facts.files.iter().map(|(name, sha256)| format!("{name} {sha256}\n")).collect();
        sha256_hex(files.as_bytes())
    };
    let name = |facts: &CheckpointFacts| match &facts.recipe {
        Some(recipe) => format!("{}, quantization {recipe}", facts.model),
        None => facts.model.clone(),
    };
    checkpoints.iter().map(|facts| (name(facts), digest(facts))).collect()
}

impl LockedMachine {
    /// Where a machine is not the one that is expected, in words, each.
    pub fn misfits(&self, chip: &Fact<String>, gpu: &Fact<String>) -> Vec<String> {
        let misfit = |name: &str, expected: &Option<String>, found: &Fact<String>| {
            let expected = expected.as_ref().filter(|expected| found.value.as_ref() != Some(expected))?;
            let found = found.value.as_deref().or(found.reason.as_deref()).unwrap_or("nothing");
            Some(format!("{name}: expected {expected}, found {found}"))
        };
        [misfit("chip", &self.chip, chip), misfit("gpu", &self.gpu, gpu)].into_iter().flatten().collect()
    }
}

impl Build {
    pub fn of(environment: &Environment) -> Build {
        Build { version: environment.offprint_version.clone(), commit: environment.git_commit.value.clone() }
    }

    /// Another build than this, in words; of commits that nobody knows nothing is said.
    pub fn differs(&self, other: &Build) -> Option<String> {
        let known = self.commit.as_ref().zip(other.commit.as_ref());
        let same = self.version == other.version && known.is_none_or(|(one, other)| one == other);
        (!same).then(|| format!("expected {}, found {}", self.words(), other.words()))
    }

    fn words(&self) -> String {
        match &self.commit {
            Some(commit) => format!("{} ({})", self.version, commit.get(..12).unwrap_or(commit)),
            None => self.version.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet::file::tests, machine};

    const STUDY: &str = "models: [{id: a, name: A, source: fake}]\nprompts: [p]\nbenchmark_settings: {max_tokens: [1], temperatures: [0], num_runs: 1}\n";

    fn study(text: &str) -> LockedStudy {
        LockedStudy::of(&Study::from_str("s", text).unwrap(), text, &[CheckpointFacts::tiny()]).unwrap()
    }

    #[test]
    fn a_lock_reads_as_it_was_written_and_no_other_does() {
        let fleet = tests::read(tests::TEXT).unwrap();
        let lock = Lock::of(&fleet, [("a".to_owned(), study(STUDY))].into(), &machine::capture(Vec::new()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleet.lock.yaml");
        let text = lock.to_yaml().unwrap();
        fs::write(&file, &text).unwrap();
        assert_eq!(Lock::read(&file).unwrap(), lock);
        assert_eq!(lock.machines["mac-m1"].chip.as_deref(), Some("Apple M1"));
        for (from, to, said) in [
            ("fleet/1", "fleet/9", "schema: expected offprint.fleet/1, found offprint.fleet/9"),
            ("reference: mac-m1", "reference: other", "reference: expected a machine of the lock, found `other`"),
            ("reference:", "referense:", "expected the fields of offprint.fleet/1"),
        ] {
            fs::write(&file, text.replace(from, to)).unwrap();
            let error = Lock::read(&file).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(Lock::read(Path::new("no/such")).unwrap_err().to_string().contains("offprint fleet plan"));
    }

    #[test]
    fn every_field_is_in_the_format_document() {
        let document = include_str!("../../docs/FORMAT.md").split("## `fleet.lock.yaml`").nth(1).unwrap();
        let fleet = tests::read(tests::TEXT).unwrap();
        let mut lock = Lock::of(&fleet, [("a".to_owned(), study(STUDY))].into(), &machine::capture(Vec::new()));
        (lock.build.commit, lock.machines.get_mut("mac-m1").unwrap().gpu) =
            (Some("c".to_owned()), Some("g".to_owned()));
        let lock = serde_json::to_value(&lock).unwrap();
        let objects = [&lock, &lock["build"], &lock["machines"]["mac-m1"], &lock["studies"]["a"]];
        for key in objects.iter().flat_map(|object| object.as_object().unwrap().keys()) {
            assert!(document.contains(&format!("`{key}`")), "docs/FORMAT.md lacks {key}");
        }
    }

    #[test]
    fn another_plan_study_or_weight_is_told() {
        let locked = study(STUDY);
        assert_eq!(locked.differs(&study(STUDY)), None);
        let other = study(&STUDY.replace("num_runs: 1", "num_runs: 2"));
        assert!(locked.differs(&other).unwrap().starts_with("plan_sha256: expected "));
        let titled = study(&format!("{STUDY}study: {{title: Other}}\n"));
        assert!(locked.differs(&titled).unwrap().starts_with("study_sha256: expected "));
        assert!(locked.other_weights(&[CheckpointFacts::tiny()]).is_empty());
        let mut changed = CheckpointFacts::tiny();
        changed.files.insert("config.json".to_owned(), "11".repeat(32));
        assert!(locked.other_weights(&[changed])[0].starts_with("tiny: expected weights "));
        assert!(locked.other_weights(&[])[0].ends_with("found none"));
    }

    #[test]
    fn another_machine_and_another_build_are_told() {
        let expected = LockedMachine { sessions: 1, chip: Some("Apple M1".to_owned()), gpu: None };
        let misfits = |chip: Fact<String>| expected.misfits(&chip, &Fact::unknown("none"));
        assert!(misfits(Fact::known("Apple M1".to_owned())).is_empty());
        assert_eq!(misfits(Fact::known("Apple M1 Pro".to_owned())), ["chip: expected Apple M1, found Apple M1 Pro"]);
        assert_eq!(misfits(Fact::unknown("nobody knows")), ["chip: expected Apple M1, found nobody knows"]);
        let build = |version: &str, commit: Option<&str>| Build {
            version: version.to_owned(),
            commit: commit.map(str::to_owned),
        };
        assert_eq!(build("1", Some("a")).differs(&build("1", None)), None);
        assert_eq!(
            build("1", Some("a")).differs(&build("1", Some("b"))).as_deref(),
            Some("expected 1 (a), found 1 (b)")
        );
        assert_eq!(build("1", None).differs(&build("2", None)).as_deref(), Some("expected 1, found 2"));
    }
}
