//! Changes that a sentence states in words or percent, against the numbers beside them or the table above.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Paper};
use crate::lint::{
    Sure,
    document::Paragraph,
    number::{self, Interval, Stated, show},
    quantity::{Stat, Unit},
    tables::Reading,
};

const NUMBER: &str = r"[~≈]?[-−]?\d[\d,]*(?:\.\d+)?";
/// What may stand between a number and the word that belongs to it.
const UNIT: &str = r"(?:\s*(?:%|[A-Za-zµ]+(?:/[A-Za-z]+)?)(?:\s+per\s+\w+)?)?";

/// `from 1.99 to 3.52 s`, `1.99 → 3.52`, `1.99 s vs 3.52 s`.
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)(?:(?P<from>from)\s+(?P<a>{NUMBER})(?P<ua>{UNIT})\s+to\s+(?P<b>{NUMBER})|(?P<c>{NUMBER})(?P<uc>{UNIT})\s*(?:→|->|vs\.?|versus)\s*(?P<d>{NUMBER}))(?P<unit>{UNIT})")).ok()
});
/// `77 % increase`, `increase of 77 %`, `77 % faster`.
static PERCENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?:(?P<p>{NUMBER})\s*(?:%|percent)\s+(?:\w+\s+)?(?P<word>increase|rise|growth|gain|higher|more|longer|larger|greater|slower|faster|improvement|decrease|reduction|drop|decline|lower|less|fewer|shorter|smaller|saving)|(?P<word2>increas\w+|ris\w+|rose|grow\w*|grew|decreas\w+|reduc\w+|dropp?\w*|fell|fall\w*|declin\w+|improve\w*)\s+(?:of|by)\s+(?:about |roughly |around |approximately )?(?P<p2>{NUMBER})\s*(?:%|percent))"
    ))
    .ok()
});
/// `2.3× faster`, `a 2-fold increase`, `a factor of 3`.
static RATIO: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)(?:(?P<r>{NUMBER})\s*(?:×|x|-fold|‑fold| times)\s*(?:faster|slower|higher|lower|larger|smaller|longer|shorter|increase|decrease|reduction|speedup|speed-up|improvement|more|less|as)|factor of (?P<r2>{NUMBER}))")).ok()
});
/// `<0.5% difference`, `differ by less than 2 %`.
static BOUND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)(?:<|≤|less than|under|below|within|at most|no more than)\s*(?P<p>{NUMBER})\s*(?:%|percent)\s+(?:\w+\s+)?(?:difference|deviation|variation|change|gap|of each other)|differ\w*\s+by\s+(?:<|≤|less than|under|at most|no more than)\s*(?P<p2>{NUMBER})\s*(?:%|percent)")).ok()
});

pub fn check(paper: &Paper<'_>, findings: &mut Vec<Finding>) {
    for paragraph in &paper.document.paragraphs {
        for (offset, sentence) in paragraph.sentences() {
            pairs(paragraph, offset, sentence, findings);
            bound(paper, paragraph, offset, sentence, findings);
        }
    }
}

/// Two numbers and what lies between them in words.
struct Pair {
    from: Stated,
    to: Stated,
    start: usize,
    end: usize,
    /// With `from`: the order is one in time or along an axis.
    directed: bool,
    percent: bool,
    text: String,
}

fn pairs(paragraph: &Paragraph, offset: usize, sentence: &str, findings: &mut Vec<Finding>) {
    let Some(pattern) = PAIR.as_ref() else { return };
    let found: Vec<Pair> = pattern
        .captures_iter(sentence)
        .filter_map(|captures| {
            let whole = captures.get(0)?;
            // Numbers in two units are not compared.
            let unit =
                |name| captures.name(name).map_or("", |unit| unit.as_str().split_whitespace().next().unwrap_or(""));
            let (first, second) = (format!("{}{}", unit("ua"), unit("uc")).to_lowercase(), unit("unit").to_lowercase());
            if !first.is_empty() && !second.is_empty() && first != second {
                return None;
            }
            let [from, to] = [captures.name("a").or(captures.name("c"))?, captures.name("b").or(captures.name("d"))?];
            Some(Pair {
                from: stated(from.as_str())?,
                to: stated(to.as_str())?,
                start: whole.start(),
                end: whole.end(),
                directed: captures.name("from").is_some() || whole.as_str().contains(['→', '>']),
                percent: captures.name("unit").is_some_and(|unit| unit.as_str().trim_start().starts_with(['%', 'p']))
                    || sentence[to.end()..].trim_start().starts_with('%'),
                text: whole.as_str().trim().to_owned(),
            })
        })
        .collect();
    for (index, pair) in found.iter().enumerate() {
        // The words that follow, up to the next pair; those before only where there is no doubt whose they are.
        let next = found.get(index + 1).map_or(sentence.len(), |next| next.start);
        let mut scope = &sentence[pair.end..next];
        if let Some(close) = scope
            .find(')')
            .filter(|_| sentence[..pair.start].matches('(').count() > sentence[..pair.start].matches(')').count())
        {
            scope = &scope[..close];
        }
        let before = if found.len() == 1 { &sentence[..pair.start] } else { "" };
        let line = paragraph.line(offset + pair.start);
        for scope in [scope, before] {
            if percent(pair, scope, line, findings) | ratio(pair, scope, line, findings) {
                break;
            }
        }
        if pair.directed {
            direction(pair, &sentence[..pair.start], line, findings);
        }
    }
}

/// One percentage in `scope` says how far `pair` is apart. True if there is one.
fn percent(pair: &Pair, scope: &str, line: usize, findings: &mut Vec<Finding>) -> bool {
    let Some(pattern) = PERCENT.as_ref() else { return false };
    let mut found = pattern.captures_iter(scope);
    let (Some(captures), None) = (found.next(), found.next()) else { return false };
    let Some(said) = captures.name("p").or(captures.name("p2")).and_then(|p| stated(p.as_str())) else { return false };
    let word = captures.name("word").or(captures.name("word2")).map_or("", |word| word.as_str()).to_lowercase();
    let (from, to) = (Interval::of(pair.from), Interval::of(pair.to));
    if from.low <= 0.0 || to.low <= 0.0 || said.value < 0.0 {
        return false;
    }
    let relative = |new: Interval, old: Interval| {
        let ratio = new.over(old);
        Interval { low: (ratio.low - 1.0) * 100.0, high: (ratio.high - 1.0) * 100.0 }
    };
    let flip = |interval: Interval| Interval { low: -interval.high, high: -interval.low };
    let changed = relative(to, from);
    // "Faster", "better" and comparisons without an order may be meant of either side.
    let either = !pair.directed || ["faster", "slower", "improv", "gain", "saving"].iter().any(|w| word.starts_with(w));
    let mut meant = vec![changed, flip(changed)];
    if either {
        let back = relative(from, to);
        meant.extend([back, flip(back)]);
    }
    if pair.percent {
        let points = Interval { low: to.low - from.high, high: to.high - from.low };
        meant.extend([points, flip(points)]);
    }
    if !meant.iter().any(|interval| interval.meets(Interval::of(said))) {
        findings.push(Finding {
            line,
            rule: "percent-change",
            sure: Sure::Error,
            stated: format!("{}: {}", pair.text, captures[0].trim()),
            follows: format!("{} %", show((pair.to.value / pair.from.value - 1.0) * 100.0)),
            why: "a change in percent is the difference divided by the first value".into(),
        });
    }
    true
}

/// One ratio in `scope` says how far `pair` is apart. True if there is one.
fn ratio(pair: &Pair, scope: &str, line: usize, findings: &mut Vec<Finding>) -> bool {
    let Some(pattern) = RATIO.as_ref() else { return false };
    let mut found = pattern.captures_iter(scope);
    let (Some(captures), None) = (found.next(), found.next()) else { return false };
    let Some(said) = captures.name("r").or(captures.name("r2")).and_then(|r| stated(r.as_str())) else { return false };
    let (from, to) = (Interval::of(pair.from), Interval::of(pair.to));
    if from.low <= 0.0 || to.low <= 0.0 {
        return false;
    }
    let meant = [to.over(from), from.over(to)];
    if !meant.iter().any(|interval| interval.meets(Interval::of(said))) {
        let ratio = pair.to.value / pair.from.value;
        findings.push(Finding {
            line,
            rule: "ratio",
            sure: Sure::Error,
            stated: format!("{}: {}", pair.text, captures[0].trim()),
            follows: format!("a ratio of {}", show(ratio.max(1.0 / ratio))),
            why: "the larger value divided by the smaller".into(),
        });
    }
    true
}

/// A verb of rising or falling against the order of its two numbers.
fn direction(pair: &Pair, before: &str, line: usize, findings: &mut Vec<Finding>) {
    let words: Vec<String> = before.split(|c: char| !c.is_alphabetic()).rev().take(5).map(str::to_lowercase).collect();
    let any = |stems: &[&str]| words.iter().find(|word| stems.iter().any(|stem| word.starts_with(stem)));
    let rises = any(&["increas", "rise", "rose", "rising", "grow", "grew", "climb"]);
    let falls = any(&["decreas", "fall", "fell", "drop", "declin", "reduc", "shrink", "shrank"]);
    let wrong = match (rises, falls) {
        (Some(verb), None) if pair.to.high() < pair.from.low() => verb,
        (None, Some(verb)) if pair.to.low() > pair.from.high() => verb,
        _ => return,
    };
    if words.iter().any(|word| ["not", "no", "never", "without"].contains(&word.as_str())) {
        return;
    }
    findings.push(Finding {
        line,
        rule: "direction",
        sure: Sure::Error,
        stated: format!("{wrong} {}", pair.text),
        follows: format!(
            "{} is {} than {}",
            show(pair.to.value),
            if pair.to.value < pair.from.value { "less" } else { "more" },
            show(pair.from.value)
        ),
        why: "the verb and the order of the numbers disagree".into(),
    });
}

/// `<0.5% difference` against the levels of the nearest table above in the same section.
fn bound(paper: &Paper<'_>, paragraph: &Paragraph, offset: usize, sentence: &str, findings: &mut Vec<Finding>) {
    let Some(captures) = BOUND.as_ref().and_then(|pattern| pattern.captures(sentence)) else { return };
    let (Some(whole), Some(limit)) = (captures.get(0), captures.name("p").or(captures.name("p2"))) else { return };
    let Some(limit) = stated(limit.as_str()) else { return };
    let line = paragraph.line(offset + whole.start());
    let lower = sentence.to_lowercase();
    let mut tables =
        paper.tables.iter().filter(|t| t.source.section == paragraph.section && t.source.rows[0].line < line);
    let Some(table) = tables.next_back().filter(|table| table.one_way) else { return };
    for column in table.columns() {
        let levels = table.levels(column);
        let measured = |r: &&Reading| {
            matches!(r.stat, Stat::Value | Stat::Mean) && r.value.low() > 0.0 && r.quantity.unit != Unit::Percent
        };
        if levels.len() < 2
            || !levels.iter().all(measured)
            || !levels[0].quantity.words.iter().any(|word| lower.contains(word.as_str()))
        {
            continue;
        }
        let least = levels.iter().map(|r| r.value.low()).fold(0.0, f64::max)
            / levels.iter().map(|r| r.value.high()).fold(f64::INFINITY, f64::min);
        let (min, max) = levels
            .iter()
            .fold((f64::INFINITY, 0_f64), |(min, max), r| (min.min(r.value.value), max.max(r.value.value)));
        if (least - 1.0) * 100.0 > limit.value * (1.0 + 1e-9) {
            let values: Vec<&str> = levels.iter().map(|level| level.text.as_str()).collect();
            findings.push(Finding {
                line,
                rule: "stated-difference",
                sure: Sure::Error,
                stated: format!("{} for {}", whole.as_str().trim(), levels[0].quantity.name()),
                follows: format!(
                    "{} differ by {} % (line {})",
                    values.join(" and "),
                    show((max / min - 1.0) * 100.0),
                    levels[0].line
                ),
                why: format!("even the least difference that rounding allows is {} %", show((least - 1.0) * 100.0)),
            });
        }
    }
}

fn stated(text: &str) -> Option<Stated> {
    number::all(text).into_iter().next().map(|(_, stated)| stated)
}
