//! Weights of a checkpoint that MLX loads: digested where the fleet is planned, and held to where a shard runs.
#![cfg(feature = "mlx")]

#[path = "../llama/checkpoint.rs"]
pub mod checkpoint;

use std::fs;

use offprint::fleet::Lock;

use crate::here::Here;

#[test]
fn other_weights_than_the_fleet_was_planned_with_are_refused() {
    let here = Here::with("fake", "");
    let config = serde_json::json!({
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false, "quantization": {"group_size": 32, "bits": 4},
    });
    let model = here.path("model");
    fs::create_dir(&model).unwrap();
    checkpoint::write(&model, &config, &checkpoint::tensors(&config, safetensors::Dtype::F16), 1);
    let study = format!(
        "study: {{name: test}}\nmodels: [{{id: real, name: Real, source: \"path:{}\"}}]\nprompts: [\"w1 w2\", \"w3\"]\n\
         benchmark_settings: {{max_tokens: [2, 4], temperatures: [0], num_runs: 2}}\n",
        model.display()
    );
    fs::write(here.path("study.yaml"), study).unwrap();
    fs::write(here.path("fleet.yaml"), "machines: {here: {via: local}}\nstudies: [study.yaml]\n").unwrap();
    let planned = here.call(&["fleet", "plan", "fleet.yaml", "--out", "plan"]);
    assert_eq!(planned.code, Some(0), "{}", planned.err);
    let lock = Lock::read(&here.path("plan/fleet.lock.yaml")).unwrap();
    assert_eq!(lock.studies["test"].weights["real"].len(), 64);

    let shard = |session: &str| {
        let bundle = format!("bundles/{session}.zip");
        let words = ["shard", "plan/studies/test/study.yaml", "--home", "home", "--bundle", &bundle];
        let lock = ["--lock", "plan/fleet.lock.yaml", "--machine", "here", "--session", session];
        here.call(&[&words[..], &lock[..], &["--busy", "1e9", "--hot", "1e9"]].concat())
    };
    let first = shard("1");
    assert_eq!(first.code, Some(0), "{}", first.err);
    let file = model.join("config.json");
    fs::write(&file, fs::read_to_string(&file).unwrap() + "\n").unwrap();
    let second = shard("2");
    assert_eq!(second.code, Some(2), "{}", second.err);
    let words = "plan/fleet.lock.yaml: not the weights that the fleet was planned with: real: expected weights ";
    assert!(second.err.contains(words), "{}", second.err);
    assert!(!here.path("home/session-2").exists(), "nothing was run");

    // Without digests any weights will do, and a plan that has them is none that a study changed under.
    fs::create_dir_all(here.path("plan/bundles/test")).unwrap();
    let without = here.call(&["fleet", "plan", "fleet.yaml", "--out", "plan", "--without-weights"]);
    assert_eq!(without.code, Some(0), "{}", without.err);
    assert!(Lock::read(&here.path("plan/fleet.lock.yaml")).unwrap().studies["test"].weights.is_empty());
    let third = shard("3");
    assert_eq!(third.code, Some(0), "{}", third.err);
    here.nobody_is_left();
}
