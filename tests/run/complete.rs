//! An execution that nothing disturbs, and calls that execute nothing.

use std::{fs, os::unix::fs::PermissionsExt};

use offprint::{
    machine::Environment,
    record::{Outcome, Phase, RUN_SCHEMA},
    store::Run,
};

use crate::here::{Here, RUNS, lasting, measured, rows};

#[test]
fn every_planned_run_has_its_row_after_its_warm_ups() {
    let here = Here::with("fake", "execution: {seed: 7}\n");
    let text =
        fs::read_to_string(here.path("study.yaml")).unwrap().replace("num_runs: 3", "num_runs: 3, warmup_runs: 2");
    fs::write(here.path("study.yaml"), &text).unwrap();
    let said = here.run();
    assert_eq!((said.code, here.plain(&said.out).as_str()), (Some(0), "results/test/RUN\n"), "{}", said.err);
    assert!(said.err.contains("24 of 24 runs to do") && said.err.contains("(24/24): "), "{}", said.err);

    let folder = here.only();
    assert_eq!(fs::read_to_string(folder.join("study.yaml")).unwrap(), text, "verbatim");
    let environment = fs::read_to_string(folder.join("environment.json")).unwrap();
    Environment::from_json("environment.json", &environment).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "nothing else is there");

    let (plan, rows) = (here.plan(), rows(&folder));
    assert_eq!((plan.runs.len(), rows.len()), (RUNS, 3 * RUNS));
    for (planned, rows) in plan.execution().into_iter().zip(rows.chunks(3)) {
        let phases: Vec<Phase> = rows.iter().map(|row| row.phase).collect();
        assert_eq!(phases, [Phase::Warmup, Phase::Warmup, Phase::Measured]);
        for row in rows {
            assert_eq!(
                (row.schema.as_str(), row.run, row.order, row.block),
                (RUN_SCHEMA, planned.run, planned.order, planned.block)
            );
            assert_eq!((row.repeat, row.seed, row.temperature), (planned.repeat, planned.seed, planned.temperature));
            assert_eq!((row.outcome, &row.error, row.engine.as_str()), (Outcome::Ok, &None, "fake"));
            let times = row.token_times_ns.as_ref().unwrap();
            assert_eq!((row.n_gen, row.ttft_ns), (Some(times.len() as u32), times.first().copied()));
        }
        assert!(rows[..2].iter().all(|row| row.load_ns.is_none() && row.max_tokens == 4 && row.n_gen == Some(4)));
        assert_eq!((rows[2].max_tokens, rows[2].n_gen), (planned.max_tokens, Some(planned.max_tokens)));
        assert!(rows[2].load_ns.unwrap() > 0);
    }
    assert!(Run::open(&folder).unwrap().is_complete());
    here.nobody_is_left();
}

#[test]
fn two_executions_differ_in_nothing_but_when() {
    let here = Here::with("fake", "");
    assert_eq!((here.run().code, here.run().code), (Some(0), Some(0)));
    let folders = here.folders();
    assert_eq!(folders.len(), 2, "an execution never overwrites another");
    assert_eq!(lasting(&folders[0]), lasting(&folders[1]));
}

#[test]
fn another_seed_gives_another_order_and_other_tokens() {
    let (one, two) = (Here::with("fake", ""), Here::with("fake", "execution: {seed: 1}\n"));
    assert_eq!((one.run().code, two.run().code), (Some(0), Some(0)));
    let of =
        |here: &Here| rows(&here.only()).iter().map(|row| (row.run, row.output_sha256.clone())).collect::<Vec<_>>();
    let (mut one, mut two) = (of(&one), of(&two));
    assert_ne!(one.iter().map(|row| row.0).collect::<Vec<_>>(), two.iter().map(|row| row.0).collect::<Vec<_>>());
    one.sort();
    two.sort();
    assert!(one.iter().zip(&two).all(|(one, two)| one.0 == two.0 && one.1 != two.1));
}

#[test]
fn a_dry_run_prints_the_plan_and_makes_nothing() {
    let here = Here::with("fake", "execution: {seed: 20261123}\n");
    let said = here.call(&["run", "study.yaml", "--dry-run"]);
    let unknown =
        "how long it takes is not known: results/test has no complete run of this very study on this machine\n";
    assert_eq!((said.code, said.err.as_str()), (Some(0), unknown));
    insta::assert_snapshot!(said.out);
    assert_eq!(fs::read_dir(here.path("")).unwrap().count(), 1, "only the study is there");
    assert_eq!(here.call(&["run", "study.yaml", "--dry-run", "--resume"]).code, Some(2));
}

/// As long as the records say, and only where they are of this study and this machine.
#[test]
fn a_dry_run_says_how_long_it_took_before() {
    let here = Here::with("fake", "");
    assert_eq!(here.run().code, Some(0));
    let dry = || here.plain(&here.call(&["run", "study.yaml", "--dry-run"]).err);
    // 24 loads of 0.3 s; 12 runs of 8 tokens and 12 of 16, and as many warm-ups of 4, at 10 ms a token; prompts of 3 and 1.
    let all = rows(&here.only());
    let ns: u64 = all.iter().map(|row| row.load_ns.unwrap_or(0) + row.e2e_ns.unwrap()).sum();
    assert_eq!(dry(), format!("about {:.0} s, as results/test/RUN took, on this machine\n", ns as f64 / 1e9));
    assert!(ns > 10_000_000_000, "{ns}");
    let file = here.only().join("environment.json");
    let text = fs::read_to_string(&file).unwrap();
    let mut environment: serde_json::Value = serde_json::from_str(&text).unwrap();
    environment["chip"] = serde_json::json!({"value": "another"});
    fs::write(&file, environment.to_string()).unwrap();
    assert!(dry().starts_with("how long it takes is not known"), "{}", dry());
    fs::write(&file, text).unwrap();
    let study = fs::read_to_string(here.path("study.yaml")).unwrap();
    fs::write(here.path("study.yaml"), study + "# another\n").unwrap();
    assert!(dry().starts_with("how long it takes is not known"), "{}", dry());
}

/// Rows of another machine, build or setting are not added to: what is another is named, and nothing is lost.
#[test]
fn an_unfinished_run_goes_on_only_under_its_own_conditions() {
    let here = Here::with("fake:pace=5", "");
    let mut running = here.start(&["run", "study.yaml"]);
    running.until("(2/24)");
    running.kill();
    let file = here.only().join("environment.json");
    let begun: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let before = fs::read(here.only().join("runs.jsonl")).unwrap();
    type Change = fn(&mut serde_json::Value);
    let cases: [(Change, &str); 4] = [
        (
            |all| all["libraries"]["kernels"] = "offprint avx9, 2 threads".into(),
            "kernels (was offprint avx9, 2 threads, is nothing)",
        ),
        (|all| all["libraries"]["tera"] = "0.0.1".into(), "tera (was 0.0.1, is "),
        (|all| all["chip"] = serde_json::json!({"value": "Apple M9"}), "chip (was Apple M9, is "),
        (|all| all["offprint_version"] = "0.0.1".into(), "offprint's version (was 0.0.1, is "),
    ];
    for (change, words) in cases {
        let mut environment = begun.clone();
        change(&mut environment);
        fs::write(&file, environment.to_string()).unwrap();
        let said = here.resume();
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words}: {}", said.err);
        assert!(
            here.plain(&said.err).contains("results/test/RUN: it was begun under other conditions: "),
            "{}",
            said.err
        );
        assert!(said.err.contains(words) && said.err.matches(" (was ").count() == 1, "{words}: {}", said.err);
        assert_eq!(fs::read(here.only().join("runs.jsonl")).unwrap(), before);
    }
    fs::write(&file, begun.to_string()).unwrap();
    assert_eq!(here.resume().code, Some(0));
    assert_eq!(measured(&rows(&here.only())).len(), RUNS);
}

#[test]
fn there_must_be_something_to_resume() {
    let here = Here::with("fake", "");
    let never_run = here.resume();
    assert_eq!(here.run().code, Some(0));
    let before = fs::read(here.only().join("runs.jsonl")).unwrap();
    let all_done = here.resume();
    assert_eq!((never_run.code, all_done.code), (Some(2), Some(0)));
    insta::assert_snapshot!(here.plain(&never_run.err));
    assert_eq!(here.plain(&all_done.err), "results/test/RUN: nothing to do: every run of the study has its row\n");
    assert_eq!(here.plain(&all_done.out), "results/test/RUN\n");
    // A complete run of another version is no run of this one.
    let other = fs::read_to_string(here.path("study.yaml")).unwrap().replace("num_runs: 3", "num_runs: 2");
    fs::write(here.path("study.yaml"), other).unwrap();
    assert_eq!(here.resume().code, Some(2));
    assert_eq!(fs::read(here.only().join("runs.jsonl")).unwrap(), before);
}

#[test]
fn an_unfinished_run_goes_on_only_with_its_own_study() {
    let here = Here::with("fake:pace=5", "");
    let mut running = here.start(&["run", "study.yaml"]);
    running.until("(2/24)");
    running.kill();
    let begun = fs::read_to_string(here.path("study.yaml")).unwrap();
    fs::write(here.path("study.yaml"), begun.replace("num_runs: 3", "num_runs: 2")).unwrap();
    let before = fs::read(here.only().join("runs.jsonl")).unwrap();
    let said = here.resume();
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(here.plain(&said.err));
    assert_eq!(fs::read(here.only().join("runs.jsonl")).unwrap(), before);

    fs::write(here.path("study.yaml"), begun).unwrap();
    assert_eq!(here.resume().code, Some(0));
    assert_eq!(measured(&rows(&here.only())).len(), RUNS);
}

#[test]
fn results_that_cannot_be_written_are_said_before_anything_runs() {
    let here = Here::with("fake", "");
    fs::write(here.path("file"), "").unwrap();
    let said = here.call(&["run", "study.yaml", "--results", "file/results"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    insta::assert_snapshot!(here.plain(&said.err));

    let sealed = here.path("sealed");
    fs::create_dir(&sealed).unwrap();
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::create_dir(sealed.join("probe")).is_ok() {
        eprintln!("not tried: this user may write to read-only folders");
        return;
    }
    let said = here.call(&["run", "study.yaml", "--results", "sealed"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("sealed/test") && said.err.contains("\nhint: is the folder writable"), "{}", said.err);
}

#[test]
fn a_study_that_is_not_there_is_named() {
    let here = Here::with("fake", "");
    let said = here.call(&["run", "config/none.yaml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("config/none.yaml") && said.err.contains("\nhint: "), "{}", said.err);
    assert!(here.folders().is_empty());
}
