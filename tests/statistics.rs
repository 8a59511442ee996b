//! Offprint's statistics against scipy's and statsmodels' (tests/oracles/statistics.py), to 1e-9 of each answer.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::{fs, path::Path};

use offprint::analysis::{
    drift,
    line::{self, Coefficient},
    observation::{Grid, Observation, cells},
    outliers::{self, Mark},
    pairs, reference, stats, trend, variance,
};
use serde_json::Value;

/// Compares one data set's answers and remembers the largest relative difference.
struct Check<'a> {
    name: &'a str,
    compared: usize,
    worst: (f64, String),
    failures: Vec<String>,
}

impl Check<'_> {
    fn number(&mut self, what: &str, found: f64, expected: &Value) {
        match expected.as_f64() {
            None => self.failures.push(format!("{}: {what}: {found:e} where there is no answer", self.name)),
            Some(expected) => {
                self.compared += 1;
                let difference =
                    if found == expected { 0.0 } else { (found - expected).abs() / found.abs().max(expected.abs()) };
                if difference > self.worst.0 {
                    self.worst = (difference, format!("{}: {what}", self.name));
                }
                if difference.is_nan() || difference > 1e-9 {
                    self.failures.push(format!("{}: {what}: {found:e} for {expected:e}", self.name));
                }
            }
        }
    }

    fn maybe(&mut self, what: &str, found: Option<f64>, expected: &Value) {
        match found {
            Some(found) => self.number(what, found, expected),
            None => self.same(what, Value::Null, expected),
        }
    }

    fn interval(&mut self, what: &str, found: Option<(f64, f64)>, expected: &Value) {
        match found {
            Some((low, high)) => {
                self.number(&format!("{what} low"), low, &expected[0]);
                self.number(&format!("{what} high"), high, &expected[1]);
            }
            None => self.same(what, Value::Null, expected),
        }
    }

    fn same(&mut self, what: &str, found: impl Into<Value>, expected: &Value) {
        let found = found.into();
        if found != *expected {
            self.failures.push(format!("{}: {what}: {found} for {expected}", self.name));
        }
        self.compared += 1;
    }
}

/// The runs of a set; a row is a level of each factor, then order, tokens and value.
fn observations(set: &Value) -> (Grid, Vec<Observation>) {
    let rows = set["rows"].as_array().unwrap();
    let names: Vec<&str> = match set["factors"].as_array() {
        Some(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        None => vec!["length", "temperature", "prompt"],
    };
    let level = |value: &Value| value.as_u64().unwrap() as usize;
    let places: Vec<Vec<usize>> = rows.iter().map(|row| (0..names.len()).map(|i| level(&row[i])).collect()).collect();
    let (grid, cells) = Grid::of(&names, &places);
    let number = |row: &Value, after: usize| row[names.len() + after].as_f64().unwrap();
    let observe = |(row, cell): (&Value, usize)| Observation {
        cell,
        block: row[names.len() + 3].as_u64().unwrap_or(1) as u32,
        order: number(row, 0),
        tokens: number(row, 1),
        value: number(row, 2),
    };
    let runs = rows.iter().zip(cells).map(observe).collect();
    (grid, runs)
}

fn describe(check: &mut Check, values: &[f64], confidence: f64, set: &Value) {
    let (found, expected) = (stats::of(values, confidence).unwrap(), &set["describe"]);
    check.same("n", found.n, &expected["n"]);
    for (what, value) in [("mean", found.mean), ("min", found.min), ("max", found.max), ("median", found.median)] {
        check.number(what, value, &expected[what]);
    }
    for (what, value) in [("sd", found.sd), ("se", found.se), ("cv", found.cv)] {
        check.maybe(what, value, &expected[what]);
    }
    check.interval("interval", found.interval, &expected["interval"]);
    let quantiles = stats::quantiles(values.to_vec(), [0.25, 0.5, 0.75, 0.9, 0.99]);
    for (index, quantile) in quantiles.into_iter().enumerate() {
        check.number("quantile", quantile, &set["quantiles"][index]);
    }
}

fn anova(check: &mut Check, grid: &Grid, observations: &[Observation], confidence: f64, expected: &Value) {
    let found = variance::of(grid, observations, confidence).unwrap();
    check.number("total", found.total, &expected["total"]);
    check.number("residual", found.residual.sum_of_squares, &expected["residual"]);
    check.same("residual degrees", found.residual.degrees, &expected["degrees"]);
    check.same("terms", found.terms.len(), &expected["terms"].as_array().unwrap().len().into());
    for (term, expected) in found.terms.iter().zip(expected["terms"].as_array().unwrap()) {
        let name = term.source.name(grid);
        check.same("name of a term", name.as_str(), &expected["name"]);
        check.same(&format!("{name} degrees"), term.degrees, &expected["degrees"]);
        check.number(&format!("{name} sum"), term.sum_of_squares, &expected["sum_of_squares"]);
        check.maybe(&format!("{name} share"), term.share, &expected["share"]);
        check.maybe(&format!("{name} F"), term.f, &expected["f"]);
        check.maybe(&format!("{name} p"), term.p, &expected["p"]);
    }
    let shares: Option<f64> = found.terms.iter().map(|term| term.share).chain([found.residual.share]).sum();
    assert!(shares.is_none_or(|sum| (sum - 1.0).abs() < 1e-12), "{}: shares sum to {shares:?}", check.name);
}

/// What the oracle of three factors says beside the table.
fn spreads(check: &mut Check, grid: &Grid, observations: &[Observation], confidence: f64, expected: &Value) {
    let found = variance::of(grid, observations, confidence).unwrap();
    check.same("balanced", found.balanced, &expected["balanced"]);
    check.maybe("cv between", found.cv_between, &expected["cv_between"]);
    match found.within {
        None => check.same("within", Value::Null, &expected["within"]),
        Some(within) => {
            let expected = &expected["within"];
            check.number("within sd", within.sd, &expected["sd"]);
            check.number("within cv", within.cv, &expected["cv"]);
            check.number("within cv at least", within.cv_at_least, &expected["cv_at_least"]);
            check.number("within cv at most", within.cv_at_most, &expected["cv_at_most"]);
        }
    }
}

fn fit(check: &mut Check, observations: &[Observation], confidence: f64, expected: &Value) {
    let Some(found) = line::fit(observations, confidence).unwrap() else {
        return check.same("line", Value::Null, expected);
    };
    let mut coefficient = |what: &str, found: Coefficient, expected: &Value| {
        check.number(what, found.estimate, &expected[0]);
        check.number(&format!("{what} se"), found.se, &expected[1]);
        check.number(&format!("{what} low"), found.interval.0, &expected[2]);
        check.number(&format!("{what} high"), found.interval.1, &expected[3]);
    };
    coefficient("intercept", found.intercept, &expected["intercept"]);
    coefficient("slope", found.slope, &expected["slope"]);
    check.maybe("r2", found.r2, &expected["r2"]);
    check.number("residual sd", found.residual_sd, &expected["residual_sd"]);
    match (found.lack_of_fit, &expected["lack_of_fit"]) {
        (None, expected) => check.same("lack of fit", Value::Null, expected),
        // No scatter at all, and means off the line: the test cannot be larger.
        (Some(found), Value::String(_)) => assert_eq!((found.f, found.p), (f64::INFINITY, 0.0), "{}", check.name),
        (Some(found), expected) => {
            check.number("lack of fit F", found.f, &expected["f"]);
            check.number("lack of fit p", found.p, &expected["p"]);
            check.number("farthest", found.farthest, &expected["farthest"]);
        }
    }
}

fn equivalence(check: &mut Check, grid: &Grid, observations: &[Observation], factor: usize, set: &Value) {
    let name = ["", "temperature", "prompt"][factor];
    let (margin, confidence) = (set["margin"].as_f64().unwrap(), set["confidence"].as_f64().unwrap());
    let found = pairs::equivalence(grid, &cells(observations), factor, margin, confidence).unwrap();
    check.same("pairs", found.pairs.len(), &set[name].as_array().unwrap().len().into());
    for (pair, expected) in found.pairs.iter().zip(set[name].as_array().unwrap()) {
        check.same("levels", pair.levels.to_vec(), &expected["levels"]);
        check.same("pairs of cells", pair.n, &expected["n"]);
        check.number(&format!("{name} difference"), pair.difference, &expected["difference"]);
        check.maybe(&format!("{name} se"), pair.se, &expected["se"]);
        check.interval(&format!("{name} interval"), pair.interval, &expected["interval"]);
        check.maybe(&format!("{name} p"), pair.p, &expected["p"]);
        check.maybe(&format!("{name} p beyond"), pair.p_beyond, &expected["p_beyond"]);
    }
}

fn ratios(check: &mut Check, grid: &Grid, observations: &[Observation], factor: usize, set: &Value) {
    let (margin, confidence) = (set["margin"].as_f64().unwrap(), set["confidence"].as_f64().unwrap());
    let found = reference::ratios(grid, &cells(observations), factor, margin, confidence).unwrap();
    let name = grid.factors[factor].as_str();
    let expected = set["ratios"][name].as_array().unwrap();
    check.same(&format!("{name} levels"), found.len(), &expected.len().into());
    for (ratio, expected) in found.iter().zip(expected) {
        let what = |what: &str| format!("{name} {}: {what}", ratio.level);
        check.same(&what("level"), ratio.level, &expected["level"]);
        check.same(&what("pairs"), ratio.n, &expected["n"]);
        check.number(&what("ratio"), ratio.ratio, &expected["ratio"]);
        check.interval(&what("interval"), ratio.interval, &expected["interval"]);
        check.maybe(&what("p"), ratio.p, &expected["p"]);
        check.maybe(&what("p beyond"), ratio.p_beyond, &expected["p_beyond"]);
        check.same(&what("differs"), ratio.differs, &expected["differs"]);
    }
}

fn slope(check: &mut Check, grid: &Grid, observations: &[Observation], factor: usize, set: &Value) {
    let name = grid.factors[factor].as_str();
    let (numbers, expected) = (&set["numbers"][name], &set["trends"][name]);
    let confidence = set["confidence"].as_f64().unwrap();
    let number = |level: usize| numbers[level].as_f64().unwrap();
    let Some(found) = trend::fit(grid, observations, factor, number, confidence).unwrap() else {
        return check.same(&format!("{name} trend"), Value::Null, expected);
    };
    check.number(&format!("{name} slope"), found.slope, &expected["slope"]);
    check.number(&format!("{name} se"), found.se, &expected["se"]);
    check.interval(&format!("{name} slope's interval"), Some(found.interval), &expected["interval"]);
    check.same(&format!("{name} degrees"), found.degrees, &expected["degrees"]);
    check.maybe(&format!("{name} lack of fit F"), found.lack_of_fit.map(|lack| lack.f), &expected["f"]);
    check.maybe(&format!("{name} lack of fit p"), found.lack_of_fit.map(|lack| lack.p), &expected["p"]);
}

/// Designs of four to six factors (tests/oracles/factors.py).
#[test]
fn every_answer_about_many_factors_agrees_with_scipy_and_statsmodels() {
    let text = fs::read_to_string(Path::new("tests/data/factors_oracle.json")).unwrap();
    let sets: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(sets.len() >= 23, "{} data sets", sets.len());
    let (mut compared, mut worst, mut failures) = (0, (0.0, String::new()), Vec::new());
    for set in &sets {
        let name = set["name"].as_str().unwrap();
        let mut check = Check { name, compared: 0, worst: (0.0, String::new()), failures: Vec::new() };
        let ((grid, observations), confidence) = (observations(set), set["confidence"].as_f64().unwrap());
        anova(&mut check, &grid, &observations, confidence, &set["anova"]);
        let place = |name: &String| grid.factors.iter().position(|factor| factor == name).unwrap();
        for name in set["ratios"].as_object().unwrap().keys() {
            ratios(&mut check, &grid, &observations, place(name), set);
        }
        for name in set["trends"].as_object().unwrap().keys() {
            slope(&mut check, &grid, &observations, place(name), set);
        }
        compared += check.compared;
        if check.worst.0 > worst.0 {
            worst = check.worst;
        }
        failures.extend(check.failures);
    }
    println!("{} data sets, {compared} answers, largest relative difference {:e} ({})", sets.len(), worst.0, worst.1);
    assert!(compared > 2000, "{compared} answers");
    assert!(failures.is_empty(), "{} of {compared} answers differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_answer_agrees_with_scipy_and_statsmodels() {
    let text = fs::read_to_string(Path::new("tests/data/statistics_oracle.json")).unwrap();
    let sets: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(sets.len() >= 50, "{} data sets", sets.len());
    let (mut compared, mut worst, mut failures) = (0, (0.0, String::new()), Vec::new());
    for set in &sets {
        let name = set["name"].as_str().unwrap();
        let mut check = Check { name, compared: 0, worst: (0.0, String::new()), failures: Vec::new() };
        let ((grid, observations), confidence) = (observations(set), set["confidence"].as_f64().unwrap());
        let values: Vec<f64> = observations.iter().map(|run| run.value).collect();
        describe(&mut check, &values, confidence, set);
        anova(&mut check, &grid, &observations, confidence, &set["anova"]);
        spreads(&mut check, &grid, &observations, confidence, &set["anova"]);
        fit(&mut check, &observations, confidence, &set["line"]);
        equivalence(&mut check, &grid, &observations, 1, set);
        equivalence(&mut check, &grid, &observations, 2, set);

        let rise = pairs::rise(&grid, &cells(&observations), 0, confidence).unwrap();
        check.same("steps", rise.steps.len(), &set["rise"].as_array().unwrap().len().into());
        for (step, expected) in rise.steps.iter().zip(set["rise"].as_array().unwrap()) {
            check.same("step pairs", step.n, &expected["n"]);
            check.number("step", step.difference, &expected["difference"]);
            check.maybe("step p", step.p, &expected["p"]);
        }
        match (drift::of(&observations, confidence).unwrap(), &set["drift"]) {
            (None, expected) => check.same("drift", Value::Null, expected),
            (Some(found), expected) => {
                check.same("drift degrees", found.degrees, &expected["degrees"]);
                check.number("drift slope", found.slope, &expected["slope"]);
                check.number("drift se", found.se, &expected["se"]);
                check.interval("drift interval", Some(found.interval), &expected["interval"]);
                check.maybe("drift p", found.p, &expected["p"]);
            }
        }
        match (outliers::of(&observations).unwrap(), &set["outliers"]) {
            (None, expected) => check.same("outliers", Value::Null, expected),
            (Some(found), expected) => {
                check.same("mild", found.count(Mark::Mild), &expected["mild"]);
                check.same("severe", found.count(Mark::Severe), &expected["severe"]);
            }
        }
        compared += check.compared;
        if check.worst.0 > worst.0 {
            worst = check.worst;
        }
        failures.extend(check.failures);
    }
    println!("{} data sets, {compared} answers, largest relative difference {:e} ({})", sets.len(), worst.0, worst.1);
    assert!(failures.is_empty(), "{} of {compared} answers differ:\n{}", failures.len(), failures.join("\n"));
}
