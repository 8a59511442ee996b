//! Architectures of other makers: gpt-oss, Phi-3, Mixtral, Granite, GLM-4, OLMo 2 and 3, Command R7B.

use anyhow::{Result, ensure};

use super::keys::Keys;
use super::{Sizes, head, llama, rope, sliding};
use crate::model::spec::{
    Activation, Experts, Feed, Head, Mixer, NormKind, Norms, QkNorm, Routing, Spec, StoredExperts,
};

/// `mlx_lm/models/gpt_oss.py`: sinks, windows in every other layer, clipped experts, biases everywhere.
pub fn gpt_oss(keys: &Keys<'_>) -> Result<Spec> {
    must(keys, "attention_bias", true)?;
    let limit = keys.number_or("swiglu_limit", 7.0)?;
    ensure!(limit == 7.0, "swiglu_limit: expected 7, found {limit}\nhint: choose another checkpoint");
    let defaults = Sizes {
        hidden: 2880,
        layers: 36,
        heads: 64,
        kv_heads: 8,
        head_dim: 64,
        inner: 2880,
        vocabulary: 201_088,
        epsilon: 1e-5,
    };
    let sizes = Sizes::over(keys, defaults, "rms_norm_eps")?;
    let mut attention = sizes.attention();
    (attention.qkv_bias, attention.output_bias, attention.sinks) = (true, true, true);
    let rope = rope::read(keys, rope::Family::whole(sizes.head_dim, Some(150_000.0)))?;
    let experts = Experts {
        router: "mlp.router",
        router_bias: true,
        path: "mlp.experts",
        bias: true,
        count: keys.size_or("num_local_experts", 128)?,
        top: keys.size_or("num_experts_per_tok", 4)?,
        inner: sizes.inner,
        routing: Routing::TopFirst,
        activation: Activation::ClippedSwiglu,
        shared: None,
    };
    let layers = sizes.layers(&attention, &Feed::Experts(experts), Norms::BEFORE);
    keys.said("tie_word_embeddings");
    let mut spec = sizes.model(layers, vec![rope], Head::Own);
    let window = keys.size_or("sliding_window", 128)?;
    let sliding = sliding(keys, sizes.layers, Some(2))?;
    for (layer, sliding) in spec.layers.iter_mut().zip(sliding) {
        if let (Mixer::Attention(attention), true) = (&mut layer.mixer, sliding) {
            attention.window = Some(window);
        }
    }
    spec.conversion.wide = &["router"];
    Ok(spec)
}

/// `mlx_lm/models/phi3.py`: matrices of one input are stored as one.
pub fn phi3(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, false)?;
    let mut attention = sizes.attention();
    attention.joined = Some("qkv_proj");
    let family = rope::Family {
        share: Some(1.0),
        interleaved: keys.flag_or("rope_traditional", false)?,
        kinds: &["default", "linear", "longrope", "su"],
        ..rope::Family::whole(sizes.head_dim, Some(1e4))
    };
    let rope = rope::read(keys, family)?;
    let mut dense = sizes.dense();
    dense.joined = Some("gate_up_proj");
    let layers = sizes.layers(&attention, &Feed::Dense(dense), Norms::BEFORE);
    Ok(sizes.model(layers, vec![rope], head(keys, false)?))
}

/// `mlx_lm/models/mixtral.py`, with its defaults.
pub fn mixtral(keys: &Keys<'_>) -> Result<Spec> {
    let (hidden, heads) = (keys.size_or("hidden_size", 4096)?, keys.size_or("num_attention_heads", 32)?);
    let sizes = Sizes {
        hidden,
        layers: keys.size_or("num_hidden_layers", 32)?,
        heads,
        kv_heads: keys.size_or("num_key_value_heads", 8)?,
        head_dim: hidden / heads,
        inner: keys.size_or("intermediate_size", 14_336)?,
        vocabulary: keys.size_or("vocab_size", 32_000)?,
        epsilon: keys.number_or("rms_norm_eps", 1e-5)? as f32,
    };
    let sizes = sizes.checked()?;
    let interleaved = keys.flag_or("rope_traditional", false)?;
    let family = rope::Family { interleaved, kinds: &["default"], ..rope::Family::whole(sizes.head_dim, Some(1e6)) };
    let rope = rope::read(keys, family)?;
    let experts = Experts {
        router: "block_sparse_moe.gate",
        router_bias: false,
        path: "block_sparse_moe.switch_mlp",
        bias: false,
        count: keys.size_or("num_local_experts", 8)?,
        top: keys.size_or("num_experts_per_tok", 2)?,
        inner: sizes.inner,
        routing: Routing::TopFirst,
        activation: Activation::Silu,
        shared: None,
    };
    let layers = sizes.layers(&sizes.attention(), &Feed::Experts(experts), Norms::BEFORE);
    let mut spec = sizes.model(layers, vec![rope], head(keys, false)?);
    spec.original.experts = StoredExperts::Apart(["block_sparse_moe.experts", "w1", "w3", "w2"]);
    Ok(spec)
}

/// `mlx_lm/models/granite.py`: four multipliers.
pub fn granite(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, false)?;
    let mut attention = sizes.attention();
    attention.scale = keys.number("attention_multiplier")? as f32;
    attention.qkv_bias = keys.flag("attention_bias")?;
    attention.output_bias = attention.qkv_bias;
    let mut dense = sizes.dense();
    dense.bias = keys.flag("mlp_bias")?;
    let rope = rope::read(keys, rope::Family::whole(sizes.head_dim, None))?;
    let layers = sizes.layers(&attention, &Feed::Dense(dense), Norms::BEFORE);
    let mut spec = sizes.model(layers, vec![rope], head(keys, true)?);
    spec.embedding_scale = keys.number("embedding_multiplier")? as f32;
    spec.residual_scale = keys.number("residual_multiplier")? as f32;
    spec.logit_scale = 1.0 / keys.number("logits_scaling")? as f32;
    spec.conversion.wide = &["self_attn.o_proj", "mlp.down_proj", "lm_head"];
    Ok(spec)
}

/// `mlx_lm/models/glm4.py`: norms around, neighbours rotated, half of a head.
pub fn glm4(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, true)?;
    let mut attention = sizes.attention();
    attention.qkv_bias = keys.flag("attention_bias")?;
    let family = rope::Family {
        share: Some(1.0),
        interleaved: keys.flag_or("rope_traditional", true)?,
        kinds: &["default"],
        ..rope::Family::whole(sizes.head_dim, None)
    };
    let rope = rope::read(keys, family)?;
    let mut dense = sizes.dense();
    dense.joined = Some("gate_up_proj");
    let norms = Norms {
        after_mixer: Some("post_self_attn_layernorm"),
        after_feed: Some("post_mlp_layernorm"),
        ..Norms::BEFORE
    };
    let layers = sizes.layers(&attention, &Feed::Dense(dense), norms);
    keys.said("tie_word_embeddings");
    Ok(sizes.model(layers, vec![rope], Head::Own))
}

/// Only what a branch gives is normed.
const AFTER: Norms = Norms {
    before_mixer: None,
    after_mixer: Some("post_attention_layernorm"),
    before_feed: None,
    after_feed: Some("post_feedforward_layernorm"),
    parallel: false,
};

/// All queries at once, all keys at once.
const WHOLE: QkNorm = QkNorm { query: "q_norm", key: "k_norm", whole: true };

/// `mlx_lm/models/olmo2.py`.
pub fn olmo2(keys: &Keys<'_>) -> Result<Spec> {
    let mut spec = llama::llama(keys)?;
    for layer in &mut spec.layers {
        layer.norms = AFTER;
        if let Mixer::Attention(attention) = &mut layer.mixer {
            attention.qk_norm = Some(WHOLE);
        }
    }
    Ok(spec)
}

/// `mlx_lm/models/olmo3.py`: that, with windows; a scaled rotation is that of the layers without.
pub fn olmo3(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, true)?;
    let mut attention = sizes.attention();
    attention.qk_norm = Some(WHOLE);
    attention.qkv_bias = keys.flag_or("attention_bias", false)?;
    attention.output_bias = attention.qkv_bias;
    let full = rope::read(keys, rope::Family::whole(sizes.head_dim, None))?;
    let theta = keys.optional_number("rope_theta")?.or_else(|| keys.said("rope_parameters")?["rope_theta"].as_f64());
    let local = rope::plain(sizes.head_dim, theta.unwrap_or(1e4), false);
    let mut layers = sizes.layers(&attention, &Feed::Dense(sizes.dense()), AFTER);
    let window = keys.size("sliding_window")?;
    for (layer, sliding) in layers.iter_mut().zip(sliding(keys, sizes.layers, Some(4))?) {
        if let (Mixer::Attention(attention), true) = (&mut layer.mixer, sliding) {
            (attention.window, attention.rope) = (Some(window), Some(1));
        }
    }
    Ok(sizes.model(layers, vec![full, local], head(keys, false)?))
}

/// `mlx_lm/models/cohere2.py`: attention and feed side by side, LayerNorm, positions told in layers with a window only.
pub fn cohere2(keys: &Keys<'_>) -> Result<Spec> {
    must(keys, "layer_norm_bias", false)?;
    must(keys, "use_qk_norm", false)?;
    must(keys, "use_parallel_block", true)?;
    must(keys, "use_embedding_sharing", true)?;
    must(keys, "use_gated_activation", true)?;
    let defaults = Sizes {
        hidden: 4096,
        layers: 32,
        heads: 32,
        kv_heads: 8,
        head_dim: 128,
        inner: 14_336,
        vocabulary: 256_000,
        epsilon: 1e-5,
    };
    let sizes = Sizes::over(keys, defaults, "layer_norm_eps")?;
    let mut attention = sizes.attention();
    attention.qkv_bias = keys.flag_or("attention_bias", false)?;
    attention.output_bias = attention.qkv_bias;
    attention.rope = None;
    let family =
        rope::Family { interleaved: true, kinds: &["default"], ..rope::Family::whole(sizes.head_dim, Some(5e4)) };
    let rope = rope::read(keys, family)?;
    let norms = Norms { before_feed: None, parallel: true, ..Norms::BEFORE };
    let mut layers = sizes.layers(&attention, &Feed::Dense(sizes.dense()), norms);
    let pattern = keys.size_or("sliding_window_pattern", 4)?;
    let window = keys.size_or("sliding_window", 4096)?;
    for (layer, sliding) in layers.iter_mut().zip(sliding(keys, sizes.layers, Some(pattern))?) {
        if let (Mixer::Attention(attention), true) = (&mut layer.mixer, sliding) {
            (attention.window, attention.rope) = (Some(window), Some(0));
        }
    }
    must(keys, "tie_word_embeddings", true)?;
    let mut spec = sizes.model(layers, vec![rope], Head::Tied);
    spec.norm.kind = NormKind::Layer;
    spec.logit_scale = keys.number_or("logit_scale", 0.0625)? as f32;
    Ok(spec)
}

/// A key that mlx-lm has this way for the family, whatever the file says.
fn must(keys: &Keys<'_>, key: &str, expected: bool) -> Result<()> {
    let found = keys.flag_or(key, expected)?;
    ensure!(
        found == expected,
        "{}: expected {expected}, found {found}\nhint: choose another checkpoint",
        keys.name(key)
    );
    Ok(())
}
