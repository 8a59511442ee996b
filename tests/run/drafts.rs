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
        for name in ["decode", "acceptance", "tokens_a_round"] {
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
