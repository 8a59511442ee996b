//! Tensors as a model's makers publish them -> as mlx-lm stores them, which is what the decoder loads: towers dropped, prefixes
//! renamed, experts stacked. What mlx-lm calls `sanitize`. Arrays are lazy, so what is not asked for costs nothing.

use std::collections::BTreeSet;

use mlx_rs::{Array, Dtype, ops};

use crate::model::{
    spec::{Feed, Keys, Mixer, Spec, StoredExperts},
    weights::{LoadError, Loaded, Weights},
};

/// Norms of the text model, by the ends of their names, that Qwen's makers store less one.
const NORMS: [&str; 5] = [
    ".input_layernorm.weight",
    ".post_attention_layernorm.weight",
    "model.norm.weight",
    ".q_norm.weight",
    ".k_norm.weight",
];

/// Brings the tensors into mlx-lm's form. What was dropped, in words.
///
/// # Errors
/// Experts of which some are missing; a packing that is not read.
pub fn convert(weights: &mut Weights, spec: &Spec) -> Loaded<Vec<String>> {
    let notes = drop_others(weights, spec);
    for (from, to) in spec.original.renamed {
        for name in weights.names() {
            let whole = name.strip_prefix(from).filter(|_| !name.starts_with("language_model."));
            if let (Some(rest), false) = (whole, from == to) {
                let array = weights.remove(&name);
                array.into_iter().for_each(|array| weights.insert(format!("{to}{rest}"), array));
            }
        }
    }
    channels_first(weights, spec)?;
    for (index, layer) in spec.layers.iter().enumerate() {
        // Dense layers beside have the names that experts have.
        if let (Feed::Dense(dense), StoredExperts::Apart([_, names @ ..])) = (&layer.feed, spec.original.experts) {
            for (from, to) in names.into_iter().zip(dense.names).filter(|(from, to)| from != to) {
                let path = |name: &str| spec.in_layer(index, &format!("{}.{name}.weight", dense.path));
                if let Some(array) = weights.remove(&path(from)) {
                    weights.insert(path(to), array);
                }
            }
        }
        if let Feed::Experts(experts) | Feed::Beside(_, experts) = &layer.feed {
            let to = spec.in_layer(index, experts.path);
            match spec.original.experts {
                StoredExperts::Stacked => {}
                StoredExperts::Apart([folder, gate, up, down]) => {
                    let from = spec.in_layer(index, folder);
                    for (name, place) in [(gate, "gate_proj"), (up, "up_proj"), (down, "down_proj")] {
                        stack(weights, &from, name, experts.count, &format!("{to}.{place}"))?;
                    }
                }
                StoredExperts::Joined => {
                    let folder = experts.path.rsplit_once('.').map_or(experts.path, |(folder, _)| folder);
                    let from = spec.in_layer(index, if folder == "mlp" { "mlp.experts" } else { folder });
                    divide(weights, &from, &to)?;
                }
            }
        }
    }
    if let Some(name) = weights.names().into_iter().find(|name| name.ends_with("_blocks")) {
        return Err(LoadError::from(format!(
            "tensor `{name}`: the weights are in OpenAI's own packing\nhint: choose a checkpoint that was converted for MLX (mlx-community), or convert it with mlx_lm.convert"
        )));
    }
    Ok(notes)
}

/// Towers, heads for further tokens, and keys of layers that read another's.
fn drop_others(weights: &mut Weights, spec: &Spec) -> Vec<String> {
    let mut dropped: BTreeSet<&str> = BTreeSet::new();
    let mut count = 0;
    for name in weights.names() {
        if let Some(prefix) = spec.original.dropped.iter().find(|prefix| name.starts_with(**prefix)) {
            dropped.insert(prefix.trim_end_matches('.'));
            weights.remove(&name);
            count += 1;
        }
    }
    for (index, layer) in spec.layers.iter().enumerate() {
        if matches!(&layer.mixer, Mixer::Attention(attention) if matches!(attention.keys, Keys::Of(_))) {
            for part in ["k_proj", "v_proj", "k_norm"] {
                weights.discard(&spec.in_layer(index, &format!("self_attn.{part}.")));
            }
        }
    }
    if dropped.is_empty() {
        return Vec::new();
    }
    let names: Vec<&str> = dropped.into_iter().collect();
    vec![format!("{count} tensors are no part of the text model and not read: {}", names.join(", "))]
}

/// Convolutions whose taps are the last axis, and the norms that are stored with them.
fn channels_first(weights: &mut Weights, spec: &Spec) -> Loaded<()> {
    let mut makers = false;
    for name in weights.names() {
        if !name.ends_with("conv1d.weight") && !name.ends_with("conv.conv.weight") {
            continue;
        }
        let Some(array) = weights.get(&name).filter(|array| array.ndim() == 3 && array.dim(2) != 1) else { continue };
        let turned = array.transpose_axes(&[0, 2, 1])?;
        weights.insert(name, turned);
        makers = true;
    }
    if makers && spec.original.norms_less_one {
        for name in weights.names() {
            let norm = weights.get(&name).filter(|array| array.ndim() == 1);
            if let (Some(norm), true) = (norm, NORMS.iter().any(|end| name.ends_with(end))) {
                let whole = ops::add(norm, Array::from_f32(1.0).as_dtype(norm.dtype())?)?;
                weights.insert(name, whole);
            }
        }
    }
    Ok(())
}

/// `FOLDER.0.NAME.weight`, `FOLDER.1.NAME.weight`, ... as one array.
fn stack(weights: &mut Weights, folder: &str, name: &str, count: usize, to: &str) -> Loaded<()> {
    for part in ["weight", "scales", "biases"] {
        let of = |expert: usize| format!("{folder}.{expert}.{name}.{part}");
        if weights.get(&of(0)).is_none() {
            continue;
        }
        let missing = |expert: usize| {
            LoadError::from(format!("tensor `{}` is missing\nhint: fetch the checkpoint again", of(expert)))
        };
        let all: Vec<Array> = (0..count)
            .map(|expert| weights.remove(&of(expert)).ok_or_else(|| missing(expert)))
            .collect::<Loaded<_>>()?;
        weights.insert(format!("{to}.{part}"), ops::stack(&all, 0)?);
    }
    Ok(())
}

/// `FOLDER.gate_up_proj`, gates first, and `FOLDER.down_proj`.
fn divide(weights: &mut Weights, folder: &str, to: &str) -> Loaded<()> {
    let Some(both) = weights.remove(&format!("{folder}.gate_up_proj")) else { return Ok(()) };
    if both.ndim() != 3 || both.dtype() == Dtype::Uint32 {
        return Err(format!("tensor `{folder}.gate_up_proj`: expected numbers of three dimensions\nhint: choose a checkpoint that was converted for MLX").into());
    }
    let mut parts = both.split_equal(2, 1)?.into_iter();
    for name in ["gate_proj", "up_proj"] {
        parts.next().into_iter().for_each(|part| weights.insert(format!("{to}.{name}.weight"), part));
    }
    if let Some(down) = weights.remove(&format!("{folder}.down_proj")) {
        weights.insert(format!("{to}.down_proj.weight"), down);
    }
    Ok(())
}
