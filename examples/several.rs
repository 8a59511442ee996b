//! How fast several sequences at once are decoded: `cargo run --release --example several -- FOLDER PROMPT TOKENS ROUNDS SLOTS...` takes
//! a checkpoint folder, prompts of so many tokens, and numbers of sequences, which take turns. Prints a line for each: the tokens per
//! second of its median step, of all steps together, and of the whole serving with its prompts.

#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a program for developers

use anyhow::{Context, Result, ensure};
use offprint::engine::{Engine, Prompt, Request, Sampling, mlx::Mlx};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, numbers @ ..] = &arguments[..] else {
        anyhow::bail!("usage: several FOLDER PROMPT TOKENS ROUNDS SLOTS...")
    };
    let numbers = numbers.iter().map(|n| n.parse::<u32>()).collect::<Result<Vec<_>, _>>()?;
    let [prompt, tokens, rounds, all @ ..] = &numbers[..] else {
        anyhow::bail!("usage: several FOLDER PROMPT TOKENS ROUNDS SLOTS...")
    };
    ensure!(*tokens > 1, "the first step is left out: at least 2 tokens");
    let mut engine = Mlx::new(folder.into());
    engine.load()?;
    for _ in 0..*rounds {
        for slots in all {
            let request = |index: u32| Request {
                prompt: Prompt::Tokens(*prompt),
                context: 0,
                batch: 1,
                draft: None,
                chat_template: None,
                max_tokens: *tokens,
                sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
                seed: u64::from(index),
                stop_on_eos: false,
            };
            let requests: Vec<Request> = (0..*slots).map(request).collect();
            let service = engine.serve(&requests, &vec![0; requests.len()], requests.len())?;
            let mut steps: Vec<u64> = service.steps[1..].iter().map(|step| step.step_ns).collect();
            let total: u64 = steps.iter().sum();
            let end = service.steps.last().context("no step")?.end_ns;
            steps.sort_unstable();
            let rate = |tokens: usize, ns: u64| (tokens * *slots as usize) as f64 / ns as f64 * 1e9;
            println!(
                "{slots} sequences: {:.1} tok/s median step, {:.1} all steps, {:.1} with prompts",
                rate(1, steps[steps.len() / 2]),
                rate(steps.len(), total),
                rate(*tokens as usize, end)
            );
        }
    }
    Ok(())
}
