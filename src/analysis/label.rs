//! What llama-bench would call a measurement, where it is exactly that: `pp512` is the prefill of 512 tokens, `tg128` the generation of
//! 128, `@d2048` behind 2,048 that stand in the cache.
//!
//! A request of N prompt tokens behind a context of D, answered by G, is two of its tests: `ppN@dD`, and, from the first token on, G - 1
//! tokens behind D + N, `tg(G-1)@d(D+N)`. That of several sequences at once it does not have, and of a server's stream it knows nothing.

use std::fmt;

use super::Summary;
use crate::{
    factor::{BATCH, CONTEXT, Level},
    metric::Metric,
};

/// Tokens, read or generated, behind others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    Prefill { tokens: u32, depth: u32 },
    Generation { tokens: u32, depth: u32 },
}

impl Label {
    /// Of a metric over runs (their numbers); `None` where it is no such test, or not one and the same in all of them.
    pub fn of(summary: &Summary, runs: &[u32], metric: Metric) -> Option<Label> {
        let mut found = runs.iter().map(|run| Label::of_run(summary, *run, metric));
        let first = found.next()??;
        found.all(|other| other == Some(first)).then_some(first)
    }

    fn of_run(summary: &Summary, run: u32, metric: Metric) -> Option<Label> {
        let run = &summary.runs[summary.runs.binary_search_by_key(&run, |run| run.run).ok()?];
        let level = |name: &str, absent: f64| {
            let place = summary.factors.iter().position(|factor| factor.name == name);
            place.map_or(Some(absent), |place| Level::as_number(summary.level(run, place)))
        };
        let depth = level(CONTEXT, 0.0)? as u32;
        let alone = run.value(Metric::InFlight).is_none()
            && run.value(Metric::TokensARound).is_none()
            && level(BATCH, 1.0)? == 1.0;
        let exact = alone && !run.by_client;
        let label = match metric {
            Metric::Prefill => Label::Prefill { tokens: run.n_prompt, depth },
            Metric::Decode => {
                Label::Generation { tokens: (run.n_gen as u32).saturating_sub(1), depth: depth + run.n_prompt }
            }
            _ => return None,
        };
        (exact && label.tokens() > 0).then_some(label)
    }

    pub fn tokens(self) -> u32 {
        match self {
            Label::Prefill { tokens, .. } | Label::Generation { tokens, .. } => tokens,
        }
    }

    pub fn depth(self) -> u32 {
        match self {
            Label::Prefill { depth, .. } | Label::Generation { depth, .. } => depth,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if matches!(self, Label::Prefill { .. }) { "pp" } else { "tg" };
        write!(f, "{name}{}", self.tokens())?;
        if self.depth() > 0 { write!(f, "@d{}", self.depth()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_written_as_llama_bench_writes_them() {
        assert_eq!(Label::Prefill { tokens: 512, depth: 0 }.to_string(), "pp512");
        assert_eq!(Label::Prefill { tokens: 512, depth: 2048 }.to_string(), "pp512@d2048");
        assert_eq!(Label::Generation { tokens: 128, depth: 640 }.to_string(), "tg128@d640");
    }
}
