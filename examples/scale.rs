//! What a paper and a bundle cost by the number of runs: makes run folders of fake records, and has the binary write the paper,
//! bundle it (which verifies, too), and verify the bundle.
//!
//! `cargo run --release --example scale -- target/release/offprint 10000 100000 1000000` prints a line each: verb, runs, bytes of
//! records, seconds, microseconds a run, microseconds for each run more than in the verb's line before, peak memory. A paper has costs
//! that do not depend on its runs (figures, mostly), so the last but one is what stays flat. TeX is left out: its time depends on the
//! pages. `--six` crosses six factors instead of three.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)] // a program for developers

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use offprint::{
    record::{FinishReason, RunRecord},
    study::{Plan, PlannedRun, Study},
};

/// What one verb took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub bytes: u64,
    pub seconds: f64,
    /// Largest resident memory; `None` where the system does not tell.
    pub peak_mib: Option<f64>,
}

/// Cells of length, temperature and prompt, and of those with model, context and batch: six factors.
const CELLS: [u32; 2] = [12, 96];

/// Writes a run folder with `runs` measured runs (a multiple of 12) into `parent`.
pub fn generate(parent: &Path, runs: u32) -> PathBuf {
    generate_crossing(parent, runs, false)
}

/// With `six` factors a multiple of 96.
fn generate_crossing(parent: &Path, runs: u32, six: bool) -> PathBuf {
    let folder = parent.join(format!("runs-{runs}"));
    fs::create_dir_all(&folder).unwrap();
    let (others, factors) = if six {
        (", {id: other, name: Other, source: fake}", "factors: {context: [0, 512], batch: [1, 4]}\n")
    } else {
        ("", "")
    };
    let yaml = format!(
        "study: {{name: scale, title: A Study of {runs} Fake Runs}}\nmodels: [{{id: fake, name: Fake, source: fake}}{others}]\n\
         prompts: [one, two]\n{factors}benchmark_settings: {{max_tokens: [8, 16, 32], temperatures: [0.3, 0.7], num_runs: {}}}\n",
        runs / CELLS[usize::from(six)]
    );
    fs::write(folder.join("study.yaml"), &yaml).unwrap();
    fs::copy("tests/data/fake_run/environment.json", folder.join("environment.json")).unwrap();
    let study = Study::from_str("study.yaml", &yaml).unwrap();
    let plan = Plan::of(&study);
    let mut file = BufWriter::new(fs::File::create(folder.join("runs.jsonl")).unwrap());
    for run in plan.execution() {
        serde_json::to_writer(&mut file, &record(&study, run)).unwrap();
        file.write_all(b"\n").unwrap();
    }
    file.into_inner().unwrap().sync_all().unwrap();
    folder
}

/// A run that took what its length asks for, give or take what its seed says.
fn record(study: &Study, run: &PlannedRun) -> RunRecord {
    let n = run.max_tokens;
    let noise = |i: u64| (run.seed ^ (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).rotate_left(29) % 400_000;
    let mut now = 16_000_000 + noise(0);
    let times: Vec<u64> = (0..n)
        .map(|i| {
            now += if i == 0 { 0 } else { 10_000_000 + noise(u64::from(i)) };
            now
        })
        .collect();
    RunRecord {
        backend: "none".into(),
        started_at: "2026-01-02T03:04:05Z".into(),
        n_prompt: Some(8),
        n_gen: Some(n),
        finish_reason: Some(FinishReason::Length),
        load_ns: Some(300_000_000 + noise(99)),
        tokenize_ns: Some(50_000),
        ttft_ns: Some(times[0]),
        token_times_ns: Some(times),
        e2e_ns: Some(now + 200_000),
        output_sha256: Some("0".repeat(64)),
        output_text: Some(" word".repeat(n as usize)),
        ..run.row(study)
    }
}

/// The verbs that are measured.
pub const VERBS: [&str; 3] = ["report", "bundle", "verify"];

/// Runs a verb of `program` on a run folder, without TeX; `verify` needs the bundle that `bundle` made.
pub fn cost(program: &Path, verb: &str, folder: &Path) -> Cost {
    let bytes = fs::metadata(folder.join("runs.jsonl")).unwrap().len();
    let (paper, zip) = (folder.join("paper"), folder.join("scale-1.0.0.zip"));
    let arguments: Vec<&OsStr> = match verb {
        "report" => vec!["--run".as_ref(), folder.as_ref(), "--out".as_ref(), paper.as_ref()],
        "bundle" => {
            let version = ["--version", "1.0.0"].map(OsStr::new);
            ["--run".as_ref(), folder.as_ref(), "--out".as_ref(), zip.as_ref()].into_iter().chain(version).collect()
        }
        _ => vec![zip.as_ref()],
    };
    let start = Instant::now();
    let mut child = Command::new(program)
        .arg(verb)
        .args(arguments)
        .env("PATH", "")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_mib = None;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak =
            text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        peak_mib = peak.map(|kib| kib / 1024.0).or(peak_mib);
        match child.try_wait().unwrap() {
            Some(ended) => break ended,
            None => sleep(Duration::from_millis(5)),
        }
    };
    assert!(ended.success(), "offprint {verb} {} ended with {ended}", folder.display());
    Cost { bytes, seconds: start.elapsed().as_secs_f64(), peak_mib }
}

#[allow(dead_code)] // a test includes this file for what is above
fn main() {
    let (switches, arguments): (Vec<String>, Vec<String>) = env::args().skip(1).partition(|one| one == "--six");
    let (six, mut arguments) = (!switches.is_empty(), arguments.into_iter());
    let program = arguments.next().expect("usage: scale [--six] OFFPRINT RUNS...");
    let program = fs::canonicalize(program).expect("the program is not there: cargo build --release makes it");
    let scratch = env::temp_dir().join(format!("offprint-scale-{}", std::process::id()));
    println!(
        "{:>6} {:>9} {:>12} {:>9} {:>9} {:>12} {:>9}",
        "verb", "runs", "bytes", "seconds", "us a run", "us one more", "peak MiB"
    );
    let mut before: BTreeMap<&str, (u32, f64)> = BTreeMap::new();
    let cells = CELLS[usize::from(six)];
    for runs in arguments.map(|runs| runs.parse::<u32>().expect("a number of runs") / cells * cells) {
        let folder = generate_crossing(&scratch, runs, six);
        for verb in VERBS {
            let Cost { bytes, seconds, peak_mib, .. } = cost(&program, verb, &folder);
            let peak = peak_mib.map_or("?".to_owned(), |peak| format!("{peak:.0}"));
            let a_run = 1e6 * seconds / f64::from(runs);
            let more = before.insert(verb, (runs, seconds)).map_or("".to_owned(), |(fewer, took)| {
                format!("{:.1}", 1e6 * (seconds - took) / (f64::from(runs) - f64::from(fewer)))
            });
            println!("{verb:>6} {runs:>9} {bytes:>12} {seconds:>9.2} {a_run:>9.1} {more:>12} {peak:>9}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    let _ = fs::remove_dir(&scratch);
}
