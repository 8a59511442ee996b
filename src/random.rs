//! Numbers that look random and are the same everywhere: SplitMix64. Ours, because a library may change its stream between versions.

/// Steele, Lea, Flood: Fast splittable pseudorandom number generators (OOPSLA 2014); constants of its reference implementation.
#[derive(Debug, Clone)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on `0..n`: draws from the incomplete last round of `n` are thrown away, so no value is favoured.
    pub fn below(&mut self, n: u64) -> u64 {
        let limit = u64::MAX - u64::MAX % n;
        loop {
            let draw = self.bits();
            if draw < limit {
                return draw % n;
            }
        }
    }

    /// Uniform on `0..1`, in steps of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator's published first outputs for seed 1234567.
    #[test]
    fn splitmix_gives_its_reference_stream() {
        let mut random = SplitMix64(1234567);
        let stream = [random.bits(), random.bits(), random.bits()];
        assert_eq!(stream, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn below_is_uniform() {
        let mut random = SplitMix64(7);
        let mut counts = [0u32; 6];
        (0..60_000).for_each(|_| counts[random.below(6) as usize] += 1);
        // 10,000 expected a value, standard deviation 91: five of them.
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 456), "{counts:?}");
    }
}
