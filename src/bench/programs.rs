//! How engines are started on this machine: this program as a worker, programs of others, and what their placeholders stand for.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{guard::Guard, process::Program};
use crate::study::{Command, EngineKind};

/// How programs are started.
#[derive(Debug)]
pub struct Programs {
    /// This program: its workers are itself.
    pub offprint: PathBuf,
    /// What MLX computes with, by name; `None`: what the environment asks for.
    pub kernels: Option<String>,
    /// What workers of ours are told by their environment.
    pub variables: BTreeMap<String, String>,
    /// Ends what we have started when we are gone.
    pub guard: Option<Guard>,
}

/// Where a model's files are here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// What the engine opens: a checkpoint's folder, a GGUF file, the fake engine's source; empty where it opens nothing here.
    pub opens: String,
    /// The checkpoint's folder, where there is one.
    pub folder: Option<PathBuf>,
}

/// What the start of an engine took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Started {
    pub load_ns: Option<u64>,
    /// Of a server that we have started.
    pub startup_ns: Option<u64>,
    pub backend: String,
}

/// The backend of a server's rows: what computes there is its own affair.
#[cfg(feature = "http")]
pub(super) const SERVED: &str = "http";

impl Programs {
    pub(super) fn of_this(&self, kind: EngineKind) -> Program {
        let mut command: Vec<String> =
            [&*self.offprint.to_string_lossy(), "worker", "--engine", kind.name()].map(str::to_owned).to_vec();
        command.extend(self.of_kernels());
        Program { command, variables: self.variables.clone(), pass: None }
    }

    /// The arguments by which this program is told so.
    pub(super) fn of_kernels(&self) -> impl Iterator<Item = String> {
        self.kernels.iter().flat_map(|name| ["--kernels".to_owned(), name.clone()])
    }

    pub(super) fn of_others(&self, of: &Command) -> Program {
        let command = self.filled(&of.command, &Place::default());
        Program { command, variables: of.env.clone(), pass: Some(of.pass.clone()) }
    }

    /// Arguments with what their placeholders stand for here, but for the port.
    pub(super) fn filled(&self, argv: &[String], place: &Place) -> Vec<String> {
        filled(argv, &self.offprint, place)
    }
}

fn filled(argv: &[String], offprint: &Path, place: &Place) -> Vec<String> {
    let folder = place.folder.as_deref().unwrap_or(Path::new("")).display().to_string();
    let fill = |argument: &String| {
        let argument = argument.replace("{offprint}", &offprint.display().to_string());
        argument.replace("{gguf}", &place.opens).replace("{checkpoint}", &folder)
    };
    argv.iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_stand_for_what_they_are_here() {
        let place = Place { opens: "/m/x.gguf".to_owned(), folder: Some("/m/x".into()) };
        let argv = ["{offprint}", "-m", "{gguf}", "--dir={checkpoint}", "{port}"].map(str::to_owned);
        let shown = filled(&argv, Path::new("/bin/offprint"), &place);
        assert_eq!(shown, ["/bin/offprint", "-m", "/m/x.gguf", "--dir=/m/x", "{port}"]);
    }
}
