//! The words of a header, a label or a phrase -> which quantity, which statistic of it, in which unit. Two readings are
//! compared only if all three agree, so words that cannot be placed keep a rule silent.

/// What a number is a statistic of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Quantity {
    /// Lower case, singular, sorted, without statistics, units and adjectives that distinguish nothing.
    pub words: Vec<String>,
    pub unit: Unit,
}

impl Quantity {
    /// Do the words name the same thing, and the units not contradict it?
    pub fn same(&self, other: &Quantity) -> bool {
        !self.words.is_empty()
            && self.words == other.words
            && (self.unit == other.unit || self.unit == Unit::None || other.unit == Unit::None)
    }

    pub fn name(&self) -> String {
        self.words.join(" ")
    }

    pub fn is(&self, names: &[&str]) -> bool {
        matches!(self.words.as_slice(), [word] if names.contains(&word.as_str()))
    }
}

/// A unit's kind; values are brought to the kind's base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Unit {
    #[default]
    None,
    Seconds,
    TokensPerSecond,
    Percent,
    Tokens,
    Bytes,
    Other,
}

/// A unit's name -> its kind and the factor to its base.
pub fn unit(name: &str) -> Option<(Unit, f64)> {
    let name = name.trim().to_lowercase();
    Some(match name.as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => (Unit::Seconds, 1.0),
        "ms" | "msec" | "millisecond" | "milliseconds" => (Unit::Seconds, 1e-3),
        "us" | "µs" | "μs" | "microsecond" | "microseconds" => (Unit::Seconds, 1e-6),
        "ns" | "nanosecond" | "nanoseconds" => (Unit::Seconds, 1e-9),
        "minute" | "minutes" => (Unit::Seconds, 60.0),
        "h" | "hour" | "hours" => (Unit::Seconds, 3600.0),
        "tok/s" | "tokens/s" | "tokens/sec" | "token/s" | "tokens/second" | "toks/s" | "t/s" | "tps"
        | "tokens per second" => (Unit::TokensPerSecond, 1.0),
        "%" | "percent" => (Unit::Percent, 1.0),
        "token" | "tokens" => (Unit::Tokens, 1.0),
        "kb" => (Unit::Bytes, 1e3),
        "mb" => (Unit::Bytes, 1e6),
        "gb" => (Unit::Bytes, 1e9),
        "kib" => (Unit::Bytes, 1024.0),
        "mib" => (Unit::Bytes, 1_048_576.0),
        "gib" => (Unit::Bytes, 1_073_741_824.0),
        _ => return None,
    })
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
        let (outside, bracketed) = brackets(text);
        let (mut kind, mut factor) = (Unit::None, 1.0);
        for inside in &bracketed {
            if let Some((found, to_base)) = unit(inside) {
                (kind, factor) = (found, to_base);
            } else if kind == Unit::None {
                kind = Unit::Other;
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
                None if NEUTRAL.contains(&word) => {}
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
        Label { quantity: Quantity { words, unit: kind }, stat, factor }
    }

    /// Is a statistic all that it says?
    pub fn bare(&self) -> bool {
        self.quantity.words.is_empty() && self.stat != Stat::Value
    }
}

/// Adjectives and particles that tell no quantity from another.
const NEUTRAL: [&str; 28] = [
    "the",
    "a",
    "an",
    "of",
    "in",
    "per",
    "our",
    "its",
    "observed",
    "measured",
    "inference",
    "end",
    "to",
    "e2e",
    "total",
    "overall",
    "all",
    "over",
    "for",
    "by",
    "sample",
    "achieved",
    "typical",
    "run",
    "runs",
    "this",
    "their",
    "reported",
];

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
    fn reads(text: &str, words: &str, unit: Unit, stat: Stat) {
        let label = Label::read(text);
        assert_eq!((label.quantity.name().as_str(), label.quantity.unit, label.stat), (words, unit, stat), "{text}");
    }

    #[test]
    fn headers_name_quantity_statistic_and_unit() {
        reads("Mean Latency (s)", "latency", Unit::Seconds, Stat::Mean);
        reads("Latency (seconds)", "latency", Unit::Seconds, Stat::Value);
        reads("Std Dev", "", Unit::None, Stat::Sd);
        reads("CV of throughput", "throughput", Unit::None, Stat::Cv);
        reads("average inference latency", "latency", Unit::None, Stat::Mean);
        reads("Output Length (tokens)", "length output", Unit::Tokens, Stat::Value);
        reads("p99 (ms)", "", Unit::Seconds, Stat::P(99));
        reads("Runs", "", Unit::None, Stat::Count);
        reads("N", "", Unit::None, Stat::Count);
        reads("Latency: share (%)", "latency", Unit::Percent, Stat::Share);
    }

    #[test]
    fn qualified_quantities_are_others() {
        let [plain, decode] = ["Latency (s)", "Decode latency (ms)"].map(|text| Label::read(text).quantity);
        assert!(!plain.same(&decode) && plain.same(&Label::read("latency").quantity));
        assert!(!plain.same(&Label::read("latency (tok/s)").quantity));
    }
}
