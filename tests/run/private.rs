//! A study on a checkpoint in somebody's home: nothing that is published of it says where that is, and it still goes on and is
//! repeated. The checkpoint's weights are random: that is said wherever its numbers are.
#![cfg(feature = "mlx")]

use std::{fs, path::Path};

use crate::{here::Here, real::checkpoint};

/// Stands for a name that nobody else may learn.
const USER: &str = "jane.doe-8471";

/// A folder of a checkpoint, made under the user's name.
fn with_checkpoint() -> Here {
    let here = Here::with("fake", "");
    let config = serde_json::json!({
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false, "quantization": {"group_size": 32, "bits": 4}, "offprint_random_weights": true,
    });
    let folder = here.path(&format!("{USER}/my models/tiny"));
    fs::create_dir_all(&folder).unwrap();
    checkpoint::write(&folder, &config, &checkpoint::tensors(&config, safetensors::Dtype::F16), 1);
    here
}

fn study(here: &Here, source: &str) {
    let text = format!(
        "study: {{name: test}}\nmodels:\n  - {{id: real, name: Real, source: \"{source}\"}}\nprompts: [\"w1 w2\", \"w3\"]\n\
         benchmark_settings: {{max_tokens: [2, 4], temperatures: [0.3, 0.7], num_runs: 2}}\n"
    );
    fs::write(here.path("study.yaml"), text).unwrap();
}

/// Every file below `folder` that holds the user's name.
fn tell_tales(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tell_tales(&path));
        } else if fs::read(&path).unwrap().windows(USER.len()).any(|part| part == USER.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn nothing_that_is_published_says_where_the_model_lies() {
    let here = with_checkpoint();
    for source in [format!("path:{}/my models/tiny", here.path(USER).display()), format!("path:{USER}/my models/tiny")]
    {
        study(&here, &source);
        let ran = here.run();
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let folder = here.folders().pop().unwrap();
        let run = folder.to_str().unwrap();
        // A run that lacks rows goes on, although its copy of the study is not the study's text.
        let rows = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
        let (last, _) = rows.trim_end().rsplit_once('\n').unwrap().0.rsplit_once('\n').unwrap();
        fs::write(folder.join("runs.jsonl"), format!("{last}\n")).unwrap();
        let resumed = here.resume();
        assert_eq!(resumed.code, Some(0), "{}", resumed.err);

        for call in [
            &["report", "--run", run][..],
            &["bundle", "--run", run, "--version", "1.0.0", "--out", "bundle.zip"],
            &["verify", "bundle.zip"],
        ] {
            let said = here.call(call);
            assert_eq!(said.code, Some(0), "{call:?}: {}{}", said.out, said.err);
        }
        let unpacked = std::process::Command::new("python3")
            .args(["-m", "zipfile", "-e", "bundle.zip", "unpacked"])
            .current_dir(here.path("."))
            .status();
        assert!(unpacked.unwrap().success());
        for published in ["results", "paper", "unpacked"] {
            assert_eq!(tell_tales(&here.path(published)), [""; 0]);
        }
        let environment = fs::read_to_string(folder.join("environment.json")).unwrap();
        assert!(environment.contains("\"path:tiny (local)\""), "{environment}");
        assert!(fs::read_to_string(here.path("paper/paper.md")).unwrap().contains("path:tiny (local)"));

        // Whoever repeats it says where the model is.
        let rerun = here.call(&["rerun", "bundle.zip"]);
        assert_eq!(rerun.code, Some(2), "{}", rerun.out);
        assert!(
            rerun.err.contains("path:tiny (local)") && rerun.err.contains("hint: where is it here?"),
            "{}",
            rerun.err
        );
        let rerun = here.call(&["rerun", "bundle.zip", "--model", &source]);
        assert!(here.path("rerun/review.md").is_file(), "{}", rerun.err);
        assert_eq!(tell_tales(&here.path("rerun")), [""; 0]);

        for file in ["paper/paper.md", "paper/paper.html", "paper/paper.tex"] {
            assert!(fs::read_to_string(here.path(file)).unwrap().contains("THIS IS NOT A MEASUREMENT"), "{file}");
        }
        let bag = fs::read_dir(here.path("unpacked")).unwrap().next().unwrap().unwrap().path().join("data");
        for file in ["README.md", "CITATION.cff", "ro-crate-metadata.json"] {
            let text = fs::read_to_string(bag.join(file)).unwrap();
            assert!(text.contains("Not a measurement: random weights."), "{file}: {text}");
        }
        for folder in ["unpacked", "rerun"] {
            fs::remove_dir_all(here.path(folder)).unwrap();
        }
        fs::remove_file(here.path("bundle.zip")).unwrap();
    }
}

/// What an engine complains of stands in a row for all to read.
#[test]
fn an_error_in_a_row_keeps_no_path() {
    let here = with_checkpoint();
    study(&here, &format!("path:{}/my models/tiny", here.path(USER).display()));
    // Found whole before the first run, and cut when a worker loads it.
    let weights = here.path(&format!("{USER}/my models/tiny/tokenizer.json"));
    assert!(weights.is_file());
    let mut running = here.start(&["run", "study.yaml"]);
    running.until("runs to do");
    fs::write(&weights, "{").unwrap();
    assert_eq!(running.end().0, Some(1));
    let folder = here.only();
    let rows = fs::read_to_string(folder.join("runs.jsonl")).unwrap();
    assert!(rows.contains("\"outcome\":\"failed\"") && rows.contains("tokenizer.json"), "{rows}");
    assert_eq!(tell_tales(&folder), [""; 0]);
}
