//! What levels of a factor do to a metric: the slope along them, and the quotients of two of them.

use std::collections::BTreeMap;

use super::{
    estimate::{Estimate, Spread},
    evaluate::{Evaluator, Scope, not_paired},
    flaw::Flaw,
    select::{column, factor, level, no_run},
    tree::{Call, Condition, Word},
    unit,
};

/// What `ratio` is the geometric mean of.
#[derive(Debug)]
pub(super) struct Ratios {
    pub quotients: Vec<f64>,
    /// Cells of the pairs.
    pub cells: Vec<usize>,
    pub of_runs: bool,
}

impl Evaluator<'_> {
    /// Least squares over runs, within each combination of the other factors: a weighted sum of cells' means.
    pub fn slope(
        &mut self,
        at: usize,
        of: &Word,
        over: &Word,
        given: &[Condition],
        scope: Scope<'_>,
    ) -> Result<Estimate, Flaw> {
        let column = column(&self.table, of)?;
        let place = factor(&self.table, over)?;
        let summary = self.table.summary;
        let levels: Option<Vec<f64>> = summary.factors[place].levels.iter().map(|level| level.as_number()).collect();
        let Some(levels) = levels else {
            let what = format!("levels of `{}` are not numbers, so nothing rises along them", over.text);
            return Err(Flaw::new(over.at, what, "a slope is over a factor of numbers: slope(latency, length)"));
        };
        let step = if summary.factors[place].unit == "tokens" { unit::TOKENS } else { unit::BARE };
        let selection = self.select(given)?;
        let moments = self.table.moments(column);
        let cells: Vec<usize> = self.table.selected(&selection, scope).filter(|cell| moments.n[*cell] > 0.0).collect();
        if cells.is_empty() {
            return Err(no_run(at, "no run meets the conditions"));
        }
        if !selection.tests.is_empty() {
            let hint = "conditions on factors may stand there";
            return Err(Flaw::new(at, "a slope takes no condition on a metric", hint));
        }
        let grid = &summary.grid;
        let x = |cell: usize| levels[grid.cells[cell][place]];
        let mut sums: BTreeMap<Vec<usize>, [f64; 2]> = BTreeMap::new();
        for cell in &cells {
            let sum = sums.entry(grid.others(*cell, place)).or_default();
            sum[0] += moments.n[*cell];
            sum[1] += moments.n[*cell] * x(*cell);
        }
        let from_centre = |cell: usize| {
            let [n, sum] = sums.get(&grid.others(cell, place)).copied().unwrap_or([1.0, x(cell)]);
            x(cell) - sum / n
        };
        let squares: f64 = cells.iter().map(|cell| moments.n[*cell] * from_centre(*cell) * from_centre(*cell)).sum();
        if squares == 0.0 {
            let what = format!("a slope needs two levels of `{}` that agree in all else", over.text);
            return Err(Flaw::new(over.at, what, "does a condition pick one level?"));
        }
        let mut by = vec![0.0; self.table.cells()];
        let mut value = 0.0;
        for cell in cells {
            by[cell] = moments.n[cell] * from_centre(cell) / squares;
            value += by[cell] * moments.mean[cell];
        }
        let kind = column.kind().over(step).unwrap_or(column.kind());
        let spread = if scope.is_some() { not_paired() } else { Spread::By(BTreeMap::from([(column, by)])) };
        Ok(Estimate { value, kind, spread })
    }

    /// Quotients of two levels of a factor: of cells that agree in all else, or where one pair alone agrees of the runs of a block.
    pub fn ratios(&mut self, at: usize, call: &Call, scope: Scope<'_>) -> Result<Ratios, Flaw> {
        let Call::Ratio { of, factor: over, levels, given } = call else {
            return Err(Flaw::new(at, "expected a ratio", "ratio(decode | engine = mlx / llama-cpp)"));
        };
        let column = column(&self.table, of)?;
        let place = factor(&self.table, over)?;
        let summary = self.table.summary;
        let [first, second] =
            [level(&summary.factors[place], &levels[0])?, level(&summary.factors[place], &levels[1])?];
        if first == second {
            return Err(Flaw::new(levels[1].at, "expected two levels, found one twice", "name another one"));
        }
        let selection = self.select(given)?;
        if !selection.tests.is_empty() {
            return Err(Flaw::new(
                at,
                "a ratio takes no condition on a metric",
                "conditions on factors may stand there",
            ));
        }
        let moments = self.table.moments(column);
        let grid = &summary.grid;
        let there = |wanted: usize| {
            let cells = self.table.selected(&selection, scope);
            let cells = cells.filter(|cell| grid.cells[*cell][place] == wanted && moments.n[*cell] > 0.0);
            cells.map(|cell| (grid.others(cell, place), cell)).collect::<BTreeMap<Vec<usize>, usize>>()
        };
        let (above, below) = (there(first), there(second));
        let pairs: Vec<[usize; 2]> =
            above.iter().filter_map(|(others, cell)| Some([*cell, *below.get(others)?])).collect();
        if pairs.is_empty() {
            return Err(no_run(at, "no two cells with runs at these levels agree in all else"));
        }
        let cells: Vec<usize> = pairs.iter().flatten().copied().collect();
        let mut found = Ratios { quotients: Vec::new(), cells, of_runs: false };
        if let [[a, b]] = pairs[..] {
            let below = self.table.by_block(column, b);
            let above = self.table.by_block(column, a);
            found.quotients = above.iter().filter_map(|(block, value)| Some(value / below.get(block)?)).collect();
            found.of_runs = !found.quotients.is_empty();
        }
        if found.quotients.is_empty() {
            found.quotients = pairs.iter().map(|[a, b]| moments.mean[*a] / moments.mean[*b]).collect();
        }
        if found.quotients.iter().any(|quotient| !quotient.is_finite() || *quotient <= 0.0) {
            let what = format!("a value of `{}` is zero or negative there, and has no ratio", of.text);
            return Err(Flaw::new(of.at, what, "take the difference of two means"));
        }
        Ok(found)
    }
}
