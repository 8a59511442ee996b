//! Small things that sentences are made of.

use super::rounding::significant;

/// `64, 128 and 256`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// `1 run`, `2 runs`.
pub fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A word that begins with a digit, of whatever script, is a number; with a letter before it, it is a name (`SHA-256`, `M4`).
pub fn is_number(word: &str) -> bool {
    // A unit: `1/s`.
    let is_unit = word
        .trim_end_matches('.')
        .strip_prefix("1/")
        .is_some_and(|of| !of.is_empty() && of.chars().all(char::is_alphabetic));
    !is_unit && word.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_numeric)
}

/// With a capital letter.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// A share in per cent without idle zeros: `90`, `97.5`.
pub fn percentage(share: f64) -> String {
    let text = significant(100.0 * share, 6);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A share in per cent to two significant digits: `2.0 %`.
pub fn percent_of(share: f64) -> String {
    format!("{} %", significant(100.0 * share, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_lists_and_shares() {
        let items = |n: usize| (1..=n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!([list(&items(0)), list(&items(1)), list(&items(3))], ["", "1", "1, 2 and 3"]);
        assert_eq!([counted(1, "run", "runs"), counted(0, "run", "runs")], ["1 run", "0 runs"]);
        assert_eq!([percentage(0.9), percentage(0.975), percentage(1.0)], ["90", "97.5", "100"]);
        assert_eq!(sentence("über"), "Über");
    }

    #[test]
    fn a_number_begins_with_a_digit_of_any_script() {
        assert!(["3", "3ms", "+2x", "½", "٣", "５", "99th", "1/3"].into_iter().all(is_number));
        assert!(!["1/s", "1/s.", "float32", "Q4_1", "x86", "SHA-256", "–"].into_iter().any(is_number));
    }
}
