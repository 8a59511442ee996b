//! A rotation of queries and keys by their positions, as mlx-lm computes it (`mlx_lm/models/rope_utils.py`).

use mlx_rs::{Array, error::Result, fast, ops};

use crate::model::spec::{self, Angles};

/// One of a model's rotations.
#[derive(Debug)]
pub struct Rope {
    spec: spec::Rope,
    /// Where angles are given by their periods, `[dims / 2]`.
    periods: Option<Array>,
}

impl Rope {
    pub fn new(spec: &spec::Rope) -> Self {
        let periods = match &spec.angles {
            Angles::Periods(periods) => Some(Array::from_slice(periods, &[periods.len() as i32])),
            Angles::Base(_) | Angles::Growing { .. } => None,
        };
        Rope { spec: spec.clone(), periods }
    }

    /// Rotates `[1, heads, n, head_dim]`, whose first position is `offset`.
    pub fn apply(&self, x: &Array, offset: i32) -> Result<Array> {
        let spec::Rope { dims, interleaved, scale, gain, .. } = self.spec;
        let base = match self.spec.angles {
            Angles::Base(base) => Some(base),
            Angles::Periods(_) => None,
            Angles::Growing { base, factor, positions } => {
                let reached = (offset + x.dim(2)).max(positions as i32) as f32;
                let growth = factor * reached / positions as f32 - (factor - 1.0);
                Some(base * growth.powf(dims as f32 / (dims as f32 - 2.0)))
            }
        };
        let rotated = |x: &Array| fast::rope(x, dims as i32, interleaved, base, scale, offset, self.periods.as_ref());
        if gain == 1.0 {
            return rotated(x);
        }
        let gained = |x: &Array| ops::multiply(x, Array::from_f32(gain).as_dtype(x.dtype())?);
        if dims as i32 == x.dim(3) {
            return rotated(&gained(x)?);
        }
        let parts = x.split_at_indices(&[dims as i32], 3)?;
        rotated(&ops::concatenate(&[&gained(&parts[0])?, &parts[1]], 3)?)
    }
}

/// Radians a position of each pair, `[dims / 2]`, as MLX computes them, in float32; `None`: they depend on the sequence.
pub fn frequencies(spec: &spec::Rope) -> Option<Vec<f32>> {
    let half = spec.dims / 2;
    Some(match &spec.angles {
        Angles::Periods(periods) => periods.iter().map(|period| 1.0 / period).collect(),
        Angles::Base(base) => {
            let slope = base.ln() / half as f32;
            (0..half).map(|i| (-(i as f32) * slope).exp()).collect()
        }
        Angles::Growing { .. } => return None,
    })
}
