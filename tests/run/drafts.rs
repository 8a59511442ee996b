//! Runs with drafts on engines of ours, from the study to the bundle: the fake one's rounds are invented, and MLX computes a small
//! checkpoint made here. Every number is held to `tests/oracles/drafts.py`.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde::Deserialize;
use serde_json::Value;

use crate::{here::Here, several::executed};

#[derive(Deserialize)]
struct Theirs {
    runs: BTreeMap<String, BTreeMap<String, f64>>,
    /// Texts that are those without drafts, and all, by level.
    same: BTreeMap<String, [u32; 2]>,
}

/// What the other computation finds in the rows, which is what the paper's table of runs has.
fn agree(here: &Here) -> Theirs {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/drafts.py");
    let output = Command::new("python3").arg(script).arg(here.only().join("runs.jsonl")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Theirs = serde_json::from_slice(&output.stdout).unwrap();
    let table = fs::read_to_string(here.path("paper/tables/runs.csv")).unwrap();
    let mut lines = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let heads: Vec<&str> = lines.next().unwrap().iter().map(|head| head.split(' ').next().unwrap()).collect();
    let mut compared = 0;
    for line in lines {
        let ours: BTreeMap<&str, &str> = heads.iter().copied().zip(line).collect();
        for name in ["decode", "acceptance", "tokens_a_round", "drafting"] {
            let Some(value) = theirs.runs[ours["run"]].get(name) else {
                assert_eq!(ours[name], "", "run {}: {name}", ours["run"]);
                continue;
            };
            let found: f64 = ours[name].parse().unwrap();
            assert!((found - value).abs() <= 1e-9 * value, "run {}: {name} is {found}, not {value}", ours["run"]);
            compared += 1;
        }
    }
    assert!(compared > theirs.runs.len(), "only decode rates were compared");
    theirs
}

fn claims(here: &Here) -> Value {
    serde_json::from_str(&fs::read_to_string(here.path("paper/claims.json")).unwrap()).unwrap()
}

#[test]
fn invented_rounds_go_through_to_the_bundle() {
    let keys = "factors: {draft: [none, lookup, lookup-2]}\nbenchmark_settings: {max_tokens: [1, 24], temperatures: [0.7], num_runs: 3}";
    let (here, rows) = executed("fake", "fake", keys);
    let theirs = agree(&here);
    assert_eq!(theirs.same, BTreeMap::from(["lookup-2", "lookup-3"].map(|level| (level.to_owned(), [6, 6]))));
    let of = |level: &str| rows.iter().filter(|row| row.factors["draft"].key() == level).collect::<Vec<_>>();
    assert!(of("none").iter().all(|row| row.rounds.is_none()));
    assert!(of("lookup-3").iter().all(|row| row.rounds.as_ref().unwrap().proposed.iter().all(|n| *n <= 3)));
    let claims = claims(&here);
    for level in ["lookup-3", "lookup-2"] {
        assert_eq!(claims["predicates"][format!("draft.{level}.same_text")]["holds"], true);
        // Gaps are between rounds: none is nothing.
        let by = |what: &str| claims["claims"][format!("by_draft.{level}.itl.{what}")]["value"].as_f64().unwrap();
        let rounds: usize = of(level).iter().map(|row| row.rounds.as_ref().unwrap().proposed.len()).sum();
        assert_eq!(by("n") as usize, rounds);
        assert!(by("p50") > 0.005, "{}", by("p50"));
    }
    // Without a metric of drafts there is no trace of it.
    assert!(claims["claims"].get("by_draft.none.acceptance.mean").is_none());
    let paper = fs::read_to_string(here.path("paper/paper.md")).unwrap();
    assert!(paper.contains("Drafts\n") && paper.contains("| look-up of 2 tokens |"), "{paper}");
}

const BY_FAKE: &str = "factors: {draft: [none, small, lookup-2]}\ndrafts: [{id: small, source: fake, tokens: 5}]\nbenchmark_settings: {max_tokens: [24], temperatures: [0, 0.7], num_runs: 3}";

#[test]
fn invented_rounds_of_a_model_that_drafts_go_through_to_the_bundle() {
    let (here, rows) = executed("fake", "fake", BY_FAKE);
    let theirs = agree(&here);
    assert_eq!(theirs.same, BTreeMap::from(["lookup-2", "small"].map(|level| (level.to_owned(), [6, 6]))));
    let proposed = |level: &str| {
        let own = rows.iter().filter(|row| row.factors["draft"].key() == level);
        own.flat_map(|row| row.rounds.clone().unwrap().proposed).max()
    };
    assert_eq!((proposed("small"), proposed("lookup-2")), (Some(5), Some(2)));
    let all = claims(&here);
    assert_eq!(all["claims"]["by_draft.small.tokens"]["value"], 5);
    let said = |id: &str| all["predicates"][id]["text"].as_str().unwrap_or_default().to_owned();
    assert!(said("draft.by_model").starts_with("By a model") && said("draft.by_lookup").starts_with("By look-up"));
    // A step of the fake engine that checks five tokens takes half as long again, and gives more than half as many tokens more.
    assert!(all["predicates"]["draft.small.faster"]["holds"] == true, "{}", said("draft.small.faster"));
    let words = [
        "With drafts of 5 tokens by small the decode rate is ",
        " times that without drafts (90 % interval ",
        ": a gain of ",
        " % of its time was spent proposing.",
    ];
    assert!(words.iter().all(|words| said("draft.small.faster").contains(words)), "{}", said("draft.small.faster"));
    let paper = fs::read_to_string(here.path("paper/paper.md")).unwrap();
    for words in ["| drafts of 5 tokens by small |", &said("draft.small.faster"), &said("draft.by_model")] {
        assert!(paper.contains(words), "{words}: {paper}");
    }
}

/// Rounds of more tokens than the study has the model propose are told by verify, and no bundle is made of them.
#[test]
fn a_round_of_more_tokens_than_its_level_is_found_out() {
    let (here, _) = executed("fake", "fake", BY_FAKE);
    let file = here.only().join("runs.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let altered: Vec<String> = text
        .lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            let small = row["factors"]["draft"] == "small" && row["phase"] == "measured";
            if let Some(proposed) = row.pointer_mut("/rounds/proposed/0").filter(|_| small) {
                *proposed = 6.into();
            }
            row.to_string() + "\n"
        })
        .collect();
    fs::write(&file, altered.concat()).unwrap();
    let said = here.call(&["report", "--run", here.only().to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = here.call(&["bundle", "--version", "1.0.1"]);
    let all = format!("{}{}", said.out, said.err);
    assert!(said.code != Some(0) && all.contains("round 1: at most 5 tokens proposed"), "{all}");
}

/// A bundle whose rounds were touched is found out.
#[test]
fn rounds_that_do_not_fit_their_tokens_are_told_by_verify() {
    let keys =
        "factors: {draft: [none, lookup-3]}\nbenchmark_settings: {max_tokens: [24], temperatures: [0], num_runs: 2}";
    let (here, _) = executed("fake", "fake", keys);
    let bundle = fs::read_dir(here.path("results/bundles")).unwrap().map(|entry| entry.unwrap().path());
    let bundle = bundle.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "zip")).unwrap();
    let said = here.call(&["verify", bundle.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    // The rows themselves, altered before they are bundled.
    let file = here.only().join("runs.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let altered: Vec<String> = text
        .lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            if let Some(accepted) = row.pointer_mut("/rounds/accepted/0").filter(|_| line.contains("\"measured\"")) {
                *accepted = (accepted.as_u64().unwrap() + 1).into();
            }
            row.to_string() + "\n"
        })
        .collect();
    fs::write(&file, altered.concat()).unwrap();
    let said = here.call(&["report", "--run", here.only().to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = here.call(&["bundle", "--version", "1.0.1"]);
    assert!(
        said.code != Some(0) && format!("{}{}", said.out, said.err).contains("rounds of 24 tokens with the first"),
        "{}{}",
        said.out,
        said.err
    );
}

#[cfg(feature = "mlx")]
#[test]
fn a_small_model_says_with_drafts_what_it_says_without() {
    use crate::real::checkpoint;
    let config = serde_json::json!({
        "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-5,
        "tie_word_embeddings": false, "quantization": {"group_size": 32, "bits": 4},
    });
    let made = tempfile::tempdir().unwrap();
    let tensors = checkpoint::tensors(&config, safetensors::Dtype::F16);
    checkpoint::write(made.path(), &config, &tensors, 1);
    let keys = "factors: {draft: [none, lookup-3, lookup-7]}\nbenchmark_settings: {max_tokens: [40], temperatures: [0, 0.7], num_runs: 2}";
    let (here, _) = executed(&format!("path:{}", made.path().display()), "mlx", keys);
    let theirs = agree(&here);
    for level in ["lookup-3", "lookup-7"] {
        assert_eq!(theirs.same[level], [4, 4]);
        assert_eq!(claims(&here)["predicates"][format!("draft.{level}.same_text")]["holds"], true);
    }
}

/// A small model drafts for another and for itself, from the study to the bundle; who goes on, reruns or looks it up is held to its weights.
#[cfg(feature = "mlx")]
#[test]
fn a_small_model_drafts_for_another() {
    use crate::real::checkpoint;
    let config = |layers: u32| {
        serde_json::json!({
            "model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": layers,
            "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512, "rms_norm_eps": 1e-5,
            "tie_word_embeddings": false,
        })
    };
    let made = [2, 1].map(|layers| {
        let folder = tempfile::tempdir().unwrap();
        checkpoint::write(
            folder.path(),
            &config(layers),
            &checkpoint::tensors(&config(layers), safetensors::Dtype::F16),
            1,
        );
        folder
    });
    let [model, small] = made.each_ref().map(|folder| format!("path:{}", folder.path().display()));
    let keys = format!(
        "factors: {{draft: [none, small, itself]}}\ndrafts: [{{id: small, source: \"{small}\", tokens: 2}}, {{id: itself, source: \"{model}\", tokens: 4}}]\nbenchmark_settings: {{max_tokens: [24], temperatures: [0, 0.7], num_runs: 2}}"
    );
    let (here, rows) = executed(&model, "mlx", &keys);
    let theirs = agree(&here);
    assert_eq!((theirs.same["small"], theirs.same["itself"]), ([4, 4], [4, 4]));
    let of = |level: &str| rows.iter().filter(|row| row.factors["draft"].key() == level).collect::<Vec<_>>();
    for row in of("itself") {
        let rounds = row.rounds.as_ref().unwrap();
        // The prompt is read in the first round.
        assert!(rounds.accepted == rounds.proposed && rounds.draft_ns.iter().all(|ns| *ns > 0), "{rounds:?}");
    }
    // In a session each has a process of its own, and where nobody drafts there is no second model in it.
    let memory = |level: &str| of(level).iter().map(|row| row.peak_memory_bytes.unwrap()).max().unwrap();
    assert!(memory("none") < memory("small") && memory("small") < memory("itself"));
    let file = here.only().join("environment.json");
    let environment: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let checkpoints = environment["checkpoints"].as_array().unwrap();
    let known: Vec<_> = checkpoints.iter().map(|facts| (facts["model"].as_str().unwrap(), &facts["drafts"])).collect();
    assert_eq!(known, [("a", &Value::Null), ("small", &true.into()), ("itself", &true.into())]);
    assert_eq!(checkpoints[0]["files"], checkpoints[2]["files"]);
    assert!(checkpoints[1]["source"].as_str().unwrap().ends_with(" (local)"), "{environment}");
    // No folder of this machine is in what is published.
    let copy = fs::read_to_string(here.only().join("study.yaml")).unwrap();
    assert!(copy.contains("(local)") && !copy.contains(small.strip_prefix("path:").unwrap()), "{copy}");
    let all = claims(&here);
    assert_eq!(all["claims"]["by_draft.small.sha256"]["value"], checkpoints[1]["files"]["model.safetensors"]);
    let paper = fs::read_to_string(here.path("paper/paper.md")).unwrap();
    assert!(paper.contains("The model of drafts of 2 tokens by small is obtained as path:"), "{paper}");
    let said = here.call(&["doctor", "study.yaml"]);
    assert!(said.out.contains("draft    small: here"), "{}", said.out);

    // Other weights of the one that drafts: a run in flight does not go on.
    let file = here.only().join("runs.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&file, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    let other = checkpoint::tensors(&config(1), safetensors::Dtype::BF16);
    checkpoint::write(made[1].path(), &config(1), &other, 1);
    let said = here.resume();
    assert!(
        said.code != Some(0) && said.err.contains("begun under other conditions: checkpoint of small"),
        "{}",
        said.err
    );
    // And one that does not fit is refused before a run.
    let wider = serde_json::json!({ "vocab_size": 600 });
    let mut config = config(1);
    config["vocab_size"] = wider["vocab_size"].clone();
    checkpoint::write(made[1].path(), &config, &checkpoint::tensors(&config, safetensors::Dtype::F16), 1);
    let said = here.run();
    assert!(
        said.code != Some(0)
            && said.err.contains(
                "it would fail, so nothing was run:\n  small for a: a model that drafts can have no longer vocabulary"
            ),
        "{}",
        said.err
    );
    let said = here.call(&["doctor", "study.yaml"]);
    assert!(said.code == Some(1) && said.out.contains("FAIL  draft    small for a: "), "{}", said.out);
}
