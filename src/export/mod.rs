//! A run -> the same results in the shape that another tool writes, for those who have scripts that read it. A file a tool.

pub mod aiperf;
pub mod llama_bench;
