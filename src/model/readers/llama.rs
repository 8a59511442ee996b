//! Llama and what is Llama but for a detail: Mistral, Ministral 3, SmolLM3.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::keys::Keys;
use super::{Sizes, head, rope, sliding};
use crate::model::spec::{Feed, Mixer, Norms, QueryGain, Spec};

/// `mlx_lm/models/llama.py`.
pub fn llama(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, true)?;
    let mut attention = sizes.attention();
    attention.qkv_bias = keys.flag_or("attention_bias", false)?;
    attention.output_bias = attention.qkv_bias;
    let mut dense = sizes.dense();
    dense.bias = keys.flag_or("mlp_bias", false)?;
    let interleaved = keys.flag_or("rope_traditional", false)?;
    let family = rope::Family { interleaved, ..rope::Family::whole(sizes.head_dim, Some(1e4)) };
    let rope = rope::read(keys, family)?;
    let layers = sizes.layers(&attention, &Feed::Dense(dense), Norms::BEFORE);
    let mut spec = sizes.model(layers, vec![rope], head(keys, true)?);
    windows(keys, &mut spec, None)?;
    Ok(spec)
}

/// mlx-lm opens it as a Llama, and so computes no window unless `layer_types` asks for one.
pub fn mistral(keys: &Keys<'_>) -> Result<Spec> {
    llama(keys)
}

/// `mlx_lm/models/smollm3.py`: some layers are not told positions.
pub fn smollm3(keys: &Keys<'_>) -> Result<Spec> {
    let mut spec = llama(keys)?;
    let layers = spec.layers.len();
    let interval = keys.size_or("no_rope_layer_interval", 4)?;
    let told = match keys.counts("no_rope_layers")? {
        Some(told) => told,
        None => (1..=layers).map(|layer| usize::from(layer % interval != 0)).collect(),
    };
    ensure!(
        told.len() == layers,
        "no_rope_layers: expected {layers} of them, one a layer, found {}\nhint: correct config.json",
        told.len()
    );
    for (layer, told) in spec.layers.iter_mut().zip(told) {
        if let (Mixer::Attention(attention), 0) = (&mut layer.mixer, told) {
            attention.rope = None;
        }
    }
    Ok(spec)
}

/// `mlx_lm/models/ministral3.py`: queries grow with their position, by a rule that Llama 4 had.
pub fn ministral3(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, true)?;
    let mut attention = sizes.attention();
    let of_rope = |key: &str| {
        let said = keys.said("rope_parameters").and_then(|rope| rope[key].as_f64());
        said.with_context(|| keys.missing(&format!("rope_parameters.{key}")))
    };
    attention.query_gain = Some(QueryGain {
        beta: of_rope("llama_4_scaling_beta")? as f32,
        positions: of_rope("original_max_position_embeddings")? as f32,
    });
    let rope = rope::read(keys, rope::Family::whole(sizes.head_dim, None))?;
    let layers = sizes.layers(&attention, &Feed::Dense(sizes.dense()), Norms::BEFORE);
    let mut spec = sizes.model(layers, vec![rope], head(keys, true)?);
    windows(keys, &mut spec, None)?;
    Ok(spec)
}

/// `mlx_lm/models/mistral3.py`: a tower for pictures beside a Ministral 3, or a Mistral; the head is its own unless the file says
/// otherwise.
pub fn mistral3(keys: &Keys<'_>) -> Result<Spec> {
    let mut spec = if keys.said("model_type").and_then(Value::as_str) == Some("ministral3") {
        ministral3(keys)?
    } else {
        llama(keys)?
    };
    spec.head = head(keys, false)?;
    spec.original.dropped =
        &["vision_tower", "multi_modal_projector", "model.vision_tower", "model.multi_modal_projector"];
    spec.original.renamed =
        &[("model.language_model.", "language_model.model."), ("lm_head.", "language_model.lm_head.")];
    Ok(spec)
}

/// Gives the layers that `layer_types` (or a pattern) names their window.
pub(super) fn windows(keys: &Keys<'_>, spec: &mut Spec, pattern: Option<usize>) -> Result<()> {
    let sliding = sliding(keys, spec.layers.len(), pattern)?;
    if !sliding.contains(&true) {
        return Ok(());
    }
    let window = keys.size("sliding_window").with_context(|| format!("{} asks for it", keys.name("layer_types")))?;
    for (layer, sliding) in spec.layers.iter_mut().zip(sliding) {
        if let (Mixer::Attention(attention), true) = (&mut layer.mixer, sliding) {
            attention.window = Some(window);
        }
    }
    Ok(())
}
