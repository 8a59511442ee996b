//! Qwen2, Qwen3, and Qwen3 with experts.

use anyhow::{Context, Result};

use super::keys::Keys;
use super::{Sizes, head, rope};
use crate::model::spec::{Activation, Experts, Feed, Norms, QkNorm, Routing, Spec, StoredExperts};

/// The norm of a head's query and key, as Qwen calls it.
pub(super) const A_HEAD: QkNorm = QkNorm { query: "q_norm", key: "k_norm", whole: false };

/// `mlx_lm/models/qwen2.py`: queries, keys and values have biases.
pub fn qwen2(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, false)?;
    let mut attention = sizes.attention();
    attention.qkv_bias = true;
    let interleaved = keys.flag_or("rope_traditional", false)?;
    let family = rope::Family { interleaved, ..rope::Family::whole(sizes.head_dim, Some(1e6)) };
    let rope = rope::read(keys, family)?;
    let layers = sizes.layers(&attention, &Feed::Dense(sizes.dense()), Norms::BEFORE);
    Ok(sizes.model(layers, vec![rope], head(keys, true)?))
}

/// `mlx_lm/models/qwen3.py`: queries and keys are normed.
pub fn qwen3(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, true)?;
    let mut attention = sizes.attention();
    attention.qk_norm = Some(A_HEAD);
    let rope = rope::read(keys, rope::Family::whole(sizes.head_dim, None))?;
    let layers = sizes.layers(&attention, &Feed::Dense(sizes.dense()), Norms::BEFORE);
    Ok(sizes.model(layers, vec![rope], required_head(keys)?))
}

/// `mlx_lm/models/qwen3_moe.py`: that, with experts in most layers.
pub fn qwen3_moe(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, true)?;
    let mut attention = sizes.attention();
    attention.qk_norm = Some(A_HEAD);
    // mlx-lm computes no scaling of this family's rotation.
    let family = rope::Family { kinds: &["default"], ..rope::Family::whole(sizes.head_dim, None) };
    let rope = rope::read(keys, family)?;
    let mut layers = sizes.layers(&attention, &Feed::Dense(sizes.dense()), Norms::BEFORE);
    if let Some(experts) = experts(keys, keys.flag("norm_topk_prob")?)? {
        sparse(keys, &mut layers, |layer| layer.feed = Feed::Experts(experts.clone()))?;
    }
    let mut spec = sizes.model(layers, vec![rope], required_head(keys)?);
    spec.original.experts = StoredExperts::Apart(["mlp.experts", "gate_proj", "up_proj", "down_proj"]);
    spec.conversion.wide = &["mlp.gate"];
    Ok(spec)
}

/// Does the head's matrix belong to the embedding? These families have no default.
fn required_head(keys: &Keys<'_>) -> Result<super::Head> {
    keys.said("tie_word_embeddings").with_context(|| keys.missing("tie_word_embeddings"))?;
    head(keys, false)
}

/// Qwen's experts; `None`: the model has none.
pub(super) fn experts(keys: &Keys<'_>, renormalise: bool) -> Result<Option<Experts>> {
    let count = keys.count_or("num_experts", 0)?;
    if count == 0 {
        return Ok(None);
    }
    Ok(Some(Experts {
        router: "mlp.gate",
        router_bias: false,
        path: "mlp.switch_mlp",
        bias: false,
        count,
        top: keys.size("num_experts_per_tok")?,
        inner: keys.size("moe_intermediate_size")?,
        routing: Routing::SoftmaxFirst { renormalise },
        activation: Activation::Silu,
        shared: None,
    }))
}

/// Calls `change` for the layers with experts: each `decoder_sparse_step`-th that `mlp_only_layers` does not except.
pub(super) fn sparse<T>(keys: &Keys<'_>, layers: &mut [T], mut change: impl FnMut(&mut T)) -> Result<()> {
    let step = keys.size_or("decoder_sparse_step", 1)?;
    let except = keys.counts("mlp_only_layers")?.unwrap_or_default();
    for (index, layer) in layers.iter_mut().enumerate() {
        if !except.contains(&index) && (index + 1).is_multiple_of(step) {
            change(layer);
        }
    }
    Ok(())
}
