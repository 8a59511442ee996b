//! A number with its derivatives: what is computed from cells' means carries along how it would change with each of them,
//! so that its standard error can be had whatever the formula (Rall 1981, forward mode). Knows nothing of cells.

#![allow(clippy::disallowed_methods)] // logarithms of claims, whose values are compared to a tolerance

/// A value and its derivatives by each of some variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Dual {
    pub value: f64,
    pub by: Vec<f64>,
}

impl Dual {
    /// The variable at `index` among `count`.
    pub fn variable(value: f64, index: usize, count: usize) -> Self {
        let mut by = vec![0.0; count];
        by[index] = 1.0;
        Dual { value, by }
    }

    /// The sum of `weight x dual`; `None` of nothing.
    pub fn sum<'a>(terms: impl IntoIterator<Item = (f64, &'a Dual)>) -> Option<Self> {
        let mut sum: Option<Dual> = None;
        for (weight, term) in terms {
            let term = term.chain(weight * term.value, weight);
            sum = Some(match sum {
                Some(sum) => sum.with(&term, sum.value + term.value, 1.0, 1.0),
                None => term,
            });
        }
        sum
    }

    /// The mean of some; `None` of nothing.
    pub fn mean(terms: &[&Dual]) -> Option<Self> {
        Self::sum(terms.iter().map(|term| (1.0 / terms.len() as f64, *term)))
    }

    pub fn minus(&self, other: &Dual) -> Self {
        self.with(other, self.value - other.value, 1.0, -1.0)
    }

    pub fn squared(&self) -> Self {
        self.chain(self.value * self.value, 2.0 * self.value)
    }

    /// `None` over zero.
    pub fn over(&self, other: &Dual) -> Option<Self> {
        let quotient = self.value / other.value;
        (other.value != 0.0).then(|| self.with(other, quotient, 1.0 / other.value, -quotient / other.value))
    }

    /// The natural logarithm; `None` of what is not positive.
    pub fn ln(&self) -> Option<Self> {
        (self.value > 0.0).then(|| self.chain(self.value.ln(), 1.0 / self.value))
    }

    /// A function of this one number, by its value and its derivative.
    fn chain(&self, value: f64, derivative: f64) -> Self {
        Dual { value, by: self.by.iter().map(|by| derivative * by).collect() }
    }

    fn with(&self, other: &Dual, value: f64, by_self: f64, by_other: f64) -> Self {
        Dual { value, by: self.by.iter().zip(&other.by).map(|(a, b)| by_self * a + by_other * b).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f(x, y) = ln((x - 2y)^2 / (x + y)) at (5, 1): ln(9/6); df/dx = 2/3 - 1/6, df/dy = -4/3 - 1/6.
    #[test]
    fn derivatives_by_hand() {
        let (x, y) = (Dual::variable(5.0, 0, 2), Dual::variable(1.0, 1, 2));
        let sum = Dual::sum([(1.0, &x), (1.0, &y)]).unwrap();
        let twice = Dual::sum([(2.0, &y)]).unwrap();
        let f = x.minus(&twice).squared().over(&sum).unwrap().ln().unwrap();
        assert!((f.value - 1.5f64.ln()).abs() < 1e-15);
        assert!((f.by[0] - 0.5).abs() < 1e-15 && (f.by[1] + 1.5).abs() < 1e-15, "{f:?}");
    }

    #[test]
    fn what_has_no_value_is_none() {
        let zero = Dual::variable(0.0, 0, 1);
        assert!(zero.ln().is_none() && zero.over(&zero).is_none() && Dual::mean(&[]).is_none());
    }
}
