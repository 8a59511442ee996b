//! What a sentence says of a change: a percentage, a factor, percentage points, with the word that says which way.

use std::ops::Range;

use super::{
    pairs::{FALLS, OTHERS, Pair, RISES},
    words,
};
use crate::lint::{
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::{contains_any, one_of, words as list},
};

/// A change in per cent, a factor, or percentage points.
#[derive(Debug, Clone)]
pub struct Claim {
    pub index: usize,
    pub kind: Kind,
    pub range: Range<usize>,
    /// The word that says what changed in which way.
    pub word: String,
    /// What it is a change of: `more iterations`, `increase in throughput`.
    pub(super) object: String,
    /// Alone in brackets, or explained by what follows a dash or stands in brackets.
    pub(super) bracket: bool,
    /// It follows its pair with nothing between that could be of something else.
    pub(super) bound: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Percent,
    Factor,
    Points,
    /// `75 % of`
    Of,
}

/// `five times as many`
pub(super) const AS: &str = "many|much|fast|large|long|high|slow|big|often";
pub(super) const CHANGES: &str = "faster|slower|higher|lower|more|less|fewer|longer|shorter|larger|smaller|greater|bigger|cheaper|better|worse|quicker|increase|decrease|reduction|improvement|speedup|speed-up|speedups|gain|gains|drop|rise|growth|saving|savings|decline|overhead|slowdown|jump|boost|change|difference|degradation|regression|cut|schneller|langsamer|mehr|weniger|höher|niedriger|kleiner|größer|länger|kürzer|loss|penalty|win|uplift|bump|smaller|faster,|advantage|improvements|reductions|lighter|heavier|quick|compression";
pub(super) const VERBS: &str = "by|of|um|increased|increases|increase|decreased|decreases|decrease|rose|rises|grew|grows|fell|falls|dropped|drops|improved|improves|reduced|reduces|reduction|improvement|speedup|speed-up|gain|saves|saved|cuts|cut|overhead|slowdown|growth|drop";

/// Percentages and factors with a word of change.
pub fn claims(sentence: &Sentence<'_>, pairs: &[Pair]) -> Vec<Claim> {
    let mut found = Vec::new();
    for (index, quantity) in sentence.quantities.iter().enumerate() {
        if pairs.iter().any(|pair| pair.first == index || pair.first + 1 == index) {
            continue;
        }
        found.extend(claim(sentence, index, quantity, pairs));
    }
    found
}

pub(super) fn claim(sentence: &Sentence<'_>, index: usize, quantity: &Quantity, pairs: &[Pair]) -> Option<Claim> {
    let before = &sentence.text[..quantity.range.start];
    let after = &sentence.text[quantity.range.end..];
    let clause = after.split([',', '.', ';', ':', '(', ')', '。', '，', '–', '—']).next().unwrap_or("");
    let next = words(clause);
    let last: Vec<String> = words(before.rsplit([',', ';', ':', '(', '。', '，']).next().unwrap_or(before))
        .into_iter()
        .rev()
        .take(4)
        .collect();
    let factor_of = quantity.unit.dim == Dim::None && before.trim_end().to_lowercase().ends_with("factor of")
        || before.trim_end().ends_with("Faktor");
    let mut kind = match quantity.unit.dim {
        Dim::Percent => Kind::Percent,
        Dim::Factor => Kind::Factor,
        Dim::Points => Kind::Points,
        _ if factor_of => Kind::Factor,
        _ => return None,
    };
    // "Closer to", "tighter than": a comparative, whatever the quality.
    let compares = |at: usize| {
        next[at].len() > 4
            && next[at].ends_with("er")
            && (next.get(at + 1).is_some_and(|word| word == "than") || next[at] == "closer")
    };
    let position = (0..next.len().min(3)).find(|at| one_of(CHANGES, &next[*at]) || compares(*at));
    // "At 10 % loss" is a level.
    let level = last.first().is_some_and(|word| matches!(word.as_str(), "at" | "under"));
    if level && quantity.unit.dim == Dim::Percent && position.is_some_and(|at| !next[at].ends_with("er")) {
        return None;
    }
    let chinese = "提升|提高|增加|下降|降低|减少|快|慢|增长|缩短|加速";
    let open = before.trim_end().ends_with('(') && after.trim_start().starts_with([')', ',', ';']);
    let by_verb = last.first().is_some_and(|word| {
        one_of(VERBS, word)
            && (word.len() > 2
                || last.iter().skip(1).take(3).any(|w| {
                    list(RISES).chain(list(FALLS)).chain(list(OTHERS)).any(|stem| w.starts_with(stem))
                        || one_of(CHANGES, w)
                        || one_of(VERBS, w) && w.len() > 2
                }))
    });
    let by = last.first().is_some_and(|word| matches!(word.as_str(), "by" | "um"));
    let filler = |text: &str| {
        text.len() < 40
            && words(text).iter().all(|word| {
                one_of("that|is|i|e|a|an|or|by|about|roughly|this|which|nearly|approximately|das|sind|also", word)
            })
            && !text.contains([';', '(', ')'])
    };
    let restated = pairs.iter().any(|pair| {
        pair.range.end <= quantity.range.start
            && filler(sentence.between(pair.range.end, quantity.range.start))
            && !sentence.between(pair.range.end, quantity.range.start).trim().is_empty()
    });
    let adjacent = restated
        || quantity.number.signed
            && pairs.iter().any(|pair| {
                pair.range.end <= quantity.range.start
                    && sentence.between(pair.range.end, quantity.range.start).trim().len() <= 2
            });
    let cjk = sentence.text[quantity.range.clone()].ends_with('倍')
        || list(chinese).any(|word| {
            before.trim_end().ends_with(word)
                || before.trim_end().trim_end_matches(['了', '约']).ends_with(word)
                || after.trim_start().starts_with(word)
        });
    // `-35.2 % (628 µs → 407 µs)`: the bracket has nothing but what it is of.
    let headed = pairs.iter().any(|pair| {
        let measured = matches!(pair.dim, Dim::Time | Dim::Rate(_) | Dim::Bytes | Dim::Money | Dim::Physical(_));
        let behind = sentence.text.get(pair.range.end..).unwrap_or("").trim_start();
        measured
            && pair.range.start > quantity.range.end
            && sentence.between(quantity.range.end, pair.range.start).trim() == "("
            && behind.starts_with(')')
            && (quantity.unit.dim == Dim::Factor || quantity.number.signed)
    });
    // `tripled`, `halved`
    let spoken = sentence.text.get(quantity.range.clone()).is_some_and(|word| word.ends_with("ed"));
    let word = match position {
        Some(at) => next[at].clone(),
        None if kind == Kind::Factor
            && next.first().is_some_and(|word| word == "the")
            && sentence.lower.get(quantity.range.clone()).is_some_and(|text| text.ends_with("times")) =>
        {
            "as".into()
        }
        // Of what stands behind it, in a table; no change of a pair.
        None if kind == Kind::Factor && next.first().is_some_and(|word| word == "the") && !open && !spoken => {
            "the".into()
        }
        None if kind == Kind::Factor
            && next.first().is_some_and(|word| word == "as")
            && next.get(1).is_some_and(|word| one_of(AS, word)) =>
        {
            "as".into()
        }
        None if kind == Kind::Percent && next.first().is_some_and(|word| word == "of") && !open => {
            kind = Kind::Of;
            "of".into()
        }
        None if by_verb || by => last
            .iter()
            .find(|word| one_of(CHANGES, word) || list(RISES).chain(list(FALLS)).any(|stem| word.starts_with(stem)))
            .cloned()
            .unwrap_or_default(),
        // A rise or a fall is of the first number.
        None if cjk
            && kind == Kind::Percent
            && contains_any(
                &before[before.char_indices().rev().nth(4).map_or(0, |(at, _)| at)..],
                "降低|下降|减少|缩短",
            ) =>
        {
            "decrease".into()
        }
        None if cjk
            && kind == Kind::Percent
            && contains_any(
                &before[before.char_indices().rev().nth(4).map_or(0, |(at, _)| at)..],
                "提升|提高|增加|增长",
            ) =>
        {
            "increase".into()
        }
        None if open || adjacent || headed || factor_of || cjk || spoken => String::new(),
        None => return None,
    };
    let object = match position {
        Some(at) => {
            let rest = &next[at + 1..];
            match rest.first().map(String::as_str) {
                Some("in" | "of") => rest.iter().skip(1).take(3).cloned().collect::<Vec<_>>().join(" "),
                Some(
                    "than" | "on" | "for" | "at" | "with" | "when" | "over" | "compared" | "and" | "by" | "from"
                    | "after" | "to",
                )
                | None => next[..at].join(" "),
                Some(_) => rest.iter().take(2).cloned().collect::<Vec<_>>().join(" "),
            }
        }
        None => String::new(),
    };
    let beside = open
        && pairs.iter().any(|pair| {
            pair.range.end <= quantity.range.start
                && sentence.between(pair.range.end, quantity.range.start).trim().len() <= 12
        });
    let explained = pairs.iter().any(|pair| {
        let between = sentence.between(quantity.range.end, pair.range.start);
        pair.range.start > quantity.range.end
            && between.len() < 50
            && between.trim_end().ends_with(['(', '–', '—', ':'])
            && !between.contains([';', ')'])
    });
    Some(Claim {
        index,
        kind,
        range: quantity.range.clone(),
        word,
        object,
        bracket: open || explained,
        bound: restated || beside,
    })
}
