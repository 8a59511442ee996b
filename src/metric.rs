//! The metrics, in one table: name, label, unit, formula, and how each comes from a row. Analysis, claims, tables, figures, `explain`
//! and comparisons take them from here. Knows nothing of statistics.

use anyhow::{Context, Result, bail, ensure};

use crate::{
    record::{Clock, RunRecord},
    units::{Bytes, Seconds, TokensPerSecond},
};

/// A number that every run that ended well has, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    Decode,
    DecodeMlxlm,
    Latency,
    Load,
    PeakMemory,
    /// Of a server's processes.
    PeakRss,
    Prefill,
    Throughput,
    Ttft,
    /// What a server's client and an engine of ours both have; only in studies with a server.
    TtftFromText,
    WarmLatency,
}

/// All about a metric.
#[derive(Debug)]
pub struct About {
    /// As it stands in claim ids and tables.
    pub name: &'static str,
    /// What prose calls it.
    pub label: &'static str,
    /// Of its value, as tables have it: `s`, `tok/s`, `bytes`.
    pub unit: &'static str,
    /// As prose tells it, and how many of `unit` that is: memory is told in MiB.
    pub told: &'static str,
    pub size: f64,
    /// From the fields of a row, for people.
    pub formula: &'static str,
    /// From a row of `runs.jsonl`, in the told unit, for jq.
    pub jq: &'static str,
    /// Is it tested for effects, drift and outliers?
    pub tested: bool,
    /// May a line in the number of tokens describe it?
    pub fitted: bool,
    of: fn(&Raw) -> Option<f64>,
}

const MIB: f64 = 1_048_576.0;

/// In the order of [`Metric`].
static TABLE: [About; Metric::ALL.len()] = {
    const fn time(name: &'static str, label: &'static str, formula: &'static str, jq: &'static str) -> About {
        let of: fn(&Raw) -> Option<f64> = |_| None;
        About { name, label, unit: "s", told: "s", size: 1.0, formula, jq, tested: true, fitted: false, of }
    }
    const fn rate(name: &'static str, label: &'static str, formula: &'static str, jq: &'static str) -> About {
        About { unit: "tok/s", told: "tok/s", ..time(name, label, formula, jq) }
    }
    [
        About {
            of: |raw| per(raw.n_gen.saturating_sub(raw.n_first), raw.decoding()),
            ..rate(
                "decode",
                "decode rate",
                "(n_gen - 1) / (t_last - t_first)",
                "((.n_gen - 1) / (.token_times_ns[-1] - .token_times_ns[0]) * 1e9)",
            )
        },
        About {
            tested: false,
            of: |raw| per(raw.n_gen, raw.decoding()),
            ..rate(
                "decode_mlxlm",
                "decode rate as in mlx-lm",
                "n_gen / (t_last - t_first)",
                "(.n_gen / (.token_times_ns[-1] - .token_times_ns[0]) * 1e9)",
            )
        },
        About {
            fitted: true,
            of: |raw| Some(raw.latency().0),
            ..time("latency", "latency", "(load + e2e)", "((.load_ns + .e2e_ns) / 1e9)")
        },
        About { of: |raw| Some(raw.load.0), ..time("load", "load", "load", "(.load_ns / 1e9)") },
        About {
            unit: "bytes",
            told: "MiB",
            size: MIB,
            tested: false,
            of: |raw| raw.peak_memory.map(|bytes| bytes.0 as f64),
            ..time("peak_memory", "peak memory", "peak_memory_bytes / 2^20", "(.peak_memory_bytes / 1048576)")
        },
        About {
            unit: "bytes",
            told: "MiB",
            size: MIB,
            tested: false,
            of: |raw| raw.peak_rss.map(|bytes| bytes.0 as f64),
            ..time("peak_rss", "peak resident memory", "peak_rss_bytes / 2^20", "(.peak_rss_bytes / 1048576)")
        },
        About {
            tested: false,
            of: |raw| per(raw.n_prompt, raw.ttft?),
            ..rate("prefill", "prefill rate", "n_prompt / ttft", "(.n_prompt / .ttft_ns * 1e9)")
        },
        About {
            of: |raw| per(raw.n_gen, raw.latency()),
            ..rate("throughput", "throughput", "n_gen / (load + e2e)", "(.n_gen / (.load_ns + .e2e_ns) * 1e9)")
        },
        About { of: |raw| Some(raw.ttft?.0), ..time("ttft", "time to first token", "ttft", "(.ttft_ns / 1e9)") },
        About {
            of: |raw| raw.from_text.map(|time| time.0),
            ..time(
                "ttft_from_text",
                "time from text to first token",
                "(tokenize + ttft, or the first chunk's)",
                "((if .chunk_times_ns then .chunk_times_ns[0] else .tokenize_ns + .ttft_ns end) / 1e9)",
            )
        },
        About {
            fitted: true,
            of: |raw| Some(raw.warm_latency.0),
            ..time("warm_latency", "warm latency", "e2e", "(.e2e_ns / 1e9)")
        },
    ]
};

impl Metric {
    pub const ALL: [Metric; 11] = [
        Metric::Decode,
        Metric::DecodeMlxlm,
        Metric::Latency,
        Metric::Load,
        Metric::PeakMemory,
        Metric::PeakRss,
        Metric::Prefill,
        Metric::Throughput,
        Metric::Ttft,
        Metric::TtftFromText,
        Metric::WarmLatency,
    ];

    pub fn about(self) -> &'static About {
        &TABLE[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// By its name in tables and claim ids.
    pub fn named(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// One that only studies with a server have: elsewhere it leaves no trace, not even an empty column.
    pub fn is_of_servers(self) -> bool {
        matches!(self, Metric::PeakRss | Metric::TtftFromText)
    }

    /// A rate: more of it is better.
    pub fn is_rate(self) -> bool {
        self.about().unit == "tok/s"
    }

    /// In [`About::unit`]; `None` where the run has no such number.
    pub fn of(self, raw: &Raw) -> Option<f64> {
        (self.about().of)(raw)
    }
}

/// What the formulas take from a row that ended well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Raw {
    pub load: Seconds,
    /// A server does not say.
    pub ttft: Option<Seconds>,
    /// Text in, or request sent -> first token, or first text read.
    pub from_text: Option<Seconds>,
    /// `e2e`: what a chat user feels.
    pub warm_latency: Seconds,
    /// When the first and the last token were read, ns.
    pub first: u64,
    pub last: u64,
    /// Tokens that had been read by `first`.
    pub n_first: u32,
    pub n_prompt: u32,
    pub n_gen: u32,
    pub peak_memory: Option<Bytes>,
    pub peak_rss: Option<Bytes>,
}

impl Raw {
    /// # Errors
    /// A time or a count that an `ok` row must have and has not, or a time of zero that a rate would divide by.
    pub fn of(record: &RunRecord) -> Result<Raw> {
        let missing = |name: &str| format!("run {}: the row says ok and has no `{name}`", record.run);
        let need = |value: Option<u64>, name: &str| value.map(Seconds::from_ns).with_context(|| missing(name));
        let times = record.token_times_ns.as_deref().unwrap_or_default();
        let chunks = record.chunk_times_ns.as_deref().unwrap_or_default();
        let of_client = record.clock == Some(Clock::Client);
        let (first, last) = match (times, chunks) {
            ([first, ..], _) => (*first, times.last().copied().unwrap_or(*first)),
            // Tokens were merged in chunks, and the last may have no text: all are there when the server says why it ended.
            (_, [first, ..]) if of_client => (*first, record.finish_ns.with_context(|| missing("finish_ns"))?),
            _ => bail!(missing(if of_client { "chunk_times_ns" } else { "token_times_ns" })),
        };
        let (ttft, from_text) = if of_client {
            (None, Seconds::from_ns(first))
        } else {
            let ttft = need(record.ttft_ns, "ttft_ns")?;
            ensure!(ttft.0 > 0.0, missing("ttft_ns"));
            (Some(ttft), Seconds(need(record.tokenize_ns, "tokenize_ns")?.0 + ttft.0))
        };
        let raw = Raw {
            load: need(record.load_ns, "load_ns")?,
            ttft,
            from_text: Some(from_text),
            warm_latency: need(record.e2e_ns, "e2e_ns")?,
            first,
            last,
            n_first: record.chunk_tokens.as_ref().and_then(|tokens| tokens.first().copied()).unwrap_or(1),
            n_prompt: record.n_prompt.with_context(|| missing("n_prompt"))?,
            n_gen: record.n_gen.with_context(|| missing("n_gen"))?,
            peak_memory: record.peak_memory_bytes.map(Bytes),
            peak_rss: record.peak_rss_bytes.map(Bytes),
        };
        ensure!(raw.latency().0 > 0.0, missing("e2e_ns"));
        Ok(raw)
    }

    /// The v1 manuscript's definition: from input to full output, loading included.
    pub fn latency(&self) -> Seconds {
        Seconds(self.load.0 + self.warm_latency.0)
    }

    fn decoding(&self) -> Seconds {
        Seconds::from_ns(self.last.saturating_sub(self.first))
    }
}

fn per(tokens: u32, time: Seconds) -> Option<f64> {
    TokensPerSecond::over(tokens.into(), time).map(|rate| rate.0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A run of 4 tokens: load 1 s, tokenising 1 ms, first token at 0.5 s, then one every 0.1 s, 0.81 s end to end.
    pub(crate) fn record() -> RunRecord {
        RunRecord {
            n_prompt: Some(10),
            n_gen: Some(4),
            load_ns: Some(1_000_000_000),
            tokenize_ns: Some(1_000_000),
            ttft_ns: Some(500_000_000),
            token_times_ns: Some(vec![500_000_000, 600_000_000, 700_000_000, 800_000_000]),
            e2e_ns: Some(810_000_000),
            peak_memory_bytes: Some(1 << 20),
            ..RunRecord::empty()
        }
    }

    #[test]
    fn each_formula_by_hand() {
        let raw = Raw::of(&record()).unwrap();
        let close = |metric: Metric, expected: f64| {
            let found = metric.of(&raw).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-12, "{}: {found} for {expected}", metric.name());
        };
        close(Metric::Latency, 1.81);
        close(Metric::WarmLatency, 0.81);
        close(Metric::Throughput, 4.0 / 1.81);
        close(Metric::Decode, 3.0 / 0.3);
        close(Metric::DecodeMlxlm, 4.0 / 0.3);
        close(Metric::Prefill, 10.0 / 0.5);
        close(Metric::Ttft, 0.5);
        close(Metric::Load, 1.0);
        close(Metric::PeakMemory, 1_048_576.0);
    }

    #[test]
    fn one_token_has_no_decode_rate_and_a_missing_time_is_named() {
        let mut row = record();
        (row.n_gen, row.token_times_ns) = (Some(1), Some(vec![500_000_000]));
        assert_eq!(Metric::Decode.of(&Raw::of(&row).unwrap()), None);
        row.e2e_ns = None;
        assert!(Raw::of(&row).unwrap_err().to_string().contains("run 1: the row says ok and has no `e2e_ns`"));
    }

    #[test]
    fn the_table_is_in_the_order_of_the_names() {
        let names: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert!(Metric::ALL.iter().all(|metric| Metric::named(metric.name()) == Some(*metric)));
    }
}
