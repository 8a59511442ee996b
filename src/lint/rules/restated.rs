//! A mean that a sentence gives, against the table that has it.

use std::sync::LazyLock;

use regex::Regex;

use super::{Finding, Paper};
use crate::lint::{
    Sure,
    number::{self, Interval, Stated},
    quantity::{Label, Quantity, Stat, Unit, unit},
};

/// `average inference latency of 2.68 seconds`, `a throughput of 51.9 tokens per second`, `Average latency: 2.68 s`.
static MEAN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?P<words>(?:[a-z\-]+\s+){0,4}[a-z]+)\s*(?:of|is|was|:|=)\s*(?:only |just )?(?P<value>[~≈]?\s?\d[\d,]*(?:\.\d+)?)\s*(?P<unit>tokens per second|[a-zµ%]+(?:/[a-z]+)?)").ok()
});

/// `at 64 tokens`, `for 2 users`.
static LEVEL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\b(?:at|for|with|of|on)\s+\d").ok());

/// Words after which a value belongs to one condition, one other paper, or no mean.
const CONDITIONS: [&str; 24] = [
    " at ",
    " for ",
    "range",
    "between",
    " per token",
    "publish",
    "prior",
    "previous",
    "compared",
    "baseline",
    "respectively",
    "when ",
    "up to",
    "target",
    "limit",
    "would",
    "could",
    "requires",
    "budget",
    "e.g.",
    "suppose",
    "within",
    "cap of",
    "theoretical",
];

pub fn check(paper: &Paper<'_>, findings: &mut Vec<Finding>) {
    for paragraph in &paper.document.paragraphs {
        for (offset, sentence) in paragraph.sentences() {
            let lower = sentence.to_lowercase();
            let mean = ["mean", "average"].iter().any(|word| lower.contains(word));
            for captures in MEAN.iter().flat_map(|pattern| pattern.captures_iter(sentence)) {
                let Some((quantity, stat, value)) = read(&captures["words"], &captures["value"], &captures["unit"])
                else {
                    continue;
                };
                let stat = if stat == Stat::Value && mean { Stat::Mean } else { stat };
                let start = captures.get(0).map_or(0, |whole| whole.start());
                // A condition after the value is its own; before it, only a number makes one.
                let (before, after) = lower.split_at_checked(start).unwrap_or(("", &lower));
                let level = LEVEL
                    .as_ref()
                    .is_some_and(|pattern| pattern.is_match(before) || pattern.is_match(&captures["words"]));
                if stat == Stat::Value || level || CONDITIONS.iter().any(|word| after.contains(word)) {
                    continue;
                }
                compare(paper, paragraph.line(offset + start), &quantity, stat, value, captures[0].trim(), findings);
            }
        }
    }
}

/// The quantity that the words before a value name.
fn read(words: &str, value: &str, unit_name: &str) -> Option<(Quantity, Stat, Stated)> {
    let (kind, factor) = unit(unit_name)?;
    let label = Label::read(words);
    // The noun is the last word; what stands far before it belongs to the sentence.
    let noun = words.split_whitespace().next_back()?.to_lowercase();
    let quantity = Quantity { words: vec![noun], unit: kind };
    let (_, stated) = number::all(value).into_iter().next()?;
    let qualified = label
        .quantity
        .words
        .iter()
        .filter(|word| !quantity.words.contains(word))
        .any(|word| QUALIFIERS.contains(&word.as_str()));
    (kind != Unit::Percent && !qualified).then_some((quantity, label.stat, stated.scaled(factor)))
}

/// Adjectives that make another quantity of it.
const QUALIFIERS: [&str; 20] = [
    "decode",
    "prefill",
    "warm",
    "cold",
    "first",
    "load",
    "loading",
    "peak",
    "prompt",
    "idle",
    "best",
    "worst",
    "tail",
    "inter",
    "network",
    "generation",
    "encoding",
    "batch",
    "startup",
    "compute",
];

fn compare(
    paper: &Paper<'_>,
    line: usize,
    quantity: &Quantity,
    stat: Stat,
    value: Stated,
    text: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(all) = paper.overall(quantity, stat) else { return };
    let stated = Interval::of(value);
    let elsewhere = paper
        .tables
        .iter()
        .flat_map(|table| &table.readings)
        .any(|reading| reading.quantity.same(quantity) && Interval::of(reading.value).meets(stated));
    if all.quantity.unit != quantity.unit || elsewhere {
        return;
    }
    findings.push(Finding {
        line,
        rule: "restated",
        sure: Sure::Error,
        stated: text.to_owned(),
        follows: format!("the table has {} (line {})", all.text, all.line),
        why: "the same statistic of the same data, twice, with two values".into(),
    });
}
