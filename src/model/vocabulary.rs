//! The tokenizer inside a GGUF file -> `tokenizer.json` and `tokenizer_config.json` as the `tokenizers` crate reads them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::model::gguf::{Header, Value as Meta};

/// GGUF's token type of control tokens such as `<|im_end|>`.
const CONTROL: i64 = 3;

/// A byte-level BPE tokenizer from `tokenizer.ggml.{tokens, merges, token_type, pre}`.
///
/// # Errors
/// Another kind of tokenizer, or a pre-tokenizer this version does not know.
pub fn tokenizer_json(header: &Header) -> Result<Value> {
    let kind = header.text("tokenizer.ggml.model")?;
    ensure!(kind == "gpt2", "tokenizer.ggml.model: expected `gpt2` (byte-level BPE), found `{kind}`");
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
    let vocabulary: BTreeMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": control_ids(header)?.into_iter().map(|id| json!({
            "id": id, "content": tokens.get(id), "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })).collect::<Vec<_>>(),
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": null,
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
    let token = |role: &str| -> Result<Option<&str>> {
        let key = format!("tokenizer.ggml.{role}_token_id");
        if !header.metadata.contains_key(&key) {
            return Ok(None);
        }
        let id = header.integer(&key)?;
        let text = usize::try_from(id).ok().and_then(|id| tokens.get(id));
        Ok(Some(text.with_context(|| format!("{key}: {id} is outside the vocabulary"))?))
    };
    Ok(json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": token("bos")?,
        "eos_token": token("eos")?,
        "unk_token": token("unknown")?,
        "pad_token": token("padding")?,
        "chat_template": header.text("tokenizer.chat_template").ok(),
    }))
}

fn control_ids(header: &Header) -> Result<Vec<usize>> {
    let types = header.list("tokenizer.ggml.token_type")?;
    Ok(types.iter().enumerate().filter(|(_, kind)| **kind == Meta::Integer(CONTROL)).map(|(id, _)| id).collect())
}

fn texts<'a>(header: &'a Header, key: &str) -> Result<Vec<&'a str>> {
    let texts = header.list(key)?.iter().map(|value| match value {
        Meta::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Option<_>>().with_context(|| format!("metadata key `{key}`: expected a list of texts"))
}
