//! An expression -> the rows behind it: those that its functions look at and that have the number, and those of the claims in it.

use std::rc::Rc;

use super::{
    evaluate::{Evaluator, Scope},
    flaw::Flaw,
    select::column,
    table::{Bits, MOST_KEPT},
    tree::{Call, Expression, Kind},
};
use crate::claims::Runs;

impl Evaluator<'_> {
    /// The rows behind an expression.
    pub fn rows(&mut self, expression: &Expression, scope: Scope<'_>) -> Result<(Bits, Runs), Flaw> {
        let mut parts = Vec::new();
        expression.visit(&mut |part| parts.push(part));
        let (mut bits, mut baseline) = (self.table.no_rows(), Runs::default());
        let join = |bits: &mut Bits, more: &Bits| bits.iter_mut().zip(more).for_each(|(bits, more)| *bits |= more);
        for part in parts {
            match &part.kind {
                Kind::Call(call) => {
                    let key = call.to_string();
                    if let Some(known) = self.marked.get(&key).filter(|_| scope.is_none()) {
                        join(&mut bits, known);
                        continue;
                    }
                    let mut of_call = self.table.no_rows();
                    self.mark(&mut of_call, part.at, call, scope)?;
                    join(&mut bits, &of_call);
                    if scope.is_none() && self.marked.len() < MOST_KEPT {
                        self.marked.insert(key, Rc::new(of_call));
                    }
                }
                Kind::Own(name, _) => {
                    if let Some(solved) = self.own.get(name) {
                        join(&mut bits, &solved.rows);
                        baseline = both(&baseline, &solved.baseline_runs);
                    }
                }
                Kind::Program(id) => {
                    if let Some(claim) = self.program.claims.get(id.as_str()) {
                        self.table.mark_runs(&mut bits, &claim.runs);
                        baseline = both(&baseline, &claim.baseline_runs);
                    }
                }
                Kind::Number { .. } | Kind::Negated(_) | Kind::Chain(..) | Kind::Bracketed(_) => {}
            }
        }
        Ok((bits, baseline))
    }

    fn mark(&mut self, bits: &mut Bits, at: usize, call: &Call, scope: Scope<'_>) -> Result<(), Flaw> {
        self.spend(at, self.table.size(scope))?;
        match call {
            Call::Statistic { of, given, .. } | Call::Slope { of, given, .. } => {
                let (column, selection) = (column(&self.table, of)?, self.select(given)?);
                self.table.mark(bits, Some(column), &selection, scope);
            }
            Call::Count { given } | Call::Share { given, .. } => {
                let selection = self.select(given)?;
                self.table.mark(bits, None, &selection, scope);
            }
            Call::Ratio { of, given, .. } => {
                let (column, selection) = (column(&self.table, of)?, self.select(given)?);
                let cells = self.ratios(at, call, scope)?.cells;
                self.table.mark(bits, Some(column), &selection, Some(&cells));
            }
        }
        Ok(())
    }
}

fn both(one: &Runs, other: &Runs) -> Runs {
    if other.is_empty() || one == other { one.clone() } else { one.and(other) }
}
