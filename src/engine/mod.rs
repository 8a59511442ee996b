//! A request in, token ids and step times out. Engines read a clock and nothing else of the world:
//! they know no plan and write no files.

#[cfg(feature = "mlx")]
pub mod chat;
#[cfg(feature = "mlx")]
mod dumps;
pub mod fake;
#[cfg(feature = "llama-cpp")]
pub mod llama_cpp;
#[cfg(feature = "mlx")]
pub mod mlx;
#[cfg(feature = "mlx")]
mod sampler;
#[cfg(feature = "mlx")]
pub mod tokenizer;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::record::FinishReason;

/// An engine by its name in a study; `place` is a checkpoint folder for `mlx`, a GGUF file for `llama-cpp`, the model's
/// source for `fake`.
/// `stock_kernels`: MLX computes with its own kernels only, whatever the environment says.
///
/// # Errors
/// An engine that this build does not have.
pub fn open(
    name: &str,
    place: &str,
    #[cfg_attr(not(feature = "mlx"), expect(unused))] stock_kernels: bool,
) -> Result<Box<dyn Engine>> {
    match name {
        "fake" => Ok(Box::new(fake::Fake::from_source(place)?)),
        #[cfg(feature = "mlx")]
        "mlx" => {
            let engine = mlx::Mlx::new(place.into());
            Ok(Box::new(if stock_kernels { engine.with(crate::model::kernels::Kernels::Stock) } else { engine }))
        }
        #[cfg(not(feature = "mlx"))]
        "mlx" => {
            bail!("this build of offprint has no MLX\nhint: build it with the feature `mlx`, which is the default")
        }
        #[cfg(feature = "llama-cpp")]
        "llama-cpp" => Ok(Box::new(llama_cpp::LlamaCpp::new(place.into()))),
        #[cfg(not(feature = "llama-cpp"))]
        "llama-cpp" => {
            bail!("this build of offprint has no llama.cpp\nhint: make engines builds it in (CONTRIBUTING.md)")
        }
        _ => bail!("there is no engine `{name}`\nhint: mlx, llama-cpp or fake"),
    }
}

/// What MLX computes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernels {
    /// In words, for `environment.json`.
    pub words: String,
    /// Environment variables that a process needs before its first call into MLX.
    pub variables: Vec<(&'static str, String)>,
}

/// The kernels of [`open`]'s engine `mlx`; `None` in a build without it.
///
/// # Errors
/// A choice in the environment that cannot be.
pub fn kernels(#[cfg_attr(not(feature = "mlx"), expect(unused))] stock_kernels: bool) -> Result<Option<Kernels>> {
    #[cfg(feature = "mlx")]
    return mlx::kernels(stock_kernels).map(|kernels| {
        let variables = kernels.variables();
        let settings = variables.iter().map(|(name, value)| format!(", {name}={value}")).collect::<String>();
        Some(Kernels { words: format!("{kernels}{settings}"), variables })
    });
    #[cfg(not(feature = "mlx"))]
    Ok(None)
}

/// Tries what an engine needs before it is given a model: MLX's device, kernels that the environment asks for. Returns the threads
/// that it computes with, where it has any of its own.
///
/// # Errors
/// A device that does not compute, a choice in the environment that cannot be.
pub fn start(name: &str, #[cfg_attr(not(feature = "mlx"), expect(unused))] stock_kernels: bool) -> Result<Option<u32>> {
    match name {
        #[cfg(feature = "mlx")]
        "mlx" => {
            compute()?;
            Ok(mlx::kernels(stock_kernels)?.threads())
        }
        #[cfg(feature = "llama-cpp")]
        "llama-cpp" => crate::model::kernels::threads().map(Some),
        _ => Ok(None),
    }
}

/// A sum on MLX's default device, which is named: enough to find one that is not there, or a kernel library that was not found.
///
/// # Errors
/// MLX's own, and a wrong sum.
#[cfg(feature = "mlx")]
pub fn compute() -> Result<&'static str> {
    use anyhow::Context;
    use mlx_rs::{Array, Device, DeviceType};
    let sum = || -> Result<(f32, DeviceType)> {
        let sum = Array::from_slice(&[1.0f32, 2.0], &[2]).sum(None)?.try_item_exact()?;
        Ok((sum, Device::try_default()?.get_type()?))
    };
    match sum().context("MLX does not compute\nhint: build again after cargo clean")? {
        (3.0, DeviceType::Gpu) => Ok("GPU"),
        (3.0, DeviceType::Cpu) => Ok("CPU"),
        (sum, _) => bail!("MLX does not compute: 1 + 2 gave {sum}\nhint: build again after cargo clean"),
    }
}

/// What llama.cpp was compiled for, and its threads; `None` in a build without it.
///
/// # Errors
/// A number of threads in the environment that is none.
pub fn llama_cpp_build() -> Result<Option<String>> {
    #[cfg(feature = "llama-cpp")]
    return llama_cpp::build().map(Some);
    #[cfg(not(feature = "llama-cpp"))]
    Ok(None)
}

/// Something that generates text from a loaded checkpoint and says when each token was read on the host.
pub trait Engine {
    /// Opens the checkpoint and evaluates every parameter on the device. Called once, before `generate`.
    /// Returns the time it took, in ns.
    fn load(&mut self) -> Result<u64>;

    /// Generates once. Peak memory is reset on entry.
    fn generate(&mut self, request: &Request) -> Result<Generation>;

    /// What records carry as `backend`: `mlx-cpu`, `mlx-cuda` or `mlx-metal`, with `+offprint` or `+joined` where not all is as
    /// MLX and mlx-lm do it (see [`kernels`]); `llama-cpp-cpu`, `llama-cpp-metal`; `none`.
    fn backend(&self) -> String;
}

/// What to generate from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Prompt text, before any chat template.
    pub prompt: String,
    /// Wrap the prompt in the checkpoint's chat template.
    pub chat_template: bool,
    /// Token budget, at least 1.
    pub max_tokens: u32,
    pub sampling: Sampling,
    /// Seed of the sampler's key.
    pub seed: u64,
    /// `false`: an end-of-sequence token does not end generation.
    pub stop_on_eos: bool,
}

/// How the next token is drawn. Filters act before temperature, in mlx-lm's order: top-p, min-p, top-k, temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 is greedy.
    pub temperature: f64,
    pub top_p: Option<f64>,
    pub min_p: Option<f64>,
    pub top_k: Option<u32>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Prompt length in tokens.
    pub n_prompt: u32,
    /// Generated ids.
    pub tokens: Vec<u32>,
    pub text: String,
    pub finish: FinishReason,
    /// Text -> prompt ids, ns.
    pub tokenize_ns: u64,
    /// Prompt ids ready -> id `i` read on the host, ns; as long as `tokens`.
    pub token_times_ns: Vec<u64>,
    /// Prompt text in -> generated text out, ns.
    pub e2e_ns: u64,
    /// The allocator's peak, bytes; `None` where the engine has no such reading.
    pub peak_memory_bytes: Option<u64>,
}
