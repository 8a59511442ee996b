//! The tokenizer inside a GGUF file -> `tokenizer.json`, `tokenizer_config.json` and `generation_config.json`, as the
//! `tokenizers` crate and mlx-lm read them.

mod pieces;

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::model::gguf::{Header, Value as Meta};

/// GGUF's token types. Control tokens are such as `<|im_end|>`; what the user defined is looked for before anything else, too.
const UNKNOWN: i64 = 2;
const CONTROL: i64 = 3;
const DEFINED: i64 = 4;
const UNUSED: i64 = 5;
const BYTE: i64 = 6;

/// What a chat template may write at the end of a turn beside what the metadata calls the end: Gemma's.
const END_OF_TURN: &str = "<end_of_turn>";

/// Keys of the tokenizer that are read, or that only a program that trains or searches would read.
const KEYS: [&str; 13] = [
    "add_bos_token",
    "add_eos_token",
    "add_space_prefix",
    "chat_template",
    "escape_whitespaces",
    "merges",
    "model",
    "pre",
    "precompiled_charsmap",
    "remove_extra_whitespaces",
    "scores",
    "token_type",
    "tokens",
];

/// Keys of the tokenizer that say something and that nobody here reads. Ids of tokens by role change no text's ids.
pub fn unread(header: &Header) -> Vec<String> {
    let strange = |(key, value): (&String, &Meta)| {
        let own = key.strip_prefix("tokenizer.ggml.").or_else(|| key.strip_prefix("tokenizer."))?;
        let known = KEYS.contains(&own) || own.ends_with("_token_id") || value.says_nothing();
        (!known).then(|| format!("metadata key `{key}`: not known here, and not read"))
    };
    header.metadata.iter().filter_map(strange).collect()
}

/// A byte-level BPE tokenizer from `tokenizer.ggml.{tokens, merges, token_type, pre}`, or one of SentencePiece's pieces from
/// `tokenizer.ggml.{tokens, scores, token_type}`.
///
/// # Errors
/// Another kind of tokenizer, or a pre-tokenizer this version does not know.
pub fn tokenizer_json(header: &Header) -> Result<String> {
    match header.text("tokenizer.ggml.model")? {
        "gpt2" => Ok(serde_json::to_string_pretty(&byte_level(header)?)? + "\n"),
        // In one line: a large vocabulary has half a million merges.
        "llama" => Ok(serde_json::to_string(&pieces::tokenizer(header)?)? + "\n"),
        kind => bail!(
            "tokenizer.ggml.model: expected `gpt2` (byte-level BPE) or `llama` (SentencePiece with scores), found `{kind}`"
        ),
    }
}

fn byte_level(header: &Header) -> Result<Value> {
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let pre_tokenizer = match header.text("tokenizer.ggml.pre")? {
        // llama.cpp's `smollm`: every digit alone, then GPT-2's pattern.
        "smollm" => {
            json!({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, byte_level]})
        }
        "gpt-2" => byte_level.clone(),
        other => bail!("tokenizer.ggml.pre: `{other}` is not known; `smollm` and `gpt-2` are"),
    };
    let tokens = texts(header, "tokenizer.ggml.tokens")?;
    let types = types(header, tokens.len())?;
    ids(&tokens)?;
    let vocabulary: BTreeMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added(&tokens, &types, &[CONTROL]),
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor(header, &tokens, false)?,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary,
            "merges": texts(header, "tokenizer.ggml.merges")?,
        },
    }))
}

/// The special tokens by role, and the chat template.
///
/// # Errors
/// A token id outside the vocabulary.
pub fn tokenizer_config(header: &Header) -> Result<Value> {
    let tokens = texts(header, "tokenizer.ggml.tokens")?;
    let token = |role: &str| Ok::<_, anyhow::Error>(special(header, &tokens, role)?.map(|(_, token)| token));
    Ok(json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": token("bos")?,
        "eos_token": token("eos")?,
        "unk_token": token("unknown")?,
        "pad_token": token("padding")?,
        "chat_template": header.text("tokenizer.chat_template").ok(),
    }))
}

/// The tokens that begin and end a text; several may end one.
///
/// # Errors
/// A token id outside the vocabulary.
pub fn generation_config(header: &Header) -> Result<Value> {
    let tokens = texts(header, "tokenizer.ggml.tokens")?;
    let id = |role: &str| Ok::<_, anyhow::Error>(special(header, &tokens, role)?.map(|(id, _)| id));
    let mut ends: Vec<usize> = id("eos")?.into_iter().chain(id("eot")?).collect();
    if header.text("tokenizer.chat_template").is_ok_and(|template| template.contains(END_OF_TURN)) {
        ends.extend(tokens.iter().position(|token| *token == END_OF_TURN));
    }
    let mut seen = Vec::new();
    ends.retain(|id| {
        !seen.contains(id) && {
            seen.push(*id);
            true
        }
    });
    let ends = match ends[..] {
        [] => Value::Null,
        [one] => json!(one),
        _ => json!(ends),
    };
    Ok(json!({"bos_token_id": id("bos")?, "eos_token_id": ends}))
}

/// The token that the metadata gives this role: id and text.
fn special<'a>(header: &Header, tokens: &[&'a str], role: &str) -> Result<Option<(usize, &'a str)>> {
    let key = format!("tokenizer.ggml.{role}_token_id");
    if !header.metadata.contains_key(&key) {
        return Ok(None);
    }
    let id = header.integer(&key)?;
    let place = usize::try_from(id).ok();
    let found = place.and_then(|id| tokens.get(id).map(|token| (id, *token)));
    Ok(Some(found.with_context(|| format!("{key}: {id} is outside the vocabulary"))?))
}

/// The first and last tokens that the metadata asks for around each text; `first` where it says nothing.
fn post_processor(header: &Header, tokens: &[&str], first: bool) -> Result<Value> {
    let wanted = |role: &str, default: bool| -> Result<Option<(usize, &str)>> {
        let key = format!("tokenizer.ggml.add_{role}_token");
        if !header.truth(&key, default)? {
            return Ok(None);
        }
        let found = special(header, tokens, role)?;
        ensure!(found.is_some() || !header.metadata.contains_key(&key), "{key}: there is no such token");
        Ok(found)
    };
    let (bos, eos) = (wanted("bos", first)?, wanted("eos", false)?);
    if bos.is_none() && eos.is_none() {
        return Ok(Value::Null);
    }
    let around = |name: &str, of: usize| {
        let token = |(_, id): (usize, &str)| json!({"SpecialToken": {"id": id, "type_id": of}});
        let text = json!({"Sequence": {"id": name, "type_id": of}});
        bos.map(token).into_iter().chain([text]).chain(eos.map(token)).collect::<Vec<_>>()
    };
    let pair = [around("A", 0), around("B", 1)].concat();
    let named = |(id, token): (usize, &str)| (token.to_owned(), json!({"id": token, "ids": [id], "tokens": [token]}));
    Ok(json!({
        "type": "TemplateProcessing",
        "single": around("A", 0),
        "pair": pair,
        "special_tokens": bos.into_iter().chain(eos).map(named).collect::<serde_json::Map<_, _>>(),
    }))
}

/// The tokens that are looked for in a text before anything else, in order of their ids.
fn added(tokens: &[&str], types: &[i64], kinds: &[i64]) -> Vec<Value> {
    let found = tokens.iter().zip(types).enumerate().filter(|(_, (_, kind))| kinds.contains(kind));
    let token = |(id, (token, kind)): (usize, (&&str, &i64))| {
        json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": *kind == CONTROL,
        })
    };
    found.map(token).collect()
}

/// Ids by text.
fn ids<'a>(tokens: &[&'a str]) -> Result<HashMap<&'a str, usize>> {
    let mut ids = HashMap::with_capacity(tokens.len());
    for (id, token) in tokens.iter().enumerate() {
        if let Some(first) = ids.insert(*token, id) {
            bail!("tokenizer.ggml.tokens: {first} and {id} are both `{token}`");
        }
    }
    Ok(ids)
}

fn types(header: &Header, tokens: usize) -> Result<Vec<i64>> {
    let key = "tokenizer.ggml.token_type";
    let types = header.list(key)?.iter().map(|value| match value {
        Meta::Integer(kind) => Some(*kind),
        _ => None,
    });
    let types = types.collect::<Option<Vec<_>>>();
    let types = types.with_context(|| format!("metadata key `{key}`: expected a list of integers"))?;
    ensure!(types.len() == tokens, "metadata key `{key}`: expected {tokens} of them, found {}", types.len());
    Ok(types)
}

fn texts<'a>(header: &'a Header, key: &str) -> Result<Vec<&'a str>> {
    let texts = header.list(key)?.iter().map(|value| match value {
        Meta::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Option<_>>().with_context(|| format!("metadata key `{key}`: expected a list of texts"))
}
