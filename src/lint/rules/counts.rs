//! Means of counts (GRIM: Brown and Heathers 2017): a sum of whole numbers divided by n can only be some values.

use std::sync::LazyLock;

use regex::Regex;

use super::Paper;
use crate::lint::{
    document::Place,
    label::{Quantity, Stat},
    number::{self, Stated, show},
    report::{Out, Said, Sure},
    words::{contains_any, one_of},
};

/// Things that are counted, never measured.
const COUNTED: &str =
    "item|error|answer|question|bug|child|children|attempt|click|mistake|task|word|visit|failure|crash|crashe";

/// `a mean of 3.47 errors (n = 15)`, `mean number of errors was 3.47 (N = 15)`.
static SENTENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:mean|average)\s+(?:of\s+(?P<v1>\d+\.\d+)\s+(?P<noun1>[a-z]+)|(?:number|count)\s+of\s+(?P<noun2>[a-z]+)(?:\s+[a-z]+){0,2}\s+(?:was|is|of|=)\s+(?P<v2>\d+\.\d+))[^.]*?\(\s*n\s*=\s*(?P<n>\d+)\s*\)").ok()
});

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for table in &paper.readings {
        for row in 0..table.source.rows.len() {
            let Some(n) = table.row(row).find(|r| r.stat == Stat::Count).map(|r| r.value) else { continue };
            for mean in table.row(row).filter(|r| r.stat == Stat::Mean && counted(&r.quantity)) {
                grim(mean.place, mean.value, n, &mean.quote(), out);
            }
        }
    }
    for paragraph in &paper.paragraphs {
        ratings(paragraph, paper, out);
        for captures in SENTENCE.iter().flat_map(|pattern| pattern.captures_iter(&paragraph.text.text)) {
            let get = |a, b| captures.name(a).or(captures.name(b)).map_or("", |m| m.as_str());
            let [value, n] = [get("v1", "v2"), get("n", "n")]
                .map(|text| number::all(text, paper.decimals).first().map(|found| found.stated));
            let noun = Quantity {
                words: vec![get("noun1", "noun2").trim_end_matches('s').to_lowercase()],
                ..Quantity::default()
            };
            if let (Some(value), Some(n), true) = (value, n, counted(&noun)) {
                let place = paragraph.text.place(captures.get(0).map_or(0, |whole| whole.start()));
                grim(place, value, n, &captures[0], out);
            }
        }
    }
}

/// `The mean rating was 3.47 (n = 12)`, on a scale of whole steps.
static RATING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:mean|average)\s+(?:rating|grade|score|mark)\s+(?:was|is|of|=)\s+(?P<v>\d\.\d+)\s*(?:\(\s*n\s*=\s*(?P<n>\d+)\s*\))?").ok()
});
static PEOPLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\bn\s*=\s*(\d+)").ok());

fn ratings(paragraph: &crate::lint::paper::Paragraph<'_>, paper: &Paper<'_>, out: &mut Out<'_>) {
    let text = &paragraph.text.text;
    let lower = text.to_lowercase();
    let whole =
        contains_any(&lower, "from 1 |1 to 5|1–5|1-5|whole grade|whole number|integer|likert|-point scale|from one to");
    let steps = contains_any(
        &lower,
        "half|steps|items|questions|averaged|several|each aspect|each criterion|composite|weighted|adjusted|two raters",
    );
    if !whole || steps || !contains_any(&lower, "rating|rated|grade|score|mark") {
        return;
    }
    let numbers: Vec<_> = PEOPLE.iter().flat_map(|pattern| pattern.captures_iter(text)).collect();
    for captures in RATING.iter().flat_map(|pattern| pattern.captures_iter(text)) {
        let read = |text: &str| number::all(text, paper.decimals).first().map(|found| found.stated);
        let n = captures.name("n").map(|m| m.as_str()).or_else(|| match numbers.as_slice() {
            [one] => one.get(1).map(|m| m.as_str()),
            _ => None,
        });
        if let (Some(value), Some(n)) = (read(&captures["v"]), n.and_then(read)) {
            let place = paragraph.text.place(captures.get(0).map_or(0, |whole| whole.start()));
            // Whether ratings are whole depends on reading.
            grim_as(place, value, n, &captures[0], Sure::Warning, out);
        }
    }
}

fn counted(quantity: &Quantity) -> bool {
    let has = |names: &'static str| quantity.words.iter().any(|word| one_of(names, word));
    (has(COUNTED) || has("number")) && !has("rate|percentage|length|time")
}

fn grim(place: Place, mean: Stated, n: Stated, stated: &str, out: &mut Out<'_>) {
    grim_as(place, mean, n, stated, Sure::Error, out);
}

fn grim_as(place: Place, mean: Stated, n: Stated, stated: &str, sure: Sure, out: &mut Out<'_>) {
    // The number of people is exact; with more of them than steps of the last digit, every value is possible.
    let n = n.value;
    if n < 1.0 || n.fract() != 0.0 || mean.half * 2.0 * n >= 1.0 {
        return;
    }
    let nearest = (mean.value * n).round() / n;
    if (nearest - mean.value).abs() > mean.half * (1.0 + 1e-6) {
        let below = (mean.value * n).floor();
        out.push(Said {
            place,
            rule: "grim",
            sure,
            stated: format!("{stated} with n = {n}"),
            follows: format!(
                "{} / {n} = {} or {} / {n} = {}",
                below,
                show(below / n),
                below + 1.0,
                show((below + 1.0) / n)
            ),
            why: "a mean of n whole numbers is a whole number divided by n".into(),
        });
    }
}
