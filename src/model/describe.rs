//! A decoder's modules -> the handles that the CPU's step takes (`native/offprint-kernels`).

use std::{ffi::c_void, ptr};

use mlx_rs::{
    Array, Dtype,
    error::{Exception, Result},
};
use offprint_kernels::{ExpertsHandle, LayerHandle, MatrixHandle, RopeHandle, Shape, activation, format};

use crate::model::{
    attention::Attention,
    config::Mode,
    conv::Conv,
    feed::{Dense, Experts, Feed},
    layer::{Layer, Mixer},
    linear::{Linear, Matrix},
    norm::Norm,
    rope,
    spec::{self, Activation, NormKind, Routing, Spec},
    step::fused::Fused,
};

/// All of a decoder, borrowed.
#[derive(Debug)]
pub struct Parts<'a> {
    pub spec: &'a Spec,
    pub embed_tokens: &'a Matrix,
    pub layers: &'a [Layer],
    pub norm: &'a Norm,
    /// `None`: the head is the embedding's.
    pub lm_head: Option<&'a Linear>,
}

/// The step of a decoder that it is made for (`step::fused::unfit`), whose arrays are evaluated.
///
/// # Errors
/// An array of another type or size than the description says; a level that the processor lacks.
pub fn fused(level: &str, threads: u32, of: &Parts<'_>) -> Result<Fused> {
    let spec = of.spec;
    let frequencies: Vec<Vec<f32>> = spec.ropes.iter().filter_map(rope::frequencies).collect();
    let rope = |(of, frequencies): (&spec::Rope, &Vec<f32>)| RopeHandle {
        dims: of.dims as i32,
        interleaved: of.interleaved,
        scale: of.scale,
        gain: of.gain,
        frequencies: frequencies.as_ptr(),
    };
    let ropes: Vec<RopeHandle> = spec.ropes.iter().zip(&frequencies).map(rope).collect();
    let sparse = of.layers.iter().map(|layer| match &layer.feed {
        Feed::Experts(of) => experts(of).map(Some),
        _ => Ok(None),
    });
    let sparse = sparse.collect::<Result<Vec<_>>>()?;
    let taps: Vec<Vec<*mut c_void>> = of.layers.iter().map(taps).collect();
    let layers = of.layers.iter().zip(&sparse).zip(&taps);
    let layers = layers.map(|((of, sparse), taps)| layer(of, sparse.as_ref(), taps, spec.hidden));
    let layers = layers.collect::<Result<Vec<_>>>()?;
    let shape = Shape {
        hidden: spec.hidden as i32,
        heads: 0,
        vocabulary: spec.vocabulary as i32,
        layers: layers.len() as i32,
        epsilon: spec.norm.epsilon,
        embedding_scale: spec.embedding_scale,
        residual_scale: spec.residual_scale,
        logit_scale: spec.logit_scale,
        logit_cap: spec.logit_cap.unwrap_or(0.0),
        layer_norm: spec.norm.kind == NormKind::Layer,
        ropes: ropes.as_ptr(),
        rope_count: ropes.len() as i32,
    };
    let embedding = matrix(of.embed_tokens, None);
    let head = of.lm_head.map_or(embedding, linear);
    // SAFETY: handles are those of live arrays; frequencies, experts and taps live through the call, and there are as many ropes as the
    // shape says.
    unsafe { Fused::new(level, threads, &shape, [&embedding, &head], &layers, context(&of.norm.weight)) }
}

/// A matrix and its linear layer's bias. Experts' matrices lie one below the other.
fn matrix(matrix: &Matrix, bias: Option<&Array>) -> MatrixHandle {
    let size = |axis: i32, of: &Array| of.dim(axis);
    let handle = |of: Option<&Array>| of.map_or(ptr::null_mut(), context);
    let plain = |weight: &Array, bits: i32, format: i32| MatrixHandle {
        weight: context(weight),
        offset: handle(bias),
        rows: weight.shape().iter().rev().skip(1).product(),
        columns: size(-1, weight),
        bits,
        format,
        ..MatrixHandle::NONE
    };
    match matrix {
        Matrix::Plain { weight } => match weight.dtype() {
            Dtype::Float16 => plain(weight, 16, format::FLOAT16),
            Dtype::Bfloat16 => plain(weight, 16, format::BFLOAT16),
            _ => plain(weight, 32, format::FLOAT32),
        },
        Matrix::Packed { weight, scales, biases, packing } => {
            let format = match packing.mode {
                Mode::Affine => format::AFFINE,
                Mode::Mxfp4 => format::MXFP4,
                Mode::Mxfp8 => format::MXFP8,
                Mode::Nvfp4 => format::NVFP4,
            };
            let bits = packing.bits as i32;
            MatrixHandle {
                scales: context(scales),
                biases: handle(biases.as_ref()),
                group: packing.group_size as i32,
                columns: size(-1, weight) * 32 / bits,
                ..plain(weight, bits, format)
            }
        }
    }
}

fn linear(of: &Linear) -> MatrixHandle {
    matrix(&of.matrix, of.bias.as_ref())
}

fn norm(of: Option<&Norm>) -> *mut c_void {
    of.map_or(ptr::null_mut(), |norm| context(&norm.weight))
}

fn activation(of: Activation) -> i32 {
    match of {
        Activation::Silu => activation::SILU,
        Activation::Gelu => activation::GELU,
        Activation::ClippedSwiglu => activation::CLIPPED,
    }
}

/// The arrays of a layer's convolution, if it is one.
fn taps(of: &Layer) -> Vec<*mut c_void> {
    match &of.mixer {
        Mixer::Conv(of) => of.taps.taps.iter().map(context).collect(),
        Mixer::Attention(_) | Mixer::Delta(_) => Vec::new(),
    }
}

/// Gate, up, down and what is between them.
fn dense(of: &Dense) -> Result<[MatrixHandle; 3]> {
    let [gate, up] = &of.gate_up.parts[..] else { return Err(unexpected()) };
    Ok([linear(gate), linear(up), linear(&of.down_proj)])
}

fn experts(of: &Experts) -> Result<ExpertsHandle> {
    let none = || [MatrixHandle::NONE; 3];
    let [shared_gate, shared_up, shared_down] =
        of.shared.as_ref().map_or_else(|| Ok(none()), |shared| dense(&shared.dense))?;
    let (softmax_first, renormalise, sigmoid) = match of.spec.routing {
        Routing::SoftmaxFirst { renormalise } => (true, renormalise, None),
        Routing::Sigmoid { renormalise, scale, .. } => (false, renormalise, Some(scale)),
        Routing::TopFirst | Routing::Scaled => (false, false, None),
    };
    Ok(ExpertsHandle {
        router: linear(&of.router),
        count: of.spec.count as i32,
        top: of.spec.top as i32,
        softmax_first,
        renormalise,
        sigmoid: sigmoid.is_some(),
        scale: sigmoid.unwrap_or(1.0),
        bias: of.expert_bias.as_ref().map_or(ptr::null_mut(), context),
        gate: linear(&of.gate),
        up: linear(&of.up),
        down: linear(&of.down),
        shared_gate,
        shared_up,
        shared_down,
        shared_weight: of.shared.as_ref().map_or(MatrixHandle::NONE, |shared| linear(&shared.gate)),
    })
}

/// A layer; `sparse`: its experts, where it has any; `taps`: the arrays of its convolution. Both have to live as long as the result.
fn layer(of: &Layer, sparse: Option<&ExpertsHandle>, taps: &[*mut c_void], hidden: usize) -> Result<LayerHandle> {
    let ([gate, up, down], activated) = match &of.feed {
        Feed::Dense(of) => (dense(of)?, of.activation),
        Feed::Experts(of) => ([MatrixHandle::NONE; 3], of.spec.activation),
        Feed::Beside(_) => return Err(unexpected()),
    };
    let mixer = match &of.mixer {
        Mixer::Attention(attention) => attending(attention)?,
        Mixer::Conv(conv) => convolving(conv, taps, hidden),
        Mixer::Delta(_) => return Err(unexpected()),
    };
    Ok(LayerHandle {
        input_norm: norm(of.norms.before_mixer.as_ref()),
        attention_out_norm: norm(of.norms.after_mixer.as_ref()),
        feed_norm: norm(of.norms.before_feed.as_ref()),
        feed_out_norm: norm(of.norms.after_feed.as_ref()),
        parallel: of.parallel,
        activation: activation(activated),
        gate,
        up,
        down,
        experts: sparse.map_or(ptr::null(), |experts| experts),
        ..mixer
    })
}

/// What of a layer is attention.
fn attending(Attention { spec, qkv, o_proj, q_norm, k_norm, sinks, .. }: &Attention) -> Result<LayerHandle> {
    let [q, k, v] = &qkv.parts[..] else { return Err(unexpected()) };
    let gain = spec.query_gain.unwrap_or(spec::QueryGain { beta: 0.0, positions: 1.0 });
    Ok(LayerHandle {
        q: linear(q),
        k: linear(k),
        v: linear(v),
        o: linear(o_proj),
        heads: spec.heads as i32,
        kv_heads: spec.kv_heads as i32,
        head_dim: spec.head_dim as i32,
        score_scale: spec.scale,
        score_cap: spec.cap.unwrap_or(0.0),
        window: spec.window.unwrap_or(0) as i32,
        rope: spec.rope.map_or(-1, |rope| rope as i32),
        query_gain_beta: gain.beta,
        query_gain_positions: gain.positions,
        sinks: sinks.as_ref().map_or(ptr::null_mut(), context),
        q_norm: norm(q_norm.as_ref()),
        k_norm: norm(k_norm.as_ref()),
        norm_span: (spec.head_dim * if spec.qk_norm.is_some_and(|norm| norm.whole) { spec.heads } else { 1 }) as i32,
        ..LayerHandle::NONE
    })
}

/// What of a layer is a convolution.
fn convolving(of: &Conv, taps: &[*mut c_void], hidden: usize) -> LayerHandle {
    LayerHandle {
        q: linear(&of.in_proj),
        o: linear(&of.out_proj),
        heads: 3,
        kv_heads: 1,
        head_dim: hidden as i32,
        norm_span: hidden as i32,
        kernel: taps.len() as i32,
        taps: taps.as_ptr(),
        taps_offset: of.taps.bias.as_ref().map_or(ptr::null_mut(), context),
        ..LayerHandle::NONE
    }
}

fn unexpected() -> Exception {
    Exception::custom("offprint's kernels are not made for this model")
}

fn context(array: &Array) -> *mut c_void {
    array.as_ptr().ctx
}
