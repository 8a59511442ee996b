//! The same in plain loops and float64, one position after the other.

use offprint_kernels::activation;

use crate::description::{Experts, HIDDEN, Layer, Matrix, Model, Rope, VOCABULARY};

type Vector = Vec<f64>;

/// Rows `from..to` of a matrix.
fn product(m: &Matrix, x: &[f64], from: usize, to: usize) -> Vector {
    let row = |r: usize| {
        let sum: f64 = m.values[r * m.columns..][..m.columns].iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
        sum + m.bias.as_ref().map_or(0.0, |bias| f64::from(bias[r]))
    };
    (from..to).map(row).collect()
}

fn linear(m: &Matrix, x: &[f64]) -> Vector {
    product(m, x, 0, m.rows)
}

fn rms(x: &[f64], weight: &[f32], epsilon: f32) -> Vector {
    let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (mean + f64::from(epsilon)).sqrt();
    x.iter().zip(weight).map(|(x, w)| x * scale * f64::from(*w)).collect()
}

/// The model's norm, if there is one here.
fn norm(m: &Model, x: &[f64], weight: Option<&Vec<f32>>) -> Vector {
    let Some(weight) = weight else { return x.to_vec() };
    let mean = if m.layer_norm { x.iter().sum::<f64>() / x.len() as f64 } else { 0.0 };
    rms(&x.iter().map(|x| x - mean).collect::<Vector>(), weight, m.epsilon)
}

fn norm_heads(m: &Model, x: &[f64], weight: Option<&Vec<f32>>) -> Vector {
    let Some(weight) = weight else { return x.to_vec() };
    x.chunks(weight.len()).flat_map(|span| rms(span, weight, m.epsilon)).collect()
}

fn rotate(rope: &Rope, head: &mut [f64], position: usize) {
    for (i, frequency) in rope.frequencies.iter().enumerate() {
        let angle = position as f64 * f64::from(rope.scale) * f64::from(*frequency);
        let (a, b) = if rope.interleaved { (2 * i, 2 * i + 1) } else { (i, i + rope.dims / 2) };
        let ((sin, cos), gain) = (angle.sin_cos(), f64::from(rope.gain));
        (head[a], head[b]) = ((head[a] * cos - head[b] * sin) * gain, (head[a] * sin + head[b] * cos) * gain);
    }
}

fn capped(x: f64, cap: f32) -> f64 {
    if cap == 0.0 { x } else { (x / f64::from(cap)).tanh() * f64::from(cap) }
}

fn activate(kind: i32, gate: f64, up: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match kind {
        activation::SILU => gate * sigmoid(gate) * up,
        activation::GELU => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (gate + 0.044715 * gate.powi(3));
            0.5 * gate * (1.0 + inner.tanh()) * up
        }
        _ => {
            let (gate, up) = (gate.min(7.0), up.clamp(-7.0, 7.0));
            gate * sigmoid(1.702 * gate) * (up + 1.0)
        }
    }
}

/// What comes of gate, up and down, by rows that begin with the `index`-th run of `runs`.
fn feed(kind: i32, [gate, up, down]: [&Matrix; 3], index: usize, runs: usize, x: &[f64]) -> Vector {
    let of = |m: &Matrix, x: &[f64]| product(m, x, index * m.rows / runs, (index + 1) * m.rows / runs);
    let inner: Vector = of(gate, x).iter().zip(of(up, x)).map(|(g, u)| activate(kind, *g, u)).collect();
    of(down, &inner)
}

fn mixture(kind: i32, e: &Experts, x: &[f64]) -> Vector {
    let scores: Vector = linear(&e.router, x).iter().map(|score| score.exp()).collect();
    let mut best: Vec<usize> = (0..e.count).collect();
    best.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    best.truncate(e.top);
    let among: f64 = match e.softmax_first && !e.renormalise {
        true => scores.iter().sum(),
        false => best.iter().map(|i| scores[*i]).sum(),
    };
    let mut sum = vec![0.0; HIDDEN];
    let mut add = |y: Vector, weight: f64| sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += y * weight);
    for i in best {
        add(feed(kind, [&e.gate, &e.up, &e.down], i, e.count, x), scores[i] / among);
    }
    if let Some(([gate, up, down], weight)) = &e.shared {
        let weight = weight.as_ref().map_or(1.0, |weight| 1.0 / (1.0 + (-linear(weight, x)[0]).exp()));
        add(feed(kind, [gate, up, down], 0, 1, x), weight);
    }
    sum
}

/// The attention of one position, from keys and values of all up to it.
fn attend(l: &Layer, query: &[f64], keys: &[Vector], values: &[Vector]) -> Vector {
    let (position, dim) = (keys.len() - 1, l.head_dim);
    let first = if l.window == 0 { 0 } else { (position + 1).saturating_sub(l.window) };
    let (beta, positions) = (f64::from(l.query_gain.0), f64::from(l.query_gain.1));
    let gain = 1.0 + beta * (1.0 + (position as f64 / positions).floor()).ln();
    let head = |h: usize| {
        let at = h / (l.heads / l.kv_heads) * dim;
        let weight = |t: usize| {
            let score: f64 = query[h * dim..][..dim].iter().zip(&keys[t][at..]).map(|(q, k)| q * k).sum();
            capped(score * gain * f64::from(l.score_scale), l.score_cap).exp()
        };
        let weights: Vector = (first..=position).map(weight).collect();
        let total = weights.iter().sum::<f64>() + l.sinks.as_ref().map_or(0.0, |sinks| f64::from(sinks[h]).exp());
        let mixed = |d: usize| weights.iter().zip(&values[first..]).map(|(w, v)| w * v[at + d]).sum::<f64>() / total;
        (0..dim).map(mixed).collect::<Vector>()
    };
    (0..l.heads).flat_map(head).collect()
}

/// `[n, vocabulary]`
pub fn logits(m: &Model, ids: &[u32]) -> Vector {
    let mut pasts: Vec<(Vec<Vector>, Vec<Vector>)> = vec![(Vec::new(), Vec::new()); m.layers.len()];
    let mut all = Vec::new();
    for (position, id) in ids.iter().enumerate() {
        let row = &m.embedding.values[*id as usize * HIDDEN..][..HIDDEN];
        let mut x: Vector = row.iter().map(|x| f64::from(*x) * f64::from(m.embedding_scale)).collect();
        let add = |x: &mut Vector, branch: Vector| {
            x.iter_mut().zip(branch).for_each(|(x, y)| *x += y * f64::from(m.residual_scale));
        };
        for (l, (keys, values)) in m.layers.iter().zip(&mut pasts) {
            let input = norm(m, &x, l.input_norm.as_ref());
            let turned = |linear: Vector, weight: Option<&Vec<f32>>| {
                let mut all = norm_heads(m, &linear, weight);
                if let Some(rope) = usize::try_from(l.rope).ok().map(|index| &m.ropes[index]) {
                    all.chunks_mut(l.head_dim).for_each(|head| rotate(rope, head, position));
                }
                all
            };
            keys.push(turned(linear(&l.k, &input), l.k_norm.as_ref()));
            values.push(linear(&l.v, &input));
            let query = turned(linear(&l.q, &input), l.q_norm.as_ref());
            let attended = linear(&l.o, &attend(l, &query, keys, values));
            add(&mut x, norm(m, &attended, l.attention_out_norm.as_ref()));
            let input = if l.parallel { input } else { norm(m, &x, l.feed_norm.as_ref()) };
            let fed = match &l.experts {
                Some(experts) => mixture(l.activation, experts, &input),
                None => feed(l.activation, [&l.gate, &l.up, &l.down], 0, 1, &input),
            };
            add(&mut x, norm(m, &fed, l.feed_out_norm.as_ref()));
        }
        let last = norm(m, &x, Some(&m.norm));
        all.extend(linear(&m.head, &last).iter().map(|y| capped(y * f64::from(m.logit_scale), m.logit_cap)));
    }
    assert_eq!(all.len(), ids.len() * VOCABULARY);
    all
}
