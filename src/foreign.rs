//! What programs of others say, before it is printed or recorded: without what a terminal obeys, and without the secrets that were handed to
//! them.

use std::{borrow::Cow, env};

use crate::seen::seen;

/// What stands for a secret.
const HIDDEN: &str = "(a secret)";
/// A shorter value of a variable whose name looks secret is in too many words.
const LEAST: usize = 6;

/// What a terminal obeys or a reader cannot see becomes spaces; line feeds stay.
pub fn plain(text: &str) -> String {
    let plain = |c: char| match seen(c) {
        _ if c == '\n' || c == char::REPLACEMENT_CHARACTER => c,
        char::REPLACEMENT_CHARACTER => ' ',
        seen => seen,
    };
    text.chars().map(plain).collect()
}

/// Values that nothing may record.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// The values of these variables here. `keys` are secrets whatever their names and lengths; of `passed` those whose names look so.
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a str>, passed: impl IntoIterator<Item = &'a str>) -> Secrets {
        let value = |name: &str| Some((name.to_owned(), env::var(name).ok().filter(|value| !value.trim().is_empty())?));
        let passed = passed.into_iter().filter(|name| looks_secret(name)).filter_map(value);
        let keys = keys.into_iter().filter_map(value);
        let mut found: Vec<_> = keys.chain(passed.filter(|(_, value)| value.len() >= LEAST)).collect();
        // A secret that has another in it goes first.
        found.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        Secrets(found)
    }

    /// And this one.
    pub fn and(mut self, name: &str, value: Option<&str>) -> Secrets {
        self.0.extend(value.filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value.to_owned())));
        self
    }

    /// The text without their values.
    pub fn hidden<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for (_, value) in &self.0 {
            for written in forms(value) {
                if text.contains(&written) {
                    text = Cow::Owned(text.replace(&written, HIDDEN));
                }
            }
        }
        text
    }

    /// As it may be printed and recorded.
    pub fn shown(&self, text: &str) -> String {
        plain(&self.hidden(text))
    }

    /// The variable whose value stands in this text.
    pub fn in_text(&self, text: &str) -> Option<&str> {
        let stands = |value: &String| forms(value).iter().any(|written| text.contains(written));
        self.0.iter().find(|(_, value)| stands(value)).map(|(name, _)| name.as_str())
    }
}

/// A secret as it is, and as it stands between the quotes of JSON, of YAML and of this program's messages.
fn forms(value: &str) -> [String; 2] {
    let quoted = format!("{value:?}");
    [value.to_owned(), quoted[1..quoted.len() - 1].to_owned()]
}

/// May the value of a variable, header or field of this name be a secret?
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"].iter().any(|word| name.contains(word))
        // Threads of tokenizers are no secret.
        && name != "TOKENIZERS_PARALLELISM"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_of_it() {
        assert_eq!(plain("a\u{1b}[2J\u{202e}b\r\nc\u{feff}é"), "a [2J b \nc é");
    }

    #[test]
    fn secrets_are_hidden_however_they_are_quoted() {
        let secrets = Secrets(vec![("K".to_owned(), "sk-a\"b/c".to_owned())]);
        assert_eq!(secrets.shown("bad: sk-a\"b/c, {\"sk-a\\\"b/c\"}\u{7}"), "bad: (a secret), {\"(a secret)\"} ");
        assert_eq!((secrets.in_text("--key=sk-a\"b/c"), secrets.in_text("sk-")), (Some("K"), None));
    }

    #[test]
    fn values_come_from_variables_that_are_there_and_of_passed_ones_only_from_secret_names() {
        // What cargo sets for every test.
        let found = Secrets::of(["CARGO_PKG_NAME", "NO_SUCH_VARIABLE"], ["CARGO_MANIFEST_DIR"]);
        assert_eq!(found.0, [("CARGO_PKG_NAME".to_owned(), "offprint".to_owned())]);
        assert!(looks_secret("HF_TOKEN") && looks_secret("api_key") && !looks_secret("PATH"));
    }
}
