//! Two executions of one design: is a number that each gives shown to be the same within a margin, or to differ by more?
//!
//! The runs of a cell are a sample; cells have spreads of their own, and nothing is pooled between them. A number computed from cells' means gets its standard
//! error from those of the runs to first order (the delta method), its degrees of freedom from Satterthwaite (1946), and
//! the difference of two executions is put to two one-sided tests (Schuirmann 1987). For a plain mean of one cell that is
//! Welch's test. Judges nothing: p values leave, verdicts are `compare`'s.

use anyhow::Result;

use super::{
    dual::Dual,
    observation::is_rounding,
    stats,
    tails::{above_t, quantile_t},
};

/// The runs of one execution, a cell after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Cell {
    /// At least 2.
    n: f64,
    mean: f64,
    /// Sum of squared differences from the mean.
    squares: f64,
}

/// The second execution's number minus the first's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    pub difference: f64,
    pub se: f64,
    /// Satterthwaite's; `None` where nothing scatters.
    pub degrees: Option<f64>,
    /// At 1 - 2 alpha: the two are shown to be the same when it lies within the margin.
    pub interval: (f64, f64),
    /// Of the two one-sided tests against the margin, the larger.
    pub p: f64,
    /// That the difference exceeds the margin, in its own direction.
    pub p_beyond: f64,
}

impl Sample {
    /// From the values of each cell; `None` where there is no cell, or one with a single run, whose spread is unknown.
    pub fn of(cells: &[Vec<f64>]) -> Option<Self> {
        let cell = |values: &Vec<f64>| {
            let (n, mean) = (values.len(), stats::mean(values));
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let scale = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            Cell { n: n as f64, mean, squares: if is_rounding(squares, n, scale) { 0.0 } else { squares } }
        };
        let enough = !cells.is_empty() && cells.iter().all(|values| values.len() > 1);
        enough.then(|| Sample { cells: cells.iter().map(cell).collect() })
    }

    /// Each cell's mean, as a variable.
    pub fn means(&self) -> Vec<Dual> {
        let count = self.cells.len() + 1;
        self.cells.iter().enumerate().map(|(index, cell)| Dual::variable(cell.mean, index, count)).collect()
    }

    /// The sum of squares within cells, the one variable more.
    pub fn within(&self) -> Dual {
        let squares = self.cells.iter().map(|cell| cell.squares).sum();
        Dual::variable(squares, self.cells.len(), self.cells.len() + 1)
    }

    /// Runs of each cell, where all have equally many.
    pub fn replicates(&self) -> Option<f64> {
        let n = self.cells.first()?.n;
        self.cells.iter().all(|cell| cell.n == n).then_some(n)
    }

    /// The standard error of a number computed from this sample.
    pub fn se(&self, number: &Dual) -> f64 {
        self.parts(number).iter().map(|(variance, _)| variance).sum::<f64>().sqrt()
    }

    /// What each variable adds to the variance of `number`, and the degrees of freedom that it is known with.
    fn parts(&self, number: &Dual) -> Vec<(f64, f64)> {
        let of_mean = |(cell, by): (&Cell, &f64)| (by * by * cell.squares / (cell.n - 1.0) / cell.n, cell.n - 1.0);
        let mut parts: Vec<(f64, f64)> = self.cells.iter().zip(&number.by).map(of_mean).collect();
        // Of normal runs: var(squares) = 2 (n - 1) sigma^4, and squares^2 / (n^2 - 1) estimates sigma^4 without bias.
        let of_squares = |cell: &Cell| 2.0 * cell.squares * cell.squares / (cell.n + 1.0);
        let by = number.by.last().copied().unwrap_or(0.0);
        let degrees = self.cells.iter().map(|cell| cell.n - 1.0).sum();
        parts.push((by * by * self.cells.iter().map(of_squares).sum::<f64>(), degrees));
        parts
    }
}

/// Sets `second` minus `first`, each computed from its sample, against `margin`.
///
/// # Errors
/// A confidence outside 0.5..1.
pub fn contrast(first: (&Sample, &Dual), second: (&Sample, &Dual), margin: f64, confidence: f64) -> Result<Contrast> {
    let alpha = 1.0 - confidence;
    let difference = second.1.value - first.1.value;
    let parts: Vec<(f64, f64)> = [first, second].iter().flat_map(|(sample, number)| sample.parts(number)).collect();
    let variance: f64 = parts.iter().map(|(variance, _)| variance).sum();
    let se = variance.sqrt();
    let fourth: f64 = parts.iter().map(|(variance, degrees)| variance * variance / degrees).sum();
    // Nothing scatters, or by so little that its square is no number.
    let degrees = Some(variance * variance / fourth).filter(|degrees| degrees.is_finite() && *degrees > 0.0);
    // Without any scatter a distance is either there or it is not.
    let above = |distance: f64| match degrees {
        Some(degrees) => above_t(distance / se, degrees).unwrap_or(1.0),
        None if distance > 0.0 => 0.0,
        None => 1.0,
    };
    let half = match degrees {
        Some(degrees) => quantile_t(1.0 - 2.0 * alpha, degrees)? * se,
        None => 0.0,
    };
    Ok(Contrast {
        difference,
        se,
        degrees,
        interval: (difference - half, difference + half),
        p: above(difference + margin).max(above(margin - difference)),
        p_beyond: above(difference.abs() - margin),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(sample: &Sample) -> Dual {
        Dual::mean(&sample.means().iter().collect::<Vec<_>>()).unwrap()
    }

    /// Welch's test of 1, 2, 3, 4, 5 against 2, 4, 6, 8 by hand: variances 2.5 and 20/3, so se^2 = 0.5 + 5/3, and
    /// degrees (13/6)^2 / (0.25/4 + (25/9)/3).
    #[test]
    fn one_cell_is_welch() {
        let a = Sample::of(&[vec![1.0, 2.0, 3.0, 4.0, 5.0]]).unwrap();
        let b = Sample::of(&[vec![2.0, 4.0, 6.0, 8.0]]).unwrap();
        let found = contrast((&a, &mean(&a)), (&b, &mean(&b)), 3.0, 0.95).unwrap();
        let degrees = (13.0f64 / 6.0).powi(2) / (0.0625 + 25.0 / 27.0);
        assert_eq!(found.difference, 2.0);
        assert!((found.se - (13.0f64 / 6.0).sqrt()).abs() < 1e-15);
        assert!((found.degrees.unwrap() - degrees).abs() < 1e-12);
        assert_eq!(found.p, above_t(1.0 / found.se, found.degrees.unwrap()).unwrap());
        assert!(found.p_beyond > 0.5);
    }

    #[test]
    fn without_scatter_a_difference_is_there_or_not() {
        let of = |value: f64| Sample::of(&[vec![value; 3]]).unwrap();
        let (a, b) = (of(0.3), of(0.31));
        let against = |margin| contrast((&a, &mean(&a)), (&b, &mean(&b)), margin, 0.95).unwrap();
        assert_eq!((against(0.02).p, against(0.02).p_beyond, against(0.02).degrees), (0.0, 1.0, None));
        assert_eq!((against(0.005).p, against(0.005).p_beyond), (1.0, 0.0));
    }

    #[test]
    fn a_cell_of_one_run_has_no_spread() {
        assert!(Sample::of(&[vec![1.0, 2.0], vec![1.0]]).is_none() && Sample::of(&[]).is_none());
    }
}
