//! What the name of a row or a column says of it: that it sums up the others, and how.

use crate::lint::words::one_of;

/// Rows that sum up the others: what follows column by column in them is another question.
pub fn is_summary(lower: &str) -> bool {
    let plain = lower.trim_matches(|c: char| !c.is_alphanumeric() && c != 'ø').trim();
    let first = plain.split([' ', ':', '(']).next().unwrap_or("");
    one_of(
        "mean|average|avg|median|geomean|total|sum|overall|all|max|min|geometric|gmean|std|stdev|sd|gesamt|summe|mittel|mittelwert|durchschnitt|合计|平均|总计|harmonic|aggregate|ø|subtotal|range|p50|p95|p99",
        first,
    ) || plain.ends_with(" mean")
        || plain.ends_with(" average")
        || plain.ends_with(" total")
}

/// What a row does with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Total,
    Mean,
    Median,
    Least,
    Most,
}

/// By its whole name.
pub fn kind(label: &str) -> Option<Kind> {
    let plain = label.trim_matches(|c: char| !c.is_alphanumeric() && c != 'ø').trim();
    Some(match plain {
        "total" | "totals" | "sum" | "grand total" | "in total" | "gesamt" | "summe" | "insgesamt" | "合计"
        | "总计" | "total time" | "total size" | "total cost" | "σ" => Kind::Total,
        "weighted mean" | "weighted average" | "geometric mean" | "geomean" | "mean" | "average" | "avg"
        | "arithmetic mean" | "mittelwert" | "mittel" | "durchschnitt" | "平均" | "ø" | "avg." | "average time"
        | "mean time" => Kind::Mean,
        "median" => Kind::Median,
        "min" | "minimum" => Kind::Least,
        "max" | "maximum" => Kind::Most,
        _ => return None,
    })
}

/// A name short enough for a message.
pub fn brief(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        format!("{}…", short.trim_end())
    } else if text.is_empty() {
        "?".into()
    } else {
        text.to_owned()
    }
}
