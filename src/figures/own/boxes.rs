//! `box`: quartiles as a box, the median as a bar in it, the mean as a dot. Whiskers go to the farthest runs within one and a half times
//! the box's length (Tukey 1977); what lies beyond is a dot each.

use anyhow::Result;

use super::{
    super::{
        scene::{Along, Key, Mark, Sample, Scene},
        swarm::thin,
    },
    lanes::{Lanes, Slot},
    sheet::Sheet,
};
use crate::analysis::stats;

/// Dots beyond the whiskers of one box.
const MOST_BEYOND: usize = 60;
/// How many lengths of the box a whisker may have.
const WHISKER: f64 = 1.5;

pub fn scene(sheet: &Sheet) -> Result<Scene> {
    let lanes = Lanes::of(sheet, true)?;
    let metric = lanes.ruler.metric;
    let (mut beyond_any, mut thinned, mut drawn) = (false, false, Vec::new());
    for (heading, slots) in lanes.panels() {
        let mut marks = Vec::new();
        for Slot { from, width, level, runs } in slots {
            let values: Vec<f64> = runs.iter().filter_map(|run| run.value(metric)).collect();
            let parts = Parts::of(values);
            let place = |value: f64| lanes.ruler.place(value);
            let (at, reach) = (from + width / 2.0, 0.42 * width);
            let whiskers = (place(parts.whiskers.0), place(parts.whiskers.1));
            let of = parts.quartiles.map(place);
            marks.push(Mark::Quartiles { along: lanes.along, at, reach, of, whiskers, level });
            beyond_any |= !parts.beyond.is_empty();
            thinned |= parts.beyond.len() > MOST_BEYOND;
            let mean = sheet.stats(&runs, metric)?.mean;
            let beyond = thin(parts.beyond, MOST_BEYOND, |value: &f64| *value);
            let dots = beyond.into_iter().chain([mean]).map(|value| match lanes.along {
                Along::Y => (at, place(value), level),
                Along::X => (place(value), at, level),
            });
            marks.push(Mark::Dots { dots: dots.collect(), runs: Vec::new() });
        }
        drawn.push((heading, marks));
    }
    let places: Vec<f64> =
        sheet.runs.iter().filter_map(|run| run.value(metric)).map(|value| lanes.ruler.place(value)).collect();
    let values = lanes.values(&places, &[], false);
    let mut legend = lanes.legend(Sample::Level);
    legend.keys.push(Key::new(Sample::Quartiles, "quartiles, median, mean"));
    let runs = if thinned { format!("{MOST_BEYOND} runs a group beyond, by rank") } else { "runs beyond".to_owned() };
    let whiskers =
        if beyond_any { format!("whiskers: {WHISKER} boxes; {runs}") } else { "whiskers: all runs".to_owned() };
    legend.keys.push(Key::new(Sample::Nothing, whiskers));
    Ok(lanes.scene(values, drawn, legend))
}

/// What a box shows of some values.
#[derive(Debug, Clone, PartialEq)]
struct Parts {
    quartiles: [f64; 3],
    /// The farthest values that whiskers reach.
    whiskers: (f64, f64),
    beyond: Vec<f64>,
}

impl Parts {
    /// Of at least one value.
    fn of(values: Vec<f64>) -> Parts {
        let quartiles = stats::quantiles(values.clone(), [0.25, 0.5, 0.75]);
        let [first, _, third] = quartiles;
        let reach = WHISKER * (third - first);
        let (within, beyond): (Vec<f64>, Vec<f64>) =
            values.into_iter().partition(|value| first - reach <= *value && *value <= third + reach);
        // A quartile lies between two values, so a whisker may have none outside its box to go to.
        let whiskers = within.iter().fold((first, third), |(low, high), value| (low.min(*value), high.max(*value)));
        Parts { quartiles, whiskers, beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1..=9 and 30. Definition 8: h = (10 + 1/3) p + 1/3, so quartiles at 2.91667, 5.5 and 8.08333: a box of 5.16667 long, whiskers to 1
    /// and 9, and 30 > 8.08333 + 7.75 beyond.
    #[test]
    fn a_box_by_hand() {
        let parts = Parts::of((1..=9).map(f64::from).chain([30.0]).collect());
        let expected = [2.0 + 11.0 / 12.0, 5.5, 8.0 + 1.0 / 12.0];
        assert!(parts.quartiles.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{parts:?}");
        assert_eq!((parts.whiskers, parts.beyond), ((1.0, 9.0), vec![30.0]));
    }

    #[test]
    fn one_value_and_equal_values_are_a_line() {
        for values in [vec![3.0], vec![3.0; 7]] {
            let parts = Parts::of(values);
            assert_eq!((parts.quartiles, parts.whiskers, parts.beyond.len()), ([3.0; 3], (3.0, 3.0), 0));
        }
    }
}
