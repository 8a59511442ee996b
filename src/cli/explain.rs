//! `offprint explain ID_OR_NUMBER`: where a number of the paper stands, what it is, and what it was computed from, down
//! to the nanoseconds in the rows.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Result;
use serde::Serialize;

use crate::{
    claims::{Claim, Id, Predicate, Runs, Value},
    cli::{
        report,
        sought::{near, sought},
    },
    evidence::Evidence,
    metric::{JQ_ENERGY, JQ_REQUESTS},
    paper::{self, Place},
    project,
    record::{Phase, RunRecord},
    store::Run,
};

#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    /// An id, `latency.mean`, or a number as the paper prints it, unit and all: `8.61 s`, `25.1 to 27.4`, `90 %`
    #[arg(allow_hyphen_values = true)]
    pub(super) what: String,
    /// The run folder; else as `report` chooses it
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// A set, instead of a run
    #[arg(long, value_name = "SET", conflicts_with = "run")]
    pub(super) set: Option<PathBuf>,
    /// What the paper is made from; else as `report` chooses it
    #[arg(long, value_name = "DIR")]
    pub(super) templates: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// All about one claim.
#[derive(Debug, Serialize)]
struct Explanation<'a> {
    id: &'a str,
    #[serde(flatten)]
    claim: &'a Claim,
    /// Lines of `paper.md`.
    places: &'a [Place],
    /// What the rows of its runs say.
    rows: Vec<Row>,
    /// What those of its runs say that are the baseline's.
    baseline_rows: Vec<Row>,
    /// A command that computes the value from `runs.jsonl` alone.
    recompute: Option<String>,
}

/// All about one predicate.
#[derive(Debug, Serialize)]
pub(super) struct Judgement<'a> {
    pub(super) id: &'a str,
    #[serde(flatten)]
    pub(super) predicate: &'a Predicate,
}

/// The fields of a row that formulas use.
#[derive(Debug, Serialize)]
struct Row {
    run: u32,
    n_prompt: Option<u32>,
    n_gen: Option<u32>,
    load_ns: Option<u64>,
    ttft_ns: Option<u64>,
    t_last_ns: Option<u64>,
    e2e_ns: Option<u64>,
    peak_memory_bytes: Option<u64>,
}

impl Row {
    fn of(record: &RunRecord) -> Self {
        Row {
            run: record.run,
            n_prompt: record.n_prompt,
            n_gen: record.n_gen,
            load_ns: record.load_ns,
            ttft_ns: record.ttft_ns,
            t_last_ns: record.token_times_ns.as_ref().and_then(|times| times.last().copied()),
            e2e_ns: record.e2e_ns,
            peak_memory_bytes: record.peak_memory_bytes,
        }
    }
}

/// Prints every claim that `what` names; exit code 1 when there is none.
pub fn run(args: ExplainArgs) -> Result<ExitCode> {
    let here = project::here();
    let folder = match args.run {
        Some(folder) => folder,
        None => report::choose(&here.join("paper"), &here.join("results"))?,
    };
    let templates = project::templates(&folder, args.templates.as_deref())?.templates;
    let Evidence { run, summary, claims } = Evidence::with_rows(&folder, templates.claims())?;
    let places = paper::places(&templates, &claims, &paper::levels(&run.study, &summary, &claims, &templates)?)?;
    let found = sought(&args.what, &claims);
    if found.is_empty() {
        tell!("no claim of {} is `{}` or prints so", folder.display(), args.what);
        let near = near(&args.what, &claims, 5);
        if near.is_empty() {
            tell!("hint: did you mean {}?", nearest(&args.what, claims.claims.keys()).join(", "));
        } else {
            tell!("hint: the numbers next to it are {}", near.join(", "));
        }
        return Ok(ExitCode::from(1));
    }
    let rows = measured(&run);
    let baseline_rows = run.baseline.as_deref().map(measured).unwrap_or_default();
    let judgements: Vec<Judgement<'_>> = found
        .predicates
        .iter()
        .filter_map(|id| claims.predicates.get_key_value(id))
        .map(|(id, predicate)| Judgement { id, predicate })
        .collect();
    let explanations: Vec<Explanation<'_>> = found
        .claims
        .iter()
        .map(|id| {
            let claim = &claims.claims[id];
            Explanation {
                id,
                claim,
                places: places.get(id).map_or(&[], Vec::as_slice),
                rows: of(&claim.runs, &rows),
                baseline_rows: of(&claim.baseline_runs, &baseline_rows),
                recompute: match &run.baseline {
                    Some(baseline) if id.starts_with("baseline.") => {
                        Some(format!("offprint compare {} {}", baseline.folder.display(), folder.display()))
                    }
                    _ => {
                        recompute(id, claim, run.study.has_several(), &folder.join("runs.jsonl").display().to_string())
                    }
                },
            }
        })
        .collect();
    if args.json {
        let all = explanations.iter().map(serde_json::to_value).chain(judgements.iter().map(serde_json::to_value));
        say!("{}", serde_json::to_string_pretty(&all.collect::<Result<Vec<_>, _>>()?)?);
    } else {
        explanations.iter().for_each(show);
        judgements.iter().for_each(judge);
    }
    Ok(ExitCode::SUCCESS)
}

/// Measured rows by run.
fn measured(run: &Run) -> BTreeMap<u32, &RunRecord> {
    let rows = run.records.iter().filter(|record| record.phase == Phase::Measured);
    rows.map(|record| (record.run, record)).collect()
}

fn of(runs: &Runs, rows: &BTreeMap<u32, &RunRecord>) -> Vec<Row> {
    runs.iter().filter_map(|run| rows.get(&run)).map(|record| Row::of(record)).collect()
}

fn show(Explanation { id, claim, places, rows, baseline_rows, recompute }: &Explanation<'_>) {
    say!("{id} = {}", told(claim));
    say!("  value     {}", serde_json::to_string(&claim.value).unwrap_or_default());
    say!("  formula   {}", claim.formula);
    say!("  rounding  {}", claim.rounding);
    for Place { line, text } in *places {
        let start: String = text.chars().take(100).collect();
        say!("  stands    paper.md:{line}: {start}{}", if start.len() < text.len() { " …" } else { "" });
    }
    if let Some(recompute) = recompute {
        say!("  again     {recompute}");
    }
    for (whose, rows) in [("", rows), (" of the baseline", baseline_rows)] {
        if !rows.is_empty() {
            say!("  rows{whose}      run  n_prompt  n_gen  load_ns  ttft_ns  t_last_ns  e2e_ns  peak_memory_bytes");
            show_rows(rows);
        }
    }
    say!("");
}

/// The text, and its unit unless an author's own text has words with it.
pub(super) fn told(claim: &Claim) -> String {
    let words = matches!(claim.value, Value::Number(_)) && claim.text.contains(char::is_alphabetic);
    if words || claim.unit == "1" { claim.text.clone() } else { format!("{} {}", claim.text, claim.unit) }
}

pub(super) fn judge(Judgement { id, predicate }: &Judgement<'_>) {
    let Predicate { holds, test, statistic, p, margin, text } = predicate;
    let holds = match holds {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "is not settled",
    };
    say!("{id} {holds}");
    say!("  says      {text}");
    say!("  test      {test}");
    for (name, value) in [("statistic", statistic), ("p        ", p), ("margin   ", margin)] {
        if let Some(value) = value {
            say!("  {name} {value}");
        }
    }
    say!("");
}

fn show_rows(rows: &[Row]) {
    fn or_dash(value: Option<impl ToString>) -> String {
        value.map_or_else(|| "-".to_owned(), |value| value.to_string())
    }
    for row in rows {
        let fields = [
            row.run.to_string(),
            or_dash(row.n_prompt),
            or_dash(row.n_gen),
            or_dash(row.load_ns),
            or_dash(row.ttft_ns),
            or_dash(row.t_last_ns),
            or_dash(row.e2e_ns),
            or_dash(row.peak_memory_bytes),
        ];
        say!("            {}", fields.join("  "));
    }
}

/// A jq command for a statistic of a metric: `[factor.level.]metric.statistic`. `several`: rows are of several requests.
fn recompute(id: &Id, claim: &Claim, several: bool, file: &str) -> Option<String> {
    let (metric, statistic) = id.statistic()?;
    let value = metric.about().jq;
    let variance = "(add / length) as $m | (map((. - $m) * (. - $m)) | add) / (length - 1)";
    let reduce = match statistic {
        "mean" => "add / length".to_owned(),
        "min" | "max" => statistic.to_owned(),
        "sd" => format!("{variance} | sqrt"),
        "se" => format!("length as $n | {variance} / $n | sqrt"),
        "cv" => format!("(add / length) as $mean | ({variance} | sqrt) / $mean"),
        _ => return None,
    };
    let runs: Vec<String> = claim.runs.iter().map(|run| run.to_string()).collect();
    if metric.is_of_energy() {
        // Beside the rows: one line a run.
        let beside = file.replace("runs.jsonl", "energy.jsonl");
        let those = format!("(.run | IN({})) and own.joules != null", runs.join(","));
        return Some(format!("jq -s '{JQ_ENERGY}map(select({those}) | {value}) | {reduce}' {beside}"));
    }
    let (defined, row) = if several { (JQ_REQUESTS, "several | ") } else { ("", "") };
    Some(format!(
        "jq -s '{defined}map(select(.phase == \"measured\" and .outcome == \"ok\" and (.run | IN({}))) | {row}{value}) | {reduce}' {file}",
        runs.join(",")
    ))
}

/// The five ids that share most with `what`.
pub(super) fn nearest<'a>(what: &str, ids: impl Iterator<Item = &'a Id>) -> Vec<String> {
    let parts: Vec<&str> = what.split('.').collect();
    let mut ranked: Vec<(usize, &Id)> = ids
        .map(|id| {
            let shared = id.split('.').filter(|part| parts.contains(part)).count() * 100;
            let start = id.bytes().zip(what.bytes()).take_while(|(a, b)| a == b).count();
            (shared + start, id)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.len().cmp(&b.1.len())));
    ranked.into_iter().take(5).map(|(_, id)| id.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_s_own_text_has_its_unit_in_it() {
        let of = |value: Value, text: &str, unit: &str| {
            let claim = Claim { value, text: text.into(), unit: unit.into(), ..Claim::of("", &Runs::default()) };
            told(&claim)
        };
        assert_eq!(of(Value::Number(1.84), "1.84", "1"), "1.84");
        assert_eq!(of(Value::Number(1.84), "1.84 times (1.71 to 1.98)", "1"), "1.84 times (1.71 to 1.98)");
        assert_eq!(of(Value::Number(12.3), "12.3 ms", "ms"), "12.3 ms");
        assert_eq!(of(Value::Text("none".into()), "none", ""), "none ");
        // Nobody's metric: how to compute it with jq is not known, its formula and its runs are.
        assert_eq!(recompute(&Id::new("speedup"), &Claim::of("", &Runs::default()), false, "runs.jsonl"), None);
    }
}
