//! The words in which a study says how a server is spoken to.

use serde::{Deserialize, Serialize};

/// What requests and answers look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// `POST /v1/completions`, server-sent events.
    OpenaiCompletions,
    /// `POST /v1/chat/completions`, server-sent events.
    OpenaiChat,
    /// `POST /api/generate`, a JSON object a line.
    OllamaGenerate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    Term,
    Int,
    Kill,
}

/// How a server is made to give exactly so many tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    IgnoreEos,
    /// The end-of-sequence tokens are given a bias of -100: a logits processor in each step.
    LogitBias,
    MinTokens,
    /// It cannot be made to.
    AtMost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Seed {
    Send,
    Omit,
}

/// Prompts that a server has seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// Verified: an answer that says otherwise, or nothing, is a failed run.
    Off,
    /// The server does not say.
    Unknown,
    /// It may remember.
    Allowed,
}

/// Who counts the tokens. Never the chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tokens {
    /// The server, in its answer's `usage`.
    Usage,
    /// Token ids in the stream (`token_ids` of each choice).
    Ids,
}

impl Tokens {
    /// As people say it.
    pub fn told(self) -> &'static str {
        match self {
            Tokens::Usage => "the server, in its answer",
            Tokens::Ids => "the token ids of its answer",
        }
    }
}
