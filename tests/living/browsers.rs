//! In real browsers: Chromium for what a reader does, Firefox for that it works there, too.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::{committed, said, scale, tools};

/// Ten thousand runs: their scalars stand in columns, and all that can be computed from those is.
#[test]
fn ten_thousand_runs_in_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let made = scale::generate(folder.path(), 9_996);
    scale::cost(Path::new(env!("CARGO_BIN_EXE_offprint")), "report", &made);
    let page = made.join("paper/paper.html");
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.len() < 8 << 20, "{} bytes", text.len());
    assert!(text.contains("offprint.columns/1") && !text.contains("\"output_text\""));
    let Some(found) = browse("changed", &page, &[]) else { return };
    let check = &found["check"];
    // How long it took is said for who looks; nothing rests on it.
    eprintln!("{} bytes, ready after {} ms, every number again in {} ms", text.len(), check["ready"], check["ms"]);
    assert_eq!(
        (&found["js"], &check["other"], &check["sha256"]),
        (&Value::Bool(true), &Value::Array(Vec::new()), &Value::Null),
        "{found:#}"
    );
    assert!(check["agree"].as_u64().unwrap() > 1000, "{found:#}");
}

fn browse(what: &str, page: &Path, more: &[&Path]) -> Option<Value> {
    let tools = tools()?;
    let mut command = Command::new(tools.join("python"));
    command.arg(format!("tests/living/{what}.py")).arg(page.canonicalize().unwrap());
    command.args(more.iter().map(|path| path.canonicalize().unwrap()));
    Some(serde_json::from_str(&said(&mut command)).unwrap())
}

/// Cards, links, figures, tables, the slider, downloads, another run: `chromium.py` does what a reader does.
#[test]
fn a_reader_in_chromium() {
    let published = &committed()[0];
    let dropped = [Path::new("results/bundles/smollm2-1.2.0.zip"), Path::new("Cargo.toml")];
    let more = [published.paper.join("claims.json"), published.runs()];
    let more: Vec<&Path> = more.iter().map(|path| path.as_path()).chain(dropped).collect();
    let Some(found) = browse("chromium", &published.paper.join("paper.html"), &more) else { return };
    assert_eq!(found["failed"], Value::Array(Vec::new()), "{found:#}");
    assert!(found["steps"].as_u64().unwrap() >= 25, "{found:#}");
}

/// What axe finds wrong for readers who do not see, in six states.
#[test]
fn nothing_stands_in_the_way_of_those_who_do_not_see() {
    let Some(found) = browse("axe", &committed()[0].paper.join("paper.html"), &[]) else { return };
    assert_eq!(found["violations"], Value::Array(Vec::new()), "{found:#}");
    assert_eq!(found["states"], 6);
}

#[test]
fn a_reader_in_firefox() {
    for published in committed() {
        let Some(found) = browse("firefox", &published.paper.join("paper.html"), &[]) else { return };
        let name = published.paper.display();
        assert_eq!(
            (&found["other"], &found["records"]),
            (&Value::Array(Vec::new()), &Value::Bool(true)),
            "{name}: {found:#}"
        );
        assert!(found["agree"].as_u64().unwrap() > 500, "{name}: {found:#}");
    }
}

/// A page whose data try to get out, one whose script was changed, one whose records were.
#[test]
fn a_page_that_somebody_changed() {
    if tools().is_none() {
        return;
    }
    let page = fs::read_to_string("paper/paper.html").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let changed = |name: &str, text: String| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        browse("changed", &file, &[]).unwrap()
    };
    // One letter of the script: it is not run, and the paper stands.
    let tampered = changed("tampered.html", page.replacen("const Stats = (", "const Stats  = (", 1));
    assert_eq!((&tampered["js"], &tampered["ran"]), (&Value::Bool(false), &Value::Bool(false)), "{tampered:#}");
    assert!(tampered["text"].as_u64().unwrap() > 30_000, "{tampered:#}");
    // Elements and an address in the data, and a script of somebody else's in the text.
    let hostile = "\\u003c/script>\\u003cimg src=x onerror=\\\"window.ran=1\\\">\u{202e}";
    let bad = page.replacen("\"output_text\":\"", &format!("\"output_text\":\"{hostile}"), 1).replacen(
        "</main>",
        "<img src=x onerror=\"window.ran=1\"><script>window.ran=1</script><a id=x></a></main>",
        1,
    );
    let bad = changed("hostile.html", bad);
    assert_eq!(
        (&bad["js"], &bad["ran"], &bad["requests"]),
        (&Value::Bool(true), &Value::Bool(false), &Value::from(0)),
        "{bad:#}"
    );
    assert_eq!(bad["check"]["records"], Value::Bool(false), "the records are not those that the paper names: {bad:#}");
    // A number of the records: the page says which do not follow from them.
    let at = page.find("\"e2e_ns\":").unwrap() + "\"e2e_ns\":".len();
    let digits = page[at..].find(',').unwrap();
    let altered =
        format!("{}{}{}", &page[..at], page[at..at + digits].parse::<u64>().unwrap() + 1, &page[at + digits..]);
    let altered = changed("altered.html", altered);
    assert_eq!(altered["check"]["records"], Value::Bool(false));
}
