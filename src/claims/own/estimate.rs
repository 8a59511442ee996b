//! A number that is calculated, with what it measures and how it would change with the mean of each cell: the delta method's half of
//! an interval (Rall 1981, forward mode), for several columns of the same runs at once.

use std::collections::BTreeMap;

use super::{table::Column, tree::Operator, unit::Kind};

#[derive(Debug, Clone)]
pub(super) struct Estimate {
    /// In the kind's own unit.
    pub value: f64,
    pub kind: Kind,
    pub spread: Spread,
}

#[derive(Debug, Clone)]
pub(super) enum Spread {
    /// Derivatives by the mean of a column in each cell; nothing for a number that no run made.
    By(BTreeMap<Column, Vec<f64>>),
    /// There is no interval of what is calculated from it, and why.
    Never(String),
}

/// Why two numbers do not go together.
#[derive(Debug, PartialEq)]
pub(super) enum Misfit {
    Kinds,
    Power,
    Zero,
    Size,
}

impl Estimate {
    /// Of no run.
    pub fn exact(value: f64, kind: Kind) -> Self {
        Estimate { value, kind, spread: Spread::By(BTreeMap::new()) }
    }

    pub fn without_interval(value: f64, kind: Kind, why: impl Into<String>) -> Self {
        Estimate { value, kind, spread: Spread::Never(why.into()) }
    }

    pub fn negated(&self) -> Self {
        Estimate { value: -self.value, kind: self.kind, spread: self.spread.scaled(-1.0) }
    }

    pub fn with(&self, operator: Operator, other: &Estimate) -> Result<Estimate, Misfit> {
        let (a, b) = (self.value, other.value);
        let same = || if self.kind == other.kind { Ok(self.kind) } else { Err(Misfit::Kinds) };
        let (kind, value, by_self, by_other) = match operator {
            Operator::Plus => (same()?, a + b, 1.0, 1.0),
            Operator::Minus => (same()?, a - b, 1.0, -1.0),
            Operator::Times => (self.kind.times(other.kind).ok_or(Misfit::Power)?, a * b, b, a),
            Operator::Over if b == 0.0 => return Err(Misfit::Zero),
            Operator::Over => (self.kind.over(other.kind).ok_or(Misfit::Power)?, a / b, 1.0 / b, -(a / b) / b),
        };
        if !value.is_finite() {
            return Err(Misfit::Size);
        }
        Ok(Estimate { value, kind, spread: self.spread.scaled(by_self).and(other.spread.scaled(by_other)) })
    }
}

impl Spread {
    fn scaled(&self, by: f64) -> Spread {
        match self {
            Spread::By(columns) => {
                let scaled = |(column, of): (&Column, &Vec<f64>)| (*column, of.iter().map(|of| of * by).collect());
                Spread::By(columns.iter().map(scaled).collect())
            }
            never => never.clone(),
        }
    }

    fn and(self, other: Spread) -> Spread {
        match (self, other) {
            (Spread::By(mut columns), Spread::By(others)) => {
                for (column, more) in others {
                    match columns.get_mut(&column) {
                        Some(of) => of.iter_mut().zip(more).for_each(|(of, more)| *of += more),
                        None => _ = columns.insert(column, more),
                    }
                }
                Spread::By(columns)
            }
            (never @ Spread::Never(_), _) | (_, never) => never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::own::unit::{BARE, TIME, TOKENS};

    fn variable(value: f64, cell: usize) -> Estimate {
        let mut by = vec![0.0; 2];
        by[cell] = 1.0;
        Estimate { value, kind: TIME, spread: Spread::By(BTreeMap::from([(Column::Order, by)])) }
    }

    /// f(x, y) = (x - 2y) * x / y at (5, 1): 15; df/dx = (2x - 2y) / y = 8, df/dy = -x^2 / y^2 = -25.
    #[test]
    fn derivatives_by_hand() {
        let (x, y) = (variable(5.0, 0), variable(1.0, 1));
        let twice = Estimate::exact(2.0, BARE).with(Operator::Times, &y).unwrap();
        let f = x.with(Operator::Minus, &twice).unwrap().with(Operator::Times, &x).unwrap();
        let f = f.with(Operator::Over, &y).unwrap();
        assert_eq!((f.value, f.kind), (15.0, TIME));
        let Spread::By(columns) = &f.spread else { panic!("{f:?}") };
        assert_eq!(columns[&Column::Order], [8.0, -25.0]);
        assert_eq!(f.negated().value, -15.0);
    }

    #[test]
    fn what_does_not_go_together_is_told_apart() {
        let (time, tokens) = (Estimate::exact(1.0, TIME), Estimate::exact(0.0, TOKENS));
        assert_eq!(time.with(Operator::Plus, &tokens).unwrap_err(), Misfit::Kinds);
        assert_eq!(time.with(Operator::Over, &tokens).unwrap_err(), Misfit::Zero);
        let large = Estimate::exact(1e300, BARE);
        assert_eq!(large.with(Operator::Times, &large).unwrap_err(), Misfit::Size);
        let never = Estimate::without_interval(1.0, TIME, "so").with(Operator::Minus, &variable(1.0, 0)).unwrap();
        assert!(matches!(never.spread, Spread::Never(why) if why == "so"));
    }
}
