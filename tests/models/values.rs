//! A tensor's name and shape -> its values, as `tests/oracles/architectures.py` computes them: eight bits each, so that they are
//! exact in every floating-point type.

use half::{bf16, f16};
use safetensors::Dtype;

use crate::checkpoint::{Tensor, random_words};

/// The tensor as it is stored before it is quantised: norms are around 1, the rest around 0, of unit variance in about unit
/// variance out.
pub fn tensor(name: &str, shape: &[usize], dtype: Dtype) -> Tensor {
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let value: Box<dyn Fn(f32) -> f32> = if ends(&["A_log"]) {
        Box::new(|byte| byte / 128.0)
    } else if has(&["q_norm", "k_norm", "q_layernorm", "k_layernorm"]) {
        Box::new(|byte| (64.0 + byte % 64.0) / 128.0)
    } else if has(&["norm"]) || ends(&[".scale", "layer_scalar", "per_expert_scale"]) {
        Box::new(|byte| (64.0 + byte % 64.0) / 64.0)
    } else {
        // gpt-oss clips at 7, and some must be clipped.
        let more = if has(&[".experts.gate_proj", ".experts.up_proj"]) { 8.0 } else { 1.0 };
        let scale = scale(shape) * more;
        Box::new(move |byte| (byte - 128.0) / 128.0 * scale)
    };
    let stored: Vec<Vec<u8>> = (0..=255u8).map(|byte| encode(value(f32::from(byte)), dtype)).collect();
    let mut bytes = Vec::new();
    for word in random_words(name, shape.iter().product()) {
        bytes.extend_from_slice(&stored[(word >> 56) as usize]);
    }
    Tensor { dtype, shape: shape.to_vec(), bytes }
}

/// The power of two nearest to 1.7 / √fan; a convolution's weight is `[channels, kernel, 1]`.
fn scale(shape: &[usize]) -> f32 {
    let fan = match shape {
        [_] => 4,
        [.., kernel, 1] => *kernel,
        [.., columns] => *columns,
        [] => panic!("a scalar"),
    };
    let square = 1.7 * 1.7 / fan as f64;
    let mut scale = 1.0;
    while scale * scale / 2.0 >= square {
        scale /= 2.0;
    }
    scale as f32
}

fn encode(value: f32, dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::BF16 => bf16::from_f32(value).to_le_bytes().to_vec(),
        Dtype::F16 => f16::from_f32(value).to_le_bytes().to_vec(),
        Dtype::F32 => value.to_le_bytes().to_vec(),
        other => panic!("{other:?}"),
    }
}
