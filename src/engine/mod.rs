//! A request in, token ids and step times out. Engines read a clock and nothing else of the world:
//! they know no plan and write no files.

#[cfg(feature = "mlx")]
mod arrivals;
#[cfg(feature = "mlx")]
pub mod bandwidth;
#[cfg(feature = "mlx")]
mod bpe;
#[cfg(feature = "mlx")]
pub mod chat;
#[cfg(feature = "mlx")]
mod drafter;
#[cfg(feature = "mlx")]
pub(crate) mod drafting;
pub mod fake;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "llama-cpp")]
pub mod llama_cpp;
#[cfg(feature = "mlx")]
mod lookup;
#[cfg(feature = "mlx")]
pub mod mlx;
#[cfg(feature = "mlx")]
#[allow(clippy::disallowed_methods)] // what a model computes is compared to a tolerance
pub mod quality;
#[cfg(feature = "mlx")]
mod reading;
#[cfg(feature = "mlx")]
mod sampler;
pub mod service;
#[cfg(feature = "mlx")]
mod serving;
#[cfg(feature = "mlx")]
pub mod tokenizer;
#[cfg(feature = "mlx")]
mod tokenizer_json;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    draft::Draft,
    record::{FinishReason, Rounds},
    study::{EngineKind, FILLER, Told},
};

/// An engine; `place` is a checkpoint folder for MLX, a GGUF file for llama.cpp, the model's source for the fake engine; `draft` is that
/// of a model that drafts for it.
/// `kernels`: which MLX computes with, by their name; `None`: those that the environment asks for.
///
/// # Errors
/// An engine that this build does not have.
pub fn open(
    kind: EngineKind,
    place: &str,
    draft: Option<&str>,
    #[cfg_attr(not(feature = "mlx"), expect(unused))] kernels: Option<&str>,
) -> Result<Box<dyn Engine>> {
    match kind {
        EngineKind::Fake => {
            let fake = fake::Fake::from_source(place)?;
            Ok(Box::new(match draft {
                Some(draft) => fake.drafted_by(draft)?,
                None => fake,
            }))
        }
        #[cfg(feature = "mlx")]
        EngineKind::Mlx => {
            let engine = mlx::Mlx::new(place.into());
            let engine = match draft {
                Some(draft) => engine.drafted_by(draft.into()),
                None => engine,
            };
            Ok(Box::new(if kernels.is_some() { engine.with(mlx::kernels(kernels)?) } else { engine }))
        }
        #[cfg(not(feature = "mlx"))]
        EngineKind::Mlx => {
            bail!("this build of offprint has no MLX\nhint: {}", crate::installed::how().with_mlx())
        }
        #[cfg(feature = "llama-cpp")]
        EngineKind::LlamaCpp if draft.is_some() => {
            bail!("llama-cpp is asked for no drafts\nhint: take `draft` out of the study")
        }
        #[cfg(feature = "llama-cpp")]
        EngineKind::LlamaCpp => Ok(Box::new(llama_cpp::LlamaCpp::new(place.into()))),
        #[cfg(not(feature = "llama-cpp"))]
        EngineKind::LlamaCpp => {
            bail!("this build of offprint has no llama.cpp\nhint: make engines builds it in (CONTRIBUTING.md)")
        }
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

/// The kernels of [`open`]'s engine MLX; `None` in a build without it. `threads`: the levels of that factor, where the design has it.
///
/// # Errors
/// A choice in the environment that cannot be; threads as a factor of kernels that have none.
pub fn kernels(
    #[cfg_attr(not(feature = "mlx"), expect(unused))] kernels: Option<&str>,
    #[cfg_attr(not(feature = "mlx"), expect(unused))] threads: &[String],
) -> Result<Option<Kernels>> {
    #[cfg(feature = "mlx")]
    return mlx::kernels(kernels).and_then(|kernels| {
        let variables = kernels.variables();
        let settings = variables.iter().map(|(name, value)| format!(", {name}={value}")).collect::<String>();
        let words = if threads.is_empty() { kernels.to_string() } else { kernels.on_threads(threads)? };
        Ok(Some(Kernels { words: format!("{words}{settings}"), variables }))
    });
    #[cfg(not(feature = "mlx"))]
    Ok(None)
}

/// Tries what an engine needs before it is given a model: MLX's device, kernels that the environment asks for. Returns the threads
/// that it computes with, where it has any of its own.
///
/// # Errors
/// A device that does not compute, a choice in the environment that cannot be.
pub fn start(
    kind: EngineKind,
    #[cfg_attr(not(feature = "mlx"), expect(unused))] kernels: Option<&str>,
) -> Result<Option<u32>> {
    match kind {
        #[cfg(feature = "mlx")]
        EngineKind::Mlx => {
            compute()?;
            Ok(mlx::kernels(kernels)?.threads())
        }
        #[cfg(feature = "llama-cpp")]
        EngineKind::LlamaCpp => crate::model::kernels::threads().map(Some),
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
    crate::machine::expect_mlx()?;
    let failed = |what: &str| format!("MLX does not compute{what}\nhint: {}", crate::installed::how().again());
    match sum().with_context(|| failed(""))? {
        (3.0, DeviceType::Gpu) => Ok("GPU"),
        (3.0, DeviceType::Cpu) => Ok("CPU"),
        (sum, _) => bail!(failed(&format!(": 1 + 2 gave {sum}"))),
    }
}

/// What llama.cpp was compiled for, and its threads; `None` in a build without it. `threads`: the levels of that factor, where the
/// design has it.
///
/// # Errors
/// A number of threads in the environment that is none.
pub fn llama_cpp_build(
    #[cfg_attr(not(feature = "llama-cpp"), expect(unused))] threads: &[String],
) -> Result<Option<String>> {
    #[cfg(feature = "llama-cpp")]
    return llama_cpp::build(threads).map(Some);
    #[cfg(not(feature = "llama-cpp"))]
    Ok(None)
}

/// Something that generates text from a loaded checkpoint and says when each token was read on the host.
pub trait Engine {
    /// Opens the checkpoint, and that of a model that drafts for it, and evaluates every parameter on the device. Called once, before `generate`.
    /// Returns the time it took, in ns.
    fn load(&mut self) -> Result<u64>;

    /// Generates once. Peak memory is reset on entry.
    fn generate(&mut self, request: &Request) -> Result<Generation>;

    /// Generates for several requests at once, no more than `slots` at a time; each is due so many nanoseconds after serving begins. All
    /// due at once, `slots` of them are under way as long as there are some.
    ///
    /// # Errors
    /// An engine that serves one request at a time; as [`Engine::generate`].
    fn serve(&mut self, _: &[Request], _due_ns: &[u64], _slots: usize) -> Result<service::Service> {
        bail!(
            "this engine serves one request at a time\nhint: take `batch`, `at_once` and `per_second` out of the study"
        )
    }

    /// What records carry as `backend`: `mlx-cpu`, `mlx-cuda` or `mlx-metal`, with `+offprint` or `+joined` where not all is as
    /// MLX and mlx-lm do it (see [`kernels`]); `llama-cpp-cpu`, `llama-cpp-metal`; `none`.
    fn backend(&self) -> String;
}

/// Of a request that asks a model for drafts where none was loaded.
const NO_DRAFTER: &str = "no model that drafts was loaded";

/// What to generate from.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub prompt: Prompt,
    /// Tokens in the cache before the prompt, of [`FILLER`]; they are read before any clock starts.
    pub context: u32,
    /// Requests at once, all alike but for what is drawn.
    pub batch: u32,
    /// Wrap a prompt's text in the checkpoint's chat template, and tell the template so much.
    pub chat_template: Option<Told>,
    /// Token budget, at least 1.
    pub max_tokens: u32,
    pub sampling: Sampling,
    /// Seed of the sampler's key.
    pub seed: u64,
    /// `false`: an end-of-sequence token does not end generation.
    pub stop_on_eos: bool,
    /// Has tokens proposed, and checks several in one step. The text is the same.
    pub draft: Option<Draft>,
}

/// What the model is to continue.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Before any chat template.
    Text(String),
    /// The first so many tokens of [`FILLER`], repeated as often as that takes; never in a chat template.
    Tokens(u32),
}

impl Prompt {
    /// The text, where it is one: what it is called in messages.
    pub fn text(&self) -> &str {
        match self {
            Prompt::Text(text) => text,
            Prompt::Tokens(_) => FILLER,
        }
    }
}

/// The first `n` ids of a text that is repeated until it has as many; `encode` turns a text into ids.
///
/// # Errors
/// Those of `encode`; a text without tokens.
pub fn repeated(n: u32, text: &str, mut encode: impl FnMut(&str) -> Result<Vec<u32>>) -> Result<Vec<u32>> {
    let n = n as usize;
    let once = encode(text)?;
    ensure!(!once.is_empty(), "the model's vocabulary has no token for our own text\nhint: give prompts as texts");
    let mut ids = once;
    let mut times = 1usize;
    while ids.len() < n {
        // Doubled as a text, not as ids: tokens may reach over a seam.
        times *= 2;
        ids = encode(&text.repeat(times))?;
    }
    ids.truncate(n);
    Ok(ids)
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
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Prompt length in tokens.
    pub n_prompt: u32,
    /// Generated ids.
    pub tokens: Vec<u32>,
    pub text: String,
    pub finish: FinishReason,
    /// Text -> prompt ids, ns.
    pub tokenize_ns: u64,
    /// Prompt ids ready -> id `i` read on the host, ns; as long as `tokens`. Those of a round have one time.
    pub token_times_ns: Vec<u64>,
    /// With drafts.
    pub rounds: Option<Rounds>,
    /// Prompt text in -> generated text out, ns.
    pub e2e_ns: u64,
    /// The allocator's peak, bytes; `None` where the engine has no such reading.
    pub peak_memory_bytes: Option<u64>,
}
