//! A request -> the JSON that a server is sent. Everything that decides what is drawn is said, since defaults differ between servers.

use serde_json::{Map, Value, json};

use crate::{
    engine::Request,
    study::{Api, Http, Length, Seed},
};

pub(super) fn of(http: &Http, model: Option<&str>, eos: &[u32], request: &Request) -> Value {
    let sampling = &request.sampling;
    // What keeps every token, where the study says nothing.
    let mut drawn = json!({
        "temperature": sampling.temperature,
        "top_p": sampling.top_p.unwrap_or(1.0),
        "min_p": sampling.min_p.unwrap_or(0.0),
        "top_k": sampling.top_k.unwrap_or(0),
    });
    if http.seed == Seed::Send {
        // Servers hold 32 bits: both halves of ours count.
        drawn["seed"] = json!((request.seed ^ (request.seed >> 32)) as u32);
    }
    let prompt = request.prompt.text();
    let mut body = match http.api {
        Api::OpenaiCompletions => json!({"prompt": prompt}),
        Api::OpenaiChat => {
            let mut body = json!({"messages": [{"role": "user", "content": prompt}]});
            let told: Map<String, Value> =
                request.chat_template.iter().flat_map(|told| told.given()).map(told_value).collect();
            if !told.is_empty() {
                body["chat_template_kwargs"] = Value::Object(told);
            }
            body
        }
        Api::OllamaGenerate => json!({"prompt": prompt, "raw": request.chat_template.is_none()}),
    };
    if let Some(model) = model {
        body["model"] = json!(model);
    }
    body["stream"] = json!(true);
    if http.api == Api::OllamaGenerate {
        drawn["num_predict"] = json!(request.max_tokens);
        body["options"] = drawn;
    } else {
        body["max_tokens"] = json!(request.max_tokens);
        body["stream_options"] = json!({"include_usage": true});
        merge(&mut body, drawn);
        if !request.stop_on_eos {
            merge(&mut body, forced(http.length, eos, request.max_tokens));
        }
    }
    merge(&mut body, Value::Object(http.send.clone()));
    body
}

/// What makes a text go on past its end.
fn forced(length: Length, eos: &[u32], max_tokens: u32) -> Value {
    match length {
        Length::IgnoreEos => json!({"ignore_eos": true}),
        Length::MinTokens => json!({"min_tokens": max_tokens}),
        Length::LogitBias => {
            let bias: Map<String, Value> = eos.iter().map(|id| (id.to_string(), json!(-100))).collect();
            json!({"logit_bias": bias})
        }
        Length::AtMost => json!({}),
    }
}

fn told_value((key, value): (&'static str, String)) -> (String, Value) {
    (key.to_owned(), serde_json::from_str(&value).unwrap_or(Value::String(value)))
}

/// Mappings are merged, anything else is replaced.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{Prompt, Sampling},
        study::{Engine, Study},
    };

    fn http(keys: &str, settings: &str) -> Http {
        let text = format!(
            "models: [{{id: a, name: A, engine: {{name: s, http: {{{keys}}}}}}}]\nprompts: [p]\nbenchmark_settings: {{max_tokens: [8], temperatures: [0], num_runs: 1{settings}}}\n"
        );
        match Study::from_str("s", &text).unwrap().models.remove(0).engine {
            Engine::Http(http) => *http,
            other => panic!("{other}"),
        }
    }

    fn request(stop_on_eos: bool) -> Request {
        Request {
            prompt: Prompt::Text("Hi".to_owned()),
            context: 0,
            batch: 1,
            chat_template: None,
            max_tokens: 8,
            sampling: Sampling { temperature: 0.5, top_p: None, min_p: Some(0.1), top_k: None },
            seed: (1 << 32) | 6,
            stop_on_eos,
            draft: None,
        }
    }

    #[test]
    fn everything_that_decides_what_is_drawn_is_said() {
        let start = "start: [s, \"{port}\"]";
        let body = of(&http(&format!("{start}, server: llama-server"), ""), Some("m"), &[], &request(false));
        let expected = json!({
            "model": "m", "prompt": "Hi", "max_tokens": 8, "stream": true, "stream_options": {"include_usage": true},
            "temperature": 0.5, "top_p": 1.0, "min_p": 0.1, "top_k": 0, "seed": 7, "ignore_eos": true, "cache_prompt": false,
        });
        assert_eq!(body, expected);
        let body = of(&http(&format!("{start}, server: mlx-lm, seed: omit"), ""), None, &[2, 5], &request(false));
        assert_eq!(
            (&body["logit_bias"], body.get("seed"), body.get("model")),
            (&json!({"2": -100, "5": -100}), None, None)
        );
        let body = of(&http(&format!("{start}, server: mlx-lm"), ""), None, &[2], &request(true));
        assert_eq!(body.get("logit_bias"), None, "a length that is a bound is not forced");
    }

    #[test]
    fn ollama_and_chat_have_their_own_shapes_and_what_a_study_adds_is_merged() {
        let ollama = http("server: ollama, send: {options: {num_ctx: 4096}}", ", stop_on_eos: true");
        let body = of(&ollama, Some("m"), &[], &request(true));
        assert_eq!(body["raw"], json!(true));
        assert_eq!((&body["options"]["num_predict"], &body["options"]["num_ctx"]), (&json!(8), &json!(4096)));
        let chat = http("start: [s, \"{port}\"], api: openai-chat, length: min_tokens", ", chat_template: true");
        let told = crate::study::Told { enable_thinking: Some(false), ..Default::default() };
        let body = of(&chat, Some("m"), &[], &Request { chat_template: Some(told), ..request(false) });
        assert_eq!(body["messages"], json!([{"role": "user", "content": "Hi"}]));
        assert_eq!(
            (&body["chat_template_kwargs"], &body["min_tokens"]),
            (&json!({"enable_thinking": false}), &json!(8))
        );
    }
}
