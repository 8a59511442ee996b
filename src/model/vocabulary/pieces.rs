//! SentencePiece's pieces with scores -> a BPE tokenizer of the same ids. SentencePiece joins the two neighbours whose
//! piece has the best score; BPE has a list of pairs, the best first: every way to cut a piece into two pieces, by the
//! piece's score, as transformers' `generate_merges` lists them (convert_slow_tokenizer.py).

use std::{cmp::Reverse, collections::BTreeMap};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{BYTE, CONTROL, DEFINED, UNKNOWN, UNUSED, added, ids, post_processor, special, texts, types};
use crate::model::gguf::{Header, Value as Meta};

/// What stands for a space inside a piece.
const SPACE: &str = "▁";

pub(super) fn tokenizer(header: &Header) -> Result<Value> {
    for key in ["tokenizer.ggml.remove_extra_whitespaces", "tokenizer.ggml.escape_whitespaces"] {
        let usual = key.ends_with("escape_whitespaces");
        ensure!(header.truth(key, usual)? == usual, "metadata key `{key}`: expected {usual}, found {}", !usual);
    }
    let charsmap = "tokenizer.ggml.precompiled_charsmap";
    ensure!(!header.metadata.contains_key(charsmap), "metadata key `{charsmap}`: texts are not normalised here");

    let stored = texts(header, "tokenizer.ggml.tokens")?;
    let types = types(header, stored.len())?;
    // llama.cpp's converter writes what the user defined with plain spaces (`convert_hf_to_gguf.py`).
    let own: Vec<String> = stored
        .iter()
        .zip(&types)
        .map(|(token, kind)| if *kind == DEFINED { token.replace(' ', SPACE) } else { (*token).to_owned() })
        .collect();
    let pieces: Vec<&str> = own.iter().map(String::as_str).collect();
    let bytes = byte_pieces(&pieces, &types)?;
    let unknown = special(header, &pieces, "unknown")?.map(|(_, piece)| piece);
    let unknown = unknown.or_else(|| types.iter().position(|kind| *kind == UNKNOWN).map(|id| pieces[id]));
    let prefix = header.truth("tokenizer.ggml.add_space_prefix", true)?;
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    let prepend = json!({"type": "Prepend", "prepend": SPACE});
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added(&pieces, &types, &[UNKNOWN, CONTROL, DEFINED]),
        "normalizer": if prefix { json!({"type": "Sequence", "normalizers": [prepend, replace]}) } else { replace },
        "pre_tokenizer": null,
        "post_processor": post_processor(header, &pieces, true)?,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": bytes, "ignore_merges": false,
            "vocab": pieces.iter().enumerate().map(|(id, piece)| (*piece, id)).collect::<BTreeMap<_, _>>(),
            "merges": merges(&pieces, &types, &scores(header, pieces.len())?)?,
        },
    }))
}

/// Does the vocabulary spell what it has no piece for? All bytes, or none.
fn byte_pieces(pieces: &[&str], types: &[i64]) -> Result<bool> {
    let found: Vec<&str> =
        pieces.iter().zip(types).filter(|(_, kind)| **kind == BYTE).map(|(piece, _)| *piece).collect();
    let missing = (0..=255u8).map(|byte| format!("<0x{byte:02X}>")).find(|name| !found.contains(&name.as_str()));
    ensure!(
        missing.is_none() || found.is_empty(),
        "tokenizer.ggml.tokens: {} byte tokens, and `{}` is not among them",
        found.len(),
        missing.unwrap_or_default()
    );
    Ok(!found.is_empty())
}

/// Pairs in the order in which they are to be joined, as `left right`: no piece has a space.
fn merges(pieces: &[&str], types: &[i64], scores: &[f32]) -> Result<Vec<String>> {
    let ids = ids(pieces)?;
    let mut pairs = Vec::new();
    for (piece, (kind, score)) in pieces.iter().zip(types.iter().zip(scores)) {
        // These are found whole, or made of bytes, or never.
        if [UNKNOWN, CONTROL, UNUSED, BYTE].contains(kind) {
            continue;
        }
        ensure!(!piece.contains(' '), "tokenizer.ggml.tokens: `{piece}` has a space, which a piece writes as {SPACE}");
        let mut of_piece = Vec::new();
        for (length, (at, _)) in piece.char_indices().enumerate().skip(1) {
            let (left, right) = piece.split_at(at);
            if let (Some(left_id), Some(right_id)) = (ids.get(left), ids.get(right)) {
                of_piece.push((left_id, right_id, left, right, length));
            }
        }
        of_piece.sort_unstable_by_key(|(left, right, ..)| (*left, *right));
        let count = piece.chars().count();
        // SentencePiece scores what the user defined 0, above all that was learned; llama.cpp's converter writes -1000.
        let score = if *kind == DEFINED { 0.0 } else { *score };
        let pair = |(_, _, left, right, length): (_, _, &str, &str, usize)| {
            (Rank(score + 0.0), length, count - length, format!("{left} {right}"))
        };
        pairs.extend(of_piece.into_iter().map(pair));
    }
    // Stable, so that what is equal stays in the order of ids.
    pairs.sort_by_key(|(score, left, right, _)| Reverse((*score, *left, *right)));
    Ok(pairs.into_iter().map(|(.., pair)| pair).collect())
}

/// A score as a key to sort by; `-0 + 0` is `0`.
#[derive(Debug, Clone, Copy)]
struct Rank(f32);

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Rank {}

fn scores(header: &Header, pieces: usize) -> Result<Vec<f32>> {
    let key = "tokenizer.ggml.scores";
    let scores = header.list(key)?.iter().map(|value| match value {
        // A float32 in the file.
        Meta::Float(score) => Some(*score as f32),
        _ => None,
    });
    let scores = scores.collect::<Option<Vec<_>>>();
    let scores = scores.with_context(|| format!("metadata key `{key}`: expected a list of numbers"))?;
    ensure!(scores.len() == pieces, "metadata key `{key}`: expected {pieces} of them, found {}", scores.len());
    Ok(scores)
}
