//! The block `engine` of a model -> engines: defaults and presets filled in, every value judged.

use serde_json::{Map, Value};

use super::{
    Settings,
    demand::{Checked, above_zero, distinct, ensure, in_range, not_empty, one_line},
    engine::{Engine, EngineKind},
    file::{EngineEntry, Engines, ForeignEntry, HttpEntry, Opens},
    foreign::{Command, Http, Ready, Stop},
    preset::{Preset, Server},
    wire::{Api, Cache, Length, Seed, Signal, Tokens},
};
use crate::foreign::looks_secret;

/// A server that loads a large model from a slow disk.
const MOST_SECONDS: f64 = 3600.0;
/// Fields of a request that are the study's or the program's to say.
const OF_THE_STUDY: [&str; 25] = [
    "prompt",
    "messages",
    "model",
    "stream",
    "stream_options",
    "max_tokens",
    "max_completion_tokens",
    "n_predict",
    "num_predict",
    "min_tokens",
    "ignore_eos",
    "logit_bias",
    "stop",
    "temperature",
    "top_p",
    "min_p",
    "top_k",
    "seed",
    "n",
    "best_of",
    "echo",
    "raw",
    "enable_thinking",
    "reasoning_effort",
    "chat_template",
];
/// Headers of a request that are the program's.
const OF_THE_REQUEST: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "accept-encoding",
    "expect",
    "te",
    "upgrade",
];
/// What the argument of a program may stand for, beside itself.
const PLACES: [&str; 4] = ["{port}", "{gguf}", "{checkpoint}", "{offprint}"];

/// The engines of a model; `key` is that of its block. None where the file says none.
pub(super) fn check(key: &str, Engines { entries, listed }: Engines, settings: &Settings) -> Checked<Vec<Engine>> {
    if listed {
        not_empty(key, &entries, "list engines, e.g. [mlx, llama-cpp], or leave `engine` out for mlx")?;
    }
    let place = |j: usize| if listed { format!("{key}[{j}]") } else { key.to_owned() };
    let of = |(j, entry): (usize, EngineEntry)| {
        let engine = engine(&place(j), entry)?;
        fit(&place(j), &engine, settings)?;
        Ok(engine)
    };
    let engines: Vec<Engine> = entries.into_iter().enumerate().map(of).collect::<Checked<_>>()?;
    distinct(key, &engines, |engine| engine.name().to_owned(), "")?;
    Ok(engines)
}

fn engine(key: &str, entry: EngineEntry) -> Checked<Engine> {
    let entry = match entry {
        EngineEntry::Named(name) => {
            let kind = EngineKind::named(&name);
            let hint =
                "leave `engine` out for mlx; any other program or server is a mapping with name, and command or http";
            ensure(kind.is_some(), key, "mlx, llama-cpp or fake", &format!("{name:?}"), hint)?;
            return Ok(Engine::BuiltIn(kind.unwrap_or(EngineKind::Mlx)));
        }
        EngineEntry::Foreign(entry) => *entry,
    };
    let ForeignEntry { name, command, env, pass, opens, http } = entry;
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = name.len() <= 64 && name.split('-').all(|part| !part.is_empty() && part.chars().all(letter));
    let at = format!("{key}.name");
    let hint = "it stands in records and claim ids, e.g. vs.engine.llama-server.decode.ratio";
    ensure(fits, &at, "lower-case letters, digits and single hyphens, at most 64", &format!("{name:?}"), hint)?;
    let own = EngineKind::named(&name).is_some();
    ensure(!own, &at, "a name of its own", &format!("{name:?}, an engine of this program"), "e.g. mlx-stock")?;
    variables(key, &env, &pass)?;
    match (command, http) {
        (Some(command), None) => {
            argv(&format!("{key}.command"), &command, &["{offprint}"])?;
            not_empty(
                &format!("{key}.command"),
                &command,
                "name a program and its arguments, e.g. [python3, mine.py]",
            )?;
            Ok(Engine::Command(Box::new(Command { name, command, env, pass, gguf: opens == Some(Opens::Gguf) })))
        }
        (None, Some(http)) => {
            let hint = "`{gguf}` or `{checkpoint}` in `start` says what a server opens";
            ensure(opens.is_none(), &format!("{key}.opens"), "none with `http`", "one", hint)?;
            let of_server = server(&format!("{key}.http"), Http { name, env, pass, ..bare() }, http)?;
            Ok(Engine::Http(Box::new(of_server)))
        }
        (command, _) => {
            let found = if command.is_some() { "both" } else { "neither" };
            let hint = "`command` starts a program that speaks offprint.worker/1, `http` speaks to a server";
            ensure(false, key, "either `command` or `http`", found, hint)?;
            Ok(Engine::BuiltIn(EngineKind::Mlx))
        }
    }
}

/// Before anything is said of it.
fn bare() -> Http {
    Http {
        name: String::new(),
        server: None,
        api: Api::OpenaiCompletions,
        url: String::new(),
        model: None,
        start: Vec::new(),
        env: Default::default(),
        pass: Vec::new(),
        ready: Ready { path: "/health".to_owned(), within_s: 120.0 },
        stop: Stop { signal: Signal::Term, within_s: 10.0 },
        send: Default::default(),
        length: Length::AtMost,
        seed: Seed::Send,
        cache: Cache::Unknown,
        tokens: Tokens::Usage,
        key_from: None,
        headers: Default::default(),
        version: Vec::new(),
        remote: false,
    }
}

fn server(key: &str, named: Http, entry: HttpEntry) -> Checked<Http> {
    let at = |name: &str| format!("{key}.{name}");
    let preset = entry.server.map(Server::preset);
    let of_preset = |field: fn(&Preset) -> String| preset.as_ref().map(field);
    let mut http = named;
    if let Some(preset) = &preset {
        http.api = preset.api;
        (http.length, http.seed, http.cache, http.tokens) = (preset.length, preset.seed, preset.cache, preset.tokens);
        preset.ready.clone_into(&mut http.ready.path);
    }
    http.server = entry.server;
    http.api = entry.api.unwrap_or(http.api);
    let url = entry.url.or_else(|| of_preset(|preset| preset.url.to_owned()));
    http.url = url.unwrap_or_else(|| "http://127.0.0.1:{port}".to_owned());
    http.remote = entry.remote;
    address(key, &http.url, entry.remote, entry.key_from.is_some())?;
    argv(&at("start"), &entry.start, &PLACES)?;
    let port_of_ours = http.url.contains("{port}");
    let starts = !entry.start.is_empty();
    let hint = "a server that we start gets its port by `{port}` in `start`; one that runs already has a port in `url`";
    ensure(starts || !port_of_ours, &at("url"), "a port, since nothing is started", &http.url, hint)?;
    let hears = entry.start.iter().any(|argument| argument.contains("{port}"));
    ensure(!starts || !port_of_ours || hears, &at("start"), "`{port}` in an argument", "none", hint)?;
    let hint = "leave `start` out: a server on another machine is started there";
    ensure(!(starts && entry.remote), &at("start"), "nothing to start with `remote: true`", "a command", hint)?;
    http.start = entry.start;
    http.model = entry.model.map(|model| one_line(&at("model"), &model)).transpose()?;
    if let Some(ready) = entry.ready {
        http.ready.path = ready.path.unwrap_or(http.ready.path);
        http.ready.within_s = ready.within_s.unwrap_or(http.ready.within_s);
    }
    path(&at("ready.path"), &http.ready.path)?;
    above_zero(&at("ready.within_s"), &http.ready.within_s, MOST_SECONDS, "seconds until it must answer")?;
    if let Some(stop) = entry.stop {
        http.stop.signal = stop.signal.unwrap_or(http.stop.signal);
        http.stop.within_s = stop.within_s.unwrap_or(http.stop.within_s);
    }
    in_range(&at("stop.within_s"), &http.stop.within_s, &0.0, &MOST_SECONDS, "seconds until it is killed")?;
    http.send = match (entry.send, entry.server) {
        (Some(send), _) => send,
        (None, Some(server)) => server.send(),
        (None, None) => http.send,
    };
    sent(&at("send"), &http.send)?;
    http.length = entry.length.unwrap_or(http.length);
    http.seed = entry.seed.unwrap_or(http.seed);
    http.cache = entry.cache.unwrap_or(http.cache);
    http.tokens = entry.tokens.unwrap_or(http.tokens);
    let counted = http.api != Api::OllamaGenerate || http.tokens == Tokens::Usage;
    let hint = "leave `tokens` out: its last line counts them, and no line has ids";
    ensure(counted, &at("tokens"), "usage with the api ollama-generate", "ids", hint)?;
    if let Some(name) = &entry.key_from {
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let hint = "the name of the variable that holds the key, never the key";
        ensure(fits, &at("key_from"), "the name of a variable", "something else", hint)?;
    }
    http.key_from = entry.key_from;
    for (name, value) in &entry.headers {
        let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let fits = !name.is_empty() && name.chars().all(token) && !value.contains(char::is_control);
        ensure(
            fits,
            &at("headers"),
            "header names with values on one line",
            &format!("{name:?}"),
            "e.g. X-Queue: quiet",
        )?;
        let hint = "the program sends it: what it says decides how the request is read";
        let own = OF_THE_REQUEST.contains(&name.to_ascii_lowercase().as_str());
        ensure(!own, &at("headers"), "headers of your own", &format!("{name:?}"), hint)?;
        let hint = "headers are recorded; a key is named by `key_from`, the variable that holds it";
        let secret = looks_secret(name) || ["authorization", "cookie"].contains(&name.to_ascii_lowercase().as_str());
        ensure(!secret, &at("headers"), "headers that hold no secret", &format!("{name:?}"), hint)?;
    }
    http.headers = entry.headers;
    argv(&at("version"), &entry.version, &["{offprint}"])?;
    http.version = entry.version;
    Ok(http)
}

/// What is added to every request may not say otherwise what the study says, since rows have that.
fn sent(key: &str, send: &Map<String, Value>) -> Checked<()> {
    for (name, value) in send {
        let at = format!("{key}.{name}");
        let hint = "the study says it elsewhere, or the program does";
        ensure(!OF_THE_STUDY.contains(&name.as_str()), &at, "no such key", "one", hint)?;
        let hint = "what is sent is recorded; a key is named by `key_from`, the variable that holds it";
        let secret = looks_secret(name) && value.is_string() || name.eq_ignore_ascii_case("authorization");
        ensure(!secret, &at, "nothing secret", "a name that looks so", hint)?;
        // `options` of Ollama and the like.
        if let Value::Object(within) = value {
            sent(&at, within)?;
        }
    }
    Ok(())
}

/// A program and its arguments.
fn argv(key: &str, argv: &[String], places: &[&str]) -> Checked<()> {
    for (i, argument) in argv.iter().enumerate() {
        let key = format!("{key}[{i}]");
        let fits = !argument.contains('\0') && (i > 0 || !argument.trim().is_empty());
        ensure(
            fits,
            &key,
            "a program or an argument",
            &format!("{argument:?}"),
            "one entry each, no shell reads them",
        )?;
        let mut rest = argument.as_str();
        while let Some(start) = rest.find('{') {
            rest = &rest[start..];
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            let name = &rest[..end];
            // Braces of JSON are nobody's place.
            let is_place = name.len() > 2 && name[1..end - 1].chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let hint = "these stand for a free port, the model's files, and this program";
            ensure(!is_place || places.contains(&name), &key, &places.join(", "), &format!("`{name}`"), hint)?;
            rest = &rest[1..];
        }
    }
    Ok(())
}

fn variables(key: &str, env: &std::collections::BTreeMap<String, String>, pass: &[String]) -> Checked<()> {
    for (name, value) in env {
        let at = format!("{key}.env.{name}");
        let fits = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        ensure(fits, &at, "a variable with a value", &format!("{name:?}"), "e.g. OMP_NUM_THREADS: \"2\"")?;
        let hint = "values of `env` are recorded: export it in your shell, and list its name under `pass`";
        ensure(!looks_secret(name), &at, "a variable that holds no secret", &format!("{name:?}"), hint)?;
    }
    for (i, name) in pass.iter().enumerate() {
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let hint = "names only: the values are the shell's, and are not recorded";
        ensure(fits, &format!("{key}.pass[{i}]"), "the name of a variable", "something else", hint)?;
    }
    Ok(())
}

/// `http://127.0.0.1:{port}` and the like.
fn address(key: &str, url: &str, remote: bool, with_key: bool) -> Checked<()> {
    let at = format!("{key}.url");
    let form = "http://HOST:PORT or https://HOST:PORT, e.g. http://127.0.0.1:{port}";
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    // What may be a secret is not repeated.
    let shown = shown.rsplit_once('@').map_or_else(|| shown.to_owned(), |(_, host)| format!("…@{host}"));
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let hint = "a key is named by `key_from`; paths and queries are the program's";
    ensure(rest.is_some_and(|rest| !rest.contains(['@', '?', '#'])), &at, form, &shown, hint)?;
    let rest = rest.unwrap_or_default().trim_end_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]{}/_".contains(c);
    ensure(!rest.is_empty() && rest.chars().all(plain), &at, form, &shown, hint)?;
    let hint = "leave the path out: the program asks /v1/completions and the like, as `api` says";
    ensure(!rest.contains('/'), &at, form, &shown, hint)?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let fits = port.is_none_or(|port| port == "{port}" || port.parse::<u16>().is_ok_and(|port| port > 0));
    ensure(fits, &at, form, &shown, "a port is 1 to 65535, or `{port}`")?;
    let here = ["127.0.0.1", "localhost", "[::1]"].contains(&host);
    let hint = "say `remote: true` if another machine is meant; its name is not recorded";
    ensure(here || remote, &at, "this machine, 127.0.0.1", &format!("{host:?}"), hint)?;
    let hint = "use https://, or leave `key_from` out";
    ensure(here || !with_key || url.starts_with("https://"), &at, "https where a key is sent", "http", hint)
}

fn path(key: &str, path: &str) -> Checked<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    let fits = path.starts_with('/') && path.chars().all(plain);
    ensure(fits, key, "a path such as /health", &format!("{path:?}"), "it is asked until it answers with status 200")
}

/// What a server's interface cannot do of what the study's settings ask, and what it would do silently instead.
fn fit(key: &str, engine: &Engine, settings: &Settings) -> Checked<()> {
    let Some(http) = engine.http() else { return Ok(()) };
    let chat = "benchmark_settings.chat_template";
    if http.api == Api::OpenaiCompletions {
        let hint = "use api: openai-chat, whose server applies the template";
        ensure(!settings.chat_template, chat, "false with the api openai-completions", "true", hint)?;
    }
    let hint = "leave `date` out: no server can be told what day it is";
    let day = settings.told.date.map_or_else(|| "none".to_owned(), |day| day.to_string());
    ensure(
        settings.told.date.is_none(),
        "benchmark_settings.date",
        "none with an engine that is a server",
        &day,
        hint,
    )?;
    if http.api == Api::OpenaiChat {
        let hint = "say `chat_template: true`, or use api: openai-completions";
        ensure(settings.chat_template, chat, "true with the api openai-chat", "false", hint)?;
    }
    let hint = "say `stop_on_eos: true`: lengths are then bounds; or use a server that can ignore the end of a text";
    let exact = settings.stop_on_eos || http.length != Length::AtMost;
    let found = "`at_most` in a study of exact lengths";
    ensure(exact, &format!("{key}.http.length"), "ignore_eos, logit_bias or min_tokens", found, hint)
}
