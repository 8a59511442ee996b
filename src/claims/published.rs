//! Published values -> claims: each value as printed, what the document's own other values imply for it, what its data say, and
//! why it differs from ours. The judgements on them are made in `consistency`.

use super::{
    Id, Runs,
    registry::{Number, Registry},
    rounding::{Decimals, significant, text},
    words::list,
};
use crate::study::{Cause, FoundIn, Printed, Published};

/// A quantity that rounded values leave within bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) value: f64,
    pub(super) high: f64,
}

impl Span {
    pub(super) fn of(printed: Printed) -> Self {
        let (low, high) = printed.range();
        Span { low, value: printed.value, high }
    }

    pub(super) fn mean(parts: &[Span]) -> Self {
        let mean = |of: fn(&Span) -> f64| parts.iter().map(of).sum::<f64>() / parts.len() as f64;
        Span { low: mean(|s| s.low), value: mean(|s| s.value), high: mean(|s| s.high) }
    }

    /// Of positive quantities.
    pub(super) fn times(self, other: Span) -> Self {
        Span { low: self.low * other.low, value: self.value * other.value, high: self.high * other.high }
    }

    /// Of positive quantities.
    pub(super) fn over(self, other: Span) -> Self {
        Span { low: self.low / other.high, value: self.value / other.value, high: self.high / other.low }
    }

    /// How far apart two quantities are, as a percentage of their mean.
    pub(super) fn apart(self, other: Span) -> Self {
        let (gap, slack) = ((self.value - other.value).abs(), (self.high - self.low + other.high - other.low) / 2.0);
        let percent = |gap: f64| 200.0 * gap.max(0.0) / (self.value + other.value);
        Span { low: percent(gap - slack), value: percent(gap), high: percent(gap + slack) }
    }

    /// Can what was rounded to `printed` be this?
    pub(super) fn allows(self, printed: Printed) -> bool {
        let (low, high) = printed.range();
        // The ends themselves count, whatever the last bit says.
        let slack = 1e-9 * high.abs();
        self.low <= high + slack && self.high >= low - slack
    }
}

/// A document's values by id.
pub(super) struct Document<'a> {
    pub(super) published: &'a Published,
}

/// The share of the squared deviations of latency that the means by length account for, in per cent.
pub(super) const LENGTH_SHARE: &str = "published.variance.latency.length";

impl Document<'_> {
    pub(super) fn get(&self, id: &str) -> Option<Span> {
        self.printed(id).map(Span::of)
    }

    pub(super) fn printed(&self, id: &str) -> Option<Printed> {
        self.published.values.iter().find(|value| value.id == id).and_then(|value| Printed::of(&value.printed))
    }

    /// `by_length.64.latency.mean` and its like: levels with their values, in the document's order.
    pub(super) fn levels(&self, factor: &str, metric: &str) -> Vec<(String, Span)> {
        let level = |id: &str| {
            let rest = id.strip_prefix(factor)?.strip_prefix('.')?;
            rest.strip_suffix(".mean")?.strip_suffix(metric)?.strip_suffix('.').map(str::to_owned)
        };
        let values = self.published.values.iter();
        values.filter_map(|value| Some((level(&value.id)?, Span::of(Printed::of(&value.printed)?)))).collect()
    }

    /// The mean of the means by length, which a balanced design makes the overall mean.
    pub(super) fn grand_mean(&self, metric: &str) -> Option<Span> {
        let levels = self.levels("by_length", metric);
        (levels.len() > 1).then(|| Span::mean(&levels.iter().map(|level| level.1).collect::<Vec<_>>()))
    }

    /// Tokens that latency and throughput imply, by length.
    pub(super) fn tokens(&self) -> Vec<(String, Span)> {
        let latencies = self.levels("by_length", "latency").into_iter();
        latencies
            .filter_map(|(length, latency)| {
                let throughput = self.get(&format!("by_length.{length}.throughput.mean"))?;
                Some((length, latency.times(throughput)))
            })
            .collect()
    }

    /// How far the two temperatures are apart, in per cent.
    pub(super) fn temperature_effect(&self, metric: &str) -> Option<Span> {
        match self.levels("by_temperature", metric).as_slice() {
            [(_, first), (_, second)] => Some(first.apart(*second)),
            _ => None,
        }
    }

    /// Intercept (s) and slope (s a token) of the least-squares line through the mean latencies by length, and the largest
    /// distance of a mean from it.
    pub(super) fn line(&self) -> Option<(f64, f64, f64)> {
        let levels = self.levels("by_length", "latency");
        let points: Vec<(f64, f64)> =
            levels.iter().filter_map(|(length, span)| Some((length.parse().ok()?, span.value))).collect();
        if points.len() < 3 {
            return None;
        }
        let n = points.len() as f64;
        let (x, y) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
        let square = points.iter().map(|p| (p.0 - x).powi(2)).sum::<f64>();
        let slope = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / square;
        let intercept = y - slope * x;
        let farthest = points.iter().map(|p| (p.1 - intercept - slope * p.0).abs()).fold(0.0, f64::max);
        Some((intercept, slope, farthest))
    }

    /// Of the sum of squares behind the overall standard deviation, what the means by length account for.
    pub(super) fn length_share(&self) -> Option<f64> {
        let (runs, sd) = (f64::from(self.published.runs), self.get("latency.sd")?.value);
        let means: Vec<f64> = self.levels("by_length", "latency").iter().map(|level| level.1.value).collect();
        let mean = means.iter().sum::<f64>() / means.len() as f64;
        let between = runs / means.len() as f64 * means.iter().map(|m| (m - mean).powi(2)).sum::<f64>();
        (means.len() > 1 && sd > 0.0 && runs > 1.0).then(|| between / ((runs - 1.0) * sd * sd))
    }

    /// What the document's other values imply for `id`: text and formula.
    fn implied(&self, id: &str) -> Option<(f64, String, String)> {
        let three = |span: Span| (span.value, significant(span.value, 3));
        if let Some(metric) = id.strip_suffix(".mean").filter(|rest| ["latency", "throughput"].contains(rest)) {
            let span = self.grand_mean(metric)?;
            let decimals = Decimals(self.printed(id)?.decimals.max(self.printed(&self.first(metric)?)?.decimals));
            let printed = text(span.value, decimals);
            return Some((span.value, printed, format!("mean of the published mean {metric} at each length")));
        }
        if let Some(metric) = id.strip_suffix(".cv") {
            let (value, printed) = three(self.get(&format!("{metric}.sd"))?.over(self.get(&format!("{metric}.mean"))?));
            return Some((value, printed, format!("published sd of {metric} over all runs / published mean")));
        }
        if let Some(length) = id.strip_prefix("by_length.").and_then(|rest| rest.strip_suffix(".throughput.mean")) {
            let latency = self.get(&format!("by_length.{length}.latency.mean"))?;
            let value = length.parse::<f64>().ok()? / latency.value;
            let formula =
                format!("{length} tokens / published mean latency at {length} tokens: a response has no more");
            return Some((value, format!("≤ {}", significant(value, 3)), formula));
        }
        let metric = id.strip_prefix("equivalence.temperature.")?.strip_suffix(".percent")?;
        let (value, printed) = three(self.temperature_effect(metric)?);
        Some((
            value,
            printed,
            format!("100 x distance of the published mean {metric} at each temperature / their mean"),
        ))
    }

    fn first(&self, metric: &str) -> Option<String> {
        self.levels("by_length", metric).first().map(|(length, _)| format!("by_length.{length}.{metric}.mean"))
    }
}

impl Registry {
    /// Every claim about a document. `same_setup`: do our numbers come from such a machine and that model?
    pub(super) fn published(&mut self, published: &Published, same_setup: bool) {
        let (document, name) = (Document { published }, &published.name);
        let says = format!("as {name} says");
        for (id, value) in [
            ("name", name),
            ("title", &published.title),
            ("date", &published.date),
            ("url", &published.url),
            ("model", &published.model),
            ("machine", &published.machine),
        ] {
            self.fact(Id::new("published").word(id), value, &says);
        }
        self.count("published.runs", published.runs.into(), &says);
        let ids: Vec<&str> = published.values.iter().map(|value| value.id.as_str()).collect();
        self.fact("published.values", &ids.join(", "), "ids of the published values, in the file's order");
        for value in &published.values {
            let id = Id::new("published").word(&value.id);
            let Some(printed) = Printed::of(&value.printed) else { continue };
            let shown = if value.below { format!("< {}", value.printed) } else { value.printed.clone() };
            let mut put = |id: Id, number: f64, text: String, formula: String, rounding: &str| {
                let number = Number { value: number, unit: &value.unit, text, rounding };
                self.number_of(id, number, formula, &Runs::default());
            };
            put(id.clone(), printed.value, shown, format!("{}: {says}, {}", value.label, value.at), "as printed");
            if let Some((number, text, formula)) = document.implied(&value.id) {
                put(id.word("implied"), number, text, formula, "as the values that it follows from");
            }
            if let Some((text, number)) =
                value.repository.as_ref().and_then(|text| Some((text, Printed::of(text)?.value)))
            {
                let formula = format!("{}: from the data in {}", value.label, published.url);
                put(id.word("repository"), number, text.clone(), formula, "as printed");
            }
            self.fact(id.word("label"), &value.label, "name of the quantity, for people");
            let unit = if value.unit == "1" { "" } else { &value.unit };
            self.fact(id.word("unit"), unit, "unit of the published value");
            let causes = causes(same_setup, &value.causes);
            self.fact(
                id.word("cause"),
                &causes,
                "why it differs from ours: set-up from the environment, else from the file",
            );
        }
        for (length, tokens) in document.tokens() {
            let formula = format!("published mean latency x published mean throughput at {length} tokens");
            let id = Id::new("published.by_length").level(&length).word("tokens");
            self.number_of(id, Number::rounded(tokens.value, "", 3), formula, &Runs::default());
        }
        self.line_of_means(&document);
        for (index, finding) in published.findings.iter().enumerate() {
            let from = match finding.source {
                FoundIn::Text => format!("read in {name}"),
                FoundIn::Repository => format!("read in {}", published.url),
            };
            self.fact(Id::new(format!("published.finding.{:02}", index + 1)), &finding.what, &from);
        }
    }

    fn line_of_means(&mut self, document: &Document<'_>) {
        let of = "of the least-squares line through the published mean latencies by length";
        if let Some((intercept, slope, farthest)) = document.line() {
            for (id, value, unit, what) in [
                ("intercept", intercept, "s", "intercept"),
                ("slope", 1e3 * slope, "ms/tok", "slope"),
                ("farthest", farthest, "s", "largest distance of a mean from its place"),
            ] {
                let id = Id::new("published.fit.latency").word(id);
                self.number_of(id, Number::rounded(value, unit, 2), format!("{what} {of}"), &Runs::default());
            }
        }
        if let Some(share) = document.length_share() {
            let formula =
                "sum of squares between the published means by length / that behind the published sd of latency";
            let number = Number::rounded(100.0 * share, "%", 2);
            self.number_of(LENGTH_SHARE.into(), number, formula.to_owned(), &Runs::default());
        }
    }
}

/// In words, the set-up first.
fn causes(same_setup: bool, declared: &[Cause]) -> String {
    let setup = (!same_setup).then(|| "set-up".to_owned());
    let word = |cause: &Cause| match cause {
        Cause::Definition => "definition".to_owned(),
        Cause::Defect => "defect".to_owned(),
    };
    list(&setup.into_iter().chain(declared.iter().map(word)).collect::<Vec<_>>())
}
