//! Logits and tokens against mlx-lm's, on checkpoints that are to the bit those that mlx-lm saved.

use std::path::Path;

use offprint::{
    engine::{Engine, Prompt, Request, Sampling, mlx::Mlx},
    model::kernels::{Device, Kernels},
};

use crate::{
    golden::{Case, Golden},
    mlx, tiny,
};

/// MLX's products of eight rows or more are made of bfloat16 on CUDA.
fn most_from_mlx_lm() -> f32 {
    if Device::current().unwrap() == Device::Cpu { 1e-4 } else { 0.1 }
}

fn furthest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let distance = |(f, e): (&f32, &f32)| if (f - e).is_nan() { f32::INFINITY } else { (f - e).abs() };
    found.iter().zip(expected).map(distance).fold(0.0, f32::max)
}

/// An engine that has read the checkpoint, and the tokens it generates behind the prompt, as many as mlx-lm's, greedily.
fn generate(folder: &Path, golden: &Golden, case: &Case) -> anyhow::Result<(Mlx, Vec<u32>)> {
    let mut engine = Mlx::new(folder.to_owned()).with(Kernels::Stock);
    engine.load()?;
    let words: Vec<String> = golden.ids.iter().map(|id| format!("w{id}")).collect();
    let request = Request {
        context: 0,
        batch: 1,
        prompt: Prompt::Text(words.join(" ")),
        chat_template: false,
        max_tokens: case.tokens.len() as u32,
        sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
        seed: 1,
        stop_on_eos: false,
    };
    let generation = engine.generate(&request)?;
    assert_eq!(generation.n_prompt as usize, golden.ids.len(), "{}", case.title());
    Ok((engine, generation.tokens))
}

/// What is wrong with the logits of the prompt and of mlx-lm's tokens behind it, taken at once, or with the generated tokens.
fn compare(engine: &Mlx, tokens: &[u32], golden: &Golden, case: &Case) -> Result<(), String> {
    let last = golden.ids.len() - 1;
    let ids: Vec<u32> = golden.ids.iter().chain(&case.tokens).copied().collect();
    let logits = engine.logits(&ids[..ids.len() - 1]).map_err(|error| format!("{error:#}"))?;
    let rows: Vec<&[f32]> = logits.chunks(case.logits[0].len()).collect();
    let distance = furthest(rows[0], &case.logits[0]).max(furthest(rows[last], &case.logits[1]));
    if distance > most_from_mlx_lm() {
        return Err(format!("logits {distance} away"));
    }
    // Each token is the best after those before it, as far as logits may be apart.
    for (row, token) in rows[last..].iter().zip(&case.tokens) {
        let best = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if best - row[*token as usize] > 2.0 * most_from_mlx_lm() {
            return Err(format!("token {token}: {} below the best logit", best - row[*token as usize]));
        }
    }
    // Where two tokens are that close, either may be generated.
    if case.margin > 2.0 * most_from_mlx_lm() && tokens != case.tokens {
        return Err(format!("generates {tokens:?}, not {:?}", case.tokens));
    }
    Ok(())
}

/// What is wrong with a case.
fn wrong(golden: &Golden, case: &Case) -> Result<(), String> {
    let tensors = tiny::tensors(golden, case);
    if tiny::digest(&tensors) != case.sha256 {
        return Err("these are not the tensors that mlx-lm saved".to_owned());
    }
    let folder = tiny::folder(golden, case, &tensors);
    match generate(folder.path(), golden, case) {
        Ok((engine, tokens)) => compare(&engine, &tokens, golden, case),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Ways of storing numbers, a test each.
fn family(mode: &str) -> &'static str {
    match mode {
        "plain" => "plain",
        "affine2" | "affine3" | "affine4" | "affine5" | "affine6" | "affine8" => "affine",
        "mxfp4" | "mxfp8" | "nvfp4" => "floating",
        "mixed_3_6" | "mixed_4_6" | "mxfp4_q8" | "unnamed" => "mixed",
        other => panic!("{other}"),
    }
}

fn check(stored: &str, cases: usize) {
    let _alone = mlx();
    let golden = Golden::read();
    let of_family: Vec<&Case> = golden.cases.iter().filter(|case| family(&case.mode) == stored).collect();
    assert_eq!(of_family.len(), cases);
    let wrong =
        of_family.into_iter().filter_map(|case| Some(format!("{}: {}", case.title(), wrong(&golden, case).err()?)));
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_architecture_gives_mlx_lms_logits() {
    check("plain", 62);
}

#[test]
fn every_architecture_gives_mlx_lms_logits_from_affine_weights() {
    check("affine", 70);
}

#[test]
fn every_architecture_gives_mlx_lms_logits_from_floating_weights() {
    check("floating", 52);
}

#[test]
fn every_architecture_gives_mlx_lms_logits_from_mixed_weights() {
    check("mixed", 14);
}
