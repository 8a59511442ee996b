//! Text <-> token ids, by the checkpoint's own `tokenizer.json`. Knows nothing of the model's weights.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::{
    engine::{
        chat::{Rendered, Template},
        tokenizer_json,
    },
    study::Told,
};

const NO_TEMPLATE: &str = "hint: set `chat_template: false` in the study, or choose an instruction-tuned model";

/// What transformers calls the special tokens, and gives to chat templates under these names.
const SPECIAL: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A checkpoint's tokenizer.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizer_json::Tokenizer,
    /// Embeddings of the model: ids beyond have none.
    vocabulary: usize,
    /// The named special tokens that the files have.
    special: Vec<(&'static str, String)>,
    /// As the files have it.
    chat_template: Value,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json` and `chat_template.jinja` of a checkpoint folder.
    /// `vocabulary`: how many embeddings the model has; tokens beyond them, such as a `[PAD]` that was added later, are no fault
    /// until a prompt has one.
    ///
    /// # Errors
    /// A malformed file.
    pub fn open(folder: &Path, vocabulary: usize) -> Result<Self> {
        let file = folder.join("tokenizer.json");
        let damaged = "hint: the file is damaged; fetch the checkpoint again";
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}\n{damaged}", file.display()))?;
        let inner = tokenizer_json::read(&text).map_err(|error| anyhow!("{}: {error}\n{damaged}", file.display()))?;
        let (settings, map) = (json(folder, "tokenizer_config.json")?, json(folder, "special_tokens_map.json")?);
        // A token is a text, or an object with its `content`.
        let text = |value: &Value| value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned);
        let token = |key: &str| match settings.get(key) {
            Some(value) => text(value),
            None => text(&map[key]),
        };
        let template = folder.join("chat_template.jinja");
        let chat_template = if template.is_file() {
            Value::String(std::fs::read_to_string(&template).with_context(|| format!("{}", template.display()))?)
        } else {
            settings["chat_template"].clone()
        };
        let special = SPECIAL.into_iter().filter_map(|name| Some((name, token(name)?))).collect();
        Ok(Tokenizer { inner, vocabulary, special, chat_template })
    }

    /// The ids of a study's prompt, as it stands or as a user's message in the chat template.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`] and [`Tokenizer::chat`] have them.
    pub fn prompt(&self, prompt: &str, chat: Option<&Told>) -> Result<Vec<u32>> {
        match chat {
            // A template writes every special token itself: nothing is added to a rendered chat.
            Some(told) => self.ids(&self.chat(prompt, told)?.text, false),
            None => self.encode(prompt),
        }
    }

    /// Ids of a text that is no chat. Special tokens are added as mlx-lm does: unless the text already begins with the first of them.
    ///
    /// # Errors
    /// No token at all (an empty prompt), or one that the model has no embedding for.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.ids(text, self.special("bos_token").is_none_or(|bos| !text.starts_with(bos)))
    }

    fn ids(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode(text, special).map_err(|error| {
            anyhow!("the prompt cannot be tokenised: {error}\nhint: tokenizer.json may belong to another model")
        })?;
        let ids = encoding.get_ids();
        ensure!(!ids.is_empty(), "the prompt has no tokens\nhint: give the study a prompt with text");
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            bail!(
                "the prompt has token `{}`, id {id}, but the model has {} embeddings\nhint: the tokenizer belongs to another model",
                self.inner.id_to_token(*id).unwrap_or_default(),
                self.vocabulary
            );
        }
        Ok(ids.to_vec())
    }

    /// The ids of a prompt behind a context: a token that begins a text stands at the beginning of the whole alone.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn after(&self, context: &[u32], mut ids: Vec<u32>) -> Result<Vec<u32>> {
        let bos = self.special("bos_token").and_then(|bos| self.inner.token_to_id(bos));
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

    /// The tokenizer's own end of a sequence.
    pub fn eos(&self) -> Option<u32> {
        self.inner.token_to_id(self.special("eos_token")?)
    }

    /// The first id by which another tokenizer means another token, with the two: `None` where none is, however many either has.
    pub fn differs(&self, other: &Tokenizer) -> Option<(u32, String, String)> {
        let own: BTreeMap<u32, String> =
            self.inner.get_vocab(true).into_iter().map(|(token, id)| (id, token)).collect();
        let tokens = own.into_iter();
        let mut pairs = tokens.filter_map(|(id, token)| Some((id, token, other.inner.id_to_token(id)?)));
        pairs.find(|(_, token, of_other)| token != of_other)
    }

    /// The token that it begins every text with, if it does.
    pub fn begins_with(&self) -> Option<u32> {
        let bos = self.inner.token_to_id(self.special("bos_token")?)?;
        let ids = self.encode("a").ok()?;
        (ids.first() == Some(&bos)).then_some(bos)
    }

    fn special(&self, name: &str) -> Option<&str> {
        self.special.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    /// `prompt` as a user's message in the checkpoint's chat template.
    ///
    /// # Errors
    /// No template, or one that fails.
    pub fn chat(&self, prompt: &str, told: &Told) -> Result<Rendered> {
        let tokens: Vec<(&'static str, &str)> =
            self.special.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let template = Template { text: self.template()?, tokens: &tokens };
        template.render(prompt, told)
    }

    /// The one, or that called `default` in a list of named ones, as in transformers.
    fn template(&self) -> Result<&str> {
        let named = match &self.chat_template {
            Value::Null => bail!("the checkpoint has no chat template\n{NO_TEMPLATE}"),
            Value::String(text) => return Ok(text),
            Value::Array(list) => list,
            other => bail!("chat_template: expected a text or a list of named ones, found {other}\n{NO_TEMPLATE}"),
        };
        let default =
            named.iter().find(|entry| entry["name"] == "default").and_then(|entry| entry["template"].as_str());
        let names = || named.iter().filter_map(|entry| entry["name"].as_str()).collect::<Vec<_>>().join(", ");
        default
            .with_context(|| format!("chat_template: expected one called `default`, found {}\n{NO_TEMPLATE}", names()))
    }
}

/// A JSON file of the folder; `null` where there is none.
fn json(folder: &Path, name: &str) -> Result<Value> {
    let file = folder.join(name);
    if !file.is_file() {
        return Ok(Value::Null);
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{}\nhint: fetch the checkpoint again", file.display()))
}
