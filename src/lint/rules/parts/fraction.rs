//! Shares of few people, and fractions in words.

use super::counted;
use crate::lint::{
    number::{Bound, Interval, show},
    report::{Out, Sure},
    sentence::Sentence,
    unit::Dim,
    words::{one_of, words as list},
};

/// "Of the 12 participants, 71 %": no number of people is that share.
pub(super) fn people(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    const PEOPLE: &str = "participant|people|person|user|subject|respondent|student|developer|engineer|patient|volunteer|teilnehmer|programmer|author";
    let [n, p] = sentence.quantities.as_slice() else { return };
    let Dim::Count(noun) = &n.unit.dim else { return };
    let before = sentence.lower.get(..n.range.start).unwrap_or("").trim_end();
    let of = before == "of" || before == "of the" || before == "of our" || before == "von" || before == "of all";
    if !of
        || !one_of(PEOPLE, noun)
        || p.unit.dim != Dim::Percent
        || !counted(n)
        || p.upper.is_some()
        || p.number.about
        || p.number.stated.bound != Bound::Value
    {
        return;
    }
    let (n, share) = (n.base().value, p.number.stated);
    if n < 3.0 || n * share.half / 50.0 >= 1.0 {
        return;
    }
    let place = sentence.place(p.range.start);
    let quoted = sentence.quote(0..p.range.end);
    let nearest = (share.value * n / 100.0).round();
    if Interval::at(100.0 * nearest / n).meets(share.cut()) {
        out.fits(place, "grim", quoted);
        return;
    }
    let below = (share.value * n / 100.0).floor();
    let follows = format!("{} or {} %", show(100.0 * below / n), show(100.0 * (below + 1.0) / n));
    out.wrong(place, "grim", Sure::Warning, [quoted, follows, format!("a whole number of {n}")]);
}

/// "One in eight requests was retried (30 of 150)", "half of them (30 of 48)".
pub(super) fn fraction(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    const FRACTIONS: [(&str, f64); 16] = [
        ("one in two", 0.5),
        ("one in three", 1.0 / 3.0),
        ("one in four", 0.25),
        ("one in five", 0.2),
        ("one in six", 1.0 / 6.0),
        ("one in eight", 0.125),
        ("one in ten", 0.1),
        ("three quarters", 0.75),
        ("three-quarters", 0.75),
        ("two thirds", 2.0 / 3.0),
        ("two-thirds", 2.0 / 3.0),
        ("a quarter", 0.25),
        ("one quarter", 0.25),
        ("a third", 1.0 / 3.0),
        ("one third", 1.0 / 3.0),
        ("half", 0.5),
    ];
    let [k, n] = sentence.quantities.as_slice() else { return };
    let between = sentence.lower.get(k.range.end..n.range.start).unwrap_or("").trim();
    if !matches!(between, "of" | "out of" | "of the" | "/" | "of all")
        || !counted(k)
        || !counted(n)
        || k.base().value > n.base().value
    {
        return;
    }
    let mut said = FRACTIONS.iter().filter_map(|(word, value)| {
        sentence
            .lower
            .find(word)
            .filter(|at| word_alone(&sentence.lower, *at, word.len()))
            .map(|at| (at, *word, *value))
    });
    let (Some((at, word, value)), None) = (said.next(), said.next()) else { return };
    let bracket = sentence.lower.get(..k.range.start).is_some_and(|before| before.trim_end().ends_with('('));
    let close = sentence.lower.get(n.range.end..).is_some_and(|rest| rest.split(' ').count() < 14);
    let hedged = list("more than|less than|over |under |about|nearly|almost|roughly|at least|around|up to|fewer")
        .any(|hedge| sentence.lower[..at].trim_end().ends_with(hedge.trim_end()));
    let share = k.base().value / n.base().value;
    let place = sentence.place(at);
    let quoted = sentence.quote(0..sentence.text.len());
    if (share / value - 1.0).abs() < 0.12 {
        out.fits(place, "share", quoted);
    } else if bracket && close && !hedged {
        out.wrong(
            place,
            "share",
            Sure::Warning,
            [
                quoted,
                format!("{} of {} is {} %", show(k.base().value), show(n.base().value), show(100.0 * share)),
                format!("{word} is {} %", show(100.0 * value)),
            ],
        );
    }
}

fn word_alone(text: &str, at: usize, len: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric())
        && text[at + len..].chars().next().is_none_or(|c| !c.is_alphanumeric())
}
