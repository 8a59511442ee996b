//! A run of several requests -> what aiperf writes as `profile_export.jsonl`: a line a request, with its own names, units and formulas, which
//! count from the moment of sending; when a request was due stands as `credit_issued_ns`. Requests that bring the load up are of the
//! phase `warmup`; those that only keep it up afterwards have no phase there and are left out.

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::{
    load::{Load, Part},
    record::{Answered, Outcome, Phase, RequestRecord, RunRecord},
    store::Run,
};

/// Every line; none of a run without several requests.
///
/// # Errors
/// A row that began at no time.
pub fn lines(run: &Run) -> Result<Vec<Value>> {
    let measured = run.records.iter().filter(|row| row.phase == Phase::Measured && row.outcome == Outcome::Ok);
    let mut lines = Vec::new();
    for row in measured {
        let Some(load) = &row.load else { continue };
        let began: jiff::Timestamp = row.started_at.parse().with_context(|| format!("run {}", row.run))?;
        let began = u64::try_from(began.as_nanosecond()).unwrap_or_default();
        let told = row.requests.iter().filter(|request| load.part(request.number) != Part::Tail);
        lines.extend(told.map(|request| line(row, load, began, request)));
    }
    Ok(lines)
}

fn line(row: &RunRecord, load: &Load, began: u64, request: &RequestRecord) -> Value {
    let warmup = load.part(request.number) == Part::Ramp;
    let sent = began + request.sent_ns;
    // Rows of earlier versions do not say when the answer to a request that was refused had ended.
    let end = sent + request.done_ns.or(request.finish_ns).or(request.headers_ns).unwrap_or_default();
    let error = request.error.as_ref().map(|message| {
        let kind = if request.outcome == Answered::Rejected { "rejected" } else { "failed" };
        json!({"code": request.status, "type": kind, "message": message})
    });
    json!({
        "metadata": {
            "session_num": request.number - 1,
            "conversation_id": row.prompt_id,
            "credit_issued_ns": began + request.due_ns,
            "request_start_ns": sent,
            "request_ack_ns": request.headers_ns.map(|ns| sent + ns),
            "request_end_ns": end,
            "worker_id": "offprint",
            "record_processor_id": "offprint",
            "benchmark_phase": if warmup { "warmup" } else { "profiling" },
            "phase_name": format!("{} {} run {}", row.model, row.engine, row.run),
        },
        "metrics": metrics(request),
        "error": error,
    })
}

/// As aiperf has them: latency ends with the last text, and the time between tokens leaves out those of the first.
fn metrics(request: &RequestRecord) -> Value {
    let mut found = Map::new();
    let mut put = |name: &str, value: Option<f64>, unit: &str| {
        if let Some(value) = value {
            found.insert(name.to_owned(), json!({"value": value, "unit": unit}));
        }
    };
    let ms = |ns: u64| ns as f64 / 1e6;
    put("input_sequence_length", request.n_prompt.map(f64::from), "tokens");
    if request.outcome == Answered::Ok && !request.steps_ns.is_empty() {
        let (first, last) = (ms(request.steps_ns[0]), ms(request.steps_ns.iter().sum()));
        let n_first = request.chunk_tokens.as_ref().and_then(|tokens| tokens.first().copied()).unwrap_or(1);
        let after = request.n_gen.map(|n| n.saturating_sub(n_first)).filter(|after| *after > 0 && last > first);
        let between = after.map(|after| (last - first) / f64::from(after));
        put("time_to_first_token", Some(first), "ms");
        put("request_latency", Some(last), "ms");
        put("output_sequence_length", request.n_gen.map(f64::from), "tokens");
        put("output_token_count", request.n_gen.map(f64::from), "tokens");
        put("inter_token_latency", between, "ms");
        put("output_token_throughput_per_user", between.map(|between| 1000.0 / between), "tokens/sec/user");
    }
    Value::Object(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::served::tests::run;

    #[test]
    fn times_count_from_sending_and_the_due_moment_stands_beside() {
        let mut row = run();
        (row.requests[1].outcome, row.requests[1].status) = (Answered::Rejected, Some(503));
        row.requests[1].error = Some("busy".to_owned());
        let load = row.load.clone().unwrap();
        let of = |number: usize| line(&row, &load, 1_000_000_000, &row.requests[number - 1]);
        let third = of(3);
        // Due at 200 ms, sent at 201, tokens at 281, 291 and 301.
        assert_eq!(third["metadata"]["credit_issued_ns"], 1_200_000_000u64);
        assert_eq!(third["metadata"]["request_start_ns"], 1_201_000_000u64);
        assert_eq!(
            (&third["metadata"]["benchmark_phase"], &of(1)["metadata"]["benchmark_phase"]),
            (&json!("profiling"), &json!("warmup"))
        );
        assert_eq!(third["metrics"]["time_to_first_token"], json!({"value": 80.0, "unit": "ms"}));
        assert_eq!(third["metrics"]["request_latency"]["value"], 100.0);
        assert_eq!(third["metrics"]["inter_token_latency"]["value"], 10.0);
        let second = of(2);
        row.requests[1] =
            RequestRecord { finish_ns: None, done_ns: None, headers_ns: Some(7), ..row.requests[1].clone() };
        let early = line(&row, &load, 0, &row.requests[1]);
        assert_eq!(
            early["metadata"]["request_end_ns"], early["metadata"]["request_ack_ns"],
            "it ends no sooner than it is answered"
        );
        assert_eq!((&second["error"]["code"], second["metrics"].get("request_latency")), (&json!(503), None));
    }
}
