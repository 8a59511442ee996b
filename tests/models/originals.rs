//! Checkpoints as their makers publish them: other names, experts apart, axes and norms otherwise. They are what mlx-lm's form of them
//! is, undone here by what its `sanitize` does; the logits have to be the same.

use half::bf16;
use offprint::model::kernels::Kernels;

use crate::{
    checkpoint::{Tensor, Tensors},
    golden::{Case, Golden},
    logits::wrong,
    mlx, tiny,
};

/// Tensors under new names.
fn renamed(tensors: Tensors, name: impl Fn(&str) -> String) -> Tensors {
    tensors.into_iter().map(|(old, tensor)| (name(&old), tensor)).collect()
}

/// A tensor for each expert: `FROM.gate_proj.weight` of all becomes `TO.0.GATE.weight` and so on.
fn apart(mut tensors: Tensors, from: &str, to: &str, names: [&str; 3]) -> Tensors {
    for (name, new) in ["gate_proj", "up_proj", "down_proj"].into_iter().zip(names) {
        let end = format!("{from}.{name}.weight");
        let whole: Vec<String> = tensors.keys().filter(|name| name.ends_with(&end)).cloned().collect();
        for name in whole {
            let Tensor { dtype, shape, bytes } = tensors.remove(&name).unwrap();
            for (expert, bytes) in bytes.chunks(bytes.len() / shape[0]).enumerate() {
                let name = name.replace(&end, &format!("{to}.{expert}.{new}.weight"));
                tensors.insert(name, Tensor { dtype, shape: shape[1..].to_vec(), bytes: bytes.to_vec() });
            }
        }
    }
    tensors
}

/// Gates and ups as one array, gates first: `FROM.gate_proj.weight` becomes a part of `TO.gate_up_proj`.
fn joined(mut tensors: Tensors, from: &str, to: &str) -> Tensors {
    let end = format!("{from}.gate_proj.weight");
    let whole: Vec<String> = tensors.keys().filter(|name| name.ends_with(&end)).cloned().collect();
    for name in whole {
        let of = |part: &str| name.replace("gate_proj", part);
        let [gate, up, down] = ["gate_proj", "up_proj", "down_proj"].map(|part| tensors.remove(&of(part)).unwrap());
        let (count, size) = (gate.shape[0], gate.bytes.len() / gate.shape[0]);
        let both =
            (0..count).flat_map(|e| [&gate, &up].map(|part| part.bytes[e * size..(e + 1) * size].to_vec()).concat());
        let shape = vec![count, 2 * gate.shape[1], gate.shape[2]];
        let place = |part: &str| name.replace(&end, &format!("{to}.{part}"));
        tensors.insert(place("gate_up_proj"), Tensor { dtype: gate.dtype, shape, bytes: both.collect() });
        tensors.insert(place("down_proj"), down);
    }
    tensors
}

/// Convolutions with their taps last and, if asked for, the norms of the hidden state, queries and keys less one.
fn taps_last(mut tensors: Tensors, norms: bool) -> Tensors {
    let ends = [
        "input_layernorm.weight",
        "post_attention_layernorm.weight",
        "model.norm.weight",
        "q_norm.weight",
        "k_norm.weight",
    ];
    for (name, tensor) in &mut tensors {
        if name.ends_with("conv1d.weight") || name.ends_with("conv.conv.weight") {
            tensor.shape.swap(1, 2);
        }
        if norms && ends.iter().any(|end| name.ends_with(end)) {
            let less = |two: &[u8]| bf16::from_f32(bf16::from_le_bytes([two[0], two[1]]).to_f32() - 1.0).to_le_bytes();
            tensor.bytes = tensor.bytes.chunks(2).flat_map(less).collect();
        }
    }
    tensors
}

/// `language_model.model.` as transformers has it, and the head outside.
fn inside_out(name: &str) -> String {
    let inner = name.replacen("language_model.model.", "model.language_model.", 1);
    inner.replacen("language_model.lm_head.", "lm_head.", 1)
}

#[test]
fn what_makers_publish_is_what_mlx_lm_makes_of_it() {
    let _alone = mlx();
    let golden = Golden::read();
    type Undo = fn(Tensors) -> Tensors;
    let cases: [(&str, Undo); 9] = [
        ("qwen3_moe", |all| apart(all, "mlp.switch_mlp", "mlp.experts", ["gate_proj", "up_proj", "down_proj"])),
        ("mixtral", |all| apart(all, "block_sparse_moe.switch_mlp", "block_sparse_moe.experts", ["w1", "w3", "w2"])),
        ("qwen3_next", |all| {
            taps_last(apart(all, "mlp.switch_mlp", "mlp.experts", ["gate_proj", "up_proj", "down_proj"]), true)
        }),
        ("qwen3_5", |all| renamed(taps_last(all, true), inside_out)),
        ("qwen3_5_moe", |all| renamed(joined(taps_last(all, true), "mlp.switch_mlp", "mlp.experts"), inside_out)),
        ("gemma4_moe", |all| joined(all, "experts.switch_glu", "experts")),
        ("lfm2", |all| taps_last(all, false)),
        ("lfm2_moe", |all| {
            let all = apart(all, "feed_forward.switch_mlp", "feed_forward.experts", ["w1", "w3", "w2"]);
            // Dense layers have the same names.
            let of = [("gate_proj", "w1"), ("up_proj", "w3"), ("down_proj", "w2")];
            let dense = |name: &str| {
                of.iter().fold(name.to_owned(), |name, (old, new)| {
                    name.replace(&format!("feed_forward.{old}."), &format!("feed_forward.{new}."))
                })
            };
            renamed(taps_last(all, false), dense)
        }),
        ("mistral3", |all| renamed(all, inside_out)),
    ];
    for (name, undo) in cases {
        let case: &Case = golden.cases.iter().find(|case| case.name == name && case.mode == "plain").unwrap();
        let tensors = tiny::tensors(&golden, case);
        let published = undo(tensors.clone());
        assert!(
            published.len() != tensors.len() || published.keys().ne(tensors.keys()) || name == "lfm2",
            "{name}: nothing was undone"
        );
        let folder = tiny::folder(&golden, case, &published);
        if let Err(error) = wrong(folder.path(), &Kernels::Stock, &golden, case) {
            panic!("{name}: {error:#}");
        }
    }
}
