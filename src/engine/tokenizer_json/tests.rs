//! Ours beside the crate's own reading of the same text.

use super::*;
use crate::random::SplitMix64;

/// Words of letters and bytes, and merges that overlap: which is done first shows in the ids.
fn file(changes: &[(&str, Value)]) -> Value {
    let words = [
        "a", "b", "c", " ", "é", "ab", "bc", "abc", "ca", "aa", "aaa", "bcab", "acb", "<unk>", "<0xC3>", "<0x9F>",
        "a\"b", "\"",
    ];
    let merges =
        json!([["b", "c"], ["a", "b"], ["ab", "c"], ["c", "a"], ["a", "a"], ["aa", "a"], ["bc", "ab"], ["a", "bc"]]);
    let vocab: Map<String, Value> = words.iter().zip(0..).map(|(word, id)| (word.to_string(), json!(id))).collect();
    let added = json!([{"id": 90, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": true}]);
    let mut model = json!({"type": "BPE", "continuing_subword_prefix": "", "vocab": vocab, "merges": merges});
    for (key, value) in changes {
        model[*key] = value.clone();
    }
    json!({"version": "1.0", "added_tokens": added, "pre_tokenizer": {"type": "Whitespace"}, "model": model})
}

fn texts() -> Vec<String> {
    let mut random = SplitMix64(7);
    let letters = ["a", "b", "c", "c", "a", " ", "é", "ß", "ß", "x", "\"", "日", "<s>"];
    let mut text = |n: u64| (0..n).map(|_| letters[random.below(letters.len() as u64) as usize]).collect::<String>();
    // A word that no merge makes stands alone there.
    (0..400).map(|n| text(n % 40)).chain(["acb acb".to_owned()]).collect()
}

/// Ids, texts and places of every token, and what they are decoded to.
fn seen<M: Model + Send + Sync>(
    tokenizer: &TokenizerImpl<M, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>,
) -> Vec<String> {
    let of = |text: String| {
        let made = tokenizer.encode(text.as_str(), true).unwrap();
        let decoded = tokenizer.decode(made.get_ids(), false).unwrap();
        format!("{text}: {:?} {:?} {:?} {decoded}", made.get_ids(), made.get_tokens(), made.get_offsets())
    };
    texts().into_iter().map(of).collect()
}

#[test]
fn every_token_is_the_crates() {
    let both: &[&[(&str, Value)]] = &[
        &[],
        &[("ignore_merges", json!(true))],
        &[("unk_token", json!("<unk>"))],
        &[("unk_token", json!("<unk>")), ("fuse_unk", json!(true))],
        &[("byte_fallback", json!(true))],
        &[("byte_fallback", json!(true)), ("unk_token", json!("<unk>")), ("fuse_unk", json!(true))],
        // The last of two counts.
        &[("merges", json!(["a b", "b c", "c a", "a b", "ab c"]))],
    ];
    let mut different = Vec::new();
    for changes in both {
        let text = file(changes).to_string();
        let read = read(&text).unwrap();
        assert!(matches!(read.get_model(), Words::Ours(_)), "{changes:?}");
        let crates = tokenizers::Tokenizer::from_bytes(&text).unwrap();
        assert_eq!(read.get_vocab(true), crates.get_vocab(true));
        assert_eq!(read.get_vocab_size(true), crates.get_vocab_size(true));
        let found = seen(&read);
        assert_eq!(found, seen(&crates), "{changes:?}");
        different.push(found);
    }
    // Each setting shows.
    different.sort();
    different.dedup();
    assert_eq!(different.len(), both.len());
}

#[test]
fn what_is_odd_is_the_crates_to_judge() {
    let odd: &[(&str, Value)] = &[
        ("dropout", json!(0.5)),
        ("end_of_word_suffix", json!("</w>")),
        ("vocab", json!({"a": 0, "b": 0, "ab": 2})),
        ("vocab", json!({"a": 0, "b": 1, "ab": 1000})),
        ("merges", json!([["a", "nowhere"]])),
        ("unk_token", json!("nowhere")),
    ];
    for (key, value) in odd {
        let text = match *key {
            "vocab" => file(&[("vocab", value.clone()), ("merges", json!([["a", "b"]]))]),
            key => file(&[(key, value.clone())]),
        };
        let (ours, crates) = (read(&text.to_string()), tokenizers::Tokenizer::from_bytes(text.to_string()));
        match (ours, crates) {
            (Ok(read), Ok(_)) => assert!(matches!(read.get_model(), Words::Theirs(_)), "{key}: {value}"),
            (Err(ours), Err(crates)) => assert_eq!(ours.to_string(), crates.to_string()),
            (ours, crates) => panic!("{key}: {value}: {ours:?}, {crates:?}"),
        }
    }
}
