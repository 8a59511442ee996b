//! One row -> what is derived from it. The formulas are method.md's; `docs/METHODOLOGY.md` prints them.

use anyhow::{Context, Result};

use super::RunMetrics;
use crate::{
    record::RunRecord,
    units::{Bytes, Seconds, TokensPerSecond},
};

/// Derives the metrics of a run that ended well.
///
/// # Errors
/// A time that an `ok` row must have and has not.
pub fn of(record: &RunRecord) -> Result<RunMetrics> {
    let missing = |name: &str| format!("run {}: the row says ok and has no `{name}`", record.run);
    let need = |value: Option<u64>, name: &str| value.with_context(|| missing(name));
    let times = record.token_times_ns.as_deref().unwrap_or_default();
    let (first, last) = times.first().zip(times.last()).with_context(|| missing("token_times_ns"))?;
    let n_prompt = record.n_prompt.with_context(|| missing("n_prompt"))?;
    let n_gen = record.n_gen.with_context(|| missing("n_gen"))?;
    let load = Seconds::from_ns(need(record.load_ns, "load_ns")?);
    let warm_latency = Seconds::from_ns(need(record.e2e_ns, "e2e_ns")?);
    let ttft = Seconds::from_ns(need(record.ttft_ns, "ttft_ns")?);
    let latency = Seconds(load.0 + warm_latency.0);
    let decoding = Seconds::from_ns(last.saturating_sub(*first));
    Ok(RunMetrics {
        run: record.run,
        order: record.order,
        block: record.block,
        model: record.model.clone(),
        prompt_id: record.prompt_id.clone(),
        max_tokens: record.max_tokens,
        temperature: record.temperature,
        repeat: record.repeat,
        n_prompt,
        n_gen,
        load,
        tokenize: Seconds::from_ns(need(record.tokenize_ns, "tokenize_ns")?),
        ttft,
        warm_latency,
        latency,
        throughput: TokensPerSecond::over(n_gen.into(), latency).with_context(|| missing("e2e_ns"))?,
        decode: TokensPerSecond::over(u64::from(n_gen.saturating_sub(1)), decoding),
        decode_mlxlm: TokensPerSecond::over(n_gen.into(), decoding),
        prefill: TokensPerSecond::over(n_prompt.into(), ttft).with_context(|| missing("ttft_ns"))?,
        peak_memory: record.peak_memory_bytes.map(Bytes),
    })
}

/// A metric by its name in [`super::METRICS`], in the unit given there.
pub fn value(run: &RunMetrics, metric: &str) -> Option<f64> {
    match metric {
        "decode" => run.decode.map(|rate| rate.0),
        "decode_mlxlm" => run.decode_mlxlm.map(|rate| rate.0),
        "latency" => Some(run.latency.0),
        "load" => Some(run.load.0),
        "peak_memory" => run.peak_memory.map(|bytes| bytes.0 as f64),
        "prefill" => Some(run.prefill.0),
        "throughput" => Some(run.throughput.0),
        "ttft" => Some(run.ttft.0),
        "warm_latency" => Some(run.warm_latency.0),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::record::{FinishReason, Outcome, Phase, RUN_SCHEMA};

    /// A run of 4 tokens: load 1 s, tokenising 1 ms, first token at 0.5 s, then one every 0.1 s, 0.81 s end to end.
    pub fn record() -> RunRecord {
        RunRecord {
            schema: RUN_SCHEMA.into(),
            run: 1,
            order: 1,
            block: 1,
            phase: Phase::Measured,
            model: "m".into(),
            engine: "mlx".into(),
            backend: "mlx-cpu".into(),
            prompt_id: "1".into(),
            prompt_sha256: String::new(),
            max_tokens: 4,
            temperature: 0.3,
            repeat: 1,
            seed: 1,
            started_at: "2026-01-01T00:00:00Z".into(),
            outcome: Outcome::Ok,
            error: None,
            n_prompt: Some(10),
            n_gen: Some(4),
            finish_reason: Some(FinishReason::Length),
            load_ns: Some(1_000_000_000),
            tokenize_ns: Some(1_000_000),
            ttft_ns: Some(500_000_000),
            token_times_ns: Some(vec![500_000_000, 600_000_000, 700_000_000, 800_000_000]),
            e2e_ns: Some(810_000_000),
            peak_memory_bytes: Some(1 << 20),
            output_sha256: None,
            output_text: None,
            thermal: None,
            energy_j: None,
        }
    }

    #[test]
    fn each_formula_by_hand() {
        let run = of(&record()).unwrap();
        let close = |name: &str, expected: f64| {
            let found = value(&run, name).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-12, "{name}: {found} for {expected}");
        };
        close("latency", 1.81);
        close("warm_latency", 0.81);
        close("throughput", 4.0 / 1.81);
        close("decode", 3.0 / 0.3);
        close("decode_mlxlm", 4.0 / 0.3);
        close("prefill", 10.0 / 0.5);
        close("ttft", 0.5);
        close("load", 1.0);
        close("peak_memory", 1_048_576.0);
    }

    #[test]
    fn one_token_has_no_decode_rate_and_a_missing_time_is_named() {
        let mut row = record();
        (row.n_gen, row.token_times_ns) = (Some(1), Some(vec![500_000_000]));
        assert_eq!(of(&row).unwrap().decode, None);
        row.e2e_ns = None;
        assert!(of(&row).unwrap_err().to_string().contains("run 1: the row says ok and has no `e2e_ns`"));
    }
}
