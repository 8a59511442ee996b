//! Lines of `energy.jsonl` beside their runs -> what the paper says of them but for their statistics, and which means are no claims: a cell
//! whose mean may be off by more than two hundredths because of its windows' ends has none.

use std::collections::{BTreeMap, BTreeSet};

use super::{Group, RunMetrics};
use crate::{
    energy::{Domain, EnergyRow, MOST_ERROR, Spent, Use},
    metric::Metric,
    record::RunRecord,
};

/// Energy of the measured runs that ended well.
#[derive(Debug, Clone, Default)]
pub struct Joules {
    /// By run, where the study's own domain has a value.
    pub used: BTreeMap<u32, Use>,
    /// By run, why it has none.
    pub lacking: BTreeMap<u32, String>,
    /// Runs whose machine was held back, and by what.
    pub throttled: BTreeMap<u32, String>,
    /// Runs whose counter and integral were held against each other, and those where they do not agree.
    pub checked: u32,
    pub disagree: Vec<u32>,
    /// Of blocks: idle watts of the study's own domain.
    pub idle_w: BTreeMap<u32, f64>,
    /// What the value comes from, and how often that is fresh.
    pub source: Option<(Domain, String)>,
    pub period_s: Option<f64>,
    /// Other domains that rows have values of.
    pub others: BTreeSet<Domain>,
    /// Runs of cells whose mean is no claim, and the largest error of a cell's mean.
    pub refused: BTreeSet<u32>,
    pub largest_error: Option<f64>,
}

impl Joules {
    pub(super) fn add(&mut self, record: &RunRecord) {
        let Some(line) = &record.energy else { return };
        match (line.used(), line.lacks()) {
            (Some(used), _) => {
                self.used.insert(record.run, used);
            }
            (None, why) => {
                self.lacking.insert(record.run, why.unwrap_or("for no reason that is given").to_owned());
            }
        }
        if line.throttled() {
            self.throttled.insert(record.run, held_back_by(line));
        }
        for (domain, spent) in &line.domains {
            if *domain == line.domain {
                self.own(record, *domain, spent);
            } else if spent.joules.is_some() {
                self.others.insert(*domain);
            }
        }
    }

    fn own(&mut self, record: &RunRecord, domain: Domain, spent: &Spent) {
        self.source.get_or_insert_with(|| (domain, spent.source.clone()));
        self.period_s = larger(self.period_s, spent.period_s);
        self.idle_w.extend(spent.idle_w.map(|watts| (record.block, watts)));
        if let Some(agree) = spent.agree {
            self.checked += 1;
            if !agree {
                self.disagree.push(record.run);
            }
        }
    }

    /// Takes the values from runs of cells whose mean is too uncertain: n windows of error e each leave sqrt(sum e²) / n.
    pub(super) fn refuse(&mut self, runs: &mut [RunMetrics]) {
        let mut cells: BTreeMap<usize, Vec<(u32, Option<f64>)>> = BTreeMap::new();
        for run in runs.iter() {
            if let Some(used) = self.used.get(&run.run) {
                cells.entry(run.cell).or_default().push((run.run, used.error));
            }
        }
        for members in cells.values() {
            let squares: Option<f64> = members.iter().map(|(_, error)| error.map(|error| error * error)).sum();
            let error = squares.map(|squares| squares.sqrt() / members.len() as f64);
            self.largest_error = larger(self.largest_error, error);
            if error.is_none_or(|error| error > MOST_ERROR) {
                self.refused.extend(members.iter().map(|(run, _)| *run));
            }
        }
        for run in runs.iter_mut().filter(|run| self.refused.contains(&run.run)) {
            for metric in Metric::ALL.into_iter().filter(|metric| metric.is_of_energy()) {
                run.values[metric as usize] = f64::NAN;
            }
        }
    }

    /// A mean over cells of which one has none is none: it would be of other cells than its neighbours.
    pub(super) fn without_refused(&self, mut group: Group) -> Group {
        if group.runs.iter().any(|run| self.refused.contains(run)) {
            group.metrics.retain(|metric, _| !metric.is_of_energy());
        }
        group
    }

    /// Tokens a joule of some runs together; `None` where one of them has no value that counts.
    pub fn tokens_a_joule(&self, runs: &[u32]) -> Option<f64> {
        let of = |run: &u32| self.used.get(run).filter(|_| !self.refused.contains(run));
        let used = runs.iter().map(of).collect::<Option<Vec<&Use>>>()?;
        let joules: f64 = used.iter().map(|used| used.joules).sum();
        (joules > 0.0).then(|| used.iter().map(|used| used.tokens).sum::<f64>() / joules)
    }
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.zip(b).map(|(a, b)| a.max(b)).or(a).or(b)
}

/// `sw_power_cap for 42 % of its window, pressure heavy`
fn held_back_by(line: &EnergyRow) -> String {
    let window = (line.end_ns - line.start_ns) as f64;
    let reasons = line.throttle.iter().flatten().filter(|(_, ns)| **ns > 0);
    let mut parts: Vec<String> = reasons
        .map(|(reason, ns)| format!("{reason} for {:.0} % of its window", 100.0 * *ns as f64 / window))
        .collect();
    let mut levels: Vec<&str> =
        [&line.before, &line.after].into_iter().filter_map(|state| state.pressure.as_deref()).collect();
    levels.retain(|level| *level != "nominal");
    levels.dedup();
    parts.extend(levels.iter().map(|level| format!("pressure {level}")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::Tally, energy::window_error, record::Phase, study::Study};

    fn study() -> Study {
        let text = "models: [{id: a, name: A, source: fake}]\nprompts: [p]\nbenchmark_settings: {max_tokens: [3, 9], temperatures: [0], num_runs: 4}\nenergy: true";
        Study::from_str("s", text).unwrap()
    }

    /// Run 1 to 4 of 3 tokens, 5 to 8 of 9; each window of so many periods of its counter.
    fn summary(periods: [f64; 2]) -> crate::analysis::Summary {
        let mut tally = Tally::of(&study());
        for run in 1..=8 {
            let long = run > 4;
            let n = if long { 9 } else { 3 };
            let mut line = EnergyRow { run, requests: 1, n_gen: n, ..EnergyRow::example() };
            let spent = line.domains.get_mut(&Domain::Package).unwrap();
            let period = 10.0 / periods[usize::from(long)];
            (spent.period_s, spent.error) = (Some(period), Some(window_error(period, 10.0)));
            spent.joules = Some(100.0 + 50.0 * n as f64 + f64::from(run));
            let record = RunRecord {
                run,
                order: run,
                phase: Phase::Measured,
                model: "a".to_owned(),
                engine: "fake".to_owned(),
                prompt_id: "1".to_owned(),
                max_tokens: n as u32,
                n_gen: Some(n as u32),
                started_at: "2026-11-28T13:00:00Z".to_owned(),
                energy: Some(Box::new(line)),
                ..crate::metric::tests::record()
            };
            tally.add(&record).unwrap();
        }
        tally.finish().unwrap()
    }

    #[test]
    fn a_mean_of_few_periods_is_no_claim_and_none_of_its_neighbours_is_touched() {
        // One window of 10 periods is off by 4.1 %, four of them by 2.05 %; of 11 periods by 1.86 %.
        let [poor, good] = [10.0, 11.0];
        let found = summary([good, good]);
        assert!(found.seen.energy.refused.is_empty());
        assert!(found.overall.metrics.contains_key(&Metric::JoulesAToken));
        let found = summary([poor, good]);
        assert_eq!(found.seen.energy.refused.iter().copied().collect::<Vec<_>>(), [1, 2, 3, 4]);
        let has = |group: &Group| group.metrics.contains_key(&Metric::JoulesAToken);
        assert!(!has(&found.overall) && !has(&found.cells[0]) && has(&found.cells[1]));
        assert!((found.seen.energy.largest_error.unwrap() - 0.0205).abs() < 1e-12);
        assert_eq!(found.seen.energy.tokens_a_joule(&[1, 5]), None);
        // Latency is another matter.
        assert!(found.overall.metrics.contains_key(&Metric::Latency));
    }

    #[test]
    fn tokens_a_joule_are_pooled() {
        let found = summary([1e6, 1e6]).seen.energy;
        // 4 runs of 3 tokens and 251 to 254 J: not the mean of four rates.
        assert_eq!(found.tokens_a_joule(&[1, 2, 3, 4]), Some(12.0 / 1010.0));
        assert_eq!((found.idle_w[&1], found.source.unwrap().0), (20.0, Domain::Package));
    }
}
