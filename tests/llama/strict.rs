//! Damaged checkpoints: each kind of damage is an error that names the tensor or the file, and the way out.

use std::fs;

use mlx_rs::Dtype;
use offprint::model::{
    Checkpoint,
    decoder::Decoder,
    kernels::Kernels,
    weights::{LoadError, WeightError},
};
use safetensors::Dtype as Stored;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    checkpoint::{self, Tensor, Tensors},
    mlx,
};

fn config() -> Value {
    json!({
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 32, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": true, "quantization": {"group_size": 32, "bits": 4},
    })
}

/// A folder whose tensors were changed by `damage` before they were written.
fn damaged(config: &Value, damage: impl FnOnce(&mut Tensors)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = checkpoint::tensors(config, Stored::F16);
    damage(&mut tensors);
    checkpoint::write(folder.path(), config, &tensors, 1);
    folder
}

fn load(folder: &TempDir) -> Result<Decoder, LoadError> {
    Decoder::load(&Checkpoint::open(folder.path()).unwrap(), Some(Dtype::Float32), &Kernels::Stock)
}

fn weight_error(folder: &TempDir) -> WeightError {
    match load(folder).unwrap_err() {
        LoadError::Weights(error) => {
            assert!(error.to_string().lines().last().unwrap().starts_with("hint: "), "{error}");
            error
        }
        other => panic!("{other}"),
    }
}

fn floats(shape: &[usize]) -> Tensor {
    Tensor { dtype: Stored::F16, shape: shape.to_vec(), bytes: vec![0; 2 * shape.iter().product::<usize>()] }
}

#[test]
fn an_undamaged_checkpoint_loads() {
    let _alone = mlx();
    load(&damaged(&config(), |_| {})).unwrap();
}

#[test]
fn each_missing_tensor_is_named() {
    let _alone = mlx();
    let all = checkpoint::tensors(&config(), Stored::F16);
    for name in all.keys() {
        let error = weight_error(&damaged(&config(), |tensors| drop(tensors.remove(name))));
        // Without its scales a module counts as not quantised, and then its packed weight is what does not fit.
        let named = error.to_string().contains(&format!("`{}`", name.replace(".scales", ".weight")));
        assert!(named || error.to_string().contains(&format!("`{name}`")), "{name}: {error}");
    }
}

#[test]
fn an_unexpected_tensor_is_named() {
    let _alone = mlx();
    let stray = "model.layers.2.mlp.up_proj.weight";
    let error = weight_error(&damaged(&config(), |tensors| drop(tensors.insert(stray.into(), floats(&[64, 64])))));
    assert!(matches!(&error, WeightError::Unexpected { names } if names == &[stray]), "{error}");
}

#[test]
fn tensors_that_mlx_lm_drops_are_dropped() {
    let _alone = mlx();
    let folder = damaged(&config(), |tensors| {
        tensors.insert("model.layers.0.self_attn.rotary_emb.inv_freq".into(), floats(&[16]));
        tensors.insert("lm_head.weight".into(), floats(&[32, 64]));
    });
    load(&folder).unwrap();
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let _alone = mlx();
    let name = "model.layers.1.post_attention_layernorm.weight";
    let error = weight_error(&damaged(&config(), |tensors| drop(tensors.insert(name.into(), floats(&[63])))));
    assert!(
        matches!(&error, WeightError::Misshapen { name: n, expected, found } if n == name && expected == &[64] && found == &[63]),
        "{error}"
    );
}

/// As mlx-lm has it: a default that is not the tensors' is not taken for a module that the file does not name, and that is told;
/// what it says of a module by name has to be so.
#[test]
fn a_quantisation_other_than_the_configured_one_is_told_or_named() {
    let _alone = mlx();
    let folder = damaged(&config(), |_| {});
    let mut eight = config();
    eight["quantization"]["bits"] = json!(8);
    fs::write(folder.path().join("config.json"), eight.to_string()).unwrap();
    let told = Decoder::check(&Checkpoint::open(folder.path()).unwrap(), &Kernels::Stock).unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("and 14 more packed otherwise than `quantization` says: 4-bit affine, group 32"),
        "{told:?}"
    );
    load(&folder).unwrap();
    eight["quantization"]["model.embed_tokens"] = json!({"bits": 8, "group_size": 32});
    fs::write(folder.path().join("config.json"), eight.to_string()).unwrap();
    let error = weight_error(&folder);
    assert!(
        matches!(&error, WeightError::Misshapen { expected, found, .. } if expected == &[32, 16] && found == &[32, 8]),
        "{error}"
    );
}

#[test]
fn a_tensor_of_another_type_is_named() {
    let _alone = mlx();
    for (name, dtype) in [("model.embed_tokens.weight", Stored::I32), ("model.norm.weight", Stored::I32)] {
        let folder = damaged(&config(), |tensors| {
            let tensor = tensors.get_mut(name).unwrap();
            let count: usize = tensor.shape.iter().product();
            *tensor = Tensor { dtype, shape: tensor.shape.clone(), bytes: vec![0; 4 * count] };
        });
        let error = weight_error(&folder);
        assert!(matches!(&error, WeightError::Mistyped { name: n, .. } if n == name), "{error}");
    }
}

#[test]
fn a_tensor_in_two_files_is_named_with_both() {
    let _alone = mlx();
    let folder = damaged(&config(), |_| {});
    fs::copy(folder.path().join("model.safetensors"), folder.path().join("model-copy.safetensors")).unwrap();
    let error = weight_error(&folder);
    assert!(
        matches!(&error, WeightError::Twice { first, second, .. } if first.ends_with("model-copy.safetensors") && second.ends_with("model.safetensors")),
        "{error}"
    );
}

#[test]
fn a_truncated_file_is_named_before_anything_is_loaded() {
    let folder = damaged(&config(), |_| {});
    let file = folder.path().join("model.safetensors");
    let length = fs::metadata(&file).unwrap().len();
    for left in [length - 1, length / 2, 100, 4, 0] {
        fs::File::options().write(true).open(&file).unwrap().set_len(left).unwrap();
        let error = format!("{:#}", Checkpoint::open(folder.path()).unwrap_err());
        assert!(error.contains("model.safetensors") && error.contains("hint: "), "{left}: {error}");
    }
}

/// Records say whose kernels computed.
#[test]
fn a_model_without_cuda_kernels_is_computed_by_mlxs_own_and_that_is_said() {
    let _alone = mlx();
    // Heads of 16 dimensions; a warp shares 32.
    let mut config = config();
    config["num_attention_heads"] = 4.into();
    let checkpoint = damaged(&config, |_| {});
    let opened = Checkpoint::open(checkpoint.path()).unwrap();
    let told = Decoder::check(&opened, &Kernels::Cuda).unwrap();
    let reason = "computed by MLX's own kernels: offprint's are not made for 4 heads of 16 dimensions, 1 of them keys'";
    assert_eq!(told, [reason]);
    assert_eq!(Decoder::check(&opened, &Kernels::Stock).unwrap(), Vec::<String>::new());
    let model = Decoder::load(&opened, Some(Dtype::Float32), &Kernels::Cuda).unwrap();
    assert_eq!(model.kernels(), &Kernels::Stock);
}
