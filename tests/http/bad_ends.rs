//! Every way in which an answer can fail to be one.

use std::{fmt::Write as _, time::Instant};

use super::*;

/// What a server sends to one request, and how the failure is told.
type Case = (&'static str, Vec<String>, &'static str);

fn cases() -> Vec<Case> {
    let head = HEAD.to_owned();
    let with = |parts: &[String]| [vec![head.clone()], parts.to_vec()].concat();
    let status = |status: &str, kind: &str, body: &str| {
        vec![format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )]
    };
    let (a, b, c) = (token("a"), token("b"), token("c"));
    let usage = |tokens: &str| {
        format!("data: {{\"choices\":[{{\"text\":\"\",\"finish_reason\":\"length\"}}]{tokens}}}\n\ndata: [DONE]\n\n")
    };
    vec![
        ("an empty body", with(&[]), "stream: it ended without finish_reason after 0 chunks"),
        (
            "done without a reason",
            with(&[a.clone(), "data: [DONE]\n\n".into()]),
            "stream: it ended without finish_reason after 1 chunks",
        ),
        (
            "a clean end in the middle",
            with(&[a.clone(), b.clone()]),
            "stream: it ended without finish_reason after 2 chunks",
        ),
        (
            "a reason without the mark",
            with(&[a.clone(), b.clone(), c.clone(), end(3).replace("data: [DONE]\n\n", "")]),
            "stream: it ended without its last mark after 3 chunks",
        ),
        ("a context that is full", with(&[a.clone(), b.clone(), end(2)]), "length: 2 of 3 tokens"),
        (
            "more than was asked for",
            with(&[a.clone(), b.clone(), c.clone(), token("d"), end(4)]),
            "length: 4 of 3 tokens",
        ),
        (
            "an error inside of a stream",
            with(&[
                a.clone(),
                "data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\"}}\n\n".into(),
            ]),
            "stream: error event after 1 chunks: out of memory",
        ),
        (
            "an event named error",
            with(&[a.clone(), "event: error\ndata: {\"message\":\"gone\"}\n\n".into()]),
            "stream: error event after 1 chunks: gone",
        ),
        (
            "an event that is no JSON",
            with(&[a.clone(), "data: oops\n\n".into()]),
            "stream: after 1 chunks an event that is no JSON: \"oops\"",
        ),
        (
            "JSON without an end to its depth",
            with(&[format!("data: {}\n\n", "[".repeat(100_000))]),
            "stream: after 0 chunks an event that is no JSON",
        ),
        (
            "another reason",
            with(&[a.clone(), "data: {\"choices\":[{\"text\":\"\",\"finish_reason\":\"content_filter\"}]}\n\n".into()]),
            "stream: it ended for the reason \"content_filter\" after 1 chunks",
        ),
        (
            "nobody counts",
            with(&[a.clone(), b.clone(), c.clone(), usage("")]),
            "count: nobody has counted the tokens of 3 chunks",
        ),
        (
            "fewer tokens than chunks",
            with(&[a.clone(), b.clone(), c.clone(), token("d"), end(3)]),
            "count: 3 tokens in 4 chunks",
        ),
        ("tokens without text", with(&[end(3)]), "stream: 3 tokens and no text"),
        (
            "a prompt from the cache",
            with(&[a.clone(), b.clone(), c.clone(), end(3).replace("\"cached_tokens\":0", "\"cached_tokens\":4")]),
            "cache: 4 of 5 prompt tokens were cached",
        ),
        (
            "a cache that nobody speaks of",
            with(&[a.clone(), b.clone(), c.clone(), usage(",\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}")]),
            "cache: the server does not say whether it was off",
        ),
        (
            "a request that it refuses",
            status(
                "400 Bad Request",
                "application/json",
                "{\"error\":{\"message\":\"too long\",\"type\":\"exceed_context_size_error\"}}",
            ),
            "status 400 exceed_context_size_error: too long",
        ),
        (
            "an error page",
            status("500 Internal Server Error", "text/html", "<h1>oops</h1>"),
            "status 500: <h1>oops</h1>",
        ),
        (
            "too many requests",
            status("429 Too Many Requests", "application/json", "{\"error\":\"busy\"}"),
            "status 429: busy",
        ),
        (
            "still loading",
            status(
                "503 Service Unavailable",
                "application/json",
                "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\"}}",
            ),
            "status 503 unavailable_error: Loading model",
        ),
        (
            "a redirect",
            vec![
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".into(),
            ],
            "redirect: status 307, which is not followed",
        ),
        (
            "a page",
            status("200 OK", "text/html", "<p>hello</p>"),
            "content: expected text/event-stream, found \"text/html\"",
        ),
        (
            "a body that is cut, by its chunks",
            vec![
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
                format!("{:x}\r\n{a}\r\n", a.len()),
            ],
            "stream: cut off after 1 chunks: ",
        ),
        (
            "a body that is cut, by its length",
            vec![format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n{a}")],
            "stream: cut off after 1 chunks: ",
        ),
        ("no answer at all", vec![], "connect: "),
        ("no HTTP", vec!["SSH-2.0-OpenSSH_9.2\r\n".into()], "connect: "),
        (
            "letters that a terminal would obey",
            status(
                "400 Bad Request",
                "application/json",
                "{\"error\":{\"message\":\"\\u001b[2J\\u001b]0;owned\\u0007 \\u202e\"}}",
            ),
            "status 400:  [2J ]0;owned",
        ),
    ]
}

#[test]
fn every_bad_end_is_a_failure_that_says_where() {
    for (name, parts, expected) in cases() {
        let port = one(move |stream| {
            for part in &parts {
                write(stream, part);
            }
        });
        let keys = "cache: \"off\"";
        let (reason, _) = ask(&http(port, keys), port, PATIENCE).expect_err(name);
        assert!(reason.starts_with(expected), "{name}: {reason}");
        assert!(!reason.contains(|c: char| c.is_control()), "{name}: {reason:?}");
    }
}

#[test]
fn what_had_come_before_a_failure_is_kept() {
    let port = one(|stream| {
        write(stream, &format!("{HEAD}{}{}", token("a"), token("b")));
    });
    let (_, answer) = ask(&http(port, ""), port, PATIENCE).unwrap_err();
    assert_eq!((answer.text.as_str(), answer.chunk_times_ns.len()), ("ab", 2));
    assert!(answer.connect_ns.is_some() && answer.headers_ns.is_some() && answer.done_ns >= answer.headers_ns);
    assert_eq!(answer.finish, Some(offprint::record::FinishReason::Cut));
}

#[test]
fn nobody_there_and_a_stopped_request_are_told_apart() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let (reason, answer) = ask(&http(port, ""), port, PATIENCE).unwrap_err();
    assert!(reason.starts_with("connect: "), "{reason}");
    assert_eq!(answer, Answer::default());
}

/// Memory and time are bounded, whatever comes.
#[test]
fn bodies_and_lines_without_an_end_are_cut() {
    for (what, piece) in
        [("a line of more than", "x".repeat(1 << 16)), ("more than 67108864 bytes", ":\n".repeat(1 << 15))]
    {
        let port = one(move |stream| {
            write(stream, HEAD);
            while stream.write_all(piece.as_bytes()).is_ok() {}
        });
        let (reason, _) = ask(&http(port, ""), port, PATIENCE).unwrap_err();
        assert!(reason.starts_with("stream: ") && reason.contains(what), "{reason}");
    }
}

#[test]
fn who_drips_or_hangs_is_left_at_the_deadline() {
    type Reply = fn(&mut TcpStream);
    let cases: [(&str, Reply); 3] = [
        ("drips", |stream| {
            write(stream, HEAD);
            for _ in 0..400 {
                write(stream, ": still here\n\n");
                thread::sleep(Duration::from_millis(50));
            }
        }),
        ("hangs before its head", |_| thread::sleep(Duration::from_secs(20))),
        ("hangs in the middle", |stream| {
            write(stream, &format!("{HEAD}{}", token("a")));
            thread::sleep(Duration::from_secs(20));
        }),
    ];
    for (name, reply) in cases {
        let port = one(reply);
        let began = Instant::now();
        let (reason, _) = ask(&http(port, ""), port, Duration::from_secs(1)).expect_err(name);
        assert!(reason.starts_with("timeout: "), "{name}: {reason}");
        assert!(began.elapsed() < Duration::from_secs(15), "{name}: {:?}", began.elapsed());
    }
}

#[test]
fn a_request_that_is_stopped_does_not_wait_for_the_next_event() {
    let port = one(|_| thread::sleep(Duration::from_secs(30)));
    let http = http(port, "");
    let client = Client::new(&http, &format!("http://127.0.0.1:{port}"), None, Vec::new(), None);
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(300));
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        let outcome = client.ask(&request(3), Instant::now() + Duration::from_secs(25), &stop);
        assert!(matches!(outcome, Err(Failure::Stopped)));
    });
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// A server that repeats the key in its error would have it recorded.
#[test]
fn a_key_is_in_no_text() {
    let key = "sk-very-secret-1234";
    let port = one(move |stream| {
        let body = format!("{{\"error\":{{\"message\":\"Incorrect API key provided: {key}\"}}}}");
        let mut head = String::new();
        write!(
            head,
            "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        super::write(stream, &(head + &body));
    });
    let http = http(port, "");
    let client = Client::new(&http, &format!("http://127.0.0.1:{port}"), None, Vec::new(), Some(key.to_owned()));
    let (reason, answer) = of(client.ask(&request(3), Instant::now() + PATIENCE, &AtomicBool::new(false))).unwrap_err();
    assert!(reason.starts_with("status 401: Incorrect API key provided: (a secret)"), "{reason}");
    assert!(!format!("{answer:?}{reason}").contains(key));
}
