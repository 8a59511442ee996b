//! What a server says of itself, at the places where servers do.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;

use crate::{digest, engine::http::Client, machine::ask};

const PATIENCE: Duration = Duration::from_secs(5);

/// The first model that it lists, as requests have to name it.
pub(super) fn first_model(client: &Client) -> Option<String> {
    let listed = client.get("/v1/models", PATIENCE).ok().filter(|page| page.status == 200)?.json()?;
    Some(listed.pointer("/data/0/id")?.as_str()?.to_owned())
}

/// By its own names, paths cut to their last part.
pub(super) fn of(client: &Client, version: &[String]) -> BTreeMap<String, String> {
    let mut says = BTreeMap::new();
    let mut put = |name: &str, value: Option<String>| {
        says.extend(value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), client.shown(&value))));
    };
    if let Some((program, arguments)) = version.split_first() {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        put("version", ask(program, &arguments).ok().map(|text| last_parts(text.trim())));
    }
    let page = |path: &str| client.get(path, PATIENCE).ok().filter(|page| page.status == 200);
    put("server", page("/health").and_then(|page| page.server));
    let text = |json: &Value, at: &str| match json.pointer(at)? {
        Value::String(text) => Some(last_parts(text)),
        Value::Null => None,
        other => Some(other.to_string()),
    };
    if let Some(props) = page("/props").and_then(|page| page.json()) {
        for (name, at) in [
            ("build", "/build_info"),
            ("model_ftype", "/model_ftype"),
            ("model", "/model_path"),
            ("n_ctx", "/default_generation_settings/n_ctx"),
            ("slots", "/total_slots"),
        ] {
            put(name, text(&props, at));
        }
        let template = props.get("chat_template").and_then(Value::as_str);
        put("chat_template_sha256", template.map(|template| digest::sha256_hex(template.as_bytes())));
    }
    if let Some(models) = page("/v1/models").and_then(|page| page.json()) {
        put("listed_model", text(&models, "/data/0/id"));
        put("parameters", text(&models, "/data/0/meta/n_params"));
        put("context", text(&models, "/data/0/max_model_len"));
    }
    for path in ["/version", "/api/version"] {
        put("api_version", page(path).and_then(|page| page.json()).and_then(|json| text(&json, "/version")));
    }
    says
}

/// Of every path its last part; `org/name` of a hub is none.
fn last_parts(text: &str) -> String {
    let is_path =
        |word: &str| word.starts_with(['/', '~', '.']) || word.matches('/').count() > 1 || word.ends_with(".gguf");
    let words =
        text.split_whitespace().map(|word| if is_path(word) { word.rsplit('/').next().unwrap_or(word) } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_the_last_part_is_told() {
        for (text, told) in [
            ("/home/ana/m/x.gguf", "x.gguf"),
            (".cache/models/x.gguf", "x.gguf"),
            ("mlx-community/SmolLM2", "mlx-community/SmolLM2"),
            ("a/b/c", "c"),
            ("version 1 of /opt/x", "version 1 of x"),
        ] {
            assert_eq!(last_parts(text), told);
        }
    }
}
