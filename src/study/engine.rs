//! The engines that a study may name, and which factors act on each. What they compute with is `engine`'s affair.

use serde::{Deserialize, Serialize, Serializer};

use super::{
    foreign::{Command, Http},
    preset::Server,
};
use crate::{
    factor::{AT_ONCE, BATCH, CONTEXT, PER_SECOND, THREADS},
    foreign::Secrets,
};

/// What a model runs on.
#[derive(Debug, Clone, PartialEq)]
pub enum Engine {
    /// Compiled into this program.
    BuiltIn(EngineKind),
    /// A program that speaks the worker protocol.
    Command(Box<Command>),
    /// A server that speaks HTTP.
    Http(Box<Http>),
}

/// The engines of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    Mlx,
    LlamaCpp,
    /// Computes nothing; what comes of it is no measurement.
    Fake,
}

impl EngineKind {
    pub const ALL: [EngineKind; 3] = [EngineKind::Mlx, EngineKind::LlamaCpp, EngineKind::Fake];

    /// As studies and records write it.
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Mlx => "mlx",
            EngineKind::LlamaCpp => "llama-cpp",
            EngineKind::Fake => "fake",
        }
    }

    /// What prose calls it.
    pub fn label(self) -> &'static str {
        match self {
            EngineKind::Mlx => "MLX",
            EngineKind::LlamaCpp => "llama.cpp",
            EngineKind::Fake => "the fake engine",
        }
    }

    pub fn named(name: &str) -> Option<EngineKind> {
        EngineKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl std::fmt::Display for EngineKind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

impl Engine {
    /// As studies, records and claim ids write it.
    pub fn name(&self) -> &str {
        match self {
            Engine::BuiltIn(kind) => kind.name(),
            Engine::Command(command) => &command.name,
            Engine::Http(http) => &http.name,
        }
    }

    /// What prose calls it.
    pub fn label(&self) -> &str {
        match self {
            Engine::BuiltIn(kind) => kind.label(),
            Engine::Command(_) | Engine::Http(_) => self.name(),
        }
    }

    /// Is it this one of the program's own?
    pub fn is(&self, kind: EngineKind) -> bool {
        *self == Engine::BuiltIn(kind)
    }

    /// The one of the program's own that it is.
    pub fn built_in(&self) -> Option<EngineKind> {
        match self {
            Engine::BuiltIn(kind) => Some(*kind),
            Engine::Command(_) | Engine::Http(_) => None,
        }
    }

    /// Variables whose values are secrets: of keys, and of what is handed on.
    pub fn secrets(&self) -> Secrets {
        match self {
            Engine::BuiltIn(_) => Secrets::default(),
            Engine::Command(command) => Secrets::of([], command.pass.iter().map(String::as_str)),
            Engine::Http(http) => http.secrets(),
        }
    }

    /// The server that it is.
    pub fn http(&self) -> Option<&Http> {
        match self {
            Engine::Http(http) => Some(http),
            Engine::BuiltIn(_) | Engine::Command(_) => None,
        }
    }

    /// What a study's file makes this program start, argument by argument; empty for what it has compiled in and for a server that
    /// runs already.
    pub fn argv(&self) -> &[String] {
        match self {
            Engine::BuiltIn(_) => &[],
            Engine::Command(command) => &command.command,
            Engine::Http(http) => &http.start,
        }
    }

    /// Does it open the GGUF file behind a source, not the checkpoint's folder?
    pub fn opens_gguf(&self) -> bool {
        match self {
            Engine::BuiltIn(kind) => *kind == EngineKind::LlamaCpp,
            Engine::Command(command) => command.gguf,
            Engine::Http(http) => http.start.iter().any(|argument| argument.contains("{gguf}")),
        }
    }

    /// Does it open files of this machine?
    pub fn opens_files(&self) -> bool {
        match self {
            Engine::BuiltIn(kind) => *kind != EngineKind::Fake,
            Engine::Command(_) => true,
            Engine::Http(http) => http.opens_files(),
        }
    }

    /// A preset that nobody here could try on the server that it is for.
    pub fn untried(&self) -> Option<Server> {
        self.http().and_then(|http| http.server).filter(|server| !server.was_tried())
    }

    /// Largest level of a factor that acts on this engine; `None` where the factor does not act on it at all. A program of others
    /// says so itself, before the first run.
    pub fn most(&self, factor: &str) -> Option<f64> {
        let unbounded = Some(f64::INFINITY);
        match (self, factor) {
            (Engine::BuiltIn(EngineKind::Fake) | Engine::Command(_), THREADS | CONTEXT | BATCH) => unbounded,
            (Engine::BuiltIn(_), THREADS | CONTEXT) => unbounded,
            (Engine::BuiltIn(EngineKind::Mlx), BATCH) => unbounded,
            // One request at a time.
            (Engine::BuiltIn(_) | Engine::Http(_), BATCH) => Some(1.0),
            // Which engines serve several is judged with the block `load`.
            (_, AT_ONCE | PER_SECOND) => unbounded,
            _ => None,
        }
    }
}

impl Serialize for Engine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Engine::BuiltIn(kind) => kind.serialize(serializer),
            Engine::Command(command) => command.serialize(serializer),
            Engine::Http(http) => http.serialize(serializer),
        }
    }
}

impl std::fmt::Display for Engine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}
