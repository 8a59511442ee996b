//! Studies that nothing disturbs.

use std::{fs, process::Command};

use offprint::{
    energy::{Domain, window_error},
    evidence::Evidence,
    record::Phase,
    store::Run,
};

use crate::{Here, lines, rows, study, text};

const WATTS: f64 = 50.0;

fn constant(seconds: f64) -> u64 {
    1_000_000 + (seconds * WATTS * 1e6) as u64
}

/// 50 W, whatever is done: the same at rest, so that nothing is left net, and as many joules a token as its time costs.
#[test]
fn windows_from_the_study_to_the_verified_bundle() {
    let here = Here::new(&study("[8, 16, 32]", 3, "energy: {window_s: 1.5, idle_s: 1}")).package(constant);
    let folder = here.run(&[]);

    let (measured, windows, lines) = (rows(&folder, Phase::Measured), rows(&folder, Phase::Energy), lines(&folder));
    assert_eq!((measured.len(), windows.len(), lines.len()), (9, 9, 9));
    assert!(measured.iter().all(|row| row.energy_j.is_none() && row.e2e_ns.is_some()));
    for (row, line) in windows.iter().zip(&lines) {
        let package = &line.domains[&Domain::Package];
        let joules = package.joules.unwrap();
        assert_eq!((row.energy_j, row.run, row.e2e_ns), (Some(joules), line.run, None));
        // Six of its own deviations: the thread that moves the counter is not alone on this machine.
        let within = |watts: f64, seconds: f64| {
            (watts / WATTS - 1.0).abs() < 0.005 + 6.0 * window_error(package.period_s.unwrap(), seconds)
        };
        assert!(
            within(joules / package.seconds, package.seconds) && within(package.idle_w.unwrap(), 1.0),
            "{package:?}"
        );
        assert!(package.seconds >= 1.5 && line.requests > 5, "{line:?}");
        assert_eq!(u64::from(row.n_gen.unwrap()), line.n_gen);
        assert_eq!(line.n_gen, u64::from(line.requests) * u64::from(row.max_tokens));
        let period = package.period_s.unwrap();
        assert!((0.003..0.2).contains(&period), "{period}");
    }

    let Evidence { run, summary, claims } = Evidence::open(&folder, None).unwrap();
    assert!(run.is_complete());
    let value = |id: &str| match &claims.claims[id].value {
        offprint::claims::Value::Number(value) => *value,
        other => panic!("{id}: {other:?}"),
    };
    assert!((value("watts.mean") / WATTS - 1.0).abs() < 0.02);
    // 2 ms and a little more a token, at 50 W.
    let slope = value("fit.joules.slope");
    assert!((0.095..0.2).contains(&slope), "{slope}");
    assert_eq!(claims.claims["fit.joules.slope"].unit, "J/tok");
    assert!(value("joules_net_a_token.mean").abs() < 0.1 * value("joules_a_token.mean"));
    let (tokens, joules) = lines.iter().fold((0.0, 0.0), |(tokens, joules), line| {
        (tokens + line.n_gen as f64, joules + line.domains[&Domain::Package].joules.unwrap())
    });
    assert!((value("tokens_a_joule.pooled") / (tokens / joules) - 1.0).abs() < 1e-12);
    for id in ["energy.complete", "energy.resolved", "energy.unthrottled", "energy.marginal"] {
        assert_eq!(claims.predicates[id].holds, Some(true), "{id}: {}", claims.predicates[id].text);
    }
    assert!(!claims.predicates.contains_key("energy.agrees"), "nothing was sampled");
    // Latency is that of the measured runs alone.
    assert_eq!(summary.runs.len(), 9);

    let report = |more: &[&str]| {
        let said = here.offprint(&[&["report", "--run", folder.to_str().unwrap(), "--out", "paper"], more].concat());
        assert!(said.status.success(), "{}", text(&said.stderr));
        fs::read_to_string(here.path("paper/paper.md")).unwrap()
    };
    // What a project begins with, and this repository's own.
    let paper = report(&[]);
    for words in ["Joules are of the processor's packages", "All 9 runs have an energy.", "| Tokens a joule |"] {
        assert!(paper.contains(words), "{words}: {paper}");
    }
    let paper = report(&["--templates", concat!(env!("CARGO_MANIFEST_DIR"), "/templates")]);
    for words in [
        "Joules are of the processor's packages without memory (domain *package*, by rapl package-0)",
        "All 9 runs have an energy.",
        "One more generated token costs 0.",
        "| Tokens a joule |",
        "**Energy is of one part.**",
    ] {
        assert!(paper.contains(words), "{words}: {paper}");
    }
    assert!(!paper.contains("It is not measured."));

    // Its own formula, by somebody else's program.
    let explained = here.offprint(&["explain", "joules_a_token.mean", "--run", folder.to_str().unwrap()]);
    let again = text(&explained.stdout);
    let again = again.lines().find_map(|line| line.trim().strip_prefix("again     ").map(str::to_owned));
    let again = again.unwrap_or_else(|| text(&explained.stdout));
    if Command::new("jq").arg("--version").output().is_ok() {
        let found = Command::new("sh").args(["-c", again.trim()]).current_dir(here.folder.path()).output().unwrap();
        let found: f64 = text(&found.stdout).trim().parse().unwrap_or_else(|_| panic!("{again}: {found:?}"));
        assert!((found / value("joules_a_token.mean") - 1.0).abs() < 1e-9, "{found}");
    } else {
        assert!(again.contains("own.joules / .n_gen") && again.contains("energy.jsonl"), "{again}");
    }

    let bundle =
        here.offprint(&["bundle", "--run", folder.to_str().unwrap(), "--version", "1.0.0", "--out", "one.zip"]);
    assert!(bundle.status.success(), "{}", text(&bundle.stderr));
    let verified = here.offprint(&["verify", "one.zip"]);
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));

    // What was altered since is seen before a bundle is made.
    let file = folder.join("energy.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    let joules = lines[3].domains[&Domain::Package].joules.unwrap();
    fs::write(&file, whole.replacen(&format!("\"joules\":{joules}"), "\"joules\":1.5", 1)).unwrap();
    let refused =
        here.offprint(&["bundle", "--run", folder.to_str().unwrap(), "--version", "1.0.1", "--out", "two.zip"]);
    let refused = text(&refused.stderr);
    assert!(refused.contains("`energy_j` as its line has it, Some(1.5)"), "{refused}");
    fs::write(&file, whole.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let refused =
        here.offprint(&["bundle", "--run", folder.to_str().unwrap(), "--version", "1.0.1", "--out", "two.zip"]);
    assert!(text(&refused.stderr).contains("a line of energy.jsonl for a row that ended well"), "{refused:?}");
}

/// Runs of 30 ms by a counter that moves every 4 ms: there are joules in the rows, and no mean of them.
#[test]
fn runs_that_are_too_short_for_the_counter_give_no_claim() {
    let here = Here::new(&study("[8, 16]", 2, "energy: {idle_s: 1}")).package(constant);
    let folder = here.run(&[]);
    let (measured, lines) = (rows(&folder, Phase::Measured), lines(&folder));
    assert!(rows(&folder, Phase::Energy).is_empty());
    for (row, line) in measured.iter().zip(&lines) {
        let package = &line.domains[&Domain::Package];
        assert_eq!((row.energy_j, line.requests), (package.joules, 1));
        // A token takes 2 ms, whatever the fake engine says of its times.
        assert!(line.end_ns - line.start_ns >= 2_000_000 * u64::from(row.max_tokens), "{line:?}");
        assert!(package.error.unwrap() > 0.02, "{package:?}");
    }
    let Evidence { claims, .. } = Evidence::open(&folder, None).unwrap();
    assert!(!claims.claims.contains_key("joules_a_token.mean") && !claims.claims.contains_key("tokens_a_joule.pooled"));
    assert!(claims.claims.contains_key("latency.mean"));
    let resolved = &claims.predicates["energy.resolved"];
    assert_eq!(resolved.holds, Some(false));
    assert!(resolved.text.contains("too short for the counter"), "{}", resolved.text);
}

/// A counter that goes back in the middle, and one that stops: no value, a reason, and the run itself is none the worse.
#[test]
fn a_counter_that_ends_leaves_reasons_and_no_zero() {
    let stops = |seconds: f64| constant(seconds.min(9.0));
    let here = Here::new(&study("[8]", 4, "energy: {window_s: 1, idle_s: 1}")).package(stops);
    let folder = here.run(&[]);
    let lines = lines(&folder);
    let last = &lines[lines.len() - 1].domains[&Domain::Package];
    assert_eq!(last.joules, None);
    assert!(last.reason.as_ref().unwrap().contains("stood still for 1."), "{last:?}");
    assert_eq!(rows(&folder, Phase::Energy).last().unwrap().energy_j, None);
    let Evidence { claims, .. } = Evidence::open(&folder, None).unwrap();
    let complete = &claims.predicates["energy.complete"];
    assert_eq!(complete.holds, Some(false));
    assert!(complete.text.contains("the counter stood still"), "{}", complete.text);
    assert!(Run::open(&folder).unwrap().is_complete());
}

/// No block, no trace but a fact.
#[test]
fn a_study_without_energy_reads_no_meter() {
    let here = Here::new(&study("[8]", 2, "")).package(constant);
    let folder = here.run(&[]);
    assert!(!folder.join("energy.jsonl").exists());
    assert!(rows(&folder, Phase::Measured).iter().all(|row| row.energy_j.is_none()));
    let Evidence { run, claims, .. } = Evidence::open(&folder, None).unwrap();
    assert_eq!(run.environment.energy_sources.reason.as_deref(), Some("the study does not ask for energy"));
    let all = claims.claims.keys().chain(claims.predicates.keys());
    assert!(all.into_iter().all(|id| !id.contains("joules") && !id.starts_with("energy.")));
}

/// A window of a run of several requests counts all of them, those that bring the load up, too; a batch that is one request has as many texts.
#[test]
fn windows_of_several_requests_count_each() {
    let here = Here::new(&study(
        "[8]",
        2,
        "factors: {at_once: [1, 3]}\nload: {requests: 4, ramp: 1}\nexecution: {isolation: session}\nenergy: {window_s: 1, idle_s: 1}",
    ))
    .package(constant);
    let folder = here.run(&[]);
    let (windows, lines) = (rows(&folder, Phase::Energy), lines(&folder));
    assert_eq!(lines.len(), 4);
    for (row, line) in windows.iter().zip(&lines) {
        assert!(line.requests % 6 == 0 && line.requests > 0, "{line:?}");
        assert_eq!((line.n_gen, row.n_gen), (8 * u64::from(line.requests), Some(8 * line.requests)));
        assert!(row.load.is_none() && row.requests.is_empty(), "what they share, and no more");
    }
    let bundle = ["bundle", "--run", folder.to_str().unwrap(), "--version", "1.0.0", "--out", "one.zip"];
    assert!(here.offprint(&bundle).status.success());
    let verified = here.offprint(&["verify", "one.zip"]);
    assert!(verified.status.success(), "{}{}", text(&verified.stdout), text(&verified.stderr));

    let here = Here::new(&study("[8]", 1, "factors: {batch: [1, 4]}\nenergy: {idle_s: 1}")).package(constant);
    let folder = here.run(&[]);
    let mut counted: Vec<(u32, u64)> = crate::lines(&folder).iter().map(|line| (line.requests, line.n_gen)).collect();
    counted.sort_unstable();
    assert_eq!(counted, [(1, 8), (4, 32)]);
    assert!(
        here.offprint(&["bundle", "--run", folder.to_str().unwrap(), "--version", "1.0.0", "--out", "two.zip"])
            .status
            .success()
    );
}

/// The runner was killed after a line of energy was on the disk and before its rows were: the run is done again, and has one line.
#[test]
fn a_run_that_was_in_flight_is_done_again_with_its_line() {
    let here = Here::new(&study("[8]", 4, "energy: {window_s: 1, idle_s: 1}")).package(constant);
    let folder = here.run(&[]);
    let file = folder.join("runs.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    let third: Vec<&str> = whole.lines().collect();
    let rows_of_a_run = third.len() / 4;
    fs::write(&file, third[..3 * rows_of_a_run].iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let before = lines(&folder);
    assert!(!Run::open(&folder).unwrap().is_complete());
    let said = here.offprint(&["run", "study.yaml", "--resume"]);
    assert!(said.status.success(), "{}", text(&said.stderr));
    assert!(text(&said.stderr).contains("1 of 4 runs to do"), "{}", text(&said.stderr));
    let after = lines(&folder);
    assert_eq!((&after[..3], after.len()), (&before[..3], 4));
    assert!(after[3] != before[3] && Run::open(&folder).unwrap().is_complete());
    let bundle = ["bundle", "--run", folder.to_str().unwrap(), "--version", "1.0.0", "--out", "one.zip"];
    let bundle = here.offprint(&bundle);
    assert!(bundle.status.success(), "{}", text(&bundle.stderr));
}
