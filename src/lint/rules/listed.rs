//! Numbers in one sentence that make another: parts with what remains, a list with its mean or its sum, factors with their product,
//! a pair with its difference.

use super::{
    Paper,
    change::{Pair, pairs},
};
use crate::lint::{
    means,
    number::{Bound, Interval, show},
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::contains_any,
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for sentence in paper.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences) {
        if sentence.quantities.len() < 2 {
            continue;
        }
        remaining(sentence, out);
        difference(sentence, &pairs(sentence), out);
        product(sentence, out);
        let parts = joined(sentence);
        sum(sentence, &parts, out);
        statistic(sentence, out);
    }
}

fn firm(quantity: &Quantity) -> bool {
    let stated = quantity.number.stated;
    quantity.upper.is_none() && stated.bound == Bound::Value && !quantity.number.about && stated.value > 0.0
}

fn measured(dim: &Dim) -> bool {
    matches!(dim, Dim::Time | Dim::Bytes | Dim::Physical(_) | Dim::Money)
}

/// "64 % hit, and the remaining 36 % miss"
fn remaining(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    let percent = |q: &&Quantity| q.unit.dim == Dim::Percent;
    let shares: Vec<&Quantity> = sentence.quantities.iter().filter(percent).collect();
    for (index, rest) in shares.iter().enumerate().skip(1) {
        let before = sentence.lower.get(..rest.range.start).unwrap_or("").trim_end();
        let told = ["the remaining", "the other", "the rest,", "the rest (", "die übrigen", "die restlichen", "其余"]
            .iter()
            .any(|word| before.ends_with(word));
        let earlier = &shares[..index];
        if !told || !firm(rest) || earlier.len() > 4 || !earlier.iter().all(|share| firm(share)) {
            continue;
        }
        let sums = (1_u32..1 << earlier.len()).map(|mask| {
            let chosen = earlier.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1);
            chosen.fold(rest.number.stated.cut(), |sum, (_, share)| sum.plus(share.number.stated.cut()))
        });
        let place = sentence.place(rest.range.start);
        let stated = sentence.quote(earlier[0].range.start..rest.range.end);
        let sums: Vec<Interval> = sums.collect();
        if sums.iter().any(|sum| sum.meets(Interval::at(100.0))) {
            out.fits(place, "parts", stated);
        } else if let [sum] = sums.as_slice() {
            let said = [stated, format!("together {} %", show(sum.middle())), "what remains of a whole".into()];
            out.wrong(place, "parts", Sure::Warning, said);
        }
    }
}

/// "a spread of 33.4 µs (109.0 → 142.4)", "285 → 340 MB (+55 MB)"
fn difference(sentence: &Sentence<'_>, pairs: &[Pair], out: &mut Out<'_>) {
    for pair in pairs {
        let Some(follows) = [pair.b.minus(pair.a), pair.a.minus(pair.b)].into_iter().find(|i| i.middle() >= 0.0) else {
            continue;
        };
        for quantity in sentence.quantities.iter().filter(|q| q.unit.dim == pair.dim && firm(q)) {
            let ahead = quantity.range.end <= pair.range.start
                && sentence.between(quantity.range.end, pair.range.start).trim() == "("
                && contains_any(
                    sentence.lower.get(..quantity.range.start).unwrap_or(""),
                    "spread|difference|gap|delta|saves|saved|saving|increase of|decrease of|reduction of|drop of|rise of|by",
                );
            let behind = quantity.range.start >= pair.range.end
                && matches!(sentence.between(pair.range.end, quantity.range.start).trim(), "(" | "(Δ" | ", +" | ",")
                && quantity.number.signed;
            if !(ahead || behind) || matches!(pair.dim, Dim::Percent | Dim::Factor) || pair.dim == Dim::None && !behind
            {
                continue;
            }
            let place = sentence.place(quantity.range.start.min(pair.range.start));
            let range = quantity.range.start.min(pair.range.start)..quantity.range.end.max(pair.range.end);
            let stated = sentence.quote(range);
            let own = quantity.base().cut();
            let slack = own.half() + 0.005 * own.middle().abs();
            if (Interval { low: own.low - slack, high: own.high + slack }).meets(follows) {
                out.fits(place, "sum", stated);
            } else if (0.3..3.0).contains(&(own.middle().abs() / follows.middle())) {
                let scale = if quantity.unit.scale == 0.0 { 1.0 } else { quantity.unit.scale };
                let said = [stated, show(follows.middle() / scale), "the difference of the two".into()];
                out.wrong(place, "sum", Sure::Warning, said);
            }
        }
    }
}

const TOTAL: &str = "in all|in total|altogether|total of|overall|in aggregate|insgesamt|zusammen|总计|共";

/// A total: its clause says so.
fn totals(sentence: &Sentence<'_>, quantity: &Quantity) -> bool {
    let after = sentence.lower.get(quantity.range.end..).unwrap_or("");
    let after = after.split([',', ';', '.', '(']).next().unwrap_or("");
    let before = sentence.lower.get(..quantity.range.start).unwrap_or("");
    let before = before.rsplit([',', ';', '.', '(', ':']).next().unwrap_or("");
    contains_any(after, TOTAL) || contains_any(before, TOTAL)
}

/// "12 nodes with 4 GPUs of 80 GB each, 3,840 GB in all"
fn product(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    let each = contains_any(&sentence.lower, " each|per |apiece|je ");
    let quantities = &sentence.quantities;
    for last in 2..quantities.len() {
        let (unit, whole) = (&quantities[last - 1], &quantities[last]);
        if unit.unit.dim != whole.unit.dim || !measured(&unit.unit.dim) || !each || !totals(sentence, whole) {
            continue;
        }
        let counts = quantities[..last - 1].iter().rev().take_while(|q| matches!(q.unit.dim, Dim::Count(_)) && firm(q));
        let counts: Vec<&Quantity> = counts.take(3).collect();
        let linked = counts.iter().rev().copied().chain([unit]).collect::<Vec<_>>().windows(2).all(|two| {
            let between = sentence.lower.get(two[0].range.end..two[1].range.start).unwrap_or("");
            between.len() < 24
                && contains_any(between, " of |with|×| x |each| à | mit | von |at ")
                && !between.contains([',', ';'])
        });
        if counts.is_empty() || counts.len() + 1 < last || !linked || !firm(whole) || !firm(unit) {
            continue;
        }
        let follows = counts.iter().fold(unit.interval(), |value, count| value.scaled(count.base().value));
        let first = counts[counts.len() - 1].range.start;
        let (place, stated) = (sentence.place(first), sentence.quote(first..whole.range.end));
        let own = whole.base().cut();
        let powers: &[f64] =
            if unit.unit.dim == Dim::Bytes { &[1.0, 1.024, 1.0 / 1.024, 1.048_576, 1.0 / 1.048_576] } else { &[1.0] };
        // A factor fewer is another reading.
        let fewer = counts.iter().any(|count| own.meets(follows.scaled(1.0 / count.base().value)));
        if fewer || powers.iter().any(|power| own.meets(follows.scaled(*power))) {
            out.fits(place, "parts", stated);
        } else if (0.5..2.0).contains(&(own.middle() / follows.middle())) {
            let said = [stated, show(follows.middle() / whole.unit.scale), "the product of the factors".into()];
            out.wrong(place, "parts", Sure::Warning, said);
        }
    }
}

/// Quantities of one measured kind, `2 min 30 s` as one: their ends in the text and their values.
fn joined(sentence: &Sentence<'_>) -> Vec<(std::ops::Range<usize>, Interval, usize)> {
    let mut found: Vec<(std::ops::Range<usize>, Interval, usize)> = Vec::new();
    let mut scale = 0.0;
    for (index, quantity) in sentence.quantities.iter().enumerate() {
        let own = quantity.interval();
        let glued =
            found.last().is_some_and(|(range, ..)| sentence.between(range.end, quantity.range.start).trim().is_empty());
        match found.last_mut() {
            Some((range, value, _)) if glued && quantity.unit.dim == Dim::Time && quantity.unit.scale < scale => {
                // The larger unit is whole where a smaller one follows.
                *value = Interval::at(value.middle()).plus(own);
                range.end = quantity.range.end;
            }
            _ => found.push((quantity.range.clone(), own, index)),
        }
        scale = quantity.unit.scale;
    }
    found
}

/// "2 min to configure, 3 min to compile and 30 s to link, 5 min 30 s in total"
fn sum(sentence: &Sentence<'_>, parts: &[(std::ops::Range<usize>, Interval, usize)], out: &mut Out<'_>) {
    let [parts @ .., (range, whole, index)] = parts else { return };
    let dim = &sentence.quantities[*index].unit.dim;
    let alike = |(_, _, at): &(std::ops::Range<usize>, Interval, usize)| {
        let quantity = &sentence.quantities[*at];
        quantity.unit.dim == *dim && firm(quantity)
    };
    let listed = parts.windows(2).all(|two| {
        let between = sentence.lower.get(two[0].0.end..two[1].0.start).unwrap_or("");
        between.contains(',') || between.contains(" and ") || between.contains('+') || between.contains(" und ")
    });
    let last = sentence.quantities.last().is_some_and(|quantity| totals(sentence, quantity) && firm(quantity));
    let subset = contains_any(
        &sentence.lower,
        "from | to 1| vs|than|respectively|each|per |of which|instead|up to|average|mean|median|between",
    );
    if parts.len() < 2 || !measured(dim) || !parts.iter().all(alike) || !listed || !last || subset {
        return;
    }
    let sum = parts.iter().fold(Interval::at(0.0), |sum, (_, value, _)| sum.plus(*value));
    let place = sentence.place(parts[0].0.start);
    let stated = sentence.quote(parts[0].0.start..range.end);
    let wide = Interval {
        low: whole.low - whole.half() - 0.01 * whole.middle(),
        high: whole.high + whole.half() + 0.01 * whole.middle(),
    };
    let most = parts.iter().map(|(_, value, _)| value.middle()).fold(0.0, f64::max);
    if wide.meets(sum) {
        out.fits(place, "sum", stated);
    } else if whole.middle() > most && (0.6..1.6).contains(&(whole.middle() / sum.middle())) {
        let scale = sentence.quantities[*index].unit.scale;
        let said = [stated, show(sum.middle() / scale), "the sum of what is listed".into()];
        out.wrong(place, "sum", Sure::Warning, said);
    }
}

/// "took 12.1, 12.6, 11.9 and 12.4 s, with a mean of 12.3 s"
fn statistic(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    let quantities = &sentence.quantities;
    let separates = |a: &Quantity, b: &Quantity| {
        let between = sentence.between(a.range.end, b.range.start).trim();
        matches!(between, "," | "and" | ", and" | ";" | "und" | "、" | "和" | "&")
            && a.upper.is_none()
            && !a.number.signed
    };
    let mut start = 0;
    while start < quantities.len() {
        let run = quantities[start..].windows(2).take_while(|two| separates(&two[0], &two[1])).count();
        let (list, rest) = quantities[start..].split_at(run + 1);
        start += run + 1;
        let Some(unit) = list.last().map(|last| last.unit.clone()) else { continue };
        let alike = list.iter().all(|q| q.unit.dim == unit.dim || q.unit.dim == Dim::None);
        if list.len() < 3 || !alike || !list.iter().all(firm) {
            continue;
        }
        let scaled =
            |q: &Quantity| q.number.stated.scaled(if q.unit.dim == Dim::None { unit.scale } else { q.unit.scale });
        let values: Vec<Interval> = list.iter().map(|q| scaled(q).interval()).collect();
        for quantity in rest.iter().take(3).filter(|q| firm(q) && (q.unit.dim == unit.dim || q.unit.dim == Dim::None)) {
            let before = sentence.lower.get(list[list.len() - 1].range.end..quantity.range.start).unwrap_or("");
            let near = &before[before.char_indices().rev().nth(24).map_or(0, |(at, _)| at)..];
            let near = near.rsplit(|c: char| c.is_ascii_digit()).next().unwrap_or(near);
            let median = contains_any(near, "median");
            if !median && !contains_any(near, "mean|average|avg|mittel|durchschnitt|平均")
                || contains_any(near, " sd|deviation|other|weighted|than")
            {
                continue;
            }
            let meant = if median {
                vec![means::median(&values)]
            } else {
                let kinds = [Some(means::arithmetic(&values)), means::geometric(&values), means::harmonic(&values)];
                kinds.into_iter().flatten().collect()
            };
            let own = scaled(quantity);
            let place = sentence.place(list[0].range.start);
            let stated = sentence.quote(list[0].range.start..quantity.range.end);
            let slack = own.half * 2.0;
            let wide = Interval { low: own.value - slack, high: own.value + slack };
            if meant.iter().any(|value| wide.meets(*value)) {
                out.fits(place, "stated", stated);
            } else {
                let follows = show(meant[0].middle() / if unit.scale == 0.0 { 1.0 } else { unit.scale });
                let why =
                    if median { "the middle of what is listed" } else { "the mean of what is listed, of every kind" };
                out.wrong(place, "stated", Sure::Warning, [stated, follows, why.into()]);
            }
        }
    }
}
