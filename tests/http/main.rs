//! Servers of every kind of misfortune, over real sockets: what the client makes of each. The servers here are ours and stand for
//! nobody's; the shapes of streams are those that llama-server, mlx_lm.server, Ollama and vLLM send. The real ones are in `real`.
#![cfg(feature = "http")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::result_large_err
)]

#[path = "../oracles/load.rs"]
mod agree;
mod bad_ends;
mod load;
mod real;
mod server;
mod shapes;
mod stamps;

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use offprint::{
    engine::{
        Prompt, Request, Sampling,
        http::{Answer, Client, Failure},
    },
    study::{Engine, Http, Study},
};

/// What a study says of a server that is at work at this port.
fn http(port: u16, keys: &str) -> Http {
    let keys = if keys.is_empty() { String::new() } else { format!(", {keys}") };
    let text = format!(
        "models: [{{id: a, name: A, engine: {{name: s, http: {{url: \"http://127.0.0.1:{port}\", length: ignore_eos{keys}}}}}}}]\nprompts: [p]\nbenchmark_settings: {{max_tokens: [3], temperatures: [0], num_runs: 1}}\n"
    );
    match Study::from_str("s.yaml", &text).unwrap().models.remove(0).engine {
        Engine::Http(http) => *http,
        other => panic!("{other}"),
    }
}

fn request(max_tokens: u32) -> Request {
    Request {
        prompt: Prompt::Text("p".to_owned()),
        context: 0,
        batch: 1,
        chat_template: None,
        max_tokens,
        sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
        seed: 1,
        stop_on_eos: false,
        draft: None,
    }
}

/// Answers one request by `reply` and is gone.
fn one(reply: impl FnOnce(&mut TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        reply(&mut stream);
    });
    port
}

/// The request's head and body.
fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let n = stream.read(&mut buffer).unwrap();
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
            let whole =
                length.map_or(!chunked || body.ends_with("0\r\n\r\n"), |n| body.len() >= n.trim().parse().unwrap());
            if whole || n == 0 {
                return text;
            }
        }
        if n == 0 {
            return text;
        }
    }
}

fn ask(http: &Http, port: u16, patience: Duration) -> Result<Answer, (String, Answer)> {
    let client = Client::new(http, &format!("http://127.0.0.1:{port}"), Some("m".to_owned()), Vec::new(), None);
    of(client.ask(&request(3), Instant::now() + patience, &AtomicBool::new(false)))
}

fn of(outcome: Result<Answer, Failure>) -> Result<Answer, (String, Answer)> {
    outcome.map_err(|failure| match failure {
        Failure::Failed { reason, answer } => (reason, *answer),
        Failure::Stopped => panic!("nobody stopped it"),
    })
}

const PATIENCE: Duration = Duration::from_secs(20);
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// An event with a token of text.
fn token(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"text\":\"{text}\",\"finish_reason\":null}}]}}\n\n")
}

/// The last events of a whole stream of so many tokens.
fn end(n: u32) -> String {
    format!(
        "data: {{\"choices\":[{{\"text\":\"\",\"finish_reason\":\"length\"}}],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{n},\"prompt_tokens_details\":{{\"cached_tokens\":0}}}}}}\n\ndata: [DONE]\n\n"
    )
}

fn write(stream: &mut TcpStream, text: &str) {
    // Who reads may have gone.
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
