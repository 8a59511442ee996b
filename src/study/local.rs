//! What a study says of its author's own machine -> what may be published of it. A folder there is known by its last part, marked as
//! local; an error that quotes a path keeps the path's last part.

use super::{Engine, Http, Problem, Study};

const MARK: &str = " (local)";

/// A source as records and papers name it: `path:/home/ana/models/x` is `path:x (local)`; any other stays as it is.
pub fn published_source(source: &str) -> String {
    match folder(source) {
        Some((packed, folder)) if !folder.ends_with(MARK) => format!("{packed}path:{}{MARK}", last_part(folder)),
        _ => source.to_owned(),
    }
}

/// The folder of a local source, and before it how it is packed here.
pub fn folder(source: &str) -> Option<(&str, &str)> {
    let of = match source.strip_prefix("quantized:") {
        Some(rest) => rest.split_once(':')?.1,
        None => source,
    };
    Some((&source[..source.len() - of.len()], of.strip_prefix("path:")?))
}

/// A server's address as records and papers name it: another machine's is nobody's business. The name is one that no machine has.
pub fn published_url(http: &Http) -> &str {
    match (http.remote, http.url.starts_with("https://")) {
        (false, _) => &http.url,
        (true, true) => "https://another-machine.invalid",
        (true, false) => "http://another-machine.invalid",
    }
}

/// Does the source name a folder of another machine?
pub fn is_elsewhere(source: &str) -> bool {
    folder(source).is_some_and(|(_, folder)| folder.ends_with(MARK))
}

/// The study's text with every local source as it may be published; the rest of it is untouched.
///
/// # Errors
/// A source that is written so that its place in the text is not found.
pub fn published_text(text: &str, study: &Study) -> Result<String, Problem> {
    let mut sources = study.sources();
    sources.sort_by_key(|source| std::cmp::Reverse(source.len()));
    sources.dedup();
    let (mut copy, mut expected) = (text.to_owned(), study.clone());
    for source in sources {
        copy = replaced(&copy, source, &published_source(source));
    }
    for http in study.models.iter().filter_map(|model| model.engine.http()) {
        copy = replaced(&copy, &http.url, published_url(http));
    }
    for drafter in &mut expected.drafts {
        drafter.source = published_source(&drafter.source);
    }
    for model in &mut expected.models {
        model.source = published_source(&model.source);
        if let Engine::Http(http) = &mut model.engine {
            http.url = published_url(http).to_owned();
        }
    }
    // Comments may name a folder, too: then it was replaced there, which changes no meaning.
    match Study::from_str("", &copy) {
        Ok(found) if found == expected => Ok(copy),
        _ => Err(Problem {
            key: "models".to_owned(),
            what: "a `source` with a local folder is written so that its published form cannot take its place"
                .to_owned(),
            hint: "write it plainly on its own line: source: path:/some/folder".to_owned(),
        }),
    }
}

/// Every `from` in the text that is not the beginning of a longer word.
fn replaced(text: &str, from: &str, to: &str) -> String {
    if from == to {
        return text.to_owned();
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(from) {
        let (before, found) = rest.split_at(at);
        let after = &found[from.len()..];
        out += before;
        let ends = after.chars().next().is_none_or(|c| c.is_whitespace() || "\"',]}#".contains(c));
        out += if ends { to } else { from };
        rest = after;
    }
    out + rest
}

/// The name of a folder or file, whatever system its path is of.
fn last_part(path: &str) -> &str {
    let mut parts = path.split(['/', '\\']).filter(|part| !["", ".", "..", "~"].contains(part));
    parts.next_back().unwrap_or("folder")
}

/// A text that a program wrote, such as an error, without the paths in it: of each the last part stays. `known` are folders of this
/// machine, which may hold spaces, and `home` is the user's.
pub fn without_paths(text: &str, known: &[String], home: Option<&str>) -> String {
    let known = known.iter().map(|path| (path.as_str(), format!("/{}", last_part(path))));
    let home = home.map(|home| (home.trim_end_matches(['/', '\\']), "~".to_owned()));
    let mut known: Vec<(&str, String)> = known.chain(home).collect();
    known.retain(|(path, _)| path.contains(['/', '\\']) && path.len() > 1);
    known.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    let mut text = text.to_owned();
    for (path, shown) in known {
        text = text.replace(path, &shown);
    }
    let (mut out, mut rest) = (String::new(), text.as_str());
    while let Some(start) = path_start(rest, out.chars().last()) {
        out += &rest[..start];
        let path = &rest[start..];
        let end = path.find(|c: char| c.is_whitespace() || "\"'`<>|()[]{},;".contains(c)).unwrap_or(path.len());
        let (path, after) = path.split_at(end);
        // Signs that end a sentence or a place, not a path.
        let bare = path.trim_end_matches([':', '.']);
        out += last_part(bare);
        out += &path[bare.len()..];
        rest = after;
    }
    out + rest
}

/// Where a path from a root or a home begins: `/home/ana`, `~/models`, `C:\Users`, `file:///home`. `before` stands before the text.
fn path_start(text: &str, before: Option<char>) -> Option<usize> {
    let mut previous = before;
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        let begins = previous.is_none_or(|c| c.is_whitespace() || "\"'`<(=[{:,;|".contains(c));
        let next = rest[c.len_utf8()..].chars().next();
        let is_path = match c {
            '/' => next.is_some_and(|next| next.is_alphanumeric() || "._-~".contains(next)),
            '~' => next == Some('/'),
            'f' => rest.starts_with("file:/"),
            c if c.is_ascii_alphabetic() => rest[1..].starts_with(":\\"),
            _ => false,
        };
        if begins && is_path {
            return Some(at);
        }
        previous = Some(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_source_is_published_by_its_last_part() {
        for (source, published) in [
            ("path:/home/ana/models/x", "path:x (local)"),
            ("path:/Users/jane doe/models/my model/", "path:my model (local)"),
            ("path:models/x", "path:x (local)"),
            ("path:../../ana/x/.", "path:x (local)"),
            ("path:~/x", "path:x (local)"),
            ("path:C:\\Users\\Ana\\x", "path:x (local)"),
            ("path:.", "path:folder (local)"),
            ("path:x (local)", "path:x (local)"),
            ("hf:org/name@main", "hf:org/name@main"),
            ("fake:pace=2", "fake:pace=2"),
            ("quantized:4:path:/home/ana/models/x", "quantized:4:path:x (local)"),
            ("quantized:4:hf:org/name", "quantized:4:hf:org/name"),
        ] {
            assert_eq!(published_source(source), published, "{source}");
        }
        assert!(is_elsewhere("path:x (local)") && !is_elsewhere("path:x") && !is_elsewhere("hf:a/b"));
    }

    fn study(models: &str) -> String {
        format!(
            "# mine\nmodels:\n{models}\nprompts: [\"a\"]\nbenchmark_settings: {{max_tokens: [8], temperatures: [0.3], num_runs: 1}}\n"
        )
    }

    #[test]
    fn the_copy_of_a_study_is_the_study_but_for_its_folders() {
        for (models, copy) in [
            ("  - {id: a, name: A, source: path:/home/ana/x}", "  - {id: a, name: A, source: path:x (local)}"),
            (
                "  - id: a\n    name: A\n    source: \"path:/home/ana/x y\" # mine",
                "  - id: a\n    name: A\n    source: \"path:x y (local)\" # mine",
            ),
            (
                "  - {id: a, name: A, source: path:m/x}\n  - {id: b, name: B, source: path:m/x2}",
                "  - {id: a, name: A, source: path:x (local)}\n  - {id: b, name: B, source: path:x2 (local)}",
            ),
            ("  - {id: a/b, name: A}", "  - {id: a/b, name: A}"),
        ] {
            let text = study(models);
            let read = Study::from_str("s.yaml", &text).unwrap();
            assert_eq!(published_text(&text, &read).map_err(|problem| problem.what), Ok(study(copy)));
        }
    }

    #[test]
    fn a_model_that_drafts_is_published_as_a_model_is() {
        let of = |models: &str, draft: &str| {
            study(models)
                + &format!("factors: {{draft: [none, d]}}\ndrafts: [{{id: d, source: \"{draft}\", tokens: 2}}]\n")
        };
        let text = of("  - {id: a, name: A, source: path:/home/ana/x}", "quantized:4:path:/home/ana/x");
        let read = Study::from_str("s.yaml", &text).unwrap();
        let copy = of("  - {id: a, name: A, source: path:x (local)}", "quantized:4:path:x (local)");
        assert_eq!(published_text(&text, &read).map_err(|problem| problem.what), Ok(copy));
    }

    #[test]
    fn another_machine_is_not_named() {
        let engine = "{name: s, http: {url: \"https://box.example.org:8443\", remote: true, length: ignore_eos}}";
        let text = study(&format!("  - {{id: a/b, name: A, source: server, engine: {engine}}} # box"));
        let read = Study::from_str("s.yaml", &text).unwrap();
        let copy = published_text(&text, &read).map_err(|problem| problem.what).unwrap();
        assert!(!copy.contains("example.org") && copy.contains("https://another-machine.invalid"), "{copy}");
    }

    #[test]
    fn a_source_whose_place_is_not_found_is_refused() {
        let text = study("  - {id: a, name: A, source: \"path:\\x2Fhome/ana\"}");
        let read = Study::from_str("s.yaml", &text).unwrap();
        assert_eq!(read.models[0].source, "path:/home/ana");
        assert!(published_text(&text, &read).is_err());
    }

    #[test]
    fn an_error_keeps_the_last_part_of_every_path() {
        let known = ["/Users/jane doe/models/x".to_owned(), "models/y".to_owned(), "z".to_owned()];
        for (text, shown) in [
            ("/home/ana/x/config.json: no such file", "config.json: no such file"),
            ("\"/home/ana/x/a.json\" and `~/m/b.json`.", "\"a.json\" and `b.json`."),
            ("/Users/jane doe/models/x/config.json: bad", "config.json: bad"),
            ("path:/Users/jane doe/models/x is empty", "path:x is empty"),
            ("models/y/config.json: bad", "config.json: bad"),
            ("file:///home/ana/x", "x"),
            ("C:\\Users\\Ana\\x.bin: bad", "x.bin: bad"),
            (
                "12 tok/s, 1/2, https://huggingface.co/a/b and/or n / a",
                "12 tok/s, 1/2, https://huggingface.co/a/b and/or n / a",
            ),
            ("/home/ana: cannot be read", "~: cannot be read"),
            ("/home/ana/.cache/hub/x: cannot be read", "x: cannot be read"),
        ] {
            assert_eq!(without_paths(text, &known, Some("/home/ana")), shown);
        }
    }
}
