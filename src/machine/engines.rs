//! What identifies an engine that is not compiled in: the program's and its scripts' bytes, and what it says of itself.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Fact;
use crate::digest::sha256_file;

/// An engine of others, as `environment.json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineFacts {
    /// As the study names it.
    pub name: String,
    pub kind: EngineSort,
    /// Program and arguments as the study writes them, each path cut to its last part; empty where somebody else has started it.
    pub argv: Vec<String>,
    /// The program's own bytes.
    pub program: Fact<ProgramFacts>,
    /// SHA-256 of every argument that is a file, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// What it says of itself: its version, its libraries, what a server tells of its model. By its names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub says: BTreeMap<String, String>,
    /// What it can do: as a worker says, or as was found out before the first run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub can: BTreeMap<String, String>,
    /// A server's: what the study said of it, defaults and preset filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<serde_json::Value>,
    /// Set in its environment by the study.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The preset is from documents: nobody here could try it on such a server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untried: bool,
}

impl EngineFacts {
    /// In words, for a sentence: what it says of itself, without digests.
    pub fn told(&self) -> String {
        let is_digest = |value: &str| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        let said =
            self.says.iter().filter(|(_, value)| !is_digest(value)).map(|(name, value)| format!("{name} {value}"));
        let said: Vec<String> = said.collect();
        if said.is_empty() { "what it does not say".to_owned() } else { said.join(", ") }
    }

    /// In words: what it says of itself, and the digests of what is run.
    pub fn identity(&self) -> String {
        let said = self.says.iter().map(|(name, value)| format!("{name} {value}"));
        let program =
            self.program.value.iter().map(|program| format!("{} of SHA-256 {}", program.name, program.sha256));
        let files = self.files.iter().map(|(name, sha256)| format!("{name} of SHA-256 {sha256}"));
        let parts: Vec<String> = said.chain(program).chain(files).collect();
        if parts.is_empty() { "nothing but its name".to_owned() } else { parts.join(", ") }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineSort {
    Command,
    Http,
}

/// An executable file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramFacts {
    pub name: String,
    pub sha256: String,
    pub bytes: u64,
}

/// The file that a command's first word means; `None` where there is no such program.
pub fn program(name: &str) -> Option<PathBuf> {
    let here = Path::new(name);
    if here.components().count() > 1 {
        return here.is_file().then(|| here.to_owned());
    }
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The bytes of a command's program and of each argument that is a file; `argv` with its placeholders filled in.
pub fn identify(argv: &[String]) -> (Fact<ProgramFacts>, BTreeMap<String, String>) {
    let facts = |name: &String| -> Option<ProgramFacts> {
        let file = program(name)?.canonicalize().ok()?;
        let bytes = file.metadata().ok()?.len();
        Some(ProgramFacts { name: last_part(name), sha256: sha256_file(&file).ok()?, bytes })
    };
    let program = match argv.first() {
        None => Fact::unknown("somebody else has started it"),
        Some(name) => facts(name).map_or_else(|| Fact::unknown("the program could not be read"), Fact::known),
    };
    let files = argv.iter().skip(1).filter(|argument| Path::new(argument).is_file());
    (program, files.filter_map(|file| Some((last_part(file), sha256_file(Path::new(file)).ok()?))).collect())
}

/// Arguments as they may be published: of a path its last part.
pub fn published_argv(argv: &[String]) -> Vec<String> {
    let shown = |argument: &String| match argument.split_once('=') {
        Some((flag, value)) if flag.starts_with('-') => format!("{flag}={}", last_part(value)),
        _ => last_part(argument),
    };
    argv.iter().map(shown).collect()
}

fn last_part(text: &str) -> String {
    let is_path = text.contains(['/', '\\']) && !text.contains("://");
    if !is_path {
        return text.to_owned();
    }
    text.split(['/', '\\']).rfind(|part| !part.is_empty()).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_published_without_folders() {
        let argv =
            ["/opt/ana/bin/python3", "adapters/x.py", "--model=/home/ana/m", "-m", "{gguf}", "http://127.0.0.1:1/"];
        let shown = published_argv(&argv.map(str::to_owned));
        assert_eq!(shown, ["python3", "x.py", "--model=m", "-m", "{gguf}", "http://127.0.0.1:1/"]);
    }

    #[test]
    fn a_program_is_found_as_a_shell_would_and_its_scripts_are_hashed() {
        assert!(program("sh").is_some() && program("no-such-program-here").is_none() && program("./src").is_none());
        let (program, files) = identify(&["sh".to_owned(), "Cargo.toml".to_owned(), "-x".to_owned()]);
        assert_eq!(program.value.unwrap().name, "sh");
        assert_eq!(files["Cargo.toml"], sha256_file(Path::new("Cargo.toml")).unwrap());
        assert!(identify(&[]).0.value.is_none());
    }
}
