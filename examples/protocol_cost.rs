//! What the pipe to a worker adds to a token: the same requests in this process and through `offprint worker`, in turn.
//!
//!     cargo run --release --example protocol_cost -- target/release/offprint CHECKPOINT [ROUNDS]

#![allow(clippy::print_stdout)] // it is a program that prints

use std::{
    sync::atomic::AtomicBool,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use offprint::{
    bench::{
        process::Program,
        worker::{Lost, Worker, protocol::Load},
    },
    engine::{self, Prompt, Request, Sampling},
    study::EngineKind,
};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [program, place, rest @ ..] = &arguments[..] else {
        return Err(anyhow!("usage: protocol_cost OFFPRINT CHECKPOINT [ROUNDS]"));
    };
    let rounds: usize = rest.first().map_or(Ok(20), |rounds| rounds.parse())?;
    let request = |seed| Request {
        prompt: Prompt::Text("Q: What is machine learning?\nA:".to_owned()),
        context: 0,
        batch: 1,
        chat_template: None,
        max_tokens: 64,
        sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
        seed,
        stop_on_eos: false,
        draft: None,
    };
    let command = [program, "worker", "--engine", "mlx"].map(str::to_owned).to_vec();
    let (stop, deadline) = (AtomicBool::new(false), Instant::now() + Duration::from_secs(3600));
    let load = Load { place: place.clone(), threads: None, draft: None };
    let mut worker = Worker::start(&Program { command, ..Program::default() }, &load, None).map_err(lost)?;
    worker.loaded(deadline, &stop).map_err(lost)?;
    let mut own = engine::open(EngineKind::Mlx, place, None, None)?;
    own.load()?;
    let (mut here, mut there) = (Vec::new(), Vec::new());
    for round in 0..rounds as u64 + 1 {
        let mut inside = || -> Result<f64> { step(&own.generate(&request(round))?.token_times_ns) };
        let mut through = || -> Result<f64> {
            step(&worker.generate(&request(round), deadline, &stop).map_err(lost)?.token_times_ns)
        };
        let (inside, through) = if round % 2 == 0 {
            let inside = inside()?;
            (inside, through()?)
        } else {
            let through = through()?;
            (inside()?, through)
        };
        // The first of each touches what the others find.
        if round > 0 {
            here.push(inside);
            there.push(through);
        }
    }
    let ratios: Vec<f64> = here.iter().zip(&there).map(|(here, there)| there / here).collect();
    println!(
        "{rounds} rounds, a token in ms, medians: in this process {:.4}, through the pipe {:.4}; median of the ratios {:.4}",
        median(here)?,
        median(there)?,
        median(ratios)?
    );
    Ok(())
}

/// Mean time between two tokens, ms.
fn step(times: &[u64]) -> Result<f64> {
    let (first, last) = times.first().zip(times.last()).context("no tokens")?;
    Ok((last - first) as f64 / 1e6 / (times.len() - 1) as f64)
}

fn median(mut values: Vec<f64>) -> Result<f64> {
    ensure!(!values.is_empty(), "no rounds");
    values.sort_by(f64::total_cmp);
    Ok(values[values.len() / 2])
}

fn lost(lost: Lost) -> anyhow::Error {
    match lost {
        Lost::Stopped => anyhow!("stopped"),
        Lost::Failed(reason) => anyhow!(reason),
    }
}
