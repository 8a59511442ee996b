//! Which pair a claim is of, if it is of any: what stands between them, and whether the pair was changed on purpose or measured.

use super::{
    claims::{Claim, Kind},
    pairs::{Pair, pairs},
    words,
};
use crate::lint::{
    number::Bound,
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::{contains_any, one_of, words as list},
};

/// The pair that stands beside the claim, with nothing between them that begins another thought.
pub(super) fn linked<'p>(sentence: &Sentence<'_>, pairs: &'p [Pair], claim: &Claim) -> Option<&'p Pair> {
    let preceding = pairs.iter().rev().find(|pair| pair.range.end <= claim.range.start);
    let following = pairs.iter().find(|pair| pair.range.start >= claim.range.end);
    let near = |text: &str, most: usize| {
        let text = text.replace("i.e.", "").replace("e.g.", "").replace("vs.", "vs");
        let text = text.as_str();
        let inner = words(text);
        let blocked = list("while|whereas|but|and|although|though|with|cost|because|than|than")
            .any(|word| inner.iter().any(|w| w == word));
        let numbers = text.chars().any(|c| c.is_ascii_digit());
        inner.len() <= most && !blocked && !text.contains([';', '|', '•']) && !numbers && !text.contains(". ")
    };
    let after = preceding.filter(|pair| {
        let text = unbounded(sentence.between(pair.range.end, claim.range.start));
        let closes = text.contains(')') && !text.contains('(');
        near(text, if claim.bracket { 4 } else { 7 })
            && !(closes && text.split(')').nth(1).is_some_and(|rest| words(rest).len() > 2))
    });
    let ahead = following.filter(|pair| {
        let text = sentence.between(claim.range.end, pair.range.start);
        let rest = words(text).len() <= 9 && !text.contains([';', '|']) && !text.contains(". ");
        let direct = text.contains(['(', '–', '—'])
            || text.contains(':')
            || text.contains("from")
            || text.contains("von")
            || text.contains(',');
        rest && direct
            && near(text.trim_start_matches(|c: char| c.is_alphabetic() || c == ' '), 6)
            && !text.contains(')')
    });
    // Another claim between takes the pair.
    match (after, ahead) {
        (Some(pair), _) => Some(pair),
        (None, Some(pair)) => {
            let between =
                sentence.quantities.iter().any(|q| q.range.start > claim.range.end && q.range.end < pair.range.start);
            (!between).then_some(pair)
        }
        _ => None,
    }
}

/// Without "more than" at its end, which is the claim's.
fn unbounded(text: &str) -> &str {
    let text = text.trim_end();
    list("more than|less than|better than").find_map(|bound| text.strip_suffix(bound)).unwrap_or(text)
}

/// Without a pair: the two numbers of one measured kind in the sentence, or in the one before that "that is" points to.
pub(super) fn loose(sentence: &Sentence<'_>, pairs: &[Pair], claim: &Claim, before: &[&Sentence<'_>]) -> Option<Pair> {
    if claim.word.is_empty()
        || sentence.quantities.iter().filter(|q| matches!(q.unit.dim, Dim::Percent | Dim::Factor | Dim::Points)).count()
            != 1
        || sentence.lower.contains("respectively")
    {
        return None;
    }
    // `with 71 % of a core`
    let of = sentence.lower.get(claim.range.end..).unwrap_or("");
    if claim.kind == Kind::Of && (of.starts_with(" of a ") || of.starts_with(" of an ")) {
        return None;
    }
    let counts = claim.word == "as" && sentence.quantities.len() == 3;
    let measured = |quantity: &&Quantity| {
        (counts && matches!(quantity.unit.dim, Dim::None | Dim::Count(_))
            || matches!(quantity.unit.dim, Dim::Time | Dim::Rate(_) | Dim::Bytes | Dim::Money | Dim::Physical(_)))
            && quantity.upper.is_none()
            && quantity.number.stated.bound == Bound::Value
    };
    let two = |of: &Sentence<'_>| -> Option<Pair> {
        let found: Vec<&Quantity> = of.quantities.iter().filter(measured).collect();
        let [a, b] = found.as_slice() else { return None };
        let others = of.quantities.iter().filter(|q| q.unit.dim == Dim::None).count();
        ((a.unit.dim == b.unit.dim && others == 0 || counts) && a.base().low() > 0.0 && b.base().low() > 0.0).then(
            || Pair {
                a: a.interval(),
                b: b.interval(),
                dim: a.unit.dim.clone(),
                range: a.range.start..b.range.end,
                directed: false,
                from: false,
                verb: 0,
                changed: false,
                first: 0,
            },
        )
    };
    let here = sentence.quantities.iter().filter(measured).count();
    if here == 2 && pairs.is_empty() {
        let pair = two(sentence)?;
        let conditional = contains_any(&sentence.lower, "if |would|could|expected|theoretical|while|whereas");
        return (!conditional).then_some(pair);
    }
    let points = "in other words|that is|this is|that's|this represents|this means|that means|which is|a |an |this gives|das sind|this yields|this corresponds|i.e.";
    if here == 0
        && pairs.is_empty()
        && list(points).any(|word| sentence.lower.trim_start().starts_with(word))
        && sentence.quantities.len() <= 2
    {
        let (first, before) = match before {
            [] => return None,
            [one] => (None, *one),
            [.., first, second] => (Some(*first), *second),
        };
        // `A takes 940 ms.` `Then it takes 235 ms.`
        if let (Some(first), [b]) = (first, before.quantities.as_slice())
            && let [a] = first.quantities.as_slice()
            && measured(&a)
            && measured(&b)
            && a.unit.dim == b.unit.dim
            && a.base().low() > 0.0
            && b.base().low() > 0.0
            && contains_any(&before.lower, "same|instead|then|now|after|afterwards|with it|without it|this")
        {
            return Some(Pair::of(a, b));
        }
        let own = self::pairs(before);
        return match own.as_slice() {
            [pair] if before.quantities.len() == 2 => Some(pair.clone()),
            [] => two(before),
            _ => None,
        };
    }
    None
}

/// "Our router is 4.5× faster. It forwards 330k requests a second where the old one managed 110k.": nothing but the claim, then a
/// pair that says who is who.
pub(super) fn explained(sentence: &Sentence<'_>, claim: &Claim, after: &Sentence<'_>) -> Option<Pair> {
    let points = list("it |this |that is|they |its ").any(|word| after.lower.trim_start().starts_with(word));
    let against =
        contains_any(&after.lower, " where | against | vs | instead of | compared | the old| before| used to");
    let [a, b] = after.quantities.as_slice() else { return None };
    let measured = matches!(a.unit.dim, Dim::Time | Dim::Rate(_) | Dim::Bytes | Dim::Money | Dim::Physical(_));
    let firm =
        [a, b].iter().all(|q| q.upper.is_none() && q.number.stated.bound == Bound::Value && q.base().low() > 0.0);
    // A rate may be said by its scale alone the second time: `330k requests a second … 110k`.
    let scaled = b.unit.dim == Dim::None && a.unit.scale == b.unit.scale && a.unit.scale > 1.0;
    let alike = measured && a.unit.dim == b.unit.dim || scaled;
    let lone = sentence.quantities.len() == 1 && claim.kind == Kind::Factor && one_of(FASTER, &claim.word);
    (lone && points && against && firm && alike).then(|| Pair {
        b: b.number.stated.scaled(b.unit.scale).interval(),
        changed: true,
        ..Pair::of(a, b)
    })
}

/// The pair is what was changed on purpose, not what was measured.
pub(super) fn is_condition(sentence: &Sentence<'_>, pair: &Pair, claim: &Claim) -> bool {
    let before = sentence.text.get(..pair.range.start).unwrap_or("");
    let lead = words(before);
    let counted = matches!(pair.dim, Dim::None | Dim::Count(_));
    let faster = one_of(FASTER, &claim.word);
    let years = pair.dim == Dim::None
        && [pair.a, pair.b].iter().all(|i| (1900.0..=2100.0).contains(&i.middle()) && i.middle().fract() == 0.0);
    if years {
        return true;
    }
    let class = |text: &str| -> Option<u8> {
        let has = |list: &[&str]| words(text).iter().any(|word| list.contains(&word.as_str()));
        if has(&["latency", "time", "runtime", "duration", "ttft", "delay"]) {
            Some(1)
        } else if has(&["throughput", "bandwidth", "rate", "speed", "tps", "qps", "rps"]) {
            Some(2)
        } else if has(&["memory", "size", "footprint", "storage", "ram", "disk", "space"]) {
            Some(3)
        } else if has(&[
            "accuracy",
            "iterations",
            "parameters",
            "tokens",
            "requests",
            "power",
            "energy",
            "cost",
            "quality",
            "calls",
            "code",
            "lines",
            "flops",
            "instructions",
            "misses",
            "cpu",
            "users",
        ]) {
            Some(4)
        } else {
            None
        }
    };
    let of = match pair.dim {
        Dim::Time => Some(1),
        Dim::Rate(_) => Some(2),
        Dim::Bytes => Some(3),
        _ => class(&lead.iter().rev().take(6).cloned().collect::<Vec<_>>().join(" ")),
    };
    // A factor of a time is one of a rate, too; a percentage is not.
    if let (Some(of), Some(object)) = (of, class(&claim.object))
        && of != object
        && !(claim.kind == Kind::Factor && of <= 2 && object <= 2)
    {
        return true;
    }
    if let (Dim::Count(noun), false) = (&pair.dim, claim.object.is_empty()) {
        let object = words(&claim.object);
        if !object.iter().any(|word| word.starts_with(noun.as_str())) && class(&claim.object).is_some() {
            return true;
        }
    }
    // "Lowering the clock from a to b cuts power by p": what was done, and what it did.
    let done =
        lead.iter().rev().take(6).any(|word| word.ends_with("ing") && word.len() > 5 || one_of("when|if|as", word));
    let between = sentence.between(pair.range.end, claim.range.start);
    let did = words(between).iter().any(|word| {
        list("cut|reduc|increas|improv|lower|rais|boost|sav|slow|speed|decreas|lead|yield|giv|bring|cost|doubl")
            .any(|stem| word.starts_with(stem))
    });
    if done && did && words(between).len() >= 2 {
        return true;
    }
    if !counted {
        return false;
    }
    // "a flight from 10 to 12 km burns 4 % less": what was counted did something.
    let plain = between.contains([',', '(', ':', '–', '—']) || words(between).is_empty();
    if !plain
        && !claim.bound
        && !claim.bracket
        && pair.range.end <= claim.range.start
        && matches!(pair.dim, Dim::Count(_))
    {
        return true;
    }
    let gerund = "going|moving|scaling|switching|upgrading|changing|migrating|shifting|increasing|raising|decreasing|lowering|varying|sweeping|widening|extending|expanding|when|as|version|doubling|if";
    let conditioned = lead.iter().rev().take(7).any(|word| one_of(gerund, word));
    let resource = match &pair.dim {
        Dim::Count(noun) => one_of(RESOURCES, noun),
        _ => lead.iter().rev().take(5).any(|word| one_of(RESOURCES, word.as_str().trim_end_matches('s'))),
    };
    let own = !claim.object.is_empty() && matches!(&pair.dim, Dim::Count(noun) if claim.object.contains(noun.as_str()));
    let starts = pair.from && lead.len() <= 1;
    let measured_words = class(&lead.iter().rev().take(6).cloned().collect::<Vec<_>>().join(" ")).is_some();
    conditioned
        || (resource && !own && !claim.bracket)
        || starts
        || (faster && !measured_words && !claim.bracket)
        || !(pair.changed || claim.bracket || own || measured_words)
}
pub(super) const FASTER: &str = "faster|slower|quicker|speedup|speed-up|slowdown|speedups|schneller|langsamer";
/// Things that one has more or fewer of on purpose: they change something else.
pub(super) const RESOURCES: &str = "thread|core|gpu|cpu|node|bit|batch|worker|process|processe|client|user|connection|replica|shard|element|item|token|layer|year|version|machine|device|vertex|vertice|point|rank|stream|partition|qubit|dimension|epoch|character|word|page|record|row|key|event|entity|agent|player|file|object";
