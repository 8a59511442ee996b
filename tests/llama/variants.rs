//! Logits against mlx-lm's, for every kind of checkpoint, and however the prompt is cut into steps.

use mlx_rs::{Array, Dtype};
use offprint::model::{
    Checkpoint,
    decoder::Decoder,
    kernels::{self, Device, Joined, Kernels},
};
use safetensors::Dtype as Stored;
use serde::Deserialize;
use serde_json::Value;

use crate::{checkpoint, mlx};

#[derive(Deserialize)]
struct Golden {
    ids: Vec<u32>,
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    name: String,
    dtype: String,
    config: Value,
    /// Position to logits.
    logits: std::collections::BTreeMap<usize, Vec<f32>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../data/llama_variants.json")).unwrap()
}

fn stored(variant: &Variant) -> Stored {
    match variant.dtype.as_str() {
        "F32" => Stored::F32,
        "F16" => Stored::F16,
        "BF16" => Stored::BF16,
        other => panic!("{other}"),
    }
}

fn on_gpu() -> bool {
    Device::current().unwrap() != Device::Cpu
}

/// MLX's kernels with any matrices joined, and ours: on a CPU at every level that it can, on one and on two threads.
fn every_kind() -> Vec<Kernels> {
    let joined =
        [(true, false), (false, true), (true, true)].map(|(qkv, gate_up)| Kernels::Joined(Joined { qkv, gate_up }));
    let ours = match Device::current().unwrap() {
        Device::Metal => Vec::new(),
        Device::Cuda => vec![Kernels::Cuda],
        Device::Cpu => kernels::levels()
            .into_iter()
            .flat_map(|level| [1, 2].map(|threads| Kernels::Ours { level: level.clone(), threads }))
            .collect(),
    };
    [Kernels::Stock].into_iter().chain(joined).chain(ours).collect()
}

fn load(variant: &Variant, shards: usize, kernels: &Kernels) -> Decoder {
    load_as(variant, shards, Some(Dtype::Float32), kernels)
}

fn load_as(variant: &Variant, shards: usize, dtype: Option<Dtype>, kernels: &Kernels) -> Decoder {
    let folder = tempfile::tempdir().unwrap();
    checkpoint::write(folder.path(), &variant.config, &checkpoint::tensors(&variant.config, stored(variant)), shards);
    Decoder::load(&Checkpoint::open(folder.path()).unwrap(), dtype, kernels).unwrap()
}

/// Logits of every position, with the ids given in steps of `chunk`.
fn logits(model: &Decoder, ids: &[u32], chunk: usize) -> Vec<Vec<f32>> {
    let mut past = model.past(ids.len()).unwrap();
    let mut rows = Vec::new();
    for part in ids.chunks(chunk) {
        let out = model.logits(&Array::from_slice(part, &[part.len() as i32]), &mut past).unwrap();
        let out = out.as_dtype(Dtype::Float32).unwrap().contiguous().unwrap();
        let width = out.dim(2) as usize;
        rows.extend(out.as_slice::<f32>().chunks(width).map(<[f32]>::to_vec));
    }
    rows
}

fn furthest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let distance = |(f, e): (&f32, &f32)| if (f - e).is_nan() { f32::INFINITY } else { (f - e).abs() };
    found.iter().zip(expected).map(distance).fold(0.0, f32::max)
}

/// MLX's products of eight rows or more are made of bfloat16 on CUDA.
fn most_from_mlx_lm() -> f32 {
    if on_gpu() { 0.1 } else { 1e-4 }
}

#[test]
fn logits_equal_mlx_lms_for_every_kind_of_checkpoint() {
    let _alone = mlx();
    let golden = golden();
    assert_eq!(golden.variants.len(), 12);
    let mut wrong = Vec::new();
    for variant in &golden.variants {
        for kernels in every_kind() {
            let model = load(variant, 1, &kernels);
            // All at once, as a prompt; in uneven chunks; one by one, as decoding does.
            for chunk in [golden.ids.len(), 4, 1] {
                let rows = logits(&model, &golden.ids, chunk);
                let distances = variant.logits.iter().map(|(position, expected)| furthest(&rows[*position], expected));
                let distance = distances.fold(0.0, f32::max);
                if distance > most_from_mlx_lm() {
                    wrong.push(format!("{}, {kernels:?}, steps of {chunk}: {distance} away", variant.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A width that mlx-lm's golden answers lack: MLX's own kernels are the oracle.
#[test]
fn five_bits_are_computed_by_every_kind_of_kernels() {
    let _alone = mlx();
    let golden = golden();
    let variant = golden.variants.iter().find(|variant| !variant.config["quantization"].is_null()).unwrap();
    for group in [32, 64] {
        let mut config = variant.config.clone();
        for (size, least) in [("hidden_size", 64), ("intermediate_size", 128)] {
            assert!(config[size].as_u64().unwrap() % least == 0, "{size}");
        }
        config["quantization"] = serde_json::json!({"group_size": group, "bits": 5, "mode": "affine"});
        let variant = Variant { name: String::new(), dtype: variant.dtype.clone(), config, logits: Default::default() };
        let stock = logits(&load(&variant, 1, &Kernels::Stock), &golden.ids, golden.ids.len());
        assert!(stock.iter().flatten().any(|logit| logit.abs() > 0.1), "logits of some size");
        for kernels in every_kind() {
            for chunk in [golden.ids.len(), 1] {
                let rows = logits(&load(&variant, 1, &kernels), &golden.ids, chunk);
                let distance = rows.iter().zip(&stock).map(|(row, own)| furthest(row, own)).fold(0.0, f32::max);
                assert!(
                    distance < most_from_mlx_lm(),
                    "{kernels:?}, groups of {group}, steps of {chunk}: {distance} away"
                );
            }
        }
    }
}

#[test]
fn shards_make_the_same_model_as_one_file() {
    let _alone = mlx();
    let golden = golden();
    let variant = golden.variants.iter().find(|variant| variant.name.starts_with("mixed")).unwrap();
    let rows = logits(&load(variant, 3, &Kernels::Stock), &golden.ids, golden.ids.len());
    for (position, expected) in &variant.logits {
        let distance = furthest(&rows[*position], expected);
        assert!(distance < most_from_mlx_lm(), "position {position}: {distance} away");
    }
}

/// The logits of each id of `rest` after `prompt`, whose last id is prefilled alone: its key and value must be there although
/// nobody asks for its logits.
fn continued(model: &Decoder, prompt: &[u32], rest: &[u32]) -> Vec<Vec<f32>> {
    let array = |ids: &[u32]| Array::from_slice(ids, &[ids.len() as i32]);
    let mut past = model.past(prompt.len() + rest.len()).unwrap();
    let (last, before) = prompt.split_last().unwrap();
    for part in [before, &[*last]] {
        model.prefill(&array(part), &mut past).unwrap();
    }
    let step = |id: &u32| {
        let out = model.logits(&array(&[*id]), &mut past).unwrap();
        out.as_dtype(Dtype::Float32).unwrap().contiguous().unwrap().as_slice::<f32>().to_vec()
    };
    rest.iter().map(step).collect()
}

/// A prompt, then single steps; on a CPU so many that the first block of the cache is full, on CUDA after prompts of every
/// size, too, and in the checkpoint's own type, as there.
#[test]
fn every_kind_of_kernels_goes_on_from_a_long_past_as_mlxs_own_do() {
    let _alone = mlx();
    let golden = golden();
    let ids: Vec<u32> = (0..4100).map(|n| (n * 37 + n * n) % 61).collect();
    let lengths: &[(usize, usize)] = if on_gpu() { &[(20, 280), (1999, 4), (4050, 4)] } else { &[(20, 280)] };
    let mut wrong = Vec::new();
    let halves = golden.variants.iter().filter(|variant| ["F16", "BF16"].contains(&variant.dtype.as_str()));
    // Compiling CUDA kernels takes seconds a model.
    for variant in halves.step_by(if on_gpu() { 2 } else { 1 }) {
        // A half has 11 bits, a bfloat16 8; logits here are below 4.
        let own = if variant.dtype == "F16" { 0.02 } else { 0.16 };
        let types = [(Some(Dtype::Float32), 1e-3), (None, own)];
        for (dtype, most) in types.into_iter().take(if on_gpu() { 2 } else { 1 }) {
            let stock = load_as(variant, 1, dtype, &Kernels::Stock);
            for kernels in every_kind() {
                let model = load_as(variant, 1, dtype, &kernels);
                for (prompt, steps) in lengths {
                    let (prompt, rest) = (&ids[..*prompt], &ids[*prompt..prompt + steps]);
                    let rows = continued(&model, prompt, rest).into_iter().zip(continued(&stock, prompt, rest));
                    let distance = rows.map(|(found, expected)| furthest(&found, &expected)).fold(0.0, f32::max);
                    if distance > most {
                        let what = format!("{}, {dtype:?}, {kernels:?}, after {}", variant.name, prompt.len());
                        wrong.push(format!("{what}: {distance} away"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
