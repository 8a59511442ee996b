//! What a person sees while something takes long: a bar on a terminal, plain lines elsewhere. All of it on stderr.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    bench::News,
    record::{Answered, Outcome, RequestRecord, RunRecord},
    study::{PlannedRun, Study},
};

/// The progress of an execution.
#[derive(Debug)]
pub struct RunProgress<'a> {
    study: &'a Study,
    /// `None` where stderr is no terminal.
    bar: Option<ProgressBar>,
    total: usize,
    ended: usize,
    /// Tokens asked for by the runs that this execution has ended and still has to do: what time is proportional to.
    tokens_done: u64,
    tokens_left: u64,
    begin: Instant,
}

impl<'a> RunProgress<'a> {
    /// For the runs of `todo`, of a plan of `total` runs.
    pub fn new(study: &'a Study, total: usize, todo: &[&PlannedRun]) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64).with_position((total - todo.len()) as u64);
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}") {
                bar.set_style(style);
            }
            bar
        });
        RunProgress {
            study,
            bar,
            total,
            ended: total - todo.len(),
            tokens_done: 0,
            tokens_left: todo.iter().map(|run| u64::from(run.max_tokens)).sum(),
            begin: Instant::now(),
        }
    }

    /// Shows a piece of news.
    pub fn show(&mut self, news: News<'_>) {
        match news {
            News::Begins { run, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("{}{}", cell(self.study, run), self.time_left()));
                    bar.tick();
                }
            }
            News::Waits { for_at_most } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("cooling down, at most {:.0} s", for_at_most.as_secs_f64()));
                    bar.tick();
                }
            }
            News::CannotWait { why } => {
                let line = format!("thermal_gate_s: {why}; nothing is waited for");
                match &self.bar {
                    Some(bar) => bar.println(line),
                    None => tell!("{line}"),
                }
            }
            News::Ends { record } => self.ends(record),
        }
    }

    fn ends(&mut self, record: &RunRecord) {
        self.ended += 1;
        self.tokens_done += u64::from(record.max_tokens);
        self.tokens_left = self.tokens_left.saturating_sub(u64::from(record.max_tokens));
        let line =
            format!("run {} ({}/{}): {}{}", record.run, self.ended, self.total, outcome(record), self.time_left());
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.ended as u64);
                if record.outcome == Outcome::Failed {
                    bar.println(line);
                }
            }
            None => tell!("{line}"),
        }
    }

    /// From this execution's own pace; nothing before the first run has ended.
    fn time_left(&self) -> String {
        if self.tokens_done == 0 || self.tokens_left == 0 {
            return String::new();
        }
        let left = self.begin.elapsed().as_secs_f64() / self.tokens_done as f64 * self.tokens_left as f64;
        format!(", {} left", duration(Duration::from_secs_f64(left)))
    }
}

fn outcome(record: &RunRecord) -> String {
    if record.outcome == Outcome::Failed {
        return format!("failed: {}", record.error.as_deref().unwrap_or("for an unknown reason"));
    }
    if let (Some(load), Some(last)) = (&record.load, record.requests.iter().map(end).max()) {
        let rejected = record.requests.iter().filter(|request| request.outcome == Answered::Rejected).count();
        let rejected = if rejected > 0 { format!(", {rejected} rejected") } else { String::new() };
        let many = if load.total() == 1 { "" } else { "s" };
        return format!("{} request{many} in {:.2} s{rejected}", load.total(), last as f64 / 1e9);
    }
    let seconds = record.e2e_ns.unwrap_or(0) as f64 / 1e9;
    format!("{} tokens in {seconds:.2} s", record.n_gen.unwrap_or(0))
}

fn end(request: &RequestRecord) -> u64 {
    request.sent_ns.saturating_add(request.done_ns.unwrap_or(0))
}

/// A point of the design, for people.
pub fn cell(study: &Study, run: &PlannedRun) -> String {
    let (prompt, model) = (&study.prompts[run.prompt].id, &study.models[run.model]);
    let system = if study.models.len() > 1 { model.said(study) + ", " } else { String::new() };
    let others = study.factors.iter().zip(&run.levels).filter(|(factor, _)| factor.varies());
    let others: String = others.map(|(factor, level)| format!(", {}", factor.say(&factor.levels[*level]))).collect();
    format!("{system}prompt {prompt}, {} tokens, temperature {}{others}", run.max_tokens, run.temperature)
}

/// `1 h 02 min`, `3 min 20 s`, `45 s`.
fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let words = |s| duration(Duration::from_secs(s));
        assert_eq!([words(45), words(200), words(3725)], ["45 s", "3 min 20 s", "1 h 02 min"]);
    }
}
