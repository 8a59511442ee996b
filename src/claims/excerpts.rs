//! Texts of any length -> what a page can hold of them: prompts, what the model wrote, errors. They are somebody else's: whoever
//! prints them escapes them.

use super::{Claim, Id, Runs, Value, registry::Registry};
use crate::{analysis::Summary, factor::PROMPT};

/// Characters of an output that the paper shows.
const OUTPUT: usize = 200;
/// Characters of any other text.
const TEXT: usize = 600;

impl Registry {
    /// The beginning of the output of each prompt's first run.
    pub(super) fn excerpts(&mut self, summary: &Summary) {
        for group in summary.by(PROMPT) {
            let Some((run, Some(text))) = summary.seen.outputs.get(&group.key) else { continue };
            let (id, runs) = (Id::by(PROMPT, &group.key).word("excerpt"), Runs::from([*run].as_slice()));
            let shown = excerpt(text);
            let claim = Claim {
                value: Value::Text(shown.clone()),
                text: shown,
                rounding: format!("first {OUTPUT} characters, white space as one space"),
                ..Claim::of("beginning of output_text of the prompt's first run", &runs)
            };
            self.put(id.clone(), claim);
            self.count_of(id.word("run"), (*run).into(), "the prompt's first run that ended well", &runs);
        }
    }
}

/// A text as a table of the paper shows it: whole, or its beginning and how long it is.
pub fn shortened(text: &str) -> String {
    match beginning(text, TEXT) {
        None => text.to_owned(),
        Some(start) => format!("{start} … ({} characters in all)", grouped(text.chars().count())),
    }
}

/// The beginning of an output, which the table's caption calls so.
fn excerpt(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match beginning(&words, OUTPUT) {
        None => words,
        Some(start) => format!("{start} …"),
    }
}

/// The first characters of a text that has more.
fn beginning(text: &str, most: usize) -> Option<&str> {
    let (end, _) = text.char_indices().nth(most)?;
    Some(text[..end].trim_end())
}

/// `30,214`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_between_characters_and_says_that_it_ends() {
        assert_eq!(excerpt(" a\n\tb  c "), "a b c");
        let long = excerpt(&"日本 ".repeat(200));
        assert!(long.chars().count() <= OUTPUT + 2 && long.ends_with("日本 …"), "{long}");
    }

    #[test]
    fn a_long_text_says_how_long_it_is() {
        let fits = "é\n".repeat(TEXT / 2);
        assert_eq!(shortened(&fits), fits);
        let long = shortened(&"é".repeat(30_214));
        assert!(long.starts_with("éé") && long.ends_with("é … (30,214 characters in all)"), "{long}");
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), TEXT);
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
