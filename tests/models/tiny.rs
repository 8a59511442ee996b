//! A case -> the checkpoint that mlx-lm answered for, to the bit.

use std::{collections::BTreeMap, fs};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    checkpoint::{self, Tensors},
    formats,
    golden::{Case, Golden},
    mlx, values,
};

/// Every tensor, quantised where the case says so.
pub fn tensors(golden: &Golden, case: &Case) -> Tensors {
    let mut all = BTreeMap::new();
    for parameter in golden.parameters(case) {
        let plain = values::tensor(parameter.name, &parameter.shape, parameter.dtype);
        let Some(format) = parameter.format else {
            all.insert(parameter.name.to_owned(), plain);
            continue;
        };
        let path = parameter.name.strip_suffix(".weight").unwrap();
        let parts = ["weight", "scales", "biases"].into_iter().zip(formats::quantize(&plain, &format));
        all.extend(parts.map(|(part, tensor)| (format!("{path}.{part}"), tensor)));
    }
    all
}

/// Of `name dtype shape\n` and the bytes of each tensor, in order of their names: what [`Case::sha256`] is.
pub fn digest(tensors: &Tensors) -> String {
    let mut sha = Sha256::new();
    for (name, tensor) in tensors {
        let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
        sha.update(format!("{name} {:?} {}\n", tensor.dtype, shape.join("x")));
        sha.update(&tensor.bytes);
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder that vanishes.
pub fn folder(golden: &Golden, case: &Case, tensors: &Tensors) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    checkpoint::write(folder.path(), &golden.config(case), tensors, 1);
    let named = serde_json::json!({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "w1", "bos_token": "w0"});
    fs::write(folder.path().join("tokenizer_config.json"), named.to_string()).unwrap();
    folder
}

#[test]
fn a_changed_bit_or_name_is_another_checkpoint() {
    let _alone = mlx();
    let golden = Golden::read();
    let case = golden.cases.iter().find(|case| case.title() == "llama mxfp4").unwrap();
    let all = tensors(&golden, case);
    assert_eq!(digest(&all), case.sha256);
    for name in ["model.norm.weight", "model.layers.0.mlp.up_proj.weight", "model.layers.3.mlp.down_proj.scales"] {
        let mut changed = all.clone();
        changed.get_mut(name).unwrap().bytes[5] ^= 1;
        assert_ne!(digest(&changed), case.sha256, "{name}");
        let mut renamed = all.clone();
        let tensor = renamed.remove(name).unwrap();
        renamed.insert(format!("{name}_"), tensor);
        assert_ne!(digest(&renamed), case.sha256, "{name}");
    }
}
