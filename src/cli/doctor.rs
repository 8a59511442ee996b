//! `offprint doctor`: can this machine run the study? Each check says what it found and, where that is not good, the
//! way out. Finding out is apart from judging, so every judgement is tested without a machine that is ill.

mod findings;

use std::{collections::BTreeSet, fmt, path::PathBuf, process::ExitCode};

use anyhow::Result;

use crate::{
    cli::{energy::Looked, run::bandwidth},
    complaint::Complaint,
    fleet::{ANSWER_SCHEMA, Answer, Build, Said, Verdict},
    machine::Fact,
    preflight::{Finding, Weight},
    study::{EngineKind, Plan, Study, StudyError},
};
use findings::{Findings, Place};

/// Arguments of `offprint doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// The study to be run; without one, only the machine is checked
    study: Option<PathBuf>,
    /// Measure how fast memory is read, too, which takes some seconds
    #[arg(long)]
    bandwidth: bool,
    /// Print JSON, for a fleet
    #[arg(long)]
    json: bool,
}

/// Prints one line a check; exit code 1 when one fails.
pub fn run(args: DoctorArgs) -> Result<ExitCode> {
    let mut findings = Findings::gather(args.study.as_deref());
    findings.bandwidth = args.bandwidth.then(|| bandwidth().map_err(|error| Complaint::from(&error)));
    let checks = findings.checks();
    if args.json {
        say!("{}", serde_json::to_string_pretty(&answer(&findings, &checks))?);
    } else {
        checks.iter().for_each(|check| say!("{check}"));
    }
    let failed = checks.iter().any(|check| check.verdict == Verdict::Fails);
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn answer(findings: &Findings, checks: &[Check]) -> Answer {
    let said = |check: &Check| Said {
        name: check.name.to_owned(),
        verdict: check.verdict,
        found: check.found.clone(),
        hint: check.hint.clone(),
    };
    Answer {
        schema: ANSWER_SCHEMA.to_owned(),
        build: Build::of(&findings.environment),
        chip: findings.environment.chip.clone(),
        gpu: findings.environment.gpu.clone(),
        checks: checks.iter().map(said).collect(),
    }
}

/// A run of 54 writes a few megabytes; a checkpoint of one billion parameters takes a gigabyte, and two while it is
/// converted.
const DISK_LEAST: u64 = 1 << 30;
const DISK_GOOD: u64 = 4 << 30;
/// Beside the weights: activations, the key-value cache, the program itself.
const MEMORY_LEAST: u64 = 512 << 20;
const MEMORY_GOOD: u64 = 2 << 30;

#[derive(Debug)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    found: String,
    hint: Option<String>,
}

impl Check {
    fn good(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Good, found: found.into(), hint: None }
    }

    fn note(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Note, found: found.into(), hint: Some(hint.into()) }
    }

    fn fails(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Check {
        Check { name, verdict: Verdict::Fails, found: found.into(), hint: Some(hint.into()) }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:<5} {:<8} {}", self.verdict.word(), self.name, self.found)?;
        match &self.hint {
            Some(hint) => write!(f, "\n{:15}hint: {hint}", ""),
            None => Ok(()),
        }
    }
}

impl Findings {
    fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        checks.extend(self.study.as_ref().map(study));
        let what = |id: &str| if self.drafts(id) { "draft" } else { "model" };
        checks.extend(self.places.iter().map(|(id, place)| model(what(id), id, place)));
        checks.extend(self.text.iter().map(|said| Check::good("text", said.clone())));
        checks.extend(self.known.iter().map(known_before));
        checks.extend(self.mlx());
        checks.extend(self.llama_cpp());
        checks.extend(self.paper.as_ref().map(|paper| match paper {
            Ok(()) => Check::good("paper", "its text, numbers and figures fit the study"),
            Err((found, hint)) => Check::fails("paper", found, hint),
        }));
        checks.extend([
            self.memory(),
            enough("disk", &self.free_disk, DISK_LEAST, DISK_GOOD, "free some space on this file system"),
            self.pip(),
            match &self.typst {
                Ok(version) => Check::good("pdf", version.clone()),
                Err(reason) => {
                    Check::note("pdf", reason.clone(), "offprint report fetches it, or says what is in the way")
                }
            },
            match &self.tex {
                Ok(version) => Check::good("tex", first_line(version)),
                Err(_) => Check::note(
                    "tex",
                    "no TeX engine: none is needed but for report --tex",
                    "install pdflatex (TeX Live) or tectonic",
                ),
            },
            self.power(),
            self.load(),
        ]);
        match &self.bandwidth {
            Some(Ok(found)) => checks.extend(found.iter().map(|one| Check::good("memory", one.to_string()))),
            Some(Err(error)) => {
                checks.push(Check::fails("memory", error.causes.join(": "), error.hint.clone().unwrap_or_default()))
            }
            None => {}
        }
        checks.extend(self.energy.iter().map(|said| match said {
            Looked::Reads(what) => Check::good("energy", what.clone()),
            Looked::Odd(what, hint) => Check::note("energy", what, hint),
            Looked::Not(what, hint) => Check::fails("energy", what, hint),
        }));
        checks
    }

    /// The study, where it could be read.
    fn readable(&self) -> Option<&Study> {
        self.study.as_ref()?.as_ref().ok()
    }

    /// Has the study's own need of this engine been refused? Then a line says so already.
    fn refused(&self, engine: &str) -> bool {
        self.known.iter().any(|finding| finding.about == "engine" && finding.place == engine)
    }

    fn mlx(&self) -> Option<Check> {
        if self.refused("mlx") {
            return None;
        }
        let fake =
            self.readable().is_some_and(|study| study.models.iter().all(|model| model.engine.is(EngineKind::Fake)));
        let version = self.environment.libraries.get("mlx").map_or("of unknown version", String::as_str);
        Some(match &self.mlx {
            Some(Ok(device)) => {
                let library = self.environment.mlx_library.as_ref();
                let place = library.and_then(|library| library.path.value.as_deref()).unwrap_or("an unknown place");
                let found = format!("MLX {version} computes on the {device} ({place})");
                if library.is_some_and(|library| library.as_linked.value == Some(false)) {
                    let found = format!("{found}; the file is not the one that this program was linked with");
                    Check::note("mlx", found, self.installed.again())
                } else {
                    Check::good("mlx", found)
                }
            }
            Some(Err(error)) => {
                Check::fails("mlx", format!("MLX {version} does not compute: {error}"), self.installed.again())
            }
            None if fake => Check::good("mlx", "not in this program; the fake engine needs none"),
            None => Check::fails(
                "mlx",
                "this program was built without MLX: it reads and verifies, and runs no model",
                self.installed.with_mlx(),
            ),
        })
    }

    /// Where the study has a model run on it.
    fn llama_cpp(&self) -> Option<Check> {
        self.readable()?
            .models
            .iter()
            .find(|model| model.engine.is(EngineKind::LlamaCpp))
            .filter(|_| !self.refused("llama-cpp"))?;
        Some(match &self.llama_cpp {
            Ok(Some(build)) => Check::good("llama", format!("compiled for {build}")),
            Ok(None) => Check::fails(
                "llama",
                "this program was built without it, and the study lists it",
                self.installed.with_llama_cpp(),
            ),
            Err(error) => {
                let (found, hint) = error.split_once("\nhint: ").unwrap_or((error, "see CONTRIBUTING.md"));
                Check::fails("llama", found, hint)
            }
        })
    }

    /// Is this the id of a model that drafts?
    fn drafts(&self, id: &str) -> bool {
        self.readable().is_some_and(|study| study.drafts.iter().any(|drafter| drafter.id == id))
    }

    /// The largest model's weights are in memory at once, beside it those of the largest that drafts, and while they are loaded a part
    /// of them twice.
    fn memory(&self) -> Check {
        let largest = |drafts: bool| {
            let own = self.places.iter().filter(|(id, _)| self.drafts(id) == drafts);
            let weights = own.filter_map(|(_, place)| match place {
                Place::Here(_, bytes) => Some(*bytes),
                _ => None,
            });
            weights.max().unwrap_or(0)
        };
        let weights = largest(false) + largest(true);
        enough("memory", &self.free_memory, MEMORY_LEAST + weights, MEMORY_GOOD + weights, "close other programs")
    }

    fn pip(&self) -> Check {
        let needed = self.readable().is_some_and(|s| s.sources().iter().any(|source| source.contains("pypi:")));
        let hint = "install Python 3 with pip; on Debian: apt install python3-pip";
        match &self.pip {
            Ok(version) => Check::good("pip", first_line(version).split(" from ").next().unwrap_or_default()),
            Err(reason) if needed => Check::fails("pip", format!("the study has a pypi: source, and {reason}"), hint),
            Err(reason) => Check::note(
                "pip",
                format!("{reason}; models from PyPI, Typst and a build of this program come through it"),
                hint,
            ),
        }
    }

    fn power(&self) -> Check {
        let source = &self.environment.power_source;
        let low = self.environment.low_power_mode.value == Some(true);
        match (source.value.as_deref(), low) {
            (_, true) => Check::note("power", "low power mode is on: the machine runs slower", "switch it off"),
            (Some("battery"), _) if self.readable().is_some_and(|study| study.energy.is_some()) => {
                Check::fails("power", "on battery, and the study asks for energy", "plug it in")
            }
            (Some("battery"), _) => Check::note("power", "on battery: the machine may run slower", "plug it in"),
            (Some(source), _) => Check::good("power", source),
            (None, _) => Check::good("power", format!("unknown: {}", reason(source))),
        }
    }

    fn load(&self) -> Check {
        let load = &self.environment.load_average;
        let Some(average) = load.value else { return Check::good("load", format!("unknown: {}", reason(load))) };
        let cores = self.environment.usable_cores.value.unwrap_or(1);
        let found = format!("{average:.2} on {cores} cores");
        if average > 0.25 * f64::from(cores) {
            return Check::note("load", format!("{found}: something else is running"), "wait, or stop other programs");
        }
        Check::good("load", found)
    }
}

fn known_before(finding: &Finding) -> Check {
    let check = match finding.weight {
        Weight::Refuse => Check::fails,
        Weight::Warn => Check::note,
    };
    check(finding.about, finding.to_string(), finding.hint.clone())
}

fn model(what: &'static str, id: &str, place: &Place) -> Check {
    match place {
        Place::Here(_, bytes) => Check::good(what, format!("{id}: here, {}", gib(*bytes))),
        Place::Fetched(how) => Check::note(
            what,
            format!("{id}: not here yet; {how}"),
            "the first run fetches it, outside every measurement",
        ),
        Place::Nowhere(message) => {
            let (found, hint) = message.split_once("\nhint: ").unwrap_or((message, "check `source` in the study"));
            Check::fails(what, format!("{id}: {found}"), hint)
        }
    }
}

fn study(read: &Result<Study, StudyError>) -> Check {
    match read {
        Ok(study) => {
            let runs = Plan::of(study).runs.len();
            let models = study.models.iter().map(|model| &model.id).collect::<BTreeSet<_>>().len();
            Check::good("study", format!("{}: {runs} runs, {models} model(s)", study.name))
        }
        Err(error) => {
            let text = error.to_string();
            let (found, hint) = text.split_once("\nhint: ").unwrap_or((&text, "docs/FORMAT.md describes a study"));
            Check::fails("study", found, hint)
        }
    }
}

fn enough(name: &'static str, free: &Fact<u64>, least: u64, good: u64, hint: &str) -> Check {
    match free.value {
        None => Check::note(name, format!("unknown: {}", reason(free)), "see for yourself"),
        Some(bytes) if bytes < least => Check::fails(name, format!("{} free, {} needed", gib(bytes), gib(least)), hint),
        Some(bytes) if bytes < good => Check::note(name, format!("{} free, {} is ample", gib(bytes), gib(good)), hint),
        Some(bytes) => Check::good(name, format!("{} free", gib(bytes))),
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

fn reason<T>(fact: &Fact<T>) -> &str {
    fact.reason.as_deref().unwrap_or("no reason given")
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        installed::Installed,
        machine::{self, LoadedLibrary},
    };
    #[cfg(feature = "mlx")]
    use findings::{compute, place};

    fn healthy() -> Findings {
        let mut environment = machine::capture(Vec::new());
        environment.libraries.insert("mlx".to_owned(), "0.32.2".to_owned());
        environment.mlx_library = Some(LoadedLibrary {
            path: Fact::known("~/lib/libmlx.so".to_owned()),
            sha256: Fact::unknown("a test"),
            as_linked: Fact::known(true),
        });
        environment.power_source = Fact::known("ac".to_owned());
        environment.low_power_mode = Fact::known(false);
        environment.load_average = Fact::known(0.2);
        environment.usable_cores = Fact::known(10);
        Findings {
            study: Some(Study::from_file(Path::new("config/smollm2.yaml"))),
            places: vec![("SmolLM2-135M-Instruct-Q4_1".to_owned(), Place::Here("smollm2".into(), 94 << 20))],
            text: None,
            known: Vec::new(),
            paper: Some(Ok(())),
            mlx: Some(Ok("GPU".to_owned())),
            llama_cpp: Ok(None),
            bandwidth: None,
            energy: vec![Looked::Reads("package (rapl package-0): fresh every 0.0011 s, 12.3 W now".to_owned())],
            environment,
            installed: Installed::Checkout("checkout".into()),
            free_memory: Fact::known(12 << 30),
            free_disk: Fact::known(100 << 30),
            pip: Ok("pip 25.3 from /usr/lib (python 3.13)\n".to_owned()),
            typst: Ok("typst==0.15.2".to_owned()),
            tex: Ok("\nLatexmk, John Collins, 27 Dec. 2024. Version 4.86a\n".to_owned()),
        }
    }

    fn say(findings: &Findings) -> String {
        findings.checks().iter().map(Check::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_healthy_machine_passes() {
        let checks = healthy().checks();
        assert!(checks.iter().all(|check| check.verdict == Verdict::Good));
        insta::assert_snapshot!(say(&healthy()));
    }

    #[test]
    fn a_machine_with_everything_wrong_is_told_each_way_out() {
        let mut ill = healthy();
        ill.mlx = Some(Err("no device".to_owned()));
        ill.environment.power_source = Fact::known("battery".to_owned());
        ill.environment.load_average = Fact::known(7.5);
        ill.free_memory = Fact::known(300 << 20);
        ill.free_disk = Fact::known(2 << 30);
        let forbidden = "rapl: /sys/class/powercap/intel-rapl:0/energy_uj may be read by root alone";
        ill.energy = vec![Looked::Not(forbidden.to_owned(), "let the group read it".to_owned())];
        ill.pip = Err("python3 cannot be run: No such file or directory".to_owned());
        let fault = "templates/sections/03-results.md:2:6: there is no claim `latency.meen`";
        ill.paper = Some(Err((fault.to_owned(), "the most similar is `latency.mean`".to_owned())));
        ill.typst = Err("typst==0.15.2 is not here yet".to_owned());
        ill.tex = Err("tectonic cannot be run: No such file or directory".to_owned());
        let refused = "hf:a/b@main: status code 404\nhint: is the name right?";
        ill.places = vec![
            ("one".to_owned(), Place::Fetched("pip fetches it: pypi:one==1.0".to_owned())),
            ("two".to_owned(), Place::Nowhere(refused.to_owned())),
        ];
        insta::assert_snapshot!(say(&ill));
        ill.study = Some(Study::from_str("bad.yaml", "models: []\n"));
        ill.places.clear();
        ill.mlx = None;
        ill.environment.low_power_mode = Fact::known(true);
        insta::assert_snapshot!(say(&ill));
    }

    #[test]
    fn a_large_model_needs_more_memory_than_a_small_one() {
        let mut large = healthy();
        large.places.push(("large".to_owned(), Place::Here("large".into(), 40 << 30)));
        let memory = large.checks().into_iter().find(|check| check.name == "memory").unwrap();
        assert_eq!((memory.verdict, memory.found.as_str()), (Verdict::Fails, "12.0 GiB free, 40.5 GiB needed"));
    }

    #[test]
    fn a_study_of_energy_is_none_on_battery() {
        let mut findings = healthy();
        findings.environment.power_source = Fact::known("battery".to_owned());
        let power = |findings: &Findings| findings.checks().into_iter().find(|check| check.name == "power").unwrap();
        assert_eq!(power(&findings).verdict, Verdict::Note);
        findings.study = Some(Study::from_file(Path::new("config/energy.yaml")));
        assert_eq!(power(&findings).verdict, Verdict::Fails);
    }

    #[test]
    fn a_study_on_llama_cpp_needs_a_build_with_it() {
        let mut findings = healthy();
        findings.study = Some(Study::from_file(Path::new("config/smollm2-engines.yaml")));
        let check = |findings: &Findings| findings.checks().into_iter().find(|check| check.name == "llama").unwrap();
        assert_eq!(check(&findings).verdict, Verdict::Fails);
        findings.llama_cpp = Ok(Some("AVX2; 2 threads".to_owned()));
        assert_eq!(
            (check(&findings).verdict, check(&findings).found),
            (Verdict::Good, "compiled for AVX2; 2 threads".to_owned())
        );
    }

    #[cfg(feature = "mlx")]
    #[test]
    fn mlx_computes_here() {
        assert!(["CPU", "GPU"].contains(&compute().unwrap().unwrap().as_str()));
    }

    #[cfg(feature = "mlx")]
    #[test]
    fn a_folder_that_is_not_there_or_no_checkpoint_is_nowhere() {
        let Place::Nowhere(absent) = place("path:no/such/folder") else { panic!("found") };
        assert_eq!(absent, "no/such/folder: there is no such folder");
        let Place::Nowhere(broken) = place("path:config") else { panic!("found") };
        assert!(broken.starts_with("config/config.json"), "{broken}");
    }

    #[test]
    fn the_fake_engine_needs_neither_mlx_nor_pip() {
        let mut bare = healthy();
        bare.study = Some(Study::from_file(Path::new("config/fake.yaml")));
        bare.places.clear();
        bare.mlx = None;
        bare.pip = Err("python3 cannot be run: No such file or directory".to_owned());
        assert!(bare.checks().iter().all(|check| check.verdict != Verdict::Fails), "{}", say(&bare));
    }
}
