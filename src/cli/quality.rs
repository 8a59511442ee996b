//! `offprint model quality SOURCE`: how well a checkpoint predicts a text, beside a reference if one is given.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{
    analysis::quality::{self, Measured},
    cli::{models::tell_fetch, text},
    engine::quality::{Reader, windows},
    model::{
        self, Source,
        kernels::{Device, Kernels},
    },
    quality::QualityRow,
};

#[derive(Debug, clap::Args)]
pub struct QualityArgs {
    /// hf:org/name@revision, pypi:package==version, path:folder or quantized:RECIPE:SOURCE
    source: Source,
    /// The text to be predicted: a file, UTF-8, or hf:owner/name@revision/path of a data set
    #[arg(long, value_name = "TEXT")]
    text: String,
    /// Windows of 512 tokens
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    windows: u32,
    /// The reference that it is set against
    #[arg(long, value_name = "SOURCE")]
    base: Option<Source>,
    /// Print a row of offprint.quality/1 a window instead of the figures
    #[arg(long)]
    rows: bool,
    /// On a CPU, compute with MLX's own kernels instead of ours
    #[arg(long, conflicts_with = "kernels")]
    stock_kernels: bool,
    /// What computes on a CPU, by name: stock, plain, avx2, avx512, avx512vnni, avx512vnni16
    #[arg(long, value_name = "NAME")]
    kernels: Option<String>,
}

pub fn run(args: &QualityArgs) -> Result<ExitCode> {
    let text = text::named(&args.text)?.text;
    let name = if args.stock_kernels { Some("stock") } else { args.kernels.as_deref() };
    let kernels = name.map(|name| Kernels::named(Device::current()?, "--kernels", name)).transpose()?;
    let open = |source: &Source| -> Result<Reader> {
        let (checkpoint, _) = model::fetch(source, &model::cache_dir(), &mut tell_fetch())?;
        Reader::open(&checkpoint.folder, kernels.clone())
    };
    let reader = open(&args.source)?;
    let base = args.base.as_ref().map(|base| anyhow::Ok((base.to_string(), open(base)?))).transpose()?;
    if let Some((name, base)) = &base {
        reader.same_vocabulary(base).with_context(|| name.clone())?;
    }
    let of_text = || args.text.clone();
    let mut rows = Vec::new();
    for (window, ids) in (1..).zip(windows(reader.tokenizer(), &text, args.windows as usize).with_context(of_text)?) {
        let row = reader
            .read(window, &ids, base.as_ref().map(|(name, base)| (name.as_str(), base)))
            .with_context(|| format!("{}, window {window} of {}", args.source, args.text))?;
        if args.rows {
            say!("{}", serde_json::to_string(&row)?);
        } else {
            rows.push(row);
        }
    }
    if !args.rows {
        show(&rows, &reader.backend())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(rows: &[QualityRow], backend: &str) -> Result<()> {
    let all: Vec<&QualityRow> = rows.iter().collect();
    let Measured { windows, positions, perplexity, against } = quality::measured(&all, 0.95, 0.02)?;
    let between = |interval: Option<(f64, f64)>| {
        interval.map_or_else(String::new, |(low, high)| format!(" ({low:.4} to {high:.4})"))
    };
    say!("windows          {windows} of 512 tokens, {positions} predictions, by {backend}");
    say!("perplexity       {:.4}{}, 95 % over windows", perplexity.value, between(perplexity.interval));
    let Some(against) = against else { return Ok(()) };
    say!("perplexity ratio {:.4}{}, 90 %", against.ratio.value, between(against.ratio.interval));
    say!("mean KL          {:.6}{}, nats, 95 %", against.kl.value, between(against.kl.interval));
    say!("99 % KL          {:.6}", against.kl_p99);
    say!("same top token   {:.4}{}, 95 %", against.same_top.value, between(against.same_top.interval));
    Ok(())
}
