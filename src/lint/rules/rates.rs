//! Rates and times against the counts that they must give.

use super::Paper;
use crate::lint::{
    label::{Quantity, Stat},
    number::{Interval, Stated, show},
    readings::{Reading, Table},
    report::{Out, Said, Sure},
    unit::Dim,
    words::{contains_any, one_of},
};

/// A mean of rates times a mean of times exceeds the count by the scatter's square: 5 % stands for a CV of 22 %.
const SCATTER: f64 = 0.05;

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    let defined = defined(paper);
    for table in &paper.readings {
        for row in 0..table.source.rows.len() {
            let cells: Vec<&Reading> = table.row(row).filter(|r| matches!(r.stat, Stat::Value | Stat::Mean)).collect();
            let tokens = table
                .level(row)
                .filter(|_| counts_tokens(&table.factor.quantity))
                .or_else(|| Some(cells.iter().find(|r| counts_tokens(&r.quantity))?.value));
            let (Some(tokens), Some(rate), Some(time)) = (tokens, unique(&cells, is_rate), unique(&cells, is_time))
            else {
                continue;
            };
            let product = rate.value.interval().times(time.value.interval());
            if product.low - spread(table, row, rate, time) > tokens.high() * (1.0 + SCATTER) {
                let value = rate.value.value * time.value.value;
                out.push(Said {
                    place: rate.place,
                    rule: "rate-time",
                    sure: if defined { Sure::Error } else { Sure::Warning },
                    stated: format!("{} tokens in {} s at {} tok/s", show(tokens.value), time.text, rate.text),
                    follows: format!("{} × {} = {} tokens", time.text, rate.text, show(value)),
                    why: format!(
                        "a rate times its time is a count, and at most {} tokens were asked for",
                        show(tokens.value)
                    ),
                });
            }
        }
    }
    pooled(paper, out);
}

/// Where deviations stand beside the means, the product of the means exceeds the count by no more than their product: a
/// correlation of -1 between rate and time. Where one stands there alone, the other scatters as much in proportion.
fn spread(table: &Table<'_>, row: usize, rate: &Reading, time: &Reading) -> f64 {
    let of = |kind: fn(&Quantity) -> bool| {
        table.row(row).find(|r| r.stat == Stat::Sd && kind(&r.quantity)).map(|r| r.value.high())
    };
    let [rate_mean, time_mean] = [rate, time].map(|mean| mean.value.value);
    match (of(is_rate), of(is_time)) {
        (Some(rate), Some(time)) => rate * time,
        (Some(rate), None) if rate_mean > 0.0 => rate * rate / rate_mean * time_mean,
        (None, Some(time)) if time_mean > 0.0 => time * time / time_mean * rate_mean,
        _ => 0.0,
    }
}

/// Does the paper divide tokens by the same time that it calls latency?
fn defined(paper: &Paper<'_>) -> bool {
    let over = "divided by|/ latency|per second of latency|over latency|over the latency";
    paper.paragraphs.iter().any(|paragraph| {
        let text = paragraph.text.text.to_lowercase();
        text.contains("throughput")
            && contains_any(&text, over)
            && (text.contains("latency") || text.contains("total time"))
    })
}

/// The mean throughput over lengths against all tokens divided by all time: they differ, so a paper says which it means.
fn pooled(paper: &Paper<'_>, out: &mut Out<'_>) {
    let says = "mean of rates|mean of the rates|per-run rate|pooled|total tokens|all tokens divided|harmonic|mean of per-run|averaged over runs|average of rates|rate of each run";
    if paper.mentions(says) || !defined(paper) {
        return;
    }
    let by_length = paper.readings.iter().find(|table| table.one_way && counts_tokens(&table.factor.quantity));
    let Some(table) = by_length else { return };
    let counts: Option<Vec<Stated>> = (0..table.source.rows.len()).map(|row| table.level(row)).collect();
    let Some(counts) = counts.filter(|counts| counts.len() > 1) else { return };
    let tokens = counts.iter().map(|count| count.value).sum::<f64>() / counts.len() as f64;
    let means: Vec<&Reading> =
        paper.readings.iter().flat_map(|table| &table.readings).filter(|r| r.overall && r.stat == Stat::Mean).collect();
    let (Some(rate), Some(time)) = (unique(&means, is_rate), unique(&means, is_time)) else { return };
    let follows = Interval { low: tokens, high: tokens }.over(time.value.interval());
    let Some(follows) = follows else { return };
    let stated = rate.value.interval();
    if follows.low > stated.high * (1.0 + SCATTER) || follows.high < stated.low * (1.0 - SCATTER) {
        out.push(Said {
            place: rate.place,
            rule: "pooled-rate",
            sure: Sure::Warning,
            stated: format!("mean {}", rate.quote()),
            follows: format!("{} tokens on average / {} s = {} tok/s", show(tokens), time.text, show(tokens / time.value.value)),
            why: "all tokens divided by all time is another number than the mean of rates, and the text does not say which is meant".into(),
        });
    }
}

/// The only reading of its kind.
fn unique<'a>(readings: &[&'a Reading], kind: fn(&Quantity) -> bool) -> Option<&'a Reading> {
    let mut found = readings.iter().copied().filter(|reading| kind(&reading.quantity));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// A rate without an adjective: decode, prefill and peak rates belong to other times.
fn is_rate(quantity: &Quantity) -> bool {
    quantity.dim == Dim::Rate("token".into()) && quantity.is(&["throughput", "speed", "rate"])
}

fn is_time(quantity: &Quantity) -> bool {
    quantity.dim == Dim::Time && quantity.is(&["latency", "time", "duration"])
}

fn counts_tokens(quantity: &Quantity) -> bool {
    let input = |word: &String| one_of("prompt|input|context", word);
    (quantity.dim == Dim::Count("token".into()) || quantity.is(&["token"])) && !quantity.words.iter().any(input)
}
