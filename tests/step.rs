//! The fused step from a description (`native/offprint-kernels`), at every level that this processor can, against plain loops in
//! float64: what a layer can be, one thing at a time and together, prompts at once, in parts and one by one. Each thing must also
//! change the logits, or its test would not notice that it is not done.
#![cfg(all(feature = "mlx", target_os = "linux"))]
#![allow(clippy::disallowed_methods)] // compared to a tolerance
#![allow(clippy::unwrap_used)]

#[path = "step/description.rs"]
mod description;
#[path = "step/fused.rs"]
mod fused;
#[path = "step/reference.rs"]
mod reference;

use description::{Experts, Layer, Model, Rope, Storage, VOCABULARY, model};
use fused::Fused;
use offprint::model::kernels::{levels, levels_on_request};
use offprint_kernels::activation;
use reference::logits;

fn ids(n: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 37 + i * i) % 39) as u32).collect()
}

/// All levels: those of activations of 16 bits as well, which are taken by name only.
fn all_levels() -> Vec<String> {
    levels().into_iter().chain(levels_on_request()).collect()
}

fn far(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    // A number that is none is far.
    a.iter().zip(b).fold(0.0, |most, (a, b)| {
        let far = (f64::from(*a) - b).abs();
        if far > most || far.is_nan() { far } else { most }
    })
}

/// Holds the step to the loops for `n` positions, in steps of these lengths and then one by one.
fn assert_computed(what: &str, m: &Model, n: usize, steps: &[&[usize]]) {
    let (ids, expected) = (ids(n), logits(m, &ids(n)));
    let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    for level in all_levels() {
        for threads in [1, 3] {
            let fused = Fused::new(m, &level, threads).unwrap();
            for steps in steps {
                let found = fused.logits(&ids, steps);
                let far = far(&found, &expected);
                // Activations of 16 bits are off by up to 2^-16 of the largest of some.
                let share = if levels().contains(&level) { 2e-5 } else { 2e-4 };
                assert!(
                    far <= largest * share,
                    "{what}, {level}, {threads} threads, steps of {steps:?}: {far} of {largest}"
                );
            }
        }
    }
}

/// `change` makes a layer, or a model, another; it must be computed, and seen.
fn assert_seen_and_computed(what: &str, change: impl Fn(&mut Model)) {
    let (n, mut m) = (37, model());
    let before = logits(&m, &ids(n));
    change(&mut m);
    let after = logits(&m, &ids(n));
    let moved = before.iter().zip(&after).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    assert!(moved > 1e-2, "{what} changes logits by {moved} only");
    assert_computed(what, &m, n, &[&[37], &[], &[5, 1, 18], &[16, 17]]);
}

fn each_layer(change: impl Fn(&mut Layer)) -> impl Fn(&mut Model) {
    move |m: &mut Model| m.layers.iter_mut().for_each(&change)
}

#[test]
fn llamas_layers_are_computed() {
    assert_computed("llama", &model(), 37, &[&[37], &[], &[5, 1, 18], &[16, 17]]);
}

#[test]
fn scales_and_caps_of_a_model_are_computed() {
    assert_seen_and_computed("embedding scale", |m| m.embedding_scale = 3.5);
    assert_seen_and_computed("residual scale", |m| m.residual_scale = 0.4);
    assert_seen_and_computed("logit scale", |m| m.logit_scale = 0.3);
    assert_seen_and_computed("logit cap", |m| m.logit_cap = 2.0);
    assert_seen_and_computed("logit scale and cap", |m| (m.logit_scale, m.logit_cap) = (1.5, 2.0));
}

#[test]
fn attention_is_computed() {
    assert_seen_and_computed("score scale", each_layer(|l| l.score_scale = 0.6));
    assert_seen_and_computed("score cap", each_layer(|l| (l.score_scale, l.score_cap) = (0.8, 2.0)));
    assert_seen_and_computed("window", each_layer(|l| l.window = 8));
    assert_seen_and_computed("window of one", each_layer(|l| l.window = 1));
    assert_seen_and_computed("window in one layer", |m| m.layers[1].window = 20);
    assert_seen_and_computed("sinks", each_layer(|l| l.sinks = Some(vec![1.5, -0.5, 3.0, 0.0])));
    assert_seen_and_computed(
        "window and sinks",
        each_layer(|l| (l.window, l.sinks) = (7, Some(vec![0.5, 2.5, -1.0, 1.0]))),
    );
    assert_seen_and_computed("biases", each_layer(|l| l.biases()));
    assert_seen_and_computed("query gain", each_layer(|l| l.query_gain = (0.9, 4.0)));
    assert_seen_and_computed("norms of heads", each_layer(|l| l.head_norms(false)));
    assert_seen_and_computed("norms of all heads", each_layer(|l| l.head_norms(true)));
}

#[test]
fn rotations_are_computed() {
    assert_seen_and_computed("no rope", |m| m.layers[0].rope = -1);
    assert_seen_and_computed("part of a head", |m| m.ropes[0] = Rope::new(8, 1e3));
    assert_seen_and_computed("neighbours", |m| m.ropes[0].interleaved = true);
    assert_seen_and_computed("part of a head, neighbours", |m| {
        m.ropes[0] = Rope { interleaved: true, ..Rope::new(12, 1e3) };
    });
    assert_seen_and_computed("scale", |m| m.ropes[0].scale = 0.25);
    assert_seen_and_computed("gain", |m| m.ropes[0].gain = 1.6);
    assert_seen_and_computed("two ropes", |m| {
        m.ropes.push(Rope { gain: 0.7, ..Rope::new(8, 30.0) });
        m.layers[1].rope = 1;
    });
}

#[test]
fn norms_stand_where_they_are_said_to() {
    assert_seen_and_computed("four norms", each_layer(Layer::four_norms));
    assert_seen_and_computed("norms after only", each_layer(Layer::out_norms));
    assert_seen_and_computed("parallel", each_layer(|l| (l.parallel, l.feed_norm) = (true, None)));
    assert_seen_and_computed("LayerNorm", |m| m.layer_norm = true);
    assert_seen_and_computed("parallel, LayerNorm, residual scale", |m| {
        m.layers.iter_mut().for_each(|l| (l.parallel, l.feed_norm) = (true, None));
        (m.layer_norm, m.residual_scale) = (true, 0.7);
    });
    assert_seen_and_computed("four norms, residual scale, all heads", |m| {
        m.layers.iter_mut().for_each(|l| {
            l.four_norms();
            l.head_norms(true);
        });
        m.residual_scale = 0.7;
    });
}

#[test]
fn activations_are_computed() {
    assert_seen_and_computed("gelu", each_layer(|l| l.activation = activation::GELU));
    // Some of it must be beyond the limits.
    assert_seen_and_computed("clipped", |m| {
        m.layers.iter_mut().for_each(|l| l.activation = activation::CLIPPED);
        m.layers.iter_mut().for_each(|l| l.feed_norm.iter_mut().flatten().for_each(|w| *w *= 6.0));
    });
}

#[test]
fn experts_are_computed() {
    for (softmax_first, renormalise) in [(true, true), (true, false), (false, false)] {
        let what = format!("experts, softmax first {softmax_first}, renormalised {renormalise}");
        assert_seen_and_computed(&what, |m| {
            m.layers[1].experts = Some(Experts { softmax_first, renormalise, ..Experts::new(6, 2, 64) });
        });
    }
    assert_seen_and_computed(
        "experts with biases, clipped, in all layers",
        each_layer(|l| {
            let mut experts = Experts::new(5, 3, 32);
            experts.biases();
            (l.experts, l.activation) = (Some(experts), activation::CLIPPED);
        }),
    );
    for weighted in [true, false] {
        assert_seen_and_computed("a shared expert", |m| {
            let mut experts = Experts::new(6, 2, 64);
            experts.share(96, weighted);
            m.layers[0].experts = Some(experts);
        });
    }
    assert_seen_and_computed("experts between four norms", |m| {
        m.layers[0].experts = Some(Experts::new(4, 4, 32));
        m.layers[0].four_norms();
        m.residual_scale = 0.5;
    });
}

/// An expert begins in the middle of a matrix, and of its scales.
#[test]
fn matrices_of_all_kinds_are_computed() {
    for storage in [Storage::Float16, Storage::Bfloat16, Storage::Affine8, Storage::Mxfp4] {
        assert_seen_and_computed(&format!("{storage:?}"), |m| {
            m.layers[0].experts = Some(Experts::new(6, 2, 64));
            m.layers[0].experts.as_mut().unwrap().stored_as(storage);
            m.layers[1].stored_as(storage);
            m.embedding.store(storage);
            m.head.store(storage);
        });
    }
}

/// More positions than attention takes at once (64), than a prompt's slice (512) and than experts are gathered for at once.
#[test]
fn long_prompts_are_computed() {
    let mut m = model();
    m.layers[0].window = 70;
    m.layers[0].sinks = Some(vec![1.5, -0.5, 3.0, 0.0]);
    m.layers[1].experts = Some(Experts::new(12, 5, 32));
    assert_computed("long", &m, 150, &[&[150], &[]]);
    assert_computed("longer", &m, 531, &[&[531], &[519, 1, 11]]);
}

/// Layers may differ in all their sizes.
#[test]
fn layers_of_different_sizes_are_computed() {
    let mut m = model();
    m.layers.insert(1, Layer::new(6, 1, 24, 160, "wide"));
    m.layers.push(Layer::new(2, 2, 72, 32, "deep"));
    assert_computed("sizes", &m, 37, &[&[37], &[], &[20, 1, 3]]);
}

/// Models that differ in what is computed between matrices, and one with experts.
fn kinds() -> Vec<(&'static str, Model)> {
    let changed = |change: &dyn Fn(&mut Model)| {
        let mut m = model();
        change(&mut m);
        m
    };
    vec![
        ("llama", model()),
        (
            "packed",
            changed(&|m| {
                m.layers[0].stored_as(Storage::Affine8);
                m.layers[1].stored_as(Storage::Mxfp4);
                m.head.store(Storage::Float16);
            }),
        ),
        (
            "window and sinks",
            changed(&|m| {
                (m.layers[0].window, m.layers[0].sinks) = (7, Some(vec![0.5, 2.5, -1.0, 1.0]));
                m.layers[1].head_norms(false);
                m.logit_cap = 2.0;
            }),
        ),
        (
            "four norms",
            changed(&|m| {
                m.layers.iter_mut().for_each(Layer::four_norms);
                m.residual_scale = 0.7;
            }),
        ),
        (
            "experts",
            changed(&|m| {
                let mut experts = Experts::new(6, 2, 64);
                experts.share(96, true);
                m.layers[0].experts = Some(experts);
                m.layers[1].experts = Some(Experts::new(5, 3, 32));
            }),
        ),
    ]
}

/// Sequences of different lengths, some of which come later and end earlier: each has the logits that it has alone, to the bit.
#[test]
fn sequences_in_one_step_have_the_logits_that_they_have_alone() {
    // When a sequence comes, and its ids.
    let sequences: Vec<(usize, Vec<u32>)> =
        [(0, 30), (0, 3), (1, 75), (2, 9), (5, 1), (5, 14), (5, 20), (6, 22), (6, 4), (7, 40), (9, 5)]
            .iter()
            .enumerate()
            .map(|(i, (from, n))| (*from, (0..*n).map(|k| ((k * 31 + i * 7 + k * k) % 39) as u32).collect()))
            .collect();
    for (what, m) in kinds() {
        for level in all_levels() {
            for threads in [1, 3] {
                let fused = Fused::new(&m, &level, threads).unwrap();
                let alone: Vec<Vec<f32>> = sequences.iter().map(|(_, ids)| fused.logits(ids, &[])).collect();
                let mut pasts: Vec<_> = sequences.iter().map(|(_, ids)| fused.past(ids.len())).collect();
                let mut found = vec![Vec::new(); sequences.len()];
                for step in 0..80 {
                    let mut members: Vec<(usize, &mut fused::Past, &[u32])> =
                        (pasts.iter_mut().zip(&sequences).enumerate())
                            .filter(|(_, (past, (from, ids)))| *from <= step && past.offset < ids.len())
                            .map(|(i, (past, (_, ids)))| {
                                let at = past.offset;
                                // Now and then several positions of one at once.
                                let n = if (step + i) % 5 == 4 { 3.min(ids.len() - at) } else { 1 };
                                (i, past, &ids[at..at + n])
                            })
                            .collect();
                    if members.is_empty() {
                        continue;
                    }
                    let mut parts: Vec<_> = members.iter_mut().map(|(_, past, ids)| (&mut **past, *ids)).collect();
                    let logits = fused.step(&mut parts).unwrap();
                    let mut rows = logits.chunks(logits.len() / parts.iter().map(|(_, ids)| ids.len()).sum::<usize>());
                    for (i, _, ids) in members {
                        rows.by_ref().take(ids.len()).for_each(|row| found[i].extend_from_slice(row));
                    }
                }
                for (i, (alone, found)) in alone.iter().zip(&found).enumerate() {
                    assert!(alone == found, "{what}, {level}, {threads} threads, sequence {i}");
                }
            }
        }
    }
}

/// As many as are computed at once (32), and more.
#[test]
fn many_sequences_have_the_logits_that_they_have_alone() {
    let (_, m) = kinds().pop().unwrap();
    for level in all_levels() {
        let fused = Fused::new(&m, &level, 2).unwrap();
        let all: Vec<Vec<u32>> = (0..35).map(|i| vec![i, (i * 5 + 1) % 39]).collect();
        let mut pasts: Vec<_> = all.iter().map(|_| fused.past(2)).collect();
        let alone: Vec<f32> = all.iter().flat_map(|ids| fused.logits(ids, &[])[VOCABULARY..].to_vec()).collect();
        let mut last = Vec::new();
        for at in 0..2 {
            let mut parts: Vec<_> = pasts.iter_mut().zip(&all).map(|(past, ids)| (past, &ids[at..=at])).collect();
            last = fused.step(&mut parts).unwrap();
        }
        assert!(last == alone, "{level}");
    }
}

/// The next few positions of one sequence, as a draft is checked: to the bit what they are one by one.
#[test]
fn a_few_positions_at_once_are_what_they_are_one_by_one() {
    for (what, m) in kinds() {
        for level in all_levels() {
            let fused = Fused::new(&m, &level, 3).unwrap();
            let (ids, one_by_one) = (ids(80), fused.logits(&ids(80), &[]));
            for steps in [vec![2; 40], vec![3, 4, 5, 6, 7, 8, 8, 8, 8, 8, 8, 7], vec![8; 10]] {
                assert!(fused.logits(&ids, &steps) == one_by_one, "{what}, {level}, {steps:?}");
            }
        }
    }
}

/// A past that went astray and was cut back gives what one gives that was never there.
#[test]
fn a_past_that_was_cut_back_never_went_there() {
    for (what, m) in kinds() {
        for level in all_levels() {
            let fused = Fused::new(&m, &level, 2).unwrap();
            let ids = ids(40);
            let straight = fused.logits(&ids, &[20]);
            let width = straight.len() / ids.len();
            let mut past = fused.past(40);
            fused.step(&mut [(&mut past, &ids[..20])]).unwrap();
            fused.step(&mut [(&mut past, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10])]).unwrap();
            fused.step(&mut [(&mut past, &[11, 12, 13])]).unwrap();
            past.offset = 20;
            for at in 20..40 {
                let found = fused.step(&mut [(&mut past, &ids[at..=at])]).unwrap();
                assert!(found == straight[at * width..][..width], "{what}, {level}, position {at}");
            }
        }
    }
}

#[test]
fn steps_that_cannot_be_say_why() {
    let (fused, other) = (Fused::new(&model(), "plain", 1).unwrap(), Fused::new(&model(), "plain", 1).unwrap());
    let (mut a, mut b, mut far) = (fused.past(4), fused.past(4), other.past(4));
    let mut again = fused::Past::again(&a);
    for (part, found) in [
        ("a past in one step twice", fused.step(&mut [(&mut a, &[1]), (&mut again, &[2])])),
        ("pasts of several models", fused.step(&mut [(&mut a, &[1]), (&mut far, &[2])])),
        ("a past without an id", fused.step(&mut [(&mut a, &[1]), (&mut b, &[])])),
        ("not as many", fused.step(&mut [])),
    ] {
        let found = found.unwrap_err();
        assert!(found.contains(part), "`{part}` is not in `{found}`");
    }
    // What Rust's side would have refused, and one of several: numbers that are none.
    b.offset = 4;
    for found in [fused.step(&mut [(&mut a, &[1]), (&mut b, &[1])]), fused.step(&mut [(&mut far, &[99])])] {
        assert!(found.unwrap().iter().all(|logit| logit.is_nan()));
    }
    std::mem::forget(again);
}

#[test]
fn what_cannot_be_computed_says_why() {
    let error = |change: &dyn Fn(&mut Model)| {
        let mut m = model();
        change(&mut m);
        Fused::new(&m, "plain", 1).err().unwrap_or_default()
    };
    for (part, found) in [
        ("parallel branches without a norm", error(&|m| (m.layers[0].parallel, m.layers[0].input_norm) = (true, None))),
        ("rope: no such one", error(&|m| m.layers[1].rope = 1)),
        ("rope: more dimensions", error(&|m| m.ropes[0] = Rope::new(32, 1e4))),
        ("activation", error(&|m| m.layers[0].activation = 3)),
        ("heads", error(&|m| m.layers[0].kv_heads = 3)),
        ("gate", error(&|m| m.layers[0].gate.columns = 32)),
        ("feed_norm", error(&|m| m.layers[0].feed_norm = Some(vec![1.0; 63]))),
        ("experts", error(&|m| m.layers[0].experts = Some(Experts::new(2, 3, 32)))),
    ] {
        assert!(found.contains(part), "`{part}` is not in `{found}`");
    }
}
