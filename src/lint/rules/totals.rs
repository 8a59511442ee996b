//! Parts and wholes in tables: shares that make 100 %, rows of totals, rows of averages.

use super::{Finding, Paper};
use crate::lint::{
    Sure,
    number::{Interval, Stated, show},
    quantity::{Stat, Unit},
    tables::{Reading, Table},
};

/// Shares of one whole that were added wrongly are out by less than this factor.
const NEAR: f64 = 1.25;

pub fn check(paper: &Paper<'_>, findings: &mut Vec<Finding>) {
    for table in paper.tables {
        shares(table, findings);
        totals(table, findings);
        averages(table, findings);
    }
}

fn is_total(label: &str) -> bool {
    ["total", "sum", "totals"].contains(&label.trim().to_lowercase().as_str())
}

/// A column of shares sums to the whole. Its rows may be a choice of parts, so it may be less; not more. Shares of different
/// wholes (how much of each row's time went where) sum to anything: only a sum near the whole, or a row of totals, says that
/// these are parts of one.
fn shares(table: &Table<'_>, findings: &mut Vec<Finding>) {
    for column in table.columns() {
        let parts: Vec<&Reading> = table
            .levels(column)
            .into_iter()
            .filter(|r| r.stat == Stat::Share && !is_total(table.label(r.row)))
            .collect();
        if parts.len() < 2 || parts.len() + table.overall_rows() + 1 < table.source.rows.len() {
            continue;
        }
        let percent =
            parts.iter().any(|r| r.quantity.unit == Unit::Percent || r.text.contains('%') || r.value.value > 1.5);
        let whole = if percent { 100.0 } else { 1.0 };
        let (sum, value) = (sum(&parts), parts.iter().map(|r| r.value.value).sum::<f64>());
        let across = parts.iter().all(|part| {
            let row: Vec<&Reading> =
                table.readings.iter().filter(|r| r.row == part.row && r.stat == Stat::Share).collect();
            row.len() > 1 && self::sum(&row).meets(Interval { low: whole, high: whole })
        });
        let has_total = table.source.rows.iter().any(|row| row.cells.first().is_some_and(|label| is_total(label)));
        if across || !(has_total || value < whole * NEAR) {
            continue;
        }
        if sum.low > whole * (1.0 + 1e-9) || (has_total && sum.high < whole * (1.0 - 1e-9)) {
            findings.push(Finding {
                line: parts[0].line,
                rule: "shares",
                sure: Sure::Error,
                stated: format!("{} shares", parts.len()),
                follows: format!("they sum to {}, not {whole}", show(value)),
                why: "parts of one whole; each was given the rounding of its last digit".into(),
            });
        }
    }
}

/// A last row of totals. Whether rows are meant to be summed shows in the columns where they do.
fn totals(table: &Table<'_>, findings: &mut Vec<Finding>) {
    let Some(total) = (0..table.source.rows.len()).rfind(|row| is_total(table.label(*row))) else { return };
    let mut columns: Vec<(bool, &Reading, f64)> = Vec::new();
    for column in table.columns() {
        let readings: Vec<&Reading> = table.readings.iter().filter(|r| r.column == column).collect();
        let Some(whole) = readings.iter().copied().find(|r| r.row == total) else { continue };
        let parts: Vec<&Reading> = readings.iter().copied().filter(|r| r.row < total).collect();
        // Means, rates and percentages do not add up; a column with holes is not understood.
        let adds = matches!(whole.stat, Stat::Value | Stat::Count)
            && !matches!(whole.quantity.unit, Unit::Percent | Unit::TokensPerSecond);
        if !adds || parts.len() < 2 || parts.len() != total || parts.iter().any(|r| r.text.contains('%')) {
            continue;
        }
        columns.push((sum(&parts).meets(interval(whole)), whole, parts.iter().map(|r| r.value.value).sum()));
    }
    let known = columns.iter().any(|(fits, ..)| *fits);
    for (_, whole, value) in columns.iter().filter(|(fits, ..)| !fits) {
        findings.push(Finding {
            line: whole.line,
            rule: "total",
            sure: if known { Sure::Error } else { Sure::Warning },
            stated: format!("total {}", whole.text),
            follows: format!("the rows above sum to {}", show(*value)),
            why: if known {
                "other columns of the same row are sums of theirs"
            } else {
                "a total is taken to be the sum of its rows"
            }
            .into(),
        });
    }
}

/// A last row of averages: if it is the plain mean in other columns, it is so in all. Percentages may be those of the whole, which
/// is no mean of theirs; and columns whose rows are all equal do not show how they are averaged.
fn averages(table: &Table<'_>, findings: &mut Vec<Finding>) {
    let (mut columns, mut fits): (Vec<(bool, &Reading, f64)>, usize) = (Vec::new(), 0);
    for column in table.columns() {
        let levels = table.levels(column);
        let Some(mean) = table.readings.iter().find(|r| r.column == column && r.overall) else { continue };
        let rows = table.source.rows.len() - table.overall_rows();
        let averaged = matches!(mean.stat, Stat::Value | Stat::Mean) && mean.quantity.unit != Unit::Percent;
        if !table.one_way || levels.len() != rows || rows < 2 || !averaged {
            continue;
        }
        let n = levels.len() as f64;
        let (sum, value) = (sum(&levels), levels.iter().map(|r| r.value.value).sum::<f64>() / n);
        let plain = Interval { low: sum.low / n, high: sum.high / n }.meets(Interval::of(mean.value));
        let differ = levels.iter().any(|reading| reading.text != levels[0].text);
        fits += usize::from(plain && differ);
        columns.push((plain, mean, value));
    }
    if fits > columns.iter().filter(|(plain, ..)| !plain).count() {
        for (_, mean, value) in columns.iter().filter(|(plain, ..)| !plain) {
            findings.push(Finding {
                line: mean.line,
                rule: "average",
                sure: Sure::Error,
                stated: format!("average {}", mean.text),
                follows: format!("the mean of the rows above is {}", show(*value)),
                why: "other columns of the same row are plain means of theirs".into(),
            });
        }
    }
}

fn sum(readings: &[&Reading]) -> Interval {
    readings
        .iter()
        .map(|r| interval(r))
        .fold(Interval { low: 0.0, high: 0.0 }, |a, b| Interval { low: a.low + b.low, high: a.high + b.high })
}

/// Counts are exact; other whole numbers may have lost their decimals.
fn interval(reading: &Reading) -> Interval {
    let half = if reading.stat == Stat::Count { 0.0 } else { reading.value.half };
    Interval::of(Stated { half, ..reading.value })
}
