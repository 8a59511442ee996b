//! Three items of a list: before, after, and what that is.

use super::{
    claims::{Claim, Kind},
    held::{fits, meant, slight},
    pairs::Pair,
    words,
};
use crate::lint::{
    number::{Bound, show},
    paper::Paragraph,
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::words as list,
};

/// `- before: 285 MB/s`, `- after: 340 MB/s`, `- improvement: 19.3 %`: three items of one list.
pub(super) fn listed([first, second, third]: [&Paragraph<'_>; 3], out: &mut Out<'_>) {
    let alike =
        first.text.item && second.text.item && first.section == third.section && second.section == third.section;
    let (Some(a), Some(b), Some(claim)) = (first.sentences.first(), second.sentences.first(), third.sentences.first())
    else {
        return;
    };
    let label = claim.lower.trim_start_matches(|c: char| !c.is_alphanumeric());
    let names = list("improvement|speedup|speed-up|change|reduction|gain|saving|overhead|difference|increase|decrease|slowdown|verbesserung|提升").any(|word| label.starts_with(word));
    if !alike || !names || claim.quantities.len() > 3 {
        return;
    }
    let measured = |q: &&Quantity| {
        matches!(q.unit.dim, Dim::Time | Dim::Rate(_) | Dim::Bytes | Dim::Physical(_) | Dim::Money | Dim::None)
            && q.upper.is_none()
            && q.number.stated.bound == Bound::Value
    };
    let (Some(x), Some(y)) = (a.quantities.first().filter(measured), b.quantities.first().filter(measured)) else {
        return;
    };
    let labelled = |sentence: &Sentence<'_>, q: &Quantity| {
        sentence
            .text
            .get(..q.range.start)
            .is_some_and(|before| before.trim_end().ends_with([':', '=', '–']) && words(before).len() <= 6)
    };
    if x.unit.dim != y.unit.dim
        || x.base().low() <= 0.0
        || y.base().low() <= 0.0
        || !labelled(a, x)
        || !labelled(b, y)
        || x.number.about
        || y.number.about
    {
        return;
    }
    let pair = Pair {
        a: x.interval(),
        b: y.interval(),
        dim: x.unit.dim.clone(),
        range: 0..0,
        directed: false,
        from: false,
        verb: 0,
        changed: true,
        first: 0,
    };
    for (index, quantity) in claim.quantities.iter().enumerate() {
        let kind = match quantity.unit.dim {
            Dim::Percent => Kind::Percent,
            Dim::Factor => Kind::Factor,
            _ => continue,
        };
        // An increase is of what was before; "faster" may be of either.
        let word = if label.starts_with("improvement") || label.starts_with("gain") { "increase" } else { "" };
        let said = Claim {
            index,
            kind,
            range: quantity.range.clone(),
            word: word.into(),
            object: String::new(),
            bracket: true,
            bound: true,
        };
        let directed = Pair {
            directed: kind == Kind::Percent && word == "increase" && matches!(x.unit.dim, Dim::Rate(_)),
            ..pair.clone()
        };
        let Some(meant) = meant(&directed, &said, false) else { continue };
        let place = claim.place(quantity.range.start);
        let stated = claim.quote(0..quantity.range.end);
        if meant.iter().any(|interval| fits(quantity, kind, *interval)) {
            out.fits(place, if kind == Kind::Factor { "ratio" } else { "percent-change" }, stated);
        } else if !slight(quantity, &meant) {
            let ratio = pair.b.middle() / pair.a.middle();
            let follows = if kind == Kind::Factor {
                format!("a factor of {}", show(ratio.max(1.0 / ratio)))
            } else {
                format!("{} %", show((ratio - 1.0) * 100.0))
            };
            let why = format!("{} and {} in the items above", a.quote(x.range.clone()), b.quote(y.range.clone()));
            out.wrong(
                place,
                if kind == Kind::Factor { "ratio" } else { "percent-change" },
                Sure::Warning,
                [stated, follows, why],
            );
        }
    }
}
