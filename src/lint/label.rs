//! The words of a header, a label or a phrase -> which quantity, which statistic of it, in which unit. Two readings are
//! compared only if all three agree, so words that cannot be placed keep a rule silent.

use super::unit::{self, Dim, Unit};
use super::words::{one_of, words as list};

/// What a number is a statistic of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Quantity {
    /// Lower case, singular, sorted, without statistics, units and adjectives that distinguish nothing.
    pub words: Vec<String>,
    pub dim: Dim,
}

impl Quantity {
    /// Do the words name the same thing, and the units not contradict it?
    pub fn same(&self, other: &Quantity) -> bool {
        !self.words.is_empty()
            && self.words == other.words
            && (self.dim == other.dim || self.dim == Dim::None || other.dim == Dim::None)
    }

    pub fn name(&self) -> String {
        self.words.join(" ")
    }

    pub fn is(&self, names: &[&str]) -> bool {
        matches!(self.words.as_slice(), [word] if names.contains(&word.as_str()))
    }
}

/// A statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stat {
    /// No statistic is named: the value of a level, usually a mean.
    Value,
    Mean,
    Sd,
    Min,
    Max,
    Median,
    Cv,
    /// Percentile.
    P(u32),
    /// Number of runs, items, people.
    Count,
    /// Part of a whole.
    Share,
    /// Something that no rule reads: a rank, an interval, a p value.
    Unread,
}

/// A header or label, read.
#[derive(Debug, Clone)]
pub struct Label {
    pub quantity: Quantity,
    pub stat: Stat,
    /// To the unit's base.
    pub factor: f64,
}

impl Label {
    /// Reads `Mean Latency (s)`, `Std Dev`, `CV of throughput`, `p99 (ms)`, `Output Length (tokens)`.
    pub fn read(text: &str) -> Self {
        // Of `Mean ± SD` the number is the mean.
        let text = text.split(['±']).next().unwrap_or(text).trim_end_matches("+/-");
        let (outside, bracketed) = brackets(text);
        let bracketed: Vec<String> = bracketed.into_iter().filter(|inside| !describes(inside)).collect();
        let (mut dim, mut factor) = (Dim::None, 1.0);
        for inside in &bracketed {
            if let Some(unit) = bracketed_unit(inside) {
                (dim, factor) = (unit.dim, unit.scale);
            } else if dim == Dim::None {
                dim = Dim::Count("?".into());
            }
        }
        let lower = outside.to_lowercase().replace("std. dev.", "sd").replace("st. dev.", "sd");
        let lower = lower.replace("standard deviation", "sd").replace("std dev", "sd").replace("std. dev", "sd");
        let lower = lower.replace("coefficient of variation", "cv").replace("stddev", "sd").replace("st.dev", "sd");
        let (mut stat, mut words) = (Stat::Value, Vec::new());
        for word in lower.split(|c: char| !(c.is_alphanumeric() || "%σμ".contains(c))).filter(|word| !word.is_empty())
        {
            match statistic(word) {
                // `Mean SD` is a deviation; `Max` of a mean is not read.
                Some(found) if stat == Stat::Value || stat == Stat::Mean => stat = found,
                Some(Stat::Mean) => {}
                Some(_) => stat = Stat::Unread,
                None if one_of(NEUTRAL, word) => {}
                None => words.push(singular(word)),
            }
        }
        if stat == Stat::Value && bracketed.iter().any(|inside| statistic(&inside.to_lowercase()).is_some()) {
            stat = Stat::Unread;
        }
        if words.is_empty() && stat == Stat::Value && lower.contains("runs") {
            stat = Stat::Count;
        }
        words.sort();
        words.dedup();
        Label { quantity: Quantity { words, dim }, stat, factor }
    }

    /// Is a statistic all that it says?
    pub fn bare(&self) -> bool {
        self.quantity.words.is_empty() && self.stat != Stat::Value && self.quantity.dim != Dim::Count("?".into())
    }
}

/// `SD`, `95 % CI`, `IQR`: what the cells have in brackets.
fn describes(inside: &str) -> bool {
    let lower = inside.to_lowercase();
    list("sd|std|ci|iqr|range|se|n =|n=").any(|word| {
        lower
            .split(|c: char| !(c.is_alphanumeric() || "= ".contains(c)))
            .any(|part| part.trim() == word || part.ends_with(&format!(" {word}")))
    })
}

/// `s`, `tokens per second`, `%`; a noun is a unit only where it counts tokens.
pub fn bracketed_unit(inside: &str) -> Option<Unit> {
    let inside = inside.trim();
    let (unit, width) = unit::after(&format!(" {inside}"))?;
    (width == inside.len() + 1 && !matches!(&unit.dim, Dim::Count(noun) if noun != "token")).then_some(unit)
}

/// Adjectives and particles that tell no quantity from another.
const NEUTRAL: &str = "the|a|an|of|in|per|our|its|observed|measured|inference|end|to|e2e|total|overall|all|over|for|by|sample|achieved|typical|run|runs|this|their|reported";

fn statistic(word: &str) -> Option<Stat> {
    Some(match word {
        "mean" | "average" | "avg" | "μ" => Stat::Mean,
        "sd" | "std" | "σ" | "stdev" => Stat::Sd,
        "min" | "minimum" => Stat::Min,
        "max" | "maximum" => Stat::Max,
        "median" => Stat::Median,
        "cv" | "rsd" => Stat::Cv,
        "n" | "count" | "samples" => Stat::Count,
        "share" | "shares" | "proportion" | "fraction" => Stat::Share,
        "ci" | "interval" | "se" | "sem" | "variance" | "rank" | "change" | "difference" | "delta" | "speedup"
        | "ratio" => Stat::Unread,
        _ => {
            let digits = word.strip_prefix('p')?;
            return digits.parse().ok().filter(|p| (1..100).contains(p)).map(Stat::P);
        }
    })
}

fn singular(word: &str) -> String {
    let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us");
    if plural { word[..word.len() - 1].to_owned() } else { word.to_owned() }
}

/// What stands outside of brackets, and what inside.
fn brackets(text: &str) -> (String, Vec<String>) {
    let (mut outside, mut inside, mut depth) = (String::new(), Vec::new(), 0_usize);
    for c in text.chars() {
        match c {
            '(' | '[' => {
                if depth == 0 {
                    inside.push(String::new());
                }
                depth += 1;
            }
            ')' | ']' => depth = depth.saturating_sub(1),
            c if depth == 0 => outside.push(c),
            c => {
                if let Some(last) = inside.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    (outside, inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, words: &str, dim: Dim, stat: Stat) {
        let label = Label::read(text);
        assert_eq!(
            (label.quantity.name().as_str(), label.quantity.dim.clone(), label.stat),
            (words, dim, stat),
            "{text}"
        );
    }

    #[test]
    fn headers_name_quantity_statistic_and_unit() {
        reads("Mean Latency (s)", "latency", Dim::Time, Stat::Mean);
        reads("Latency (seconds)", "latency", Dim::Time, Stat::Value);
        reads("Std Dev", "", Dim::None, Stat::Sd);
        reads("CV of throughput", "throughput", Dim::None, Stat::Cv);
        reads("average inference latency", "latency", Dim::None, Stat::Mean);
        reads("Output Length (tokens)", "length output", Dim::Count("token".into()), Stat::Value);
        reads("p99 (ms)", "", Dim::Time, Stat::P(99));
        reads("Runs", "", Dim::None, Stat::Count);
        reads("N", "", Dim::None, Stat::Count);
        reads("Latency: share (%)", "latency", Dim::Percent, Stat::Share);
    }

    #[test]
    fn qualified_quantities_are_others() {
        let [plain, decode] = ["Latency (s)", "Decode latency (ms)"].map(|text| Label::read(text).quantity);
        assert!(!plain.same(&decode) && plain.same(&Label::read("latency").quantity));
        assert!(!plain.same(&Label::read("latency (tok/s)").quantity));
    }
}
