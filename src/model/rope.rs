//! Rotary position embedding, as mlx-lm computes it (`mlx_lm/models/rope_utils.py`).

use mlx_rs::{Array, error::Result, fast};

use crate::model::config::{Config, RopeScaling};

/// The rotation of one model's heads.
#[derive(Debug)]
pub struct Rope {
    dims: i32,
    /// Either `base` or `freqs`; MLX refuses both.
    base: Option<f32>,
    freqs: Option<Array>,
    scale: f32,
}

impl Rope {
    /// From the configuration.
    pub fn new(config: &Config) -> Self {
        let dims = config.head_dim() as i32;
        let plain = Rope { dims, base: Some(config.rope_theta), freqs: None, scale: 1.0 };
        match config.rope_scaling {
            None => plain,
            Some(RopeScaling::Linear { factor }) => Rope { scale: 1.0 / factor, ..plain },
            Some(RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            }) => {
                let factors = (factor, low_freq_factor, high_freq_factor);
                let freqs =
                    llama3_freqs(config.head_dim(), config.rope_theta, factors, original_max_position_embeddings);
                Rope { base: None, freqs: Some(Array::from_slice(&freqs, &[dims / 2])), ..plain }
            }
        }
    }

    /// Radians a position, `[dims / 2]`, and what positions are multiplied by; as MLX computes them, in float32.
    pub fn frequencies(&self) -> (Vec<f32>, f32) {
        let half = self.dims / 2;
        let found = match (&self.freqs, self.base) {
            (Some(freqs), _) => freqs.as_slice::<f32>().iter().map(|period| 1.0 / period).collect(),
            (None, base) => {
                let slope = base.unwrap_or(1.0).ln() / half as f32;
                (0..half).map(|i| (-(i as f32) * slope).exp()).collect()
            }
        };
        (found, self.scale)
    }

    /// Rotates `[1, heads, n, head_dim]`, whose first position is `offset`.
    pub fn apply(&self, x: &Array, offset: i32) -> Result<Array> {
        fast::rope(x, self.dims, false, self.base, self.scale, offset, self.freqs.as_ref())
    }
}

/// Llama 3's wavelengths over 2π (MLX divides positions by them): long ones are stretched by `factor`, short ones kept,
/// and those between are blended. Source: mlx-lm's `Llama3RoPE`, computed in float32 as there.
fn llama3_freqs(head_dim: usize, theta: f32, (factor, low, high): (f32, f32, f32), old: f32) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|i| {
            let freq = theta.powf(2.0 * i as f32 / head_dim as f32);
            let wavelength = 2.0 * std::f32::consts::PI * freq;
            if wavelength > old / low {
                freq * factor
            } else if wavelength > old / high {
                let smooth = (old / wavelength - low) / (high - low);
                freq / ((1.0 - smooth) / factor + smooth)
            } else {
                freq
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Llama 3.2: the fastest frequency is kept, the slowest stretched 32 times.
    #[test]
    fn llama3_keeps_fast_and_stretches_slow() {
        let freqs = llama3_freqs(64, 500_000.0, (32.0, 1.0, 4.0), 8192.0);
        assert_eq!(freqs[0], 1.0);
        let slowest = 500_000f32.powf(62.0 / 64.0) * 32.0;
        assert!((freqs[31] / slowest - 1.0).abs() < 1e-6);
        assert!(freqs.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
