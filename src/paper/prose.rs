//! The section templates, filled with claims: Tera in, Markdown out. Every inserted value is escaped for Markdown;
//! an id that no claim has is an error that names the template and its line.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::Arc,
};

use anyhow::{Context as _, Result, anyhow};
use serde::Serialize;
use tera::{Context, Error, Kwargs, State, Tera, TeraResult};

use super::{
    Templates, marks,
    nearest::nearest,
    proofread::{self, Known, Rules},
};
use crate::claims::{
    Claim, Claims, Id, Value,
    own::{self, Own},
    words,
};
pub use crate::seen::seen;

/// All sections as one Markdown text, with marks at what claims and predicates say.
///
/// # Errors
/// A section that breaks the rules of prose, an unknown claim or predicate, or a template that is none; with file and line.
pub fn sections(templates: &Templates, claims: &Claims, levels: &impl Serialize) -> Result<String> {
    let sections = templates.sections();
    let own = templates.claims().map(|text| Own::read(own::FILE, text)).transpose()?;
    let rules = Rules::read(templates.get("prose.yaml")?)?;
    let levels = serde_json::to_value(levels)?;
    let names = levels.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect();
    proofread::check(&sections, &Known { claims, rules: &rules, own: own.as_ref(), names: &names })?;
    fill(claims, &levels, &sections)
}

fn fill(claims: &Claims, levels: &impl Serialize, sections: &[(&str, &str)]) -> Result<String> {
    let mut tera = Tera::new();
    tera.autoescape_on(vec![".md"]);
    tera.set_escape_fn(|bytes, out| out.write_all(escape_marked(bytes).as_bytes()));
    register(&mut tera, claims);
    let bare: Vec<(&str, String)> = sections.iter().map(|(name, text)| (*name, asked_bare(text))).collect();
    tera.add_raw_templates(bare.iter().map(|(name, text)| (*name, text.as_str()))).map_err(|error| {
        let text = error.to_string();
        let said = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        anyhow!(
            "templates/sections/: {said}\nhint: every {{% if %}} and {{% for %}} needs its end, every {{{{ its }}}}"
        )
    })?;
    // A study's own words bring no mark in.
    let levels = seen_in(serde_json::to_value(levels)?);
    let context = Context::from_serialize(&levels).map_err(|error| anyhow!("{error}"))?;
    let mut text = String::new();
    for (name, _) in sections {
        let mut section = Capped(Vec::new());
        let filled = tera.render_to(name, &context, &mut section).map_err(|error| anyhow!("{error}"));
        filled.with_context(|| {
            format!(
                "templates/sections/{name}\nhint: offprint docs claims lists every id, docs/PAPERS.md every function"
            )
        })?;
        text += String::from_utf8(section.0).with_context(|| format!("templates/sections/{name}"))?.trim();
        text += "\n\n";
    }
    Ok(text)
}

/// A text that stops growing: templates may be somebody else's.
struct Capped(Vec<u8>);

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const LONGEST_SECTION: usize = 32 << 20;
        if self.0.len() + bytes.len() > LONGEST_SECTION {
            return Err(io::Error::other(format!("more than {LONGEST_SECTION} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The doors for data into prose.
fn register(tera: &mut Tera, claims: &Claims) {
    let claims = Arc::new(claims.clone());
    let places = |ids: Vec<&Id>| -> Arc<BTreeMap<Id, usize>> {
        Arc::new(ids.into_iter().enumerate().map(|(place, id)| (id.clone(), place)).collect())
    };
    let (of_claims, of_predicates) =
        (places(claims.claims.keys().collect()), places(claims.predicates.keys().collect()));
    let mark =
        move |id: &str, text: &str| marks::claim(of_claims.get(id).copied().unwrap_or_default(), &seen_text(text));
    // In a condition a text is compared, and has no mark.
    for (name, marked) in [("n", true), ("bare_n", false)] {
        let (known, mark) = (Arc::clone(&claims), mark.clone());
        // n(id="latency.mean"): the text of a claim.
        tera.register_function(name, move |args: Kwargs, _: &State| -> TeraResult<String> {
            let id: String = args.must_get("id")?;
            let claim = known.claims.get(id.as_str()).ok_or_else(|| unknown(&id, known.claims.keys()))?;
            Ok(if marked { mark(&id, &claim.text) } else { claim.text.clone() })
        });
    }
    for (name, marked) in [("maybe", true), ("bare_maybe", false)] {
        let (known, mark) = (Arc::clone(&claims), mark.clone());
        // maybe(id=...): the same, or a dash where a design gives no such number (one run has no deviation).
        tera.register_function(name, move |args: Kwargs, _: &State| -> TeraResult<String> {
            let id: String = args.must_get("id")?;
            let text = |claim: &Claim| if marked { mark(&id, &claim.text) } else { claim.text.clone() };
            Ok(known.claims.get(id.as_str()).map_or_else(|| "–".to_owned(), text))
        });
    }
    let known = Arc::clone(&claims);
    // has(id=...): is there such a claim? What a design does not give is then said in words.
    tera.register_function("has", move |args: Kwargs, _: &State| -> TeraResult<bool> {
        let id: String = args.must_get("id")?;
        Ok(known.claims.contains_key(id.as_str()) || known.predicates.contains_key(id.as_str()))
    });
    for (name, marked) in [("count", true), ("bare_count", false)] {
        let (known, mark) = (Arc::clone(&claims), mark.clone());
        // count(id="study.prompts", one="prompt", many="prompts"): `1 prompt`, `3 prompts`.
        tera.register_function(name, move |args: Kwargs, _: &State| -> TeraResult<String> {
            let (id, one, many): (String, String, String) =
                (args.must_get("id")?, args.must_get("one")?, args.must_get("many")?);
            match known.claims.get(id.as_str()).map(|claim| &claim.value) {
                Some(Value::Integer(n)) => {
                    let text = words::counted(usize::try_from(*n).unwrap_or(0), &one, &many);
                    Ok(if marked { mark(&id, &text) } else { text })
                }
                Some(_) => Err(Error::message(format!("the claim `{id}` is no count"))),
                None => Err(unknown(&id, known.claims.keys())),
            }
        });
    }
    let known = Arc::clone(&claims);
    // holds(id="complete"): does the predicate hold? Inconclusive is no.
    tera.register_function("holds", move |args: Kwargs, _: &State| -> TeraResult<bool> {
        let id: String = args.must_get("id")?;
        let predicate = known.predicates.get(id.as_str()).ok_or_else(|| unknown(&id, known.predicates.keys()))?;
        Ok(predicate.holds == Some(true))
    });
    for (name, marked) in [("says", true), ("bare_says", false)] {
        let (known, places) = (Arc::clone(&claims), Arc::clone(&of_predicates));
        // says(id="complete"): the sentence that the predicate allows.
        tera.register_function(name, move |args: Kwargs, _: &State| -> TeraResult<String> {
            let id: String = args.must_get("id")?;
            let predicate = known.predicates.get(id.as_str()).ok_or_else(|| unknown(&id, known.predicates.keys()))?;
            let place = places.get(id.as_str()).copied().unwrap_or_default();
            Ok(if marked { marks::sentence(place, &seen_text(&predicate.text)) } else { predicate.text.clone() })
        });
    }
}

/// The same section, with functions in its conditions that give texts without marks.
fn asked_bare(section: &str) -> String {
    let mut out = String::with_capacity(section.len());
    let mut rest = section;
    while let Some(at) = rest.find("{%") {
        let end = rest[at..].find("%}").map_or(rest.len(), |end| at + end);
        let (before, tag) = (&rest[..at], &rest[at..end]);
        out += before;
        let word = tag[2..].trim_start_matches('-').trim_start();
        let asks = ["if ", "elif "].iter().any(|word_| word.starts_with(word_));
        out += &if asks { bare_calls(tag) } else { tag.to_owned() };
        rest = &rest[end..];
    }
    out + rest
}

fn bare_calls(tag: &str) -> String {
    let mut out = String::with_capacity(tag.len());
    let mut before = ' ';
    for (at, c) in tag.char_indices() {
        let starts = !before.is_alphanumeric() && !"_.\"'".contains(before);
        let called = |name: &&str| tag[at..].starts_with(name) && tag[at + name.len()..].trim_start().starts_with('(');
        if starts && ["n", "maybe", "count", "says"].iter().any(called) {
            out += "bare_";
        }
        out.push(c);
        before = c;
    }
    out
}

/// Every text in it, as a reader may see it.
fn seen_in(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::String(text) if text.contains(marks::is_mark) => Json::String(seen_text(&text)),
        Json::Array(items) => Json::Array(items.into_iter().map(seen_in).collect()),
        Json::Object(fields) => Json::Object(fields.into_iter().map(|(name, value)| (name, seen_in(value))).collect()),
        other => other,
    }
}

fn seen_text(text: &str) -> String {
    text.chars().map(seen).collect()
}

/// An id that does not exist, with the one that is most like it.
fn unknown<'a>(id: &str, known: impl Iterator<Item = &'a Id>) -> Error {
    Error::message(format!("there is no claim or predicate `{id}`; the most similar is `{}`", nearest(id, known)))
}

/// Text that somebody else wrote, made harmless in Markdown: every character with a meaning there is escaped, characters that
/// control or that nobody sees become U+FFFD, line ends become spaces.
pub fn escape(text: &str) -> String {
    escape_with(text, seen)
}

/// The same, and marks stay.
fn escape_marked(text: &str) -> String {
    escape_with(text, |c| if marks::is_mark(c) { c } else { seen(c) })
}

fn escape_with(text: &str, seen: impl Fn(char) -> char) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(seen) {
        // `.` and `-` have a meaning at a line's start only, where no value is inserted.
        if c.is_ascii_punctuation() && !".,-:;%/()?'\"+=".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{CLAIMS_SCHEMA, Runs, Source};
    use crate::paper::Levels;

    fn claims(text: &str) -> Claims {
        let claim = Claim { value: Value::Text(text.into()), text: text.into(), ..Claim::of("", &Runs::default()) };
        Claims {
            schema: CLAIMS_SCHEMA.into(),
            source: Source { run_id: String::new(), sha256: String::new() },
            claims: BTreeMap::from([("latency.mean".into(), claim)]),
            predicates: BTreeMap::new(),
        }
    }

    fn levels() -> Levels {
        Levels::default()
    }

    #[test]
    fn an_unknown_id_names_template_line_and_the_nearest() {
        let error = fill(&claims("1"), &levels(), &[("x.md", "one\n{{ n(id=\"latency.meen\") }}")]).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("templates/sections/x.md") && text.contains("x.md:2"), "{text}");
        assert!(text.contains("the most similar is `latency.mean`"), "{text}");
    }

    /// A condition compares a text, not its mark; and no data brings a mark in.
    #[test]
    fn conditions_see_texts_and_data_have_no_marks() {
        let asks = "{% if n(id=\"latency.mean\") == \"1\" %}{{ n(id='latency.mean') }}{%- elif maybe(id=\"x.n(\") == \"1\" %}no{% endif %}";
        let text = fill(&claims("1"), &levels(), &[("x.md", asks)]).unwrap();
        assert_eq!(text.trim_end(), marks::claim(0, "1"));
        let forged =
            fill(&claims("\u{e000}7\u{e001}x\u{e002}"), &levels(), &[("x.md", "{{ n(id=\"latency.mean\") }}")])
                .unwrap();
        assert_eq!(marks::strip(forged.trim_end()), "\u{fffd}7\u{fffd}x\u{fffd}");
    }

    #[test]
    fn an_inserted_value_is_plain_text() {
        let hostile = "<script>*a*|`b`[c](d)$x$\u{1b}[31m\\input{e}@figure:latency #";
        let text = fill(&claims(hostile), &levels(), &[("x.md", "{{ n(id=\"latency.mean\") }}")]).unwrap();
        assert_eq!(
            marks::strip(text.trim_end()),
            "\\<script\\>\\*a\\*\\|\\`b\\`\\[c\\](d)\\$x\\$\u{fffd}\\[31m\\\\input\\{e\\}\\@figure:latency \\#"
        );
    }
}
