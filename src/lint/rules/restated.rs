//! A mean that a sentence gives, against the table that has it.

use std::sync::LazyLock;

use regex::Regex;

use super::Paper;
use crate::lint::{
    document::Place,
    label::{Label, Quantity, Stat, bracketed_unit},
    number::{self, Decimals, Stated},
    report::{Out, Said, Sure},
    unit::Dim,
    words::{one_of, words as list},
};

/// `average inference latency of 2.68 seconds`, `a throughput of 51.9 tokens per second`, `Average latency: 2.68 s`.
static MEAN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?P<words>(?:[a-z\-]+\s+){0,4}[a-z]+)\s*(?:of|is|was|:|=)\s*(?:only |just )?(?P<value>[~≈]?\s?\d[\d,]*(?:\.\d+)?)\s*(?P<unit>tokens per second|[a-zµ%]+(?:/[a-z]+)?)").ok()
});

/// `at 64 tokens`, `for 2 users`.
static LEVEL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\b(?:at|for|with|of|on)\s+\d").ok());

/// Words after which a value belongs to one condition, one other paper, or no mean.
const CONDITIONS: &str = " at | for |range|between| per token|publish|prior|previous|compared|baseline|respectively|when |up to|target|limit|would|could|requires|budget|e.g.|suppose|within|cap of|theoretical";

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for paragraph in &paper.paragraphs {
        for sentence in &paragraph.sentences {
            let lower = &sentence.lower;
            let mean = ["mean", "average"].iter().any(|word| lower.contains(word));
            for captures in MEAN.iter().flat_map(|pattern| pattern.captures_iter(sentence.text)) {
                let Some((quantity, stat, value)) =
                    read(&captures["words"], &captures["value"], &captures["unit"], paper.decimals)
                else {
                    continue;
                };
                let stat = if stat == Stat::Value && mean { Stat::Mean } else { stat };
                let start = captures.get(0).map_or(0, |whole| whole.start());
                // A condition after the value is its own; before it, only a number makes one.
                let (before, after) = lower.split_at_checked(start).unwrap_or(("", lower));
                let level = LEVEL
                    .as_ref()
                    .is_some_and(|pattern| pattern.is_match(before) || pattern.is_match(&captures["words"]));
                if stat == Stat::Value || level || list(CONDITIONS).any(|word| after.contains(word)) {
                    continue;
                }
                compare(paper, sentence.place(start), &quantity, stat, value, captures[0].trim(), out);
            }
        }
    }
}

/// The quantity that the words before a value name.
fn read(words: &str, value: &str, unit_name: &str, decimals: Decimals) -> Option<(Quantity, Stat, Stated)> {
    let unit = bracketed_unit(unit_name)?;
    let label = Label::read(words);
    // The noun is the last word; what stands far before it belongs to the sentence.
    let noun = words.split_whitespace().next_back()?.to_lowercase();
    let quantity = Quantity { words: vec![noun], dim: unit.dim.clone() };
    let stated = number::all(value, decimals).into_iter().next()?.stated;
    let qualified =
        label.quantity.words.iter().filter(|word| !quantity.words.contains(word)).any(|word| one_of(QUALIFIERS, word));
    (unit.dim != Dim::Percent && !qualified).then_some((quantity, label.stat, stated.scaled(unit.scale)))
}

/// Adjectives that make another quantity of it.
const QUALIFIERS: &str = "decode|prefill|warm|cold|first|load|loading|peak|prompt|idle|best|worst|tail|inter|network|generation|encoding|batch|startup|compute";

fn compare(
    paper: &Paper<'_>,
    place: Place,
    quantity: &Quantity,
    stat: Stat,
    value: Stated,
    text: &str,
    out: &mut Out<'_>,
) {
    let Some(all) = paper.overall(quantity, stat) else { return };
    let stated = value.interval();
    let elsewhere = paper
        .readings
        .iter()
        .flat_map(|table| &table.readings)
        .any(|reading| reading.quantity.same(quantity) && reading.value.interval().meets(stated));
    if all.quantity.dim != quantity.dim || elsewhere {
        return;
    }
    out.push(Said {
        place,
        rule: "restated",
        sure: Sure::Error,
        stated: text.to_owned(),
        follows: format!("the table has {} (line {})", all.text, all.place.line),
        why: "the same statistic of the same data, twice, with two values".into(),
    });
}
