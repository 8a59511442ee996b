//! The engine against mlx-lm, on a real model: the same prompt ids, the same greedy tokens, the same logits. Only one test
//! uses MLX, which is used from one thread at a time; it takes minutes, so it says how far it is.
#![cfg(feature = "mlx")]
#![allow(clippy::disallowed_methods)] // compared to a tolerance
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    env,
    io::{self, Write},
    process::Command,
    sync::Mutex,
};

use offprint::{
    engine::{Engine, Generation, Prompt, Request, Sampling, mlx::Mlx, tokenizer::Tokenizer},
    model::{
        self, Checkpoint, Source,
        kernels::{self, Kernels},
    },
    record::FinishReason,
};
use serde::Deserialize;

/// What `tests/oracles/golden_tokens.py` writes.
#[derive(Deserialize)]
struct Golden {
    model: String,
    tokens: u32,
    stride: usize,
    prompts: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt: String,
    prompt_ids: Vec<u32>,
    tokens: Vec<u32>,
    text: String,
    /// Step to digest.
    logits: BTreeMap<usize, Digest>,
}

/// The logits that chose a token.
#[derive(Deserialize)]
struct Digest {
    max: f64,
    logsumexp: f64,
    /// Every `stride`th of them.
    values: Option<Vec<f32>>,
}

fn golden() -> (Golden, Checkpoint) {
    // Two tests of one process would import into one scratch folder.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _alone = FETCHING.lock().unwrap();
    let golden: Golden = serde_json::from_str(include_str!("data/golden_tokens.json")).unwrap();
    let source: Source = golden.model.parse().unwrap();
    let (checkpoint, _) = model::fetch(&source, &model::cache_dir(), &mut |_| {}).unwrap();
    (golden, checkpoint)
}

#[test]
fn prompts_have_mlx_lms_ids_and_read_back() {
    let (golden, checkpoint) = golden();
    let tokenizer = Tokenizer::open(&checkpoint.folder, checkpoint.config.vocab_size).unwrap();
    for case in &golden.prompts {
        assert_eq!(tokenizer.encode(&case.prompt).unwrap(), case.prompt_ids, "{:?}", case.prompt);
    }
    let more = [
        "  leading",
        "trailing  ",
        "a\r\n\tb",
        "0123456789",
        "naïve e\u{301}",
        "👩‍👩‍👧‍👦 🏳️‍🌈",
        "한국어 العربية",
        "\u{0}\u{7f}\u{feff}",
        "<|im_end|>x",
    ];
    for text in golden.prompts.iter().map(|case| case.prompt.as_str()).chain(more) {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
    }
    // A character cut off in its middle is shown as such, and what is before it is kept.
    let emoji = tokenizer.encode("ok 🦤").unwrap();
    let cut = tokenizer.decode(&emoji[..emoji.len() - 1]).unwrap();
    assert!(cut.starts_with("ok ") && cut.ends_with('\u{fffd}'), "{cut:?}");
}

/// MLX's own kernels take minutes on one core: this test starts itself again for them, and does ours meanwhile.
const STOCK: &str = "OFFPRINT_TEST_STOCK";
/// ... and are asked for the first tokens of each prompt: they are MLX's, and what we do around them is the same at every token.
const STOCK_TOKENS: u32 = 32;

#[test]
fn greedy_tokens_and_logits_equal_mlx_lms() {
    let (golden, checkpoint) = golden();
    assert!(golden.prompts.len() >= 20 && golden.tokens >= 128);
    if env::var_os(STOCK).is_some() {
        return greedy(&golden, &checkpoint, Kernels::Stock, STOCK_TOKENS);
    }
    for level in kernels::levels_on_request() {
        on_request(&golden, &checkpoint, Kernels::Ours { level, threads: 2 });
    }
    let mut stock = Command::new(env::current_exe().unwrap())
        .args(["--exact", "greedy_tokens_and_logits_equal_mlx_lms"])
        .env(STOCK, "1")
        .spawn()
        .unwrap();
    // At every level that this processor can, on one and on two threads.
    for level in kernels::levels() {
        for threads in [1, 2] {
            greedy(&golden, &checkpoint, Kernels::Ours { level: level.clone(), threads }, golden.tokens);
        }
    }
    assert!(stock.wait().unwrap().success(), "MLX's own kernels: see above");
}

/// A level that rounds activations to 16 bits: logits are near mlx-lm's; a text parts from its where two tokens are nearly as likely.
fn on_request(golden: &Golden, checkpoint: &Checkpoint, kernels: Kernels) {
    let mut engine = Mlx::new(checkpoint.folder.clone()).with(kernels.clone());
    engine.load().unwrap();
    let same =
        golden.prompts.iter().filter(|case| generated(&mut engine, case, golden.tokens).tokens == case.tokens).count();
    let mut far = 0f64;
    assert!(same * 10 >= golden.prompts.len() * 9, "{kernels:?}: {same} of {} texts", golden.prompts.len());
    for case in golden.prompts.iter().filter(|case| case.logits.values().any(|digest| digest.values.is_some())) {
        far = far.max(compare_logits(&engine, case, golden.stride, 3e-2));
    }
    let told = format!("{same} of {} texts are mlx-lm's, logits within {far}", golden.prompts.len());
    let mut past_the_capture = io::stderr();
    writeln!(past_the_capture, "{kernels:?}: {told}").unwrap();
}

fn generated(engine: &mut Mlx, case: &Case, max_tokens: u32) -> Generation {
    engine
        .generate(&Request {
            prompt: Prompt::Text(case.prompt.clone()),
            context: 0,
            batch: 1,
            chat_template: None,
            max_tokens,
            sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
            seed: 0,
            stop_on_eos: false,
            draft: None,
        })
        .unwrap()
}

fn greedy(golden: &Golden, checkpoint: &Checkpoint, kernels: Kernels, max_tokens: u32) {
    let mut engine = Mlx::new(checkpoint.folder.clone()).with(kernels.clone());
    engine.load().unwrap();
    if engine.backend().starts_with("mlx-cpu") {
        assert_eq!(engine.backend(), if kernels == Kernels::Stock { "mlx-cpu" } else { "mlx-cpu+offprint" });
    }

    for (index, case) in golden.prompts.iter().enumerate() {
        // Past the capture of output: a silent test of minutes looks hung.
        let mut past_the_capture = io::stderr();
        writeln!(past_the_capture, "{kernels:?}: {}/{} prompts", index + 1, golden.prompts.len()).unwrap();
        let generation = generated(&mut engine, case, max_tokens);
        assert_eq!(generation.n_prompt as usize, case.prompt_ids.len(), "{:?}", case.prompt);
        let expected = &case.tokens[..max_tokens as usize];
        assert_eq!(generation.tokens, expected, "{kernels:?}, {:?}", case.prompt);
        let whole = max_tokens == golden.tokens;
        let starts = case.text.starts_with(generation.text.trim_end_matches('\u{fffd}'));
        assert!(if whole { generation.text == case.text } else { starts }, "{generation:?}");
        assert_eq!(generation.finish, FinishReason::Length);
        assert_eq!(generation.token_times_ns.len(), expected.len());
        assert!(generation.token_times_ns.is_sorted());
        assert!(generation.tokenize_ns + generation.token_times_ns[expected.len() - 1] <= generation.e2e_ns);
    }
    for case in golden.prompts.iter().filter(|case| case.logits.values().any(|digest| digest.values.is_some())) {
        compare_logits(&engine, case, golden.stride, 1e-3);
    }
}

/// Logits of the prompt and of some generated tokens, in one pass: how far they are from mlx-lm's, less than `most`.
fn compare_logits(engine: &Mlx, case: &Case, stride: usize, most: f64) -> f64 {
    let last = *case.logits.keys().max().unwrap();
    let ids: Vec<u32> = case.prompt_ids.iter().chain(&case.tokens[..last]).copied().collect();
    let rows = engine.logits(&ids).unwrap();
    let width = rows.len() / ids.len();
    let mut far = 0f64;
    for (step, digest) in &case.logits {
        let row = &rows[(case.prompt_ids.len() - 1 + step) * width..][..width];
        let mut near = |found: f64, expected: f64, what: &str| {
            far = far.max((found - expected).abs());
            assert!(
                (found - expected).abs() < most,
                "{:?}, step {step}: {what} is {found}, mlx-lm's is {expected}",
                case.prompt
            );
        };
        let max = f64::from(row.iter().copied().fold(f32::MIN, f32::max));
        near(max, digest.max, "the largest logit");
        near(max + row.iter().map(|l| (f64::from(*l) - max).exp()).sum::<f64>().ln(), digest.logsumexp, "log-sum-exp");
        for (index, expected) in digest.values.iter().flatten().enumerate() {
            near(row[index * stride].into(), (*expected).into(), &format!("logit {}", index * stride));
        }
    }
    far
}
