//! Text <-> token ids, by the checkpoint's own `tokenizer.json`. Knows nothing of the model's weights.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::engine::chat;

/// A checkpoint's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    bos: Option<String>,
    eos: Option<String>,
    chat_template: Option<String>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja` of a checkpoint folder.
    ///
    /// # Errors
    /// A malformed file; a token whose id is beyond the model's embeddings (`vocabulary`).
    pub fn open(folder: &Path, vocabulary: usize) -> Result<Self> {
        let file = folder.join("tokenizer.json");
        let inner = tokenizers::Tokenizer::from_file(&file).map_err(|error| {
            anyhow!("{}: {error}\nhint: the file is damaged; fetch the checkpoint again", file.display())
        })?;
        if let Some((token, id)) = inner.get_vocab(true).into_iter().max_by_key(|(_, id)| *id) {
            ensure!(
                (id as usize) < vocabulary,
                "{}: token `{token}` has id {id}, but the model has {vocabulary} embeddings\nhint: the tokenizer belongs to another model",
                file.display()
            );
        }
        let config = folder.join("tokenizer_config.json");
        let settings: Value = if config.is_file() {
            let text = std::fs::read_to_string(&config).with_context(|| format!("{}", config.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{}", config.display()))?
        } else {
            Value::Null
        };
        // A token is a text, or an object with its `content`.
        let token = |key: &str| {
            let value = &settings[key];
            value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned)
        };
        let template = folder.join("chat_template.jinja");
        let chat_template = if template.is_file() {
            Some(std::fs::read_to_string(&template).with_context(|| format!("{}", template.display()))?)
        } else {
            settings["chat_template"].as_str().map(str::to_owned)
        };
        Ok(Tokenizer { inner, bos: token("bos_token"), eos: token("eos_token"), chat_template })
    }

    /// Prompt ids. Special tokens are added as mlx-lm does: unless the text already begins with the first of them.
    ///
    /// # Errors
    /// No token at all (an empty prompt).
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let special = self.bos.as_ref().is_none_or(|bos| !text.starts_with(bos.as_str()));
        let encoding =
            self.inner.encode(text, special).map_err(|error| anyhow!("the prompt cannot be tokenised: {error}"))?;
        ensure!(!encoding.get_ids().is_empty(), "the prompt has no tokens\nhint: give the study a prompt with text");
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a prompt behind a context: a token that begins a text stands at the beginning of the whole alone.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn after(&self, context: &[u32], mut ids: Vec<u32>) -> Result<Vec<u32>> {
        let bos = self.bos.as_ref().and_then(|bos| self.inner.token_to_id(bos));
        if !context.is_empty() && ids.first().copied() == bos {
            ids.remove(0);
        }
        ensure!(!ids.is_empty(), "the prompt has no tokens\nhint: give the study a prompt with text");
        Ok(ids)
    }

    /// The text of ids, special tokens included. Bytes that are no UTF-8 yet become U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, false).map_err(|error| anyhow!("the tokens cannot be decoded: {error}"))
    }

    /// `prompt` as a user's message in the checkpoint's chat template.
    ///
    /// # Errors
    /// No template, or one that fails.
    pub fn chat(&self, prompt: &str) -> Result<String> {
        let template = self.chat_template.as_deref().context(
            "the checkpoint has no chat template\nhint: set `chat_template: false` in the study, or choose an instruction-tuned model",
        )?;
        chat::render(template, prompt, self.bos.as_deref(), self.eos.as_deref())
    }
}
