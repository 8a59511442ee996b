//! Parts of a whole in a sentence: `12 of 48 (25 %)`, `25 developers (11 juniors, 14 seniors)`, `3 models and 2 sizes: 6 runs`.

mod design;
mod fraction;

use std::sync::LazyLock;

use regex::Regex;

use design::design;
use fraction::{fraction, people};

use super::Paper;
use crate::lint::{
    number::{self, Bound, Interval, Stated, show},
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::contains_any,
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for sentence in paper.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences) {
        if sentence.quantities.is_empty() && !sentence.lower.contains(" of ") {
            continue;
        }
        share(paper, sentence, out);
        bracket(sentence, out);
        design(sentence, out);
        rate(sentence, out);
        people(sentence, out);
        fraction(sentence, out);
    }
}

/// `12 of 48 runs (25 %)`, `12/48 (25 %)`, `25 % (12 of 48)`, `in 30 of 48 traces, i.e. in 62.5 % of them`.
static PART: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let count = r"\d[\d,.'\u{202f}\u{a0}]*";
    let of = r"(?:of|out of|von|aus|/)\s*(?:the |all |our |these |insgesamt )?";
    let percent = r"(?P<P>[~≈]?\s?\d+(?:[.,]\d+)?)\s*(?:%|\bpercent|\bper cent|Prozent)";
    let after = percent.replace("P>", "p>");
    let before = percent.replace("P>", "p2>");
    Regex::new(&format!(
        r"(?i)(?:(?P<k>{count})\s*{of}(?P<n>{count})(?:\s+[\p{{L}}\-]+){{0,4}}(?:\s*\(\s*(?:or |i\.e\.,? |about )?|,?\s+(?:or|i\.e\.,?|that is,?|also|das sind|equal to|which is)\s+(?:in |about |only |just )?){after}|{before}(?:\s+[\p{{L}}\-]+){{0,3}}\s*\(\s*(?P<k2>{count})\s*{of}(?P<n2>{count})(?:\s+[\p{{L}}\-]+){{0,3}}\s*\))"
    ))
    .ok()
});

/// `Of 72 builds, 18 (25 %) were red`
static OF: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let count = r"\d[\d,.'’\u{202f}\u{a0}]*";
    Regex::new(&format!(r"(?i)\b(?:of|among|out of|von|from)\s+(?:the |all |our |these |those |den |insgesamt )?(?P<n>{count})(?:\s+[\p{{L}}\-]+){{0,5}},?\s+(?:only |just |we found |exactly |nur )?(?P<k>{count})(?:\s+[\p{{L}}\-]+){{0,4}}\s*\(\s*(?P<p>[~≈]?\s?\d+(?:[.,]\d+)?)\s*(?:%|percent)\s*\)")).ok()
});

fn share(paper: &Paper<'_>, sentence: &Sentence<'_>, out: &mut Out<'_>) {
    for captures in PART.iter().chain(OF.iter()).flat_map(|pattern| pattern.captures_iter(sentence.text)) {
        let get = |a, b| {
            captures.name(a).or_else(|| captures.name(b)).and_then(|m| {
                number::all(m.as_str().trim_end_matches([',', '.', '\'', '’']), paper.decimals)
                    .into_iter()
                    .next()
                    .map(|found| found.stated)
            })
        };
        let whole = captures.get(0).map_or(0..0, |m| m.range());
        let before = sentence.text[..whole.start].chars().next_back();
        let (Some(k), Some(n), Some(p)) = (get("k", "k2"), get("n", "n2"), get("p", "p2")) else { continue };
        // Ratings, dates, shares of shares.
        let other = before.is_some_and(|c| "/.,-–".contains(c) || c.is_alphanumeric())
            || sentence.text[whole.start..].starts_with('/');
        if n.value <= 0.0 || k.value > n.value || other || k.value.fract() != 0.0 || n.value.fract() != 0.0 {
            continue;
        }
        let share = 100.0 * k.value / n.value;
        let about = captures.name("p").or(captures.name("p2")).is_some_and(|m| m.as_str().starts_with(['~', '≈']));
        let wide = if about { 0.05 * p.value } else { 0.0 };
        let place = sentence.place(whole.start);
        let stated = sentence.quote(whole.clone());
        // Some cut digits off.
        if (Interval { low: p.cut().low - wide, high: p.cut().high + wide }).meets(Interval::at(share))
            || Interval::at(share).meets(Interval::at(100.0 - p.value))
        {
            out.fits(place, "share", stated);
        } else {
            out.wrong(
                place,
                "share",
                Sure::Error,
                [
                    stated,
                    format!("{} / {} = {} %", show(k.value), show(n.value), show(share)),
                    "the part divided by the whole".into(),
                ],
            );
        }
    }
}

fn counted(quantity: &Quantity) -> bool {
    matches!(quantity.unit.dim, Dim::None | Dim::Count(_))
        && quantity.upper.is_none()
        && quantity.number.stated.bound == Bound::Value
        && !quantity.number.about
        && quantity.number.stated.value.fract() == 0.0
        && !quantity.number.signed
        && quantity.base().value >= 1.0
}

fn loosely(text: &str) -> bool {
    contains_any(
        text,
        "e.g|for example|including|mostly|such as|among|of which|at least|each|up to|respectively|per |davon|z.b|plus|about|mean|median|range|version|page|see |table|figure|about",
    )
}

/// A count with its parts in brackets or behind a colon.
fn bracket(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    for (index, whole) in sentence.quantities.iter().enumerate() {
        if !counted(whole) {
            continue;
        }
        let after = &sentence.text[whole.range.end..];
        let Some((opening, close)) = opening(after) else { continue };
        let start = whole.range.end + opening;
        let end = close.map_or_else(|| sentence.text.len(), |close| whole.range.end + close);
        let inner = &sentence.text[start..end];
        let parts: Vec<&Quantity> =
            sentence.quantities[index + 1..].iter().filter(|q| q.range.start >= start && q.range.end <= end).collect();
        let lower = inner.to_lowercase();
        if parts.len() < 2 || !parts.iter().all(|part| counted(part)) || !inner.chars().any(char::is_alphabetic) {
            continue;
        }
        let place = sentence.place(whole.range.start);
        let quoted = sentence.quote(whole.range.start..end);
        if let Some(product) = nested(sentence, &parts) {
            judge(place, whole, product, 8.0, (&quoted, "the product of the two"), out);
            continue;
        }
        let listed = parts.windows(2).all(|two| {
            let between = sentence.text.get(two[0].range.end..two[1].range.start).unwrap_or("");
            between.contains([',', ';', '+', '、', '，'])
                || between.contains(" and ")
                || between.contains(" und ")
                || between.contains('&')
        });
        let begins = sentence.text.get(start..parts[0].range.start).is_some_and(|text| text.trim().is_empty());
        let worded = parts.iter().all(|part| {
            matches!(part.unit.dim, Dim::Count(_))
                || sentence.text[part.range.end..end].trim_start().starts_with(|c: char| c.is_alphabetic())
        });
        if !listed || !begins || !worded || loosely(&lower) || lower.contains([':', '=', '/']) {
            continue;
        }
        let sum: f64 = parts.iter().map(|part| part.base().value).sum();
        // One may have both.
        let may_overlap =
            sum > whole.base().value && contains_any(&lower, " with | in | who | using | also | have | had | use ");
        if may_overlap {
            continue;
        }
        judge(place, whole, sum, 1.6, (&quoted, "the sum of the parts"), out);
    }
}

/// `: ` or ` (` behind a count and up to three words: where what is inside begins, and ends.
fn opening(after: &str) -> Option<(usize, Option<usize>)> {
    let at = after.find(['(', ':', '.', ',', ';', '=', '–', '—'])?;
    let words = after[..at].split_whitespace().count();
    if words > 4
        || !(after[at..].starts_with('(')
            || after[at..].starts_with(": ") && words >= 1
            || words == 0 && after[at..].starts_with(": "))
    {
        return None;
    }
    let close = after[at..].starts_with('(').then(|| after[at..].find(')').map(|close| at + close));
    match close {
        Some(None) => None,
        Some(Some(close)) => Some((at + 1, Some(close))),
        None => Some((at + 1, None)),
    }
}

/// `64 nodes of 4 devices each`
fn nested(sentence: &Sentence<'_>, parts: &[&Quantity]) -> Option<f64> {
    let [a, b] = parts else { return None };
    let between = sentence.text.get(a.range.end..b.range.start)?.trim().to_lowercase();
    let after = sentence.text[b.range.end..].to_lowercase();
    let each = after.trim_start().starts_with("each")
        || after.split([')', '.', ',']).next().is_some_and(|rest| rest.contains("each") || rest.contains("per "));
    (matches!(between.as_str(), "of" | "with" | "×" | "x" | "by" | "à" | "times" | "mit")
        && (each || matches!(between.as_str(), "×" | "x" | "times")))
    .then(|| a.base().value * b.base().value)
}

/// `far`: by which factor they may differ and still be of one thing.
fn judge(
    place: crate::lint::document::Place,
    whole: &Quantity,
    value: f64,
    far: f64,
    (quoted, why): (&str, &str),
    out: &mut Out<'_>,
) {
    let stated = whole.base();
    if (stated.value - value).abs() < 0.5 {
        out.fits(place, "parts", quoted.to_owned());
    } else if (1.0 / far..far).contains(&(value / stated.value)) {
        out.wrong(place, "parts", Sure::Warning, [quoted.to_owned(), show(value), why.into()]);
    }
}

/// Three quantities of a sentence: an amount, a time and their rate.
fn rate(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    let measured: Vec<&Quantity> =
        sentence.quantities.iter().filter(|q| !matches!(q.unit.dim, Dim::None) || q.base().value > 0.0).collect();
    if sentence.quantities.len() != 3
        || measured.iter().any(|q| q.upper.is_some() || q.number.stated.bound != Bound::Value || q.base().low() <= 0.0)
    {
        return;
    }
    let pick = |fits: &dyn Fn(&Dim) -> bool| measured.iter().copied().find(|q| fits(&q.unit.dim));
    let (Some(time), Some(rate)) = (pick(&|dim| *dim == Dim::Time), pick(&|dim| matches!(dim, Dim::Rate(_)))) else {
        return;
    };
    let Dim::Rate(noun) = &rate.unit.dim else { return };
    let amount = pick(&|dim| {
        matches!(dim, Dim::Count(of) if of == noun || noun.starts_with(of.as_str()) || of.starts_with(noun.as_str()))
            || *dim == Dim::Bytes && noun == "byte"
    });
    let Some(amount) = amount else { return };
    let bad = sentence.lower.contains(" and worker")
        || sentence.lower.contains(" per worker")
        || sentence.lower.contains(" each")
        || contains_any(&sentence.lower, "eight |two |four |three ")
        || contains_any(
            &sentence.lower,
            "if |would|could|at most|limit|peak|while|but|whereas|after|startup|warm|each of|per user",
        );
    let Some(follows) = amount.interval().over(time.interval()) else { return };
    let place = sentence.place(0);
    let quoted = sentence.quote(0..sentence.text.len());
    let slack = |stated: Stated| Interval { low: stated.cut().low * 0.98, high: stated.cut().high * 1.02 };
    let bytes = noun == "byte";
    let own = slack(rate.base());
    let own = if bytes { own.times(Interval { low: 0.93, high: 1.075 }) } else { own };
    let about = [amount, time, rate].iter().any(|q| q.number.about);
    if own.meets(follows) || about && (follows.middle() / rate.base().value - 1.0).abs() < 0.15 {
        out.fits(place, "rate", quoted);
    } else if !bad {
        let value = follows.middle() / rate.unit.scale;
        out.wrong(
            place,
            "rate",
            Sure::Warning,
            [quoted, format!("{} in the unit of the rate", show(value)), "the amount divided by the time".into()],
        );
    }
}
