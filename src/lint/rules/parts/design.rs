//! A number of runs, and the levels that a sentence crosses.

use super::counted;
use crate::lint::{
    number::show,
    numerals::cardinal,
    report::{Out, Sure},
    sentence::Sentence,
    words::{contains_any, words as list},
};

/// `3 models, 2 resolutions and 8 frame rates, so the space has 48 configurations`.
pub(super) fn design(sentence: &Sentence<'_>, out: &mut Out<'_>) {
    const RESULTS: &str = "configuration|combination|run|experiment|setting|trial|condition|cell|case|measurement|sequence|test|image|point|job|sample|total|observation|task|variant|request|execution|execution|call|query|queries|evaluation|rollout|simulation|scenario|model|pair|instance|benchmark|kombination|messung|lauf|läufe|konfiguration";
    let cues = "so |thus|hence|total of|in total|giving|yielding|yields|resulting in|makes|for a total|i.e.|altogether|which gives|that is|leads to|insgesamt|also |therefore|result";
    let numbers = counts(sentence);
    let Some((last, factors)) = numbers.split_last() else { return };
    // `15/15 passed` is a part of a whole.
    let fraction =
        sentence.text.split('/').collect::<Vec<_>>().windows(2).any(|two| {
            two[0].ends_with(|c: char| c.is_ascii_digit()) && two[1].starts_with(|c: char| c.is_ascii_digit())
        });
    let other = fraction || sentence.text.contains(['=', '×', '%', '+']);
    if factors.len() < 2 || factors.len() > 5 || numbers.len() > 6 || other {
        return;
    }
    let Some(gap) = sentence.lower.get(factors[factors.len() - 1].1..last.1) else { return };
    let after: Vec<&str> = sentence
        .lower
        .get(last.1..)
        .unwrap_or("")
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(4)
        .collect();
    let names = after.iter().any(|word| list(RESULTS).any(|result| word.starts_with(result)));
    let cued = contains_any(gap, cues) || sentence.lower.contains("each");
    let total = sentence.lower.get(last.1..).is_some_and(|rest| {
        rest.split([',', '.', ';', ')'])
            .next()
            .is_some_and(|rest| rest.contains("total") || rest.contains("altogether") || rest.contains("overall"))
    });
    let cue = total || contains_any(gap, cues);
    let cued = cued || total;
    let words: Vec<&str> = sentence.lower.split(|c: char| !c.is_alphanumeric()).collect();
    let bad = words.iter().any(|word| ["or", "from"].contains(word))
        || contains_any(
            &sentence.lower,
            "between|about|at least|more than|up to|minus|excluding|except| failed|dropped|removed|of which|discard|exclud|without|per cent",
        );
    let others = sentence.quantities.iter().any(|q| !counted(q));
    if !names || !cued || !cue || bad || others {
        return;
    }
    let values: Vec<f64> = factors.iter().map(|(value, _)| *value).collect();
    let product: f64 = values.iter().product();
    let total = last.0;
    // A factor may be of something else; the numbers may be added.
    let mut subsets = (1_u32..1 << values.len())
        .map(|mask| values.iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, v)| v).product::<f64>());
    let place = sentence.place(0);
    let quoted = sentence.quote(0..sentence.text.len());
    if (product - total).abs() < 0.5 {
        out.fits(place, "design", quoted);
    } else if !subsets.any(|subset| (subset - total).abs() < 0.5)
        && (values.iter().sum::<f64>() - total).abs() > 0.5
        && (0.5..2.0).contains(&(total / product))
    {
        let formula = values.iter().map(|v| show(*v)).collect::<Vec<_>>().join(" × ");
        out.wrong(
            place,
            "design",
            Sure::Warning,
            [
                quoted,
                format!("{formula} = {}", show(product)),
                "every level of each with every level of the others".into(),
            ],
        );
    }
}

/// Whole numbers in digits and in words, each with its place.
fn counts(sentence: &Sentence<'_>) -> Vec<(f64, usize)> {
    let mut found: Vec<(f64, usize)> =
        sentence.quantities.iter().filter(|q| counted(q)).map(|q| (q.base().value, q.number.range.end)).collect();
    let mut at = 0;
    for word in sentence.lower.split(|c: char| !c.is_alphanumeric()) {
        if let Some(value) = cardinal(word).filter(|_| word != "both") {
            found.push((value, at + word.len()));
        }
        at += word.len();
        at += sentence.lower.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    found.sort_by_key(|(_, at)| *at);
    found
}
