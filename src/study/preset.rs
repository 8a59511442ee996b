//! Servers by name -> what is to be sent to each, and what to expect. One row a server; a study's own keys come before it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::wire::{Api, Cache, Length, Seed, Tokens};

/// A server that we know the ways of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    LlamaServer,
    MlxLm,
    Vllm,
    Sglang,
    Ollama,
    LmStudio,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    pub name: &'static str,
    pub api: Api,
    pub ready: &'static str,
    /// Where it listens unless told otherwise.
    pub url: &'static str,
    pub length: Length,
    pub seed: Seed,
    pub cache: Cache,
    pub tokens: Tokens,
    /// How its prompt cache is switched off where no request can do it: an argument of its start.
    pub cache_switch: Option<&'static str>,
    /// Was it tried here on the server itself? Else it is what documents and sources say.
    pub tried: bool,
}

impl Server {
    pub const ALL: [Server; 6] =
        [Server::LlamaServer, Server::MlxLm, Server::Vllm, Server::Sglang, Server::Ollama, Server::LmStudio];

    pub fn name(self) -> &'static str {
        self.preset().name
    }

    pub fn was_tried(self) -> bool {
        self.preset().tried
    }

    pub fn preset(self) -> Preset {
        let openai = Preset {
            name: "",
            api: Api::OpenaiCompletions,
            ready: "/health",
            url: "http://127.0.0.1:{port}",
            length: Length::IgnoreEos,
            seed: Seed::Send,
            cache: Cache::Off,
            tokens: Tokens::Usage,
            cache_switch: None,
            tried: false,
        };
        match self {
            Server::LlamaServer => Preset { name: "llama-server", tried: true, ..openai },
            // Says nothing of its own about exact lengths; `/health` answers before the model is there, so a warm-up is part of ready.
            Server::MlxLm => Preset {
                name: "mlx-lm",
                length: Length::LogitBias,
                cache_switch: Some("--prompt-cache-size 0"),
                tried: true,
                ..openai
            },
            // By its source it seldom says that nothing was cached, so `off` could not be verified.
            Server::Vllm => Preset {
                name: "vllm",
                cache: Cache::Unknown,
                cache_switch: Some("--no-enable-prefix-caching"),
                ..openai
            },
            Server::Sglang => {
                Preset { name: "sglang", cache_switch: Some("--disable-radix-cache --enable-cache-report"), ..openai }
            }
            Server::Ollama => Preset {
                name: "ollama",
                api: Api::OllamaGenerate,
                ready: "/api/version",
                url: "http://127.0.0.1:11434",
                length: Length::AtMost,
                cache: Cache::Unknown,
                ..openai
            },
            Server::LmStudio => Preset {
                name: "lm-studio",
                ready: "/v1/models",
                url: "http://127.0.0.1:1234",
                length: Length::AtMost,
                cache: Cache::Unknown,
                ..openai
            },
        }
    }

    /// Added to every request.
    pub fn send(self) -> Map<String, Value> {
        let body = match self {
            Server::LlamaServer => json!({"cache_prompt": false}),
            // Its default would punish repetition, and unload the model after five minutes.
            Server::Ollama => json!({"keep_alive": "1h", "options": {"repeat_penalty": 1.0}}),
            Server::MlxLm | Server::Vllm | Server::Sglang | Server::LmStudio => json!({}),
        };
        body.as_object().cloned().unwrap_or_default()
    }
}
