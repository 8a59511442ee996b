//! SentencePiece's pieces with scores, of two small models made by SentencePiece: the tokenizer of the import gives its ids.

use std::fs;

use offprint::engine::tokenizer::Tokenizer;
use serde::Deserialize;

use crate::{
    gguf::{Gguf, Q8_0, floats, integer, integers, text, texts, truth},
    imported, json,
};

/// `tests/oracles/pieces.py` made it.
#[derive(Deserialize)]
struct Model {
    prefix: bool,
    bos: u32,
    eos: u32,
    unknown: u32,
    /// Piece, score, GGUF's type.
    pieces: Vec<(String, f32, i32)>,
    /// Text, ids, the ids' text.
    texts: Vec<(String, Vec<u32>, String)>,
}

fn models() -> Vec<Model> {
    serde_json::from_str(include_str!("../data/pieces.json")).unwrap()
}

/// The small Llama with this vocabulary.
fn gguf(model: &Model) -> Gguf {
    let mut gguf = Gguf::small();
    let pieces: Vec<&str> = model.pieces.iter().map(|(piece, ..)| piece.as_str()).collect();
    gguf.metadata.retain(|(key, _)| !key.starts_with("tokenizer."));
    gguf.set("tokenizer.ggml.model", text("llama"));
    gguf.set("tokenizer.ggml.tokens", texts(&pieces));
    gguf.set("tokenizer.ggml.scores", floats(&model.pieces.iter().map(|(_, score, _)| *score).collect::<Vec<_>>()));
    gguf.set("tokenizer.ggml.token_type", integers(&model.pieces.iter().map(|(.., kind)| *kind).collect::<Vec<_>>()));
    for (role, id) in [("bos", model.bos), ("eos", model.eos), ("unknown", model.unknown)] {
        gguf.set(&format!("tokenizer.ggml.{role}_token_id"), integer(id));
    }
    if !model.prefix {
        gguf.set("tokenizer.ggml.add_space_prefix", truth(false));
    }
    for name in ["token_embd", "output"] {
        gguf.replace(name, vec![pieces.len() as u64, 64], Q8_0);
    }
    gguf
}

#[test]
fn ids_and_texts_are_sentencepieces() {
    assert_eq!(models().iter().map(|model| model.prefix).collect::<Vec<_>>(), [true, false]);
    for model in models() {
        let folder = imported(&gguf(&model).bytes()).unwrap();
        let tokenizer = Tokenizer::open(&folder.path().join("done"), model.pieces.len()).unwrap();
        assert!(model.texts.len() > 200);
        let bytes = model.pieces.iter().position(|(.., kind)| *kind == 6).unwrap() as u32;
        assert!(model.texts.iter().any(|(_, ids, _)| ids.contains(&(bytes + 0xf0))), "no text needs its bytes");
        for (text, ids, decoded) in &model.texts {
            let found = tokenizer.encode(text).unwrap();
            assert_eq!(found[0], model.bos);
            assert_eq!(found[1..], *ids, "prefix {}: {text:?}", model.prefix);
            assert_eq!(tokenizer.decode(ids).unwrap(), *decoded, "prefix {}: {text:?}", model.prefix);
        }
    }
}

#[test]
fn special_tokens_are_found_in_a_text_and_not_split() {
    for model in models() {
        let folder = imported(&gguf(&model).bytes()).unwrap();
        let done = folder.path().join("done");
        let turn = model.pieces.iter().position(|(piece, ..)| piece == "<turn>").unwrap() as u32;
        let ids = Tokenizer::open(&done, model.pieces.len()).unwrap().encode("<turn>").unwrap();
        assert_eq!(ids, [model.bos, turn]);
        let added = json(&done.join("tokenizer.json"))["added_tokens"].clone();
        let special = |name: &str| {
            added.as_array().unwrap().iter().find(|one| one["content"] == name).unwrap()["special"].clone()
        };
        assert_eq!(special("<turn>"), true);
        if !model.prefix {
            assert_eq!(special("<b>"), false, "a user may write it");
            assert_eq!(special("▁▁"), false, "llama.cpp's converter writes spaces");
        }
        let file = fs::read_to_string(done.join("tokenizer.json")).unwrap();
        assert_eq!(file.lines().count(), 1, "a large vocabulary's merges are too many for a line each");
    }
}

#[test]
fn a_vocabulary_that_is_not_whole_is_named() {
    type Change = fn(&mut Model);
    let cases: [(Change, &str); 3] = [
        (|m| m.pieces[0x41 + 4].0 = "x".repeat(9), "256 byte tokens, and `<0x41>` is not among them"),
        (|m| m.pieces.last_mut().unwrap().0 = "a b".to_owned(), "has a space, which a piece writes as"),
        (|m| m.bos = 9999, "tokenizer.ggml.bos_token_id: 9999 is outside the vocabulary"),
    ];
    for (change, words) in cases {
        let mut model = models().remove(0);
        change(&mut model);
        let error = format!("{:#}", imported(&gguf(&model).bytes()).unwrap_err());
        assert!(error.contains(words) && error.contains("\nhint: "), "{words}: {error}");
    }
    let mut short = gguf(&models().remove(1));
    short.set("tokenizer.ggml.scores", floats(&[0.0; 3]));
    let error = format!("{:#}", imported(&short.bytes()).unwrap_err());
    assert!(error.contains("`tokenizer.ggml.scores`: expected 620 of them, found 3"), "{error}");
}
