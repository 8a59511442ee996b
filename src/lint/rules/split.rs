//! Parts with units in brackets, `9.0 s (4.5 s pull, 2.0 s boot, 0.5 s run)`, things for a time, `64 GPUs for 5 days (7,680 GPU hours)`,
//! designs over two sentences, and who comes before whom, `A is slower than B: 44 ms against 31 ms`.

use std::sync::LazyLock;

use regex::Regex;

use super::Paper;
use crate::lint::{
    number::{Bound, Interval, show},
    numerals::cardinal,
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::{Dim, singular},
    words::{contains_any, one_of},
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for paragraph in &paper.paragraphs {
        for (at, sentence) in paragraph.sentences.iter().enumerate() {
            if !sentence.quantities.is_empty() {
                parts(sentence, out);
                spent(sentence, out);
                compared(sentence, out);
                if let Some(before) = at.checked_sub(1).map(|before| &paragraph.sentences[before]) {
                    design(before, sentence, out);
                }
            }
        }
    }
}

fn firm(quantity: &Quantity) -> bool {
    let stated = quantity.number.stated;
    quantity.upper.is_none()
        && stated.bound == Bound::Value
        && !quantity.number.about
        && !quantity.number.signed
        && stated.value > 0.0
}

/// Three parts and more are all of them; two only where they are more than the whole.
fn parts(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    for (index, whole) in sentence.quantities.iter().enumerate() {
        let rest = &sentence.text[whole.range.end..];
        let Some(open) = rest
            .find('(')
            .filter(|open| rest[..*open].split_whitespace().count() <= 3 && !rest[..*open].contains([',', ';', '.']))
        else {
            continue;
        };
        let Some(close) = rest[open..].find(')').map(|close| whole.range.end + open + close) else { continue };
        let start = whole.range.end + open + 1;
        let inner: Vec<&Quantity> = sentence.quantities[index + 1..]
            .iter()
            .filter(|q| q.range.start >= start && q.range.end <= close)
            .collect();
        let scaled = whole.unit.dim == Dim::None && whole.unit.scale > 1.0;
        let measured = matches!(whole.unit.dim, Dim::Time | Dim::Bytes | Dim::Physical(_) | Dim::Money) || scaled;
        let large = |q: &&Quantity| q.unit.scale > 1.0;
        let counts = matches!(whole.unit.dim, Dim::Count(_)) && whole.unit.scale > 1.0 && inner.iter().all(large);
        let kind =
            |q: &&Quantity| q.unit.dim == whole.unit.dim || counts && matches!(q.unit.dim, Dim::Count(_) | Dim::None);
        let text = sentence.text.get(start..close).unwrap_or("");
        let listed = inner.windows(2).all(|two| {
            let between = sentence.between(two[0].range.end, two[1].range.start);
            between.contains([',', ';', '+', '、']) || between.contains(" and ")
        });
        let worded = inner.iter().all(|q| {
            let after = sentence.text[q.range.end..close].trim_start();
            after.starts_with(char::is_alphabetic)
        });
        let begins = inner.first().is_some_and(|q| sentence.between(start, q.range.start).trim().is_empty());
        let other = contains_any(
            &text.to_lowercase(),
            "vs|versus|instead|from|before|of which|including|mostly|mainly|e.g|each|per |up to|median|mean|p9|p5|max|min|sd|±|warm|cold|with |without|for |at |on |after|first|second|then|old|new|previous",
        );
        if inner.len() < 2
            || !(measured || counts)
            || !firm(whole)
            || !inner.iter().all(|q| firm(q) && kind(q))
            || !listed
            || !begins
            || !worded
            || other
        {
            continue;
        }
        let sum = inner.iter().fold(Interval::at(0.0), |sum, q| sum.plus(q.interval()));
        let own = whole.base().cut();
        let slack = 0.01 * own.middle();
        let place = sentence.place(whole.range.start);
        let stated = sentence.quote(whole.range.start..close + 1);
        let all = inner.len() >= 3 || counts || sum.low > own.high;
        let most = inner.iter().map(|q| q.base().value).fold(0.0, f64::max);
        if (Interval { low: own.low - slack, high: own.high + slack }).meets(sum) {
            out.fits(place, "parts", stated);
        } else if all && most < own.high && (0.6..1.6).contains(&(sum.middle() / own.middle())) {
            let said = [stated, show(sum.middle() / whole.unit.scale), "the sum of the parts".into()];
            out.wrong(place, "parts", Sure::Warning, said);
        }
    }
}

/// "64 GPUs for 5 days (7,680 GPU hours)"
fn spent(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    for three in sentence.quantities.windows(3) {
        let [things, time, whole] = three else { continue };
        let Dim::Count(noun) = &things.unit.dim else { continue };
        let joined = sentence.between(things.range.end, time.range.start).trim() == "for";
        let tail = sentence.lower.get(whole.number.range.end..).unwrap_or("").trim_start();
        let mut words = tail.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let hours = match second {
            "hours" => 3600.0,
            "days" => 86_400.0,
            _ => continue,
        };
        if !joined
            || time.unit.dim != Dim::Time
            || singular(first) != *noun
            || !things_near(sentence, time, whole)
            || ![things, time, whole].into_iter().all(firm)
        {
            continue;
        }
        let follows = time.interval().scaled(things.base().value / hours);
        let own = whole.number.stated.scaled(whole.unit.scale).cut();
        let place = sentence.place(things.range.start);
        let stated = sentence.quote(things.range.start..whole.range.end);
        let slack = 0.02 * own.middle();
        if (Interval { low: own.low - slack, high: own.high + slack }).meets(follows) {
            out.fits(place, "parts", stated);
        } else if (0.4..2.5).contains(&(own.middle() / follows.middle())) {
            out.wrong(
                place,
                "parts",
                Sure::Warning,
                [stated, show(follows.middle()), "the number of things times their time".into()],
            );
        }
    }
}

fn things_near(sentence: &Sentence<'_>, time: &Quantity, whole: &Quantity) -> bool {
    let between = sentence.between(time.range.end, whole.range.start);
    between.len() < 30 && between.trim_start().starts_with(['(', ',', '–', '—'])
}

/// `slower than B: 44 ms against 31 ms`
static THAN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\b(faster|slower|higher|lower|larger|smaller|shorter|longer) than [^:(.;,]{1,40}(?:: |\s\()$").ok()
});

fn compared(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    for two in sentence.quantities.windows(2) {
        let [a, b] = two else { continue };
        let before = sentence.lower.get(..a.range.start).unwrap_or("");
        let Some(captures) = THAN.as_ref().and_then(|pattern| pattern.captures(before)) else { continue };
        let between = sentence.between(a.range.end, b.range.start).trim();
        let scale = if a.unit.dim == Dim::None { b.unit.scale } else { a.unit.scale };
        let alike = a.unit.dim == b.unit.dim || a.unit.dim == Dim::None;
        if !one_of("against|vs|vs.|versus|compared to|compared with", between)
            || !alike
            || !firm(a)
            || !firm(b)
            || contains_any(before, " not | no |if ")
        {
            continue;
        }
        let time = b.unit.dim == Dim::Time;
        let rate = matches!(b.unit.dim, Dim::Rate(_));
        let more = match &captures[1] {
            "faster" if time => false,
            "faster" if rate => true,
            "slower" if time => true,
            "slower" if rate => false,
            "higher" | "larger" | "longer" => true,
            "lower" | "smaller" | "shorter" => false,
            _ => continue,
        };
        let (x, y) = (a.number.stated.scaled(scale), b.base());
        let wrong = if more { x.high() < y.low() } else { x.low() > y.high() };
        let stated = sentence.quote(captures.get(1).map_or(0, |word| word.start())..b.range.end);
        let place = sentence.place(a.range.start);
        if wrong {
            let why = "the first of the two numbers is of what the sentence begins with".into();
            out.wrong(place, "direction", Sure::Warning, [stated, "the other way round".into(), why]);
        } else {
            out.fits(place, "direction", stated);
        }
    }
}

/// Whole numbers of a sentence, in digits and in words, with the noun behind each.
fn counts(sentence: &Sentence<'_>) -> Vec<(f64, String)> {
    let words: Vec<&str> =
        sentence.lower.split(|c: char| !(c.is_alphanumeric() || c == ',')).filter(|word| !word.is_empty()).collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let word = word.trim_end_matches(',');
        let digits = word.replace(',', "");
        let whole = digits.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && *value >= 2.0);
        if let Some(value) = cardinal(word).filter(|_| word != "both").or(whole) {
            found.push((value, words.get(at + 1).map_or(String::new(), |noun| singular(noun.trim_end_matches(',')))));
        }
    }
    found
}

/// "We compare five allocators under four loads. Each combination was run three times, which gives 60 runs in total."
fn design(before: &Sentence<'_>, sentence: &Sentence<'_>, out: &mut Out<'_>) {
    const RESULTS: &str = "run|build|trial|experiment|configuration|combination|measurement|test|job|case|sample|cell|execution|setting|observation|trace|session";
    let (first, own) = (counts(before), counts(sentence));
    let Some(((total, noun), more)) = own.split_last() else { return };
    let cue = contains_any(
        &sentence.lower,
        "in total|in all|altogether|that gives|this gives|which gives|that makes|this makes|which makes|for a total|resulting in|based on all",
    );
    let hedged = |sentence: &Sentence<'_>| {
        contains_any(
            &sentence.lower,
            "%|from |between|about|except|without|exclud|failed|lost|dropped,|remov|crash|at least|up to|or |most|some|version|another|further|warm",
        )
    };
    let decimals = before.quantities.iter().chain(&sentence.quantities).any(|q| {
        q.number.stated.value.fract() != 0.0
            || q.upper.is_some()
            || !matches!(q.unit.dim, Dim::None | Dim::Count(_) | Dim::Factor)
    });
    let factors: Vec<f64> = first.iter().chain(more).map(|(value, _)| *value).collect();
    let crossed = contains_any(&before.lower, "each|every|under|with|crossed|by ");
    if !cue
        || hedged(before)
        || hedged(sentence)
        || decimals
        || !crossed
        || !(2..=5).contains(&factors.len())
        || first.len() < 2
        || !one_of(RESULTS, noun)
    {
        return;
    }
    let product: f64 = factors.iter().product();
    let mut subsets = (1_u32..1 << factors.len())
        .map(|mask| factors.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, v)| v).product::<f64>());
    let place = sentence.place(0);
    let stated = format!("{} {noun}s", show(*total));
    if (product - total).abs() < 0.5 {
        out.fits(place, "design", stated);
    } else if !subsets.any(|subset| (subset - total).abs() < 0.5) && (0.5..2.0).contains(&(total / product)) {
        let formula = factors.iter().map(|v| show(*v)).collect::<Vec<_>>().join(" × ");
        let why = "every level of each with every level of the others, over two sentences".into();
        out.wrong(place, "design", Sure::Warning, [stated, format!("{formula} = {}", show(product)), why]);
    }
}
