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
            "text after the reason for the end",
            with(&[a.clone(), end(3).replace("data: [DONE]\n\n", ""), b.clone(), c.clone(), "data: [DONE]\n\n".into()]),
            "stream: text after finish_reason",
        ),
        ("text after the mark", with(&[a.clone(), b.clone(), end(3), c.clone()]), "stream: text after finish_reason"),
        (
            "text after a mark without a reason",
            with(&[a.clone(), "data: [DONE]\n\n".into(), b.clone(), end(3)]),
            "stream: text after its last mark",
        ),
        (
            "two reasons",
            with(&[a.clone(), b.clone(), c.clone(), end(3), end(3).replace("\"length\"", "\"stop\"")]),
            "stream: two reasons for its end",
        ),
        (
            "the end of a text where there is none",
            with(&[a.clone(), b.clone(), c.clone(), end(3).replace("\"length\"", "\"stop\"")]),
            "length: 3 of 3 tokens, and the reason \"stop\"",
        ),
        (
            "a choice that nobody asked for",
            with(&[a.clone(), token("b").replace("{\"text\"", "{\"index\":1,\"text\""), c.clone(), end(3)]),
            "stream: a choice of index 1, and one was asked for",
        ),
        (
            "two choices",
            with(&[token("a").replace("}]", "},{\"index\":0,\"text\":\"x\"}]"), b.clone(), c.clone(), end(3)]),
            "stream: 2 choices in an event, and one was asked for",
        ),
        (
            "a running count that has all at once",
            with(&[counted("a", 3), counted("b", 3), counted("c", 3), end(3)]),
            "count: no token in chunk 2, which has text",
        ),
        (
            "a running count that falls",
            with(&[counted("a", 2), counted("b", 1), end(3)]),
            "count: 1 tokens after 1 chunks, and 2 before",
        ),
        (
            "ids that are more than the tokens",
            with(&[with_ids("a", "[1,2]"), with_ids("b", "[3,4]"), with_ids("c", "[5,6]"), end(3)]),
            "count: 6 ids came, and the server counts 3 tokens",
        ),
        ("ids that are none", with(&[with_ids("a", "[-1]"), end(3)]), "count: after 0 chunks token_ids that are none"),
        (
            "a prompt of no tokens",
            with(&[a.clone(), b.clone(), c.clone(), end(3).replace("\"prompt_tokens\":5", "\"prompt_tokens\":0")]),
            "count: 0 tokens of the prompt",
        ),
        (
            "more names than a row needs",
            with(&[
                a.clone(),
                format!(
                    "data: {{\"choices\":[],\"timings\":{{{}}}}}\n\n",
                    (0..257).map(|n| format!("\"n{n}\":1")).collect::<Vec<_>>().join(",")
                ),
            ]),
            "stream: 257 names in its timings",
        ),
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
        (
            "a reason that is cut",
            vec!["HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\nContent-Length: 999\r\n\r\nno memory".into()],
            "status 500: no memory (cut off: ",
        ),
        (
            "a body that says it is compressed",
            with(&[a.clone(), b.clone(), c.clone(), end(3)])
                .into_iter()
                .map(|part| part.replace("Connection", "Content-Encoding: gzip\r\nConnection"))
                .collect(),
            "content: gzip",
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

fn counted(text: &str, n: u32) -> String {
    token(text).replace("}]}", &format!("}}],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{n}}}}}"))
}

fn with_ids(text: &str, ids: &str) -> String {
    token(text).replace("{\"text\"", &format!("{{\"token_ids\":{ids},\"text\""))
}

/// A context that is full gives fewer tokens, and says `length` as one that has them all.
#[test]
fn a_bound_that_was_not_reached_is_no_length() {
    let text = |reason: &str| format!("{HEAD}{}{}{}", token("a"), token("b"), end(2).replace("length", reason));
    let of = |reason: &str| {
        let text = text(reason);
        let port = one(move |stream| write(stream, &text));
        let client = Client::new(&http(port, ""), &format!("http://127.0.0.1:{port}"), None, Vec::new(), None);
        let request = Request { stop_on_eos: true, ..request(3) };
        of(client.ask(&request, Instant::now() + PATIENCE, &AtomicBool::new(false))).map_err(|(reason, _)| reason)
    };
    assert_eq!(of("length").unwrap_err(), "length: 2 of 3 tokens");
    assert_eq!(of("stop").unwrap().n_gen, Some(2));
}

/// ureq unpacks what it can and says nothing of it.
#[test]
fn a_body_that_is_compressed_is_no_answer() {
    // "data: x\n\n", by gzip.
    const PACKED: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff, 0x4b, 0x49, 0x2c, 0x49, 0xb4, 0x52, 0xa8, 0xe0, 0xe2, 2, 0, 0x81, 0x7b,
        0x33, 0x2b, 9, 0, 0, 0,
    ];
    let port = one(|stream| {
        write(stream, &HEAD.replace("Connection", "content-encoding: GZip\r\nConnection"));
        let _ = stream.write_all(PACKED);
    });
    let (reason, _) = ask(&http(port, ""), port, PATIENCE).unwrap_err();
    assert_eq!(reason, "content: gzip");
}

#[test]
fn bytes_that_are_no_text_are_no_answer() {
    let port = one(|stream| {
        write(stream, &format!("{HEAD}{}", token("a")));
        let bytes: Vec<u8> = token("?").bytes().map(|byte| if byte == b'?' { 0xf0 } else { byte }).collect();
        let _ = stream.write_all(&bytes);
        write(stream, &end(3));
    });
    let (reason, _) = ask(&http(port, ""), port, PATIENCE).unwrap_err();
    assert_eq!(reason, "stream: bytes that are no UTF-8 after 1 chunks");
}

#[test]
fn a_text_has_an_end() {
    let port = one(|stream| {
        write(stream, HEAD);
        let piece = token(&"x".repeat(1 << 19));
        (0..9).for_each(|_| write(stream, &piece));
    });
    let (reason, answer) = ask(&http(port, ""), port, PATIENCE).unwrap_err();
    assert_eq!(reason, "stream: a text of more than 4194304 bytes after 8 chunks");
    assert_eq!(answer.text.len(), 4 << 20);
}

/// Else the time of one that was refused would be missing wherever requests under way are counted.
#[test]
fn what_is_refused_or_lost_was_under_way_until_then() {
    type Reply = fn(&mut TcpStream);
    let cases: [(&str, Reply); 3] = [
        ("refused", |stream| {
            write(stream, "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\n");
            thread::sleep(Duration::from_millis(60));
            write(stream, "busy");
        }),
        ("a page", |stream| {
            thread::sleep(Duration::from_millis(60));
            write(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n");
        }),
        ("no answer", |_| thread::sleep(Duration::from_millis(60))),
    ];
    for (name, reply) in cases {
        let port = one(reply);
        let (_, answer) = ask(&http(port, ""), port, PATIENCE).expect_err(name);
        assert!(answer.done_ns > Some(50_000_000) && answer.done_ns >= answer.headers_ns, "{name}: {answer:?}");
    }
}

#[test]
fn a_reason_without_an_end_is_told_as_far_as_it_came() {
    let port = one(|stream| {
        write(stream, "HTTP/1.1 500 Oops\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nno memory: ");
        while stream.write_all(&[b'x'; 1 << 14]).is_ok() {}
    });
    let (reason, _) = ask(&http(port, ""), port, PATIENCE).unwrap_err();
    assert!(reason.starts_with("status 500: no memory: xxx"), "{reason}");
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
