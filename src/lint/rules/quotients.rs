//! Columns that are the quotient or the product of two others in units of their own: `Samples/s` of `Batch` and `Time (ms)`,
//! `$ per M tokens` of `Cost` and `Tokens`, `Efficiency (%)` of `Speed-up` and `Cores`. The factor between the units is one of
//! few, and the same in every row but the odd one.

use std::collections::BTreeSet;

use super::{
    Paper,
    names::{brief, is_summary},
};
use crate::lint::{
    grid::Grid,
    number::{Interval, show},
    report::{Out, Sure},
    unit::Dim,
    words::contains_any,
};

/// More columns than these are compared three by three too often.
const WIDEST: usize = 14;
/// Rows that tell whether a relation is worth trying.
const SAMPLE: usize = 48;

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for grid in paper.tables.iter().filter_map(|view| view.grid.as_ref()) {
        let width = grid.columns.len();
        if !(3..=WIDEST).contains(&width) || grid.rows.len() < 3 {
            continue;
        }
        let rows: Vec<usize> = (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower)).collect();
        let mut told = BTreeSet::new();
        let mut best: Vec<Fit> = Vec::new();
        for k in 2..width {
            for j in 1..k {
                for i in 0..j {
                    best.extend(shapes(i, j, k).into_iter().filter_map(|shape| held(grid, &rows, shape)));
                }
            }
        }
        best.sort_by(|a, b| a.misfits.len().cmp(&b.misfits.len()).then(b.digits.total_cmp(&a.digits)));
        for fit in &best {
            report(grid, fit, &best, &mut told, out);
        }
    }
}

/// `target = factor × over / under`, or times `under`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    target: usize,
    over: usize,
    under: usize,
    times: bool,
}

struct Fit {
    shape: Shape,
    factor: f64,
    fits: Vec<usize>,
    misfits: Vec<usize>,
    digits: f64,
}

fn shapes(i: usize, j: usize, k: usize) -> [Shape; 3] {
    [
        Shape { target: k, over: i, under: j, times: false },
        Shape { target: k, over: j, under: i, times: false },
        Shape { target: k, over: i, under: j, times: true },
    ]
}

/// A number of a cell; one that counts is meant as it stands.
fn value(grid: &Grid, row: usize, column: usize) -> Option<Interval> {
    let cell = grid.cell(row, column);
    let own = cell.interval()?;
    let exact =
        cell.unit.dim == Dim::None && cell.unit.scale == 1.0 && own.middle().fract() == 0.0 && own.middle() < 1e5;
    Some(if exact { Interval::at(own.middle()) } else { own }).filter(|own| own.low > 0.0)
}

/// What the factor would be by one row.
fn factor(grid: &Grid, shape: Shape, row: usize) -> Option<Interval> {
    let [target, over, under] = [shape.target, shape.over, shape.under].map(|column| value(grid, row, column));
    let product = target?;
    if shape.times { product.over(over?.times(under?)) } else { product.times(under?).over(over?) }
}

/// The factor that units make: powers of ten and of 1024, seconds of a minute and an hour, bits of a byte.
fn unit(value: f64) -> Option<f64> {
    let mut found: Option<f64> = None;
    for base in [1.0, 6.0, 3.6, 8.0, 1.25, 1.048_576, 1.073_741_824, 1.024] {
        for turned in [base, 1.0 / base] {
            let power = format!("{:e}", value / turned);
            let power: i32 = power.rsplit('e').next()?.parse().ok()?;
            for exponent in [power, power + 1] {
                let known = turned * 10f64.powi(exponent);
                if exponent.abs() <= 12
                    && found.is_none_or(|best| (known / value - 1.0).abs() < (best / value - 1.0).abs())
                {
                    found = Some(known);
                }
            }
        }
    }
    found.filter(|known| (known / value - 1.0).abs() < 0.012)
}

#[expect(clippy::disallowed_methods, reason = "digits are held against a threshold")]
fn held(grid: &Grid, rows: &[usize], shape: Shape) -> Option<Fit> {
    let all = |rows: &[usize]| -> Vec<(usize, Interval)> {
        rows.iter().filter_map(|row| Some((*row, factor(grid, shape, *row)?))).collect()
    };
    let sample = all(&rows[..rows.len().min(SAMPLE)]);
    let rate = grid.columns[shape.target].lower.contains('/');
    if sample.len() < 3 || constant(grid, rows, shape, rate) {
        return None;
    }
    // Of one kind in every row; a ratio of two of one kind is a derived column of its own.
    let first = |column: usize| sample.first().map(|(row, _)| grid.cell(*row, column).unit.dim.clone());
    let dims = [shape.target, shape.over, shape.under].map(first);
    let even = |(row, _): &(usize, Interval)| {
        let columns = [shape.target, shape.over, shape.under];
        columns.iter().zip(&dims).all(|(column, dim)| Some(&grid.cell(*row, *column).unit.dim) == dim.as_ref())
    };
    if !sample.iter().all(even) || dims[1] == dims[2] && dims[1] != Some(Dim::None) {
        return None;
    }
    let mut middles: Vec<f64> = sample.iter().map(|(_, k)| k.middle()).collect();
    middles.sort_by(f64::total_cmp);
    let known = unit(middles[middles.len() / 2])?;
    let near = |k: &Interval| k.low <= known * (1.0 + 1e-9) && known * (1.0 - 1e-9) <= k.high;
    if sample.iter().filter(|(_, k)| near(k)).count() * 4 < (sample.len() * 3 - 1).min(sample.len() * 4 - 4) {
        return None;
    }
    let mut fit = Fit { shape, factor: known, fits: Vec::new(), misfits: Vec::new(), digits: 0.0 };
    let mut said = BTreeSet::new();
    for (row, k) in all(rows) {
        if near(&k) {
            let digits = if k.half() > 0.0 { (k.middle() / k.half()).log10().min(4.0) } else { 4.0 };
            if said.insert(grid.cell(row, shape.target).text.as_str()) {
                fit.fits.push(row);
                fit.digits += digits;
            }
        } else {
            fit.misfits.push(row);
        }
    }
    let headers = [shape.target, shape.over, shape.under].map(|column| grid.columns[column].lower.as_str());
    let named = headers.iter().any(|header| {
        contains_any(header, " per |/|throughput|rate|speed|efficiency|bandwidth|每|pro ") || header.starts_with('$')
    });
    let least = if named { 4.0 } else { 7.5 };
    // A thing over its own share is the whole, which a column of another part is near without being it.
    if !shape.times && !nouns(headers[1]).is_empty() && nouns(headers[1]) == nouns(headers[2]) {
        return None;
    }
    // Its header says what it is of.
    let whole = headers[0].contains(" per ") && !nouns(headers[0]).is_disjoint(&nouns(headers[2])) && !shape.times;
    let three = whole && fit.fits.len() == 2 && fit.misfits.len() == 1 && fit.digits >= 3.0;
    let enough = fit.fits.len() >= 3 && fit.digits >= least && fit.misfits.len() * 3 <= fit.fits.len();
    (three || enough).then_some(fit)
}

fn nouns(header: &str) -> BTreeSet<String> {
    let words = header.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 3);
    words.map(|word| word.trim_end_matches('s').to_owned()).collect()
}

/// One of the three does not change, or two are the same: then the third is nothing but the other.
fn constant(grid: &Grid, rows: &[usize], shape: Shape, rate: bool) -> bool {
    let texts = |column: usize| rows.iter().take(SAMPLE).map(move |row| grid.cell(*row, column).text.as_str());
    // So many in each row, in a rate of them.
    let asked = if rate && !shape.times {
        vec![shape.target, shape.under]
    } else {
        vec![shape.target, shape.over, shape.under]
    };
    asked.into_iter().any(|column| texts(column).collect::<BTreeSet<_>>().len() < 3)
        || texts(shape.over).eq(texts(shape.under))
}

fn report(grid: &Grid, fit: &Fit, all: &[Fit], told: &mut BTreeSet<usize>, out: &mut Out<'_>) {
    let Shape { target, over, under, times } = fit.shape;
    for row in fit.fits.iter().take(200) {
        let cell = grid.cell(*row, target);
        out.fits(
            grid.place(*row, target),
            "derived",
            format!("{} of {} {}", brief(&grid.columns[target].text), brief(&grid.rows[*row].text), cell.text),
        );
    }
    for row in &fit.misfits {
        let (Some(k), cell) = (factor(grid, fit.shape, *row), grid.cell(*row, target)) else { continue };
        let off = k.middle() / fit.factor;
        let slight = k.half() / k.middle() + 0.02;
        // Another of the three relations of the same columns explains the row.
        let excused = all
            .iter()
            .any(|other| other.shape != fit.shape && other.shape.target == target && other.fits.contains(row));
        // Where what differs here is the same in all rows that fit, nothing shows that it counts.
        let untried = [over, under].iter().any(|column| {
            let mut texts = fit.fits.iter().map(|fit| grid.cell(*fit, *column).text.as_str());
            let first = texts.next();
            texts.all(|text| Some(text) == first) && first != Some(grid.cell(*row, *column).text.as_str())
        });
        if (off - 1.0).abs() < slight
            || untried
            || !(0.1..10.0).contains(&off)
            || excused
            || cell.more.len() > 1
            || !told.insert(*row)
        {
            continue;
        }
        let text = |column: usize| format!("{} {}", brief(&grid.columns[column].text), grid.cell(*row, column).text);
        let sign = if times { "×" } else { "/" };
        let scale = if cell.unit.scale == 0.0 { 1.0 } else { cell.unit.scale };
        let follows = cell.value.map_or(0.0, |value| value.value / off / scale);
        let said = [
            format!("{} of {} {}", brief(&grid.columns[target].text), brief(&grid.rows[*row].text), cell.text),
            format!("{} {sign} {} gives {}", text(over), text(under), show(follows)),
            format!("{} of {} rows are that", fit.fits.len(), fit.fits.len() + fit.misfits.len()),
        ];
        let sure = if fit.fits.len() >= 5 && fit.misfits.len() == 1 { Sure::Error } else { Sure::Warning };
        out.wrong(grid.place(*row, target), "derived", sure, said);
    }
}
