//! Logits and tokens against mlx-lm's, on checkpoints that are to the bit those that mlx-lm saved.

use std::path::Path;

use mlx_rs::{Array, Dtype};
use offprint::{
    engine::{Engine, Prompt, Request, Sampling, mlx::Mlx},
    model::{
        Checkpoint,
        decoder::Decoder,
        kernels::{self, Device, Kernels},
    },
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

/// MLX's own, and ours: on a CPU the best level that it can, and the one without instructions of its own.
pub fn every_kind() -> Vec<Kernels> {
    let ours = match Device::current().unwrap() {
        Device::Metal => Vec::new(),
        Device::Cuda => vec![Kernels::Cuda],
        Device::Cpu => kernels::levels()
            .first()
            .map(|best| Kernels::Ours { level: best.clone(), threads: 2 })
            .into_iter()
            .chain(kernels::levels().last().map(|plain| Kernels::Ours { level: plain.clone(), threads: 1 }))
            .collect(),
    };
    [Kernels::Stock].into_iter().chain(ours).collect()
}

/// The tokens that an engine generates behind the prompt, as many as mlx-lm's, greedily.
fn generate(folder: &Path, kernels: &Kernels, golden: &Golden, case: &Case) -> anyhow::Result<Vec<u32>> {
    let mut engine = Mlx::new(folder.to_owned()).with(kernels.clone());
    engine.load()?;
    let words: Vec<String> = golden.ids.iter().map(|id| format!("w{id}")).collect();
    let request = Request {
        context: 0,
        batch: 1,
        prompt: Prompt::Text(words.join(" ")),
        chat_template: None,
        max_tokens: case.tokens.len() as u32,
        sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
        seed: 1,
        stop_on_eos: false,
        draft: None,
    };
    let generation = engine.generate(&request)?;
    assert_eq!(generation.n_prompt as usize, golden.ids.len(), "{}", case.title());
    Ok(generation.tokens)
}

/// Logits of each position, `step` of them at a time.
fn logits(model: &Decoder, ids: &[u32], step: usize) -> anyhow::Result<Vec<Vec<f32>>> {
    let mut past = model.past(ids.len())?;
    let mut rows = Vec::new();
    for ids in ids.chunks(step) {
        let logits = model.logits(&Array::from_slice(ids, &[ids.len() as i32]), &mut past)?;
        let logits = logits.as_dtype(Dtype::Float32)?;
        logits.eval()?;
        rows.extend(logits.as_slice::<f32>().chunks(logits.dim(2) as usize).map(<[f32]>::to_vec));
    }
    Ok(rows)
}

/// What is wrong with the logits of the prompt and of mlx-lm's tokens behind it.
fn compare(rows: &[Vec<f32>], golden: &Golden, case: &Case) -> Result<(), String> {
    let last = golden.ids.len() - 1;
    let distance = furthest(&rows[0], &case.logits[0]).max(furthest(&rows[last], &case.logits[1]));
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
    Ok(())
}

/// What is wrong with a case, by these kernels, however the prompt is cut into steps.
pub fn wrong(folder: &Path, kernels: &Kernels, golden: &Golden, case: &Case) -> anyhow::Result<()> {
    let dtype = (Device::current()? == Device::Cpu).then_some(Dtype::Float32);
    let model = Decoder::load(&Checkpoint::open(folder)?, dtype, kernels)?;
    let ids: Vec<u32> = golden.ids.iter().chain(&case.tokens).copied().collect();
    let ids = &ids[..ids.len() - 1];
    for step in [ids.len(), 5, 1] {
        let rows = logits(&model, ids, step)?;
        compare(&rows, golden, case).map_err(|error| anyhow::anyhow!("{step} at a time: {error}"))?;
    }
    let tokens = generate(folder, kernels, golden, case)?;
    // Where two tokens are very close, either may be generated.
    let close = case.margin <= 2.0 * most_from_mlx_lm();
    anyhow::ensure!(close || tokens == case.tokens, "generates {tokens:?}, not {:?}", case.tokens);
    Ok(())
}

/// ... by every kind of kernels.
fn all_wrong(golden: &Golden, case: &Case) -> Vec<String> {
    let tensors = tiny::tensors(golden, case);
    if tiny::digest(&tensors) != case.sha256 {
        return vec![format!("{}: these are not the tensors that mlx-lm saved", case.title())];
    }
    let folder = tiny::folder(golden, case, &tensors);
    let told = |kernels: Kernels| {
        let error = wrong(folder.path(), &kernels, golden, case).err()?;
        Some(format!("{}, {kernels}: {error:#}", case.title()))
    };
    every_kind().into_iter().filter_map(told).collect()
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
    let wrong: Vec<String> = of_family.into_iter().flat_map(|case| all_wrong(&golden, case)).collect();
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
