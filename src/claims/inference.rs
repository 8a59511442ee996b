//! What the tests found -> claims. The numbers of a judgement; its words are made in `judgements`.

use super::{
    Value,
    build::{Registry, formula, list},
    rounding::{Decimals, near_one, p_value, percent, significant, text},
};
use crate::{
    analysis::{
        Inference, METRICS, Summary, Tests, Times,
        gaps::Gaps,
        line::{Coefficient, Line},
        outliers::Mark,
        pairs::{Equivalence, Pair},
        parts::PARTS,
        variance::Variance,
    },
    study::Study,
};

/// More runs than this are not named one by one in a text.
const MOST_NAMES: usize = 100;

const TWO: &str = "two significant digits";
const OF_ERROR: &str = "to two significant digits of the standard error";
const PERCENT: &str = "one decimal, below 0.1 two significant digits";
const P: &str = "two significant digits, below 0.0001 as a bound";

/// The unit of a metric.
pub(super) fn unit(metric: &str) -> &'static str {
    METRICS.iter().find(|(name, _)| *name == metric).map_or("", |(_, unit)| unit)
}

/// The pair of levels that decides: the one whose equivalence is shown least.
pub(super) fn decisive(equivalence: &Equivalence) -> Option<&Pair> {
    let p = |pair: &Pair| pair.p.unwrap_or(1.0);
    equivalence
        .pairs
        .iter()
        .max_by(|a, b| p(a).total_cmp(&p(b)).then(a.difference.abs().total_cmp(&b.difference.abs())))
}

/// Names of a factor's levels, as claim ids write them.
pub(super) fn levels(study: &Study, factor: usize) -> Vec<String> {
    match factor {
        0 => study.settings.max_tokens.iter().map(u32::to_string).collect(),
        1 => study.settings.temperatures.iter().map(f64::to_string).collect(),
        _ => study.prompts.iter().map(|prompt| prompt.id.clone()).collect(),
    }
}

impl Registry {
    /// Every claim of the tests.
    pub(super) fn inference(&mut self, study: &Study, inference: &Inference) {
        for (metric, tests) in &inference.tests {
            self.variance(metric, &tests.variance);
            if let Some(line) = &tests.line {
                self.line(metric, line);
            }
            for (factor, name, equivalence) in [(1, "temperature", &tests.temperature), (2, "prompt", &tests.prompt)] {
                self.equivalence(study, metric, (factor, name), equivalence, tests.variance.mean);
            }
            self.drift(metric, tests);
            self.outliers(metric, tests);
        }
    }

    /// Where the time goes, of every group.
    pub(super) fn all_times(&mut self, summary: &Summary) {
        for (prefix, times) in &summary.times {
            self.times(prefix, times);
        }
    }

    /// A number that rests on all runs.
    fn number(&mut self, id: String, value: f64, unit: &str, printed: (String, &str), formula: String) {
        let all = self.all.clone();
        self.put(id, Value::Number(value), unit, printed.0, formula, printed.1, &all);
    }

    fn two(&mut self, id: String, value: f64, unit: &str, formula: String) {
        self.number(id, value, unit, (significant(value, 2), TWO), formula);
    }

    fn share(&mut self, id: String, share: f64, formula: String) {
        self.number(id, 100.0 * share, "%", (percent(share), PERCENT), formula);
    }

    fn p(&mut self, id: String, p: f64, formula: String) {
        // A table's column says `p`; the relation is written only where it is not equality.
        let text = p_value(p).trim_start_matches("= ").to_owned();
        self.number(id, p, "1", (text, P), formula);
    }

    fn variance(&mut self, metric: &str, found: &Variance) {
        let what = formula(metric);
        if let Some(within) = &found.within {
            let df = within.degrees;
            let id = |name: &str| format!("cv.within.{metric}{name}");
            let sd =
                format!("square root of the residual mean square ({df} degrees of freedom) of {what} within cells");
            self.two(id(".sd"), within.sd, unit(metric), sd.clone());
            self.two(id(""), within.cv, "1", format!("{sd} / mean over all runs"));
            let bound =
                |side| format!("one-sided {side} confidence bound, by chi-squared, of: {sd} / mean over all runs");
            self.two(id(".at_least"), within.cv_at_least, "1", bound("lower"));
            self.two(id(".at_most"), within.cv_at_most, "1", bound("upper"));
            self.count(&id(".degrees"), df as u64, "runs - cells");
        }
        if let Some(cv) = found.cv_between {
            let formula = format!("sample standard deviation (ddof = 1) of the cells' means of {what} / their mean");
            self.two(format!("cv.between.{metric}"), cv, "1", formula);
        }
        let sums = if found.balanced { "balanced" } else { "unbalanced: sequential sums of squares" };
        for term in &found.terms {
            let id = |name: &str| format!("variance.{metric}.{}{name}", term.name);
            let source = term.name.replace('_', " x ");
            if let Some(share) = term.share {
                let formula = format!(
                    "sum of squares of {source} / total sum of squares of {what} ({sums} analysis of variance)"
                );
                self.share(id(""), share, formula);
            }
            if let (Some(f), Some(p)) = (term.f, term.p) {
                let ratio = format!("mean square of {source} / residual mean square of {what}");
                self.number(id(".f"), f, "1", (significant(f, 3), "three significant digits"), ratio);
                let (df, within) = (term.degrees, found.residual.degrees);
                self.p(id(".p"), p, format!("P(F({df}, {within}) > F) of {source} on {what}"));
            }
        }
        if let Some(share) = found.residual.share {
            let formula = format!("sum of squares within cells / total sum of squares of {what}");
            self.share(format!("variance.{metric}.residual"), share, formula);
        }
    }

    fn line(&mut self, metric: &str, line: &Line) {
        let (unit, what) = (unit(metric), formula(metric));
        let id = |name: &str| format!("fit.{metric}.{name}");
        let of = format!("of the least-squares line of {what} on n_gen");
        // Seconds a token are milliseconds a token to a reader.
        let coefficients = [("intercept", line.intercept, 1.0, unit), ("slope", line.slope, 1e3, "ms/tok")];
        for (name, Coefficient { estimate, se, interval }, scale, unit) in coefficients {
            let decimals = Decimals::of_mean(estimate * scale, Some(se * scale));
            let mut put = |suffix: &str, value: f64, which: &str| {
                let printed = (text(value * scale, decimals), OF_ERROR);
                self.number(
                    id(&format!("{name}{suffix}")),
                    value * scale,
                    unit,
                    printed,
                    format!("{which}{name} {of}"),
                );
            };
            put("", estimate, "");
            put(".ci.low", interval.0, "lower end of the t interval for the ");
            put(".ci.high", interval.1, "upper end of the t interval for the ");
            self.two(id(&format!("{name}.se")), se * scale, unit, format!("standard error of the {name} {of}"));
        }
        if let Some(r2) = line.r2 {
            let printed = (near_one(r2), "two significant digits of 1 - r2");
            self.number(id("r2"), r2, "1", printed, format!("1 - residual / total sum of squares {of}"));
        }
        let sd = format!("standard deviation (n - 2 degrees of freedom) about the line: {of}");
        self.two(id("residual_sd"), line.residual_sd, unit, sd);
        if let Some(lack) = &line.lack_of_fit {
            let (df, pure) = (lack.degrees, lack.pure_degrees);
            // Without any scatter F is infinite, which no JSON can say; p then says it all.
            if lack.f.is_finite() {
                let formula = format!("mean square of lack of fit / mean square of pure error {of}");
                self.number(
                    id("lack_of_fit.f"),
                    lack.f,
                    "1",
                    (significant(lack.f, 3), "three significant digits"),
                    formula,
                );
            }
            self.p(id("lack_of_fit.p"), lack.p, format!("P(F({df}, {pure}) > F) for the lack of fit {of}"));
            let farthest = format!("largest distance of the mean at a number of tokens from the value there {of}");
            self.two(id("lack_of_fit.farthest"), lack.farthest, unit, farthest);
        }
    }

    fn equivalence(&mut self, study: &Study, metric: &str, factor: (usize, &str), found: &Equivalence, mean: f64) {
        let (index, name) = factor;
        let id = format!("equivalence.{name}.{metric}");
        let names = levels(study, index);
        let Some(worst) = decisive(found) else { return };
        let margin = format!("equivalence_margin of the study x mean of {}", formula(metric));
        self.two(format!("{id}.margin"), found.margin, unit(metric), margin);
        self.pair(&id, metric, worst, &names, mean);
        for pair in &found.pairs {
            let of = pair.levels.map(|level| names.get(level).map_or("", String::as_str)).join("-");
            self.pair(&format!("{id}.{of}"), metric, pair, &names, mean);
        }
    }

    fn pair(&mut self, id: &str, metric: &str, pair: &Pair, names: &[String], mean: f64) {
        let [first, second] = pair.levels.map(|level| names.get(level).map_or("", String::as_str));
        let cells = pair.n;
        let of = format!(
            "{} at {second} minus at {first}, between {cells} pairs of cells that agree in all else",
            formula(metric)
        );
        let decimals = Decimals::of_mean(pair.difference, pair.se);
        let at = |value: f64| (text(value, decimals), OF_ERROR);
        let unit = unit(metric);
        self.number(format!("{id}.difference"), pair.difference, unit, at(pair.difference), format!("mean of {of}"));
        if mean != 0.0 {
            let formula = format!("mean of {of} / mean over all runs");
            let value = 100.0 * pair.difference / mean;
            self.number(format!("{id}.percent"), value, "%", (significant(value, 2), TWO), formula);
        }
        if let Some((low, high)) = pair.interval {
            let end = |which| format!("{which} end of the t interval at 1 - 2 alpha for the mean of {of}");
            self.number(format!("{id}.ci.low"), low, unit, at(low), end("lower"));
            self.number(format!("{id}.ci.high"), high, unit, at(high), end("upper"));
        }
        if let Some(p) = pair.p {
            self.p(format!("{id}.p"), p, format!("larger p of two one-sided t tests against the margin: {of}"));
        }
    }

    fn drift(&mut self, metric: &str, tests: &Tests) {
        let Some(drift) = &tests.drift else { return };
        let id = |name: &str| format!("drift.{metric}.{name}");
        let of = format!("slope of {} on order within cells ({} degrees of freedom)", formula(metric), drift.degrees);
        let decimals = Decimals::of_mean(drift.slope, Some(drift.se));
        let per_run = format!("{}/run", unit(metric));
        self.number(id("slope"), drift.slope, &per_run, (text(drift.slope, decimals), OF_ERROR), of.clone());
        if tests.variance.mean != 0.0 {
            let share = |slope: f64| 100.0 * slope * drift.span / tests.variance.mean;
            let whole = format!("{of} x places from first to last run / mean over all runs");
            for (name, slope, which) in [
                ("percent", drift.slope, ""),
                ("percent.ci.low", drift.interval.0, "lower end of the t interval for: "),
                ("percent.ci.high", drift.interval.1, "upper end of the t interval for: "),
            ] {
                let value = share(slope);
                self.number(id(name), value, "%", (significant(value, 2), TWO), format!("{which}{whole}"));
            }
        }
        if let Some(p) = drift.p {
            self.p(id("p"), p, format!("two-sided t test that there is no {of}"));
        }
    }

    fn outliers(&mut self, metric: &str, tests: &Tests) {
        let Some(outliers) = &tests.outliers else { return };
        let all = self.all.clone();
        let from = format!("{} / median of its cell - 1", formula(metric));
        for (name, mark, fence) in [("mild", Mark::Mild, "1.5 to 3"), ("severe", Mark::Severe, "more than 3")] {
            let runs: Vec<u32> = all
                .iter()
                .zip(&outliers.marks)
                .filter(|(_, found)| **found == Some(mark))
                .map(|(run, _)| *run)
                .collect();
            let formula = format!("runs whose {from} lies {fence} interquartile ranges beyond the quartiles");
            let count = Value::Integer(runs.len() as i64);
            let id = format!("outliers.{metric}.{name}");
            self.put(id.clone(), count, "", runs.len().to_string(), formula.clone(), "exact", &all);
            let names = match runs.len() {
                0 => "none".to_owned(),
                1..=MOST_NAMES => list(&runs.iter().map(u32::to_string).collect::<Vec<_>>()),
                many => format!("{many} runs"),
            };
            self.put(format!("{id}.runs"), Value::Text(names.clone()), "", names, formula, "exact", &runs);
        }
    }

    fn times(&mut self, prefix: &str, times: &Times) {
        let runs = &times.runs;
        for (index, part) in PARTS.iter().enumerate() {
            let what = match *part {
                "decode" => "t_last - t_first",
                "rest" => "e2e - tokenize - t_last",
                name => name,
            };
            let (id, mean) = (format!("{prefix}decomposition.{part}"), times.parts.mean(index));
            let formula = format!("mean of ({what}) over the runs");
            self.put(
                format!("{id}.mean"),
                Value::Number(mean),
                "s",
                significant(mean, 3),
                formula,
                "three significant digits",
                runs,
            );
            if let Some(share) = times.parts.share(index) {
                let formula = format!("total of ({what}) / total of (load + e2e) over the runs");
                self.put(
                    format!("{id}.share"),
                    Value::Number(100.0 * share),
                    "%",
                    percent(share),
                    formula,
                    PERCENT,
                    runs,
                );
            }
        }
        let Some(Gaps { n, mean, p50, p90, p99, longest }) = times.gaps else { return };
        let of = "times between one token and the next, over all gaps of the runs";
        self.put(
            format!("{prefix}itl.n"),
            Value::Integer(n as i64),
            "",
            n.to_string(),
            format!("number of {of}"),
            "exact",
            runs,
        );
        let values = [
            ("mean", mean, "mean"),
            ("p50", p50, "median"),
            ("p90", p90, "90th percentile"),
            ("p99", p99, "99th percentile"),
            ("max", longest, "largest"),
        ];
        for (name, seconds, which) in values {
            let ms = seconds * 1e3;
            let id = format!("{prefix}itl.{name}");
            self.put(
                id,
                Value::Number(ms),
                "ms",
                significant(ms, 3),
                format!("{which} of {of}"),
                "three significant digits",
                runs,
            );
        }
    }
}
