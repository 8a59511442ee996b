//! Logits against mlx-lm's, for every kind of checkpoint, and however the prompt is cut into steps.

use mlx_rs::{Array, Dtype};
use offprint::model::{
    Checkpoint,
    kernels::{self, Kernels},
    llama::Llama,
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

/// MLX's kernels, and ours at every level that this processor can, on one and on two threads.
fn every_kind() -> Vec<Kernels> {
    let ours = kernels::levels()
        .into_iter()
        .flat_map(|level| [1, 2].map(|threads| Kernels::Ours { level: level.clone(), threads }));
    ours.chain([Kernels::Stock]).collect()
}

fn load(variant: &Variant, shards: usize, kernels: &Kernels) -> Llama {
    let folder = tempfile::tempdir().unwrap();
    checkpoint::write(folder.path(), &variant.config, &checkpoint::tensors(&variant.config, stored(variant)), shards);
    #[cfg_attr(not(target_os = "linux"), expect(unused_mut))]
    let mut model = Llama::load(&Checkpoint::open(folder.path()).unwrap(), Some(Dtype::Float32)).unwrap();
    #[cfg(target_os = "linux")]
    model.fuse(kernels).unwrap();
    #[cfg(not(target_os = "linux"))]
    assert_eq!(*kernels, Kernels::Stock);
    model
}

/// Logits of every position, with the ids given in steps of `chunk`.
fn logits(model: &Llama, ids: &[u32], chunk: usize) -> Vec<Vec<f32>> {
    let mut past = model.past(ids.len()).unwrap();
    let mut rows = Vec::new();
    for part in ids.chunks(chunk) {
        let out = model.logits(&Array::from_slice(part, &[part.len() as i32]), &mut past).unwrap();
        let out = out.contiguous().unwrap();
        let width = out.dim(2) as usize;
        rows.extend(out.as_slice::<f32>().chunks(width).map(<[f32]>::to_vec));
    }
    rows
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (id, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() < 1e-4, "{what}: logit {id} is {f}, mlx-lm's is {e}");
    }
}

#[test]
fn logits_equal_mlx_lms_for_every_kind_of_checkpoint() {
    let _alone = mlx();
    let golden = golden();
    assert_eq!(golden.variants.len(), 12);
    for variant in &golden.variants {
        for kernels in every_kind() {
            let model = load(variant, 1, &kernels);
            // All at once, as a prompt; in uneven chunks; one by one, as decoding does.
            for chunk in [golden.ids.len(), 4, 1] {
                let rows = logits(&model, &golden.ids, chunk);
                for (position, expected) in &variant.logits {
                    let what = format!("{}, {kernels:?}, steps of {chunk}, position {position}", variant.name);
                    assert_close(&rows[*position], expected, &what);
                }
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
        assert_close(&rows[*position], expected, &format!("position {position}"));
    }
}
