//! Drafts: tokens that something cheap proposes and the model checks several of in one step. How they are asked for, and how a study's
//! levels of look-up are written; a level of any other name is a model's that the study lists.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Who proposes, and how many tokens at most in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub by: By,
    pub tokens: u32,
}

/// Who proposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The text so far.
    Lookup,
    /// The model that was loaded beside the one that checks.
    Model,
}

/// The level without drafts.
pub const NONE: &str = "none";
/// The most tokens of a round.
pub const MOST: u32 = 16;
/// Of a level `lookup`: where a text is copied longer drafts win little more, where it is not they lose more. Rows of older studies rest
/// on it, so it stays.
const LOOKUP: u32 = 3;

/// A level of the factor, but for a model's, as a study may write it; `None`: without drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(pub Option<Draft>);

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Level, String> {
        let tokens = match text.strip_prefix("lookup") {
            _ if text == NONE => return Ok(Level(None)),
            Some("") => Some(LOOKUP),
            // A number is written in one way, so that no two levels are one.
            Some(rest) => rest.strip_prefix('-').and_then(|digits| {
                digits.parse().ok().filter(|n: &u32| (1..=MOST).contains(n) && n.to_string() == digits)
            }),
            None => None,
        };
        let draft = |tokens| Level(Some(Draft { by: By::Lookup, tokens }));
        tokens.map(draft).ok_or_else(|| format!("expected none, lookup or lookup-1 to lookup-{MOST}, found {text:?}"))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => out.write_str(NONE),
            Some(Draft { tokens, .. }) => write!(out, "lookup-{tokens}"),
        }
    }
}

impl Level {
    /// As prose says it.
    pub fn words(self) -> String {
        match self.0 {
            None => "no drafts".to_owned(),
            Some(Draft { tokens, .. }) => format!("look-up of {}", of(tokens)),
        }
    }
}

/// `1 token`, `4 tokens`.
fn of(tokens: u32) -> String {
    format!("{tokens} token{}", if tokens == 1 { "" } else { "s" })
}

/// As prose says the level of a model that proposes up to so many tokens.
pub fn by_model(id: &str, tokens: u32) -> String {
    format!("drafts of {} by {id}", of(tokens))
}

/// May a model that drafts have this id? It is a level beside those that are written above.
pub fn is_free(id: &str) -> bool {
    id != NONE && !id.starts_with("lookup")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_written_in_one_way() {
        for (text, written) in
            [("none", "none"), ("lookup", "lookup-3"), ("lookup-1", "lookup-1"), ("lookup-16", "lookup-16")]
        {
            let level: Level = text.parse().unwrap();
            assert_eq!(level.to_string(), written);
            assert_eq!(written.parse(), Ok(level));
        }
        for text in ["lookup-0", "lookup-17", "lookup-05", "lookup-", "lookup5", "Lookup", "", "4"] {
            assert!(text.parse::<Level>().unwrap_err().contains("expected none, lookup"), "{text}");
        }
        assert!(is_free("tiny") && !["none", "lookup", "lookup-4", "lookups"].into_iter().any(is_free));
        assert_eq!(Level(None).words(), "no drafts");
        assert_eq!("lookup-1".parse::<Level>().unwrap().words(), "look-up of 1 token");
        assert_eq!(by_model("tiny", 4), "drafts of 4 tokens by tiny");
    }
}
