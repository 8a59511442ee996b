//! The llama.cpp engine: a GGUF file as it is, through the crate `llama-cpp-2`, on the CPU, or on Metal on a Mac. The bridge
//! to compare with, not a second home: the same requests, the same clock, its own tokenizer, sampler and kernels.
//!
//! What it cannot say stays `null`: llama.cpp has no allocator whose peak could be reset before a run (`peak_memory_bytes`).

use std::{ffi::CStr, num::NonZeroU32, path::PathBuf, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use llama_cpp_2::{
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::{LlamaModel, params::LlamaModelParams},
    sampling::LlamaSampler,
    token::LlamaToken,
};

use crate::{
    engine::{Engine, Generation, Prompt, Request, Sampling, arrivals::Arrivals, chat, repeated},
    model::kernels,
    record::FinishReason,
    study::{FILLER, Told},
};

/// Positions that a context has room for at least; a longer request makes a larger one.
const POSITIONS: u32 = 2048;

/// The engine, before and after `load`.
#[derive(Debug)]
pub struct LlamaCpp {
    gguf: PathBuf,
    loaded: Option<Loaded>,
}

/// A context borrows its model, so both live until the process ends: a worker loads once.
#[derive(Debug)]
struct Loaded {
    backend: &'static LlamaBackend,
    model: &'static LlamaModel,
    context: LlamaContext<'static>,
    threads: i32,
}

impl LlamaCpp {
    /// An engine for a GGUF file, which `load` opens.
    pub fn new(gguf: PathBuf) -> Self {
        LlamaCpp { gguf, loaded: None }
    }
}

impl Engine for LlamaCpp {
    fn load(&mut self) -> Result<u64> {
        let start = Instant::now();
        let threads = kernels::threads()? as i32;
        // Once a process; a second load would be told so.
        let mut backend = LlamaBackend::init().context("llama.cpp is loaded once a process")?;
        backend.void_logs();
        let backend: &'static LlamaBackend = Box::leak(Box::new(backend));
        // A mapped file would be read during the first generation, and its time counted there.
        let layers = if cfg!(target_os = "macos") { u32::MAX >> 1 } else { 0 };
        let params = LlamaModelParams::default().with_use_mmap(false).with_n_gpu_layers(layers);
        let model = LlamaModel::load_from_file(backend, &self.gguf, &params).with_context(|| {
            format!("{}: llama.cpp cannot load it\nhint: is it a whole GGUF file?", self.gguf.display())
        })?;
        let model: &'static LlamaModel = Box::leak(Box::new(model));
        let context = context(backend, model, POSITIONS, threads)?;
        let load_ns = ns(start);
        self.loaded = Some(Loaded { backend, model, context, threads });
        Ok(load_ns)
    }

    fn generate(&mut self, request: &Request) -> Result<Generation> {
        let loaded = self.loaded.as_mut().context("the engine was asked to generate before it was loaded")?;
        let vocabulary = loaded.model.vocab();
        ensure!(request.batch == 1, "this engine serves one request at a time\nhint: take `batch` out of the study");
        // Special tokens as the MLX engine adds them: none to a chat, else unless the text already begins with the first of them.
        let bos = piece(loaded.model, vocabulary.bos());
        let encode = |text: &str, begins: bool| {
            let special = begins && (bos.is_empty() || !text.as_bytes().starts_with(&bos));
            vocabulary.tokenize(text.as_bytes(), special, true)
        };
        let of_filler = |n: u32, begins: bool| -> Result<Vec<LlamaToken>> {
            let ids = |text: &str| Ok(encode(text, begins).iter().map(|token| token.0 as u32).collect());
            Ok(repeated(n, FILLER, ids)?.into_iter().map(|id| LlamaToken(id as i32)).collect())
        };
        let before = if request.context > 0 { of_filler(request.context, true)? } else { Vec::new() };
        let begins = before.is_empty();
        let start = Instant::now();
        let prompt = match &request.prompt {
            Prompt::Tokens(n) => of_filler(*n, begins)?,
            Prompt::Text(text) => match &request.chat_template {
                Some(told) => encode(&chat(loaded.model, text, told)?, false),
                None => encode(text, begins),
            },
        };
        let tokenize_ns = ns(start);
        if prompt.is_empty() {
            bail!("the prompt has no tokens\nhint: give the study a prompt with text");
        }

        // Memory is got before the clock of the generation starts, as for any engine that loads.
        let positions = (before.len() + prompt.len()) as u32 + request.max_tokens;
        if positions > loaded.context.n_ctx() {
            loaded.context = context(loaded.backend, loaded.model, positions, loaded.threads)?;
        }
        loaded.context.clear_kv_cache();
        let mut sampler = sampler(&request.sampling, request.seed);
        // What stands before the prompt is in the cache before the clock goes on.
        read(loaded, &before)?;

        let start = Instant::now();
        let (tokens, token_times_ns, finish) = decode(loaded, &prompt, &mut sampler, request, start)?;
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| piece(loaded.model, *token)).collect();
        Ok(Generation {
            n_prompt: prompt.len() as u32,
            tokens: tokens.iter().map(|token| token.0 as u32).collect(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            finish,
            tokenize_ns,
            token_times_ns,
            rounds: None,
            e2e_ns: tokenize_ns + ns(start),
            peak_memory_bytes: None,
        })
    }

    fn backend(&self) -> String {
        if cfg!(target_os = "macos") { "llama-cpp-metal" } else { "llama-cpp-cpu" }.to_owned()
    }
}

/// The instruction sets that llama.cpp was compiled for, as it names them, and its threads: `SSE3, AVX, AVX2; 2 threads`.
///
/// # Errors
/// A number of threads in the environment that is none.
pub(super) fn build(threads: &[String]) -> Result<String> {
    // SAFETY: no arguments; the answer is a string that llama.cpp keeps.
    let info = unsafe { CStr::from_ptr(llama_cpp_sys_2::llama_print_system_info()) }.to_string_lossy();
    let on = info.split('|').filter_map(|item| item.trim().strip_suffix("= 1"));
    let names: Vec<&str> = on.map(|name| name.rsplit(':').next().unwrap_or(name).trim()).collect();
    let own = kernels::threads()?;
    let threads = match threads {
        [] => format!("{own} thread{}", if own == 1 { "" } else { "s" }),
        levels => format!("{} threads by design", levels.join(" or ")),
    };
    Ok(format!("{}; {threads}", names.join(", ")))
}

/// Appends tokens to the past.
fn read(loaded: &mut Loaded, tokens: &[LlamaToken]) -> Result<()> {
    // llama.cpp refuses a batch beyond this; it cuts smaller ones itself.
    for part in tokens.chunks(loaded.context.n_batch() as usize) {
        loaded.context.decode(&mut LlamaBatch::get_one(part)?)?;
    }
    Ok(())
}

fn decode(
    loaded: &mut Loaded,
    prompt: &[LlamaToken],
    sampler: &mut LlamaSampler,
    request: &Request,
    start: Instant,
) -> Result<(Vec<LlamaToken>, Vec<u64>, FinishReason)> {
    let budget = request.max_tokens as usize;
    let mut arrivals = Arrivals::expect(budget, || ns(start));
    read(loaded, prompt)?;
    for left in (0..budget).rev() {
        // Sampling reads the logits on the host, so it waits for the device.
        let token = arrivals.take(|| Ok(sampler.sample(&loaded.context, -1)))?;
        if request.stop_on_eos && loaded.model.vocab().is_eog(token) {
            return Ok(arrivals.end(FinishReason::Stop));
        }
        if left == 0 {
            break;
        }
        loaded.context.decode(&mut LlamaBatch::get_one(&[token])?)?;
    }
    Ok(arrivals.end(FinishReason::Length))
}

fn context(
    backend: &LlamaBackend,
    model: &'static LlamaModel,
    positions: u32,
    threads: i32,
) -> Result<LlamaContext<'static>> {
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(positions.max(POSITIONS)))
        .with_n_threads(threads)
        .with_n_threads_batch(threads);
    model.new_context(backend, params).with_context(|| {
        format!("llama.cpp has no memory for {positions} positions\nhint: ask for fewer tokens, or free memory")
    })
}

/// The filters in the order that the MLX engine applies them, temperature last. Its random numbers are its own.
fn sampler(sampling: &Sampling, seed: u64) -> LlamaSampler {
    if sampling.temperature == 0.0 {
        return LlamaSampler::greedy();
    }
    let filters = [
        sampling.top_p.map(|p| LlamaSampler::top_p(p as f32, 1)),
        sampling.min_p.map(|p| LlamaSampler::min_p(p as f32, 1)),
        sampling.top_k.map(|k| LlamaSampler::top_k(k as i32)),
        Some(LlamaSampler::temp(sampling.temperature as f32)),
        // Its seeds have 32 bits: both halves of ours count.
        Some(LlamaSampler::dist((seed ^ (seed >> 32)) as u32)),
    ];
    LlamaSampler::chain_simple(filters.into_iter().flatten())
}

/// `prompt` as a user's message in the template that the file carries.
fn chat(model: &LlamaModel, prompt: &str, told: &Told) -> Result<String> {
    let template = model
        .meta_val_str("tokenizer.chat_template")
        .context("the GGUF file has no chat template\nhint: set `chat_template: false` in the study")?;
    let text = |token| String::from_utf8_lossy(&piece(model, token)).into_owned();
    let (bos, eos) = (text(model.vocab().bos()), text(model.vocab().eos()));
    let tokens = [("bos_token", bos.as_str()), ("eos_token", eos.as_str())];
    let template = chat::Template { text: &template, tokens: &tokens };
    Ok(template.render(prompt, told)?.text)
}

/// A token's bytes; none for a token that the vocabulary has not.
fn piece(model: &LlamaModel, token: LlamaToken) -> Vec<u8> {
    if token.0 < 0 { Vec::new() } else { model.vocab().token_to_piece(token, true, None) }
}

fn ns(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}
