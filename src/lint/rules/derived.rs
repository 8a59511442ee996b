//! Columns that follow from others: ratios, changes, differences, shares, sums. Which they are shows in the rows that fit; a row
//! that does not is the odd one. Rows that follow from rows are the same on the table's side.

use std::collections::BTreeSet;

use super::{
    Paper,
    names::{brief, is_summary, kind},
};
use crate::lint::{
    grid::{Cell, Grid},
    number::{Bound, Interval, Stated, show},
    report::{Out, Sure},
    unit::Dim,
    words::{contains_any, one_of, words as list},
};

/// More columns than this are no table that somebody reads.
const WIDEST: usize = 40;
/// Rows that tell whether a relation is worth trying.
const SAMPLE: usize = 48;

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for grid in paper.tables.iter().filter_map(|view| view.grid.as_ref()) {
        columns(grid, out);
        if grid.rows.len() <= WIDEST {
            columns(&grid.turn(), out);
        }
    }
}

/// How a column follows from others.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// a / b
    Ratio(usize, usize),
    /// (a - b) / b
    Change(usize, usize),
    /// a - b
    Difference(usize, usize),
    /// a / a of the base row
    BaseRatio(usize),
    /// a of the base row / a
    BaseInverse(usize),
    /// a / a of the base row - 1
    BaseChange(usize),
    /// a - a of the base row
    BaseDifference(usize),
    /// a / sum of a
    Share(usize),
    /// The sum of the columns from a up to b.
    Sum(usize, usize),
    /// Their mean.
    Mean(usize, usize),
    /// a / b, in other units than both.
    Rate(usize, usize),
}

/// A shape held against the rows.
struct Fit {
    shape: Shape,
    /// Rows that fit and say something; how much, in decimal digits.
    fits: Vec<usize>,
    digits: f64,
    misfits: Vec<usize>,
}

fn columns(grid: &Grid, out: &mut Out<'_>) {
    if grid.columns.len() > WIDEST || grid.columns.len() * grid.rows.len() < 2 {
        return;
    }
    for target in 0..grid.columns.len() {
        let asked = Asked::new(grid, target);
        // A statistic beside others is of the same numbers, and follows from none of them.
        let statistic = one_of(
            "median|min|max|mean|sd|std|std dev|std.|minimum|maximum|average|avg|cv|p50|p90|p95|p99|stdev|range",
            asked.header.trim(),
        );
        if asked.rows.is_empty() || statistic {
            continue;
        }
        let mut found: Vec<Fit> = shapes(&asked).into_iter().filter_map(|shape| asked.held(shape)).collect();
        found.sort_by(|a, b| a.misfits.len().cmp(&b.misfits.len()).then(b.digits.total_cmp(&a.digits)));
        match found.first() {
            Some(best) => asked.report(best, out),
            None => {
                asked.shifted(out);
                asked.single(out);
            }
        }
    }
}

/// One column, and what may be known of it before its numbers are looked at.
struct Asked<'a> {
    grid: &'a Grid,
    target: usize,
    dim: Dim,
    hint: Hint,
    /// Rows with a firm value that are no summary of others.
    rows: Vec<usize>,
    bases: Vec<usize>,
    header: &'a str,
    /// Zeros at the end of whole numbers may stand for other digits.
    wide: bool,
}

/// What a header says of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hint {
    ratio: bool,
    change: bool,
    difference: bool,
    sum: bool,
    mean: bool,
    share: bool,
    rate: bool,
}

impl Hint {
    fn read(lower: &str) -> Self {
        let words: BTreeSet<&str> = lower.split(|c: char| !(c.is_alphanumeric() || "%×δσ".contains(c))).collect();
        let any = |names: &'static str| {
            list(names).any(|word| words.contains(word) || word.len() > 4 && lower.contains(word))
        };
        let compares = any("vs|versus|relative|over|compared|gegen|gegenüber|对比|相比|rel");
        Hint {
            ratio: compares
                || any(
                    "speedup|speed-up|speed up|ratio|x|×|faster|slower|factor|improvement|gain|gains|compression|normalized|normalised|scaling|efficiency|faktor|beschleunigung|加速比|加速|倍|savings|reduction|boost|advantage",
                ),
            change: compares
                || any(
                    "change|δ|delta|diff|difference|improvement|reduction|overhead|increase|decrease|saving|savings|saved|gain|%|speedup|speed-up|growth|loss|degradation|drop|änderung|变化|提升|降低|降幅|增幅|涨幅|slowdown|improve|gap|penalty",
                ),
            difference: any(
                "diff|difference|delta|δ|gap|change|improvement|gain|loss|overhead|saved|drop|differenz|increase|decrease|reduction|margin|差",
            ),
            sum: any("total|sum|overall|all|combined|end-to-end|end to end|e2e|σ|gesamt|summe|合计|总计|total:"),
            mean: any("mean|average|avg|overall|mittel|mittelwert|durchschnitt|平均|ø"),
            share: any("share|%|percent|percentage|proportion|fraction|anteil|占比|比例"),
            rate: any("throughput|rate|speed|bandwidth|ops|qps|rps|durchsatz|吞吐")
                || lower.contains("/s")
                || lower.contains("per "),
        }
    }
}

impl<'a> Asked<'a> {
    fn new(grid: &'a Grid, target: usize) -> Self {
        let cell = |row: usize| grid.cell(row, target);
        let summaries = grid.rows.iter().filter(|name| is_summary(&name.lower)).count();
        let all = summaries * 2 > grid.rows.len();
        let firm = |row: &usize| {
            cell(*row).value.is_some_and(|value| value.bound == Bound::Value)
                && !cell(*row).loose
                && (all || !is_summary(&grid.rows[*row].lower))
        };
        let rows: Vec<usize> = (0..grid.rows.len()).filter(firm).collect();
        let mut dims: Vec<&Dim> = rows.iter().map(|row| &cell(*row).unit.dim).collect();
        dims.sort();
        let common = dims.get(dims.len() / 2).map_or(Dim::None, |dim| (*dim).clone());
        let header = grid.columns[target].lower.as_str();
        let mut asked =
            Asked { grid, target, dim: common, hint: Hint::read(header), rows, bases: Vec::new(), header, wide: false };
        asked.rows.retain(|row| grid.cell(*row, target).unit.dim == asked.dim);
        asked.bases = asked.base_rows();
        asked
    }

    /// The row that each row is compared with, as marks in the column, its header or its first or last row say.
    fn base_rows(&self) -> Vec<usize> {
        let grid = self.grid;
        let marked = |row: usize| {
            let cell = grid.cell(row, self.target);
            let text = cell.text.trim().trim_matches(['*', '(', ')', '_']).to_lowercase();
            let one = cell.value.is_some_and(|v| match self.dim {
                Dim::Percent | Dim::Points => v.value == 0.0 || (v.value == 100.0 && !self.hint.change),
                _ => v.value == 1.0,
            });
            one || text.is_empty()
                || text.contains("baseline")
                || one_of("-|–|—|base|ref|ref.|reference|n/a|1x|--|basis", &text)
        };
        let marks: Vec<usize> =
            (0..grid.rows.len()).filter(|row| marked(*row) && !is_summary(&grid.rows[*row].lower)).collect();
        let named = (0..grid.rows.len()).find(|row| {
            let label = grid.rows[*row].lower.trim();
            label.len() > 1
                && self.header.split(|c: char| !(c.is_alphanumeric() || "-._+/".contains(c))).any(|word| word == label)
                || label.len() > 3 && self.header.contains(label)
        });
        let count = grid.rows.len();
        match (named, marks.len()) {
            (Some(row), _) => vec![row; count],
            (None, 0) => Vec::new(),
            (None, _) => (0..count)
                .map(|row| marks.iter().rev().find(|mark| **mark <= row).or(marks.first()).copied().unwrap_or(0))
                .collect(),
        }
    }

    fn value(&self, row: usize, column: usize) -> Option<Interval> {
        let cell = self.grid.cell(row, column);
        if self.wide { cell.wide() } else { cell.interval() }
    }

    /// What the shape gives for a row, in the unit of the column.
    fn predicted(&self, shape: Shape, row: usize) -> Option<Interval> {
        let percent = self.dim == Dim::Percent || self.dim == Dim::Points;
        let scale = if percent { 100.0 } else { 1.0 };
        let base = || self.bases.get(row).copied();
        let one = Interval::at(1.0);
        let against = |column: usize| {
            Some((self.value(row, column)?, self.value(base()?, column)?)).filter(|_| base() != Some(row))
        };
        Some(match shape {
            Shape::Ratio(a, b) => self.ratio(row, a, b)?.scaled(scale),
            Shape::Change(a, b) => self.ratio(row, a, b)?.minus(one).scaled(scale),
            Shape::Difference(a, b) => self.value(row, a)?.minus(self.value(row, b)?),
            Shape::BaseRatio(a) => {
                let (own, base) = against(a)?;
                own.over(base)?.scaled(scale)
            }
            Shape::BaseInverse(a) => {
                let (own, base) = against(a)?;
                base.over(own)?.scaled(scale)
            }
            Shape::BaseChange(a) => {
                let (own, base) = against(a)?;
                own.over(base)?.minus(one).scaled(scale)
            }
            Shape::BaseDifference(a) => {
                let (own, base) = against(a)?;
                own.minus(base)
            }
            Shape::Share(a) => {
                let total = self.whole(a)?;
                self.value(row, a)?.over(total)?.scaled(scale)
            }
            Shape::Sum(a, b) => self.sum(row, a, b)?,
            Shape::Mean(a, b) => self.sum(row, a, b)?.scaled(1.0 / (b - a) as f64),
            Shape::Rate(a, b) => self.value(row, a)?.over(self.value(row, b)?)?,
        })
    }

    fn ratio(&self, row: usize, a: usize, b: usize) -> Option<Interval> {
        if self.grid.cell(row, a).unit.dim != self.grid.cell(row, b).unit.dim {
            return None;
        }
        let (over, under) = (self.value(row, a)?, self.value(row, b)?);
        let ratio = over.over(under)?;
        // 1 GB is 1000 or 1024 MB.
        let prefixes = self.grid.cell(row, a).unit.scale != self.grid.cell(row, b).unit.scale
            && self.grid.cell(row, a).unit.dim == Dim::Bytes;
        Some(if prefixes { ratio.times(Interval { low: 0.93, high: 1.075 }) } else { ratio })
    }

    fn sum(&self, row: usize, a: usize, b: usize) -> Option<Interval> {
        (a..b)
            .filter(|column| *column != self.target)
            .map(|column| self.value(row, column))
            .try_fold(Interval::at(0.0), |sum, value| Some(sum.plus(value?)))
    }

    /// Of all rows, or the row that says so.
    fn whole(&self, column: usize) -> Option<Interval> {
        let total = (0..self.grid.rows.len()).find(|row| {
            ["total", "sum", "all", "overall", "gesamt", "summe", "合计"].contains(&self.grid.rows[*row].lower.trim())
        });
        match total {
            Some(row) => self.value(row, column),
            None => (0..self.grid.rows.len())
                .map(|row| self.value(row, column))
                .try_fold(Interval::at(0.0), |sum, value| Some(sum.plus(value?))),
        }
    }

    /// The shape, if enough rows have it.
    #[expect(clippy::disallowed_methods, reason = "digits are held against a threshold")]
    fn held(&self, shape: Shape) -> Option<Fit> {
        let mut fit = Fit { shape, fits: Vec::new(), digits: 0.0, misfits: Vec::new() };
        let mut said: BTreeSet<&str> = BTreeSet::new();
        for (seen, row) in self.rows.iter().copied().enumerate() {
            if seen == SAMPLE && fit.fits.len() < fit.misfits.len() {
                return None;
            }
            let Some(predicted) = self.predicted(shape, row) else { continue };
            let cell = self.grid.cell(row, self.target);
            if !self.agrees(cell, predicted, shape) {
                fit.misfits.push(row);
                continue;
            }
            let Some(stated) = cell.value else { continue };
            let width = predicted.half() + 2.0 * cell.step.min(stated.half);
            let digits = if width > 0.0 { (stated.value.abs() / width).log10() } else { 4.0 };
            let trivial = stated.value == 0.0 || (stated.value == 1.0 && matches!(self.dim, Dim::None | Dim::Factor));
            if digits >= 0.3 && !trivial && !self.negligible(shape, row, width) && said.insert(cell.text.as_str()) {
                fit.fits.push(row);
                fit.digits += digits.min(4.0);
            }
        }
        self.enough(&fit).then_some(fit)
    }

    /// `vs. X` with one row beside that of X: it is the ratio of some column to X's, or of none.
    fn single(&self, out: &mut Out<'_>) {
        let grid = self.grid;
        let header = contains_any(self.header, "vs. |vs |relative|times as|slower|speedup|speed-up");
        let [base, ..] = self.bases.as_slice() else { return };
        let rows: Vec<usize> = self.rows.iter().copied().filter(|row| row != base).collect();
        let ([row], true, false) = (rows.as_slice(), header && grid.rows.len() == 2, grid.turned) else { return };
        let cell = grid.cell(*row, self.target);
        let one = grid.cell(*base, self.target).value.is_some_and(|value| value.value == 1.0);
        let Some(stated) = cell.firm().filter(|_| one && matches!(self.dim, Dim::None | Dim::Factor)) else { return };
        let ratios = |column: usize| {
            let ratio = self.value(*row, column)?.over(self.value(*base, column)?)?;
            Some([Some(ratio), Interval::at(1.0).over(ratio)])
        };
        let columns = (0..grid.columns.len()).filter(|column| *column != self.target).filter_map(ratios);
        let known: Vec<Interval> = columns.flatten().flatten().filter(|ratio| ratio.low > 0.0).collect();
        let near = |ratio: &&Interval| {
            (0.6..1.67).contains(&(ratio.middle() / stated.value)) && ratio.half() < 0.02 * ratio.middle()
        };
        let slack = |ratio: &Interval| stated.cut().meets(*ratio) || (ratio.middle() / stated.value - 1.0).abs() < 0.04;
        let close: Vec<&Interval> = known.iter().filter(near).collect();
        if known.iter().any(slack) || close.is_empty() || close.len() > 2 {
            return;
        }
        let shown = close.iter().map(|ratio| show(ratio.middle())).collect::<Vec<_>>().join(" or ");
        let said = [
            format!("{} {}", self.what(*row), cell.text),
            format!("{shown} against {}", brief(&grid.rows[*base].text)),
            "the ratio of no other column of the two rows".into(),
        ];
        out.wrong(grid.place(*row, self.target), "derived", Sure::Warning, said);
    }

    /// A rate whose every row is off by the same power of a thousand: one of the units is another.
    fn shifted(&self, out: &mut Out<'_>) {
        if self.rows.len() < 2 || self.grid.turned || !matches!(self.dim, Dim::Rate(_)) {
            return;
        }
        // Things, of which there are whole ones.
        let whole = |column: usize| {
            self.rows
                .iter()
                .all(|row| self.grid.cell(*row, column).value.is_some_and(|v| v.value >= 1.0 && v.value.fract() == 0.0))
        };
        let counts = |shape: &Shape| matches!(shape, Shape::Rate(amount, _) if whole(*amount));
        for shape in shapes(self).into_iter().filter(counts) {
            let power = |row: &usize| -> Option<i32> {
                let predicted = self.predicted(shape, *row)?;
                let own = self.grid.cell(*row, self.target).value?.value;
                [-3, 3, -6, 6, -9, 9]
                    .into_iter()
                    .find(|power| (own * 10f64.powi(*power) / predicted.middle() - 1.0).abs() < 0.2)
            };
            let powers: Option<Vec<i32>> = self.rows.iter().map(power).collect();
            let Some(powers) = powers.filter(|powers| powers.windows(2).all(|two| two[0] == two[1])) else { continue };
            let row = self.rows[0];
            let said = [
                format!("{} {}", self.what(row), self.grid.cell(row, self.target).text),
                format!("{} is 10^{} times that", self.formula(shape, row), powers[0]),
                format!("all {} rows are off by the same power of ten, so one of the units is another", powers.len()),
            ];
            return out.wrong(self.grid.place(row, self.target), "derived", Sure::Warning, said);
        }
    }

    /// A difference of which one number is too small to be seen is the other number.
    fn negligible(&self, shape: Shape, row: usize, width: f64) -> bool {
        let operands = match shape {
            Shape::Difference(a, b) => [self.value(row, a), self.value(row, b)],
            Shape::BaseDifference(a) => [self.value(row, a), self.bases.get(row).and_then(|base| self.value(*base, a))],
            _ => return false,
        };
        operands.iter().flatten().any(|operand| operand.middle().abs() <= 2.0 * width)
    }

    /// How much must fit before what does not is odd.
    fn enough(&self, fit: &Fit) -> bool {
        let (fits, misfits) = (fit.fits.len(), fit.misfits.len());
        let named = match fit.shape {
            Shape::BaseRatio(_) | Shape::BaseInverse(_) | Shape::BaseChange(_) | Shape::BaseDifference(_) => {
                self.is_hinted(fit.shape) && !self.bases.is_empty()
            }
            _ => self.is_hinted(fit.shape),
        };
        let rate = matches!(fit.shape, Shape::Rate(..));
        // One row to hold, and one column that it can be of, against a base that is marked.
        if named && fits <= 1 && misfits == 1 && self.only_source(fit.shape) {
            return true;
        }
        if named && fits == 0 {
            return false;
        }
        if named && !rate && self.only_pair(fit.shape) && fits >= 1 && fit.digits >= 1.0 && misfits <= 3 * fits {
            return true;
        }
        if named && !rate {
            return fits >= 1 && fit.digits >= 1.0 && misfits <= (fits / 2).max(1);
        }
        // An absolute difference and a signed one agree in half of the rows.
        if matches!(fit.shape, Shape::Difference(..) | Shape::BaseDifference(_))
            && !named
            && fits < 3
            && self.grid.columns.iter().any(|column| contains_any(&column.lower, "abs|error|diff|δ|dev"))
        {
            return false;
        }
        if matches!(fit.shape, Shape::Mean(..)) || matches!(fit.shape, Shape::Sum(a, b) if b - a < 3) && fits < 3 {
            return false;
        }
        fits >= 2
            && fit.digits >= if named { 3.0 } else { 4.0 }
            && misfits <= (fits / 3).max(usize::from(fits >= 2 && misfits == 1))
    }

    /// A ratio to a marked base, of the only column that it can be of or the one that its header names.
    fn only_source(&self, shape: Shape) -> bool {
        let (Shape::BaseRatio(source) | Shape::BaseInverse(source) | Shape::BaseChange(source)) = shape else {
            return false;
        };
        let marked = self.dim == Dim::Factor || self.dim == Dim::Percent;
        let sources = self.measured();
        let named = |column: usize| {
            self.grid.columns[column]
                .lower
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word.len() > 3 && self.header.contains(word))
        };
        marked
            && !self.grid.turned
            && (sources == [source] || named(source) && sources.iter().filter(|column| named(**column)).count() == 1)
    }

    /// The other columns that are no ratios themselves.
    fn measured(&self) -> Vec<usize> {
        let alike = |column: &usize| {
            *column != self.target
                && self.grid.dim(*column).is_some_and(|dim| !matches!(dim, Dim::Factor | Dim::Percent))
        };
        (0..self.grid.columns.len()).filter(alike).collect()
    }

    /// A column of factors beside two columns of one kind, and no other: whose ratio should it be?
    fn only_pair(&self, shape: Shape) -> bool {
        let (Shape::Ratio(a, b) | Shape::Change(a, b)) = shape else { return false };
        let mut sources = self.measured();
        sources.retain(|column| !(self.grid.levels && *column == 0));
        (self.dim == Dim::Factor && matches!(shape, Shape::Ratio(..))
            || self.dim == Dim::Percent && matches!(shape, Shape::Change(..)) && self.hint.change)
            && !self.grid.turned
            && (sources == [a, b] || sources == [b, a])
    }

    fn is_hinted(&self, shape: Shape) -> bool {
        match shape {
            Shape::Ratio(..) | Shape::BaseRatio(_) | Shape::BaseInverse(_) => {
                self.hint.ratio || self.dim == Dim::Factor
            }
            Shape::Change(..) | Shape::BaseChange(_) => self.hint.change || self.dim == Dim::Percent && self.hint.ratio,
            Shape::Difference(..) | Shape::BaseDifference(_) => self.hint.difference,
            Shape::Share(_) => self.hint.share,
            Shape::Sum(..) => self.hint.sum,
            Shape::Mean(..) => self.hint.mean,
            Shape::Rate(..) => self.hint.rate,
        }
    }

    fn stated(&self, cell: &Cell) -> Option<Stated> {
        cell.value.map(|value| Stated { half: if self.wide { value.half } else { cell.step.min(value.half) }, ..value })
    }

    /// Can the cell be what the shape gives? A sign may be left out, and "slower" turns a ratio over.
    fn agrees(&self, cell: &Cell, predicted: Interval, shape: Shape) -> bool {
        let Some(stated) = self.stated(cell) else { return true };
        let turned = Interval { low: -predicted.high, high: -predicted.low };
        let flips = matches!(
            shape,
            Shape::Change(..) | Shape::BaseChange(_) | Shape::Difference(..) | Shape::BaseDifference(_)
        );
        let inverse = matches!(shape, Shape::Ratio(..) | Shape::BaseRatio(_) | Shape::BaseInverse(_)) && cell.slower;
        let over = Interval::at(1.0).over(predicted).filter(|_| inverse);
        stated.cut().meets(predicted)
            || flips && stated.cut().meets(turned)
            || over.is_some_and(|over| stated.cut().meets(over))
    }

    /// Signs tell the direction where rows that fit have both.
    fn signed(&self, best: &Fit) -> bool {
        let sign = |row: &usize| {
            let cell = self.grid.cell(*row, self.target);
            let straight = self.stated(cell)?.cut().meets(self.predicted(best.shape, *row)?);
            (cell.signed && straight).then(|| cell.value.is_some_and(|value| value.value < 0.0))
        };
        let signs: BTreeSet<bool> = best.fits.iter().filter_map(sign).collect();
        signs.len() == 2 && matches!(best.shape, Shape::Change(..) | Shape::BaseChange(_) | Shape::Difference(..))
    }

    /// The rows that do not fit, unless another reading of them does.
    fn report(&self, best: &Fit, out: &mut Out<'_>) {
        let grid = self.grid;
        if self.signed(best) {
            for row in &best.fits {
                let cell = grid.cell(*row, self.target);
                let (Some(predicted), Some(stated)) = (self.predicted(best.shape, *row), self.stated(cell)) else {
                    continue;
                };
                if cell.signed && !stated.cut().meets(predicted) {
                    let said = [
                        format!("{} {}", self.what(*row), cell.text),
                        format!("{} = {}", self.formula(best.shape, *row), self.shown(predicted.middle())),
                        "the size is right, the sign is not: in the other rows it tells the direction".into(),
                    ];
                    out.wrong(grid.place(*row, self.target), "derived", Sure::Warning, said);
                }
            }
        }
        for row in best.fits.iter().take(200) {
            out.fits(
                grid.place(*row, self.target),
                "derived",
                format!("{} {}", self.what(*row), grid.cell(*row, self.target).text),
            );
        }
        for row in best.misfits.iter().copied() {
            let cell = grid.cell(row, self.target);
            let (Some(predicted), Some(stated)) = (self.predicted(best.shape, row), cell.value) else { continue };
            let off = (stated.value - predicted.middle()).abs();
            let wide =
                Asked { wide: true, dim: self.dim.clone(), rows: Vec::new(), bases: self.bases.clone(), ..*self };
            let loosely =
                wide.predicted(best.shape, row).is_some_and(|predicted| wide.agrees(cell, predicted, best.shape));
            let sums = matches!(best.shape, Shape::Sum(..) | Shape::Difference(..));
            let slight = loosely
                || off
                    <= 2.2 * cell.step.min(stated.half)
                        + predicted.half()
                        + if sums { 0.0005 } else { 0.003 } * predicted.middle().abs();
            let little = off <= 6.0 * cell.step.min(stated.half) + predicted.half() + 0.02 * predicted.middle().abs();
            // A mean of rates is not the rate of means; and what has an interval was estimated by itself.
            let estimated = cell.more.len() >= 2 || cell.more.iter().any(|quantity| quantity.upper.is_some());
            let mean = matches!(best.shape, Shape::Rate(..)) && off <= 0.08 * predicted.middle().abs();
            let loose = best.digits < 1.0
                && shapes(self).iter().any(|other| {
                    self.predicted(*other, row).is_some_and(|predicted| self.agrees(cell, predicted, *other))
                });
            if slight || loose || mean || estimated || self.excused(best.shape, row) {
                continue;
            }
            let sure = if little {
                Sure::Warning
            } else if best.fits.len() >= 3 && best.fits.len() >= 3 * best.misfits.len()
                || best.fits.len() >= 2 && best.misfits.len() == 1 && self.is_hinted(best.shape)
            {
                Sure::Error
            } else {
                Sure::Warning
            };
            let side = if grid.turned { "columns" } else { "rows" };
            let said = [
                format!("{} {}", self.what(row), cell.text),
                format!("{} = {}", self.formula(best.shape, row), self.shown(predicted.middle())),
                format!("{} of {} {side} are that", best.fits.len(), best.fits.len() + best.misfits.len()),
            ];
            out.wrong(grid.place(row, self.target), "derived", sure, said);
        }
    }

    /// Another pair of columns, another base or the inverse gives what is stated.
    fn excused(&self, shape: Shape, row: usize) -> bool {
        let cell = self.grid.cell(row, self.target);
        let Some(stated) = cell.value else { return true };
        let kin = |other: &Shape| {
            std::mem::discriminant(other) == std::mem::discriminant(&shape)
                || !matches!(shape, Shape::Sum(..) | Shape::Mean(..) | Shape::Share(_))
        };
        let precise = |predicted: Interval| {
            stated.value != 0.0 && (predicted.half() + 2.0 * stated.half) / stated.value.abs() < 0.03
        };
        shapes(self).iter().filter(|other| kin(other)).any(|other| {
            let Some(predicted) = self.predicted(*other, row) else { return false };
            precise(predicted) && self.agrees(cell, predicted, *other)
        })
    }

    fn what(&self, row: usize) -> String {
        format!("{} of {}", brief(&self.grid.columns[self.target].text), brief(&self.grid.rows[row].text))
    }

    fn shown(&self, value: f64) -> String {
        let unit = match self.dim {
            Dim::Percent | Dim::Points => " %",
            Dim::Factor => "×",
            _ => "",
        };
        let scale = self.rows.first().map_or(1.0, |row| self.grid.cell(*row, self.target).unit.scale);
        format!("{}{unit}", show(value / if scale == 0.0 { 1.0 } else { scale }))
    }

    fn formula(&self, shape: Shape, row: usize) -> String {
        let text = |row: usize, column: usize| self.grid.cell(row, column).text.clone();
        let base = self.bases.get(row).copied().unwrap_or(0);
        match shape {
            Shape::Ratio(a, b) | Shape::Rate(a, b) => format!("{} / {}", text(row, a), text(row, b)),
            Shape::Change(a, b) => format!("{} / {} - 1", text(row, a), text(row, b)),
            Shape::Difference(a, b) => format!("{} - {}", text(row, a), text(row, b)),
            Shape::BaseRatio(a) => format!("{} / {}", text(row, a), text(base, a)),
            Shape::BaseInverse(a) => format!("{} / {}", text(base, a), text(row, a)),
            Shape::BaseChange(a) => format!("{} / {} - 1", text(row, a), text(base, a)),
            Shape::BaseDifference(a) => format!("{} - {}", text(row, a), text(base, a)),
            Shape::Share(a) => format!("{} of the sum of {}", text(row, a), brief(&self.grid.columns[a].text)),
            Shape::Sum(a, b) => {
                (a..b).filter(|c| *c != self.target).map(|c| text(row, c)).collect::<Vec<_>>().join(" + ")
            }
            Shape::Mean(a, b) => format!("the mean of {}", (a..b).map(|c| text(row, c)).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// The shapes that a column of its kind can have.
fn shapes(asked: &Asked<'_>) -> Vec<Shape> {
    let grid = asked.grid;
    let sources: Vec<(usize, Dim)> = (0..grid.columns.len())
        .filter(|column| *column != asked.target)
        .filter_map(|column| Some((column, grid.dim(column)?)))
        .collect();
    let compared = matches!(asked.dim, Dim::None | Dim::Factor | Dim::Percent | Dim::Points);
    let mut shapes = Vec::new();
    for (a, of) in &sources {
        let ratios =
            compared && *of != Dim::Factor && (*of != Dim::Percent || asked.hint.change || asked.hint.difference);
        if ratios && !asked.bases.is_empty() {
            shapes.extend([Shape::BaseRatio(*a), Shape::BaseInverse(*a), Shape::BaseChange(*a)]);
        }
        if !asked.bases.is_empty() && (*of == asked.dim || *of == Dim::Percent && asked.dim == Dim::Points) {
            shapes.push(Shape::BaseDifference(*a));
        }
        if ratios && matches!(asked.dim, Dim::Percent | Dim::None) && asked.hint.share {
            shapes.push(Shape::Share(*a));
        }
        for (b, under) in sources.iter().filter(|(b, _)| b != a) {
            if ratios && of == under {
                shapes.push(Shape::Ratio(*a, *b));
                if asked.dim != Dim::Factor || asked.hint.change {
                    shapes.push(Shape::Change(*a, *b));
                }
            }
            if of == under && (*of == asked.dim || *of == Dim::Percent && asked.dim == Dim::Points) && a != b {
                shapes.push(Shape::Difference(*a, *b));
            }
            if matches!((&asked.dim, under), (Dim::Rate(_), Dim::Time))
                && (*of == Dim::None || *of == Dim::Bytes && asked.dim == Dim::Rate("byte".into()))
            {
                shapes.push(Shape::Rate(*a, *b));
            }
        }
    }
    shapes.extend(runs(asked, &sources));
    shapes
}

/// Columns beside each other of the kind of the target: all before it, all behind it, and those next to it.
fn runs(asked: &Asked<'_>, sources: &[(usize, Dim)]) -> Vec<Shape> {
    let statistic = |column: usize| is_summary(&asked.grid.columns[column].lower);
    let same = |column: usize| sources.iter().any(|(c, dim)| *c == column && *dim == asked.dim) && !statistic(column);
    let mut shapes = Vec::new();
    // A total and a mean by name are the summary rule's.
    if kind(asked.header).is_some() {
        return shapes;
    }
    let target = asked.target;
    let mut start = target;
    while start > 0 && same(start - 1) {
        start -= 1;
        if target - start >= 2 {
            shapes.extend([Shape::Sum(start, target), Shape::Mean(start, target)]);
        }
    }
    let mut end = target + 1;
    while same(end) {
        end += 1;
        if end - target >= 3 {
            shapes.extend([Shape::Sum(target + 1, end), Shape::Mean(target + 1, end)]);
        }
    }
    shapes
}
