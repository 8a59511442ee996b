//! What the tests found -> claims. The numbers of a judgement; its words are made in `judgements`.

use super::{
    Claim, Id, Runs, Value,
    registry::{Number, OF_ERROR, P, Registry},
    rounding::{Decimals, near_one, p_value, text},
    words::list,
};
use crate::{
    analysis::{
        Inference, Summary, Tests,
        line::{Coefficient, Line},
        observation::Grid,
        outliers::Mark,
        pairs::{Equivalence, Pair},
        trend::Trend,
        variance::{Source, Variance},
    },
    factor::Factor,
    metric::Metric,
};

/// More runs than this are not named one by one in a text.
const MOST_NAMES: usize = 100;

/// The pair of levels that decides: the one whose equivalence is shown least.
pub(super) fn decisive(equivalence: &Equivalence) -> Option<&Pair> {
    let p = |pair: &Pair| pair.p.unwrap_or(1.0);
    equivalence
        .pairs
        .iter()
        .max_by(|a, b| p(a).total_cmp(&p(b)).then(a.difference.abs().total_cmp(&b.difference.abs())))
}

impl Registry {
    /// Every claim of the tests.
    pub(super) fn inference(&mut self, summary: &Summary, inference: &Inference) {
        for (metric, tests) in &inference.tests {
            self.variance(&summary.grid, *metric, &tests.variance);
            if let Some(line) = &tests.line {
                self.line(*metric, line, &at_reference(summary));
            }
            for (place, equivalence) in &tests.equivalences {
                self.equivalence(&summary.factors[*place], *metric, equivalence, tests.variance.mean);
            }
            for (place, trend) in &tests.trends {
                self.trend(&summary.factors[*place], *metric, trend);
            }
            self.drift(*metric, tests);
            self.outliers(*metric, tests);
        }
    }

    fn p(&mut self, id: Id, p: f64, formula: String) {
        // A table's column says `p`; the relation is written only where it is not equality.
        let text = p_value(p).trim_start_matches("= ").to_owned();
        self.number(id, Number { value: p, unit: "1", text, rounding: P }, formula);
    }

    fn variance(&mut self, grid: &Grid, metric: Metric, found: &Variance) {
        let what = metric.about().formula;
        if let Some(within) = &found.within {
            let df = within.degrees;
            let id = Id::new("cv.within").metric(metric);
            let sd =
                format!("square root of the residual mean square ({df} degrees of freedom) of {what} within cells");
            self.two(id.word("sd"), within.sd, metric.about().unit, sd.clone());
            self.two(id.clone(), within.cv, "1", format!("{sd} / mean over all runs"));
            let confidence = &self.levels.wide;
            let bound = |side| {
                format!(
                    "one-sided {side} {confidence} % confidence bound, by chi-squared, of: {sd} / mean over all runs"
                )
            };
            let [lower, upper] = ["lower", "upper"].map(bound);
            self.two(id.word("at_least"), within.cv_at_least, "1", lower);
            self.two(id.word("at_most"), within.cv_at_most, "1", upper);
            self.count(id.word("degrees"), df as u64, "runs - cells");
        }
        if let Some(cv) = found.cv_between {
            let formula = format!("sample standard deviation (ddof = 1) of the cells' means of {what} / their mean");
            self.two(Id::new("cv.between").metric(metric), cv, "1", formula);
        }
        let sums = if found.balanced { "balanced" } else { "unbalanced: sequential sums of squares" };
        let variance = Id::new("variance").metric(metric);
        for term in &found.terms {
            let id = variance.level(&term.source.name(grid));
            let source = source(&term.source, grid);
            if let Some(share) = term.share {
                let formula = format!(
                    "sum of squares of {source} / total sum of squares of {what} ({sums} analysis of variance)"
                );
                self.number(id.clone(), Number::share(share), formula);
            }
            if let (Some(f), Some(p)) = (term.f, term.p) {
                let ratio = format!("mean square of {source} / residual mean square of {what}");
                self.number(id.word("f"), Number::rounded(f, "1", 3), ratio);
                let (df, within) = (term.degrees, found.residual.degrees);
                self.p(id.word("p"), p, format!("P(F({df}, {within}) > F) of {source} on {what}"));
            }
        }
        if let Some(share) = found.residual.share {
            let formula = format!("sum of squares within cells / total sum of squares of {what}");
            self.number(variance.word("residual"), Number::share(share), formula);
        }
    }

    fn line(&mut self, metric: Metric, line: &Line, at: &str) {
        let (unit, what) = (metric.about().unit, metric.about().formula);
        let fit = Id::new("fit").metric(metric);
        let end = self.levels.end();
        let of = format!("of the least-squares line of {what} on n_gen{at}");
        // Seconds a token are milliseconds a token to a reader.
        let (each, per_token) = if unit == "s" { (1e3, "ms/tok") } else { (1.0, "J/tok") };
        let coefficients = [("intercept", line.intercept, 1.0, unit), ("slope", line.slope, each, per_token)];
        for (name, Coefficient { estimate, se, interval }, scale, unit) in coefficients {
            let decimals = Decimals::of_mean(estimate * scale, Some(se * scale));
            let id = fit.word(name);
            let mut put = |id: Id, value: f64, which: &str| {
                let value = value * scale;
                let number = Number { value, unit, text: text(value, decimals), rounding: OF_ERROR };
                self.number(id, number, format!("{which}{name} {of}"));
            };
            put(id.clone(), estimate, "");
            put(id.word("ci.low"), interval.0, &format!("lower {end} for the "));
            put(id.word("ci.high"), interval.1, &format!("upper {end} for the "));
            self.two(id.word("se"), se * scale, unit, format!("standard error of the {name} {of}"));
        }
        if let Some(r2) = line.r2 {
            let number =
                Number { value: r2, unit: "1", text: near_one(r2), rounding: "two significant digits of 1 - r2" };
            self.number(fit.word("r2"), number, format!("1 - residual / total sum of squares {of}"));
        }
        let sd = format!("standard deviation (n - 2 degrees of freedom) about the line: {of}");
        self.two(fit.word("residual_sd"), line.residual_sd, unit, sd);
        if let Some(lack) = &line.lack_of_fit {
            let (df, pure) = (lack.degrees, lack.pure_degrees);
            let id = fit.word("lack_of_fit");
            // Without any scatter F is infinite, which no JSON can say; p then says it all.
            if lack.f.is_finite() {
                let formula = format!("mean square of lack of fit / mean square of pure error {of}");
                self.number(id.word("f"), Number::rounded(lack.f, "1", 3), formula);
            }
            self.p(id.word("p"), lack.p, format!("P(F({df}, {pure}) > F) for the lack of fit {of}"));
            let farthest = format!("largest distance of the mean at a number of tokens from the value there {of}");
            self.two(id.word("farthest"), lack.farthest, unit, farthest);
        }
    }

    /// `fit.FACTOR.METRIC.…`: a line in the levels of a factor that is compared.
    fn trend(&mut self, factor: &Factor, metric: Metric, trend: &Trend) {
        let (unit, what) = (per(factor, metric), metric.about().formula);
        let fit = Id::new(format!("fit.{}", factor.name)).metric(metric);
        let Trend { slope, se, interval, degrees, groups, .. } = trend;
        let end = self.levels.end();
        let of = format!(
            "of {what} on {} ({degrees} degrees of freedom), within each of {groups} combinations of the other factors",
            factor.label
        );
        let decimals = Decimals::of_mean(*slope, Some(*se));
        for (id, value, which) in [
            (fit.word("slope"), *slope, "least-squares slope".to_owned()),
            (fit.word("slope.ci.low"), interval.0, format!("lower {end} for the slope")),
            (fit.word("slope.ci.high"), interval.1, format!("upper {end} for the slope")),
        ] {
            let number = Number { value, unit: &unit, text: text(value, decimals), rounding: OF_ERROR };
            self.number(id, number, format!("{which} {of}"));
        }
        if let Some(lack) = &trend.lack_of_fit {
            let (df, rest) = lack.degrees;
            if lack.f.is_finite() {
                let formula = format!("mean square of the lack of fit of the line / mean square of the rest {of}");
                self.number(fit.word("lack_of_fit.f"), Number::rounded(lack.f, "1", 3), formula);
            }
            self.p(
                fit.word("lack_of_fit.p"),
                lack.p,
                format!("P(F({df}, {rest}) > F) for the lack of fit of the line {of}"),
            );
        }
    }

    fn equivalence(&mut self, factor: &Factor, metric: Metric, found: &Equivalence, mean: f64) {
        let id = Id::new(format!("equivalence.{}", factor.name)).metric(metric);
        let Some(worst) = decisive(found) else { return };
        let margin =
            format!("{} % of the mean of {} over all runs", self.levels.margin(metric), metric.about().formula);
        self.two(id.word("margin"), found.margin, metric.about().unit, margin);
        self.pair(&id, metric, worst, factor, mean);
        for pair in &found.pairs {
            let of = pair.levels.map(|level| factor.levels[level].key()).join("-");
            self.pair(&id.level(&of), metric, pair, factor, mean);
        }
    }

    fn pair(&mut self, id: &Id, metric: Metric, pair: &Pair, factor: &Factor, mean: f64) {
        let [first, second] = pair.levels.map(|level| factor.levels[level].key());
        let cells = pair.n;
        let of = format!(
            "{} at {} {second} minus at {first}, between {cells} pairs of cells that agree in all else",
            metric.about().formula,
            factor.name
        );
        let decimals = Decimals::of_mean(pair.difference, pair.se);
        let unit = metric.about().unit;
        let at = |value: f64| Number { value, unit, text: text(value, decimals), rounding: OF_ERROR };
        self.number(id.word("difference"), at(pair.difference), format!("mean of {of}"));
        if mean != 0.0 {
            let formula = format!("mean of {of} / mean over all runs");
            self.two(id.word("percent"), 100.0 * pair.difference / mean, "%", formula);
        }
        if let Some((low, high)) = pair.interval {
            let narrow = self.levels.narrow.clone();
            let end = |which| format!("{which} end of the {narrow} % t interval for the mean of {of}");
            self.number(id.word("ci.low"), at(low), end("lower"));
            self.number(id.word("ci.high"), at(high), end("upper"));
        }
        if let Some(p) = pair.p {
            let margin = format!("a margin of {} % of the mean over all runs", self.levels.margin(metric));
            self.p(id.word("p"), p, format!("larger p of two one-sided t tests against {margin}: {of}"));
        }
    }

    fn drift(&mut self, metric: Metric, tests: &Tests) {
        let Some(drift) = &tests.drift else { return };
        let id = Id::new("drift").metric(metric);
        let what = metric.about().formula;
        let of = format!("slope of {what} on order within cells ({} degrees of freedom)", drift.degrees);
        let per_run = format!("{}/run", metric.about().unit);
        let slope = text(drift.slope, Decimals::of_mean(drift.slope, Some(drift.se)));
        let slope = Number { value: drift.slope, unit: &per_run, text: slope, rounding: OF_ERROR };
        self.number(id.word("slope"), slope, of.clone());
        if tests.variance.mean != 0.0 {
            let share = |slope: f64| 100.0 * slope * drift.span / tests.variance.mean;
            let whole = format!("{of} x places from first to last run / mean over all runs");
            let end = self.levels.end();
            for (name, slope, which) in [
                ("percent", drift.slope, String::new()),
                ("percent.ci.low", drift.interval.0, format!("lower {end} for: ")),
                ("percent.ci.high", drift.interval.1, format!("upper {end} for: ")),
            ] {
                self.two(id.word(name), share(slope), "%", format!("{which}{whole}"));
            }
        }
        if let Some(p) = drift.p {
            self.p(id.word("p"), p, format!("two-sided t test that there is no {of}"));
        }
    }

    fn outliers(&mut self, metric: Metric, tests: &Tests) {
        let Some(outliers) = &tests.outliers else { return };
        let all = self.all.clone();
        let from = format!("{} / median of its cell - 1", metric.about().formula);
        for (name, mark, fence) in [("mild", Mark::Mild, "1.5 to 3"), ("severe", Mark::Severe, "more than 3")] {
            let marked = all.iter().zip(&outliers.marks).filter(|(_, found)| **found == Some(mark));
            let runs: Vec<u32> = marked.map(|(run, _)| run).collect();
            let formula = format!(
                "runs whose {from} lies {fence} interquartile ranges beyond the quartiles (Hyndman and Fan's definition 8)"
            );
            let id = Id::new("outliers").metric(metric).word(name);
            let count = Value::Integer(runs.len() as i64);
            self.put(id.clone(), Claim { value: count, text: runs.len().to_string(), ..Claim::of(&formula, &all) });
            let names = match runs.len() {
                0 => "none".to_owned(),
                1..=MOST_NAMES => list(&runs.iter().map(u32::to_string).collect::<Vec<_>>()),
                many => format!("{many} runs"),
            };
            self.text_of(id.word("runs"), &names, &formula, &Runs::from(runs.as_slice()));
        }
    }
}

/// `length x temperature`, as formulas name it.
fn source(source: &Source, grid: &Grid) -> String {
    match source {
        Source::Of(factors) => factors.iter().map(|f| grid.factors[*f].as_str()).collect::<Vec<_>>().join(" x "),
        Source::Higher => "interactions of more factors than the terms before have".to_owned(),
    }
}

/// Where not all runs count: ` at engine mlx`.
fn at_reference(summary: &Summary) -> String {
    let fixed = summary.compared().into_iter().filter_map(|place| {
        let factor = &summary.factors[place];
        Some(format!("{} {}", factor.label, factor.levels[summary.reference(place)?].key()))
    });
    let fixed: Vec<String> = fixed.collect();
    if fixed.is_empty() { String::new() } else { format!(", of runs at {}", fixed.join(", ")) }
}

/// The unit of a slope.
pub(super) fn per(factor: &Factor, metric: Metric) -> String {
    let by = if factor.unit.is_empty() { &factor.label } else { &factor.unit };
    format!("{}/{by}", metric.about().unit)
}
