//! The MLX engine: a checkpoint on MLX's default device. Times are read only after a value is on the host,
//! since MLX is lazy; one synchronisation a token, no more. The order of work is mlx-lm's (`generate_step`).

use std::{panic::resume_unwind, path::PathBuf, thread, time::Instant};

use anyhow::{Context, Result, ensure};
use mlx_rs::{Array, Dtype, Stream, memory, transforms, with_stream};

use crate::{
    draft::By,
    engine::{
        Engine, Generation, NO_DRAFTER, Prompt, Request,
        arrivals::Arrivals,
        drafter::Drafter,
        drafting::{self, Proposer},
        reading::{array, read, read_on},
        repeated, sampler,
        service::{Served, Service},
        serving::{self, Outcome, Waiting},
        tokenizer::Tokenizer,
    },
    model::{
        Checkpoint,
        decoder::Decoder,
        kernels::{Device, Kernels},
        past::Past,
    },
    record::{FinishReason, Rounds},
    study::FILLER,
};

/// The engine, before and after `load`.
#[derive(Debug)]
pub struct Mlx {
    folder: PathBuf,
    /// That of a model that drafts.
    draft: Option<PathBuf>,
    /// `None`: as the environment says.
    kernels: Option<Kernels>,
    loaded: Option<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    model: Decoder,
    /// It drafts for that one.
    drafts: Option<Decoder>,
    tokenizer: Tokenizer,
    eos: Vec<u32>,
    /// One stream for all work: MLX would make a new one a call, and a stream belongs to its thread.
    stream: Stream,
}

impl Mlx {
    /// An engine for the checkpoint in `folder`, which `load` opens.
    pub fn new(folder: PathBuf) -> Self {
        Mlx { folder, draft: None, kernels: None, loaded: None }
    }

    /// The same with a model that drafts, whose checkpoint `load` opens, too.
    pub fn drafted_by(self, folder: PathBuf) -> Self {
        Mlx { draft: Some(folder), ..self }
    }

    /// The same with these kernels, whatever the environment says.
    pub fn with(self, kernels: Kernels) -> Self {
        Mlx { kernels: Some(kernels), ..self }
    }

    /// Logits `[positions * vocabulary]` of a whole prompt, for comparison with other implementations.
    ///
    /// # Errors
    /// Not loaded; MLX's own.
    pub fn logits(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let Loaded { model, stream, .. } = self.ready()?;
        with_stream(stream, || {
            let mut past = model.past(ids.len())?;
            let logits = model.logits(&array(ids), &mut past)?.as_dtype(Dtype::Float32)?;
            logits.eval()?;
            Ok(logits.as_slice::<f32>().to_vec())
        })
    }

    /// A past of `room` positions that has read `ids`.
    ///
    /// # Errors
    /// Not loaded; MLX's own.
    pub fn read(&self, ids: &[u32], room: usize) -> Result<Past> {
        let Loaded { model, stream, .. } = self.ready()?;
        with_stream(stream, || read(model, ids, room))
    }

    /// Logits `[ids * vocabulary]` of what follows a past, which grows by as many.
    ///
    /// # Errors
    /// Not loaded; MLX's own.
    pub fn step(&self, ids: &[u32], past: &mut Past) -> Result<Vec<f32>> {
        self.step_of(&mut [(past, ids)])
    }

    /// The same of several sequences in one step, those of one after the other's; see [`Decoder::logits_of`].
    ///
    /// # Errors
    /// Not loaded; as there.
    pub fn step_of(&self, sequences: &mut [(&mut Past, &[u32])]) -> Result<Vec<f32>> {
        let Loaded { model, stream, .. } = self.ready()?;
        let ids: Vec<u32> = sequences.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        let mut pasts: Vec<(&mut Past, usize)> =
            sequences.iter_mut().map(|(past, ids)| (&mut **past, ids.len())).collect();
        with_stream(stream, || {
            let logits = model.logits_of(&array(&ids), &mut pasts)?.as_dtype(Dtype::Float32)?;
            logits.eval()?;
            Ok(logits.as_slice::<f32>().to_vec())
        })
    }

    /// Generates for several requests at once, no more than `slots` at a time. Each is due so many nanoseconds after serving begins, and
    /// waits for a slot: all due at once, there are always `slots` requests as long as there are some; due one after the other, they come
    /// whatever the engine does. `batch` of a request is not read. Everything is tokenised, and what stands before prompts is read,
    /// before the clock starts. Each has the tokens that [`Engine::generate`] gives for it alone: by our CPU kernels always, by MLX's
    /// own up to rounding.
    ///
    /// # Errors
    /// Not loaded; no slot; not a time a request; as [`Engine::generate`].
    pub fn serve(&mut self, requests: &[Request], due_ns: &[u64], slots: usize) -> Result<Service> {
        let loaded = self.ready()?;
        ensure!(
            requests.iter().all(|request| request.draft.is_none()),
            "drafts are for one request at a time\nhint: take `draft` out of the study, or what has several requests served at once"
        );
        ensure!(slots > 0, "requests are served 0 at a time\nhint: at least 1");
        ensure!(requests.len() == due_ns.len(), "{} requests are due at {} times", requests.len(), due_ns.len());
        memory::reset_peak_memory()?;
        let Loaded { model, tokenizer, eos, stream, .. } = loaded;
        let mut tokenize = Vec::new();
        let mut waiting = Vec::new();
        for (index, (request, due_ns)) in requests.iter().zip(due_ns).enumerate() {
            let Prepared { context, prompt, tokenize_ns } = loaded.prepare(request)?;
            let room = context.len() + prompt.len() + request.max_tokens as usize;
            let past =
                if context.is_empty() { None } else { Some(with_stream(stream, || read(model, &context, room))?) };
            tokenize.push((prompt.len() as u32, tokenize_ns));
            waiting.push(Waiting { index, request, past, room, prompt, due_ns: *due_ns });
        }
        waiting.sort_by_key(|waiting| waiting.due_ns);
        let began = Instant::now();
        let (mut outcomes, steps) = with_stream(stream, || {
            serving::serve(model, eos, waiting.into(), slots, began, |ids, past| read_on(model, ids, past))
        })?;
        outcomes.sort_by_key(|(index, _)| *index);
        let peak_memory_bytes = Some(memory::peak_memory()? as u64);
        let served = outcomes.into_iter().map(|(index, outcome)| {
            let Outcome { admitted_ns, tokens, times_ns, finish } = outcome;
            let ((n_prompt, tokenize_ns), arrived_ns) = (tokenize[index], due_ns[index]);
            let start = Instant::now();
            let text = tokenizer.decode(&tokens)?;
            let last = times_ns.last().map_or(0, |last| last - arrived_ns);
            let generation = Generation {
                n_prompt,
                tokens,
                text,
                finish,
                tokenize_ns,
                token_times_ns: times_ns.iter().map(|time| time - arrived_ns).collect(),
                rounds: None,
                e2e_ns: tokenize_ns + last + ns(start),
                peak_memory_bytes,
            };
            Ok(Served { generation, arrived_ns, admitted_ns, token_times_ns: times_ns })
        });
        Ok(Service { served: served.collect::<Result<_>>()?, steps, began: Some(began) })
    }

    fn ready(&self) -> Result<&Loaded> {
        self.loaded.as_ref().context("the engine was asked to generate before it was loaded")
    }
}

impl Engine for Mlx {
    fn load(&mut self) -> Result<u64> {
        let start = Instant::now();
        let device = Device::current()?;
        let kernels = match &self.kernels {
            Some(kernels) => kernels.clone(),
            None => Kernels::from_environment(device)?,
        };
        let checkpoint = Checkpoint::open(&self.folder)?;
        // MLX has fast kernels for float32 only on x86; float16 casts exactly. GPUs keep the checkpoint's type.
        let dtype = (device == Device::Cpu).then_some(Dtype::Float32);
        raise_wired_limit();
        let stream = Stream::new();
        let load = |checkpoint: &Checkpoint| {
            let model = with_stream(&stream, || Decoder::load(checkpoint, dtype, &kernels));
            model.with_context(|| format!("{}", checkpoint.folder.display()))
        };
        // The tokenizer is computed while weights are read.
        let (tokenizer, model) = thread::scope(|scope| {
            let tokenizer = scope.spawn(|| Tokenizer::open(&self.folder, checkpoint.config.vocab_size));
            let model = load(&checkpoint);
            (tokenizer.join().unwrap_or_else(|panic| resume_unwind(panic)), model)
        });
        let (tokenizer, model) = (tokenizer?, model?);
        let drafts = match &self.draft {
            None => None,
            Some(folder) => {
                let draft = Checkpoint::open(folder)?;
                drafting::can_draft(&draft.config.spec)?;
                drafting::go_together(&checkpoint.config.spec, &draft.config.spec)?;
                Some(load(&draft)?)
            }
        };
        let load_ns = ns(start);
        let eos = checkpoint.eos.iter().copied().chain(tokenizer.eos()).collect();
        self.loaded = Some(Loaded { model, drafts, tokenizer, eos, stream });
        Ok(load_ns)
    }

    fn generate(&mut self, request: &Request) -> Result<Generation> {
        let loaded = self.ready()?;
        ensure!(request.batch == 1, "this engine serves one request at a time\nhint: take `batch` out of the study");
        if let Some(draft) = request.draft {
            drafting::fits(loaded.model.spec())?;
            ensure!(draft.by != By::Model || loaded.drafts.is_some(), NO_DRAFTER);
        }
        memory::reset_peak_memory()?;
        let Prepared { context, prompt, tokenize_ns } = loaded.prepare(request)?;
        let positions = context.len() + prompt.len() + request.max_tokens as usize;

        // What stands before the prompt is in the cache before the clock goes on.
        let past = if context.is_empty() {
            None
        } else {
            Some(with_stream(&loaded.stream, || read(&loaded.model, &context, positions))?)
        };
        let by_model = request.draft.filter(|draft| draft.by == By::Model);
        let drafter = match (by_model, &loaded.drafts) {
            (Some(_), Some(model)) => {
                Some(with_stream(&loaded.stream, || Drafter::behind(model, &context, positions))?)
            }
            _ => None,
        };
        let proposer = request.draft.map(|draft| Proposer { most: draft.tokens as usize, drafter });
        let start = Instant::now();
        let (tokens, token_times_ns, finish, rounds) =
            with_stream(&loaded.stream, || decode(loaded, past, &prompt, request, proposer))?;
        let text = loaded.tokenizer.decode(&tokens)?;
        let e2e_ns = tokenize_ns + ns(start);
        Ok(Generation {
            n_prompt: prompt.len() as u32,
            tokens,
            text,
            finish,
            tokenize_ns,
            token_times_ns,
            rounds,
            e2e_ns,
            peak_memory_bytes: Some(memory::peak_memory()? as u64),
        })
    }

    fn serve(&mut self, requests: &[Request], due_ns: &[u64], slots: usize) -> Result<Service> {
        Mlx::serve(self, requests, due_ns, slots)
    }

    fn backend(&self) -> String {
        let name = match Device::current() {
            Ok(Device::Cpu) => "mlx-cpu",
            Ok(Device::Cuda) => "mlx-cuda",
            Ok(Device::Metal) => "mlx-metal",
            Err(_) => "mlx",
        };
        name.to_owned() + self.loaded.as_ref().map_or("", |loaded| loaded.model.kernels().suffix())
    }
}

/// A request's ids.
struct Prepared {
    /// What stands before the prompt.
    context: Vec<u32>,
    prompt: Vec<u32>,
    tokenize_ns: u64,
}

impl Loaded {
    fn prepare(&self, request: &Request) -> Result<Prepared> {
        let tokenizer = &self.tokenizer;
        let of_filler = |n: u32| repeated(n, FILLER, |text| tokenizer.encode(text));
        let context = if request.context > 0 { of_filler(request.context)? } else { Vec::new() };
        let start = Instant::now();
        let prompt = match &request.prompt {
            // Behind a context one more, for the token that begins a text is taken from it.
            Prompt::Tokens(n) => of_filler(n + u32::from(!context.is_empty())),
            Prompt::Text(text) => tokenizer.prompt(text, request.chat_template.as_ref()),
        }?;
        let mut prompt = tokenizer.after(&context, prompt)?;
        if let Prompt::Tokens(n) = &request.prompt {
            prompt.truncate(*n as usize);
        }
        Ok(Prepared { context, prompt, tokenize_ns: ns(start) })
    }
}

/// Ids, times, why it ended, and the rounds with drafts.
type Decoded = (Vec<u32>, Vec<u64>, FinishReason, Option<Rounds>);

/// Prefill, then one token at a time: step n + 1 is queued before token n is read, so the device never waits for the host.
fn decode(
    loaded: &Loaded,
    past: Option<Past>,
    prompt: &[u32],
    request: &Request,
    proposer: Option<Proposer<'_>>,
) -> Result<Decoded> {
    let start = Instant::now();
    let Loaded { model, eos, .. } = loaded;
    let budget = request.max_tokens as usize;
    let (last, before) = prompt.split_last().context("the prompt has no tokens")?;
    let mut past = match past {
        Some(past) => past,
        None => model.past(prompt.len() + budget)?,
    };
    read_on(model, before, &mut past)?;
    if let Some(proposer) = proposer {
        let (tokens, times, finish, rounds) = drafting::decode(model, eos, prompt, past, request, proposer, start)?;
        return Ok((tokens, times, finish, Some(rounds)));
    }
    let mut step = |input: &Array, n: usize| -> Result<Array> {
        let logits = model.logits(input, &mut past)?.flatten(None, None)?;
        let next = sampler::draw(model.kernels(), &logits, &request.sampling, request.seed, n as u64)?;
        transforms::async_eval([&next])?;
        Ok(next)
    };

    let mut arrivals = Arrivals::expect(budget, || ns(start));
    let end = |arrivals: Arrivals<_, _>, finish| {
        let (tokens, times, finish) = arrivals.end(finish);
        Ok((tokens, times, finish, None))
    };
    let mut current = step(&array(&[*last]), 0)?;
    for n in 0..budget {
        let next = if n + 1 < budget { Some(step(&current, n + 1)?) } else { None };
        let id = arrivals.take(|| Ok(current.try_item_exact::<u32>()?))?;
        if request.stop_on_eos && eos.contains(&id) {
            return end(arrivals, FinishReason::Stop);
        }
        if n % 256 == 0 {
            memory::clear_cache()?;
        }
        if let Some(next) = next {
            current = next;
        }
    }
    end(arrivals, FinishReason::Length)
}

/// As [`crate::engine::kernels`] says it.
///
/// # Errors
/// As there.
pub fn kernels(name: Option<&str>) -> Result<Kernels> {
    let device = Device::current()?;
    name.map_or_else(|| Kernels::from_environment(device), |name| Kernels::named(device, "execution.kernels", name))
}

fn ns(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

/// Lets Metal keep the weights resident, up to the limit that the system recommends, as mlx-lm does.
#[cfg(target_os = "macos")]
fn raise_wired_limit() {
    use mlx_sys::*;
    // SAFETY: handles are made, used and freed here; a failure leaves the limit as it was, which costs speed only.
    unsafe {
        let (mut device, mut info, mut bytes) = (mlx_device_new(), mlx_device_info_new(), 0usize);
        if mlx_get_default_device(&mut device) == 0
            && mlx_device_info_get(&mut info, device) == 0
            && mlx_device_info_get_size(&mut bytes, info, c"max_recommended_working_set_size".as_ptr()) == 0
        {
            let _ = memory::set_wired_limit(bytes);
        }
        mlx_device_info_free(info);
        mlx_device_free(device);
    }
}

#[cfg(not(target_os = "macos"))]
fn raise_wired_limit() {}
