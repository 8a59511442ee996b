//! A norm of the last axis.

use mlx_rs::{Array, error::Result, fast, ops};

use crate::model::{
    spec::{self, NormKind},
    weights::{Loaded, Source},
};

#[derive(Debug)]
pub struct Norm {
    pub weight: Array,
    kind: NormKind,
    pub epsilon: f32,
}

impl Norm {
    pub fn load(source: &mut Source<'_>, spec: spec::Norm, path: &str, size: usize) -> Loaded<Self> {
        source.parameters.all += size as u64;
        let mut weight = source.weights.float(&format!("{path}.weight"), &[size as i32])?;
        if spec.less_one {
            weight = ops::add(&weight, Array::from_f32(1.0).as_dtype(weight.dtype())?)?;
        }
        Ok(Norm { weight, kind: spec.kind, epsilon: spec.epsilon })
    }

    pub fn apply(&self, x: &Array) -> Result<Array> {
        match self.kind {
            NormKind::Rms => fast::rms_norm(x, Some(&self.weight), self.epsilon),
            NormKind::Layer => fast::layer_norm(x, &self.weight, None, self.epsilon),
        }
    }
}

/// `x` times a number, in the type of `x`.
pub fn scaled(x: &Array, by: f32) -> Result<Array> {
    ops::multiply(x, Array::from_f32(by).as_dtype(x.dtype())?)
}
