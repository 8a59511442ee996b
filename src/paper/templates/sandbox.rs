//! What a template may do: loop over what the paper gives it, ask for claims, assign a few values. Everything else is refused, with its
//! place and what would fit: a template may be a stranger's, and nothing of it may run away, read a file or need more memory than its
//! text lets one expect.

use std::fmt;

use anyhow::{Result, bail};

const MOST_ASSIGNMENTS: usize = 10;
const LONGEST_TAG: usize = 200;
const DEEPEST_BRACKETS: usize = 32;

/// The paper's own functions, as a hint lists them.
const FUNCTIONS: [&str; 6] = ["n", "maybe", "has", "count", "holds", "says"];
const HINT: &str =
    "hint: a template may use n, maybe, has, count, holds, says, if, one loop in another's items, and set";

/// Something that a template of a paper may not.
#[derive(Debug)]
struct Refused {
    /// Byte of the text.
    at: usize,
    what: String,
}

/// A tag's inside, without its marks, and the byte at which it begins.
#[derive(Debug, Clone, Copy)]
struct Tag<'a> {
    at: usize,
    text: &'a str,
}

/// A tag is looked for in so many bytes after its mark: one that is longer is refused for its length anyway.
const FARTHEST: usize = 2 * LONGEST_TAG;

/// Checks the text of the file at `path` under `templates/`.
///
/// # Errors
/// The first thing that it may not, as `templates/PATH:line:column: what`.
pub(super) fn check(path: &str, text: &str) -> Result<()> {
    let marks = match path.split('/').next() {
        Some("skins") => [["<%", "%>"], ["<<", ">>"]],
        Some("sections") => [["{%", "%}"], ["{{", "}}"]],
        // Nobody here runs them; whose they are is told by `verify`.
        Some("living") => return Ok(()),
        // Data, which have readers of their own.
        _ => return brackets(text).or_else(|refused| place(path, text, &refused)),
    };
    let looked = brackets(text).and_then(|()| {
        let [statements, prints] = marks.map(|[open, close]| tags(text, open, close));
        check_statements(&statements)?;
        statements.iter().chain(&prints).try_for_each(check_tag)
    });
    looked.or_else(|refused| place(path, text, &refused))
}

fn place(path: &str, text: &str, Refused { at, what }: &Refused) -> Result<()> {
    let before = text.get(..*at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    bail!("templates/{path}:{line}:{column}: {what}\n{HINT}")
}

fn refuse<T>(at: usize, what: impl fmt::Display) -> Result<T, Refused> {
    Err(Refused { at, what: what.to_string() })
}

/// What stands between the marks.
fn tags<'a>(text: &'a str, open: &str, close: &str) -> Vec<Tag<'a>> {
    let pieces = text.match_indices(open).map(|(at, _)| at + open.len());
    pieces
        .map(|at| {
            let inside = &text[at..text.floor_char_boundary(at + FARTHEST)];
            let inside = inside.split(close).next().unwrap_or(inside);
            // A mark that opens again inside opens another tag.
            let inside = inside.split(open).next().unwrap_or(inside);
            Tag { at, text: inside.trim_matches('-').trim() }
        })
        .collect()
}

/// Statements that end, and need no more memory than their text lets one expect.
fn check_statements(tags: &[Tag<'_>]) -> Result<(), Refused> {
    let (mut loops, mut assignments) = (Vec::new(), 0);
    for Tag { at, text } in tags {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.first().copied().unwrap_or_default() {
            "for" => {
                // What belongs to the outer loop's item is gone through once in all.
                let of_outer = |outer: &&str| matches!(words[..], [_, _, "in", list] if list.split_once('.').is_some_and(|(of, _)| of == *outer));
                if !loops.last().is_none_or(of_outer) || loops.len() >= 2 {
                    return refuse(*at, format!("`{text}`: a loop inside a loop"));
                }
                loops.push(words.get(1).copied().unwrap_or_default());
            }
            "endfor" => drop(loops.pop()),
            "set" => assignments += 1,
            "if" | "elif" | "else" | "endif" => {}
            other => return refuse(*at, format!("`{other}`: a template of a paper may only loop, ask and assign")),
        }
        if assignments > MOST_ASSIGNMENTS {
            return refuse(*at, format!("`{text}`: more than {MOST_ASSIGNMENTS} assignments"));
        }
    }
    Ok(())
}

/// An expression that is short, calls nothing but the paper's own functions, and at most doubles a value.
fn check_tag(Tag { at, text }: &Tag<'_>) -> Result<(), Refused> {
    let shown: String = text.chars().take(60).collect();
    if text.len() > LONGEST_TAG {
        return refuse(*at, format!("`{shown}…`: more than {LONGEST_TAG} bytes"));
    }
    if text.contains(['|', '*', '[']) {
        return refuse(*at, format!("`{shown}`: a filter, a product or an index"));
    }
    if text.matches('~').count() > 2 {
        return refuse(*at, format!("`{shown}`: more than three parts"));
    }
    for (bracket, _) in text.match_indices('(') {
        let before = text[..bracket].trim_end();
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if !FUNCTIONS.contains(&name) && !["", "if", "and", "or", "not"].contains(&name) {
            return refuse(*at, format!("`{shown}`: `{name}` is no function of the paper's{}", likely(name)));
        }
    }
    Ok(())
}

/// `; the most similar is `holds``
fn likely(name: &str) -> String {
    let near = FUNCTIONS.into_iter().map(|known| (strsim::jaro(known, name), known));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.6);
    best.map_or_else(String::new, |(_, known)| format!("; the most similar is `{known}`"))
}

/// Parsers go as deep as their text does.
fn brackets(text: &str) -> Result<(), Refused> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST_BRACKETS {
            return refuse(at, format!("brackets deeper than {DEEPEST_BRACKETS}"));
        }
    }
    Ok(())
}
