//! Formula texts as versions up to 0.4 wrote them. Since then they also say the confidence of an interval, the margin of a test, the
//! factor whose levels are compared and the definition of a quantile. The numbers are the same, so those of an earlier edition are held
//! against ours.

use std::sync::LazyLock;

use regex::Regex;

const QUANTILES: &str = " (Hyndman and Fan's definition 8)";
const LINE: &str = "least-squares line of the cells' mean latency on tokens";

/// What was added, and what stood there.
static ADDED: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        // First: what comes after it brings an "at" of its own.
        (r" at \S+ (\S.*) (minus|/) at (.*) pairs of ", " at $1 $2 at $3 pairs of "),
        (r"end of Student's [0-9.]+ % t interval for the mean of", "end of Student's t interval for the mean of"),
        (
            r"^(lower|upper) end of the [0-9.]+ % t interval for (the intercept|the slope)",
            "$1 end of the t interval for $2",
        ),
        (r"^(lower|upper) end of the [0-9.]+ % t interval for: slope of", "$1 end of the t interval for: slope of"),
        (r"^one-sided (lower|upper) [0-9.]+ % confidence bound", "one-sided $1 confidence bound"),
        (
            r"^(lower|upper) end of the [0-9.]+ % t interval for the mean of (.*) minus at ",
            "$1 end of the t interval at 1 - 2 alpha for the mean of $2 minus at ",
        ),
        (r"against a margin of [0-9.]+ % of the mean over all runs: ", "against the margin: "),
        (r"^[0-9.]+ % of the mean of (.*) over all runs$", "equivalence_margin of the study x mean of $1"),
        (
            r", (lower|upper) end of the [0-9.]+ % t interval( on logarithms)? \(delta method over cells' means.*\)$",
            ", $1 end",
        ),
    ];
    rules.into_iter().filter_map(|(rule, before)| Some((Regex::new(rule).ok()?, before))).collect()
});

/// The same text without what was added.
pub(super) fn formerly(formula: &str) -> String {
    let formula = formula.replace(QUANTILES, "").replace(LINE, "least-squares line of latency on tokens");
    ADDED.iter().fold(formula, |text, (rule, before)| match rule.replace(&text, *before) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(text) => text,
    })
}

/// A title as versions up to 0.9 wrote it, where the paper's authors were taken for those of the kernels.
pub(super) fn formerly_titled(title: &str) -> String {
    static KERNELS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r" \(MLX with Offprint's (\w+) Kernels\)$").ok());
    KERNELS
        .as_ref()
        .map_or_else(|| title.to_owned(), |now| now.replace(title, " (MLX with $1 Kernels of Our Own)").into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_as_it_was() {
        assert_eq!(formerly_titled("A (MLX with Offprint's CPU Kernels)"), "A (MLX with CPU Kernels of Our Own)");
        assert_eq!(formerly_titled("Offprint's Kernels"), "Offprint's Kernels");
    }

    #[test]
    fn every_rule_is_one() {
        assert_eq!(ADDED.len(), 9);
    }

    #[test]
    fn texts_are_as_they_were() {
        for (now, before) in [
            (
                "upper end of Student's 95 % t interval for the mean of (load + e2e) over all runs",
                "upper end of Student's t interval for the mean of (load + e2e) over all runs",
            ),
            (
                "lower end of the 90 % t interval for the mean of ttft at prompt a page minus at a question, between 2 pairs of cells that agree in all else",
                "lower end of the t interval at 1 - 2 alpha for the mean of ttft at a page minus at a question, between 2 pairs of cells that agree in all else",
            ),
            (
                "larger p of two one-sided t tests against a margin of 2 % of the mean over all runs: ttft at length 64 minus at 32, between 2 pairs of cells that agree in all else",
                "larger p of two one-sided t tests against the margin: ttft at 64 minus at 32, between 2 pairs of cells that agree in all else",
            ),
            ("2 % of the mean of load over all runs", "equivalence_margin of the study x mean of load"),
            (
                "latency.mean: this run / the baseline, upper end of the 90 % t interval on logarithms (delta method over cells' means, Satterthwaite's degrees of freedom)",
                "latency.mean: this run / the baseline, upper end",
            ),
            // What had its level already keeps it.
            (
                "lower end of the 90 % t interval, on logarithms, for the geometric mean of ttft at engine b / at a, over 2 pairs of runs of one block",
                "lower end of the 90 % t interval, on logarithms, for the geometric mean of ttft at b / at a, over 2 pairs of runs of one block",
            ),
        ] {
            assert_eq!(formerly(now), before);
        }
    }
}
