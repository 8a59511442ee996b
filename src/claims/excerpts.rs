//! What the model wrote -> a few words of it for each prompt, as claims. It is somebody else's text: whoever prints it escapes it.

use super::{Claim, Id, Value, registry::Registry};
use crate::{analysis::Summary, factor::PROMPT};

/// Characters of an output that the paper shows.
const LENGTH: usize = 200;

impl Registry {
    /// The beginning of the output of each prompt's first run.
    pub(super) fn excerpts(&mut self, summary: &Summary) {
        for group in summary.by(PROMPT) {
            let Some((run, Some(text))) = summary.seen.outputs.get(&group.key) else { continue };
            let (id, runs) = (Id::by(PROMPT, &group.key).word("excerpt"), [*run]);
            let shown = excerpt(text);
            let claim = Claim {
                value: Value::Text(shown.clone()),
                text: shown,
                rounding: format!("first {LENGTH} characters, white space as one space"),
                ..Claim::of("beginning of output_text of the prompt's first run", &runs)
            };
            self.put(id.clone(), claim);
            self.count_of(id.word("run"), (*run).into(), "the prompt's first run that ended well", &runs);
        }
    }
}

fn excerpt(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start: String = words.chars().take(LENGTH).collect();
    if start.len() < words.len() { format!("{} …", start.trim_end()) } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_between_characters_and_says_that_it_ends() {
        assert_eq!(excerpt(" a\n\tb  c "), "a b c");
        let long = excerpt(&"日本 ".repeat(200));
        assert!(long.chars().count() <= LENGTH + 2 && long.ends_with("日本 …"), "{long}");
    }
}
