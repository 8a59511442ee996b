//! The text of a `tokenizer.json` -> the tokenizer, as the crate `tokenizers` makes it of the whole text. That copies a vocabulary
//! four times on its way; here a BPE's words and merges are read once, and all else by the crate as ever.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::{Map, Value, json};
use tokenizers::{
    AddedToken, Tokenizer,
    models::bpe::{BPE, BpeBuilder},
};

/// # Errors
/// The crate's own, for a text that is no tokenizer.
pub(super) fn read(text: &str) -> tokenizers::Result<Tokenizer> {
    match bpe(text) {
        Some(tokenizer) => Ok(tokenizer),
        // Another model, or a fault that the crate has words for.
        None => Tokenizer::from_bytes(text),
    }
}

/// A key more or less, and it is the crate's to judge.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Model,
    added_tokens: Option<Vec<AddedToken>>,
    version: Option<Value>,
    truncation: Option<Value>,
    padding: Option<Value>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
}

#[derive(Deserialize)]
struct Model {
    r#type: String,
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: tokenizers::models::bpe::Vocab,
    merges: Vec<Merge>,
}

/// `["a", "b"]`, or `"a b"` as it was written once.
struct Merge(String, String);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Merge;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two texts")
            }

            fn visit_str<E: Error>(self, line: &str) -> Result<Merge, E> {
                let pair = line.split_once(' ').filter(|(_, second)| !second.contains(' '));
                let (first, second) = pair.ok_or_else(|| E::custom("expected two words"))?;
                Ok(Merge(first.to_owned(), second.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Merge, A::Error> {
                let (first, second) = (items.next_element()?, items.next_element()?);
                let end = items.next_element::<String>()?.is_none();
                let pair = first.zip(second).filter(|_| end).ok_or_else(|| A::Error::custom("expected two texts"))?;
                Ok(Merge(pair.0, pair.1))
            }
        }
        deserializer.deserialize_any(Pair)
    }
}

fn bpe(text: &str) -> Option<Tokenizer> {
    let file: File = serde_json::from_str(text).ok()?;
    if file.model.r#type != "BPE" {
        return None;
    }
    let mut rest = Map::from_iter([("model".to_owned(), json!({"type": "BPE", "vocab": {}, "merges": []}))]);
    for (key, value) in [
        ("version", file.version),
        ("truncation", file.truncation),
        ("padding", file.padding),
        ("normalizer", file.normalizer),
        ("pre_tokenizer", file.pre_tokenizer),
        ("post_processor", file.post_processor),
        ("decoder", file.decoder),
    ] {
        rest.extend(value.map(|value| (key.to_owned(), value)));
    }
    let mut tokenizer = Tokenizer::from_bytes(Value::Object(rest).to_string()).ok()?;
    tokenizer.with_model(built(file.model)?);
    tokenizer.add_tokens(&file.added_tokens.unwrap_or_default());
    Some(tokenizer)
}

/// The model, by the crate's rules for keys that are not there.
fn built(model: Model) -> Option<BPE> {
    let merges = model.merges.into_iter().map(|Merge(first, second)| (first, second)).collect();
    let mut builder = BpeBuilder::new().vocab_and_merges(model.vocab, merges);
    if let Some(dropout) = model.dropout {
        builder = builder.dropout(dropout);
    }
    if let Some(token) = model.unk_token {
        builder = builder.unk_token(token);
    }
    if let Some(prefix) = model.continuing_subword_prefix {
        builder = builder.continuing_subword_prefix(prefix);
    }
    if let Some(suffix) = model.end_of_word_suffix {
        builder = builder.end_of_word_suffix(suffix);
    }
    builder
        .fuse_unk(model.fuse_unk.unwrap_or(false))
        .byte_fallback(model.byte_fallback.unwrap_or(false))
        .ignore_merges(model.ignore_merges.unwrap_or(false))
        .build()
        .ok()
}
