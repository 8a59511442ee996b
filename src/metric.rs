//! The metrics, in one table: name, label, unit, formula, and how each comes from a row. Analysis, claims, tables, figures, `explain`
//! and comparisons take them from here. Knows nothing of statistics.

use anyhow::{Context, Result, bail, ensure};

use crate::{
    energy::Use,
    record::{Clock, RunRecord},
    served::{Mean, Served, percentile},
    units::{Bytes, Seconds},
};

/// A number that every run that ended well has, or may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Of runs with drafts.
    Acceptance,
    /// Of runs of several requests, as are those below that say so.
    Backlog,
    Decode,
    DecodeMlxlm,
    /// Of runs with drafts.
    Drafting,
    /// Percentiles over a run's requests, of those below, too.
    E2eP50,
    E2eP90,
    E2eP95,
    E2eP99,
    /// Of several requests.
    FullRate,
    GapP50,
    GapP90,
    GapP95,
    GapP99,
    /// Of several requests.
    Goodput,
    /// Of several requests.
    InFlight,
    /// Of studies that measure energy, as are those below that begin so, and [`Metric::Watts`].
    Joules,
    JoulesAToken,
    JoulesNetAToken,
    Latency,
    Load,
    /// Of several requests.
    OutputRate,
    PeakMemory,
    /// Of a server's processes.
    PeakRss,
    Prefill,
    /// Of several requests.
    Rejected,
    /// Of several requests.
    RequestRate,
    Throughput,
    /// Of runs with drafts.
    TokensARound,
    Ttft,
    /// Of several requests.
    TtftFromSent,
    /// What a server's client and an engine of ours both have; only in studies with a server or with several requests.
    TtftFromText,
    TtftP50,
    TtftP90,
    TtftP95,
    TtftP99,
    WarmLatency,
    /// Of studies that measure energy.
    Watts,
}

/// All about a metric.
#[derive(Debug)]
pub struct About {
    /// As it stands in claim ids and tables.
    pub name: &'static str,
    /// What prose calls it.
    pub label: &'static str,
    /// Of its value, as tables have it: `s`, `tok/s`, `1/s`, `bytes`, `1`.
    pub unit: &'static str,
    /// As prose tells it, and how many of `unit` that is: memory is told in MiB.
    pub told: &'static str,
    pub size: f64,
    /// From the fields of a row, for people.
    pub formula: &'static str,
    /// From a row of `runs.jsonl`, in the told unit, for jq; of several requests from what [`JQ_REQUESTS`] makes of the row.
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
    const fn per_second(name: &'static str, label: &'static str, formula: &'static str, jq: &'static str) -> About {
        About { unit: "1/s", told: "1/s", ..time(name, label, formula, jq) }
    }
    const fn share(name: &'static str, label: &'static str, formula: &'static str, jq: &'static str) -> About {
        About { unit: "1", told: "1", tested: false, ..time(name, label, formula, jq) }
    }
    const fn joules(name: &'static str, label: &'static str, formula: &'static str, jq: &'static str) -> About {
        About { unit: "J", told: "J", tested: false, ..time(name, label, formula, jq) }
    }
    const fn times(name: &'static str, label: &'static str, formula: &'static str, jq: &'static str) -> About {
        About { tested: false, ..time(name, label, formula, jq) }
    }
    [
        About {
            of: |raw| raw.drafts.and_then(|drafts| per(drafts.accepted, drafts.proposed)),
            ..share(
                "acceptance",
                "share of proposed tokens accepted",
                "tokens accepted / tokens proposed",
                "((.rounds.accepted | add) / (.rounds.proposed | add))",
            )
        },
        About {
            of: |raw| raw.served.as_ref()?.backlog,
            ..share(
                "backlog",
                "growth of the backlog",
                "(requests under way at the window's end - at its beginning) / requests that count",
                ".backlog",
            )
        },
        About {
            of: |raw| per((raw.n_gen - raw.n_first).max(0.0), raw.decoding()),
            ..rate(
                "decode",
                "decode rate",
                "(n_gen - 1) / (t_last - t_first)",
                "((.n_gen - (.chunk_tokens[0]? // 1)) / (.token_times_ns[-1] - .token_times_ns[0]) * 1e9)",
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
            of: |raw| raw.drafts.and_then(|drafts| per(drafts.draft_ns, drafts.draft_ns + drafts.verify_ns)),
            ..share(
                "drafting",
                "share of the rounds' time spent proposing",
                "time of proposing / time of rounds",
                "((.rounds.draft_ns | add) / (.rounds | (.draft_ns + .verify_ns) | add))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.e2e, 0.50),
            ..times(
                "e2e_p50",
                "median of the time to the whole text",
                "median of (t_end - t_due) over the requests of a run",
                "(.e2e | q8(0.50))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.e2e, 0.90),
            ..times(
                "e2e_p90",
                "90th percentile of the time to the whole text",
                "90th percentile of (t_end - t_due) over the requests of a run",
                "(.e2e | q8(0.90))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.e2e, 0.95),
            ..times(
                "e2e_p95",
                "95th percentile of the time to the whole text",
                "95th percentile of (t_end - t_due) over the requests of a run",
                "(.e2e | q8(0.95))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.e2e, 0.99),
            ..times(
                "e2e_p99",
                "99th percentile of the time to the whole text",
                "99th percentile of (t_end - t_due) over the requests of a run",
                "(.e2e | q8(0.99))",
            )
        },
        About {
            of: |raw| raw.served.as_ref()?.full_rate,
            ..rate("full_rate", "rate of full steps", "tokens of full steps / time of full steps", ".full_rate")
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.gap, 0.50),
            ..times(
                "gap_p50",
                "median of the time between tokens",
                "median of ((t_last - t_first) / (n_gen - 1)) over the requests of a run",
                "(.gap | q8(0.50))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.gap, 0.90),
            ..times(
                "gap_p90",
                "90th percentile of the time between tokens",
                "90th percentile of ((t_last - t_first) / (n_gen - 1)) over the requests of a run",
                "(.gap | q8(0.90))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.gap, 0.95),
            ..times(
                "gap_p95",
                "95th percentile of the time between tokens",
                "95th percentile of ((t_last - t_first) / (n_gen - 1)) over the requests of a run",
                "(.gap | q8(0.95))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.gap, 0.99),
            ..times(
                "gap_p99",
                "99th percentile of the time between tokens",
                "99th percentile of ((t_last - t_first) / (n_gen - 1)) over the requests of a run",
                "(.gap | q8(0.99))",
            )
        },
        About {
            of: |raw| raw.served.as_ref()?.goodput,
            ..per_second("goodput", "goodput", "requests that keep every limit / window", ".goodput")
        },
        About {
            of: |raw| Some(raw.served.as_ref()?.in_flight),
            ..share(
                "in_flight",
                "requests under way",
                "total of (t_end - t_due) inside the window / window",
                ".in_flight",
            )
        },
        About {
            tested: true,
            fitted: true,
            of: |raw| raw.energy.map(|used| used.joules / used.requests),
            ..joules("joules", "energy", "gross joules / requests of the window", "(own.joules / .requests)")
        },
        About {
            tested: true,
            of: |raw| raw.energy.map(|used| used.joules / used.tokens),
            ..joules(
                "joules_a_token",
                "energy a token",
                "gross joules / tokens generated in the window",
                "(own.joules / .n_gen)",
            )
        },
        About {
            of: |raw| raw.energy.and_then(|used| Some(used.net? / used.tokens)),
            ..joules(
                "joules_net_a_token",
                "energy a token without idle power",
                "(gross joules - idle watts * seconds) / tokens generated in the window",
                "((own.joules - own.idle_w * own.seconds) / .n_gen)",
            )
        },
        About {
            fitted: true,
            of: |raw| Some(raw.latency().0),
            ..time("latency", "latency", "(load + e2e)", "((.load_ns + .e2e_ns) / 1e9)")
        },
        About { of: |raw| Some(raw.load.0), ..time("load", "load", "load", "(.load_ns / 1e9)") },
        About {
            of: |raw| Some(raw.served.as_ref()?.output_rate),
            ..rate("output_rate", "output rate", "tokens read in the window / window", ".output_rate")
        },
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
            of: |raw| per(raw.n_prompt, raw.ttft?.0),
            ..rate("prefill", "prefill rate", "n_prompt / ttft", "(.n_prompt / .ttft_ns * 1e9)")
        },
        About {
            of: |raw| Some(raw.served.as_ref()?.rejected),
            ..share("rejected", "share of requests rejected", "requests rejected / requests that count", ".rejected")
        },
        About {
            of: |raw| Some(raw.served.as_ref()?.request_rate),
            ..per_second(
                "request_rate",
                "request rate",
                "requests that ended well in the window / window",
                ".request_rate",
            )
        },
        About {
            of: |raw| per(raw.n_gen, raw.latency().0),
            ..rate("throughput", "throughput", "n_gen / (load + e2e)", "(.n_gen / (.load_ns + .e2e_ns) * 1e9)")
        },
        About {
            of: |raw| raw.drafts.and_then(|drafts| per(drafts.tokens, drafts.rounds)),
            ..share(
                "tokens_a_round",
                "tokens a round",
                "(n_gen - 1) / rounds",
                "((.n_gen - 1) / (.rounds.proposed | length))",
            )
        },
        About { of: |raw| Some(raw.ttft?.0), ..time("ttft", "time to first token", "ttft", "(.ttft_ns / 1e9)") },
        About {
            of: |raw| Some(raw.served.as_ref()?.mean?.first_from_sent / 1e9),
            ..times("ttft_from_sent", "time to first token from sending", "t_first - t_sent", "(.from_sent_ns / 1e9)")
        },
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
            of: |raw| percentile(&raw.served.as_ref()?.ttft, 0.50),
            ..times(
                "ttft_p50",
                "median of the time to first token",
                "median of (t_first - t_due) over the requests of a run",
                "(.ttft | q8(0.50))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.ttft, 0.90),
            ..times(
                "ttft_p90",
                "90th percentile of the time to first token",
                "90th percentile of (t_first - t_due) over the requests of a run",
                "(.ttft | q8(0.90))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.ttft, 0.95),
            ..times(
                "ttft_p95",
                "95th percentile of the time to first token",
                "95th percentile of (t_first - t_due) over the requests of a run",
                "(.ttft | q8(0.95))",
            )
        },
        About {
            of: |raw| percentile(&raw.served.as_ref()?.ttft, 0.99),
            ..times(
                "ttft_p99",
                "99th percentile of the time to first token",
                "99th percentile of (t_first - t_due) over the requests of a run",
                "(.ttft | q8(0.99))",
            )
        },
        About {
            fitted: true,
            of: |raw| Some(raw.warm_latency.0),
            ..time("warm_latency", "warm latency", "e2e", "(.e2e_ns / 1e9)")
        },
        About {
            unit: "W",
            told: "W",
            of: |raw| raw.energy.map(|used| used.joules / used.seconds),
            ..joules("watts", "mean power", "gross joules / seconds of the window", "(own.joules / own.seconds)")
        },
    ]
};

impl Metric {
    pub const ALL: [Metric; 38] = [
        Metric::Acceptance,
        Metric::Backlog,
        Metric::Decode,
        Metric::DecodeMlxlm,
        Metric::Drafting,
        Metric::E2eP50,
        Metric::E2eP90,
        Metric::E2eP95,
        Metric::E2eP99,
        Metric::FullRate,
        Metric::GapP50,
        Metric::GapP90,
        Metric::GapP95,
        Metric::GapP99,
        Metric::Goodput,
        Metric::InFlight,
        Metric::Joules,
        Metric::JoulesAToken,
        Metric::JoulesNetAToken,
        Metric::Latency,
        Metric::Load,
        Metric::OutputRate,
        Metric::PeakMemory,
        Metric::PeakRss,
        Metric::Prefill,
        Metric::Rejected,
        Metric::RequestRate,
        Metric::Throughput,
        Metric::TokensARound,
        Metric::Ttft,
        Metric::TtftFromSent,
        Metric::TtftFromText,
        Metric::TtftP50,
        Metric::TtftP90,
        Metric::TtftP95,
        Metric::TtftP99,
        Metric::WarmLatency,
        Metric::Watts,
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

    /// One that every run has, if only as an empty column: the others leave no trace where no run has them.
    pub fn is_of_all(self) -> bool {
        !matches!(self, Metric::PeakRss | Metric::TtftFromText)
            && !matches!(self, Metric::Acceptance | Metric::Drafting | Metric::TokensARound)
            && !self.is_of_several()
            && !self.is_of_energy()
    }

    /// One that a line of `energy.jsonl` gives.
    pub fn is_of_energy(self) -> bool {
        matches!(self, Metric::Joules | Metric::JoulesAToken | Metric::JoulesNetAToken | Metric::Watts)
    }

    /// One of runs of several requests.
    pub fn is_of_several(self) -> bool {
        use Metric::{
            Backlog, E2eP50, E2eP90, E2eP95, E2eP99, FullRate, GapP50, GapP90, GapP95, GapP99, Goodput, InFlight,
        };
        use Metric::{OutputRate, Rejected, RequestRate, TtftFromSent, TtftP50, TtftP90, TtftP95, TtftP99};
        let quantiles =
            [E2eP50, E2eP90, E2eP95, E2eP99, GapP50, GapP90, GapP95, GapP99, TtftP50, TtftP90, TtftP95, TtftP99];
        let others = [Backlog, FullRate, Goodput, InFlight, OutputRate, Rejected, RequestRate, TtftFromSent];
        quantiles.contains(&self) || others.contains(&self)
    }

    /// A rate: more of it is better.
    pub fn is_rate(self) -> bool {
        self.about().unit.ends_with("/s")
    }

    /// In [`About::unit`]; `None` where the run has no such number.
    pub fn of(self, raw: &Raw) -> Option<f64> {
        (self.about().of)(raw)
    }
}

/// What the formulas take from a row that ended well. Of a run of several requests it is the average request, whose times count from
/// when it was due.
#[derive(Debug, Clone, PartialEq)]
pub struct Raw {
    pub load: Seconds,
    /// A server does not say.
    pub ttft: Option<Seconds>,
    /// Text in, or request sent -> first token, or first text read.
    pub from_text: Option<Seconds>,
    /// `e2e`: what a chat user feels.
    pub warm_latency: Seconds,
    /// When the first and the last token were read, ns: their difference loses nothing.
    pub first: f64,
    pub last: f64,
    /// Tokens that had been read by `first`.
    pub n_first: f64,
    pub n_prompt: f64,
    pub n_gen: f64,
    pub peak_memory: Option<Bytes>,
    pub peak_rss: Option<Bytes>,
    /// With drafts.
    pub drafts: Option<Drafts>,
    /// Where the study measures it, and it is a value.
    pub energy: Option<Use>,
    /// Of several requests.
    pub served: Option<Box<Served>>,
}

/// What came of a run's rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drafts {
    pub rounds: f64,
    pub proposed: f64,
    pub accepted: f64,
    /// Tokens of all rounds: all but the first.
    pub tokens: f64,
    pub draft_ns: f64,
    pub verify_ns: f64,
}

impl Drafts {
    fn of(record: &RunRecord) -> Option<Drafts> {
        let rounds = record.rounds.as_ref()?;
        let sum = |each: &[u32]| each.iter().copied().map(f64::from).sum();
        let took = |each: &[u64]| each.iter().map(|ns| *ns as f64).sum();
        Some(Drafts {
            rounds: rounds.proposed.len() as f64,
            proposed: sum(&rounds.proposed),
            accepted: sum(&rounds.accepted),
            tokens: f64::from(record.n_gen?) - 1.0,
            draft_ns: took(&rounds.draft_ns),
            verify_ns: took(&rounds.verify_ns),
        })
    }
}

impl Raw {
    /// # Errors
    /// A time or a count that an `ok` row must have and has not, or a time of zero that a rate would divide by.
    pub fn of(record: &RunRecord) -> Result<Raw> {
        let missing = |name: &str| format!("run {}: the row says ok and has no `{name}`", record.run);
        let need = |value: Option<u64>, name: &str| value.map(Seconds::from_ns).with_context(|| missing(name));
        let load = need(record.load_ns, "load_ns")?;
        if let Some(served) = Served::of(record)? {
            let mean = served.mean.with_context(|| format!("run {}: no request ended well", record.run))?;
            return Ok(Raw { load, ..Raw::average(record, mean, served) });
        }
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
            load,
            ttft,
            from_text: Some(from_text),
            warm_latency: need(record.e2e_ns, "e2e_ns")?,
            first: first as f64,
            last: last as f64,
            n_first: record.chunk_tokens.as_ref().and_then(|tokens| tokens.first().copied()).unwrap_or(1).into(),
            n_prompt: record.n_prompt.with_context(|| missing("n_prompt"))?.into(),
            n_gen: record.n_gen.with_context(|| missing("n_gen"))?.into(),
            peak_memory: record.peak_memory_bytes.map(Bytes),
            peak_rss: record.peak_rss_bytes.map(Bytes),
            drafts: Drafts::of(record),
            energy: used(record),
            served: None,
        };
        ensure!(raw.latency().0 > 0.0, missing("e2e_ns"));
        Ok(raw)
    }

    /// The v1 manuscript's definition: from input to full output, loading included.
    pub fn latency(&self) -> Seconds {
        Seconds(self.load.0 + self.warm_latency.0)
    }

    fn average(record: &RunRecord, mean: Mean, served: Served) -> Raw {
        let s = |ns: f64| Seconds(ns / 1e9);
        Raw {
            load: Seconds(0.0),
            ttft: None,
            from_text: Some(s(mean.first)),
            warm_latency: s(mean.e2e),
            first: mean.first,
            last: mean.last,
            n_first: mean.n_first,
            n_prompt: mean.n_prompt,
            n_gen: mean.n_gen,
            peak_memory: record.peak_memory_bytes.map(Bytes),
            peak_rss: record.peak_rss_bytes.map(Bytes),
            drafts: None,
            energy: used(record),
            served: Some(Box::new(served)),
        }
    }

    fn decoding(&self) -> f64 {
        (self.last - self.first) / 1e9
    }
}

fn used(record: &RunRecord) -> Option<Use> {
    record.energy.as_ref()?.used()
}

/// For jq, before a formula of a line of `energy.jsonl`: what the line says of the study's own domain.
pub const JQ_ENERGY: &str = "def own: .domains[.domain]; ";

/// `None` where the time is zero, since a rate over no time is no rate.
fn per(tokens: f64, time: f64) -> Option<f64> {
    (time > 0.0).then(|| tokens / time)
}

/// For jq, before a formula: a row of several requests becomes one of its average request, with what was served in its window.
pub const JQ_REQUESTS: &str = r#"def m(f): map(f) | add / length; def q8(q): sort | length as $n | (($n + 1/3) * q + 1/3) as $h | ([$h | floor, $n - 1] | min) as $k | .[$k - 1] + ($h - $k) * (.[$k] - .[$k - 1]); def several: if .load == null then . else . as $row | .load as $l | .requests | map(. + {end: (.sent_ns + (.finish_ns // .done_ns // 0)), over: (.sent_ns + (.done_ns // .finish_ns // 0)), late: (.sent_ns - .due_ns)} | if .outcome == "ok" then . + {last: (if .n_gen == (.steps_ns | length) then (.steps_ns | add) else .finish_ns end), k: (.chunk_tokens[0] // 1)} else . end) as $all | $all[$l.ramp:($l.ramp + $l.requests)] as $c | ($c | map(select(.outcome == "ok"))) as $w | $c[0].due_ns as $from | ($all[$l.ramp + $l.requests].due_ns // ($c | map(.end) | max)) as $to | (($to - $from) / 1e9) as $s | def inside(t): t < $to or (t == $to and ($all | length) == $l.ramp + $l.requests); def under(t): map(select(.due_ns <= t and .over > t)) | length; $row + {n_gen: ($w | m(.n_gen)), n_prompt: ($w | m(.n_prompt)), e2e_ns: ($w | m(.late + .finish_ns)), token_times_ns: [($w | m(.late + .steps_ns[0])), ($w | m(.late + .last))], chunk_times_ns: [($w | m(.late + .steps_ns[0]))], chunk_tokens: [($w | m(.k))], from_sent_ns: ($w | m(.steps_ns[0])), ttft: ($w | map((.late + .steps_ns[0]) / 1e9)), e2e: ($w | map((.late + .finish_ns) / 1e9)), gap: ($w | map(select(.n_gen > .k) | (.last - .steps_ns[0]) / 1e9 / (.n_gen - .k))), request_rate: (($all | map(select(.outcome == "ok" and .end >= $from and inside(.end))) | length) / $s), output_rate: (([$all[] | select(.outcome == "ok") | . as $r | foreach range(.steps_ns | length) as $i (.sent_ns; . + $r.steps_ns[$i]; select(. >= $from and inside(.)) | $r.chunk_tokens[$i] // ($r.n_gen / ($r.steps_ns | length)))] | add // 0) / $s), in_flight: (([$all[] | [([.over, $to] | min) - ([.due_ns, $from] | max), 0] | max] | add) / ($to - $from)), backlog: (if $l.per_second == null then null else ((($all | under($to)) - ($all | under($from))) / ($c | length)) end), full_rate: ($row.steps as $t | if $t == null then null else [range(1; $t.active | length) | select($t.active[.] == $l.at_once and $t.active[. - 1] == $l.at_once)] | if length == 0 then null else (map($t.active[.]) | add) / ((map($t.step_ns[.]) | add) / 1e9) end end), rejected: (($c | map(select(.outcome == "rejected")) | length) / ($c | length)), goodput: (($l.goodput // {}) as $g | ($w | map(select(((.late + .steps_ns[0]) / 1e9) <= ($g.ttft_s // infinite) and ((.late + .finish_ns) / 1e9) <= ($g.e2e_s // infinite) and (.n_gen <= .k or (.last - .steps_ns[0]) / 1e9 / (.n_gen - .k) * ($g.decode_tok_s // 0) <= 1))) | length) / $s)} end; "#;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{energy::EnergyRow, record::Rounds};

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
    fn rounds_by_hand() {
        let rounds = Rounds { proposed: vec![4, 0], accepted: vec![1, 0], draft_ns: vec![3, 1], verify_ns: vec![6, 6] };
        let raw = Raw::of(&RunRecord { rounds: Some(rounds), ..record() }).unwrap();
        assert_eq!((Metric::Acceptance.of(&raw), Metric::TokensARound.of(&raw)), (Some(0.25), Some(1.5)));
        assert_eq!(Metric::Drafting.of(&raw), Some(0.25));
        // Nothing was proposed, or there was no round.
        let none = |proposed: Vec<u32>| {
            Raw::of(&RunRecord { rounds: Some(Rounds { proposed, ..Rounds::default() }), ..record() })
        };
        assert_eq!(Metric::Acceptance.of(&none(vec![0, 0]).unwrap()), None);
        assert_eq!(Metric::TokensARound.of(&none(vec![]).unwrap()), None);
        assert_eq!(Metric::Drafting.of(&none(vec![]).unwrap()), None);
        assert_eq!(Metric::TokensARound.of(&Raw::of(&record()).unwrap()), None);
    }

    #[test]
    fn joules_by_hand() {
        let row = RunRecord { energy: Some(Box::new(EnergyRow::example())), ..record() };
        let raw = Raw::of(&row).unwrap();
        let of = |metric: Metric| metric.of(&raw);
        assert_eq!((of(Metric::Joules), of(Metric::Watts)), (Some(62.5), Some(50.0)));
        assert_eq!((of(Metric::JoulesAToken), of(Metric::JoulesNetAToken)), (Some(3.90625), Some(2.34375)));
        let none = Raw::of(&record()).unwrap();
        assert!(Metric::ALL.iter().filter(|metric| metric.is_of_energy()).all(|metric| metric.of(&none).is_none()));
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
