//! A short convolution over the last positions, channel by channel: alone, as LFM2's mixer, and in front of gated delta nets.

use mlx_rs::{Array, error::Result, ops};

use crate::model::{
    linear::Linear,
    spec::{self, Spec},
    weights::{Loaded, Source, Weights},
};

/// The inputs of the positions before, `[1, kernel - 1, channels]`; `None`: there were none.
pub type Tail = Option<Array>;

/// A weight a channel for each of the last positions, the earliest first.
#[derive(Debug)]
pub struct Taps {
    /// Of each position, `[channels]`.
    pub taps: Vec<Array>,
    pub bias: Option<Array>,
}

impl Taps {
    /// Stored as `[channels, kernel, 1]`.
    pub fn load(weights: &mut Weights, path: &str, channels: usize, kernel: usize, bias: bool) -> Loaded<Self> {
        let weight = weights.float(&format!("{path}.weight"), &[channels as i32, kernel as i32, 1])?;
        // Each in a memory of its own, as the step on a CPU takes it.
        let tap = |tap: &Array| tap.reshape(&[-1])?.contiguous();
        let taps = weight.split_equal(kernel as i32, 1)?.iter().map(tap).collect::<Result<_>>()?;
        let bias = bias.then(|| weights.float(&format!("{path}.bias"), &[channels as i32])).transpose()?;
        Ok(Taps { taps, bias })
    }

    /// `[1, n, channels]` to the same shape.
    pub fn apply(&self, x: &Array, tail: &mut Tail) -> Result<Array> {
        let (n, before) = (x.dim(1), self.taps.len() as i32 - 1);
        let past = match tail.take() {
            Some(past) => past,
            None => ops::zeros_dtype(&[1, before, x.dim(2)], x.dtype())?,
        };
        let all = ops::concatenate(&[&past, x], 1)?;
        let slice = |from: i32| -> Result<Array> {
            let cut = all.split_at_indices(&[from, from + n], 1)?;
            Ok(cut[1].clone())
        };
        let mut sum = match &self.bias {
            Some(bias) => bias.clone(),
            None => Array::from_f32(0.0).as_dtype(x.dtype())?,
        };
        for (from, tap) in self.taps.iter().enumerate() {
            sum = ops::add(sum, ops::multiply(slice(from as i32)?, tap)?)?;
        }
        *tail = Some(all.split_at_indices(&[n], 1)?.swap_remove(1));
        Ok(sum)
    }

    pub fn arrays(&self) -> impl Iterator<Item = &Array> {
        self.taps.iter().chain(&self.bias)
    }
}

/// LFM2's mixer: one part of the input gates what goes into the convolution, another what comes out of it.
#[derive(Debug)]
pub struct Conv {
    pub in_proj: Linear,
    pub taps: Taps,
    pub out_proj: Linear,
}

impl Conv {
    pub fn load(source: &mut Source<'_>, spec: &Spec, layer: usize, of: spec::Conv) -> Loaded<Self> {
        let path = spec.in_layer(layer, of.path);
        let (hidden, name) = (spec.hidden, |part: &str| format!("{path}.{part}"));
        Ok(Conv {
            in_proj: Linear::load(source, &name("in_proj"), &[3 * hidden, hidden], of.bias)?,
            taps: Taps::load(&mut source.weights, &name("conv"), hidden, of.kernel, of.bias)?,
            out_proj: Linear::load(source, &name("out_proj"), &[hidden, hidden], of.bias)?,
        })
    }

    /// `[1, n, hidden]` to the same shape.
    pub fn apply(&self, x: &Array, tail: &mut Tail) -> Result<Array> {
        let parts = self.in_proj.apply(x)?.split_equal(3, 2)?;
        let mixed = self.taps.apply(&ops::multiply(&parts[0], &parts[2])?, tail)?;
        self.out_proj.apply(&ops::multiply(&parts[1], mixed)?)
    }

    pub fn arrays(&self) -> Vec<&Array> {
        let mut arrays: Vec<&Array> = self.in_proj.arrays();
        arrays.extend(self.taps.arrays());
        arrays.extend(self.out_proj.arrays());
        arrays
    }
}
