//! What a run and a verifier say of an answer alike: how its text ended, and when it was asked for.

use anyhow::{Context, Result};

use crate::record::FinishReason;

/// A value that cannot be: what was expected, what was found.
pub type Misfit = (String, String);

/// What is wrong with `n` of `asked` tokens and the reason for which they ended. `may_stop`: the study lets an end-of-sequence token end
/// a text. Who says that the number of tokens was the reason has given all of them.
pub fn of(n: u32, asked: u32, finish: Option<FinishReason>, may_stop: bool) -> Option<Misfit> {
    let found = format!("{n} of {asked} tokens");
    if n == 0 || n > asked {
        return Some((format!("1 to {asked} tokens"), found));
    }
    if n < asked && !may_stop {
        return Some((format!("exactly {asked} tokens, as the study says"), found));
    }
    match finish {
        Some(FinishReason::Length) if n == asked => None,
        Some(FinishReason::Length) => Some((format!("{asked} tokens where their number was the end"), found)),
        Some(FinishReason::Stop) if may_stop => None,
        other => {
            let reason = serde_json::to_string(&other).unwrap_or_default();
            let expected = "a reason for the end that fits the length".to_owned();
            Some((expected, format!("{found}, and the reason {reason}")))
        }
    }
}

/// RFC 3339, UTC.
///
/// # Errors
/// Anything else.
pub fn instant(text: &str) -> Result<jiff::Timestamp> {
    text.parse().with_context(|| format!("expected a time such as 2026-11-23T18:39:38Z, found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_fits_what_was_asked_for() {
        use FinishReason::{Cut, Length, Stop};
        let found = |n, finish, may_stop| of(n, 8, finish, may_stop).map_or_else(String::new, |(_, found)| found);
        for (n, finish, may_stop) in [(8, Length, false), (8, Length, true), (8, Stop, true), (1, Stop, true)] {
            assert_eq!(found(n, Some(finish), may_stop), "", "{n} {finish:?} {may_stop}");
        }
        for (n, finish, may_stop, expected) in [
            (5, Some(Length), false, "5 of 8 tokens"),
            (5, Some(Length), true, "5 of 8 tokens"),
            (5, Some(Stop), false, "5 of 8 tokens"),
            (9, Some(Length), true, "9 of 8 tokens"),
            (0, Some(Stop), true, "0 of 8 tokens"),
            (8, Some(Stop), false, "8 of 8 tokens, and the reason \"stop\""),
            (8, Some(Cut), true, "8 of 8 tokens, and the reason \"cut\""),
            (8, None, true, "8 of 8 tokens, and the reason null"),
        ] {
            assert_eq!(found(n, finish, may_stop), expected);
        }
    }
}
