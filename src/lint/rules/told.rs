//! Statistics that one sentence names: order, the deviation's bound, standard error, confidence interval.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::Paper;
use crate::lint::{
    number::{Bound, Interval, show},
    report::{Out, Sure},
    sentence::{Quantity, Sentence},
    unit::Dim,
    words::{contains_any, one_of, words as list},
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for sentence in paper.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences) {
        if sentence.quantities.len() >= 2 {
            let told = told(sentence);
            order(sentence, &told, out);
            deviation(sentence, &told, out);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stat {
    Min,
    Q1,
    Median,
    Mean,
    Q3,
    P90,
    P95,
    P99,
    P999,
    Max,
    Sd,
    Se,
    N,
    Interval95,
}

const NAMES: &[(&str, Stat)] = &[
    ("minimum", Stat::Min),
    ("min", Stat::Min),
    ("min.", Stat::Min),
    ("q1", Stat::Q1),
    ("first quartile", Stat::Q1),
    ("median", Stat::Median),
    ("p50", Stat::Median),
    ("mean", Stat::Mean),
    ("average", Stat::Mean),
    ("m", Stat::Mean),
    ("mittelwert", Stat::Mean),
    ("q3", Stat::Q3),
    ("third quartile", Stat::Q3),
    ("p90", Stat::P90),
    ("90th percentile", Stat::P90),
    ("p95", Stat::P95),
    ("95th percentile", Stat::P95),
    ("p99", Stat::P99),
    ("99th percentile", Stat::P99),
    ("p99.9", Stat::P999),
    ("99.9th percentile", Stat::P999),
    ("maximum", Stat::Max),
    ("max", Stat::Max),
    ("max.", Stat::Max),
    ("sd", Stat::Sd),
    ("s.d.", Stat::Sd),
    ("std", Stat::Sd),
    ("standard deviation", Stat::Sd),
    ("σ", Stat::Sd),
    ("standardabweichung", Stat::Sd),
    ("se", Stat::Se),
    ("sem", Stat::Se),
    ("standard error", Stat::Se),
    ("n", Stat::N),
    ("ci", Stat::Interval95),
];

/// A statistic and its number, if one of each.
type Told<'s> = Vec<One<'s>>;
type One<'s> = (Stat, &'s Quantity);

fn told<'s>(sentence: &'s Sentence<'_>) -> Told<'s> {
    let mut found: Told<'s> = Vec::new();
    let mut end = 0;
    for quantity in &sentence.quantities {
        let before = sentence.lower.get(end..quantity.range.start).unwrap_or("");
        end = quantity.range.end;
        let before = before
            .trim_end_matches(|c: char| c.is_whitespace() || "=:[(~≈".contains(c))
            .trim_end_matches(" of")
            .trim_end_matches(" is")
            .trim_end_matches(" was")
            .trim_end_matches(" von")
            .trim_end();
        let name = NAMES
            .iter()
            .filter(|(name, _)| {
                before.ends_with(name)
                    && before[..before.len() - name.len()]
                        .chars()
                        .next_back()
                        .is_none_or(|c| !c.is_alphanumeric() && c != '.')
            })
            .max_by_key(|(name, _)| name.len());
        let spoken = before.rsplit([',', ';', '(', '.']).next().unwrap_or("");
        let verb = sentence
            .lower
            .get(..quantity.range.start)
            .is_some_and(|text| list(" was | is | of | were |= |: ").any(|verb| text.ends_with(verb)));
        let mean = verb
            && spoken.split_whitespace().count() <= 6
            && spoken.split_whitespace().any(|word| word == "mean" || word == "average");
        found.extend(name.map(|(_, stat)| (*stat, quantity)).or(mean.then_some((Stat::Mean, quantity))));
    }
    // Twice the same: two groups.
    let stats: Vec<Stat> = found.iter().map(|(stat, _)| *stat).collect();
    found.retain(|(stat, _)| stats.iter().filter(|other| *other == stat).count() == 1);
    if stats.iter().any(|stat| stats.iter().filter(|other| *other == stat).count() > 1) {
        found.clear();
    }
    found
}

fn one(told: &Told<'_>, stat: Stat) -> Option<Interval> {
    told.iter()
        .find(|(found, q)| *found == stat && q.number.stated.bound == Bound::Value && q.upper.is_none())
        .map(|(_, quantity)| quantity.base().cut())
}

fn order(sentence: &Sentence<'_>, told: &Told<'_>, out: &mut Out<'_>) {
    let ranked = [Stat::Min, Stat::Q1, Stat::Median, Stat::Q3, Stat::P90, Stat::P95, Stat::P99, Stat::P999, Stat::Max];
    let mut chain: Vec<(Stat, &Quantity)> = told
        .iter()
        .copied()
        .filter(|(stat, q)| ranked.contains(stat) && q.number.stated.bound == Bound::Value && q.upper.is_none())
        .collect();
    chain.sort_by_key(|(stat, _)| *stat);
    let mut pairs: Vec<(One<'_>, One<'_>)> = chain.windows(2).map(|two| (two[0], two[1])).collect();
    if let Some(mean) = told.iter().copied().find(|(stat, _)| *stat == Stat::Mean) {
        pairs.extend(chain.iter().filter(|(stat, _)| *stat == Stat::Min).map(|min| (*min, mean)));
        pairs.extend(chain.iter().filter(|(stat, _)| *stat == Stat::Max).map(|max| (mean, *max)));
    }
    let alike =
        |a: &Quantity, b: &Quantity| a.unit.dim == b.unit.dim || a.unit.dim == Dim::None || b.unit.dim == Dim::None;
    for (lower, upper) in pairs {
        // A percentile with two units is one of two things.
        if !alike(lower.1, upper.1) || !near(sentence, lower.1, upper.1) {
            continue;
        }
        let scale = |a: &Quantity, b: &Quantity| {
            if a.unit.dim == Dim::None { a.number.stated.scaled(b.unit.scale) } else { a.base() }
        };
        let (low, high) = (scale(lower.1, upper.1), scale(upper.1, lower.1));
        if low.low() > high.high() {
            let range = lower.1.range.start.min(upper.1.range.start)..lower.1.range.end.max(upper.1.range.end);
            let said = [sentence.quote(range.clone()), format!("{:?} cannot exceed {:?}", lower.0, upper.0).to_lowercase(), "minimum, quartiles, percentiles, maximum stand in this order, and the mean lies between minimum and maximum".into()];
            out.wrong(sentence.place(range.start), "order", Sure::Error, said);
        }
    }
}

/// In one list: no other clause begins between them.
fn near(sentence: &Sentence<'_>, a: &Quantity, b: &Quantity) -> bool {
    let (first, second) = if a.range.start < b.range.start { (a, b) } else { (b, a) };
    let between = sentence.lower.get(first.range.end..second.range.start).unwrap_or("");
    between.len() < 90 && !contains_any(between, "while|whereas|but|compared|versus| vs|than|;|when|with |for ")
}

fn deviation(sentence: &Sentence<'_>, told: &Told<'_>, out: &mut Out<'_>) {
    let place = sentence.place(0);
    let quoted = sentence.quote(0..sentence.text.len());
    let n = one(told, Stat::N).map(|n| n.middle().round()).filter(|n| *n >= 2.0 && *n < 1e7);
    let (mean, sd, se) = (one(told, Stat::Mean), one(told, Stat::Sd), one(told, Stat::Se));
    let plain = !contains_any(&sentence.lower, "cluster|robust|bootstrap|adjusted|corrected|effect");
    if let (Some(sd), Some(n), Some(se), true) = (sd, n, se, plain) {
        let follows = sd.scaled(1.0 / n.sqrt());
        if follows.meets(se) {
            out.fits(place, "standard-error", quoted.clone());
        } else {
            out.wrong(
                place,
                "standard-error",
                Sure::Error,
                [
                    quoted.clone(),
                    format!("{} / √{n} = {}", show(sd.middle()), show(follows.middle())),
                    "the standard error is the deviation divided by the root of n".into(),
                ],
            );
        }
    }
    // All values lie within a range that the sentence gives.
    let range = match (one(told, Stat::Min), one(told, Stat::Max)) {
        (Some(min), Some(max)) => Some((min.low, max.high)),
        _ => spoken_range(sentence),
    };
    if let (Some((low, high)), Some(sd)) = (range, sd)
        && high > low
    {
        let correction = n.map_or(2.0, |n| n / (n - 1.0));
        let mut bound = (high - low) / 2.0 * correction.sqrt();
        if let Some(mean) = mean {
            let at = ((low + high) / 2.0).clamp(mean.low, mean.high);
            bound = bound.min((correction * (high - at).max(0.0) * (at - low).max(0.0)).sqrt());
        }
        if sd.low > bound * (1.0 + 1e-9) {
            out.wrong(place, "sd-range", Sure::Error, [quoted.clone(), format!("a deviation of at most {}", show(bound)), "values within a range cannot deviate more than half of it on average (Popoviciu; Bhatia and Davis)".into()]);
        }
    }
    interval(sentence, told, (mean, sd, n), out);
}

/// "lies between 10 and 14 ms"
fn spoken_range(sentence: &Sentence<'_>) -> Option<(f64, f64)> {
    let at = sentence
        .lower
        .find("between ")
        .map(|at| at + 8)
        .or_else(|| sentence.lower.find("range from ").map(|at| at + 11))?;
    let index = sentence.quantities.iter().position(|quantity| quantity.range.start == at)?;
    let first = &sentence.quantities[index];
    if let Some(upper) = first.upper {
        return Some((first.base().low(), upper.scaled(first.unit.scale).high()));
    }
    let second = sentence.quantities.get(index + 1)?;
    let joined = one_of("and|to|–|und", sentence.lower.get(first.range.end..second.range.start)?.trim());
    let scale = second.unit.scale;
    let lies = contains_any(&sentence.lower[..at], "lie|lay|range|all |fall|values|runs");
    (joined && lies).then(|| (first.number.stated.scaled(scale).low(), second.base().high()))
}

/// `95 % CI [71.0, 91.0]`: around the mean, and as wide as t allows.
fn interval(
    sentence: &Sentence<'_>,
    told: &Told<'_>,
    (mean, sd, n): (Option<Interval>, Option<Interval>, Option<f64>),
    out: &mut Out<'_>,
) {
    let Some(at) = sentence
        .quantities
        .iter()
        .position(|q| told.iter().any(|(stat, of)| *stat == Stat::Interval95 && std::ptr::eq(*of, q)))
    else {
        return;
    };
    let first = &sentence.quantities[at];
    let (low, high) = match (first.upper, sentence.quantities.get(at + 1)) {
        (Some(upper), _) => (first.number.stated, upper),
        (None, Some(second))
            if sentence
                .lower
                .get(first.range.end..second.range.start)
                .is_some_and(|between| one_of(",|;|–|to|-|and", between.trim())) =>
        {
            (first.number.stated, second.number.stated)
        }
        _ => return,
    };
    let Some(mean) = mean else { return };
    let place = sentence.place(first.range.start);
    let quoted = sentence.quote(0..sentence.text.len());
    if mean.high < low.low() || mean.low > high.high() {
        out.wrong(
            place,
            "interval",
            Sure::Error,
            [
                quoted,
                format!("an interval that holds {}", show(mean.middle())),
                "a confidence interval of a mean holds the mean".into(),
            ],
        );
        return;
    }
    let level = sentence.quantities[..at]
        .iter()
        .rev()
        .find(|q| q.unit.dim == Dim::Percent)
        .map_or(0.95, |q| q.number.stated.value / 100.0);
    let plain = !contains_any(
        &sentence.lower,
        "bootstrap|ratio|log|median|bayes|credible|adjusted|robust|cluster|within-subject|difference",
    );
    if let (Some(sd), Some(n), true) = (sd, n, plain && (0.5..1.0).contains(&level)) {
        let Ok(t) = StudentsT::new(0.0, 1.0, n - 1.0) else { return };
        let (most, least) = (t.inverse_cdf(0.5 + level / 2.0), 0.9 * statrs_normal(level));
        let half = Interval { low: (high.low() - low.high()) / 2.0, high: (high.high() - low.low()) / 2.0 };
        let follows = Interval { low: least * sd.low / n.sqrt(), high: 1.02 * most * sd.high / n.sqrt() };
        if !half.meets(follows) {
            out.wrong(
                place,
                "interval",
                Sure::Warning,
                [
                    quoted,
                    format!("{} ± {}", show(mean.middle()), show(most * sd.middle() / n.sqrt())),
                    "t × deviation / √n".into(),
                ],
            );
        } else {
            out.fits(place, "interval", quoted);
        }
    }
}

fn statrs_normal(level: f64) -> f64 {
    statrs::distribution::Normal::standard().inverse_cdf(0.5 + level / 2.0)
}
