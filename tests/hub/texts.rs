//! Texts of the hub's data sets: `model quality --text hf:…` and `quality: {text: hf:…}`, plain and out of a table that pyarrow
//! wrote (`tests/oracles/texts.py`).

use std::{collections::BTreeMap, fs};

use offprint::digest::sha256_hex;
use serde_json::{Value, json};

use super::{
    Here, Said, assert_refused,
    server::{COMMIT, Fault},
};

const TABLE: &str = "raw-v1/test-00000-of-00001.parquet";

fn data(name: &str) -> Vec<u8> {
    fs::read(format!("tests/data/{name}")).unwrap()
}

/// A hub with a model and a data set: a plain text, tables, files that are no texts.
fn hub(card: Value) -> Here {
    let here = Here::new();
    let files: BTreeMap<String, Vec<u8>> = [
        ("README.md", b"---\nlicense:\n- cc-by-sa-3.0\n- gfdl\n---\n# Texts\n".to_vec()),
        ("raw/plain.raw", data("texts.txt")),
        (TABLE, data("texts.parquet")),
        ("zstd.parquet", data("texts_zstd.parquet")),
        ("short.txt", b"w1 w2 w3".to_vec()),
        ("latin.txt", b"caf\xe9 ".repeat(400)),
        ("broken.parquet", b"PAR1 and no more".to_vec()),
    ]
    .map(|(name, content)| (name.to_owned(), content))
    .into();
    here.hub.serve_texts(files, card);
    here.fetch();
    here.hub.requests();
    here
}

fn card() -> Value {
    json!({ "license": ["cc-by-sa-3.0", "gfdl"], "language": ["en"] })
}

fn quality(here: &Here, text: &str, variables: &[(&str, &str)]) -> Said {
    here.model(&["quality", "hf:org/model", "--windows", "2", "--text", text], variables)
}

fn cached(here: &Here, file: &str) -> std::path::PathBuf {
    here.home.path().join("hub/datasets--org--texts/snapshots").join(COMMIT).join(file)
}

#[test]
fn a_text_of_the_hub_is_predicted_as_its_copy_is() {
    let here = hub(card());
    let local = quality(&here, "tests/data/texts.txt", &[]);
    assert_eq!(local.code, Some(0), "{}", local.err);
    assert!(local.out.contains("perplexity"), "{}", local.out);
    for (text, file) in [
        ("hf:org/texts/raw/plain.raw".to_owned(), "raw/plain.raw"),
        (format!("hf:org/texts@v1/{TABLE}"), TABLE),
        (format!("hf:org/texts@{COMMIT}/{TABLE}#column=text&sha256={}", sha256_hex(&data("texts.txt"))), TABLE),
    ] {
        let said = quality(&here, &text, &[]);
        assert_eq!((said.code, &said.out), (Some(0), &local.out), "{text}: {}", said.err);
        assert!(said.err.contains(&format!("hf:org/texts@{COMMIT}/{file}")), "{}", said.err);
        assert!(said.err.contains("licence cc-by-sa-3.0, gfdl, as the data set's card says"), "{}", said.err);
        assert!(cached(&here, file).is_file() && cached(&here, "README.md").is_file());
        assert!(!cached(&here, "short.txt").exists(), "only what is asked for");
    }
    assert_eq!(fs::read_to_string(here.home.path().join("hub/datasets--org--texts/refs/v1")).unwrap(), COMMIT);
}

#[test]
fn the_text_is_fetched_once_and_offline_mode_asks_nobody() {
    let here = hub(card());
    let text = format!("hf:org/texts/{TABLE}");
    let offline = [("HF_HUB_OFFLINE", "1")];
    let refused = quality(&here, &text, &offline);
    assert_refused(&refused, &["hf:org/texts@main", "HF_HUB_OFFLINE is set"]);
    let first = quality(&here, &text, &[]);
    here.hub.requests();
    let again = quality(&here, &text, &[]);
    let asked: Vec<String> = here.hub.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(asked, ["/api/datasets/org/texts/revision/main", "/api/models/org/model/revision/main"]);
    let alone = quality(&here, &text, &offline);
    assert_eq!(here.hub.requests(), []);
    assert!(first.code == Some(0) && first.out == again.out && again.out == alone.out, "{}", alone.err);

    // What was changed in the cache is not taken for it.
    let blob = fs::canonicalize(cached(&here, TABLE)).unwrap();
    let mut content = fs::read(&blob).unwrap();
    content[100] ^= 1;
    fs::write(&blob, content).unwrap();
    assert_refused(&quality(&here, &text, &offline), &[TABLE, "SHA-256", "changed in the cache"]);
    assert_eq!(quality(&here, &text, &[]).out, first.out);
}

#[test]
fn a_broken_download_of_a_text_goes_on() {
    let here = hub(card());
    let half = data("texts.parquet").len() / 8;
    here.hub.set_fault(Some(Fault::Breaks { file: TABLE.into(), after: half }));
    let text = format!("hf:org/texts/{TABLE}");
    assert_refused(&quality(&here, &text, &[]), &[TABLE, "run again to resume", "a copy beside the study"]);
    assert!(!cached(&here, TABLE).exists());
    here.hub.set_fault(None);
    here.hub.requests();
    assert_eq!(quality(&here, &text, &[]).code, Some(0));
    let large = format!("/large/{TABLE}");
    let from: Vec<_> =
        here.hub.requests().into_iter().filter(|request| request.path == large && request.to.is_none()).collect();
    assert!(from.len() == 1 && from[0].from.is_some_and(|from| from >= half), "{from:?}");
}

#[test]
fn the_token_is_sent_and_refusals_say_what_to_do() {
    let here = hub(card());
    quality(&here, "hf:org/texts/short.txt", &[("HF_TOKEN", "hf_mine")]);
    assert!(here.hub.requests().iter().any(|request| {
        request.path.starts_with("/datasets/org/texts/resolve/") && request.token.as_deref() == Some("hf_mine")
    }));
    for (status, words) in [(401, "HF_TOKEN"), (404, "is the name right"), (500, "later")] {
        here.hub.set_fault(Some(Fault::Closed(status)));
        let said = quality(&here, "hf:org/texts/raw/plain.raw", &[]);
        assert_refused(&said, &["hf:org/texts@main", &status.to_string(), words]);
    }
}

/// Each fault, and what is said of it.
fn faults() -> Vec<(String, &'static [&'static str])> {
    let of = |path: &str| format!("hf:org/texts/{path}");
    vec![
        (of("raw/plain.row"), &["no file raw/plain.row", "did you mean raw/plain.raw?"]),
        (of("latin.txt"), &["latin.txt", "byte 3 is no UTF-8"]),
        (of("broken.parquet"), &["broken.parquet", "is it a Parquet file"]),
        (of("zstd.parquet"), &["zstd", "Snappy"]),
        (
            format!("hf:org/texts/{TABLE}#column=body"),
            &["no column `body`, but title, count, text, pages", "#column=NAME"],
        ),
        (format!("hf:org/texts/{TABLE}#column=count"), &["`count` is none of text"]),
        (format!("hf:org/texts/{TABLE}#column=pages"), &["`pages` is none of text"]),
        (of(&format!("short.txt#sha256={}", "0".repeat(64))), &["expected a text with SHA-256 000", "write its hash"]),
        ("hf:org/texts@nope/short.txt".to_owned(), &["hf:org/texts@nope", "404", "a branch, a tag or a commit"]),
        ("hf:org/other/short.txt".to_owned(), &["hf:org/other@main", "404"]),
    ]
}

#[test]
fn what_cannot_be_predicted_is_said() {
    let here = hub(card());
    for (text, words) in faults() {
        assert_refused(&quality(&here, &text, &[]), words);
    }
    assert_refused(&quality(&here, "hf:org/texts/short.txt", &[]), &["has 3 tokens", "2 windows need 1024"]);
    assert_refused(&quality(&here, "hf:texts/short.txt", &[]), &["no path", "hf:owner/name@revision/path"]);
}

fn write_study(here: &Here, text: &str) -> String {
    let file = here.home.path().join("study.yaml");
    let study = format!(
        "study: {{name: texts}}\nmodels: [{{id: m, name: M, source: \"hf:org/model\"}}]\nprompts: [w1 w2]\n\
         benchmark_settings: {{max_tokens: [2], temperatures: [0], num_runs: 2, warmup_runs: 0}}\n\
         execution: {{isolation: session}}\nquality: {{text: \"{text}\", windows: 2}}\n"
    );
    fs::write(&file, study).unwrap();
    file.display().to_string()
}

#[test]
fn a_study_records_its_text_and_is_repeated_without_the_hub() {
    let here = hub(card());
    let study = write_study(&here, &format!("hf:org/texts/{TABLE}"));
    let at = |name: &str| here.home.path().join(name).display().to_string();
    let whole = |arguments: &[&str], variables: &[(&str, &str)]| {
        let said = here.offprint(arguments, variables);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}{}", said.out, said.err);
        said.out.trim().to_owned()
    };
    let run = whole(&["run", &study, "--results", &at("results")], &[]);
    let text = data("texts.txt");
    assert!(fs::read(format!("{run}/quality.txt")).unwrap() == text);
    let environment: Value =
        serde_json::from_str(&fs::read_to_string(format!("{run}/environment.json")).unwrap()).unwrap();
    let source = format!("hf:org/texts@{COMMIT}/{TABLE}");
    let facts = json!({ "source": source, "sha256": sha256_hex(&text), "licence": "cc-by-sa-3.0, gfdl" });
    assert_eq!(environment["text"], facts);
    for (claim, value) in [
        ("quality.text", &source),
        ("quality.licence", &"cc-by-sa-3.0, gfdl".to_owned()),
        ("quality.sha256", &sha256_hex(&text)),
    ] {
        assert!(whole(&["explain", claim, "--run", &run], &[]).contains(value.as_str()), "{claim}");
    }

    // From here on there is neither the hub nor its copy of the text.
    here.hub.set_fault(Some(Fault::Closed(500)));
    fs::remove_dir_all(here.home.path().join("hub/datasets--org--texts")).unwrap();
    let cache = offprint::model::cache_dir().parent().unwrap().display().to_string();
    let alone = [("HF_HUB_OFFLINE", "1"), ("OFFPRINT_CACHE", cache.as_str())];
    whole(&["report", "--run", &run, "--out", &at("paper")], &alone);
    let paper = fs::read_to_string(at("paper/paper.md")).unwrap();
    assert!(paper.contains("cc-by-sa-3.0, gfdl"), "the paper tells the licence");
    let bundle = ["bundle", "--run", &run, "--version", "1.0.0", "--out", &at("b.zip"), "--paper", &at("paper")];
    let said = here.offprint(&bundle, &alone);
    assert!(said.code == Some(0) && said.err.contains("licence cc-by-sa-3.0, gfdl; whether it may"), "{}", said.err);
    assert!(whole(&["verify", &at("b.zip")], &alone).contains("all as they should be"));
    here.offprint(&["rerun", &at("b.zip"), "--out", &at("again")], &alone);
    let again: Vec<_> = fs::read_dir(at("again/results/texts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(again.len(), 1);
    let rows = |folder: &std::path::Path| fs::read_to_string(folder.join("quality.jsonl")).unwrap();
    assert_eq!(rows(&again[0]), rows(run.as_ref()), "the same text, and the same model");

    // A copy that is another is refused, in a folder and in the bundle's own check.
    fs::write(format!("{run}/quality.txt"), "w1").unwrap();
    let said = here.offprint(&["report", "--run", &run, "--out", &at("other")], &alone);
    assert_refused(&said, &["quality.txt", "expected a text with SHA-256"]);
}

/// What a run would refuse, doctor says; and the run does, before a model is fetched.
#[test]
fn doctor_looks_at_the_text_as_run_does() {
    let here = hub(json!(null));
    let doctor = |text: &str| {
        let study = write_study(&here, text);
        here.offprint(&["doctor", &study], &[])
    };
    let said = doctor(&format!("hf:org/texts/{TABLE}"));
    assert!(said.out.contains(&format!("the hub has it, at commit {COMMIT}; licence unknown")), "{}", said.out);
    assert!(!cached(&here, TABLE).exists(), "doctor fetches nothing");
    quality(&here, &format!("hf:org/texts/{TABLE}"), &[]);
    let said = doctor(&format!("hf:org/texts/{TABLE}"));
    assert!(said.out.contains(&format!("ok    text     hf:org/texts@{COMMIT}/{TABLE}: ")), "{}", said.out);

    quality(&here, "hf:org/texts/short.txt", &[]);
    let short = doctor("hf:org/texts/short.txt");
    assert!(short.code == Some(1) && short.out.contains("the text has 3 tokens"), "{}", short.out);
    let gone = doctor("gone.txt");
    assert!(gone.code == Some(1) && gone.out.contains("FAIL  text     quality.text: "), "{}", gone.out);

    fs::remove_dir_all(here.repository()).unwrap();
    here.hub.requests();
    for (text, words) in faults() {
        let study = write_study(&here, &text);
        let results = here.home.path().join("results").display().to_string();
        assert_refused(&here.offprint(&["run", &study, "--results", &results], &[]), words);
        assert!(!here.home.path().join("results").exists(), "nothing is begun");
        assert!(here.hub.requests().iter().all(|request| !request.path.contains("org/model")), "{text}");
    }
}
