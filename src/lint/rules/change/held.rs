//! A claim against its pair: every reading of it, and what else in the sentence could be meant.

use super::{
    claims::{Claim, Kind},
    link::{explained, is_condition, linked, loose},
    pairs::{FALLS, Pair, RISES},
    words,
};
use crate::lint::{
    number::{Bound, Interval, show},
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::{contains_any, one_of, words as list},
};

pub(super) const STRICT: &str = "saving|savings|increase|decrease|reduction|rise|growth|drop|decline|rose|fell|grew|grow|grows|dropped|drops|increased|increases|decreased|decreases|reduced|reduces|falls|rises|declined";

/// Holds a claim against the pair beside it, or the two numbers of the sentence.
pub(super) fn held(
    sentence: &Sentence<'_>,
    pairs: &[Pair],
    claim: &Claim,
    (before, after): (&[&Sentence<'_>], Option<&Sentence<'_>>),
    out: &mut Out<'_>,
) {
    // In order, or of what a table has: other rules.
    if claim.word == "the" || pairs.len() > 1 && contains_any(&sentence.lower, "respectively|jeweils|分别") {
        return;
    }
    let quantity = &sentence.quantities[claim.index];
    let linked = linked(sentence, pairs, claim);
    let (pair, sure) = match linked {
        Some(pair) => (pair.clone(), Sure::Error),
        None => match loose(sentence, pairs, claim, before).or_else(|| explained(sentence, claim, after?)) {
            Some(pair) => (pair, Sure::Warning),
            None => return,
        },
    };
    if is_condition(sentence, &pair, claim) {
        return;
    }
    let Some(meant) = meant(&pair, claim, sure == Sure::Warning) else { return };
    let stated = sentence.quote(claim.range.start..(claim.range.end + claim.word.len() + 1).min(sentence.text.len()));
    let where_from = if sentence.text.get(pair.range.clone()).is_some() && linked.is_some() {
        sentence.quote(pair.range.clone())
    } else {
        format!("{} and {}", show(pair.a.middle()), show(pair.b.middle()))
    };
    let place = sentence.place(claim.range.start);
    let rule = if claim.kind == Kind::Factor { "ratio" } else { "percent-change" };
    if meant.iter().any(|interval| fits(quantity, claim.kind, *interval)) {
        out.fits(place, rule, format!("{where_from}: {stated}"));
        return;
    }
    if excused(sentence, pairs, claim, before.last().copied()) || slight(quantity, &meant) {
        return;
    }
    let ratio = pair.b.middle() / pair.a.middle();
    let (follows, why) = match claim.kind {
        Kind::Factor => {
            (format!("a factor of {}", show(ratio.max(1.0 / ratio))), "the larger number divided by the smaller")
        }
        Kind::Of => (format!("{} %", show(100.0 * ratio.min(1.0 / ratio))), "one number divided by the other"),
        _ => (
            format!("{} %", show((ratio - 1.0) * 100.0)),
            "a change in per cent is the difference divided by the first number",
        ),
    };
    let little = meant.iter().any(|interval| {
        (quantity.number.stated.value - interval.middle()).abs()
            <= 4.0 * quantity.number.stated.half + interval.half() + 0.02 * quantity.number.stated.value.abs()
    });
    let sure = if little { Sure::Warning } else { sure };
    out.wrong(place, rule, sure, [format!("{where_from}: {stated}"), follows, why.into()]);
}

/// What the claim can mean of the pair, in its own unit; `None` if it is not comparable.
pub(super) fn meant(pair: &Pair, claim: &Claim, either: bool) -> Option<Vec<Interval>> {
    let (ratio, inverse) = (pair.b.over(pair.a)?, pair.a.over(pair.b)?);
    let one = Interval::at(1.0);
    let percent = |ratio: Interval| ratio.minus(one).scaled(100.0);
    let flip = |i: Interval| Interval { low: -i.high, high: -i.low };
    let mut meant = match claim.kind {
        Kind::Factor => vec![ratio, inverse],
        Kind::Of => vec![ratio.scaled(100.0), inverse.scaled(100.0)],
        Kind::Points => vec![],
        Kind::Percent => {
            let changed = percent(ratio);
            let mut meant = vec![changed, flip(changed)];
            // "rose from a to b, by p": the verb is the pair's.
            let strict = one_of(STRICT, &claim.word)
                || list(RISES).chain(list(FALLS)).any(|stem| claim.word.starts_with(stem))
                || claim.word.is_empty() && pair.verb != 0;
            if !pair.directed || either || !strict {
                meant.extend([percent(inverse), flip(percent(inverse))]);
            }
            meant
        }
    };
    // "2.5 times more" is 3.5 times as much to some.
    if claim.kind == Kind::Factor
        && one_of("more|higher|greater|larger|longer|increase|bigger|mehr|höher|", &claim.word)
    {
        meant.extend([ratio.minus(one), inverse.minus(one)]);
    }
    if pair.dim == Dim::Percent && claim.kind != Kind::Factor {
        let points = pair.b.minus(pair.a);
        meant.extend([points, flip(points)]);
        let rest = |i: Interval| Interval { low: 100.0 - i.high, high: 100.0 - i.low };
        if let Some(ratio) = rest(pair.b).over(rest(pair.a)) {
            meant.extend([percent(ratio), flip(percent(ratio))]);
        }
    }
    (!meant.is_empty()).then_some(meant)
}

pub(super) fn fits(quantity: &Quantity, kind: Kind, interval: Interval) -> bool {
    let stated = quantity.number.stated;
    let allowed = match (quantity.upper, stated.bound) {
        (Some(upper), _) => stated.cut().join(upper.cut()),
        (None, Bound::Least) => Interval {
            low: stated.value * 0.985,
            high: if kind == Kind::Percent { f64::INFINITY } else { stated.value * 2.0 + 1.0 },
        },
        (None, Bound::Most) => Interval { low: f64::NEG_INFINITY, high: stated.cut().high },
        (None, Bound::Value) => stated.cut(),
    };
    allowed.low <= interval.high + 1e-9 * interval.high.abs()
        && interval.low <= allowed.high + 1e-9 * allowed.high.abs()
}

/// Off by no more than careless rounding.
pub(super) fn slight(quantity: &Quantity, meant: &[Interval]) -> bool {
    let stated = quantity.number.stated;
    meant.iter().any(|interval| {
        let off = (stated.value - interval.middle()).abs();
        // "More than 3" is no rounded number.
        let half = if stated.bound == Bound::Value { stated.half } else { 0.0 };
        off <= 2.0 * half + interval.half() + 0.004 * stated.value.abs()
    })
}

/// Some other two numbers of the sentence, or the one before, give what is claimed.
pub(super) fn excused(sentence: &Sentence<'_>, pairs: &[Pair], claim: &Claim, before: Option<&Sentence<'_>>) -> bool {
    let quantity = &sentence.quantities[claim.index];
    let near = before.map_or(&[][..], |before| &before.quantities[..]);
    let all: Vec<&Quantity> = sentence.quantities.iter().chain(near).filter(|q| q.range != claim.range).collect();
    // One pair and one claim: what else could be meant?
    let strict = pairs.len() == 1 && sentence.quantities.len() == 3;
    if strict || claim.bound {
        return false;
    }
    all.iter().enumerate().any(|(i, a)| {
        all.iter().enumerate().filter(|(j, _)| *j > i).any(|(_, b)| {
            let alike = a.unit.dim == b.unit.dim
                || matches!(a.unit.dim, Dim::None | Dim::Count(_)) && matches!(b.unit.dim, Dim::None | Dim::Count(_))
                || a.unit.dim == Dim::None
                || b.unit.dim == Dim::None;
            // Its own pair has been asked.
            let within = |q: &Quantity| {
                let inside = |pair: &Pair| pair.range.start <= q.range.start && q.range.end <= pair.range.end;
                pairs.iter().position(inside).filter(|_| sentence.quantities.iter().any(|own| std::ptr::eq(own, q)))
            };
            // Of two pairs no number of the one is set against one of the other; and the only pair has been asked.
            let own = match (within(a), within(b)) {
                (Some(first), Some(second)) => first != second || pairs.len() == 1,
                _ => false,
            };
            if own || !alike || a.base().low() <= 0.0 || b.base().low() <= 0.0 {
                return false;
            }
            let pair = Pair::of(a, b);
            meant(&pair, claim, true)
                .is_some_and(|meant| meant.iter().any(|interval| fits(quantity, claim.kind, *interval)))
        })
    })
}

/// A verb of rising or falling against the order of its two numbers.
pub(super) fn direction(sentence: &Sentence<'_>, pair: &Pair, out: &mut Out<'_>) {
    let wrong = if pair.verb > 0 { pair.b.high < pair.a.low } else { pair.b.low > pair.a.high };
    let measured =
        matches!(pair.dim, Dim::Time | Dim::Rate(_) | Dim::Bytes | Dim::Percent | Dim::Money | Dim::Physical(_));
    let place = contains_any(&sentence.lower, "rank|place|position|level|version|number one");
    let close = sentence.lower.get(..pair.range.start).is_some_and(|before| list("fell from |dropped from |rose from |grew from |increased from |decreased from |declined from |falls from |rises from |grows from ").any(|verb| before.ends_with(verb)));
    let said_from = sentence.lower.get(..pair.range.start).is_some_and(|before| {
        before.trim_end().ends_with("from")
            || before.trim_end().ends_with("von")
            || before.trim_end().ends_with(['从', '由'])
    });
    if !(wrong && pair.from && said_from && (measured || close && !place)) {
        return;
    }
    let before = words(&sentence.text[..pair.range.start]);
    let near: Vec<&String> = before.iter().rev().take(6).collect();
    let own = |word: &String| list(RISES).chain(list(FALLS)).any(|stem| word.starts_with(stem));
    let Some(verb) = near.iter().find(|word| own(word)) else { return };
    // "a reduction of the increase", "speed-up drops", negations.
    let several = near.iter().filter(|word| own(word)).count() > 1 && !close;
    let negated = near.iter().any(|word| one_of("not|no|never|without|or|whether|if", word));
    if several || negated {
        return;
    }
    let said = [
        format!("{verb} {}", sentence.quote(pair.range.clone())),
        format!(
            "{} is {} than {}",
            show(pair.b.middle()),
            if pair.b.middle() < pair.a.middle() { "less" } else { "more" },
            show(pair.a.middle())
        ),
        "the verb and the order of the numbers disagree".into(),
    ];
    out.wrong(sentence.place(pair.range.start), "direction", Sure::Error, said);
}
