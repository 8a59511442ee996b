//! Steps by kernels of our own, from the same description: all of a step on a CPU, parts of the graph on CUDA. Each says what it
//! is not made for.

pub mod cuda;
#[cfg(target_os = "linux")]
pub mod fused;
