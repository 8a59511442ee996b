//! Groups of runs -> claims: every statistic of every metric, over all runs, by each factor that varies, and by cell.

use super::{
    Id, Runs,
    registry::{Number, Registry},
    rounding::{Decimals, text},
};
use crate::{
    analysis::{Group, Stats, Summary, Times, gaps::Gaps, parts::PARTS},
    factor::{Factor, Kind, LENGTH, PROMPT, Role, TEMPERATURE},
    metric::Metric,
};

impl Registry {
    pub(super) fn groups(&mut self, summary: &Summary) {
        self.group(&Id::root(), "all runs", &summary.overall);
        for place in summary.varying() {
            let factor = &summary.factors[place];
            for group in &summary.by[place] {
                self.group(&Id::by(&factor.name, &group.key), &runs_at(factor), group);
            }
        }
        let named = [PROMPT, LENGTH, TEMPERATURE];
        let further = summary.varying().into_iter().map(|place| &summary.factors[place]);
        let further = further.filter(|factor| !named.contains(&factor.name.as_str()));
        let others: Vec<&str> = further.map(|factor| factor.label.as_str()).collect();
        let others = if others.is_empty() { String::new() } else { format!(", {}", others.join(", ")) };
        for cell in &summary.cells {
            let which = format!("runs of this cell (prompt, length, temperature{others})");
            self.group(&Id::by("cell", &cell.key), &which, cell);
        }
    }

    fn group(&mut self, id: &Id, which: &str, group: &Group) {
        let runs = Runs::from(group.runs.as_slice());
        for (metric, stats) in &group.metrics {
            self.metric(&id.metric(*metric), *metric, which, stats, &runs);
        }
        let n = group.runs.len() as u64;
        self.count_of(id.after("runs"), n, &format!("number of {which} that ended well"), &runs);
        let pooled = Number::rounded(group.pooled_throughput, "tok/s", 4);
        let formula = format!("total tokens / total latency over {which}");
        self.number_of(id.metric(Metric::Throughput).word("pooled"), pooled, formula, &runs);
        if let Some(times) = &group.times {
            self.times(id, times, &runs);
        }
    }

    fn metric(&mut self, id: &Id, metric: Metric, which: &str, stats: &Stats, runs: &Runs) {
        let about = metric.about();
        let (unit, formula) = (about.told, about.formula);
        let told = |value: f64| value / about.size;
        // What hardly scatters (requests under way in a closed loop) would have more digits than anybody reads.
        let Decimals(by_error) = Decimals::of_mean(told(stats.mean), stats.se.map(told));
        let most = Decimals::significant(told(stats.mean), 6).map_or(by_error, |Decimals(most)| most);
        let most = if metric.is_of_several() { most } else { by_error };
        let decimals = Decimals(by_error.min(most));
        let rounding = match stats.se {
            _ if most < by_error => "six significant digits of the mean",
            Some(se) if se > 0.0 => "to two significant digits of the mean's standard error",
            _ => "four significant digits of the mean",
        };
        let end = format!("end of Student's {} % t interval for the mean", self.levels.wide);
        let mut at = |name: &str, what: &str, value: f64| {
            let value = told(value);
            let number = Number { value, unit, text: text(value, decimals), rounding };
            self.number_of(id.word(name), number, format!("{what} of {formula} over {which}"), runs);
        };
        at("mean", "mean", stats.mean);
        at("min", "smallest", stats.min);
        at("max", "largest", stats.max);
        at("median", "median", stats.median);
        if let Some((low, high)) = stats.interval {
            at("ci.low", &format!("lower {end}"), low);
            at("ci.high", &format!("upper {end}"), high);
        }
        for (name, what, unit, value) in [
            ("sd", "sample standard deviation (ddof = 1)", unit, stats.sd.map(told)),
            ("se", "standard error (sd / sqrt n) of the mean", unit, stats.se.map(told)),
            ("cv", "sd / mean", "1", stats.cv),
        ] {
            let Some(value) = value else { continue };
            let formula = format!("{what} of {formula} over {which}");
            self.number_of(id.word(name), Number::rounded(value, unit, 2), formula, runs);
        }
    }

    /// Where the time of a group goes.
    fn times(&mut self, id: &Id, times: &Times, runs: &Runs) {
        for (index, part) in PARTS.iter().enumerate() {
            let Some(parts) = &times.parts else { break };
            let what = match *part {
                "decode" => "t_last - t_first",
                "rest" => "e2e - tokenize - t_last",
                name => name,
            };
            let id = id.word("decomposition").word(part);
            let mean = Number::rounded(parts.mean(index), "s", 3);
            self.number_of(id.word("mean"), mean, format!("mean of ({what}) over the runs"), runs);
            if let Some(share) = parts.share(index) {
                let formula = format!("total of ({what}) / total of (load + e2e) over the runs");
                self.number_of(id.word("share"), Number::share(share), formula, runs);
            }
        }
        let Some(Gaps { n, mean, p50, p90, p99, longest }) = times.gaps else { return };
        let of = "times between one token and the next, over all gaps of the runs";
        let id = id.word("itl");
        self.count_of(id.word("n"), n as u64, &format!("number of {of}"), runs);
        for (name, seconds, which) in [
            ("mean", mean, "mean"),
            ("p50", p50, "median"),
            ("p90", p90, "90th percentile (Hyndman and Fan's definition 8)"),
            ("p99", p99, "99th percentile (Hyndman and Fan's definition 8)"),
            ("max", longest, "largest"),
        ] {
            self.number_of(id.word(name), Number::rounded(seconds * 1e3, "ms", 3), format!("{which} of {of}"), runs);
        }
    }

    /// What is known of each prompt, whether prompts vary or not.
    pub(super) fn prompts(&mut self, summary: &Summary) {
        for group in summary.by(PROMPT) {
            let first = group.runs.first().copied();
            let tokens = summary.runs.iter().find(|run| Some(run.run) == first).map_or(0, |run| run.n_prompt);
            let id = Id::by(PROMPT, &group.key).word("n_prompt");
            self.count(id, tokens.into(), "tokens of the prompt");
        }
    }
}

/// `runs of this length`.
fn runs_at(factor: &Factor) -> String {
    match factor.role {
        Role::Crossed if factor.is_amount() => {
            format!("runs of this {}", if factor.name == LENGTH { LENGTH } else { &factor.label })
        }
        Role::Crossed if factor.kind == Kind::Numeric => format!("runs at this {}", factor.label),
        Role::Crossed => format!("runs of this {}", factor.label),
        Role::Compared => format!("runs at this level of {}", factor.label),
    }
}
