//! Runs of several requests against servers whose times are known: what is recorded of each, what is computed of them (held to a
//! computation of its own in Python), and how late a client with many streams is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use offprint::{
    engine::http::watched,
    record::{Answered, Outcome, Phase, RunRecord},
    store::Run,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{agree::agree, *};

/// Runs a study on the fake server in this mode: `load`, `factors` and more keys. Gives its folder and records.
fn executed(mode: &str, keys: &str) -> (TempDir, Run) {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/fake_server.py");
    let mode = if mode.is_empty() { String::new() } else { format!(", {mode}") };
    let text = format!(
        "study: {{name: load}}\nmodels:\n  - id: fake\n    name: A fake\n    engine:\n      name: fake-server\n      http:\n        server: llama-server\n        start: [python3, {script:?}, --port, \"{{port}}\"{mode}]\nprompts: [\"one two\"]\n{keys}\nexecution: {{timeout_s: 120}}\n"
    );
    fs::write(folder.path().join("study.yaml"), text).unwrap();
    let output = offprint(folder.path(), &["run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let run = Run::open(&folder.path().join(String::from_utf8_lossy(&output.stdout).trim())).unwrap();
    (folder, run)
}

fn offprint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn measured(run: &Run) -> Vec<&RunRecord> {
    run.records.iter().filter(|row| row.phase == Phase::Measured).collect()
}

/// The paper's claims, after `report`, its check, a bundle and its verification.
fn claims(folder: &Path) -> Value {
    for arguments in [&["report"][..], &["report", "--check"], &["bundle", "--version", "1.0.0"]] {
        let output = offprint(folder, arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    }
    let bundles = fs::read_dir(folder.join("results/bundles")).unwrap().flatten().map(|entry| entry.path());
    let bundle: PathBuf = bundles.into_iter().find(|path| path.extension().is_some_and(|end| end == "zip")).unwrap();
    let output = offprint(folder, &["verify", bundle.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    serde_json::from_str(&fs::read_to_string(folder.join("paper/claims.json")).unwrap()).unwrap()
}

#[test]
fn a_closed_loop_from_its_requests_to_a_bundle_that_verifies() {
    let keys = "factors: {at_once: [1, 4]}\nload: {requests: 40, goodput: {ttft_s: 0.05, decode_tok_s: 50}}\nbenchmark_settings: {max_tokens: [4], temperatures: [0], num_runs: 2}";
    let (folder, run) = executed("", keys);
    let mut seeds = std::collections::BTreeSet::new();
    for row in measured(&run) {
        let load = row.load.as_ref().unwrap();
        assert_eq!((row.outcome, row.requests.len()), (Outcome::Ok, 40 + 2 * load.at_once as usize));
        assert_eq!((row.n_gen, row.e2e_ns, row.ttft_ns, load.ramp), (None, None, None, load.at_once));
        for request in &row.requests {
            assert_eq!((request.outcome, request.n_gen, request.n_prompt), (Answered::Ok, Some(4), Some(7)));
            assert!(request.steps_ns[0] > 20_000_000 && request.sent_ns >= request.due_ns, "{request:?}");
            seeds.insert(request.seed);
        }
        // No more are under way than the level says, and soon after the beginning no fewer.
        let at = |t: u64| row.requests.iter().filter(|r| r.sent_ns <= t && r.sent_ns + r.done_ns.unwrap() > t).count();
        let most = row.requests.iter().map(|request| at(request.sent_ns)).max();
        assert_eq!(most, Some(load.at_once as usize));
    }
    assert_eq!(seeds.len(), 2 * (42 + 6), "levels that are compared share seeds, replicates do not");
    let claims = claims(folder.path());
    agree(
        folder.path(),
        &run.folder,
        &["request_rate", "output_rate", "in_flight", "goodput", "ttft_p50", "gap_p50", "e2e_p50"],
    );
    let value = |id: &str| claims["claims"][id]["value"].as_f64().unwrap_or_else(|| panic!("no claim {id}"));
    // A request takes the fake 20 ms and three steps of 2 ms.
    assert!(value("by_at_once.1.request_rate.mean") < 1.0 / 0.026);
    assert!(value("by_at_once.4.in_flight.mean") > 3.0 && value("by_at_once.4.in_flight.mean") < 4.001);
    assert!(value("vs.at_once.4.request_rate.ratio") > 2.0);
    assert_eq!(value("load.counted"), 160.0);
    let paper = fs::read_to_string(folder.path().join("paper/paper.md")).unwrap();
    assert!(paper.contains("come in a closed loop") && paper.contains("figures/load.svg"), "{paper}");
    again_by_jq(
        folder.path(),
        &claims,
        &[
            "by_at_once.4.output_rate.mean",
            "by_at_once.4.goodput.mean",
            "in_flight.mean",
            "ttft_p50.mean",
            "gap_p50.max",
            "decode.mean",
            "warm_latency.sd",
            "ttft_from_text.mean",
            "request_rate.mean",
            "rejected.mean",
        ],
    );
}

/// What `explain` prints to compute a number again, by the real jq where there is one.
fn again_by_jq(folder: &Path, claims: &Value, ids: &[&str]) {
    if Command::new("jq").arg("--version").output().is_err() {
        eprintln!("jq is not installed: nothing was tried");
        return;
    }
    for id in ids {
        let output = offprint(folder, &["explain", id, "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        let found = if found.is_array() { &found[0] } else { &found };
        let command = found["recompute"].as_str().unwrap_or_else(|| panic!("{id}: {found}"));
        let again = Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap();
        let again: f64 = String::from_utf8_lossy(&again.stdout)
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("{id}: {}\n{command}", said(&again)));
        let value = claims["claims"][*id]["value"].as_f64().unwrap();
        assert!((again - value).abs() <= 1e-9 * value.abs().max(1.0), "{id}: {value}, by jq {again}");
    }
}

/// 40 a second fall due of which one place can serve some 25: the queue stands at our own door, where a time from sending does not see it.
#[test]
fn an_open_loop_counts_from_when_requests_were_due() {
    let keys = "factors: {per_second: [10, 40]}\nload: {requests: 40, ramp: 2, arrivals: constant, at_most: 1}\nbenchmark_settings: {max_tokens: [8], temperatures: [0], num_runs: 3}";
    let (folder, run) = executed("", keys);
    for row in measured(&run) {
        let rate = row.load.as_ref().unwrap().per_second.unwrap();
        for (request, number) in row.requests.iter().zip(1..) {
            assert_eq!(request.due_ns, (f64::from(number) / rate * 1e6).round() as u64 * 1000, "{request:?}");
            assert!(request.sent_ns >= request.due_ns);
        }
    }
    let claims = claims(folder.path());
    agree(folder.path(), &run.folder, &["backlog", "ttft_from_sent", "ttft_from_text", "e2e_p50"]);
    let value = |id: &str| claims["claims"][id]["value"].as_f64().unwrap();
    let slow = |level: &str| value(&format!("by_per_second.{level}.ttft_from_text.mean"));
    let sent = |level: &str| value(&format!("by_per_second.{level}.ttft_from_sent.mean"));
    assert!(slow("40") > 5.0 * sent("40"), "from the schedule {} s, from sending {} s", slow("40"), sent("40"));
    assert!(value("by_per_second.40.backlog.mean") > 0.1);
    let stationary = &claims["predicates"]["load.stationary"];
    assert_eq!(stationary["holds"], Value::Bool(false), "{stationary}");
    assert!(stationary["text"].as_str().unwrap().contains("40 requests a second"), "{stationary}");
}

#[test]
fn what_a_busy_server_rejects_is_a_result() {
    // 100 a second fall due, and two places serve some 75.
    let keys = "factors: {per_second: [100]}\nload: {requests: 24, at_most: 8}\nbenchmark_settings: {max_tokens: [4], temperatures: [0], num_runs: 1}";
    let (folder, run) = executed("busy", keys);
    let row = measured(&run)[0];
    let rejected: Vec<_> = row.requests.iter().filter(|request| request.outcome == Answered::Rejected).collect();
    assert!(!rejected.is_empty() && rejected.iter().all(|request| request.status == Some(503)), "{row:?}");
    assert!(rejected[0].error.as_ref().unwrap().contains("come back later"));
    assert!(rejected.iter().all(|request| request.done_ns.is_some() && request.done_ns >= request.headers_ns));
    let claims = claims(folder.path());
    agree(folder.path(), &run.folder, &["rejected", "in_flight", "backlog"]);
    assert!(claims["claims"]["load.rejected"]["value"].as_f64() > Some(0.0));
}

#[test]
fn requests_that_fail_fail_their_run() {
    let keys = "factors: {at_once: [2]}\nload: {requests: 4}\nbenchmark_settings: {max_tokens: [3, 8], temperatures: [0], num_runs: 1}";
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/fake_server.py");
    let text = format!(
        "study: {{name: load}}\nmodels: [{{id: f, name: F, engine: {{name: s, http: {{server: llama-server, start: [python3, {script:?}, --port, \"{{port}}\", --pid, pids, gone]}}}}}}]\nprompts: [p]\n{keys}\n"
    );
    fs::write(folder.path().join("study.yaml"), text).unwrap();
    let output = offprint(folder.path(), &["run", "study.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let run = Run::open(&folder.path().join(String::from_utf8_lossy(&output.stdout).trim())).unwrap();
    let failed: Vec<_> = measured(&run).into_iter().filter(|row| row.outcome == Outcome::Failed).collect();
    assert!(
        failed[0].error.as_ref().unwrap().starts_with("server: it ended with exit code 3"),
        "{:?}",
        failed[0].error
    );
    assert!(!failed[0].requests.is_empty(), "what had come is kept");
}

/// A server of 16 streams at once writes its own clock into each event.
#[test]
fn stamps_of_many_streams_are_soon_after_the_writes() {
    const STREAMS: u32 = 16;
    const EVENTS: u32 = 200;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut stream = stream;
                let _ = read_request(&mut stream);
                stream.set_nodelay(true).unwrap();
                write(&mut stream, HEAD);
                for _ in 0..EVENTS {
                    write(&mut stream, &token(&format!("{} ", clock())));
                    thread::sleep(Duration::from_millis(5));
                }
                write(&mut stream, &end(EVENTS));
            });
        }
    });
    let http = http(port, "cache: allowed");
    let client = Client::new(&http, &format!("http://127.0.0.1:{port}"), None, Vec::new(), None);
    let (epoch, zero) = (Instant::now(), clock());
    let stop = AtomicBool::new(false);
    let mut late: Vec<u64> = watched(&stop, |under_way| {
        let one = || {
            let answer = client.ask_beside(under_way, &request(EVENTS), Instant::now() + PATIENCE, &stop);
            let answer = of(answer).unwrap();
            let sent = zero + (answer.sent.unwrap() - epoch).as_nanos() as u64;
            let written: Vec<u64> = answer.text.split_whitespace().map(|time| time.parse().unwrap()).collect();
            let read = answer.token_times_ns().unwrap().clone();
            read.iter().zip(written).map(|(read, written)| (sent + read).saturating_sub(written)).collect::<Vec<u64>>()
        };
        thread::scope(|scope| {
            let streams: Vec<_> = (0..STREAMS).map(|_| scope.spawn(one)).collect();
            streams.into_iter().flat_map(|stream| stream.join().unwrap()).collect()
        })
    });
    assert_eq!(late.len(), (STREAMS * EVENTS) as usize);
    late.sort_unstable();
    let [median, p99] = [0.5, 0.99].map(|share| late[(share * (late.len() - 1) as f64) as usize] / 1000);
    println!("{STREAMS} streams, us after the write: median {median}, p99 {p99}");
    // Other programs share the machine.
    assert!(median < 20_000, "{median} us");
}

fn clock() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}
