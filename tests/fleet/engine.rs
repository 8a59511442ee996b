//! A fleet of three machines in two sessions on the engine that people have: Snakemake over two sshd and a SLURM, all on this machine.
//! One shard is killed, one connection is cut, one job is told to stop, as at the end of its time, and Snakemake itself is killed and
//! started again: no run is made twice, none is lacking, and none is a failure that was ours. `OFFPRINT_TEST_FLEET` names the folder of the program `snakemake`; the daemons are Debian's, and root starts them.

use std::{
    collections::BTreeSet,
    env,
    ffi::OsString,
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use offprint::{record::Outcome, store::Run};
use tempfile::TempDir;

/// Bounds a hang, not a speed.
const PATIENCE: Duration = Duration::from_secs(150);
const RUNS: usize = 16;
const MACHINES: [&str; 3] = ["mac-a", "mac-b", "node"];
/// SLURM is asked for its jobs more often than a cluster should be.
const OFTEN: [&str; 4] = ["--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"];

/// The daemons, in a folder; all ends with it, whatever became of the test.
struct Daemons {
    folder: TempDir,
    /// Of two checkouts that are tested at once one waits: there is one `/etc/slurm`.
    _alone: File,
}

impl Daemons {
    fn start() -> Self {
        let alone = File::create("/tmp/offprint-test-fleet.lock").unwrap();
        alone.lock().unwrap();
        let folder = tempfile::Builder::new().prefix("fleet-").tempdir_in("/tmp").unwrap();
        let daemons = Daemons { folder, _alone: alone };
        let free: Vec<TcpListener> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<String> = free.iter().map(|port| port.local_addr().unwrap().port().to_string()).collect();
        drop(free);
        let log = File::create(daemons.path("up.log")).unwrap();
        // Daemons hold on to what they are given to write to.
        let up = Command::new(script("up.sh"))
            .arg(daemons.path("daemons"))
            .args(&ports)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .status()
            .unwrap();
        assert!(up.success(), "{}", fs::read_to_string(daemons.path("up.log")).unwrap());
        daemons
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn offprint(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offprint"));
        let home = self.path("home");
        fs::create_dir_all(&home).unwrap();
        command.args(arguments).current_dir(self.folder.path()).env("HOME", home);
        command
    }

    /// Processes with these among their words, none of them of another test.
    fn processes(&self, program: &str, words: &[&str]) -> Vec<String> {
        let own = self.folder.path().to_str().unwrap().to_owned();
        let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let numbers = entries.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        numbers
            .filter(|process| {
                let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                let first = line.split(' ').next().unwrap_or_default();
                first.ends_with(program) && line.contains(&own) && words.iter().all(|word| line.contains(word))
            })
            .collect()
    }

    /// Kills the one that there must be.
    fn kill(&self, program: &str, words: &[&str]) {
        let found = self.processes(program, words);
        assert_eq!(found.len(), 1, "{program} {words:?}: {found:?}");
        assert!(Command::new("kill").args(["-9", &found[0]]).status().unwrap().success());
    }

    /// Run folders of a session.
    fn folders(&self, machine: &str, session: u32) -> Vec<PathBuf> {
        let folder = self.path(&format!("m/{machine}/session-{session}/fleet-trial"));
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.')).collect()
    }

    fn rows(&self, machine: &str, session: u32) -> usize {
        let files = self.folders(machine, session).into_iter().map(|folder| folder.join("runs.jsonl"));
        files.map(|file| fs::read_to_string(file).unwrap_or_default().lines().count()).sum()
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for process in self.processes("", &[]) {
            // The daemons are ended in order, by their own script.
            if fs::read_link(format!("/proc/{process}/exe")).is_ok_and(|exe| !exe.starts_with("/usr/sbin")) {
                let _ = Command::new("kill").args(["-9", &process]).stderr(Stdio::null()).status();
            }
        }
        let _ = Command::new(script("down.sh")).arg(self.path("daemons")).stdin(Stdio::null()).status();
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fleet").join(name)
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Snakemake's words go to a file; dropped, it is killed.
struct Engine {
    child: Child,
    log: PathBuf,
}

impl Engine {
    fn start(daemons: &Daemons, tools: &OsString, log: &str, words: &[&str]) -> Self {
        let log = daemons.path(log);
        let (out, program) = (File::create(&log).unwrap(), Path::new(tools).join("snakemake"));
        let mut command = daemons.offprint(&["fleet", "run", "plan", "--snakemake", program.to_str().unwrap(), "--"]);
        command.args(words).stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
        Engine { child: command.spawn().unwrap(), log }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut code = None;
        until("the engine does not end", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        (code.and_then(|status| status.code()), self.said())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fleet(daemons: &Daemons) -> String {
    let (home, offprint) = (daemons.path("m"), env!("CARGO_BIN_EXE_offprint"));
    let home = home.display();
    format!(
        "machines:\n  \
         mac-a: {{via: ssh, host: a, ssh_config: daemons/ssh/config, offprint: {offprint}, home: {home}}}\n  \
         mac-b: {{via: ssh, host: b, ssh_config: daemons/ssh/config, offprint: {offprint}, home: {home}}}\n  \
         node: {{via: slurm, partition: bench, constraint: node3, home: {home}, minutes: 5}}\n\
         studies: [study.yaml]\nsessions: 2\n"
    )
}

#[test]
fn a_fleet_comes_home_whatever_befalls_it() {
    let Some(tools) = env::var_os("OFFPRINT_TEST_FLEET") else {
        eprintln!("not tried: OFFPRINT_TEST_FLEET names no folder with Snakemake");
        return;
    };
    let daemons = Daemons::start();
    fs::write(daemons.path("fleet.yaml"), fleet(&daemons)).unwrap();
    let study = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fleet/study.yaml")).unwrap();
    fs::write(daemons.path("study.yaml"), study.replace("pace=20", "pace=60")).unwrap();
    each_machine_answers(&daemons);
    let planned = daemons.offprint(&["fleet", "plan", "fleet.yaml", "--out", "plan"]).output().unwrap();
    assert!(planned.status.success(), "{planned:?}");

    let words = OFTEN;
    let engine = Engine::start(&daemons, &tools, "first.log", &words);
    until("mac-a has no rows", || daemons.rows("mac-a", 1) >= 4);
    daemons.kill("offprint", &[" shard ", "--machine mac-a"]);
    until("mac-b has no rows", || daemons.rows("mac-b", 1) >= 4);
    daemons.kill("ssh", &[" shard ", "--machine mac-b"]);
    until("the node has no rows", || daemons.rows("node", 1) >= 3);
    assert!(Command::new("scancel").args(["--signal=TERM", "--user=root"]).status().unwrap().success());
    until("nobody waits for the shard whose connection was cut", || engine.said().contains("waiting for it"));
    assert!(daemons.rows("mac-b", 1) < RUNS, "it was at work meanwhile");
    let bundles = daemons.path("plan/bundles/fleet-trial");
    let some = || {
        fs::read_dir(&bundles).is_ok_and(|mut entries| {
            entries.any(|entry| entry.unwrap().path().extension().is_some_and(|ending| ending == "zip"))
        })
    };
    until("no bundle came home", some);
    let first = engine.said();
    drop(engine);

    let (code, said) = Engine::start(&daemons, &tools, "locked.log", &words).end();
    assert!(code == Some(1) && said.contains("LockException"), "{said}");
    let (code, said) = Engine::start(&daemons, &tools, "unlocked.log", &["--unlock"]).end();
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = Engine::start(&daemons, &tools, "second.log", &words).end();
    assert_eq!(code, Some(0), "{first}\n---\n{said}");

    nothing_was_run_twice(&daemons);
    one_paper(&daemons);
    let (code, said) = Engine::start(&daemons, &tools, "third.log", &words).end();
    assert!(code == Some(0) && said.contains("Nothing to be done"), "{said}");
}

/// Each session is one execution with each run in it once, and its bundle says whose it is.
fn nothing_was_run_twice(daemons: &Daemons) {
    let mut executions = BTreeSet::new();
    for machine in MACHINES {
        for session in [1, 2] {
            let folders = daemons.folders(machine, session);
            assert_eq!(folders.len(), 1, "{machine}, session {session}: {folders:?}");
            let run = Run::open(&folders[0]).unwrap();
            assert!(run.is_complete() && run.records.len() == RUNS, "{machine}, session {session}");
            let ok = run.records.iter().all(|record| record.outcome == Outcome::Ok);
            assert!(ok, "{machine}, session {session}: what was done to a shard is no failed run");
            let known = run.environment.session.unwrap();
            assert_eq!((known.machine.as_deref(), known.number), (Some(machine), Some(session)));
            executions.insert(run.runs_sha256);
            let bundle = daemons.path(&format!("plan/bundles/fleet-trial/{machine}.{session}.zip"));
            assert!(bundle.is_file(), "{}", bundle.display());
            let verified = daemons.path(&format!("plan/verified/fleet-trial/{machine}.{session}.json"));
            let report: serde_json::Value = serde_json::from_slice(&fs::read(verified).unwrap()).unwrap();
            assert_eq!(report["problems"].as_array().map(Vec::len), Some(0), "{report}");
        }
    }
    assert_eq!(executions.len(), 6, "no two sessions are one");
    let count = fs::read_dir(daemons.path("plan/bundles/fleet-trial")).unwrap().count();
    assert_eq!(count, 6, "nothing half copied is left");
}

/// One paper of all sessions, whose set holds.
fn one_paper(daemons: &Daemons) {
    let paper = fs::read_to_string(daemons.path("plan/paper-fleet-trial/paper.md")).unwrap();
    assert!(paper.contains("was executed 6 times on 3 machines: 96 runs in all"), "{paper}");
    let verified = daemons.offprint(&["verify", "plan/sets/fleet-trial"]).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}

/// Each way not to be reached, as the real programs say it.
fn each_machine_answers(daemons: &Daemons) {
    let well = daemons.offprint(&["fleet", "doctor", "fleet.yaml"]).output().unwrap();
    let out = String::from_utf8(well.stdout).unwrap();
    for machine in MACHINES {
        let answers = |line: &str| line.starts_with(machine) && line.contains("ok    build    offprint ");
        assert!(out.lines().any(answers), "{machine}: {out}{}", String::from_utf8_lossy(&well.stderr));
    }
    let ill = fleet(daemons)
        .replacen("daemons/ssh/config", "daemons/ssh/config.stranger", 1)
        .replacen(
            &format!("host: b, ssh_config: daemons/ssh/config, offprint: {}", env!("CARGO_BIN_EXE_offprint")),
            "host: b, ssh_config: daemons/ssh/config, offprint: /opt/no/offprint",
            1,
        )
        .replace("constraint: node3", "constraint: node9");
    fs::write(daemons.path("ill.yaml"), ill).unwrap();
    let said = daemons.offprint(&["fleet", "doctor", "ill.yaml"]).output().unwrap();
    let out = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said.status.code(), Some(1), "{out}");
    for (machine, words) in [
        ("mac-a", "FAIL  key      a takes none of the keys that it is shown: "),
        ("mac-b", "FAIL  offprint there is no /opt/no/offprint: "),
        ("node", "FAIL  reach    SLURM gives no node: "),
    ] {
        assert!(out.lines().any(|line| line.starts_with(machine) && line.contains(words)), "{machine}: {out}");
    }
}
