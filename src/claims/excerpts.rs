//! What the model wrote -> a few words of it for each prompt, as claims. It is somebody else's text: whoever prints it escapes it.

use super::{Value, build::Registry};
use crate::analysis::Summary;

/// Characters of an output that the paper shows.
const LENGTH: usize = 200;

impl Registry {
    /// The beginning of the output of each prompt's first run.
    pub(super) fn excerpts(&mut self, summary: &Summary) {
        for group in &summary.by_prompt {
            let Some((run, Some(text))) = summary.seen.outputs.get(&group.key) else { continue };
            let (id, runs) = (format!("by_prompt.{}.excerpt", group.key), [*run]);
            let shown = excerpt(text);
            let (value, formula) = (Value::Text(shown.clone()), "beginning of output_text of the prompt's first run");
            let rounding = format!("first {LENGTH} characters, white space as one space");
            self.put(id.clone(), value, "", shown, formula.to_owned(), &rounding, &runs);
            let (value, formula) = (Value::Integer(i64::from(*run)), "the prompt's first run that ended well");
            self.put(format!("{id}.run"), value, "", run.to_string(), formula.to_owned(), "exact", &runs);
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
