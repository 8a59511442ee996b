//! Whole numbers in words.

/// The value of a word in English or German.
pub fn cardinal(word: &str) -> Option<f64> {
    Some(match word {
        "two" | "twice" | "both" | "zwei" | "两" => 2.0,
        "three" | "thrice" | "drei" => 3.0,
        "four" | "vier" => 4.0,
        "five" | "fünf" => 5.0,
        "six" | "sechs" => 6.0,
        "seven" | "sieben" => 7.0,
        "eight" | "acht" => 8.0,
        "nine" | "neun" => 9.0,
        "ten" | "zehn" => 10.0,
        "eleven" | "elf" => 11.0,
        "twelve" | "dozen" | "zwölf" => 12.0,
        "twenty" | "zwanzig" => 20.0,
        "thirty" | "dreißig" => 30.0,
        "hundred" | "hundert" => 100.0,
        _ => return None,
    })
}

/// The words that a factor can be made of: `three times`, `dreimal`.
pub const FACTORS: &str = "two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|drei|fünf|zehn";
