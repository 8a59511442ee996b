//! Prose with its marks -> the words that a reader sees, each with the place of its first letter.

use crate::seen::seen;

/// A piece of prose, or a gap that ends a word.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run<'a> {
    Prose { start: usize, text: &'a str },
    Gap,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub at: usize,
    pub text: String,
}

/// Is emphasis inside of a word a part of its look (`**fas**ter`), or does it end the word (`a*3`)?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emphasis {
    Looks,
    Ends,
}

const ENDS: &str = "|(),;:!?–—=<>≈~≤≥±×·…";

/// Signs that may be written by name: they are neither letters nor numbers.
const NAMED: [&str; 10] = ["amp", "lt", "gt", "quot", "apos", "nbsp", "thinsp", "ndash", "mdash", "hellip"];

/// The words of runs that follow each other.
pub(super) fn words(runs: &[Run<'_>], emphasis: Emphasis) -> Vec<Word> {
    let (mut found, mut open): (Vec<Word>, Option<Word>) = (Vec::new(), None);
    for run in runs {
        let Run::Prose { start, text } = run else {
            found.extend(open.take());
            continue;
        };
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            let length = reference(&text[at..]).or_else(|| entity(&text[at..]).map(|(_, length)| length));
            if let Some(length) = length {
                found.extend(open.take());
                chars.by_ref().take_while(|(next, _)| next + 1 < at + length).for_each(drop);
            } else if c.is_whitespace() || ENDS.contains(c) || (c == '*' && emphasis == Emphasis::Ends) {
                found.extend(open.take());
            } else if !"*\\[]".contains(c) && seen(c) == c {
                open.get_or_insert_with(|| Word { at: start + at, text: String::new() }).text.push(c);
            }
        }
    }
    found.extend(open);
    found
}

/// The length of `@table:...` or `@figure:...`.
fn reference(text: &str) -> Option<usize> {
    let name = ["@table:", "@figure:"].iter().find_map(|kind| text.strip_prefix(kind))?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c)).unwrap_or(name.len());
    Some(text.len() - name.len() + end)
}

/// A character that is written by its name or number (`&#55;`), and the length of that.
pub(super) fn entity(text: &str) -> Option<(&str, usize)> {
    let rest = text.strip_prefix('&')?;
    let name = &rest[..rest.find(';').filter(|end| (1..=32).contains(end))?];
    let is_name = name.strip_prefix('#').unwrap_or(name).bytes().all(|b| b.is_ascii_alphanumeric());
    is_name.then_some((name, name.len() + 2))
}

/// Characters in the text that the source hides, with their places.
pub(super) fn hidden(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let found = text.match_indices('&').filter_map(|(at, _)| Some((at, entity(&text[at..])?.0)));
    found.filter(|(_, name)| !NAMED.contains(name))
}

/// The word and its parts, in small letters: `much-faster` is three.
pub(super) fn spoken(word: &str) -> Vec<String> {
    let bare = |part: &str| part.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let mut forms = vec![bare(word)];
    forms.extend(word.split(['/', '-', '‑']).map(bare).filter(|part| !part.is_empty()));
    forms
}
