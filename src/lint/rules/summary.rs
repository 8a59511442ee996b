//! Rows that sum up others: totals and averages. In which way shows in the columns that fit. Columns of that kind are the same on
//! the table's side.

use super::{
    Paper,
    names::{Kind, brief, is_summary, kind},
};
use crate::lint::{
    grid::Grid,
    means,
    number::{Bound, Interval, Stated, show},
    report::{Out, Sure},
    unit::Dim,
    words::{contains_any, one_of, words as list},
};

const LONGEST: usize = 200_000;

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for grid in paper.tables.iter().filter_map(|view| view.grid.as_ref()) {
        rows(grid, out);
        shares(grid, out);
        if grid.columns.len() <= 60 && grid.rows.len() <= 2000 {
            rows(&grid.turn(), out);
        }
    }
}

/// Shares of one whole sum to it, or to less where rows are left out; never to more. That they are of one whole shows in a column of
/// counts that they are proportional to, a row of totals, or a sum that is off by what an error makes of it.
fn shares(grid: &Grid, out: &mut Out<'_>) {
    for column in 0..grid.columns.len() {
        let header = grid.columns[column].lower.as_str();
        let named =
            contains_any(header, "share|proportion|fraction|% of|percent|anteil|占比|portion") || header.trim() == "%";
        let rows: Vec<usize> = (0..grid.rows.len())
            .filter(|row| !is_summary(&grid.rows[*row].lower) && !is_part(&grid.rows[*row].lower))
            .collect();
        let cells: Vec<_> = rows.iter().map(|row| grid.cell(*row, column)).collect();
        let values: Vec<Interval> = cells.iter().filter_map(|cell| cell.interval()).collect();
        if !named
            || rows.len() < 2
            || values.len() != rows.len()
            || cells.iter().any(|cell| !matches!(cell.unit.dim, Dim::Percent | Dim::None))
        {
            continue;
        }
        let percent =
            cells.iter().any(|cell| cell.unit.dim == Dim::Percent || cell.value.is_some_and(|value| value.value > 1.5));
        let whole = if percent { 100.0 } else { 1.0 };
        let sum = values.iter().fold(Interval::at(0.0), |sum, value| sum.plus(*value));
        let total = grid.rows.iter().any(|row| kind(&row.lower) == Some(Kind::Total));
        // Rows of which each is whole by itself.
        let across = rows.iter().all(|row| {
            let others: Vec<Interval> = (0..grid.columns.len())
                .filter(|other| {
                    *other != column && grid.cell(*row, *other).unit.dim == grid.cell(*row, column).unit.dim
                })
                .filter_map(|other| grid.cell(*row, other).interval())
                .collect();
            !others.is_empty()
                && others
                    .iter()
                    .fold(grid.cell(*row, column).interval().unwrap_or(Interval::at(0.0)), |sum, value| {
                        sum.plus(*value)
                    })
                    .meets(Interval::at(whole))
        });
        // Answers of which one may give several are proportional, too.
        let counts = contains_any(header, "total|whole|gesamt|all ") && proportional(grid, &rows, column);
        let share = contains_any(header, "share|proportion|anteil");
        let near = share && sum.middle() < whole * 1.25 && rows.len() >= 3;
        let place = grid.place(rows[0], column);
        if sum.low > whole * 1.000_001 && !across && (total || near || counts) {
            let sure = if near && sum.low > whole * 1.01 { Sure::Error } else { Sure::Warning };
            out.wrong(
                place,
                "shares",
                sure,
                [
                    format!("{} values of {}", rows.len(), brief(&grid.columns[column].text)),
                    format!("they sum to {}, not {whole}", show(sum.middle())),
                    "parts of one whole; each was given the rounding of its last digit".into(),
                ],
            );
        } else if sum.meets(Interval::at(whole)) {
            out.fits(place, "shares", format!("{} make {whole}", brief(&grid.columns[column].text)));
        }
    }
}

/// Some other column is proportional to the shares.
fn proportional(grid: &Grid, rows: &[usize], column: usize) -> bool {
    rows.len() >= 3
        && (0..grid.columns.len()).filter(|other| *other != column).any(|other| {
            let ratios: Option<Vec<Interval>> = rows
                .iter()
                .map(|row| grid.cell(*row, other).interval()?.over(grid.cell(*row, column).interval()?))
                .collect();
            ratios.is_some_and(|ratios| {
                ratios.windows(2).all(|two| two[0].meets(two[1]))
                    && ratios.iter().any(|ratio| ratio.half() < 0.05 * ratio.middle())
            })
        })
}

/// A part of another row: `thereof`, `of which`.
fn is_part(label: &str) -> bool {
    list("thereof|of which|davon|incl|including|└|├|↳|- |– |› |of these|其中")
        .any(|mark| label.trim_start().starts_with(mark))
}

fn is_subtotal(label: &str) -> bool {
    contains_any(label, "subtotal|sub-total|zwischensumme|小计")
}

fn rows(grid: &Grid, out: &mut Out<'_>) {
    if grid.rows.len() > LONGEST {
        return;
    }
    for target in 0..grid.rows.len() {
        let Some(kind) = kind(&grid.rows[target].lower) else { continue };
        // Statistics as names of all rows are no sums of each other.
        let statistics = grid.rows.iter().filter(|row| is_summary(&row.lower)).count();
        if kind != Kind::Total && statistics * 2 > grid.rows.len() || statistics == grid.rows.len() {
            continue;
        }
        row(grid, target, kind, out);
    }
}

/// The sets of rows that the target may sum up: those above or below it, with or without subtotals, back to the last of its kind.
fn sets(grid: &Grid, target: usize) -> Vec<Vec<usize>> {
    let label = |row: &usize| grid.rows[*row].lower.as_str();
    let other = |row: &usize| kind(label(row)).is_none() && !(*row == 0 && grid.level_row);
    let above: Vec<usize> = (0..target).filter(other).collect();
    let below: Vec<usize> = (target + 1..grid.rows.len()).filter(other).collect();
    let since = (0..target).rfind(|row| kind(label(row)).is_some() || is_subtotal(label(row))).map_or(0, |row| row + 1);
    let ruled = (0..target).rfind(|row| grid.rows[*row].ruled && *row > 0).unwrap_or(0);
    let plain = |rows: &[usize]| -> Vec<usize> {
        rows.iter().copied().filter(|row| !is_part(label(row)) && !is_subtotal(label(row))).collect()
    };
    let mut sets = vec![
        above.clone(),
        plain(&above),
        above.iter().copied().filter(|row| is_subtotal(label(row))).collect(),
        (since..target).filter(other).collect(),
        (ruled..target).filter(other).collect(),
    ];
    if above.len() < 2 {
        sets.extend([below.clone(), plain(&below)]);
    }
    sets.retain(|set| set.len() >= 2);
    sets.dedup();
    sets
}

/// One column of a summary.
struct Sum {
    column: usize,
    fits: bool,
    /// It could have failed: the parts differ.
    telling: bool,
    value: f64,
}

fn row(grid: &Grid, target: usize, kind: Kind, out: &mut Out<'_>) {
    let score = |sums: &Vec<Sum>| {
        (
            sums.iter().filter(|sum| sum.fits && sum.telling).count(),
            std::cmp::Reverse(sums.iter().filter(|sum| !sum.fits).count()),
        )
    };
    let tried = sets(grid, target).into_iter().map(|set| (columns(grid, target, kind, &set), set));
    let Some((sums, set)) = tried.max_by_key(|(sums, _)| score(sums)) else { return };
    let proven = sums.iter().filter(|sum| sum.fits && sum.telling).count();
    for sum in &sums {
        let cell = grid.cell(target, sum.column);
        let place = grid.place(target, sum.column);
        let rule = if kind == Kind::Total { "total" } else { "average" };
        let what =
            format!("{} of {}: {}", brief(&grid.rows[target].text), brief(&grid.columns[sum.column].text), cell.text);
        if sum.fits {
            out.fits(place, rule, what);
            continue;
        }
        // A total that goes before may be of parts that overlap.
        if proven == 0 && set.iter().all(|row| *row > target) {
            continue;
        }
        let Some(judged) = judge(grid, target, kind, &set, sum, proven, sums.len()) else { continue };
        let scale = cell.unit.scale;
        let side = if grid.turned { "columns" } else { "rows" };
        let follows = format!("{} of the {} {side} {}", show(sum.value / scale), set.len(), said(kind));
        let why = if proven > 0 {
            format!("{proven} other of its numbers {} that", if proven == 1 { "is" } else { "are" })
        } else {
            "by its name it is that".into()
        };
        out.wrong(place, rule, judged, [what, follows, why]);
    }
}

fn said(kind: Kind) -> &'static str {
    match kind {
        Kind::Total => "(their sum)",
        Kind::Mean => "(their mean)",
        Kind::Median => "(their median)",
        Kind::Least => "(the least)",
        Kind::Most => "(the most)",
    }
}

/// Is it a contradiction, and how sure?
fn judge(
    grid: &Grid,
    target: usize,
    kind: Kind,
    set: &[usize],
    sum: &Sum,
    proven: usize,
    columns: usize,
) -> Option<Sure> {
    let cell = grid.cell(target, sum.column);
    let stated = cell.value?;
    let name = &grid.columns[sum.column].lower;
    let off = (stated.value - sum.value).abs();
    let counts =
        stated.value.fract() == 0.0 && cell.unit.scale == 1.0 && cell.unit.dim == Dim::None && kind == Kind::Total;
    if off <= (if counts { 0.5 } else { 4.0 * cell.step.min(stated.half) + 0.004 * sum.value.abs() })
        || follows_across(grid, target, sum.column)
    {
        return None;
    }
    let parts: Vec<f64> = set.iter().filter_map(|row| grid.cell(*row, sum.column).value).map(|v| v.value).collect();
    let (least, most) = parts.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), v| (l.min(*v), m.max(*v)));
    match kind {
        Kind::Total => {
            let adds = !matches!(cell.unit.dim, Dim::Rate(_) | Dim::Factor | Dim::Percent | Dim::Points)
                && !contains_any(
                    name,
                    "rate|speed|ratio|%|mean|avg|average|throughput|per |/|score|accuracy|latency|price|temperature|unique|max|min|p50|p95|p99",
                );
            let percent = cell.unit.dim == Dim::Percent && (stated.value - 100.0).abs() < 0.5;
            if percent {
                return ((sum.value - 100.0).abs() > 0.5 + 0.6 * parts.len() as f64 * 0.5
                    && sum.value > 50.0
                    && sum.value < 200.0)
                    .then_some(if proven > 0 { Sure::Error } else { Sure::Warning });
            }
            // A part is counted in more than one row, or rows are left out.
            let near = sum.value != 0.0 && (0.55..1.8).contains(&(stated.value / sum.value));
            let shares =
                cell.unit.dim == Dim::Percent && contains_any(name, "share|fraction|of time|of total|portion|anteil");
            if !(adds || shares) || !near {
                return None;
            }
            Some(if proven > 0 { Sure::Error } else { Sure::Warning })
        }
        Kind::Mean => {
            let mean = if proven >= 2 { 0.1..10.0 } else { 0.5..2.0 }.contains(&(stated.value / sum.value));
            // The only numbers that there are, and the mean below them.
            let alone = grid.columns.len() == 1 && set.len() >= 3 && target + 1 == grid.rows.len() && !grid.turned;
            if alone && mean {
                return Some(Sure::Warning);
            }
            if cell.unit.dim == Dim::Percent && proven == 0 || !mean {
                return None;
            }
            let outside = stated.cut().low > most || stated.cut().high < least;
            let named = grid.rows[target].lower.contains("weighted") || grid.rows[target].lower.contains("geo");
            if named && columns == 1 {
                return Some(Sure::Warning);
            }
            (proven * 2 > columns - proven || outside && proven + 1 >= columns).then_some(if proven > 0 {
                Sure::Error
            } else {
                Sure::Warning
            })
        }
        Kind::Median | Kind::Least | Kind::Most => {
            (proven > 0 && proven * 2 > columns - proven).then_some(Sure::Warning)
        }
    }
}

/// The ratio or the change of two other numbers of the row: a mean of ratios is another number.
fn follows_across(grid: &Grid, target: usize, column: usize) -> bool {
    let cell = grid.cell(target, column);
    let Some(stated) = cell
        .value
        .filter(|_| matches!(cell.unit.dim, Dim::Percent | Dim::Factor | Dim::None | Dim::Points | Dim::Rate(_)))
    else {
        return false;
    };
    let scale = if cell.unit.dim == Dim::Percent { 100.0 } else { 1.0 };
    let values: Vec<Interval> = (0..grid.columns.len())
        .filter(|other| *other != column)
        .filter_map(|other| grid.cell(target, other).interval())
        .collect();
    values.iter().enumerate().any(|(i, a)| {
        values.iter().enumerate().filter(|(j, _)| i != *j).any(|(_, b)| {
            let Some(ratio) = a.over(*b) else { return false };
            let fits = |value: Interval| {
                value.scaled(scale).half() < 0.03 * stated.value.abs()
                    && (stated.cut().meets(value.scaled(scale)) || stated.cut().meets(value.scaled(-scale)))
            };
            fits(ratio) || fits(ratio.minus(Interval::at(1.0)))
        })
    })
}

/// The columns whose parts are all there.
fn columns(grid: &Grid, target: usize, kind: Kind, set: &[usize]) -> Vec<Sum> {
    let mut found = Vec::new();
    for column in 0..grid.columns.len() {
        let Some(stated) = grid.cell(target, column).firm() else { continue };
        let dim = &grid.cell(target, column).unit.dim;
        let mut parts = Vec::with_capacity(set.len());
        let mut whole = true;
        for row in set {
            let cell = grid.cell(*row, column);
            match cell.firm() {
                Some(value) if cell.unit.dim == *dim => parts.push((value, cell)),
                // `<3` is at most that.
                None if kind == Kind::Total
                    && cell.unit.dim == *dim
                    && cell.value.is_some_and(|value| value.bound == Bound::Most && value.value > 0.0) =>
                {
                    parts.push((
                        cell.value
                            .map(|value| Stated {
                                value: value.value / 2.0,
                                half: value.value / 2.0,
                                bound: Bound::Value,
                            })
                            .unwrap_or(Stated::exact(0.0)),
                        cell,
                    ))
                }
                // Nothing there adds nothing to a total, and leaves a mean alone.
                None if cell.value.is_none() && one_of("|-|–|—|0|n/a", &cell.text.trim().to_lowercase()) => {}
                _ => whole = false,
            }
        }
        if !whole || parts.len() < 2 {
            continue;
        }
        // Whole numbers without a unit are counts, which nobody rounds.
        let own = grid.cell(target, column);
        let exact = matches!(dim, Dim::None)
            && kind == Kind::Total
            && parts.iter().all(|(value, cell)| value.value.fract() == 0.0 && cell.unit.scale == 1.0)
            && stated.value.fract() == 0.0;
        let intervals: Vec<Interval> = parts
            .iter()
            .filter_map(|(value, cell)| {
                if exact { Some(Interval::at(value.value)) } else { cell.interval().or(Some(value.interval())) }
            })
            .collect();
        let parts: Vec<Stated> = parts.iter().map(|(value, _)| *value).collect();
        let stated = Stated { half: if exact { 0.0 } else { own.step.min(stated.half) }, ..stated };
        let sum = intervals.iter().fold(Interval::at(0.0), |sum, part| sum.plus(*part));
        let n = intervals.len() as f64;
        let (expected, value) = match kind {
            Kind::Total => (vec![sum], parts.iter().map(|p| p.value).sum::<f64>()),
            Kind::Mean => {
                let mut found = vec![sum.scaled(1.0 / n)];
                found.extend(other_means(grid, set, column, &intervals));
                (found, parts.iter().map(|p| p.value).sum::<f64>() / n)
            }
            Kind::Median => (vec![means::median(&intervals)], means::median(&intervals).middle()),
            Kind::Least => (
                intervals.iter().copied().min_by(|a, b| a.low.total_cmp(&b.low)).into_iter().collect(),
                parts.iter().map(|p| p.value).fold(f64::INFINITY, f64::min),
            ),
            Kind::Most => (
                intervals.iter().copied().max_by(|a, b| a.high.total_cmp(&b.high)).into_iter().collect(),
                parts.iter().map(|p| p.value).fold(f64::NEG_INFINITY, f64::max),
            ),
        };
        // A total may be rounded more coarsely than its digits say: `~57,000` is loose, `3 hours` is not.
        let fits = expected.iter().any(|expected| stated.cut().meets(*expected));
        let telling = parts.iter().any(|part| part.value != parts[0].value) && stated.value != 0.0;
        found.push(Sum { column, fits, telling, value });
    }
    found
}

/// What else is called a mean: geometric, harmonic, weighted by a column of counts, the median.
fn other_means(grid: &Grid, set: &[usize], column: usize, parts: &[Interval]) -> Vec<Interval> {
    let mut found = vec![means::median(parts)];
    found.extend(means::geometric(parts).into_iter().chain(means::harmonic(parts)));
    if parts.len() == set.len() {
        for weights in (0..grid.columns.len()).filter(|other| *other != column) {
            let weights: Option<Vec<f64>> =
                set.iter().map(|row| grid.cell(*row, weights).firm().map(|v| v.value).filter(|v| *v >= 0.0)).collect();
            let Some(weights) = weights.filter(|weights| weights.iter().sum::<f64>() > 0.0) else { continue };
            let total: f64 = weights.iter().sum();
            let sum = parts
                .iter()
                .zip(&weights)
                .fold(Interval::at(0.0), |sum, (part, weight)| sum.plus(part.scaled(weight / total)));
            found.push(sum);
        }
    }
    found
}
