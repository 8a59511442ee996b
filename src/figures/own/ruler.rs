//! Values of a metric or of a factor -> places on an axis, linear or logarithmic, with its ticks. A logarithmic axis is a linear one of
//! logarithms, which come from `libm`: the C library's differ between systems in their last digits.

use anyhow::{Result, ensure};

use super::{
    super::{
        data::range,
        font::Font,
        page::TICK_SIZE,
        scale::{Tick, Unit, exponent, number, power_of_ten, power_text, rate_unit, size_unit, ticks, time_unit},
        scene::Axis,
    },
    fault::did_you_mean,
    file::{Scale, Words},
    sheet::{Levels, Sheet},
};
use crate::metric::Metric;

/// What may be written as `unit`, by a metric's own: what one of its own is in it.
const UNITS: [(&str, &[(&str, f64)]); 3] = [
    ("s", &[("s", 1.0), ("ms", 1e3), ("us", 1e6), ("µs", 1e6), ("ns", 1e9)]),
    ("tok/s", &[("tok/s", 1.0)]),
    (
        "bytes",
        &[
            ("bytes", 1.0),
            ("KiB", 1.0 / 1024.0),
            ("MiB", 1.0 / 1_048_576.0),
            ("GiB", 1.0 / 1_073_741_824.0),
            ("kB", 1e-3),
            ("MB", 1e-6),
            ("GB", 1e-9),
        ],
    ),
];

/// How a metric is measured out.
#[derive(Debug, Clone)]
pub struct Ruler {
    pub metric: Metric,
    unit: Unit,
    pub log: bool,
}

impl Ruler {
    /// For a metric on `x`, `y` or `colour`.
    ///
    /// # Errors
    /// A unit of another kind, or values that a logarithmic axis has no place for.
    pub fn of(sheet: &Sheet, metric: Metric, key: &str) -> Result<Self> {
        let (unit, scale) = match key {
            "x" => (&sheet.entry.unit.x, sheet.entry.scale.x),
            "y" => (&sheet.entry.unit.y, sheet.entry.scale.y),
            _ => (&sheet.entry.unit.colour, sheet.entry.scale.colour),
        };
        let values = || sheet.runs.iter().filter_map(|run| Some((run.run, run.value(metric)?)));
        let largest = values().map(|(_, value)| value).fold(0.0, f64::max);
        let unit = match unit {
            Some(Words(name)) => wanted(sheet, metric, key, name)?,
            None if metric.is_rate() => rate_unit(largest),
            None if metric.about().unit == "bytes" => size_unit(largest),
            None => time_unit(largest),
        };
        let log = scale == Some(Scale::Log);
        if let Some((run, _)) = values().find(|(_, value)| log && *value <= 0.0) {
            let what = format!("a logarithmic axis has no place for {} = 0, which run {run} has", metric.name());
            return Err(sheet.fault(&format!("scale.{key}"), what, "remove the scale, or choose runs with `where`"));
        }
        Ok(Ruler { metric, unit, log })
    }

    /// A value in the metric's own unit -> its place.
    pub fn place(&self, value: f64) -> f64 {
        place(value * self.unit.factor, self.log)
    }

    pub fn places(&self, (low, high): (f64, f64)) -> (f64, f64) {
        (self.place(low), self.place(high))
    }

    /// A value as a text of three significant digits, in the axis' unit.
    pub fn text(&self, value: f64) -> String {
        significant(value * self.unit.factor)
    }

    /// Back from a place to the metric's own unit.
    pub fn value_at(&self, place: f64) -> f64 {
        (if self.log { libm::exp10(place) } else { place }) / self.unit.factor
    }

    /// `latency (s)`
    pub fn label(&self) -> String {
        format!("{} ({})", self.metric.about().label, self.unit.name)
    }

    /// An axis for places and intervals, of about `count` ticks.
    pub fn axis(&self, places: &[f64], intervals: &[(f64, f64)], count: usize) -> Axis {
        if self.log {
            return log_axis(self.label(), span_of(places, intervals), count);
        }
        let (low, high) = range(places.iter().copied(), intervals.iter().copied());
        Axis::about(self.label(), low, if high > low { high } else { low + 1.0 }, count)
    }

    /// An axis from zero, for bars: an interval makes it no more than twice as long.
    pub fn bar_axis(&self, places: &[f64], intervals: &[(f64, f64)], count: usize) -> Axis {
        let longest = places.iter().copied().fold(0.0, f64::max);
        let high = intervals.iter().map(|interval| interval.1).fold(longest, f64::max).min(2.0 * longest);
        Axis::about(self.label(), 0.0, if high > 0.0 { high } else { 1.0 }, count)
    }

    /// Means, and the ends of their intervals as far as runs go: what an axis of means has to hold.
    pub fn held(&self, sheet: &Sheet, means: &[f64], intervals: &[(f64, f64)]) -> Vec<f64> {
        let runs = sheet.runs.iter().filter_map(|run| run.value(self.metric)).map(|value| self.place(value));
        let (low, high) = runs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
        let ends = intervals.iter().flat_map(|(a, b)| [a.max(low).min(high), b.max(low).min(high)]);
        means.iter().copied().chain(ends).collect()
    }
}

/// The unit that the author wants.
fn wanted(sheet: &Sheet, metric: Metric, key: &str, name: &str) -> Result<Unit> {
    let about = metric.about();
    let known = UNITS.iter().find(|(own, _)| *own == about.unit).map_or(&[][..], |(_, units)| units);
    match known.iter().find(|(known, _)| *known == name) {
        Some((known, factor)) => {
            Ok(Unit { factor: *factor, name: if *known == "us" { "µs" } else { known }.to_owned() })
        }
        None => {
            let what = format!("expected a unit of {}, found `{name}`", about.label);
            Err(sheet.fault(&format!("unit.{key}"), what, did_you_mean(name, known.iter().map(|(known, _)| *known))))
        }
    }
}

fn place(value: f64, log: bool) -> f64 {
    match log {
        false => value,
        // Intervals may go down to nothing and below, which lies beyond any axis.
        true if value <= 0.0 => f64::NEG_INFINITY,
        true => libm::log10(value),
    }
}

/// From the least to the greatest place; an interval stretches it by no more than the places' own span.
fn span_of(places: &[f64], intervals: &[(f64, f64)]) -> (f64, f64) {
    let (low, high) =
        places.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(*at), high.max(*at)));
    // A tenth of a decade around what does not vary.
    let span = (high - low).max(0.1);
    let (wide_low, wide_high) = intervals.iter().fold((low, high), |(low, high), (a, b)| (low.min(*a), high.max(*b)));
    let (low, high) = (wide_low.max(low - span), wide_high.min(high + span));
    (low - 0.04 * span, high + 0.04 * span)
}

/// A logarithmic axis over `low..=high`, which are decimal logarithms.
pub fn log_axis(label: impl Into<String>, (low, high): (f64, f64), count: usize) -> Axis {
    /// Within a decade, from fine to coarse.
    const STEPS: [&[f64]; 4] = [&[1.0, 1.5, 2.0, 3.0, 5.0, 7.0], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
    let within = |tick: &Tick| low <= tick.at && tick.at <= high;
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let decades = |steps: &'static [f64], every: i32| {
        let tick = move |exponent: i32, step: f64| {
            let at = libm::log10(step) + f64::from(exponent);
            Tick { at, text: log_text(step, exponent) }
        };
        let exponents = (first..=last).filter(move |exponent| exponent.rem_euclid(every) == 0);
        let all = exponents.flat_map(move |exponent| steps.iter().map(move |step| tick(exponent, *step)));
        all.filter(within).collect::<Vec<Tick>>()
    };
    let wide = [2, 3, 5, 10, 20, 50, 100, 1000].map(|every| (STEPS[3], every));
    let choices = STEPS.into_iter().map(|steps| (steps, 1)).chain(wide);
    let chosen = choices.map(|(steps, every)| decades(steps, every)).find(|ticks| ticks.len() <= count + 1);
    let mut chosen = chosen.unwrap_or_default();
    if chosen.len() < 3 {
        // A part of a decade: round numbers, where their logarithms are.
        let (_, round) = ticks(libm::exp10(low), libm::exp10(high), count);
        let round = ticks_of_numbers(&round);
        chosen = if round.iter().filter(|tick| within(tick)).count() > chosen.len() {
            round.into_iter().filter(within).collect()
        } else {
            chosen
        };
    }
    Axis { label: label.into(), range: (low, high), ticks: chosen, levels: false, ragged: true, shown: true }
}

fn ticks_of_numbers(round: &[Tick]) -> Vec<Tick> {
    let positive = round.iter().filter(|tick| tick.at > 0.0);
    positive.map(|tick| Tick { at: libm::log10(tick.at), text: tick.text.clone() }).collect()
}

/// `0.05`, `200`, `5 000`; powers of ten from where zeros have to be counted.
fn log_text(step: f64, exponent: i32) -> String {
    let value = step * power_of_ten(exponent);
    match exponent {
        -3..=4 => {
            let fine = i32::from(step.fract() > 0.0);
            number(value, usize::try_from(fine - exponent).unwrap_or(0))
        }
        _ if step == 1.0 => power_text(exponent),
        _ => format!("{step}·{}", power_text(exponent)),
    }
}

/// Three significant digits; powers of ten where zeros would have to be counted.
pub fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    let exponent = exponent(rounded.abs());
    match exponent {
        -4..=6 => number(value, usize::try_from(2 - exponent).unwrap_or(0)),
        _ => format!("{}·{}", number(value / power_of_ten(exponent), 2), power_text(exponent)),
    }
}

/// A factor's levels where their numbers are.
#[derive(Debug, Clone)]
pub struct Spaced {
    /// By a level's position.
    pub places: Vec<f64>,
    pub axis: Axis,
}

impl Spaced {
    /// On `key` (`x` or `y`), over about `width` points.
    ///
    /// # Errors
    /// Levels that are names, or that a logarithmic axis has no place for.
    pub fn of(sheet: &Sheet, levels: &Levels, key: &str, width: f64) -> Result<Self> {
        let scale = if key == "x" { sheet.entry.scale.x } else { sheet.entry.scale.y };
        let log = scale == Some(Scale::Log);
        let name = &levels.factor().name;
        let numbers: Option<Vec<f64>> = (0..levels.count()).map(|at| levels.number(at)).collect();
        let Some(numbers) = numbers else {
            let what = format!("`{name}` has names as levels, which have no scale");
            return Err(sheet.fault(&format!("scale.{key}"), what, "remove the scale: levels stand side by side"));
        };
        if let Some(level) = numbers.iter().find(|number| log && **number <= 0.0) {
            let what = format!("a logarithmic axis has no place for {name} = {level}");
            let hint = format!("leave it out: `where: \"{name} > 0\"`");
            return Err(sheet.fault(&format!("scale.{key}"), what, hint));
        }
        let places: Vec<f64> = numbers.iter().map(|number| place(*number, log)).collect();
        ensure!(places.iter().all(|place| place.is_finite()), "a level of `{name}` is not a finite number");
        let (low, high) =
            places.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(*at), high.max(*at)));
        let rim = 0.07 * (high - low);
        let range = (low - rim, high + rim);
        let label = levels.factor().axis();
        let mut at_levels: Vec<Tick> =
            numbers.iter().zip(&places).map(|(number, at)| Tick { at: *at, text: plain(*number) }).collect();
        at_levels.sort_by(|a, b| a.at.total_cmp(&b.at));
        let points = |share: f64| share / (range.1 - range.0) * width;
        let half = |tick: &Tick| sheet.font.width(&tick.text, TICK_SIZE) / 2.0;
        let apart =
            at_levels.windows(2).all(|pair| points(pair[1].at - pair[0].at) > half(&pair[0]) + half(&pair[1]) + 4.0);
        let count = ticks_across(width);
        let axis = match (apart, log) {
            (true, _) => Axis { label, range, ticks: at_levels, levels: false, ragged: true, shown: true },
            (false, true) => log_axis(label, range, count),
            (false, false) => {
                let ticks = ticks(range.0, range.1, count).1;
                let ticks = ticks.into_iter().filter(|tick| range.0 <= tick.at && tick.at <= range.1).collect();
                Axis { label, range, ticks, levels: false, ragged: true, shown: true }
            }
        };
        Ok(Spaced { places, axis })
    }

    /// The smallest step between neighbours, and the width of the axis.
    pub fn step(&self) -> (f64, f64) {
        let mut sorted = self.places.clone();
        sorted.sort_by(f64::total_cmp);
        let width = self.axis.range.1 - self.axis.range.0;
        (sorted.windows(2).map(|pair| pair[1] - pair[0]).fold(width, f64::min), width)
    }
}

/// A level as people write it, with gaps between thousands.
fn plain(value: f64) -> String {
    let shortest = value.abs().to_string();
    let decimals = shortest.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    number(value, decimals)
}

/// Numbers that fit below an axis.
pub fn ticks_across(width: f64) -> usize {
    ((width / 42.0) as usize).clamp(2, 6)
}

/// The widest text of an axis' ticks.
pub fn widest(axis: &Axis, font: &Font) -> f64 {
    axis.ticks.iter().map(|tick| font.width(&tick.text, TICK_SIZE)).fold(0.0, f64::max)
}
