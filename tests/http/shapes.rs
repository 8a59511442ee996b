//! Streams as servers send them.

use super::*;

fn answer(parts: &'static [&'static str], keys: &str, path: &'static str) -> Answer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let asked = read_request(&mut stream);
        for part in parts {
            write(&mut stream, part);
            thread::sleep(Duration::from_millis(20));
        }
        asked
    });
    let http = http(port, keys);
    let answer = ask(&http, port, PATIENCE).unwrap();
    let asked = server.join().unwrap();
    assert!(asked.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{asked}");
    let head = asked.to_ascii_lowercase();
    assert!(head.contains("accept-encoding: identity") && !head.contains("authorization"), "{asked}");
    answer
}

/// llama-server: chunked, usage and timings in one event with a choice, the last chunk in two writes.
#[test]
fn llama_server_s_stream() {
    let parts = &[
        "HTTP/1.1 200 OK\r\nServer: llama.cpp\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        "51\r\ndata: {\"index\":0,\"choices\":[{\"text\":\" a\",\"index\":0,\"finish_reason\":null}]}\n\n\n\r\n",
        "50\r\ndata: {\"index\":0,\"choices\":[{\"text\":\"b\",\"index\":0,\"finish_reason\":null}]}\n\n\n\r\n",
        "50\r\ndata: {\"index\":0,\"choices\":[{\"text\":\"c\",\"index\":0,\"finish_reason\":null}]}\n\n\n\r\n",
        "12d\r\ndata: {\"choices\":[{\"text\":\"\",\"index\":0,\"finish_reason\":\"length\"}],\"system_fingerprint\":\"b1-x\",\"usage\":{\"completion_tokens\":3,\"prompt_tokens\":9,\"prompt_tokens_details\":{\"cached_tokens\":0}},\"timings\":{\"cache_n\":0,\"prompt_n\":9,\"prompt_ms\":4.5,\"predicted_n\":3,\"predicted_ms\":2.5,\"predicted_per_second\":800.0}}\n\n\n\r\n",
        "0\r\n",
        "\r\n",
    ];
    let mut parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
    // Lengths by count, so that a letter more in a line above is no puzzle; the mark of the end in a chunk of its own.
    for part in &mut parts[1..5] {
        let body = part.split_once("\r\n").unwrap().1.trim_end_matches("\r\n").to_owned();
        *part = format!("{:x}\r\n{body}\r\n", body.len());
    }
    parts.insert(5, "e\r\ndata: [DONE]\n\n\r\n".to_owned());
    let parts: &'static [&'static str] = Vec::leak(parts.into_iter().map(|part| &*part.leak()).collect());
    let answer = answer(parts, "cache: \"off\"", "/v1/completions");
    assert_eq!((answer.text.as_str(), answer.n_gen, answer.n_prompt), (" abc", Some(3), Some(9)));
    assert_eq!((answer.cached_tokens, answer.fingerprint.as_deref()), (Some(0), Some("b1-x")));
    assert_eq!(
        answer.server.keys().collect::<Vec<_>>(),
        ["cache_n", "predicted_ms", "predicted_n", "prompt_ms", "prompt_n"]
    );
    let times = answer.token_times_ns().unwrap();
    assert!(
        times.len() == 3
            && times.is_sorted()
            && Some(times[2]) <= answer.finish_ns
            && answer.finish_ns <= answer.done_ns
    );
    assert!(times[1] - times[0] > 10_000_000, "each read has its own time: {times:?}");
}

/// mlx_lm.server: HTTP/1.0, comments while it reads the prompt, a usage event without a choice, ends by closing.
#[test]
fn mlx_lm_server_s_stream() {
    let parts = &[
        "HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6\r\nContent-type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n",
        ": keepalive 4/9\n\n",
        "data: {\"choices\":[{\"index\":0,\"text\":\"a\",\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"index\":0,\"text\":\"bc\",\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"text\":\"\",\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"object\":\"chat.completion\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":0}}}\n\n",
        "data: [DONE]\n\n",
    ];
    let answer = answer(parts, "cache: \"off\"", "/v1/completions");
    assert_eq!((answer.n_gen, answer.chunk_times_ns.len()), (Some(3), 2));
    assert_eq!(answer.chunk_times_ns[0], answer.chunk_times_ns[1], "events of one read share its time");
    assert_eq!(
        (answer.token_times_ns(), &answer.chunk_tokens, answer.ids.as_ref()),
        (None, &None, None),
        "nothing is made up"
    );
}

/// A chat: the first chunk has a role and no text, thoughts come before words.
#[test]
fn a_chat_s_stream() {
    let parts = &[
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}]}\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"},\"finish_reason\":null}]}\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"length\"}]}\r\n\r\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\r\n\r\ndata: [DONE]\r\n\r\n",
    ];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        parts.iter().for_each(|part| write(&mut stream, part));
    });
    let mut http = http(port, "cache: allowed");
    http.api = offprint::study::Api::OpenaiChat;
    let answer = ask(&http, port, PATIENCE).unwrap();
    assert_eq!((answer.text.as_str(), answer.chunk_times_ns.len(), answer.cached_tokens), ("hmab", 3, None));
}

/// A mark of the byte order before everything, a media type in capitals, thoughts under both of their names, and a reason said twice.
#[test]
fn what_changes_nothing_is_taken() {
    let parts = &[
        "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream\r\nConnection: close\r\n\r\n",
        "\u{feff}data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\",\"reasoning\":\"hm\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n",
    ];
    let port = one(move |stream| {
        for part in parts {
            write(stream, part);
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut http = http(port, "cache: allowed");
    http.api = offprint::study::Api::OpenaiChat;
    let answer = ask(&http, port, PATIENCE).unwrap();
    assert_eq!((answer.text.as_str(), answer.n_gen), ("hmab", Some(3)));
    let since = answer.done_ns.unwrap() - answer.finish_ns.unwrap();
    assert!(since > 10_000_000, "it ended when it said so first: {answer:?}");
}

/// Tokens of each chunk by a running count.
#[test]
fn a_running_count_is_taken_apart() {
    let chunk = |text: &str, n: u32| {
        format!(
            "data: {{\"choices\":[{{\"text\":\"{text}\"}}],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":{n}}}}}\n\n"
        )
    };
    let text = format!("{HEAD}{}{}{}", chunk("a", 1), chunk("bc", 3), end(3));
    let port = one(move |stream| write(stream, &text));
    let answer = ask(&http(port, ""), port, PATIENCE).unwrap();
    assert_eq!((answer.chunk_tokens, answer.n_gen), (Some(vec![1, 2]), Some(3)));
}

/// vLLM with `return_token_ids`: ids of each chunk, several at once.
#[test]
fn ids_in_the_stream_are_counted() {
    let parts = &[
        HEAD,
        "data: {\"choices\":[{\"text\":\"ab\",\"token_ids\":[5,6],\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"text\":\"c\",\"token_ids\":[7],\"finish_reason\":\"length\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n",
    ];
    let answer = answer(parts, "cache: allowed, tokens: ids", "/v1/completions");
    assert_eq!(
        (answer.n_gen, answer.chunk_tokens.clone(), answer.ids.clone()),
        (Some(3), Some(vec![2, 1]), Some(vec![5, 6, 7]))
    );
    assert_eq!(answer.token_times_ns(), None);
}

/// Ollama: a JSON object a line, all counts in the last.
#[test]
fn ollama_s_stream() {
    let parts = &[
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n",
        "{\"model\":\"m\",\"response\":\"a\",\"done\":false}\n{\"model\":\"m\",\"response\":\"b\",\"done\":false}\n",
        "{\"model\":\"m\",\"response\":\"c\",\"done\":false}\n",
        "{\"model\":\"m\",\"response\":\"\",\"done\":true,\"done_reason\":\"length\",\"total_duration\":9,\"load_duration\":1,\"prompt_eval_count\":9,\"prompt_eval_duration\":3,\"eval_count\":3,\"eval_duration\":5}\n",
    ];
    let answer = answer(parts, "api: ollama-generate, cache: unknown", "/api/generate");
    assert_eq!((answer.n_gen, answer.n_prompt, answer.text.as_str()), (Some(3), Some(9), "abc"));
    assert_eq!(answer.server["eval_duration_ns"], 5.0);
    assert!(answer.token_times_ns().is_some());
}

/// A letter's bytes may be torn apart by the network.
#[test]
fn letters_that_are_cut_are_put_together() {
    let text = format!("{HEAD}{}{}{}{}", token("😀"), token("न"), token("你"), end(3));
    let port = one(move |stream| {
        for byte in text.as_bytes() {
            let _ = stream.write_all(&[*byte]);
        }
    });
    let answer = ask(&http(port, ""), port, PATIENCE).unwrap();
    assert_eq!(answer.text, "😀न你");
}
