//! Numbers of one's own: `templates/claims.yaml`, a small language over the table of runs -> claims and predicates beside the program's,
//! each with its formula, its interval, its rounding and the runs behind it. docs/CLAIMS.md is its reference.

mod behind;
mod contrast;
mod document;
mod estimate;
mod evaluate;
mod flaw;
mod interval;
mod judge;
mod node;
mod order;
mod parse;
mod select;
mod solve;
mod table;
mod tell;
mod template;
mod tree;
mod unit;
mod wording;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::{Claims, Id};
use crate::{analysis::Summary, study::Study};
use document::Document;
use evaluate::{Evaluator, Solved};
use flaw::{Fault, Flaw};
use tell::Number;

/// As errors call the file.
pub const FILE: &str = "templates/claims.yaml";

/// A longer file is none that a person wrote.
const MOST_BYTES: usize = 256 * 1024;

/// `claims.yaml`, read.
#[derive(Debug, Clone)]
pub struct Own {
    file: String,
    text: String,
    document: Document,
    /// Indices of its claims, each behind those that it uses.
    order: Vec<usize>,
}

impl Own {
    /// Reads a file, of which only `file`, its name, is used in errors.
    ///
    /// # Errors
    /// All that is wrong with it whatever the study is: YAML, keys, expressions, units, names that nothing has, claims that rest on
    /// themselves; each with line and column.
    pub fn read(file: &str, text: &str) -> Result<Own> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.len() > MOST_BYTES {
            let bytes = text.len();
            bail!("{file}: expected at most {MOST_BYTES} bytes, found {bytes}\nhint: is this a file of claims?");
        }
        let root = node::Node::read(text).map_err(|error| {
            let place = error.location().map_or(String::new(), |at| format!(":{}:{}", at.line(), at.column()));
            let hint =
                "check indentation, quotes and brackets near this place; an expression with `: ` or `#` needs quotes";
            anyhow::anyhow!("{file}{place}: {error}\nhint: {hint}")
        })?;
        let read = document::read(root).and_then(|document| Ok((order::of(&document)?, document)));
        let (order, document) = read.map_err(|faults| flaw::error(file, text, &faults))?;
        Ok(Own { file: file.to_owned(), text: text.to_owned(), document, order })
    }

    /// The ids that it adds, whatever the runs; ends of intervals are there where runs give them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let Document { claims, predicates, elsewhere } = &self.document;
        let claims = claims.iter().map(|own| own.name.as_str());
        claims
            .chain(predicates.iter().map(|judged| judged.name.as_str()))
            .chain(elsewhere.iter().map(|e| e.name.as_str()))
    }

    /// The words that stand around its numbers, by the key that has them.
    pub fn words(&self) -> impl Iterator<Item = (String, &str)> {
        self.document.claims.iter().flat_map(|own| {
            let words = own.text.iter().flat_map(template::Template::words);
            words.map(|words| (format!("claims.{}.text", own.name), words))
        })
    }

    /// Computes its claims and judges its predicates, and adds both to those of the program.
    ///
    /// # Errors
    /// All that does not go with the study and its runs: factors, levels and claims that there are not, units that do not fit, a
    /// division by zero, conditions that no run meets, a name that is the program's; each with line and column.
    pub fn add(&self, claims: &mut Claims, study: &Study, summary: &Summary) -> Result<()> {
        let mut faults = self.taken(claims);
        let program = claims.clone();
        let mut evaluator = Evaluator::of(table::Table::of(summary), &program);
        let mut numbers: BTreeMap<String, Number> = BTreeMap::new();
        for found in &self.document.elsewhere {
            let (id, claim) = tell::elsewhere(found);
            claims.claims.insert(id, claim);
            evaluator.own.insert(found.name.clone(), theirs(&evaluator, found));
            numbers.insert(found.name.clone(), Number::theirs(found));
        }
        let asked =
            self.document.predicates.iter().flat_map(|judged| judged.holds.iter().chain(judged.fails.iter().flatten()));
        let expressions = asked.flat_map(|compared| [&compared.left, &compared.right]);
        let expressions = expressions.chain(self.document.claims.iter().map(|own| &own.value));
        let used: BTreeSet<&str> = expressions.flat_map(|one| one.names()).map(|(_, name, _)| name).collect();
        let mut failed: Vec<&str> = Vec::new();
        for place in &self.order {
            let own = &self.document.claims[*place];
            // What rests on a claim that has a fault of its own is not blamed for it.
            if own.value.names().iter().any(|(_, name, _)| failed.contains(name)) {
                failed.push(&own.name);
                continue;
            }
            match one(&mut evaluator, own, study.statistics.confidence) {
                Ok((solved, number, made)) => {
                    claims.claims.extend(made);
                    // Derivatives are large to keep.
                    if used.contains(own.name.as_str()) {
                        evaluator.own.insert(own.name.clone(), solved);
                    }
                    numbers.insert(own.name.clone(), number);
                }
                Err(fault) => {
                    failed.push(&own.name);
                    faults.push(fault);
                }
            }
        }
        for judged in self.document.predicates.iter().filter(|_| failed.is_empty()) {
            match judge::judge(&mut evaluator, judged, &numbers, claims) {
                Ok(predicate) => _ = claims.predicates.insert(Id::new(judged.name.as_str()), predicate),
                Err(more) => faults.extend(more),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(flaw::error(&self.file, &self.text, &faults)) }
    }

    /// Names that are the program's already, or the beginning of such.
    fn taken(&self, claims: &Claims) -> Vec<Fault> {
        let Document { claims: own, predicates, elsewhere } = &self.document;
        let own = own.iter().map(|own| ("claims", &own.name));
        let own = own.chain(predicates.iter().map(|judged| ("predicates", &judged.name)));
        let own = own.chain(elsewhere.iter().map(|found| ("elsewhere", &found.name)));
        let is_taken = |name: &str| {
            let below = format!("{name}.");
            let first = |id: Option<&Id>| id.is_some_and(|id| id.starts_with(&below));
            claims.claims.contains_key(name)
                || claims.predicates.contains_key(name)
                || first(claims.claims.range(Id::new(below.as_str())..).next().map(|(id, _)| id))
                || first(claims.predicates.range(Id::new(below.as_str())..).next().map(|(id, _)| id))
        };
        let fault = |(section, name): (&str, &String)| {
            let hint = format!("call it otherwise: my_{name}; the program's number itself is claim('{name}…')");
            Flaw::new(0, format!("`{name}` is the program's name for numbers of its own"), hint)
                .of(format!("{section}.{name}"))
        };
        own.filter(|(_, name)| is_taken(name)).map(fault).collect()
    }
}

type Made = (Solved, Number, Vec<(Id, super::Claim)>);

fn one(evaluator: &mut Evaluator<'_>, own: &document::Own, confidence: f64) -> Result<Made, Fault> {
    let path = |key: &str| format!("claims.{}.{key}", own.name);
    let (solved, told) = solve::solve(evaluator, own, confidence).map_err(|(key, flaw)| flaw.of(path(key)))?;
    let number = Number::of(own, &solved, &told).map_err(|flaw| flaw.of(path("unit")))?;
    let runs = evaluator.table.runs(&solved.rows);
    let made = tell::claims(own, &solved, &told, &number, &runs).map_err(|flaw| flaw.of(path("text")))?;
    Ok((solved, number, made))
}

/// Somebody else's number, taken as exact.
fn theirs(evaluator: &Evaluator<'_>, found: &document::Elsewhere) -> Solved {
    Solved {
        value: found.unit.take(found.value),
        kind: found.unit.kind,
        ends: Err(interval::Lacking { why: "somebody else printed it without".to_owned(), always: true }),
        spread: estimate::Spread::By(BTreeMap::new()),
        rows: std::rc::Rc::new(evaluator.table.no_rows()),
        baseline_runs: super::Runs::default(),
    }
}
