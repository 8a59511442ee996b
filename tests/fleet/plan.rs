//! `offprint fleet`: what it writes, what it says of machines, and that what it prints is what it runs.

use std::{fs, path::Path};

use offprint::fleet::Lock;

use crate::here::{Here, Said};

fn fleet(here: &Here, text: &str) {
    fs::create_dir_all(here.path("ssh")).unwrap();
    fs::write(here.path("ssh/config"), "").unwrap();
    fs::write(here.path("fleet.yaml"), text).unwrap();
}

const TWO: &str = "machines:\n  a: {via: local}\n  b: {via: ssh, host: no-such-host.invalid, ssh_config: ssh/config}\nstudies: [study.yaml]\nsessions: 2\n";

fn plan(here: &Here) -> Said {
    here.call(&["fleet", "plan", "fleet.yaml", "--out", "plan"])
}

#[test]
fn a_plan_is_a_snakefile_a_profile_the_studies_and_a_lock() {
    let here = Here::with("fake", "");
    fleet(&here, TWO);
    let said = plan(&here);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "plan/Snakefile\n"), "{}", said.err);
    assert!(
        said.err.contains("4 shards: 1 study(ies) on 2 machine(s) in 2 session(s); the reference is a\n"),
        "{}",
        said.err
    );
    assert!(said.err.contains("warning: 2 session(s) a machine"), "{}", said.err);
    let lock = Lock::read(&here.path("plan/fleet.lock.yaml")).unwrap();
    assert_eq!((lock.reference.as_str(), lock.machines.len(), lock.machines["b"].sessions), ("a", 2, 2));
    let study = &lock.studies["test"];
    assert!(study.plan_sha256.len() == 64 && study.study_sha256.len() == 64 && study.weights.is_empty());
    let copy = fs::read(here.path("plan/studies/test/study.yaml")).unwrap();
    assert_eq!(copy, fs::read(here.path("study.yaml")).unwrap());
    let snakefile = fs::read_to_string(here.path("plan/Snakefile")).unwrap();
    let config = here.path("ssh/config").canonicalize().unwrap();
    assert!(snakefile.contains(&format!("-F {} -o BatchMode=yes", config.display())), "{snakefile}");

    // A shard is held to the very lock and study that lie there.
    let own = ["shard", "plan/studies/test/study.yaml", "--home", "home", "--bundle", "bundles/a.1.zip"];
    let locked = ["--lock", "plan/fleet.lock.yaml", "--machine", "a", "--session", "1"];
    let shard = here.call(&[&own[..], &locked[..]].concat());
    assert_eq!(shard.code, Some(0), "{}", shard.err);
    // The bundle's statement of itself has the lock's digests.
    let verified = here.call(&["verify", "bundles/a.1.zip"]);
    assert_eq!(verified.code, Some(0), "{}", verified.out);
    here.nobody_is_left();
}

#[test]
fn a_plan_may_be_made_again_but_no_study_changes_under_bundles() {
    let here = Here::with("fake", "");
    fleet(&here, TWO);
    assert_eq!(plan(&here).code, Some(0));
    let first = fs::read(here.path("plan/fleet.lock.yaml")).unwrap();
    assert_eq!(plan(&here).code, Some(0));
    assert_eq!(fs::read(here.path("plan/fleet.lock.yaml")).unwrap(), first);
    fs::create_dir_all(here.path("plan/bundles/test")).unwrap();
    fleet(&here, &TWO.replace("sessions: 2", "sessions: 3"));
    assert_eq!(plan(&here).code, Some(0), "a further session changes nothing");
    let study = fs::read_to_string(here.path("study.yaml")).unwrap();
    fs::write(here.path("study.yaml"), study.replace("num_runs: 3", "num_runs: 2")).unwrap();
    let said = plan(&here);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("plan: it has bundles of `test`, and that study is another by now\nhint: "),
        "{}",
        said.err
    );
}

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    let here = Here::with("fake", "");
    for (text, words) in [
        (
            TWO.replace("studies:", "study:"),
            "error: fleet.yaml:4:1: study: unknown key\nhint: did you mean `studies`?\n",
        ),
        (TWO.replace("ssh/config", "no/config"), "HERE/no/config: no such file\n"),
        (TWO.replace("study.yaml", "none.yaml"), "error: fleet.yaml: studies[0]\n  ./none.yaml: cannot be read: "),
        (
            TWO.replace("[study.yaml]", "[study.yaml, ./study.yaml]"),
            "studies[1]: expected a study of another name, found `test` twice\n",
        ),
    ] {
        fleet(&here, &text);
        let said = plan(&here);
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(here.plain(&said.err).contains(words), "{words}: {}", said.err);
        assert!(said.err.contains("\nhint: "), "{}", said.err);
    }
    let absent = here.call(&["fleet", "doctor", "nothing.yaml"]);
    assert_eq!(absent.code, Some(2));
    assert!(absent.err.contains("nothing.yaml"), "{}", absent.err);
}

#[test]
fn what_is_printed_is_what_is_run() {
    use std::os::unix::fs::PermissionsExt;
    let here = Here::with("fake", "");
    fleet(&here, TWO);
    assert_eq!(plan(&here).code, Some(0));
    let program = here.path("bin/snakemake");
    fs::create_dir(here.path("bin")).unwrap();
    fs::write(&program, "#!/bin/sh\npwd -P\necho snakemake \"$@\"\nexit 1\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let said = here.call(&["fleet", "run", "plan", "--snakemake", "bin/snakemake", "--", "--unlock"]);
    assert_eq!(said.code, Some(1), "the program's own exit code: {}", said.err);
    assert_eq!(said.err, "cd plan && bin/snakemake --profile profile --unlock\n");
    let folder = here.path("plan").canonicalize().unwrap();
    assert_eq!(said.out, format!("{}\nsnakemake --profile profile --unlock\n", folder.display()));
    let absent = here.call(&["fleet", "run", "plan", "--snakemake", "no-such-snakemake"]);
    assert_eq!(absent.code, Some(2));
    assert!(absent.err.contains("hint: pip install snakemake==9.27.1"), "{}", absent.err);
    let unplanned = here.call(&["fleet", "run", "bin"]);
    assert!(unplanned.code == Some(2) && unplanned.err.contains("bin: no Snakefile there"), "{}", unplanned.err);
}

#[test]
fn each_machine_says_what_is_wrong_with_it() {
    let here = Here::with("fake", "");
    fleet(
        &here,
        "machines:\n  good: {via: local, home: HOME}\n  other: {via: local, home: HOME, expect: {chip: Apple M9}}\n  bare: {via: local, home: HOME, offprint: /no/such/offprint}\n  file: {via: local, home: HOME/study.yaml}\n  far: {via: ssh, host: no-such-host.invalid}\nstudies: [study.yaml]\n"
            .replace("HOME", here.path("").to_str().unwrap().trim_end_matches('/'))
            .as_str(),
    );
    let said = here.call(&["fleet", "doctor", "fleet.yaml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let of = |label: &str, words: &str| {
        let line = said.out.lines().find(|line| line.starts_with(label) && line.contains(words));
        assert!(line.is_some(), "{label}: no {words:?} in\n{}", said.out);
    };
    of("good", "ok    reach    it answers, and its folder can be written");
    of("good", "ok    build    offprint ");
    of("other", "FAIL  machine  chip: expected Apple M9, found ");
    of("bare", "FAIL  offprint there is no /no/such/offprint: ");
    of("file", "FAIL  home     ");
    of("far", "FAIL  reach    ");
    let fails = said.out.lines().filter(|line| line.contains("  FAIL  ")).count();
    assert!(said.out.matches("hint: ").count() >= fails, "{}", said.out);
    here.nobody_is_left();
}

/// The example as its README line has it, but for the home folder.
#[test]
fn the_example_is_planned_and_one_of_its_shards_runs() {
    let here = Here::with("fake", "");
    for name in ["fleet.yaml", "study.yaml"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet").join(name)).unwrap();
        fs::write(here.path(name), text.replace("pace=20", "pace=1")).unwrap();
    }
    let mut command = here.command(&["fleet", "plan", "fleet.yaml"]);
    assert_eq!(crate::here::said(&mut command).code, Some(0));
    let lock = Lock::read(&here.path("fleet/fleet.lock.yaml")).unwrap();
    assert_eq!((lock.reference.as_str(), lock.machines.len()), ("one", 2));
    let snakefile = fs::read_to_string(here.path("fleet/Snakefile")).unwrap();
    let line = snakefile.lines().find(|line| line.contains(" shard ") && line.contains("--machine one ")).unwrap();
    let line = line
        .replace("{input.study}", "studies/fleet-trial/study.yaml")
        .replace("{input.lock}", "fleet.lock.yaml")
        .replace("{output}", "bundles/fleet-trial/one.1.zip")
        .replace("{wildcards.session}", "1");
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).current_dir(here.path("fleet")).env("HOME", here.path(""));
    let said = crate::here::said(&mut shell);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "bundles/fleet-trial/one.1.zip\n"), "{}", said.err);
    assert!(here.path(".offprint/fleet-trial/one/session-1/fleet-trial").is_dir());
}
