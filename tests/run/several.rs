//! Runs of several requests on engines of ours: the fake one's steps are known, and MLX computes a small checkpoint made here.

use std::fs;

use offprint::record::{Phase, RunRecord};

use crate::{
    agree::agree,
    here::{Here, rows},
};

/// The rows of a study with these keys, after its paper was written and checked.
pub(crate) fn executed(source: &str, engine: &str, keys: &str) -> (Here, Vec<RunRecord>) {
    let here = Here::with("fake", "");
    let text = format!(
        "study: {{name: test}}\nmodels: [{{id: a, name: A, source: \"{source}\", engine: {engine}}}]\nprompts: [w1 w2 w3]\nexecution: {{isolation: session}}\n{keys}\n"
    );
    fs::write(here.path("study.yaml"), text).unwrap();
    let said = here.run();
    assert_eq!(said.code, Some(0), "{}", said.err);
    let rows = rows(&here.only()).into_iter().filter(|row| row.phase == Phase::Measured).collect();
    for arguments in [&["report"][..], &["report", "--check"], &["bundle", "--version", "1.0.0"]] {
        let said = here.call(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
    }
    (here, rows)
}

/// Requests of 8 tokens on the fake engine, which reads a prompt of three words in about 6 ms and takes a step in 10 ms, a tenth more for each
/// further sequence.
#[test]
fn a_closed_loop_of_known_steps() {
    let keys = "factors: {at_once: [1, 4]}\nload: {requests: 40}\nbenchmark_settings: {max_tokens: [8], temperatures: [0], num_runs: 2}";
    let (here, rows) = executed("fake", "fake", keys);
    for row in &rows {
        let at_once = row.load.as_ref().unwrap().at_once;
        let steps = row.steps.as_ref().unwrap();
        assert_eq!(row.requests.len() as u32, 40 + 2 * at_once);
        assert!(
            steps.step_ns.iter().zip(&steps.active).all(|(ns, n)| *ns == 10_000_000 + 1_000_000 * u64::from(n - 1))
        );
        assert!(row.requests.iter().all(|request| request.n_gen == Some(8) && request.steps_ns.len() == 8));
        // A place is free when another has ended, and taken in the same step.
        let waits = row.requests.iter().skip(at_once as usize).map(|request| request.sent_ns - request.due_ns);
        assert!(waits.max().unwrap() < 40_000_000, "{row:?}");
    }
    agree(&here.path(""), &here.only(), &["output_rate", "full_rate", "in_flight", "ttft_p50", "warm_latency"]);
    let claims = fs::read_to_string(here.path("paper/claims.json")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    let rate = claims["claims"]["by_at_once.4.full_rate.mean"]["value"].as_f64().unwrap();
    assert!((rate - 4.0 / 0.013).abs() < 1e-6, "{rate}");
}

#[test]
fn an_open_loop_that_is_too_fast_for_its_engine() {
    let keys = "factors: {per_second: [2, 60]}\nload: {requests: 60, at_most: 2}\nbenchmark_settings: {max_tokens: [8], temperatures: [0], num_runs: 3}";
    let (here, _) = executed("fake", "fake", keys);
    agree(&here.path(""), &here.only(), &["backlog", "ttft_from_text", "ttft_from_sent", "request_rate"]);
    let claims = fs::read_to_string(here.path("paper/claims.json")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    let stationary = &claims["predicates"]["load.stationary"];
    assert_eq!(stationary["holds"], false, "{stationary}");
}

#[cfg(feature = "mlx")]
#[test]
fn a_batch_on_mlx_says_what_each_of_it_says_alone() {
    let config = serde_json::json!({
        "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false, "quantization": {"group_size": 32, "bits": 4},
    });
    use crate::real::checkpoint;
    let made = tempfile::tempdir().unwrap();
    let tensors = checkpoint::tensors(&config, safetensors::Dtype::F16);
    checkpoint::write(made.path(), &config, &tensors, 1);
    let keys = "factors: {batch: [1, 3, 9]}\nbenchmark_settings: {max_tokens: [12], temperatures: [0], num_runs: 1}";
    let (here, rows) = executed(&format!("path:{}", made.path().display()), "mlx", keys);
    let outputs: Vec<&String> =
        rows.iter().flat_map(|row| &row.requests).map(|request| request.output_sha256.as_ref().unwrap()).collect();
    assert_eq!(outputs.len(), 13);
    assert!(outputs.iter().all(|output| *output == outputs[0]), "{outputs:?}");
    agree(&here.path(""), &here.only(), &["output_rate", "full_rate", "decode", "in_flight"]);
}
