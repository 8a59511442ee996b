//! The engine's loop on a small checkpoint: prefill in chunks, seeds, the end of a sequence, the clock, the errors.

use std::{fs, path::Path};

use mlx_rs::{Array, Dtype, random};
use offprint::{
    engine::{Engine, Generation, Prompt, Request, Sampling, mlx::Mlx},
    model::{
        Checkpoint,
        kernels::{self, Joined, Kernels},
        llama::Llama,
    },
    record::FinishReason,
};
use serde_json::{Value, json};

use crate::{
    checkpoint, mlx,
    tiny::{VOCABULARY, engine, folder},
};

fn request(prompt: &str, max_tokens: u32, temperature: f64, seed: u64) -> Request {
    let sampling = Sampling { temperature, top_p: None, min_p: None, top_k: None };
    Request {
        context: 0,
        batch: 1,
        prompt: Prompt::Text(prompt.into()),
        chat_template: false,
        max_tokens,
        sampling,
        seed,
        stop_on_eos: false,
    }
}

/// `n` words, and their ids.
fn words(n: u32) -> (String, Vec<u32>) {
    let ids: Vec<u32> = (0..n).map(|i| (i * i + 7 * i + 3) % VOCABULARY as u32).collect();
    (ids.iter().map(|id| format!("w{id}")).collect::<Vec<_>>().join(" "), ids)
}

fn set(folder: &Path, file: &str, key: &str, value: Value) {
    let path = folder.join(file);
    let mut all: Value = fs::read_to_string(&path).map_or(json!({}), |text| serde_json::from_str(&text).unwrap());
    all[key] = value;
    fs::write(path, all.to_string()).unwrap();
}

/// Prompts around the chunk's 2048 positions give the token that the whole prompt in one pass gives.
#[test]
fn a_prompt_in_chunks_is_the_same_prompt() {
    let _alone = mlx();
    let folder = folder();
    let mut engine = engine(folder.path());
    let model = Llama::load(&Checkpoint::open(folder.path()).unwrap(), Some(Dtype::Float32), &Kernels::Stock).unwrap();
    for n in [1, 2, 2048, 2049, 2050, 2300] {
        let (prompt, ids) = words(n);
        let generation = engine_tokens(&mut engine, &request(&prompt, 3, 0.0, 0));
        assert_eq!(generation.n_prompt, n);
        let mut expected = Vec::new();
        for _ in 0..3 {
            let all: Vec<u32> = ids.iter().chain(&expected).copied().collect();
            let logits = model
                .logits(&Array::from_slice(&all, &[all.len() as i32]), &mut model.past(all.len()).unwrap())
                .unwrap()
                .contiguous()
                .unwrap();
            let row = &logits.as_slice::<f32>()[(all.len() - 1) * VOCABULARY as usize..];
            expected.push((0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).unwrap() as u32);
        }
        assert_eq!(generation.tokens, expected, "{n} tokens of prompt");
    }
}

fn engine_tokens(engine: &mut Mlx, request: &Request) -> Generation {
    let generation = engine.generate(request).unwrap();
    let last = *generation.token_times_ns.last().unwrap();
    assert_eq!(generation.token_times_ns.len(), generation.tokens.len());
    assert!(generation.token_times_ns.is_sorted() && generation.token_times_ns[0] > 0);
    assert!(generation.tokenize_ns > 0 && generation.tokenize_ns + last <= generation.e2e_ns);
    generation
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let _alone = mlx();
    let folder = folder();
    let mut engine = engine(folder.path());
    let mut tokens = |seed| engine_tokens(&mut engine, &request("w1 w2 w3", 24, 1.0, seed)).tokens;
    let first = tokens(11);
    assert_eq!(first.len(), 24);
    assert_eq!(first, tokens(11));
    assert_ne!(first, tokens(12));
    // A loaded engine keeps nothing of an earlier request.
    let mut fresh = self::engine(folder.path());
    assert_eq!(first, engine_tokens(&mut fresh, &request("w1 w2 w3", 24, 1.0, 11)).tokens);
}

/// Ours draw the tokens that MLX's `categorical` draws from the same logits, with the key that a seed and a step make.
#[test]
fn a_seed_draws_mlxs_tokens_at_every_level() {
    let _alone = mlx();
    let folder = folder();
    let (prompt, ids) = words(5);
    for level in kernels::levels() {
        let kernels = Kernels::Ours { level, threads: 1 };
        let mut engine = Mlx::new(folder.path().to_owned()).with(kernels.clone());
        engine.load().unwrap();
        let model = Llama::load(&Checkpoint::open(folder.path()).unwrap(), Some(Dtype::Float32), &kernels).unwrap();
        for (seed, temperature) in [(1, 0.7f32), (2, 0.7), (3, 1.6)] {
            let mut past = model.past(ids.len() + 64).unwrap();
            model.prefill(&Array::from_slice(&ids[..4], &[4]), &mut past).unwrap();
            let (mut last, mut expected) = (ids[4], Vec::new());
            for step in 0..64 {
                let logits = model.logits(&Array::from_slice(&[last], &[1]), &mut past).unwrap();
                let scaled = logits.flatten(None, -2).unwrap() * Array::from_f32(1.0 / temperature);
                let key = random::key(split_mix(seed, step)).unwrap();
                last = random::categorical(&scaled, -1, None, &key).unwrap().item_exact::<u32>();
                expected.push(last);
            }
            let found = engine_tokens(&mut engine, &request(&prompt, 64, f64::from(temperature), seed)).tokens;
            assert_eq!(found, expected, "{kernels}, seed {seed}");
        }
    }
}

/// The `step`th number of SplitMix64 from this seed.
fn split_mix(seed: u64, step: u64) -> u64 {
    let z = seed.wrapping_add((step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn the_backend_says_what_is_not_mlx_lms_way() {
    let _alone = mlx();
    let folder = folder();
    let backend = |kernels| {
        let mut engine = Mlx::new(folder.path().to_owned()).with(kernels);
        engine.load().unwrap();
        engine.backend()
    };
    let stock = backend(Kernels::Stock);
    assert!(["mlx-cpu", "mlx-cuda", "mlx-metal"].contains(&stock.as_str()), "{stock}");
    assert_eq!(backend(Kernels::Joined(Joined { qkv: true, gate_up: false })), format!("{stock}+joined"));
}

#[test]
fn an_end_of_sequence_token_ends_generation_only_where_asked() {
    let _alone = mlx();
    let folder = folder();
    let asked = request("w5 w6 w7", 40, 1.0, 3);
    let free = engine_tokens(&mut engine(folder.path()), &asked);
    assert_eq!((free.tokens.len(), free.finish), (40, FinishReason::Length));
    // The first token is an end by config.json alone; generation_config.json says that others are, and wins.
    set(folder.path(), "config.json", "eos_token_id", json!(free.tokens[0]));
    let stopping = Request { stop_on_eos: true, ..asked.clone() };
    let by_config = engine_tokens(&mut engine(folder.path()), &stopping);
    assert_eq!((by_config.tokens, by_config.finish), (free.tokens[..1].to_vec(), FinishReason::Stop));
    let late = free.tokens[9];
    let place = free.tokens.iter().position(|id| *id == late).unwrap();
    set(folder.path(), "generation_config.json", "eos_token_id", json!([late, VOCABULARY + 1]));
    let mut engine = engine(folder.path());
    let by_both = engine_tokens(&mut engine, &stopping);
    assert_eq!((by_both.tokens, by_both.finish), (free.tokens[..=place].to_vec(), FinishReason::Stop));
    assert_eq!(engine_tokens(&mut engine, &asked).tokens, free.tokens);
}

#[test]
fn the_peak_is_of_this_generation_alone() {
    let _alone = mlx();
    let folder = folder();
    let mut engine = engine(folder.path());
    let mut peak = |n, max| engine_tokens(&mut engine, &request(&words(n).0, max, 0.0, 0)).peak_memory_bytes.unwrap();
    let (long, short) = (peak(2000, 1), peak(2, 1));
    assert!(short < long / 2, "{short} after {long}");
    assert!(short as usize > fs::metadata(folder.path().join("model.safetensors")).unwrap().len() as usize / 2);
}

#[test]
fn a_generation_that_cannot_be_says_why() {
    let _alone = mlx();
    let folder = folder();
    let error = Mlx::new(folder.path().to_owned()).generate(&request("w1", 1, 0.0, 0)).unwrap_err();
    assert!(error.to_string().contains("before it was loaded"), "{error}");
    let mut engine = engine(folder.path());
    for (request, message) in [
        (request("", 1, 0.0, 0), "hint: give the study a prompt with text"),
        (Request { chat_template: true, ..request("w1", 1, 0.0, 0) }, "hint: set `chat_template: false`"),
    ] {
        let error = format!("{:#}", engine.generate(&request).unwrap_err());
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let _alone = mlx();
    let folder = folder();
    let file = folder.path().join("tokenizer.json");
    let refused = |tokenizer: &Value| {
        fs::write(&file, tokenizer.to_string()).unwrap();
        format!("{:#}", Mlx::new(folder.path().to_owned()).load().unwrap_err())
    };
    let error = refused(&checkpoint::tokenizer(VOCABULARY + 1));
    assert!(
        error.contains("tokenizer.json") && error.contains("hint: the tokenizer belongs to another model"),
        "{error}"
    );
    // Few tokens, but one whose id has no embedding.
    let mut sparse = checkpoint::tokenizer(10);
    sparse["model"]["vocab"]["far"] = json!(VOCABULARY);
    let error = refused(&sparse);
    assert!(error.contains("`far`") && error.contains("hint: the tokenizer belongs to another model"), "{error}");
    let error = refused(&json!({}));
    assert!(error.contains("tokenizer.json") && error.contains("hint: "), "{error}");
}
