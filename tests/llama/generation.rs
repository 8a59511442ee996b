//! The engine's loop on a small checkpoint: prefill in chunks, seeds, the end of a sequence, the clock, the errors.

use std::{fs, path::Path};

use mlx_rs::{Array, Dtype, random};
use offprint::{
    engine::{Engine, Generation, Prompt, Request, Sampling, mlx::Mlx, tokenizer::Tokenizer},
    model::{
        Checkpoint,
        decoder::Decoder,
        kernels::{self, Joined, Kernels},
    },
    record::FinishReason,
    study::{FILLER, Told},
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
        chat_template: None,
        max_tokens,
        sampling,
        seed,
        stop_on_eos: false,
        draft: None,
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
    let model =
        Decoder::load(&Checkpoint::open(folder.path()).unwrap(), Some(Dtype::Float32), &Kernels::Stock).unwrap();
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
        let model = Decoder::load(&Checkpoint::open(folder.path()).unwrap(), Some(Dtype::Float32), &kernels).unwrap();
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
        (
            Request { chat_template: Some(Told::default()), ..request("w1", 1, 0.0, 0) },
            "hint: set `chat_template: false`",
        ),
    ] {
        let error = format!("{:#}", engine.generate(&request).unwrap_err());
        assert!(error.contains(message), "{error}");
    }
}

/// A token beyond the embeddings, such as a `[PAD]` that was added later, is a fault only where a prompt has it.
#[test]
fn a_token_without_an_embedding_is_refused_where_a_prompt_has_it() {
    let _alone = mlx();
    let folder = folder();
    let file = folder.path().join("tokenizer.json");
    let mut sparse = checkpoint::tokenizer(VOCABULARY);
    sparse["model"]["vocab"]["far"] = json!(VOCABULARY);
    fs::write(&file, sparse.to_string()).unwrap();
    let mut engine = engine(folder.path());
    assert_eq!(engine_tokens(&mut engine, &request("w1 w95", 1, 0.0, 0)).n_prompt, 2);
    let error = engine.generate(&request("w1 far", 1, 0.0, 0)).unwrap_err().to_string();
    assert!(error.contains("`far`, id 96, but the model has 96 embeddings\nhint: the tokenizer belongs to"), "{error}");
    fs::write(&file, "{}").unwrap();
    let error = format!("{:#}", Mlx::new(folder.path().to_owned()).load().unwrap_err());
    assert!(error.contains("tokenizer.json") && error.contains("hint: "), "{error}");
}

/// A text gets the tokenizer's special tokens unless it begins with them; a chat has those that its template writes, and no more.
#[test]
fn special_tokens_are_added_as_mlx_lm_adds_them() {
    let _alone = mlx();
    let folder = folder();
    let mut tokenizer = checkpoint::tokenizer(VOCABULARY);
    let special = |id: u64, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    tokenizer["model"]["vocab"]["<s>"] = json!(90);
    tokenizer["added_tokens"] = json!([special(90, "<s>")]);
    tokenizer["post_processor"] = json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [90], "tokens": ["<s>"]}},
    });
    fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    set(folder.path(), "tokenizer_config.json", "bos_token", json!({"content": "<s>"}));
    let ids = |template: Option<&str>, prompt: &str| {
        if let Some(template) = template {
            fs::write(folder.path().join("chat_template.jinja"), template).unwrap();
        }
        let tokenizer = Tokenizer::open(folder.path(), VOCABULARY as usize).unwrap();
        tokenizer.prompt(prompt, template.map(|_| Told::default()).as_ref()).unwrap()
    };
    assert_eq!(ids(None, "w1 w2"), [90, 1, 2]);
    assert_eq!(ids(None, "<s> w1 w2"), [90, 1, 2]);
    let cases: [(&str, &[u32]); 3] = [
        ("w5 {{ messages[0].content }} w6", &[5, 1, 2, 6]),
        ("{% if false %}{% endif %}\n\n{{ bos_token }} {{ messages[0].content }}", &[90, 1, 2]),
        ("{{ bos_token }} {{ messages[0].content }}", &[90, 1, 2]),
    ];
    for (template, expected) in cases {
        assert_eq!(ids(Some(template), "w1 w2"), expected, "{template}");
    }
}

/// config.json's, or generation_config.json's where it names any, and the tokenizer's own, as in mlx-lm.
#[test]
fn each_file_may_name_the_end() {
    let _alone = mlx();
    let asked = Request { stop_on_eos: true, ..request("w5 w6 w7", 40, 1.0, 3) };
    let end = engine_tokens(&mut engine(folder().path()), &asked).tokens[0];
    let cases = [
        (json!(null), json!(null), json!(null), false),
        (json!(end), json!(null), json!(null), true),
        (json!([VOCABULARY + 1, end]), json!([]), json!(null), true),
        (json!(end), json!(VOCABULARY + 1), json!(null), false),
        (json!(null), json!(null), json!(format!("w{end}")), true),
        (json!(VOCABULARY + 1), json!(null), json!(format!("w{end}")), true),
        (json!([VOCABULARY + 1, end]), json!(VOCABULARY + 1), json!({"content": format!("w{end}")}), true),
    ];
    for (config, generation, tokenizer, stops) in cases {
        let folder = folder();
        set(folder.path(), "config.json", "eos_token_id", config.clone());
        set(folder.path(), "generation_config.json", "eos_token_id", generation.clone());
        set(folder.path(), "tokenizer_config.json", "eos_token", tokenizer.clone());
        let found = engine_tokens(&mut engine(folder.path()), &asked).tokens.len();
        assert_eq!(found == 1, stops, "{config} {generation} {tokenizer}: {found} tokens");
    }
}

/// A checkpoint whose tokenizer has the words of our own text, and `<s>` before every text if asked.
fn folder_of_filler(begins: bool) -> tempfile::TempDir {
    let folder = folder();
    let mut tokenizer = checkpoint::tokenizer(VOCABULARY);
    for (index, word) in FILLER.split_whitespace().enumerate() {
        tokenizer["model"]["vocab"][word] = json!((index * index + 5 * index) as u64 % 89);
    }
    if begins {
        tokenizer["model"]["vocab"]["<s>"] = json!(90);
        tokenizer["added_tokens"] = json!([{"id": 90, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}]);
        tokenizer["post_processor"] = json!({
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [90], "tokens": ["<s>"]}},
        });
        set(folder.path(), "tokenizer_config.json", "bos_token", json!("<s>"));
    }
    fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
    folder
}

/// The first `n` words of our own text, repeated as often as that takes.
fn filler(n: u32) -> String {
    let words: Vec<&str> = FILLER.split_whitespace().cycle().take(n as usize).collect();
    words.join(" ")
}

/// Shorter and longer than our own text, and around a chunk of prefill; what begins a text is one of the tokens.
#[test]
fn a_prompt_of_exactly_so_many_tokens_has_them() {
    let _alone = mlx();
    for begins in [false, true] {
        let folder = folder_of_filler(begins);
        let mut engine = engine(folder.path());
        for n in [1, 2, 7, 2048, 3000] {
            let exact = Request { prompt: Prompt::Tokens(n), ..request("", 3, 0.0, 0) };
            let generation = engine_tokens(&mut engine, &exact);
            assert_eq!(generation.n_prompt, n);
            if n > 1 {
                let same = engine_tokens(&mut engine, &request(&filler(n - u32::from(begins)), 3, 0.0, 0));
                assert_eq!((same.n_prompt, &same.tokens), (n, &generation.tokens), "{n} tokens, begins {begins}");
            }
            let behind = engine_tokens(&mut engine, &Request { context: 5, ..exact });
            assert_eq!(behind.n_prompt, n, "{n} tokens behind a context, begins {begins}");
        }
    }
}

/// A context and a prompt are one sequence, of which only the prompt is counted and timed.
#[test]
fn a_prompt_behind_a_context_continues_it() {
    let _alone = mlx();
    for begins in [false, true] {
        let folder = folder_of_filler(begins);
        let mut engine = engine(folder.path());
        let prompt = "w1 w2 w3 w4 w5";
        let alone = engine_tokens(&mut engine, &request(prompt, 8, 0.0, 0));
        for context in [1, 2, 300, 2048, 2049] {
            let asked = Request { context, ..request(prompt, 8, 0.0, 0) };
            let behind = engine_tokens(&mut engine, &asked);
            let before = filler(context - u32::from(begins));
            let whole = engine_tokens(&mut engine, &request(&format!("{before} {prompt}"), 8, 0.0, 0));
            assert_eq!((behind.n_prompt, whole.n_prompt), (5, context + 5), "begins {begins}");
            assert_eq!(behind.tokens, whole.tokens, "{context} tokens of context, begins {begins}");
            // `<s>` alone is what stands before the prompt anyway.
            assert!(
                begins && context == 1 || behind.tokens != alone.tokens,
                "{context} tokens of context do something"
            );
        }
    }
}

#[test]
fn several_requests_at_once_are_refused() {
    let _alone = mlx();
    let folder = folder();
    let asked = Request { batch: 2, ..request("w1", 1, 0.0, 0) };
    let error = engine(folder.path()).generate(&asked).unwrap_err().to_string();
    assert_eq!(error, "this engine serves one request at a time\nhint: take `batch` out of the study");
}
