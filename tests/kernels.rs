//! Kernels of ours, at every level that this processor can. Each matrix kernel against sums in float64: all formats, bits and
//! group sizes, rows and columns that fill no register or tile, one vector and many, one thread and three; and what a packed
//! weight is, against MLX's `dequantize`. The draw against MLX's.
#![cfg(all(feature = "mlx", target_os = "linux"))]
#![allow(clippy::disallowed_methods)] // compared to a tolerance
#![allow(clippy::unwrap_used)]

use std::{ffi::CString, ptr};

use mlx_rs::{Array, Dtype, Stream, ops::indexing::argmax_axis, random};
use offprint::model::{
    kernels::{levels, levels_on_request},
    step::fused::draw,
};
use offprint_kernels::{format, offprint_matmul};

/// How a matrix is stored; `stored`: its scales.
#[derive(Debug, Clone, Copy)]
struct Kind {
    format: i32,
    bits: usize,
    group: usize,
    stored: i32,
    /// MLX's.
    mode: &'static str,
}

const fn affine(bits: usize, group: usize, stored: i32) -> Kind {
    Kind { format: format::AFFINE, bits, group, stored, mode: "affine" }
}

/// The formats whose weights are floating-point numbers of few bits.
const FLOATS: [Kind; 3] = [
    Kind { format: format::MXFP4, bits: 4, group: 32, stored: 3, mode: "mxfp4" },
    Kind { format: format::MXFP8, bits: 8, group: 32, stored: 3, mode: "mxfp8" },
    Kind { format: format::NVFP4, bits: 4, group: 16, stored: 4, mode: "nvfp4" },
];

/// Those that are not packed.
const PLAIN: [Kind; 3] = [
    Kind { format: format::FLOAT32, bits: 32, group: 0, stored: 0, mode: "" },
    Kind { format: format::FLOAT16, bits: 16, group: 0, stored: 0, mode: "" },
    Kind { format: format::BFLOAT16, bits: 16, group: 0, stored: 0, mode: "" },
];

/// A matrix as MLX packs it, and its values.
struct Matrix {
    rows: usize,
    columns: usize,
    kind: Kind,
    words: Vec<u32>,
    scales: Vec<u8>,
    biases: Vec<u8>,
    values: Vec<f64>,
    /// Of each value: what is added up to make it, without signs.
    sizes: Vec<f64>,
    /// The part of it that is no bias.
    scaled: Vec<f64>,
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

/// A number as float32, float16 or bfloat16 (`stored` 0, 1, 2) stores it, and what is stored.
fn stored(number: f32, stored: i32) -> (f32, Vec<u8>) {
    match stored {
        0 => (number, number.to_le_bytes().to_vec()),
        1 => (half::f16::from_f32(number).to_f32(), half::f16::from_f32(number).to_le_bytes().to_vec()),
        _ => (half::bf16::from_f32(number).to_f32(), half::bf16::from_f32(number).to_le_bytes().to_vec()),
    }
}

/// Four bits: a sign, two of exponent, one behind the point.
fn e2m1(bits: u64) -> f64 {
    let size = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0][bits as usize & 7];
    if bits & 8 == 0 { size } else { -size }
}

/// Eight bits: a sign, four of exponent, three behind the point. MLX knows no infinity among them, and all are numbers.
fn e4m3(bits: u64) -> f64 {
    let (exponent, rest) = ((bits >> 3 & 15) as i32, (bits & 7) as f64);
    let size = if exponent == 0 { rest * 2f64.powi(-9) } else { (8.0 + rest) * 2f64.powi(exponent - 10) };
    if bits & 128 == 0 { size } else { -size }
}

/// Kernels read whole registers: what lies behind the last number must not count.
fn fenced(numbers: Vec<u8>) -> Vec<u8> {
    [numbers, vec![0xff; 64]].concat()
}

fn matrix(rows: usize, columns: usize, kind: Kind, random: &mut Random) -> Matrix {
    if kind.group == 0 {
        let as_stored = [0, 1, 2][(kind.format - format::FLOAT32) as usize];
        let (floats, bytes): (Vec<f32>, Vec<Vec<u8>>) =
            (0..rows * columns).map(|_| stored(random.unit(), as_stored)).unzip();
        let bytes = fenced(bytes.concat());
        let words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        let values: Vec<f64> = floats.iter().map(|x| f64::from(*x)).collect();
        let sizes: Vec<f64> = values.iter().map(|x| x.abs()).collect();
        let scaled = sizes.clone();
        return Matrix { rows, columns, kind, words, scales: Vec::new(), biases: Vec::new(), values, sizes, scaled };
    }
    let Kind { bits, group, .. } = kind;
    let groups = rows * columns / group;
    let (scales, biases, kept_scales, kept_biases): (Vec<f64>, Vec<f64>, Vec<u8>, Vec<u8>) = if kind.mode == "affine" {
        // One of some is so small that float16 has it without an exponent.
        let mut some = |n: usize| {
            let all = (0..n).map(|i| stored(random.unit() * [1.0, 1e-6][usize::from(i % 9 == 4)], kind.stored));
            let (numbers, bytes): (Vec<f32>, Vec<Vec<u8>>) = all.unzip();
            (numbers.into_iter().map(f64::from).collect(), bytes.concat())
        };
        let ((scales, kept_scales), (biases, kept_biases)) = (some(groups), some(groups));
        (scales, biases, kept_scales, fenced(kept_biases))
    } else {
        // Of nvfp4 all but the negative ones, which MLX does not write; of the others 2^-12 to 2^3, and the least of all.
        let byte = |i: usize, random: &mut Random| match (kind.stored, i % 31) {
            (3, 30) => 0,
            (3, _) => 115 + random.next() % 16,
            (_, _) => random.next() % 127,
        };
        let bytes: Vec<u64> = (0..groups).map(|i| byte(i, random)).collect();
        let number = |byte: u64| if kind.stored == 3 { 2f64.powi(byte as i32 - 127) } else { e4m3(byte) };
        let kept = bytes.iter().map(|byte| *byte as u8).collect();
        (bytes.into_iter().map(number).collect(), vec![0.0; groups], kept, Vec::new())
    };
    let mut words = vec![0u32; rows * columns * bits / 32];
    let (mut values, mut sizes, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for (index, at) in (0..rows * columns).map(|index| (index, index * bits)) {
        // A stream of bits from the lowest of the first word up: rows are whole words.
        let q = random.next() >> 20 & ((1 << bits) - 1);
        words[at / 32] |= (q << (at % 32)) as u32;
        if at % 32 + bits > 32 {
            words[at / 32 + 1] |= (q >> (32 - at % 32)) as u32;
        }
        let number = match kind.format {
            format::AFFINE => q as f64,
            format::MXFP8 => e4m3(q),
            _ => e2m1(q),
        };
        let (scaled, bias) = (number * scales[index / group], biases[index / group]);
        values.push(scaled + bias);
        sizes.push(scaled.abs() + bias.abs());
        parts.push(scaled.abs());
    }
    Matrix {
        rows,
        columns,
        kind,
        words,
        scales: fenced(kept_scales),
        biases: kept_biases,
        values,
        sizes,
        scaled: parts,
    }
}

/// `x @ matrix.T` by the kernel for vectors, one at a time, or by that for prompts; `x` holds `n` vectors.
fn product(m: &Matrix, level: &str, threads: i32, x: &[f32], panels: bool) -> Vec<f32> {
    product_of(m, level, threads, x, i32::from(!panels))
}

/// The same, so many vectors at a time; 0: by the kernel for prompts.
fn product_of(m: &Matrix, level: &str, threads: i32, x: &[f32], together: i32) -> Vec<f32> {
    let n = x.len() / m.columns;
    let mut y = vec![f32::NAN; n * m.rows];
    let name = CString::new(level).unwrap();
    let of = |bytes: &Vec<u8>| if bytes.is_empty() { ptr::null() } else { bytes.as_ptr().cast() };
    // SAFETY: every slice is as long as the sizes say.
    let ran = unsafe {
        offprint_matmul(
            name.as_ptr(),
            threads,
            m.words.as_ptr().cast(),
            of(&m.scales),
            of(&m.biases),
            m.kind.format,
            m.kind.stored,
            m.rows as i32,
            m.columns as i32,
            m.kind.bits as i32,
            m.kind.group as i32,
            x.as_ptr(),
            n as i32,
            together,
            y.as_mut_ptr(),
        )
    };
    assert!(ran, "{level}");
    y
}

/// All levels: `avx512vnni16` as well, which is taken by name only.
fn all_levels() -> Vec<String> {
    levels().into_iter().chain(levels_on_request()).collect()
}

/// Whether the level on request rounds activations to 16 bits for such a matrix.
fn of_16_bits(kind: Kind) -> bool {
    (kind.format == format::AFFINE && [4, 8].contains(&kind.bits)) || kind.format == format::MXFP4
}

/// By what a level that holds activations in fixed point may be off: a share of the largest of those that have one step, for each.
fn fixed_point(m: &Matrix, level: &str, x: &[f32], row: usize, panels: bool) -> f64 {
    let Kind { bits, format, .. } = m.kind;
    let (together, share) = match level {
        // Half of a 32639th, and what the step is rounded by. A step is that of 16 bytes of weights, or of 32 columns of a prompt.
        "avx512vnni16" if of_16_bits(m.kind) => (if panels { 32 } else { 128 / bits }, 2f64.powf(-15.97)),
        // Of a word's eight, where a weight can be zero: elsewhere other roundings are as large.
        "avx512vnni" | "avx512vnni16" if bits == 4 && format != format::AFFINE => (8, 2f64.powi(-22)),
        _ => return 0.0,
    };
    let runs = m.scaled[row * m.columns..][..m.columns].chunks(together).zip(x.chunks(together));
    let of = |(weights, x): (&[f64], &[f32])| {
        let most = x.iter().fold(0.0, |most, x| x.abs().max(most));
        f64::from(most) * weights.iter().sum::<f64>()
    };
    runs.map(of).sum::<f64>() * share
}

fn assert_right(m: &Matrix, level: &str, threads: i32, x: &[f32], panels: bool) {
    let (n, y) = (x.len() / m.columns, product(m, level, threads, x, panels));
    for t in 0..n {
        for r in 0..m.rows {
            let (mut sum, mut size) = (0.0, 0.0);
            for k in 0..m.columns {
                let x = f64::from(x[t * m.columns + k]);
                sum += x * m.values[r * m.columns + k];
                size += x.abs() * m.sizes[r * m.columns + k];
            }
            // Some ten roundings of the largest partial sum; more where a few weights are hundreds of times the others, as E4M3's are.
            let roundings = if m.kind.format == format::MXFP8 { 18e-7 } else { 6e-7 };
            let most = size * roundings + 1e-6 + fixed_point(m, level, &x[t * m.columns..], r, panels);
            let found = f64::from(y[t * m.rows + r]);
            assert!(
                (found - sum).abs() <= most,
                "{level}, {:?}, {} x {}, {threads} threads, vector {t} of {n}, row {r}: {found}, not {sum}",
                m.kind,
                m.rows,
                m.columns
            );
        }
    }
}

fn units(n: usize, random: &mut Random) -> Vec<f32> {
    (0..n).map(|_| random.unit()).collect()
}

#[test]
fn products_are_right_for_every_packing_and_size() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let found = all_levels();
    assert!(found.contains(&"plain".to_owned()), "{found:?}");
    let affine = [2, 3, 4, 5, 6, 8].into_iter().flat_map(|bits| {
        [32, 64, 128].into_iter().flat_map(move |group| (0..3).map(move |stored| affine(bits, group, stored)))
    });
    for kind in affine.chain(FLOATS) {
        let group = kind.group;
        // Of columns: one group; blocks and a rest; more than one depth of the panel kernel; more groups than are unpacked
        // at a time.
        for (rows, columns) in [(1, group), (7, 3 * group), (51, 5 * group), (13, 1024 + group), (6, 69 * group)] {
            let m = matrix(rows, columns, kind, &mut random);
            for level in &found {
                for (threads, n, panels) in [(1, 2, false), (3, 1, false), (1, 1, true), (3, 19, true)] {
                    assert_right(&m, level, threads, &units(n * columns, &mut random), panels);
                }
            }
        }
    }
    for kind in PLAIN {
        for (rows, columns) in [(1, 1), (5, 3), (50, 37), (97, 301)] {
            let m = matrix(rows, columns, kind, &mut random);
            for level in &found {
                for (threads, n, panels) in [(1, 2, false), (3, 1, false), (1, 1, true), (3, 35, true)] {
                    assert_right(&m, level, threads, &units(n * columns, &mut random), panels);
                }
            }
        }
    }
}

/// Several vectors at a time give to the bit what each gives alone, whatever the packing, and whatever is in the others.
#[test]
fn vectors_together_give_what_each_gives_alone() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let affine = [2, 3, 4, 5, 6, 8].into_iter().flat_map(|bits| {
        [32, 64, 128].into_iter().flat_map(move |group| (0..3).map(move |stored| affine(bits, group, stored)))
    });
    for kind in affine.chain(FLOATS).chain(PLAIN) {
        let group = kind.group.max(13);
        for (rows, columns) in [(1, group), (7, 3 * group), (51, 5 * group), (6, 69 * group)] {
            let m = matrix(rows, columns, kind, &mut random);
            let sizes = [1.0, 1e-3, 1e4, 0.0, -1.0];
            let x: Vec<f32> = (0..19 * columns).map(|i| random.unit() * sizes[i / columns % 5]).collect();
            for level in all_levels() {
                let alone = product_of(&m, &level, 1, &x, 1);
                for (together, threads) in [(2, 1), (3, 1), (4, 3), (5, 1), (6, 1), (7, 1), (8, 3), (19, 1)] {
                    let found = product_of(&m, &level, threads, &x, together);
                    let same = found.iter().zip(&alone).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{level}, {kind:?}, {rows} x {columns}, {together} together, {threads} threads");
                }
            }
        }
    }
}

/// What MLX makes of a packed matrix, in float32.
fn mlxs_values(m: &Matrix) -> Vec<f32> {
    let Kind { bits, group, stored, mode, .. } = m.kind;
    let array = |bytes: &[u8], columns: usize, dtype| {
        let shape = [m.rows as i32, columns as i32];
        // SAFETY: as many bytes as the shape and the type say are copied.
        unsafe { Array::from_raw_data(bytes.as_ptr().cast(), &shape, dtype) }
    };
    let dtypes = [Dtype::Float32, Dtype::Float16, Dtype::Bfloat16, Dtype::Uint8, Dtype::Uint8];
    let words: Vec<u8> = m.words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let weight = array(&words, m.columns * bits / 32, Dtype::Uint32);
    let of = |bytes: &[u8]| {
        let numbers = array(bytes, m.columns / group, dtypes[stored as usize]);
        if stored < 3 { numbers.as_dtype(Dtype::Float32).unwrap() } else { numbers }
    };
    let (scales, biases) = (of(&m.scales), (stored < 3).then(|| of(&m.biases)));
    let mode = CString::new(mode).unwrap();
    let some = |value: usize| mlx_sys::mlx_optional_int { value: value as i32, has_value: true };
    // SAFETY: handles live through the call; the new one belongs to nobody else.
    let values = unsafe {
        let mut out = mlx_sys::mlx_array_new();
        let none = mlx_sys::mlx_array { ctx: ptr::null_mut() };
        let rc = mlx_sys::mlx_dequantize(
            &mut out,
            weight.as_ptr(),
            scales.as_ptr(),
            biases.as_ref().map_or(none, Array::as_ptr),
            some(group),
            some(bits),
            mode.as_ptr(),
            none,
            mlx_sys::mlx_optional_dtype { value: mlx_sys::mlx_dtype__MLX_FLOAT32, has_value: true },
            Stream::thread_local_or_default().as_ptr(),
        );
        assert_eq!(rc, 0);
        Array::from_ptr(out)
    };
    values.eval().unwrap();
    values.as_slice::<f32>().to_vec()
}

/// A unit vector picks a column of weights, and a sum of zeros with one number is that number: to the bit.
#[test]
fn weights_are_what_mlx_dequantizes() {
    let mut random = Random(0x94d0_49bb_1331_11eb);
    let affine = [2, 3, 4, 5, 6, 8].into_iter().flat_map(|bits| (0..3).map(move |stored| affine(bits, 64, stored)));
    for kind in affine.chain(FLOATS) {
        let (rows, columns) = (5, 320);
        let m = matrix(rows, columns, kind, &mut random);
        let values = mlxs_values(&m);
        let identity: Vec<f32> = (0..columns * columns).map(|i| f32::from(u8::from(i % (columns + 1) == 0))).collect();
        for level in levels() {
            let found = product(&m, &level, 1, &identity, true);
            for (k, column) in found.chunks(rows).enumerate() {
                for (r, found) in column.iter().enumerate() {
                    assert_eq!(*found, values[r * columns + k], "{level}, {kind:?}, row {r}, column {k}");
                }
            }
        }
    }
}

/// Some activations of a model are thousands of times the others, and a level may hold those that meet one word in fixed point.
#[test]
fn products_are_right_for_activations_of_all_sizes() {
    let mut random = Random(0xbf58_476d_1ce4_e5b9);
    for kind in [2, 3, 4, 5, 6, 8].map(|bits| affine(bits, 32, 1)).into_iter().chain(FLOATS).chain(PLAIN) {
        let m = matrix(9, 576, kind, &mut random);
        let mut of_size = |size: &dyn Fn(usize) -> f32| -> Vec<f32> {
            units(576, &mut random).iter().enumerate().map(|(k, x)| x * size(k)).collect()
        };
        let all = [
            of_size(&|k| if k % 97 == 5 { 1e4 } else { 1.0 }),
            of_size(&|k| 10f32.powi(k as i32 % 9 - 8)),
            of_size(&|k| if k % 3 == 0 { 0.0 } else { 1e-33 }),
            vec![1.0; 576],
            vec![-1.0; 576],
            vec![0.0; 576],
        ];
        for level in all_levels() {
            for x in &all {
                assert_right(&m, &level, 1, x, false);
                if levels_on_request().contains(&level) && of_16_bits(kind) {
                    assert_right(&m, &level, 1, x, true);
                }
            }
            for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for at in [0, 300, 575] {
                    let mut x = all[3].clone();
                    x[at] = none;
                    for panels in [false, true] {
                        let y = product(&m, &level, 1, &x, panels);
                        assert!(y.iter().all(|y| !y.is_finite()), "{level}, {kind:?}, {none} at {at}: {y:?}");
                    }
                }
            }
        }
    }
}

/// MLX's token from the same logits, temperature and key.
fn mlxs(logits: &Array, temperature: f32, key: u64) -> u32 {
    if temperature == 0.0 {
        return argmax_axis(logits, -1, true).unwrap().item_exact();
    }
    let scaled = (logits * Array::from_f32(1.0 / temperature)).expand_dims(0).unwrap();
    random::categorical(&scaled, -1, None, &random::key(key).unwrap()).unwrap().item_exact()
}

fn assert_same_tokens(logits: &[f32], temperature: f32, key: u64) -> u32 {
    let array = Array::from_slice(logits, &[logits.len() as i32]);
    let expected = mlxs(&array, temperature, key);
    for level in levels() {
        let found = draw(&level, &array, temperature, key).unwrap().item_exact::<u32>();
        assert_eq!(found, expected, "{level}, {} logits, temperature {temperature}, key {key:#x}", logits.len());
    }
    expected
}

/// Like a model's: most near a middle, a few far above it. `peak`: how far.
fn logits(n: usize, peak: f32, random: &mut Random) -> Vec<f32> {
    let mut all: Vec<f32> = (0..n).map(|_| (0..6).map(|_| random.unit()).sum::<f32>() * 2.0).collect();
    for rank in 0..n.min(12) {
        all[random.next() as usize % n] = peak / (1.0 + rank as f32 / 4.0);
    }
    all
}

#[test]
fn a_draw_is_mlxs_for_the_same_key() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    // Odd and even; below, at and beside one block and several; a vocabulary.
    let sizes = [(1, 20), (2, 100), (3, 100), (5, 100), (63, 100), (64, 100), (65, 100), (100, 200), (127, 100)];
    for (n, times) in sizes.into_iter().chain([(128, 100), (129, 100), (1000, 200), (49_152, 60), (49_153, 60)]) {
        for time in 0..times {
            let mut all = logits(n, [0.0, 10.0, 25.0][time % 3], &mut random);
            if time % 2 == 1 {
                // As a filter leaves them: some, or nearly all dropped.
                let kept = if time % 4 == 1 { 0.9 } else { -0.99 };
                all.iter_mut().filter(|_| random.unit() > kept).for_each(|logit| *logit = f32::NEG_INFINITY);
            }
            for temperature in [0.0, 0.1, 0.7, 1.0, 2.0] {
                assert_same_tokens(&all, temperature, random.next());
            }
        }
    }
}

/// Of these logits every tail weighs less than a sum in float32 is off: one rounding that differs, and tokens do.
#[test]
fn a_draw_from_a_long_tail_is_mlxs() {
    let mut random = Random(0xd134_2543_de82_ef95);
    for spread in [0.0, 0.01, 1.0, 3.0] {
        for _ in 0..8 {
            let all: Vec<f32> = (0..100_003).map(|_| spread * random.unit()).collect();
            for _ in 0..12 {
                assert_same_tokens(&all, 1.0, random.next());
            }
        }
    }
}

/// Of two tokens the second is drawn once the first's weight falls below a bound: at the same one of neighbouring floats only if
/// that weight has MLX's last bit.
#[test]
fn weights_have_mlxs_last_bit() {
    for seed in 0..60 {
        let key = random::key(seed).unwrap();
        let u = random::uniform::<_, f32>(0.0, 1.0, &[1], &key).unwrap().item_exact::<f32>();
        if !(1e-6..0.45).contains(&u) {
            continue;
        }
        let at = (f64::from(u) / (1.0 - f64::from(u))).ln() as f32;
        let neighbours = (-60..60).map(|step| f32::from_bits(at.to_bits().wrapping_add_signed(step)));
        let drawn: Vec<u32> = neighbours.map(|logit| assert_same_tokens(&[logit, 0.0], 1.0, seed)).collect();
        assert!(drawn.contains(&0) && drawn.contains(&1), "the bound is elsewhere: {u}");
    }
}

#[test]
fn equals_and_extremes_are_drawn_as_mlx_draws_them() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for n in [1, 2, 7, 64, 777] {
        for of in [0.0, -0.0, 3.0, -1e30, 1e30, f32::NEG_INFINITY, f32::INFINITY] {
            for temperature in [0.0, 0.1, 1.0] {
                assert_same_tokens(&vec![of; n], temperature, random.next());
            }
        }
    }
    // Weights at the end of what is one: e^-87 to e^-89.
    let faint: Vec<f32> = (0..500).map(|i| if i == 250 { 0.0 } else { -87.0 - i as f32 / 250.0 }).collect();
    for _ in 0..20 {
        assert_same_tokens(&faint, 1.0, random.next());
    }
    // Keys found by search: u is 0; u would be rounded to 1. The first and the last that are not dropped.
    let (zero, one, dropped) = (2_521_438_154, 43_287_483, f32::NEG_INFINITY);
    for n in [3, 64, 400] {
        let mut all = vec![0.0; n];
        (all[0], all[n - 1]) = (dropped, dropped);
        for (key, token) in [(zero, 1), (one, n as u32 - 2)] {
            assert_same_tokens(&all, 1.0, key);
            assert_eq!(mlxs(&Array::from_slice(&all, &[n as i32]), 1.0, key), token, "another u than was searched for");
        }
    }
}

#[test]
fn numbers_that_are_none_do_no_harm() {
    for level in levels() {
        for n in [3, 64, 300, 1001] {
            for temperature in [0.0, 0.7] {
                let token = |all: &[f32]| {
                    draw(&level, &Array::from_slice(all, &[n]), temperature, 5).unwrap().item_exact::<u32>()
                };
                let mut all = vec![f32::NAN; n as usize];
                assert!(token(&all) < n as u32, "{level}");
                all[n as usize - 1] = 1.0;
                assert_eq!(token(&all), n as u32 - 1, "{level}");
                all[n as usize / 2] = 99.0;
                assert_eq!(token(&all), n as u32 / 2, "{level}");
            }
        }
    }
}

#[test]
fn what_cannot_be_drawn_from_says_why() {
    let level = &levels()[0];
    let error = |level: &str, logits: &Array| draw(level, logits, 1.0, 0).unwrap_err().to_string();
    for wrong in [
        Array::from_slice(&[1u32, 2], &[2]),
        Array::from_slice(&[1.0f32, 2.0], &[1, 2]),
        Array::from_slice::<f32>(&[], &[0]),
    ] {
        let error = error(level, &wrong);
        assert!(error.contains("logits must be a vector of 32-bit floats"), "{error}");
    }
    let error = error("avx3", &Array::from_slice(&[1.0f32], &[1]));
    assert!(error.contains("this processor lacks the instructions"), "{error}");
}
