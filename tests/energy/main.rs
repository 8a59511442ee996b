//! Energy through the real binary: the fake engine beside a powercap folder whose counters a thread of the test moves, at watts that are known;
//! from the study to rows, claims, the paper's text and a verified bundle.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod meters;
#[cfg(target_os = "linux")]
mod nvidia;
mod refused;
mod whole;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use offprint::{
    energy::EnergyRow,
    record::{Phase, RunRecord},
};
use tempfile::TempDir;

/// A folder with a study, a powercap folder, and whoever moves its counters.
struct Here {
    folder: TempDir,
    stop: Arc<AtomicBool>,
    movers: Vec<JoinHandle<()>>,
}

/// Lengths, replicates, and what is asked of energy. A token takes 2 ms.
fn study(lengths: &str, repeats: u32, more: &str) -> String {
    format!(
        "study: {{name: test, title: Energy of nothing}}\nmodels: [{{id: tiny, name: Tiny, source: 'fake:pace=2'}}]\nprompts: [\"one two three\"]\n\
         benchmark_settings: {{max_tokens: {lengths}, temperatures: [0], num_runs: {repeats}}}\n{more}\n"
    )
}

impl Here {
    fn new(study: &str) -> Here {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("study.yaml"), study).unwrap();
        fs::create_dir(folder.path().join("powercap")).unwrap();
        Here { folder, stop: Arc::new(AtomicBool::new(false)), movers: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn zone(&self, zone: &str, name: &str) {
        let zone = self.path("powercap").join(zone);
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("name"), format!("{name}\n")).unwrap();
        fs::write(zone.join("energy_uj"), "1000000\n").unwrap();
        fs::write(zone.join("max_energy_range_uj"), "262143328850\n").unwrap();
    }

    /// A package whose counter `counts` microjoules after so many seconds, moved every 4 ms.
    fn package(mut self, counts: impl Fn(f64) -> u64 + Send + 'static) -> Here {
        self.zone("intel-rapl:0", "package-0");
        let file = self.path("powercap/intel-rapl:0/energy_uj");
        let making = self.path("powercap/.making");
        self.mover(Duration::from_millis(4), move |seconds| {
            // Whole, as the kernel's file is.
            fs::write(&making, format!("{}\n", counts(seconds))).unwrap();
            fs::rename(&making, &file).unwrap();
        });
        self
    }

    fn mover(&mut self, every: Duration, mut step: impl FnMut(f64) + Send + 'static) {
        let (stop, begun) = (Arc::clone(&self.stop), Instant::now());
        self.movers.push(thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                step(begun.elapsed().as_secs_f64());
                thread::sleep(every);
            }
        }));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        command.args(arguments).current_dir(self.folder.path()).env("OFFPRINT_POWERCAP", self.path("powercap"));
        command
    }

    fn offprint(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Without root's right to read what modes forbid; whoever is not root has none.
    #[cfg(target_os = "linux")]
    fn as_nobody(&self, arguments: &[&str]) -> Output {
        use std::os::unix::process::CommandExt;
        let mut command = self.command(arguments);
        // CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH. SAFETY: prctl takes numbers alone, and is safe after a fork.
        unsafe {
            command.pre_exec(|| {
                for capability in [1, 2] {
                    nix::libc::prctl(nix::libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
                }
                Ok(())
            });
        }
        command.output().unwrap()
    }

    /// Executes the study, which must succeed; the run folder.
    fn run(&self, more: &[&str]) -> PathBuf {
        let said = self.offprint(&[&["run", "study.yaml"], more].concat());
        assert!(said.status.success(), "{}", text(&said.stderr));
        self.path(text(&said.stdout).trim())
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for mover in self.movers.drain(..) {
            let _ = mover.join();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn rows(folder: &Path, phase: Phase) -> Vec<RunRecord> {
    let text = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<RunRecord>(line).unwrap());
    rows.filter(|row| row.phase == phase).collect()
}

fn lines(folder: &Path) -> Vec<EnergyRow> {
    let text = fs::read_to_string(folder.join("energy.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn unix_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}
