//! Architectures most of whose layers are no attention: Qwen3-Next and Qwen3.5 (gated delta rule), LFM2 (short convolutions).

use anyhow::{Context, Result, bail, ensure};

use super::keys::Keys;
use super::{FULL, Sizes, head, qwen, rope};
use crate::model::spec::{
    Activation, Attention, Conv, Conversion, Delta, Dense, Experts, Feed, Head, Layer, Mixer, Norms, QkNorm, Routing,
    Shared, Spec, StoredExperts,
};

/// `mlx_lm/models/qwen3_next.py`.
pub fn qwen3_next(keys: &Keys<'_>) -> Result<Spec> {
    let sizes = Sizes::read(keys, true)?;
    let family = rope::Family { share: Some(1.0), ..rope::Family::whole(sizes.head_dim, None) };
    let mut spec = delta_net(keys, sizes, family, true)?;
    let experts = qwen::experts(keys, keys.flag_or("norm_topk_prob", false)?)?;
    let experts = experts.with_context(|| keys.missing("num_experts"))?;
    let experts = Experts { shared: Some(shared(keys)?), ..experts };
    qwen::sparse(keys, &mut spec.layers, |layer| layer.feed = Feed::Experts(experts.clone()))?;
    spec.original.experts = StoredExperts::Apart(["mlp.experts", "gate_proj", "up_proj", "down_proj"]);
    spec.conversion.wide = &["mlp.gate", "shared_expert_gate"];
    spec.original.dropped = &["mtp."];
    Ok(spec)
}

/// `mlx_lm/models/qwen3_5.py` and `qwen3_5_moe.py`: the text model, its defaults included.
pub fn qwen3_5(keys: &Keys<'_>) -> Result<Spec> {
    let (hidden, heads) = (keys.size_or("hidden_size", 4096)?, keys.size_or("num_attention_heads", 32)?);
    let count = keys.count_or("num_experts", 0)?;
    let sizes = Sizes {
        hidden,
        layers: keys.size_or("num_hidden_layers", 32)?,
        heads,
        kv_heads: keys.size_or("num_key_value_heads", 8)?,
        head_dim: keys.optional_size("head_dim")?.unwrap_or(hidden / heads),
        inner: keys.size_or("intermediate_size", 14_336)?,
        vocabulary: keys.size_or("vocab_size", 151_936)?,
        epsilon: keys.number_or("rms_norm_eps", 1e-6)? as f32,
    };
    let sizes = sizes.checked()?;
    let family = rope::Family { share: Some(0.25), ..rope::Family::whole(sizes.head_dim, Some(1e5)) };
    let mut spec = delta_net(keys, sizes, family, false)?;
    if count > 0 {
        let experts = qwen::experts(keys, keys.flag_or("norm_topk_prob", true)?)?;
        let experts = experts.with_context(|| keys.missing("num_experts"))?;
        let experts = Experts { shared: Some(shared(keys)?), ..experts };
        for layer in &mut spec.layers {
            layer.feed = Feed::Experts(experts.clone());
        }
        spec.original.experts = StoredExperts::Joined;
        spec.conversion.wide = &["mlp.gate", "shared_expert_gate"];
    }
    spec.conversion.uncast = &["A_log"];
    // Their weights are read, but for further tokens at once and for pictures.
    for key in ["mtp_num_hidden_layers", "mtp_use_dedicated_embeddings", "attn_output_gate", "mamba_ssm_dtype"] {
        keys.said(key);
    }
    spec.original.dropped =
        &["vision_tower", "model.visual", "mtp.", "model.mtp.", "language_model.mtp.", "language_model.model.mtp."];
    spec.original.renamed = &[
        ("model.language_model.", "language_model.model."),
        ("model.", "language_model.model."),
        ("lm_head.", "language_model.lm_head."),
    ];
    Ok(spec)
}

fn shared(keys: &Keys<'_>) -> Result<Shared> {
    let inner = keys.size("shared_expert_intermediate_size")?;
    Ok(Shared { path: "mlp.shared_expert", gate: "mlp.shared_expert_gate", inner })
}

/// Layers of gated delta nets, each `full_attention_interval`-th with attention.
fn delta_net(keys: &Keys<'_>, sizes: Sizes, family: rope::Family, joined: bool) -> Result<Spec> {
    let mut attention = sizes.attention();
    attention.qk_norm = Some(qwen::A_HEAD);
    attention.gated = true;
    attention.qkv_bias = keys.flag_or("attention_bias", false)?;
    attention.output_bias = attention.qkv_bias;
    // Without a key of its own for Qwen3.5, whose defaults mlx-lm has in the class.
    let defaults = if joined { [None; 5] } else { [Some(64), Some(16), Some(192), Some(128), Some(4)] };
    let size = |key: &str, default: Option<usize>| match default {
        Some(default) => keys.size_or(key, default),
        None => keys.size(key),
    };
    let delta = Delta {
        path: "linear_attn",
        value_heads: size("linear_num_value_heads", defaults[0])?,
        key_heads: size("linear_num_key_heads", defaults[1])?,
        key_dim: size("linear_key_head_dim", defaults[2])?,
        value_dim: size("linear_value_head_dim", defaults[3])?,
        kernel: size("linear_conv_kernel_dim", defaults[4])?,
        joined,
    };
    ensure!(
        delta.value_heads.is_multiple_of(delta.key_heads),
        "linear_num_value_heads: {} heads cannot share {} key heads\nhint: correct config.json",
        delta.value_heads,
        delta.key_heads
    );
    let rope = rope::read(keys, family)?;
    let interval = keys.size_or("full_attention_interval", 4)?;
    let full = match keys.names("layer_types", &["linear_attention", FULL], sizes.layers)? {
        Some(names) => names.into_iter().map(|name| name == FULL).collect(),
        None => (1..=sizes.layers).map(|layer| layer % interval == 0).collect::<Vec<_>>(),
    };
    let layer = |full: bool| Layer {
        mixer: if full { Mixer::Attention(attention.clone()) } else { Mixer::Delta(delta) },
        feed: Feed::Dense(sizes.dense()),
        norms: Norms::BEFORE,
        scalar: false,
    };
    let layers = full.into_iter().map(layer).collect();
    let mut spec = sizes.model(layers, vec![rope], head(keys, false)?);
    spec.original.norms_less_one = true;
    Ok(spec)
}

/// The names that LFM2 has for norms.
const NORMS: Norms = Norms {
    before_mixer: Some("operator_norm"),
    after_mixer: None,
    before_feed: Some("ffn_norm"),
    after_feed: None,
    parallel: false,
};

/// Sizes, the two mixers, and which layers have attention.
fn convolutions(keys: &Keys<'_>, inner: usize) -> Result<(Sizes, Attention, Conv, Vec<bool>)> {
    let (hidden, heads) = (keys.size("hidden_size")?, keys.size("num_attention_heads")?);
    let sizes = Sizes {
        hidden,
        layers: keys.size("num_hidden_layers")?,
        heads,
        kv_heads: keys.optional_size("num_key_value_heads")?.unwrap_or(heads),
        head_dim: hidden / heads,
        inner,
        vocabulary: keys.size("vocab_size")?,
        epsilon: keys.number("norm_eps")? as f32,
    };
    let sizes = sizes.checked()?;
    let mut attention = sizes.attention();
    attention.output = "out_proj";
    attention.qk_norm = Some(QkNorm { query: "q_layernorm", key: "k_layernorm", whole: false });
    let conv = Conv { path: "conv", kernel: keys.size("conv_L_cache")?, bias: keys.flag("conv_bias")? };
    let types = keys.names("layer_types", &["conv", FULL], sizes.layers)?;
    let full = match (keys.counts("full_attn_idxs")?, types) {
        (Some(indices), _) => (0..sizes.layers).map(|layer| indices.contains(&layer)).collect(),
        (None, Some(types)) => types.into_iter().map(|name| name == FULL).collect(),
        (None, None) => bail!("{}", keys.missing("layer_types")),
    };
    Ok((sizes, attention, conv, full))
}

fn lfm2_model(keys: &Keys<'_>, sizes: Sizes, layers: Vec<Layer>) -> Result<Spec> {
    let family = rope::Family { kinds: &["default"], ..rope::Family::whole(sizes.head_dim, Some(1e6)) };
    let rope = rope::read(keys, family)?;
    keys.said("tie_word_embeddings");
    keys.said("tie_embedding");
    let mut spec = sizes.model(layers, vec![rope], Head::Tied);
    spec.last_norm = "embedding_norm";
    Ok(spec)
}

/// `mlx_lm/models/lfm2.py`.
pub fn lfm2(keys: &Keys<'_>) -> Result<Spec> {
    let stated = keys.optional_size("block_ff_dim")?.or(keys.optional_size("intermediate_size")?);
    let mut inner = stated.with_context(|| keys.missing("block_ff_dim"))?;
    let multiple = keys.size("block_multiple_of")?;
    if keys.flag("block_auto_adjust_ff_dim")? {
        inner = 2 * inner / 3;
        inner = (keys.number_or("block_ffn_dim_multiplier", 1.0)? * inner as f64) as usize;
        inner = inner.div_ceil(multiple) * multiple;
    }
    // Said, and in this case not used.
    keys.said("block_ffn_dim_multiplier");
    let (sizes, attention, conv, full) = convolutions(keys, inner)?;
    let width = keys.size_or("block_dim", sizes.hidden)?;
    ensure!(
        width == sizes.hidden,
        "block_dim: expected hidden_size, {}, found {width}\nhint: correct config.json",
        sizes.hidden
    );
    for key in [
        "block_mlp_init_scale",
        "block_out_init_scale",
        "block_use_swiglu",
        "block_use_xavier_init",
        "block_norm_eps",
        "conv_dim",
        "conv_dim_out",
        "conv_use_xavier_init",
        "use_pos_enc",
        "theta",
    ] {
        keys.said(key);
    }
    let dense = Dense { path: "feed_forward", names: ["w1", "w3", "w2"], ..sizes.dense() };
    let layer = |full: bool| Layer {
        mixer: if full { Mixer::Attention(attention.clone()) } else { Mixer::Conv(conv) },
        feed: Feed::Dense(dense.clone()),
        norms: NORMS,
        scalar: false,
    };
    lfm2_model(keys, sizes, full.into_iter().map(layer).collect())
}

/// `mlx_lm/models/lfm2_moe.py`: experts, but for the first layers, chosen by sigmoids and a bias.
pub fn lfm2_moe(keys: &Keys<'_>) -> Result<Spec> {
    let (sizes, attention, conv, full) = convolutions(keys, keys.size("intermediate_size")?)?;
    let experts = Experts {
        router: "feed_forward.gate",
        router_bias: false,
        path: "feed_forward.switch_mlp",
        bias: false,
        count: keys.size("num_experts")?,
        top: keys.size("num_experts_per_tok")?,
        inner: keys.size("moe_intermediate_size")?,
        routing: Routing::Sigmoid {
            biased: keys.flag("use_expert_bias")?,
            renormalise: keys.flag("norm_topk_prob")?,
            scale: keys.number_or("routed_scaling_factor", 1.0)? as f32,
        },
        activation: Activation::Silu,
        shared: None,
    };
    let dense = Dense { path: "feed_forward", ..sizes.dense() };
    let dense_layers = keys.count_or("num_dense_layers", 0)?;
    let layer = |(index, full): (usize, bool)| Layer {
        mixer: if full { Mixer::Attention(attention.clone()) } else { Mixer::Conv(conv) },
        feed: if index < dense_layers { Feed::Dense(dense.clone()) } else { Feed::Experts(experts.clone()) },
        norms: NORMS,
        scalar: false,
    };
    let mut spec = lfm2_model(keys, sizes, full.into_iter().enumerate().map(layer).collect())?;
    spec.original.experts = StoredExperts::Apart(["feed_forward.experts", "w1", "w3", "w2"]);
    spec.conversion = Conversion { wide: &["feed_forward.gate"], uncast: &["expert_bias"] };
    Ok(spec)
}
