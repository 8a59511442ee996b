//! The meters of a study: what there is, which domain is the study's own, and whether anything can be measured at all; said before the first
//! run, and by `doctor`.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bench::energy::Gauge,
    energy::Domain,
    machine::{
        Environment, Fact,
        meters::{Absent, Meters, Probed, Wall},
    },
    study::{Energy, EngineKind, Study},
};

/// How long counters are watched before the first run.
const WATCHED: Duration = Duration::from_secs(5);
/// What anybody can do where a machine has no counters.
const WALL: &str = "a meter at the wall reads any machine: --meter FILE";

/// Opens the meters where the study asks for energy.
///
/// # Errors
/// There is nothing to read, not what the study asks for, the machine is on battery, or a meter's file is none.
pub(super) fn gauge(
    study_file: &Path,
    study: &Study,
    meter: Option<&Path>,
    environment: &mut Environment,
    stop: &AtomicBool,
) -> Result<Option<Gauge>> {
    let Some(asked) = &study.energy else {
        let hint = "hint: say `energy: true` in the study, or take --meter away";
        ensure!(meter.is_none(), "{}: it has no `energy`, so nothing reads a meter\n{hint}", study_file.display());
        return Ok(None);
    };
    let at = || study_file.display().to_string();
    refuse_battery(environment).with_context(at)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let wall = meter.map(|file| Wall::open(file, now)).transpose()?;
    let mut meters = Meters::here(wall);
    environment.energy_sources = Fact::known(meters.facts());
    let domain = own(study, asked, &meters).with_context(at)?;
    tell!("energy: joules are of {domain}, {}; counters are watched for {} s", domain.label(), WATCHED.as_secs());
    meters.probe(WATCHED, &|| stop.load(Ordering::SeqCst));
    if let Some(frozen) = meters.probed().find(|found| found.domain == Some(domain) && found.frozen) {
        bail!(
            "{}: the counter of `{domain}` ({}) stood still for {} s, so it says nothing\nhint: name another domain, `energy: {{domain: …}}`; {WALL}",
            at(),
            frozen.source,
            WATCHED.as_secs()
        );
    }
    Ok(Some(Gauge::new(asked.clone(), domain, meters)))
}

fn refuse_battery(environment: &Environment) -> Result<()> {
    let on_battery = environment.power_source.value.as_deref() == Some("battery");
    ensure!(
        !on_battery,
        "it asks for energy, and the machine is on battery, which changes what it draws\nhint: plug it in, or take `energy` out"
    );
    Ok(())
}

/// The domain that the paper's joules are of: the study's, or the first that there is and that its engines compute on.
fn own(study: &Study, asked: &Energy, meters: &Meters) -> Result<Domain> {
    let there = meters.domains();
    if let Some(domain) = asked.domain {
        let names: Vec<&str> = there.iter().map(|domain| domain.name()).collect();
        // A Mac's controller says what the whole draws, where it may be sampled.
        let sampled = domain == Domain::System && there.contains(&Domain::Gpu) && asked.window_s.is_some();
        ensure!(
            there.contains(&domain) || sampled,
            "energy.domain: expected one that can be read here, found {domain}; there are: {}\n{}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") },
            hints(meters.absent())
        );
        return Ok(domain);
    }
    match there.iter().find(|domain| sees(study, **domain)) {
        Some(domain) => Ok(*domain),
        None if there.is_empty() => {
            bail!("it asks for energy, and nothing here can be read\n{}", hints(meters.absent()))
        }
        None => bail!(
            "it asks for energy, and what can be read here ({}) does not see what its engines compute on; `energy: {{domain: …}}` takes it all the same\n{}",
            there.iter().map(|domain| domain.name()).collect::<Vec<_>>().join(", "),
            hints(meters.absent())
        ),
    }
}

/// Does the domain hold what the study's engines compute on? Of engines of others that is not known: the first that there is will be said.
fn sees(study: &Study, domain: Domain) -> bool {
    let has = |kind| study.models.iter().any(|model| model.engine.is(kind));
    let ours = study.models.iter().all(|model| model.engine.built_in().is_some());
    let (cuda, metal) = (cfg!(feature = "cuda"), cfg!(target_os = "macos"));
    match domain {
        Domain::System => true,
        Domain::Board => !ours || (cuda && has(EngineKind::Mlx)),
        Domain::Gpu => !ours || has(EngineKind::Mlx),
        Domain::Package | Domain::Cpu => !(has(EngineKind::Mlx) && (cuda || metal)),
        Domain::Dram | Domain::Ane => false,
    }
}

/// Why each is none, and what to do about the first of which something can be done.
fn hints(absent: &[Absent]) -> String {
    let here = || absent.iter().filter(|absent| !absent.hint.is_empty());
    let reasons: String = here().map(|absent| format!("{}: {}\n", absent.source, absent.reason)).collect();
    let first = here().find(|absent| absent.reason.contains("root alone")).or_else(|| here().next());
    let first = first.map_or_else(String::new, |absent| format!("{}; ", absent.hint));
    format!("{reasons}hint: {first}{WALL}; offprint doctor says what to do about each")
}

/// What `doctor` says of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Looked {
    Reads(String),
    /// And what to do.
    Odd(String, String),
    Not(String, String),
}

/// Every source of this system, watched for a moment; with a study that asks for energy, also whether it gets any.
pub(super) fn looked(study: Option<&Study>) -> Vec<Looked> {
    let mut meters = Meters::here(None);
    if !meters.domains().is_empty() {
        meters.probe(WATCHED, &|| false);
    }
    let mut said: Vec<Looked> = meters.probed().map(told).collect();
    let here = meters.absent().iter().filter(|absent| !absent.hint.is_empty());
    said.extend(
        here.map(|absent| Looked::Odd(format!("{}: none: {}", absent.source, absent.reason), absent.hint.clone())),
    );
    if let Some((study, asked)) = study.and_then(|study| Some((study, study.energy.as_ref()?))) {
        said.push(match own(study, asked, &meters) {
            Ok(domain) => Looked::Reads(format!("the study's joules are of {domain}: {}", domain.label())),
            Err(error) => {
                let text = error.to_string();
                let (found, hint) = text.split_once("\nhint: ").unwrap_or((&text, WALL));
                Looked::Not(found.replace('\n', "; "), hint.to_owned())
            }
        });
    }
    said
}

fn told(found: &Probed) -> Looked {
    let domain = found.domain.map_or("", Domain::name);
    let what = format!("{domain} ({})", found.source);
    if let Some(error) = &found.error {
        return Looked::Odd(format!("{what}: {error}"), WALL.to_owned());
    }
    let seconds = WATCHED.as_secs();
    if found.frozen {
        let hint = "it is not a value: on macOS 27 some counters stand still for programs without Apple's leave";
        return Looked::Odd(format!("{what}: frozen, it did not move in {seconds} s"), hint.to_owned());
    }
    match found.period_s.zip(found.watts) {
        Some((period, watts)) => {
            // One window's ends are off by 0.41 periods, and two hundredths are the most that a paper takes.
            let least = 0.41 * period / crate::energy::MOST_ERROR;
            Looked::Reads(format!("{what}: fresh every {period:.4} s, {watts:.1} W now; windows from {least:.1} s on"))
        }
        None => {
            Looked::Odd(format!("{what}: it moved once in {seconds} s"), "windows of it say little; ".to_owned() + WALL)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_of_a_counter_in_words() {
        let found = Probed {
            source: "nvml".to_owned(),
            domain: Some(Domain::Board),
            period_s: Some(0.1),
            watts: Some(74.0),
            ..Probed::default()
        };
        let reads = told(&found);
        assert_eq!(
            reads,
            Looked::Reads("board (nvml): fresh every 0.1000 s, 74.0 W now; windows from 2.0 s on".to_owned())
        );
        let odd = |found| match told(&found) {
            Looked::Odd(what, _) => what,
            other => panic!("{other:?}"),
        };
        let frozen = Probed { frozen: true, period_s: None, watts: None, ..found.clone() };
        assert_eq!(odd(frozen), "board (nvml): frozen, it did not move in 5 s");
        let once = Probed { period_s: None, watts: None, ..found.clone() };
        assert_eq!(odd(once), "board (nvml): it moved once in 5 s");
        assert_eq!(odd(Probed { error: Some("gone".to_owned()), ..found }), "board (nvml): gone");
    }

    /// A counter that does not see what computes is not taken because it is there.
    #[test]
    fn the_domain_holds_what_the_engines_compute_on() {
        let study = |engine: &str| {
            let text = format!(
                "models: [{{id: a, name: A, source: 'path:x', engine: {engine}}}]\nprompts: [p]\nbenchmark_settings: {{max_tokens: [3], temperatures: [0], num_runs: 1}}\nenergy: true"
            );
            Study::from_str("s", &text).unwrap()
        };
        let on_gpu = cfg!(feature = "cuda") || cfg!(target_os = "macos");
        let mlx = study("mlx");
        assert_eq!((sees(&mlx, Domain::Package), sees(&mlx, Domain::Board)), (!on_gpu, cfg!(feature = "cuda")));
        let other = study("{name: other, command: [other]}");
        assert!(sees(&other, Domain::Board) && sees(&other, Domain::Package) && sees(&mlx, Domain::System));
        assert!(!sees(&mlx, Domain::Dram) && !sees(&other, Domain::Ane));
    }

    #[test]
    fn on_battery_nothing_is_measured() {
        let mut environment = crate::machine::capture(Vec::new());
        environment.power_source = Fact::known("battery".to_owned());
        assert!(refuse_battery(&environment).unwrap_err().to_string().contains("on battery"));
        environment.power_source = Fact::known("ac".to_owned());
        assert!(refuse_battery(&environment).is_ok());
    }
}
