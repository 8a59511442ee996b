//! docs/WORKER.md has every message and field of the protocol, and no others.

use std::{collections::BTreeSet, fs};

use offprint::bench::worker::protocol::{Can, Generate, Generated, Hello, Load, Loaded, Serve, Served, Taken};
use offprint::engine::{Prompt, Request, Sampling};
use serde_json::Value;

use super::*;

#[test]
fn the_document_has_every_field() {
    let document = fs::read_to_string(root().join("docs/WORKER.md")).unwrap();
    let request = Request {
        prompt: Prompt::Text("p".to_owned()),
        context: 0,
        batch: 1,
        chat_template: None,
        max_tokens: 1,
        sampling: Sampling { temperature: 0.0, top_p: None, min_p: None, top_k: None },
        seed: 1,
        stop_on_eos: false,
        draft: None,
    };
    let types: [(&str, Value); 9] = [
        ("hello", serde_json::to_value(Hello::default()).unwrap()),
        ("can", serde_json::to_value(Can::default()).unwrap()),
        ("load", serde_json::to_value(Load { place: String::new(), threads: None, draft: None }).unwrap()),
        ("loaded", serde_json::to_value(Loaded::default()).unwrap()),
        ("generate", serde_json::to_value(Generate::of(1, &request)).unwrap()),
        ("generated", serde_json::to_value(Generated::default()).unwrap()),
        ("serve", serde_json::to_value(Serve { id: 1, requests: Vec::new(), due_ns: Vec::new(), at_once: 1 }).unwrap()),
        ("served", serde_json::to_value(Served::default()).unwrap()),
        ("taken", serde_json::to_value(Taken::default()).unwrap()),
    ];
    for (name, json) in types {
        let section =
            document.split(&format!("\n### `{name}`")).nth(1).unwrap_or_else(|| panic!("no section on {name}"));
        let section = section.split("\n#").next().unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let documented: BTreeSet<&str> = rows.collect();
        let fields: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(documented, fields, "docs/WORKER.md, {name}");
    }
}

/// The example of adapters/README.md is a worker.
#[test]
fn the_example_of_the_readme_passes() {
    let readme = fs::read_to_string(root().join("adapters/README.md")).unwrap();
    let example = readme.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("example.py");
    fs::write(&script, example).unwrap();
    let output = check(&["python3", script.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}
