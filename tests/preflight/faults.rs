//! Checkpoints with one fault each, or with none, and what is found.

use std::{
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use offprint::{
    preflight::{Finding, Folders, Weight, models, preflight},
    study::Study,
};
use serde_json::{Value, json};

use crate::{checkpoint, config, edit, study, tiny, write};

const CHAT: &str = ", chat_template: true";

/// What is expected: refuse or warn, about what, in words that include these.
type Expected = (Weight, &'static str, &'static str);

struct Case {
    name: &'static str,
    config: Value,
    change: fn(&Path),
    settings: &'static str,
    expected: Vec<Expected>,
}

/// MLX is used from one thread at a time.
fn mlx() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn found(folder: &Path, settings: &str) -> Vec<Finding> {
    let study = Study::from_str("study.yaml", &study(&[("tiny", folder)], settings)).unwrap();
    models(&study, &[Some(folder.to_owned())], true)
}

fn template(folder: &Path, text: &str) {
    fs::write(folder.join("chat_template.jinja"), text).unwrap();
}

/// A tensor file beside the checkpoint's own.
fn stray(folder: &Path, name: &str, tensor: &str) {
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F16, vec![1], &[0, 0]).unwrap();
    safetensors::serialize_to_file([(tensor, view)], None, &folder.join(name)).unwrap();
}

fn without_one(folder: &Path, change: impl FnOnce(&mut checkpoint::Tensors)) {
    let config = config(&json!({}));
    let mut tensors = checkpoint::tensors(&config, safetensors::Dtype::F16);
    change(&mut tensors);
    checkpoint::write(folder, &config, &tensors, 1);
}

fn pad_beyond(folder: &Path) {
    edit(folder, "tokenizer.json", |tokenizer| tokenizer["model"]["vocab"]["[PAD]"] = json!(96));
}

#[test]
fn every_fault_is_found_once_and_by_name() {
    let _alone = mlx();
    use Weight::{Refuse, Warn};
    let case = |name, config, change, settings, expected| Case { name, config, change, settings, expected };
    let none: fn(&Path) = |_| {};
    let plain = json!({});
    let mxfp4 = json!({"quantization": {"group_size": 32, "bits": 4, "model.layers.0.mlp.down_proj": {"group_size": 32, "bits": 4, "mode": "mxfp4"}}});
    let cases = [
        case("nothing is wrong", plain.clone(), none, "", vec![]),
        case(
            "a kind of rope",
            json!({"rope_scaling": {"type": "spiral", "factor": 4.0}}),
            none,
            "",
            vec![(Refuse, "model", "rope_scaling: `spiral` is not known")],
        ),
        case(
            "a layer's mode",
            mxfp4,
            none,
            "",
            vec![(Refuse, "model", "quantization.model.layers.0.mlp.down_proj.mode is `mxfp4`")],
        ),
        case(
            "a layer that is none",
            json!({"quantization": {"group_size": 32, "bits": 4, "lm_tail": false}}),
            none,
            "",
            vec![(Warn, "model", "`quantization.lm_tail` is for no module")],
        ),
        case(
            "a key that changes",
            json!({"final_logit_softcapping": 30.0}),
            none,
            "",
            vec![(Refuse, "model", "`final_logit_softcapping` = 30.0")],
        ),
        case(
            "a key nobody knows",
            json!({"frobnication": 3}),
            none,
            "",
            vec![(Warn, "model", "config.json: `frobnication` is not known to this program")],
        ),
        case(
            "another architecture",
            json!({"model_type": "deepseek_v3", "hidden_size": 64, "num_hidden_layers": 2}),
            none,
            "",
            vec![(Refuse, "model", "found `deepseek_v3`")],
        ),
        case(
            "a head that is not used",
            json!({"tie_word_embeddings": null}),
            none,
            "",
            vec![(Warn, "model", "lm_head.weight is there and not used")],
        ),
        case(
            "a missing tensor",
            plain.clone(),
            |folder| without_one(folder, |all| drop(all.remove("model.norm.weight"))),
            "",
            vec![(Refuse, "model", "tensor `model.norm.weight` is missing")],
        ),
        case(
            "one too many",
            plain.clone(),
            |folder| stray(folder, "model-2.safetensors", "model.extra.weight"),
            "",
            vec![(Refuse, "model", "tensors without a place in the model: model.extra.weight")],
        ),
        case("another shape", json!({"intermediate_size": 32}), |folder| without_one(folder, |_| {}), "", vec![]),
        case(
            "another's weights",
            plain.clone(),
            |folder| stray(folder, "consolidated.safetensors", "tok_embeddings.weight"),
            "",
            vec![(Warn, "model", "consolidated.safetensors: not read")],
        ),
        case(
            "a Mac's shadow",
            plain.clone(),
            |folder| fs::write(folder.join("._model.safetensors"), b"\0\x05\x16\x07").unwrap(),
            "",
            vec![],
        ),
        case(
            "no weights",
            plain.clone(),
            |folder| fs::rename(folder.join("model.safetensors"), folder.join("weights.safetensors")).unwrap(),
            "",
            vec![(Refuse, "model", "no file model*.safetensors, only weights.safetensors")],
        ),
        case(
            "a stale index",
            plain.clone(),
            |folder| {
                edit(folder, "model.safetensors.index.json", |index| {
                    index["weight_map"] = json!({"model.norm.weight": "model-00001-of-00002.safetensors"})
                })
            },
            "",
            vec![
                (Warn, "model", "is stale: it names model-00001-of-00002.safetensors, not there"),
                (Warn, "model", "is stale: it does not name model.safetensors"),
            ],
        ),
        case(
            "a missing shard",
            plain.clone(),
            |folder| {
                edit(folder, "model.safetensors.index.json", |index| {
                    index["weight_map"] = json!({"model.other.weight": "model-00002-of-00002.safetensors"})
                })
            },
            "",
            vec![(
                Refuse,
                "model",
                "model-00002-of-00002.safetensors: missing; model.safetensors.index.json says that `model.other.weight` is in it",
            )],
        ),
        case(
            "a damaged tokenizer",
            plain.clone(),
            |folder| fs::write(folder.join("tokenizer.json"), "{}").unwrap(),
            "",
            vec![(Refuse, "model", "tokenizer.json")],
        ),
        case("a token that no prompt has", plain.clone(), pad_beyond, "", vec![]),
        case(
            "a token that a prompt has",
            plain.clone(),
            |folder| edit(folder, "tokenizer.json", |tokenizer| tokenizer["model"]["vocab"]["w4"] = json!(99)),
            "",
            vec![(
                Refuse,
                "prompt",
                "tiny, prompt 2: the prompt has token `w4`, id 99, but the model has 96 embeddings",
            )],
        ),
        case(
            "no template",
            plain.clone(),
            none,
            CHAT,
            vec![(Refuse, "prompt", "tiny, prompts 1, 2: the checkpoint has no chat template")],
        ),
        case(
            "a template that is none",
            plain.clone(),
            |folder| template(folder, "{% frobnicate %}"),
            CHAT,
            vec![(
                Refuse,
                "prompt",
                "tiny, prompts 1, 2: the chat template fails: syntax error: unknown statement frobnicate",
            )],
        ),
        case("nor is it asked for", plain.clone(), |folder| template(folder, "{% frobnicate %}"), "", vec![]),
        case(
            "a training mark",
            plain.clone(),
            |folder| template(folder, "{% generation %}{{ messages[0].content }}{% endgeneration %}"),
            CHAT,
            vec![],
        ),
        case(
            "named templates",
            plain.clone(),
            |folder| {
                edit(
                    folder,
                    "tokenizer_config.json",
                    |all| all["chat_template"] = json!([{"name": "tool_use", "template": "{{ raise_exception('no') }}"}, {"name": "default", "template": "{{ messages[0].content }}"}]),
                )
            },
            CHAT,
            vec![],
        ),
        case(
            "none called default",
            plain.clone(),
            |folder| {
                edit(folder, "tokenizer_config.json", |all| {
                    all["chat_template"] =
                        json!([{"name": "tool_use", "template": "w1"}, {"name": "rag", "template": "w1"}])
                })
            },
            CHAT,
            vec![(Refuse, "prompt", "chat_template: expected one called `default`, found tool_use, rag")],
        ),
        case(
            "the day",
            plain.clone(),
            |folder| template(folder, "{{ strftime_now('%d %b %Y') }} {{ messages[0].content }}"),
            CHAT,
            vec![(Warn, "prompt", "is told 2024-07-26")],
        ),
        case(
            "the study's day",
            plain.clone(),
            |folder| template(folder, "{{ strftime_now('%d %b %Y') }} {{ messages[0].content }}"),
            ", chat_template: true, date: 2026-11-27",
            vec![],
        ),
        case(
            "words that a template looks at",
            plain.clone(),
            |folder| template(folder, "{% if enable_thinking %}w1{% endif %} {{ messages[0].content }}"),
            ", chat_template: true, enable_thinking: false",
            vec![],
        ),
        case(
            "words that it does not",
            plain.clone(),
            |folder| template(folder, "{{ messages[0].content }}"),
            ", chat_template: true, reasoning_effort: low, date: 2026-11-27",
            vec![
                (Warn, "prompt", "`reasoning_effort: low` changes nothing: the chat template does not look at it"),
                (Warn, "prompt", "`date: 2026-11-27` changes nothing"),
            ],
        ),
        case(
            "a template that writes a token without an embedding",
            plain.clone(),
            |folder| {
                pad_beyond(folder);
                template(folder, "[PAD] {{ messages[0].content }}");
            },
            CHAT,
            vec![(Refuse, "prompt", "the prompt has token `[PAD]`, id 96, but the model has 96 embeddings")],
        ),
        case(
            "no end",
            json!({"eos_token_id": null}),
            none,
            ", stop_on_eos: true",
            vec![(Warn, "model", "names no token that ends a text")],
        ),
        case(
            "an end of the tokenizer's",
            json!({"eos_token_id": null}),
            |folder| edit(folder, "tokenizer_config.json", |all| all["eos_token"] = json!("w7")),
            ", stop_on_eos: true",
            vec![],
        ),
        case("just enough positions", json!({"max_position_embeddings": 7}), none, "", vec![]),
        case(
            "too few positions",
            json!({"max_position_embeddings": 6}),
            none,
            "",
            vec![(Warn, "prompt", "prompt 1 has 3 tokens and its answer up to 4: 7 positions, and the model knows 6")],
        ),
        case(
            "a window that is wide",
            json!({"sliding_window": 7}),
            none,
            "",
            vec![(Warn, "model", "sliding_window = 7 is not computed, as in mlx-lm")],
        ),
        case(
            "a window that is not",
            json!({"model_type": "mistral", "sliding_window": 6}),
            none,
            "",
            vec![
                (Warn, "model", "sliding_window = 6 is not computed, as in mlx-lm"),
                (Warn, "prompt", "7 positions, and beyond 6 its makers' model attends through a window"),
            ],
        ),
    ];
    for case in cases {
        let folder = tiny(&case.config);
        (case.change)(folder.path());
        if case.name == "another shape" {
            // Tensors of the plain one, a configuration of another.
            edit(folder.path(), "config.json", |all| all["intermediate_size"] = json!(32));
            let found = found(folder.path(), "");
            assert!(found.len() == 1 && found[0].what.contains("expected shape [32, 64], found [64, 64]"), "{found:?}");
            continue;
        }
        let found = found(folder.path(), case.settings);
        assert_eq!(found.len(), case.expected.len(), "{}: {found:#?}", case.name);
        for (finding, (weight, about, words)) in found.iter().zip(case.expected) {
            assert_eq!((finding.weight, finding.about), (weight, about), "{}: {finding:?}", case.name);
            assert!(finding.to_string().contains(words), "{}: {finding}", case.name);
            assert!(!finding.hint.is_empty() && !finding.what.contains("hint:"), "{}: {finding:?}", case.name);
            // A warning is published.
            let path = folder.path().to_str().unwrap();
            assert!(weight == Weight::Refuse || !finding.to_string().contains(path), "{}: {finding}", case.name);
        }
    }
}

#[test]
fn a_model_on_two_engines_is_looked_at_once_and_an_engine_that_is_not_here_is_refused() {
    let _alone = mlx();
    let folder = tiny(&json!({"frobnication": 1}));
    let text = study(&[("tiny", folder.path())], "").replace("name: tiny,", "name: tiny, engine: [mlx, llama-cpp],");
    let study = Study::from_str("study.yaml", &text).unwrap();
    let folders = Folders { models: vec![Some(folder.path().to_owned()); 2], drafts: Vec::new() };
    let found = preflight(&study, &folders, false);
    assert_eq!(found.iter().filter(|finding| finding.what.contains("frobnication")).count(), 1, "{found:?}");
    let refused: Vec<&Finding> = found.iter().filter(|finding| finding.weight == Weight::Refuse).collect();
    if cfg!(feature = "llama-cpp") {
        assert!(refused.is_empty(), "{refused:?}");
    } else {
        assert!(refused.len() == 1 && refused[0].place == "llama-cpp", "{refused:?}");
        assert!(
            refused[0].what.contains("has no llama.cpp") && refused[0].hint.contains("make engines"),
            "{refused:?}"
        );
    }
}

/// Levels that would all be one are refused before the first run, not measured.
#[test]
fn threads_are_no_factor_of_a_model_that_mlxs_own_kernels_compute() {
    let _alone = mlx();
    if offprint::model::kernels::levels().is_empty() {
        eprintln!("not tried: no kernels of ours here");
        return;
    }
    let refused = |config: &Value| -> Vec<String> {
        let folder = tiny(config);
        let text = study(&[("tiny", folder.path())], "") + "factors:\n  threads: [1, 2]\n";
        let study = Study::from_str("study.yaml", &text).unwrap();
        let found = models(&study, &[Some(folder.path().to_owned())], false);
        let refused = found.into_iter().filter(|finding| finding.weight == Weight::Refuse);
        refused.map(|finding| format!("{finding}; {}", finding.hint)).collect()
    };
    assert_eq!(refused(&json!({})), Vec::<String>::new());
    let grows = json!({"max_position_embeddings": 64, "rope_scaling": {"type": "dynamic", "factor": 2.0}});
    let found = refused(&grows);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("threads are a factor, and MLX's own kernels") && found[0].contains("grow"), "{found:?}");
    assert!(found[0].contains("take `threads` out of the study"), "{found:?}");
}

/// A study may choose kernels; those that this machine lacks are named before the first run, with those that it has.
#[test]
fn kernels_that_a_study_asks_for_are_there_or_refused() {
    let _alone = mlx();
    let folder = tiny(&json!({}));
    let refused = |name: &str| -> Vec<String> {
        let asked = format!("execution: {{kernels: \"{name}\", isolation");
        let text = study(&[("tiny", folder.path())], "").replace("execution: {isolation", &asked);
        let study = Study::from_str("study.yaml", &text).unwrap();
        let folders = Folders { models: vec![Some(folder.path().to_owned())], drafts: Vec::new() };
        let found = preflight(&study, &folders, false);
        let refused = found.into_iter().filter(|finding| finding.weight == Weight::Refuse);
        refused.map(|finding| finding.to_string()).collect()
    };
    let levels = offprint::model::kernels::levels();
    for name in levels.iter().map(String::as_str).chain(["stock"]) {
        assert_eq!(refused(name), Vec::<String>::new(), "{name}");
    }
    let found = refused("avx3");
    assert!(found.len() == 1 && found[0].contains("execution.kernels: expected one of `stock`, "), "{found:?}");
    assert!(found[0].contains("found `avx3`"), "{found:?}");
}

#[test]
fn kernels_are_of_a_model_that_mlx_computes() {
    let text = "study: {name: test}\nmodels: [{id: a, name: A, source: fake}]\nprompts: [a]\nbenchmark_settings: {max_tokens: [4], temperatures: [0], num_runs: 1}\nexecution: {kernels: avx2}\n";
    let error = Study::from_str("study.yaml", text).unwrap_err().to_string();
    assert!(error.contains("execution.kernels") && error.contains("a model that MLX computes"), "{error}");
    let of_mlx = text.replace("source: fake", "source: \"path:x\"").replace("kernels: avx2", "kernels: \"\"");
    let error = Study::from_str("study.yaml", &of_mlx).unwrap_err().to_string();
    assert!(error.contains("execution.kernels") && error.contains("expected a name, as avx2"), "{error}");
}

#[test]
fn a_model_that_is_not_here_is_not_looked_at() {
    let _alone = mlx();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &json!({"final_logit_softcapping": 30.0}));
    let study = Study::from_str("study.yaml", &study(&[("tiny", folder.path())], "")).unwrap();
    assert_eq!(models(&study, &[None], true), []);
    assert_eq!(models(&study, &[Some(folder.path().to_owned())], true).len(), 1);
}
