//! How punctual the client of a load is: a server of this program answers with tokens at known times, and the binary loads it.
//!
//! `cargo run --release --example load_client -- target/release/offprint` prints a line each for open loops at 5, 50 and 200 requests a
//! second (how late requests were sent) and for closed loops of 16, 64 and 256 streams (how far apart chunks were that were written 20 ms
//! apart) and the longest that the machine kept a sleeping thread of it from waking. The
//! server shares the machine, and its own sleeping is in the distances of chunks. Nothing of it measures a language model.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)] // a program for developers

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::Duration,
};

use offprint::{record::Phase, store::Run};

const TOKENS: usize = 16;
const APART: Duration = Duration::from_millis(20);

fn main() {
    let program = fs::canonicalize(env::args().nth(1).expect("the binary")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::Builder::new().stack_size(128 << 10).spawn(|| answer(stream)).unwrap();
        }
    });
    for rate in [5, 50, 200] {
        let run = load(&program, port, &format!("per_second: [{rate}]"), 4 * rate.max(25));
        let late = run.requests().map(|request| request.sent_ns - request.due_ns).collect();
        println!("{rate:3} a second, us late: {}, stall {} us", quantiles(late), run.stall_us());
    }
    for streams in [16, 64, 256] {
        let run = load(&program, port, &format!("at_once: [{streams}]"), 4 * streams);
        let chunks = |request: &offprint::record::RequestRecord| request.steps_ns[1..].to_vec();
        let off = run.requests().flat_map(chunks).map(|step| step.abs_diff(APART.as_nanos() as u64)).collect();
        println!(
            "{streams:3} streams, us off {} ms: {}, stall {} us",
            APART.as_millis(),
            quantiles(off),
            run.stall_us()
        );
    }
}

struct Loaded(Run);

impl Loaded {
    fn requests(&self) -> impl Iterator<Item = &offprint::record::RequestRecord> {
        self.0.records.iter().filter(|row| row.phase == Phase::Measured).flat_map(|row| &row.requests)
    }

    fn stall_us(&self) -> u64 {
        self.0.records.iter().filter_map(|row| row.client_stall_ns).max().unwrap_or_default() / 1000
    }
}

fn load(program: &Path, port: u16, factor: &str, requests: u32) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let study = format!(
        "models: [{{id: f, name: F, engine: {{name: s, http: {{url: \"http://127.0.0.1:{port}\", length: ignore_eos, cache: allowed}}}}}}]\n\
         prompts: [p]\nfactors: {{{factor}}}\nload: {{requests: {requests}, ramp: 0}}\n\
         benchmark_settings: {{max_tokens: [{TOKENS}], temperatures: [0], num_runs: 1}}\n"
    );
    fs::write(folder.path().join("study.yaml"), study).unwrap();
    let output = Command::new(program).args(["run", "study.yaml"]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Loaded(Run::open(&folder.path().join(String::from_utf8_lossy(&output.stdout).trim())).unwrap())
}

fn quantiles(mut values: Vec<u64>) -> String {
    values.sort_unstable();
    let at = |share: f64| values[(share * (values.len() - 1) as f64) as usize] / 1000;
    format!("median {}, p99 {}, p99.9 {}, most {} (of {})", at(0.5), at(0.99), at(0.999), at(1.0), values.len())
}

/// A request of any kind: the paths that are asked before the first run, or tokens at their times.
fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !whole(&request) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(n) => request.extend_from_slice(&buffer[..n]),
        }
    }
    stream.set_nodelay(true).unwrap();
    let mut write = |text: &str| stream.write_all(text.as_bytes()).is_ok();
    if request.starts_with(b"GET") {
        write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
        return;
    }
    let asked = String::from_utf8_lossy(&request);
    let n: usize =
        asked.split("\"max_tokens\":").nth(1).and_then(|rest| rest.split([',', '}']).next()).unwrap().parse().unwrap();
    write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
    for _ in 0..n {
        thread::sleep(APART);
        if !write("data: {\"choices\":[{\"text\":\" w\",\"finish_reason\":null}]}\n\n") {
            return;
        }
    }
    write(&format!(
        "data: {{\"choices\":[{{\"text\":\"\",\"finish_reason\":\"length\"}}],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":{n}}}}}\n\ndata: [DONE]\n\n"
    ));
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
