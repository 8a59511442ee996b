//! Each matrix kernel of ours, at every level that this processor can, against sums in float64: all bits and group sizes,
//! rows and columns that fill no register or tile, one vector and many, one thread and three.
#![cfg(all(feature = "mlx", target_os = "linux"))]
#![allow(clippy::unwrap_used)]

use std::{ffi::CString, ptr};

use offprint::model::kernels::levels;
use offprint_kernels::offprint_matmul;

/// A matrix as MLX packs it (`bits` 32: float32), and its values.
struct Matrix {
    rows: usize,
    columns: usize,
    bits: usize,
    group: usize,
    words: Vec<u32>,
    scales: Vec<f32>,
    biases: Vec<f32>,
    values: Vec<f64>,
    /// Of each value: what is added up to make it, without signs.
    sizes: Vec<f64>,
}

/// xorshift: numbers without a pattern, the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// -1 to 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

fn matrix(rows: usize, columns: usize, bits: usize, group: usize, random: &mut Random) -> Matrix {
    if bits == 32 {
        let floats: Vec<f32> = (0..rows * columns).map(|_| random.unit()).collect();
        let words = floats.iter().map(|x| x.to_bits()).collect();
        let values: Vec<f64> = floats.iter().map(|x| f64::from(*x)).collect();
        let sizes = values.iter().map(|x| x.abs()).collect();
        return Matrix { rows, columns, bits, group, words, scales: Vec::new(), biases: Vec::new(), values, sizes };
    }
    let mut count = |n: usize| (0..n).map(|_| random.unit()).collect::<Vec<f32>>();
    let (scales, biases) = (count(rows * columns / group), count(rows * columns / group));
    let mut words = vec![0u32; rows * columns * bits / 32];
    let (mut values, mut sizes) = (Vec::new(), Vec::new());
    for (index, at) in (0..rows * columns).map(|index| (index, index * bits)) {
        // A stream of bits from the lowest of the first word up: rows are whole words.
        let q = random.next() >> 20 & ((1 << bits) - 1);
        words[at / 32] |= (q << (at % 32)) as u32;
        if at % 32 + bits > 32 {
            words[at / 32 + 1] |= (q >> (32 - at % 32)) as u32;
        }
        let (scaled, bias) = (q as f64 * f64::from(scales[index / group]), f64::from(biases[index / group]));
        values.push(scaled + bias);
        sizes.push(scaled.abs() + bias.abs());
    }
    Matrix { rows, columns, bits, group, words, scales, biases, values, sizes }
}

fn assert_right(m: &Matrix, level: &str, threads: i32, n: usize, panels: bool, random: &mut Random) {
    let x: Vec<f32> = (0..n * m.columns).map(|_| random.unit()).collect();
    let mut y = vec![f32::NAN; n * m.rows];
    let name = CString::new(level).unwrap();
    let of = |floats: &Vec<f32>| if floats.is_empty() { ptr::null() } else { floats.as_ptr() };
    // SAFETY: every slice is as long as the sizes say.
    let ran = unsafe {
        offprint_matmul(
            name.as_ptr(),
            threads,
            m.words.as_ptr().cast(),
            of(&m.scales),
            of(&m.biases),
            m.rows as i32,
            m.columns as i32,
            m.bits as i32,
            m.group as i32,
            x.as_ptr(),
            n as i32,
            panels,
            y.as_mut_ptr(),
        )
    };
    assert!(ran, "{level}");
    for t in 0..n {
        for r in 0..m.rows {
            let (mut sum, mut size) = (0.0, 0.0);
            for k in 0..m.columns {
                let x = f64::from(x[t * m.columns + k]);
                sum += x * m.values[r * m.columns + k];
                size += x.abs() * m.sizes[r * m.columns + k];
            }
            // Some ten roundings of the largest partial sum.
            let most = size * 6e-7 + 1e-6;
            let found = f64::from(y[t * m.rows + r]);
            assert!(
                (found - sum).abs() <= most,
                "{level}, {} bits, groups of {}, {} x {}, {threads} threads, vector {t} of {n}, row {r}: {found}, not {sum}",
                m.bits,
                m.group,
                m.rows,
                m.columns
            );
        }
    }
}

#[test]
fn products_are_right_for_every_packing_and_size() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let found = levels();
    assert!(found.contains(&"plain".to_owned()), "{found:?}");
    for bits in [2, 3, 4, 6, 8] {
        for group in [32, 64, 128] {
            // Of columns: one group; blocks and a rest; more than one depth of the panel kernel.
            for (rows, columns) in [(1, group), (7, 3 * group), (51, 5 * group), (13, 1024 / group * group + group)] {
                let m = matrix(rows, columns, bits, group, &mut random);
                for level in &found {
                    for (threads, n, panels) in [(1, 2, false), (3, 1, false), (1, 1, true), (3, 19, true)] {
                        assert_right(&m, level, threads, n, panels, &mut random);
                    }
                }
            }
        }
    }
    for (rows, columns) in [(1, 1), (5, 3), (50, 37), (97, 301)] {
        let m = matrix(rows, columns, 32, 0, &mut random);
        for level in &found {
            for (threads, n, panels) in [(1, 2, false), (3, 1, false), (1, 1, true), (3, 35, true)] {
                assert_right(&m, level, threads, n, panels, &mut random);
            }
        }
    }
}
