//! How fast the GPU that MLX computes on copies its memory.

use std::time::Instant;

use anyhow::Result;
use mlx_rs::{Array, ops, transforms::eval};

use crate::{
    machine::{Bandwidth, Mover, PASSES},
    model::kernels::Device,
};

/// Numbers of 32 bits in what is copied, and copies a pass: what it costs to start one is not seen.
const NUMBERS: i32 = 1 << 27;
const COPIES: u32 = 16;

/// `None`: MLX computes on the processor here.
///
/// # Errors
/// MLX's, such as too little memory.
pub fn of_gpu() -> Result<Option<Bandwidth>> {
    if Device::current()? == Device::Cpu {
        return Ok(None);
    }
    let mut numbers = Array::from_slice(&[1.0f32], &[1]);
    numbers = ops::broadcast_to(&numbers, &[NUMBERS])?.add(Array::from_f32(0.0))?;
    eval([&numbers])?;
    let mut passes = Vec::new();
    // The first compiles the kernel.
    for pass in 0..=PASSES {
        let start = Instant::now();
        for _ in 0..COPIES {
            numbers = numbers.add(Array::from_f32(1.0))?;
        }
        eval([&numbers])?;
        let bytes = 2.0 * 4.0 * f64::from(NUMBERS) * f64::from(COPIES);
        if pass > 0 {
            passes.push((bytes / start.elapsed().as_secs_f64()) as u64);
        }
    }
    let how = format!("MLX reads and writes {} MiB {COPIES} times", NUMBERS >> 18);
    Ok(Some(Bandwidth { of: Mover::Gpu, how, passes }))
}
