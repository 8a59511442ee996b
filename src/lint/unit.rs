//! The word or sign after a number -> what is counted or measured, and the factor to its base.

use super::number::is_cjk;
use super::words::{one_of, words as list};

/// What a number is a number of. Two numbers are compared only if these agree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Dim {
    #[default]
    None,
    /// Seconds; `ns/op` is one, too.
    Time,
    Bytes,
    Percent,
    /// Percentage points.
    Points,
    /// `×`, `-fold`, `times`.
    Factor,
    Money,
    /// A physical unit by its base: `W`, `J`, `Hz`, `°C`.
    Physical(&'static str),
    /// Something a second: its noun.
    Rate(String),
    /// Things: a noun in the singular.
    Count(String),
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unit {
    pub dim: Dim,
    /// To the base.
    pub scale: f64,
}

impl Unit {
    pub fn none() -> Self {
        Unit { dim: Dim::None, scale: 1.0 }
    }

    fn new(dim: Dim, scale: f64) -> Self {
        Unit { dim, scale }
    }
}

/// Words after a number that are no unit of it.
const NO_UNITS: &str = "a|an|and|or|to|vs|vs.|versus|in|of|for|with|on|at|by|is|was|are|were|the|than|from|as|when|while|but|so|if|not|no|out|over|under|up|down|per|that|which|this|these|it|its|we|our|faster|slower|higher|lower|larger|smaller|longer|shorter|more|less|fewer|better|worse|greater|bigger|cheaper|quicker|increase|decrease|reduction|improvement|speedup|speed-up|gain|drop|compared|against|through|between|after|before|until|without|within|using|below|above|respectively|und|auf|von|bei|mit|bis|e.g|i.e|then|because|only|both|each|rather|instead|also|already|just|again|now|still|depending|etc|here|there|plus|minus|times|since|where|who|whose|have|has|had|can|be|been|will|would|does|do|did";

/// Of the start of `rest`: the unit and how many bytes it takes with the space before it.
pub fn after(rest: &str) -> Option<(Unit, usize)> {
    let spaces = rest.len() - rest.trim_start_matches([' ', '\u{a0}', '\u{202f}', '\u{2009}']).len();
    if spaces > 3 {
        return None;
    }
    let body = &rest[spaces..];
    let hyphen = body.len() - body.trim_start_matches(['-', '‑']).len();
    if hyphen > 1 && !body.starts_with('‑') || hyphen > 0 && spaces > 0 {
        return None;
    }
    let body = &body[hyphen..];
    let skipped = spaces + hyphen;
    if let Some((unit, width)) = sign(body, spaces > 0) {
        return Some((unit, skipped + width));
    }
    // No spaces part a unit from what follows in Chinese.
    if body.chars().next().is_some_and(is_cjk) {
        let known = list("毫秒|微秒|纳秒|秒|分钟|小时|天|字节|元|万|亿").find(|word| body.starts_with(*word));
        let word = known?;
        if let Some(factor) = suffix(word, true) {
            let (unit, more) = after(&body[word.len()..]).unwrap_or((Unit::none(), 0));
            return Some((Unit { scale: unit.scale * factor, ..unit }, skipped + word.len() + more));
        }
        return plain(word).map(|unit| (unit, skipped + word.len()));
    }
    let width = body.find(|c: char| !(c.is_alphanumeric() || "µμ/·$°".contains(c))).unwrap_or(body.len());
    let word = body[..width].trim_end_matches(['/', '·']);
    if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    // `50k`, `1.74M rows/s`, `3 million rows`
    if let Some(factor) = suffix(word, spaces + hyphen == 0) {
        let (unit, more) =
            after(&body[word.len()..]).filter(|(unit, _)| unit.dim != Dim::Factor).unwrap_or((Unit::none(), 0));
        return Some((Unit { scale: unit.scale * factor, ..unit }, skipped + word.len() + more));
    }
    if let Some(unit) = named(word) {
        return per(unit, word, &body[word.len()..]).map(|(unit, more)| (unit, skipped + word.len() + more));
    }
    // Any other noun; one glued to the number only behind a hyphen.
    let noun = word.chars().all(|c| c.is_alphabetic()) && (spaces > 0 || hyphen > 0);
    let lower = word.to_lowercase();
    if !noun || one_of(NO_UNITS, &lower) {
        return None;
    }
    let things = Unit::new(Dim::Count(singular(&lower)), 1.0);
    per(things, word, &body[word.len()..]).map(|(unit, more)| (unit, skipped + word.len() + more))
}

/// Per cent, times, and their words.
fn sign(body: &str, spaced: bool) -> Option<(Unit, usize)> {
    for word in
        ["percentage points", "percentage point", "%-points", "% points", "Prozentpunkte", "个百分点", "pp", "p.p."]
    {
        if starts_with_word(body, word) {
            return Some((Unit::new(Dim::Points, 1.0), word.len()));
        }
    }
    for word in ["%", "％", "percent", "per cent", "Prozent"] {
        if starts_with_word(body, word) {
            return Some((Unit::new(Dim::Percent, 1.0), word.len()));
        }
    }
    for word in ["×", "✕", "x", "X", "fold", "times", "倍", "mal", "-mal", "fache", "facher", "faches", "fach"] {
        if starts_with_word(body, word) {
            // `3 × 4` multiplies, and so does `3 x 4`.
            let after = body[word.len()..].trim_start_matches([' ', '\u{a0}', '\u{202f}', '\u{2009}']);
            // `4×D` is a product, too.
            if body[word.len()..].starts_with(char::is_uppercase) && !word.ends_with(char::is_alphabetic) {
                return None;
            }
            let letter = matches!(word, "x" | "X") && spaced;
            let multiplies =
                after.starts_with(|c: char| c.is_ascii_digit()) && !matches!(word, "fold" | "times" | "倍");
            return (!multiplies && !letter).then(|| (Unit::new(Dim::Factor, 1.0), word.len()));
        }
    }
    None
}

fn starts_with_word(text: &str, word: &str) -> bool {
    let fits = text
        .get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word) && (word.len() > 1 || start == word));
    let letters = word.chars().next_back().is_some_and(|c| c.is_alphanumeric() && !is_cjk(c));
    fits && !(letters && text[word.len()..].starts_with(|c: char| c.is_alphanumeric() && !is_cjk(c)))
}

/// Thousands and more.
fn suffix(word: &str, glued: bool) -> Option<f64> {
    Some(match word {
        "k" | "K" if glued => 1e3,
        "M" | "mn" if glued => 1e6,
        "B" | "bn" | "G" if glued => 1e9,
        "T" if glued => 1e12,
        "thousand" | "Tsd" => 1e3,
        "million" | "Mio" | "Millionen" => 1e6,
        "billion" | "Mrd" | "Milliarden" => 1e9,
        "trillion" => 1e12,
        "万" => 1e4,
        "亿" => 1e8,
        _ => return None,
    })
}

/// `MB` and `per second` behind it.
fn per(unit: Unit, word: &str, rest: &str) -> Option<(Unit, usize)> {
    let Some(tail) = rest.strip_prefix(" per ").or_else(|| rest.strip_prefix(" / ")) else { return Some((unit, 0)) };
    let width = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
    match quotient(&unit, word, &tail[..width]) {
        Some(unit) => Some((unit, rest.len() - tail.len() + width)),
        None => Some((unit, 0)),
    }
}

/// A unit by its name: `ms`, `GiB`, `tok/s`, `krps`.
pub fn named(word: &str) -> Option<Unit> {
    if let Some((over, under)) = word.split_once('/') {
        let top = plain(over)
            .or_else(|| suffixed(over))
            .unwrap_or(Unit::new(Dim::Count(singular(&over.to_lowercase())), 1.0));
        let names =
            !over.is_empty() && under.starts_with(char::is_alphabetic) && !over.contains(|c: char| c.is_ascii_digit());
        return names.then(|| quotient(&top, over, under))?;
    }
    plain(word).or_else(|| rate(word))
}

fn suffixed(over: &str) -> Option<Unit> {
    let scale = over.chars().next().and_then(|c| suffix(c.encode_utf8(&mut [0; 4]), true))?;
    let noun = over[1..].to_lowercase();
    // `Mrows`, `kreq`; not `test`.
    list("req|row|op|tok|iter|msg|event|key|query|queries|record|sample|pixel|cell|point|edge|element|update|lookup|insert|tps|elem")
        .any(|known| noun.starts_with(known))
        .then(|| Unit::new(Dim::Count(singular(&noun)), scale))
}

/// Something through something.
fn quotient(top: &Unit, over: &str, under: &str) -> Option<Unit> {
    let seconds = plain(under).filter(|unit| unit.dim == Dim::Time);
    Some(match (seconds, &top.dim) {
        (Some(time), Dim::Bytes) => Unit::new(Dim::Rate("byte".into()), top.scale / time.scale),
        (Some(time), Dim::Count(noun)) => Unit::new(Dim::Rate(canonical(noun)), top.scale / time.scale),
        (Some(time), _) => Unit::new(Dim::Rate(over.to_lowercase()), 1.0 / time.scale),
        // A time for each thing is a time.
        (None, Dim::Time) => top.clone(),
        (None, _) => Unit::new(Dim::Count(format!("{}/{}", over.to_lowercase(), under.to_lowercase())), 1.0),
    })
}

fn canonical(noun: &str) -> String {
    match noun {
        "tok" | "t" | "tks" | "tk" => "token".into(),
        "req" | "r" => "request".into(),
        "op" => "operation".into(),
        "img" => "image".into(),
        "iter" | "it" => "iteration".into(),
        "q" => "query".into(),
        other => other.to_owned(),
    }
}

fn plain(word: &str) -> Option<Unit> {
    let time = |scale| Some(Unit::new(Dim::Time, scale));
    let bytes = |scale| Some(Unit::new(Dim::Bytes, scale));
    let physical = |base, scale| Some(Unit::new(Dim::Physical(base), scale));
    match word {
        "s" | "sec" | "secs" | "second" | "seconds" | "Sekunden" | "Sekunde" | "S" | "秒" => time(1.0),
        "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" | "Millisekunden" | "毫秒" => time(1e-3),
        "us" | "µs" | "μs" | "usec" | "usecs" | "microsecond" | "microseconds" | "微秒" => time(1e-6),
        "ps" | "picosecond" | "picoseconds" => time(1e-12),
        "ns" | "nsec" | "nanosecond" | "nanoseconds" | "纳秒" => time(1e-9),
        "min" | "mins" | "minute" | "minutes" | "Minuten" | "分钟" => time(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" | "Stunden" | "小时" => time(3600.0),
        "d" | "day" | "days" | "Tage" | "天" => time(86400.0),
        "B" | "byte" | "bytes" | "Byte" | "Bytes" | "字节" => bytes(1.0),
        "KB" | "kB" | "kb" | "Kb" => bytes(1e3),
        "MB" | "Mb" | "mb" => bytes(1e6),
        "GB" | "Gb" | "gb" => bytes(1e9),
        "TB" => bytes(1e12),
        "KiB" | "kiB" => bytes(1024.0),
        "MiB" => bytes(1_048_576.0),
        "GiB" => bytes(1_073_741_824.0),
        "TiB" => bytes(1_099_511_627_776.0),
        "bit" | "bits" | "Bit" | "Bits" => Some(Unit::new(Dim::Count("bit".into()), 1.0)),
        "W" | "watt" | "watts" | "Watt" => physical("W", 1.0),
        "kW" => physical("W", 1e3),
        "mW" => physical("W", 1e-3),
        "J" | "joule" | "joules" | "Joule" => physical("J", 1.0),
        "kJ" => physical("J", 1e3),
        "mJ" => physical("J", 1e-3),
        "Wh" => physical("J", 3600.0),
        "kWh" => physical("J", 3.6e6),
        "Hz" => physical("Hz", 1.0),
        "kHz" => physical("Hz", 1e3),
        "MHz" => physical("Hz", 1e6),
        "GHz" => physical("Hz", 1e9),
        "kg" => physical("g", 1e3),
        "MWh" => physical("J", 3.6e9),
        "°C" | "°" => physical("°C", 1.0),
        "$" | "€" | "USD" | "EUR" | "dollars" | "cents" | "元" | "Euro" => Some(Unit::new(Dim::Money, 1.0)),
        _ => None,
    }
}

/// Rates of one word: `krps`, `Gbps`, `TFLOPS`.
fn rate(word: &str) -> Option<Unit> {
    const NAMES: [(&str, &str); 13] = [
        ("tps", "tps"),
        ("rps", "request"),
        ("qps", "query"),
        ("fps", "frame"),
        ("iops", "operation"),
        ("flops", "flop"),
        ("flop/s", "flop"),
        ("ops", "operation"),
        ("bps", "bit"),
        ("tok/s", "token"),
        ("pps", "packet"),
        ("ips", "ips"),
        ("cps", "cps"),
    ];
    let lower = word.to_lowercase();
    for (name, noun) in NAMES {
        let Some(prefix) = lower.strip_suffix(name) else { continue };
        let scale = match prefix {
            "" => 1.0,
            "k" => 1e3,
            "m" => 1e6,
            "g" => 1e9,
            "t" => 1e12,
            "p" => 1e15,
            _ => continue,
        };
        // `MBps` are bytes, `Mbps` bits; `ops` alone are things.
        let noun = if name == "bps" && word.ends_with("Bps") { "byte" } else { noun };
        if name == "ops" && prefix.is_empty() {
            return Some(Unit::new(Dim::Count("op".into()), 1.0));
        }
        return Some(Unit::new(Dim::Rate(noun.into()), scale));
    }
    None
}

pub fn singular(word: &str) -> String {
    let plural = word.len() > 3
        && word.ends_with('s')
        && !word.ends_with("ss")
        && !word.ends_with("us")
        && !word.ends_with("is");
    match word {
        "queries" => "query".into(),
        "gpus" | "cpus" | "tpus" | "npus" => word[..3].to_owned(),
        _ if plural && word.ends_with("ches") => word[..word.len() - 2].to_owned(),
        _ if plural => word[..word.len() - 1].to_owned(),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(rest: &str, dim: Dim, scale: f64, width: usize) {
        assert_eq!(after(rest), Some((Unit { dim, scale }, width)), "{rest:?}");
    }

    #[test]
    fn units_behind_numbers() {
        reads(" ms to", Dim::Time, 1e-3, 3);
        reads("s.", Dim::Time, 1.0, 1);
        reads("µs", Dim::Time, 1e-6, 3);
        reads("k × 512", Dim::None, 1e3, 1);
        reads("M rows/s", Dim::Rate("row".into()), 1e6, 8);
        reads(" million rows per second", Dim::Rate("row".into()), 1e6, 24);
        reads(" tokens per second", Dim::Rate("token".into()), 1.0, 18);
        reads(" tok/s,", Dim::Rate("token".into()), 1.0, 6);
        reads(" GB/s", Dim::Rate("byte".into()), 1e9, 5);
        reads(" ns/op", Dim::Time, 1e-9, 6);
        reads(" krps", Dim::Rate("request".into()), 1e3, 5);
        reads("%)", Dim::Percent, 1.0, 1);
        reads(" percentage points", Dim::Points, 1.0, 18);
        reads("x faster", Dim::Factor, 1.0, 1);
        reads("-fold", Dim::Factor, 1.0, 5);
        reads(" threads", Dim::Count("thread".into()), 1.0, 8);
        reads("-bit", Dim::Count("bit".into()), 1.0, 4);
        assert_eq!(after("×D learnable"), None);
        assert_eq!(after(" × 4"), None);
        assert_eq!(after(" and more"), None);
        assert_eq!(after("Ti"), None);
    }
}
