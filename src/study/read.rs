//! YAML text -> `file::File`, or another document of ours, or the place and a sentence for what stops it. serde's messages are put into
//! the words of such a file here; one that is not recognised is passed on as it is.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::{
    error::{Place, Problem},
    file::File,
    locate,
};

/// A study is text written by a person. The bound also bounds the parser's time on hostile nesting.
const MAX_BYTES: usize = 128 * 1024;

/// A file's bytes as text.
///
/// # Errors
/// What was found instead of UTF-8.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, String> {
    let expected = |found: &str| format!("expected UTF-8, found {found}");
    // ASCII in UTF-16 is every other byte zero, with a mark or without.
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => return Err(expected("UTF-16, little-endian")),
        [0xfe, 0xff, ..] => return Err(expected("UTF-16, big-endian")),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => return Err(expected("UTF-16 without its mark")),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => return Err(expected("UTF-16 without its mark")),
        _ => {}
    }
    String::from_utf8(bytes).map_err(|error| expected(&error.utf8_error().to_string()))
}

pub(super) fn read(text: &str) -> Result<File, (Option<Place>, Problem)> {
    document(&STUDY, text)
}

/// What a document of ours is called, and what it lists.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) lists: &'static str,
    /// The document about it.
    pub(crate) guide: &'static str,
}

const STUDY: Kind = Kind { name: "study", lists: "models, prompts and benchmark_settings", guide: "docs/FORMAT.md" };

/// # Errors
/// What is wrong, in the words of the document.
pub(crate) fn document<T: DeserializeOwned>(kind: &Kind, text: &str) -> Result<T, (Option<Place>, Problem)> {
    let Kind { name, lists, .. } = kind;
    if text.len() > MAX_BYTES {
        return Err((
            None,
            Problem::new(
                "",
                format!("expected a {name} of at most {MAX_BYTES} bytes, found {} bytes", text.len()),
                format!("is this a {name} file? one lists {lists} in YAML"),
            ),
        ));
    }
    // Syntax first: otherwise half a file is judged, and a lost bracket reads like a wrong type.
    serde_yaml::from_str::<IgnoredAny>(text)
        .and_then(|_| serde_yaml::from_str(text))
        .map_err(|error| reword(kind, text, &error))
}

fn reword(Kind { name, guide, .. }: &Kind, text: &str, error: &serde_yaml::Error) -> (Option<Place>, Problem) {
    let place = locate::of_error(error);
    let message = error.to_string();
    let message = place
        .and_then(|at| message.strip_suffix(&format!(" at line {} column {}", at.line, at.column)))
        .unwrap_or(&message);
    let (key, message) = split_key(message);

    if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut names = quoted(rest);
        let found = names.next().unwrap_or_default();
        let known: Vec<&str> = names.collect();
        let mut hint = of_later(found).unwrap_or_else(|| did_you_mean(found, &known));
        if key.starts_with("prompts[") {
            hint.push_str("; a prompt with `: ` in it needs quotes");
        }
        return (place, Problem::new(join(key, found), "unknown key", hint));
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let mut names = quoted(rest);
        let found = names.next().unwrap_or_default();
        let known: Vec<&str> = names.collect();
        let what = format!("expected {}, found `{found}`", known.join(" or "));
        return (place, Problem::new(key, what, did_you_mean(found, &known)));
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        let missing = quoted(rest).next().unwrap_or_default();
        let inside = if key.is_empty() { format!("the {name}") } else { format!("`{key}`") };
        let what = format!("expected the key `{missing}`, found none");
        return (place, Problem::new(join(key, missing), what, format!("add `{missing}:` to {inside}")));
    }
    if let Some(rest) = message.strip_prefix("duplicate field ") {
        let repeated = quoted(rest).next().unwrap_or_default();
        let place = locate::repeated_key(text, key, repeated).or(place);
        let problem = Problem::new(join(key, repeated), "expected the key once, found it twice", "keep one of the two");
        return (place, problem);
    }
    if let Some((found, expected)) = mismatch(message) {
        let what = format!("expected {}, found {found}", plain_type(expected));
        return (place, Problem::new(key, what, type_hint(expected, guide)));
    }
    if message.contains("more than one document") {
        let problem = Problem::new(
            key,
            "expected one document, found two",
            format!("keep one {name} a file; remove the `---` line"),
        );
        return (locate::second_document(text), problem);
    }
    let hint = match message {
        "unknown anchor" => "a text that begins with `*` needs quotes".to_owned(),
        _ if message.starts_with("recursion limit") || message.starts_with("repetition limit") => {
            format!("a {name} is three levels deep and needs no anchors; write the values out")
        }
        _ => "check indentation, quotes and brackets near this place; a text with `: ` or `#` needs quotes".to_owned(),
    };
    (place, Problem::new(key, message, hint))
}

/// serde_yaml puts the path of the value before its message: `models[0].id: invalid type: ...`.
fn split_key(message: &str) -> (&str, &str) {
    let is_path = |c: char| c.is_ascii_alphanumeric() || "_.[]?".contains(c);
    match message.split_once(": ") {
        Some((path, rest)) if !path.is_empty() && path.chars().all(is_path) => (path, rest),
        _ => ("", message),
    }
}

fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

/// The names that a message sets in backticks.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// `invalid type: FOUND, expected EXPECTED`; what was found may itself hold that phrase.
fn mismatch(message: &str) -> Option<(&str, &str)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    rest.rsplit_once(", expected ")
}

/// Rust's names of types in the words of a study file.
fn plain_type(expected: &str) -> &str {
    match expected {
        "u32" => "a whole number, 0 or more (at most 4294967295)",
        "u64" => "a whole number, 0 or more",
        "f64" => "a number",
        "a string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "field identifier" | "a map" => "a key",
        _ if expected.starts_with("struct ") => "a mapping of keys to values",
        other => other,
    }
}

fn type_hint(expected: &str, guide: &str) -> String {
    let hint = match expected {
        "u32" | "u64" => "write digits only, with no quotes and no decimal point",
        "f64" => "write a number such as 0.7, with no quotes",
        "a string" => "set it in double quotes",
        "a sequence" => "write it as [a, b], or one `- item` a line",
        _ => return format!("{guide} lists every key with its type"),
    };
    hint.to_owned()
}

/// The way out of a key that says what a file is: no file of ours has one, so a later program's may.
pub(crate) fn of_later(key: &str) -> Option<String> {
    let own = env!("CARGO_PKG_VERSION");
    (key == "schema").then(|| {
        format!("a file that names its schema is for a later offprint than this, {own}: use that, or leave the key out")
    })
}

pub(crate) fn did_you_mean(found: &str, known: &[&str]) -> String {
    let distance = |name: &&&str| strsim::damerau_levenshtein(found, name);
    match known.iter().min_by_key(distance).filter(|name| distance(name) <= name.len() / 3 + 1) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}
