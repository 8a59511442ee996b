//! Engines that are not compiled in: a program that speaks the worker protocol, a server that speaks HTTP. Only what a study says of
//! them; defaults and presets are filled in.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    preset::Server,
    wire::{Api, Cache, Length, Seed, Signal, Tokens},
};
use crate::foreign::Secrets;

/// A program that speaks `offprint.worker/1` (docs/WORKER.md).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Command {
    pub name: String,
    /// Program and arguments, never through a shell. `{offprint}` is this program.
    pub command: Vec<String>,
    /// Set in its environment, and recorded.
    pub env: BTreeMap<String, String>,
    /// Names of variables that look secret and that it inherits all the same; their values are never recorded.
    pub pass: Vec<String>,
    /// Its place is the GGUF file behind the source, not the checkpoint's folder.
    pub gguf: bool,
}

/// A server that speaks HTTP.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Http {
    pub name: String,
    /// What the rest was filled in from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    pub api: Api,
    /// `http://127.0.0.1:{port}`, without a path's end; `{port}` is a free one, chosen at each start.
    pub url: String,
    /// Sent as `model`; `None`: the first that the server lists.
    pub model: Option<String>,
    /// Program and arguments, never through a shell; empty: somebody else has started it. `{port}`, `{gguf}` (the file behind the
    /// source), `{checkpoint}` (its folder) and `{offprint}` stand for what they are here.
    pub start: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub pass: Vec<String>,
    pub ready: Ready,
    pub stop: Stop,
    /// Added to the body of every request; mappings in it are merged.
    pub send: Map<String, Value>,
    pub length: Length,
    pub seed: Seed,
    pub cache: Cache,
    pub tokens: Tokens,
    /// The variable that holds the key.
    pub key_from: Option<String>,
    pub headers: BTreeMap<String, String>,
    /// Prints the server's version, e.g. `[llama-server, --version]`.
    pub version: Vec<String>,
    /// Another machine than this one is meant.
    pub remote: bool,
}

impl Http {
    /// Has somebody else started it?
    pub fn is_external(&self) -> bool {
        self.start.is_empty()
    }

    /// The key, and what is handed on to it.
    pub fn secrets(&self) -> Secrets {
        Secrets::of(self.key_from.as_deref(), self.pass.iter().map(String::as_str))
    }

    pub fn opens_files(&self) -> bool {
        self.start.iter().any(|argument| argument.contains("{gguf}") || argument.contains("{checkpoint}"))
    }
}

/// When a server may be asked: `path` answers with status 200.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ready {
    pub path: String,
    pub within_s: f64,
}

/// How a server is ended; after `within_s` it is killed, it and all that it has started.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stop {
    pub signal: Signal,
    pub within_s: f64,
}
