//! A study that names presets -> the same text with what they stand for written into it: who reads a run folder sees what was sent, and a
//! later version of the table changes nothing of it.

use serde_yaml::Value;

use super::{Http, Problem, Study, locate};

/// The text with every preset's keys that it does not give itself, each beside the preset's name.
///
/// # Errors
/// A preset that is named in a way that its place in the text is not found.
pub fn written_out(text: &str, study: &Study) -> Result<String, Problem> {
    let mut copy = text.to_owned();
    let servers: Vec<&Http> = study.models.iter().filter_map(|model| model.engine.http()).collect();
    for http in servers.iter().filter(|http| http.server.is_some()) {
        // Found again each time: what was written before has moved it.
        let given = blocks(&copy).into_iter().find(|(_, block)| block.name == http.name);
        if let Some((key, block)) = given {
            copy = with_keys(&copy, &format!("{key}.http.server"), &missing(http, &block.keys)).unwrap_or(copy);
        }
    }
    match Study::from_str("", &copy) {
        Ok(found) if found == *study => Ok(copy),
        _ => Err(Problem {
            key: "models".to_owned(),
            what: "`server` is written so that what it stands for cannot be put beside it".to_owned(),
            hint: "write it plainly on its own line: server: llama-server".to_owned(),
        }),
    }
}

/// What a text says of a server.
struct Block {
    name: String,
    keys: Vec<String>,
}

/// Every engine with `http`, by its key.
fn blocks(text: &str) -> Vec<(String, Block)> {
    let Ok(file) = serde_yaml::from_str::<Value>(text) else { return Vec::new() };
    let models = file.get("models").and_then(Value::as_sequence).into_iter().flatten().enumerate();
    let engines = models.flat_map(|(i, model)| match model.get("engine") {
        Some(Value::Sequence(list)) => {
            list.iter().enumerate().map(|(j, engine)| (format!("models[{i}].engine[{j}]"), engine.clone())).collect()
        }
        Some(engine) => vec![(format!("models[{i}].engine"), engine.clone())],
        None => Vec::new(),
    });
    let block = |(key, engine): (String, Value)| {
        let name = engine.get("name")?.as_str()?.to_owned();
        let http = engine.get("http")?.as_mapping()?;
        let keys = http.keys().filter_map(|key| Some(key.as_str()?.to_owned())).collect();
        Some((key, Block { name, keys }))
    };
    engines.filter_map(block).collect()
}

/// Keys with their values as JSON, which is YAML, too.
fn missing(http: &Http, given: &[String]) -> Vec<(String, String)> {
    let json = serde_json::to_value(http).unwrap_or_default();
    let of_preset = ["api", "url", "ready", "stop", "send", "length", "seed", "cache", "tokens"];
    let absent = of_preset.into_iter().filter(|key| !given.iter().any(|known| known == key));
    absent.filter_map(|key| Some((key.to_owned(), json.get(key)?.to_string()))).collect()
}

fn with_keys(text: &str, key: &str, keys: &[(String, String)]) -> Option<String> {
    let place = locate::value(text, key)?;
    let start: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let line = text[start..].split_inclusive('\n').next()?;
    let value = line.char_indices().nth(place.column - 1).map_or(line.len(), |(at, _)| at);
    let before = &line[..line[..value].rfind("server")?];
    if before.trim().is_empty() {
        let end = start + line.len();
        let ends = if line.ends_with('\n') { "" } else { "\n" };
        let lines: String = keys.iter().map(|(key, value)| format!("{before}{key}: {value}\n")).collect();
        return Some(format!("{}{ends}{lines}{}", &text[..end], &text[end..]));
    }
    let rest = &line[value..];
    let quote = rest.chars().next().filter(|c| "\"'".contains(*c));
    let end = match quote {
        Some(quote) => rest[1..].find(quote)? + 2,
        None => rest.find([',', '}', '\n', '#']).map_or(rest.len(), |end| rest[..end].trim_end().len()),
    };
    let at = start + value + end;
    let more: String = keys.iter().map(|(key, value)| format!(", {key}: {value}")).collect();
    Some(format!("{}{more}{}", &text[..at], &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study(engine: &str) -> String {
        format!(
            "models:\n  - id: a/b\n    name: B\n    source: \"pypi:x==1\"\n{engine}\nprompts: [\"a\"]\nbenchmark_settings: {{max_tokens: [8], temperatures: [0], num_runs: 1}}\n"
        )
    }

    #[test]
    fn a_preset_is_written_out_in_block_and_flow_and_reads_the_same() {
        let start = "[\"s\", \"{gguf}\", \"{port}\"]";
        for engine in [
            format!(
                "    engine:\n      name: s\n      http:\n        server: llama-server # ours\n        start: {start}\n        cache: unknown"
            ),
            format!(
                "    engine:\n      - mlx\n      - name: s\n        http: {{server: llama-server, start: {start}}}"
            ),
            format!("    engine: [mlx, {{name: s, http: {{start: {start}, \"server\": 'llama-server'}}}}]"),
            format!(
                "    engine:\n      - {{name: s, http: {{server: llama-server, start: {start}}}}}\n      - name: t\n        http:\n          start: {start}\n          server: vllm"
            ),
        ] {
            let text = study(&engine);
            let read = Study::from_str("s", &text).unwrap();
            let copy = written_out(&text, &read).map_err(|problem| problem.what).unwrap();
            assert!(copy.contains("ignore_eos") && copy.contains("cache_prompt") || engine.contains("vllm"), "{copy}");
            assert_eq!(written_out(&copy, &read).map_err(|problem| problem.what), Ok(copy.clone()), "once is enough");
        }
    }

    #[test]
    fn a_study_without_presets_stays_as_it_is() {
        let text = study("    engine: mlx");
        let read = Study::from_str("s", &text).unwrap();
        assert_eq!(written_out(&text, &read).map_err(|problem| problem.what), Ok(text));
    }
}
