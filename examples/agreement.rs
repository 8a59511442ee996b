//! How far each set of kernels is from MLX's own on this device, and from itself when it computes the same again.
//!
//! `cargo run --release --example agreement -- FOLDER PROMPT STEPS REPEATS SET...` takes a checkpoint folder and sets as
//! `OFFPRINT_KERNELS` names them. For each repeat of each set it prints the largest distance of any logit, after a prompt of
//! so many tokens and over so many single steps, from the first repeat of the first set, and how many steps choose another
//! token than it did. Ids are the same in all: a difference does not grow by leading elsewhere.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // a program for developers

use std::env;

use mlx_rs::{Array, Dtype};
use offprint::model::{
    Checkpoint,
    decoder::Decoder,
    kernels::{Device, Kernels},
};

fn main() {
    let mut arguments = env::args().skip(1);
    let checkpoint = Checkpoint::open(arguments.next().unwrap().as_ref()).unwrap();
    let [prompt, steps, repeats] = [(); 3].map(|()| arguments.next().unwrap().parse::<usize>().unwrap());
    let device = Device::current().unwrap();
    let ids: Vec<u32> = (0..prompt + steps).map(|n| (n * n * 31 + n * 17 + 5) as u32 % 30_000).collect();
    let mut first: Option<Vec<Vec<f32>>> = None;
    for set in arguments {
        let kernels = Kernels::parse(device, &set, "").unwrap();
        let dtype = (device == Device::Cpu).then_some(Dtype::Float32);
        let model = Decoder::load(&checkpoint, dtype, &kernels).unwrap();
        for repeat in 0..repeats {
            let rows = continued(&model, &ids, prompt);
            let expected = &*first.get_or_insert_with(|| rows.clone());
            let [mut distance, mut others] = [0f32, 0.0];
            for (row, expected) in rows.iter().zip(expected) {
                let furthest = row.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                distance = distance.max(if row.iter().any(|x| x.is_nan()) { f32::INFINITY } else { furthest });
                others += f32::from(u8::from(largest(row) != largest(expected)));
            }
            println!("{set}, repeat {repeat}: at most {distance} away, {others} of {steps} tokens differ");
        }
    }
}

fn largest(row: &[f32]) -> Option<usize> {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]))
}

/// Logits of each step after the prompt.
fn continued(model: &Decoder, ids: &[u32], prompt: usize) -> Vec<Vec<f32>> {
    let array = |ids: &[u32]| Array::from_slice(ids, &[ids.len() as i32]);
    let mut past = model.past(ids.len()).unwrap();
    let (prompt, rest) = ids.split_at(prompt);
    model.prefill(&array(prompt), &mut past).unwrap();
    let step = |id: &u32| {
        let out = model.logits(&array(&[*id]), &mut past).unwrap();
        out.as_dtype(Dtype::Float32).unwrap().contiguous().unwrap().as_slice::<f32>().to_vec()
    };
    rest.iter().map(step).collect()
}
