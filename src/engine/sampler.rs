//! Logits -> the next token, on the device. mlx-lm's order (`mlx_lm/sample_utils.py`): top-p, min-p and top-k on
//! log-probabilities, temperature last. Each step has an explicit key, so a seed gives the same tokens every time, whoever
//! draws: kernels of ours on a CPU or MLX.

use mlx_rs::{Array, Dtype, error::Result, ops, ops::indexing::TryIndexOp, random};

#[cfg(target_os = "linux")]
use crate::model::step::fused;
use crate::{engine::Sampling, model::kernels::Kernels};

/// Draws the token of step `step` from `logits` `[vocabulary]`; the result is `[1]`, unsigned 32-bit.
pub fn draw(kernels: &Kernels, logits: &Array, sampling: &Sampling, seed: u64, step: u64) -> Result<Array> {
    let (temperature, key) = (sampling.temperature as f32, step_seed(seed, step));
    let kept = if temperature == 0.0 { logits.clone() } else { filter(logits, sampling)? };
    match kernels {
        #[cfg(target_os = "linux")]
        Kernels::Ours { level, .. } if kept.dtype() == Dtype::Float32 => fused::draw(level, &kept, temperature, key),
        _ if temperature == 0.0 => ops::indexing::argmax_axis(&kept, -1, true),
        _ => {
            let scaled = ops::multiply(kept, Array::from_f32(1.0 / temperature))?;
            random::categorical(scaled.expand_dims(0)?, -1, None, &random::key(key)?)
        }
    }
}

/// Log-probabilities up to a constant, with the tokens that the filters drop at minus infinity.
/// Without filters these are the logits themselves: normalising them would change nothing and costs a pass.
fn filter(logits: &Array, sampling: &Sampling) -> Result<Array> {
    let mut kept = logits.clone();
    if sampling.top_p.is_some() || sampling.min_p.is_some() {
        kept = ops::subtract(&kept, ops::logsumexp(&kept, true)?)?;
    }
    if let Some(top_p) = sampling.top_p.filter(|p| (0.0..1.0).contains(p) && *p > 0.0) {
        kept = nucleus(&kept, top_p as f32)?;
    }
    if let Some(min_p) = sampling.min_p.filter(|p| *p > 0.0) {
        let least = ops::add(ops::max(&kept, true)?, Array::from_f32((min_p as f32).ln()))?;
        kept = drop_below(&kept, &least)?;
    }
    match sampling.top_k {
        Some(k) if k > 0 && (k as i32) < logits.dim(0) => top(&kept, k as i32),
        _ => Ok(kept),
    }
}

/// The fewest most likely tokens whose mass reaches `top_p`; ties with the last of them stay.
fn nucleus(logprobs: &Array, top_p: f32) -> Result<Array> {
    let sorted = ops::sort_axis(logprobs, -1)?;
    let probabilities = ops::exp(&sorted)?;
    let mass_above = ops::cumsum(&probabilities, -1, true, false)?;
    let total = ops::sum(&probabilities, None)?;
    let dropped = ops::ge(&mass_above, ops::multiply(total, Array::from_f32(top_p))?)?;
    let threshold = sorted.take_axis(ops::sum(dropped.as_type::<i32>()?, None)?, 0)?;
    drop_below(logprobs, &threshold)
}

/// The `k` most likely tokens.
fn top(logprobs: &Array, k: i32) -> Result<Array> {
    let order = ops::argpartition_axis(ops::negative(logprobs)?, k - 1, -1)?;
    let dropped = order.try_index(k..)?;
    ops::indexing::put_along_axis(logprobs, &dropped, Array::from_f32(f32::NEG_INFINITY), -1)
}

fn drop_below(logprobs: &Array, least: &Array) -> Result<Array> {
    ops::select(ops::lt(logprobs, least)?, Array::from_f32(f32::NEG_INFINITY), logprobs)
}

/// A seed of its own for each step: SplitMix64's output function over the run's seed and the step
/// (Steele, Lea & Flood 2014, <https://doi.org/10.1145/2660193.2660195>).
fn step_seed(seed: u64, step: u64) -> u64 {
    let mut z = seed.wrapping_add((step + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kernels;

    /// Probabilities 0.1, 0.4, 0.2, 0.3.
    fn logits() -> Array {
        Array::from_slice(&[0.1f32, 0.4, 0.2, 0.3].map(f32::ln), &[4])
    }

    fn sampling(temperature: f64) -> Sampling {
        Sampling { temperature, top_p: None, min_p: None, top_k: None }
    }

    fn survivors(sampling: Sampling) -> Vec<usize> {
        survivors_of(&logits(), sampling)
    }

    fn survivors_of(logits: &Array, sampling: Sampling) -> Vec<usize> {
        let kept = filter(logits, &sampling).unwrap();
        kept.eval().unwrap();
        kept.as_slice::<f32>().iter().enumerate().filter(|(_, p)| p.is_finite()).map(|(i, _)| i).collect()
    }

    /// MLX's own, and ours at every level that this processor can.
    fn all_kernels() -> Vec<Kernels> {
        let ours = kernels::levels().into_iter().map(|level| Kernels::Ours { level, threads: 1 });
        [Kernels::Stock].into_iter().chain(ours).collect()
    }

    fn drawn(kernels: &Kernels, logits: &Array, sampling: &Sampling, seed: u64, step: u64) -> u32 {
        draw(kernels, logits, sampling, seed, step).unwrap().item_exact()
    }

    fn shares(kernels: &Kernels, sampling: Sampling, n: u64) -> [f64; 4] {
        let mut counts = [0.0; 4];
        for step in 0..n {
            counts[drawn(kernels, &logits(), &sampling, 7, step) as usize] += 1.0 / n as f64;
        }
        counts
    }

    #[test]
    fn each_filter_keeps_what_its_definition_says() {
        let base = sampling(1.0);
        assert_eq!(survivors(base), [0, 1, 2, 3]);
        assert_eq!(survivors(Sampling { top_p: Some(0.65), ..base }), [1, 3]);
        assert_eq!(survivors(Sampling { top_p: Some(0.75), ..base }), [1, 2, 3]);
        assert_eq!(survivors(Sampling { min_p: Some(0.6), ..base }), [1, 3]);
        assert_eq!(survivors(Sampling { top_k: Some(1), ..base }), [1]);
        assert_eq!(survivors(Sampling { top_k: Some(3), ..base }), [1, 2, 3]);
        // Filters see probabilities before temperature: min-p 0.6 keeps the same two at any temperature.
        assert_eq!(survivors(Sampling { min_p: Some(0.6), ..sampling(5.0) }), [1, 3]);
    }

    #[test]
    fn filters_keep_what_mlx_lms_keep() {
        #[derive(serde::Deserialize)]
        struct Case {
            logits: Vec<f32>,
            top_p: Option<f64>,
            min_p: Option<f64>,
            top_k: Option<u32>,
            survivors: Vec<usize>,
        }
        #[derive(serde::Deserialize)]
        struct Golden {
            cases: Vec<Case>,
        }
        let golden: Golden = serde_json::from_str(include_str!("../../tests/data/sampler_filters.json")).unwrap();
        assert!(golden.cases.len() > 70);
        for case in golden.cases {
            let logits = Array::from_slice(&case.logits, &[case.logits.len() as i32]);
            let sampling = Sampling { temperature: 1.0, top_p: case.top_p, min_p: case.min_p, top_k: case.top_k };
            assert_eq!(survivors_of(&logits, sampling), case.survivors, "{sampling:?} on {:?}", case.logits);
        }
    }

    #[test]
    fn zero_temperature_takes_the_likeliest() {
        for kernels in all_kernels() {
            assert_eq!(drawn(&kernels, &logits(), &sampling(0.0), 1, 0), 1);
        }
    }

    /// 4000 draws: five standard errors of a share are at most 0.04.
    #[test]
    fn shares_follow_the_distribution_and_temperature_sharpens_it() {
        for kernels in all_kernels() {
            let at_one = shares(&kernels, sampling(1.0), 4000);
            for (share, expected) in at_one.iter().zip([0.1, 0.4, 0.2, 0.3]) {
                assert!((share - expected).abs() < 0.04, "{kernels}: {at_one:?}");
            }
            // Temperature 0.5 squares probabilities: 0.01, 0.16, 0.04, 0.09 over 0.30.
            let at_half = shares(&kernels, sampling(0.5), 4000);
            for (share, expected) in at_half.iter().zip([0.01, 0.16, 0.04, 0.09].map(|p| p / 0.30)) {
                assert!((share - expected).abs() < 0.04, "{kernels}: {at_half:?}");
            }
        }
    }

    #[test]
    fn a_seed_repeats_and_another_differs_whoever_draws() {
        let draws = |kernels: &Kernels, seed| -> Vec<u32> {
            (0..32).map(|step| drawn(kernels, &logits(), &sampling(1.0), seed, step)).collect()
        };
        let first = draws(&Kernels::Stock, 1);
        for kernels in all_kernels() {
            assert_eq!(draws(&kernels, 1), first, "{kernels}");
            assert_ne!(draws(&kernels, 2), first, "{kernels}");
        }
    }

    /// What filters leave is drawn from by ours as by MLX, and what they drop by neither.
    #[test]
    fn filtered_logits_give_the_same_tokens_whoever_draws() {
        let words = 1000;
        let logits: Vec<f32> = (0..words).map(|i: i32| ((i * i * 7919) % 1009) as f32 / 90.0).collect();
        let logits = Array::from_slice(&logits, &[words]);
        let base = sampling(1.3);
        for sampling in [
            Sampling { top_p: Some(0.9), ..base },
            Sampling { min_p: Some(0.2), ..base },
            Sampling { top_k: Some(40), ..base },
            Sampling { top_p: Some(0.8), min_p: Some(0.05), top_k: Some(100), ..base },
        ] {
            let survivors = survivors_of(&logits, sampling);
            for step in 0..50 {
                let tokens: Vec<u32> =
                    all_kernels().iter().map(|kernels| drawn(kernels, &logits, &sampling, 3, step)).collect();
                assert!(tokens.iter().all(|token| *token == tokens[0]), "{sampling:?}, step {step}: {tokens:?}");
                assert!(survivors.contains(&(tokens[0] as usize)), "{sampling:?}, step {step}: {tokens:?}");
            }
        }
    }
}
