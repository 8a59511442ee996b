//! "from 80 to 120 MB/s on A and from 45 to 60 MB/s on B, by 50 % and 33 %, respectively": pairs and claims in one order.

use super::{
    claims::{Claim, Kind},
    held::{fits, meant, slight},
    pairs::Pair,
};
use crate::lint::{
    number::show,
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::contains_any,
};

pub(super) fn ordered(sentence: &Sentence<'_>, pairs: &[Pair], out: &mut Out<'_>) {
    if !contains_any(&sentence.lower, "respectively|jeweils|分别") {
        return;
    }
    let pairs: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| matches!(pair.dim, Dim::Time | Dim::Rate(_) | Dim::Bytes | Dim::Money | Dim::Physical(_)))
        .collect();
    let claims: Vec<(usize, &Quantity)> = sentence
        .quantities
        .iter()
        .enumerate()
        .filter(|(_, quantity)| matches!(quantity.unit.dim, Dim::Factor | Dim::Percent) && quantity.upper.is_none())
        .collect();
    let kinds = claims.windows(2).all(|two| two[0].1.unit.dim == two[1].1.unit.dim);
    if pairs.len() < 2 || pairs.len() != claims.len() || !kinds {
        return;
    }
    for (pair, (index, quantity)) in pairs.iter().zip(claims) {
        let kind = if quantity.unit.dim == Dim::Factor { Kind::Factor } else { Kind::Percent };
        let range = quantity.range.clone();
        let (word, object) = (String::new(), String::new());
        let claim = Claim { index, kind, range: range.clone(), word, object, bracket: false, bound: true };
        let Some(meant) = meant(pair, &claim, false) else { continue };
        let rule = if kind == Kind::Factor { "ratio" } else { "percent-change" };
        let stated = format!("{}: {}", sentence.quote(pair.range.clone()), sentence.quote(range.clone()));
        if meant.iter().any(|value| fits(quantity, kind, *value)) || slight(quantity, &meant) {
            out.fits(sentence.place(range.start), rule, stated);
            continue;
        }
        let ratio = pair.b.middle() / pair.a.middle();
        let follows = match kind {
            Kind::Factor => format!("a factor of {}", show(ratio.max(1.0 / ratio))),
            _ => format!("{} %", show((ratio - 1.0) * 100.0)),
        };
        let why = "the pairs and the changes of the sentence, in their order".into();
        out.wrong(sentence.place(range.start), rule, Sure::Warning, [stated, follows, why]);
    }
}
