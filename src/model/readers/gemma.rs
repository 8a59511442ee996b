//! Gemma 2, 3 and 4.

use anyhow::{Context, Result, ensure};
use half::bf16;

use super::keys::Keys;
use super::{FULL, SLIDING, Sizes, activation, head, rope, sliding};
use crate::model::spec::{
    Activation, Dense, Experts, Feed, Head, Keys as KeysOf, Layer, Mixer, Norms, PerLayer, Routing, Spec, StoredExperts,
};

/// Around attention and around the feed.
const AROUND: Norms = Norms {
    before_mixer: Some("input_layernorm"),
    after_mixer: Some("post_attention_layernorm"),
    before_feed: Some("pre_feedforward_layernorm"),
    after_feed: Some("post_feedforward_layernorm"),
    parallel: false,
};

const GELU: [&str; 2] = ["gelu_pytorch_tanh", "gelu"];

fn dense(sizes: &Sizes) -> Dense {
    Dense { activation: Activation::Gelu, ..sizes.dense() }
}

/// `mlx_lm/models/gemma2.py`. mlx-lm computes no window of this family.
pub fn gemma2(keys: &Keys<'_>) -> Result<Spec> {
    activation(keys, &GELU)?;
    let sizes = Sizes::read(keys, true)?;
    let mut attention = sizes.attention();
    attention.scale = (keys.number_or("query_pre_attn_scalar", 144.0)?.powf(-0.5)) as f32;
    attention.cap = Some(keys.number_or("attn_logit_softcapping", 50.0)? as f32);
    let interleaved = keys.flag_or("rope_traditional", false)?;
    let family = rope::Family { interleaved, kinds: &["default"], ..rope::Family::whole(sizes.head_dim, Some(1e4)) };
    let rope = rope::read(keys, family)?;
    let layers = sizes.layers(&attention, &Feed::Dense(dense(&sizes)), AROUND);
    tied(keys)?;
    let mut spec = sizes.model(layers, vec![rope], Head::Tied);
    spec.norm.less_one = true;
    spec.embedding_scale = (sizes.hidden as f32).sqrt();
    spec.logit_cap = Some(keys.number_or("final_logit_softcapping", 30.0)? as f32);
    Ok(spec)
}

/// This family's head is the embedding's in mlx-lm, whatever the file says.
fn tied(keys: &Keys<'_>) -> Result<()> {
    ensure!(
        keys.flag_or("tie_word_embeddings", true)?,
        "{} = false: mlx-lm has no head of its own for this family\nhint: choose another checkpoint",
        keys.name("tie_word_embeddings")
    );
    Ok(())
}

/// `mlx_lm/models/gemma3_text.py`, with its defaults, on which published files rely.
pub fn gemma3(keys: &Keys<'_>) -> Result<Spec> {
    activation(keys, &GELU)?;
    let wrapped = !keys.name("").is_empty();
    let defaults = Sizes {
        hidden: 1152,
        layers: 26,
        heads: if wrapped { 8 } else { 4 },
        kv_heads: if wrapped { 4 } else { 1 },
        head_dim: 256,
        inner: 6912,
        vocabulary: if wrapped { 262_208 } else { 262_144 },
        epsilon: 1e-6,
    };
    let sizes = Sizes::over(keys, defaults, "rms_norm_eps")?;
    let mut attention = sizes.attention();
    attention.qk_norm = Some(super::qwen::A_HEAD);
    attention.scale = (keys.number_or("query_pre_attn_scalar", 256.0)?.powf(-0.5)) as f32;
    let family = rope::Family::whole(sizes.head_dim, Some(1e6));
    let local_base = keys.number_or("rope_local_base_freq", 1e4)?;
    // transformers 5 has one for each kind of layer; mlx-lm, which does not read that, takes its defaults.
    let (full, local) = match rope::of_kind(keys, FULL, family)? {
        Some(full) => (full, rope::of_kind(keys, SLIDING, rope::Family { theta: Some(local_base), ..family })?),
        None => (rope::read(keys, family)?, None),
    };
    let local = local.unwrap_or_else(|| rope::plain(sizes.head_dim, local_base, false));
    let pattern = keys.size_or("sliding_window_pattern", 6)?;
    let window = keys.size_or("sliding_window", 512)?;
    let sliding = sliding(keys, sizes.layers, Some(pattern))?;
    let mut layers = sizes.layers(&attention, &Feed::Dense(dense(&sizes)), AROUND);
    for (layer, sliding) in layers.iter_mut().zip(sliding) {
        if let (Mixer::Attention(attention), true) = (&mut layer.mixer, sliding) {
            (attention.window, attention.rope) = (Some(window), Some(1));
        }
    }
    keys.said("tie_word_embeddings");
    let mut spec = sizes.model(layers, vec![full, local], Head::AsStored);
    spec.norm.less_one = true;
    // Rounded to bfloat16 before it is used.
    spec.embedding_scale = bf16::from_f32((sizes.hidden as f32).sqrt()).to_f32();
    spec.original.dropped =
        &["vision_tower", "multi_modal_projector", "model.vision_tower", "model.multi_modal_projector"];
    Ok(spec)
}

/// `mlx_lm/models/gemma4_text.py`, with its defaults.
pub fn gemma4(keys: &Keys<'_>) -> Result<Spec> {
    activation(keys, &GELU)?;
    let defaults = Sizes {
        hidden: 1536,
        layers: 35,
        heads: 8,
        kv_heads: 1,
        head_dim: 256,
        inner: 6144,
        vocabulary: 262_144,
        epsilon: 1e-6,
    };
    let sizes = Sizes::over(keys, defaults, "rms_norm_eps")?;
    let global_dim = keys.size_or("global_head_dim", 512)?;
    let pattern = keys.size_or("sliding_window_pattern", 5)?;
    let window = keys.size_or("sliding_window", 512)?;
    let sliding = sliding(keys, sizes.layers, Some(pattern))?;
    let interleaved = keys.flag_or("rope_traditional", false)?;
    let [full, local] = ropes(keys, [global_dim, sizes.head_dim], interleaved)?;

    let shared = keys.count_or("num_kv_shared_layers", 20)?;
    ensure!(
        shared < sizes.layers,
        "num_kv_shared_layers: {shared} of {} layers would leave none with keys\nhint: correct config.json",
        sizes.layers
    );
    let own = sizes.layers - shared;
    let both = keys.flag_or("attention_k_eq_v", false)?;
    let global_kv_heads = keys.optional_size("num_global_key_value_heads")?;
    let double = keys.flag_or("use_double_wide_mlp", true)?;
    let experts = if keys.flag_or("enable_moe_block", false)? { Some(experts(keys)?) } else { None };
    let mut layers = Vec::with_capacity(sizes.layers);
    for (index, &sliding_here) in sliding.iter().enumerate() {
        let mut attention = sizes.attention();
        attention.qk_norm = Some(super::qwen::A_HEAD);
        attention.value_norm = true;
        attention.scale = 1.0;
        if sliding_here {
            (attention.window, attention.rope) = (Some(window), Some(1));
        } else {
            attention.head_dim = global_dim;
            if let (true, Some(heads)) = (both, global_kv_heads) {
                attention.kv_heads = heads;
            }
        }
        let source = || sliding[..own].iter().rposition(|sliding| *sliding == sliding_here);
        attention.keys = match (index < own, both && !sliding_here) {
            (true, true) => KeysOf::OwnForBoth,
            (true, false) => KeysOf::Own,
            (false, _) => KeysOf::Of(source().with_context(|| {
                format!("num_kv_shared_layers: layer {index} has no earlier one of its kind\nhint: correct config.json")
            })?),
        };
        let mut dense = dense(&sizes);
        if double && shared > 0 && index >= own {
            dense.inner *= 2;
        }
        let feed = match &experts {
            Some(experts) => Feed::Beside(dense, experts.clone()),
            None => Feed::Dense(dense),
        };
        layers.push(Layer { mixer: Mixer::Attention(attention), feed, norms: AROUND, scalar: true });
    }
    let mut spec = sizes.model(layers, vec![full, local], head(keys, true)?);
    spec.embedding_scale = (sizes.hidden as f32).sqrt();
    spec.logit_cap = Some(keys.number_or("final_logit_softcapping", 30.0)? as f32);
    let per_layer = keys.count_or("hidden_size_per_layer_input", 256)?;
    let vocabulary = keys.size_or("vocab_size_per_layer_input", 262_144)?;
    spec.per_layer = (per_layer > 0).then_some(PerLayer { size: per_layer, vocabulary });
    spec.original.dropped = &[
        "vision_tower",
        "multi_modal_projector",
        "audio_tower",
        "embed_audio",
        "embed_vision",
        "vision_embedder",
        "model.vision_tower",
        "model.multi_modal_projector",
        "model.audio_tower",
        "model.embed_audio",
        "model.embed_vision",
        "model.vision_embedder",
    ];
    spec.original.renamed = &[("model.language_model.", "language_model.model.")];
    spec.original.experts = StoredExperts::Joined;
    spec.conversion.wide = &["router.proj"];
    Ok(spec)
}

/// Of layers that see all, and of those with a window.
fn ropes(keys: &Keys<'_>, dims: [usize; 2], interleaved: bool) -> Result<[super::Rope; 2]> {
    let family = |dim| rope::Family { interleaved, share: Some(1.0), ..rope::Family::whole(dim, Some(1e4)) };
    let [full, local] = [(FULL, dims[0]), (SLIDING, dims[1])].map(|(kind, dim)| rope::of_kind(keys, kind, family(dim)));
    if keys.said("rope_parameters").is_none() {
        return Ok([rope::proportional(dims[0], 1e6, 0.25, interleaved), rope::plain(dims[1], 1e4, interleaved)]);
    }
    Ok([
        full?.unwrap_or_else(|| rope::plain(dims[0], 1e4, interleaved)),
        local?.unwrap_or_else(|| rope::plain(dims[1], 1e4, interleaved)),
    ])
}

fn experts(keys: &Keys<'_>) -> Result<Experts> {
    Ok(Experts {
        router: "router.proj",
        router_bias: false,
        path: "experts.switch_glu",
        bias: false,
        count: keys.size("num_experts")?,
        top: keys.size("top_k_experts")?,
        inner: keys.size("moe_intermediate_size")?,
        routing: Routing::Scaled,
        activation: Activation::Gelu,
        shared: None,
    })
}
