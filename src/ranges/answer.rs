//! One row's own times, counts and end: what they must be of each other, whatever the machine.

use serde::Serialize;

use super::end::{self, Misfit};
use crate::record::{Clock, CountedBy, Phase, RunRecord};

/// What is impossible in the answer of a row that ended well, of one request. `may_stop`: a text may end before its last token.
pub fn misfits(row: &RunRecord, may_stop: bool) -> Vec<Misfit> {
    let mut found = if row.clock == Some(Clock::Client) { client_times(row) } else { times(row) };
    if row.phase != Phase::Probe {
        found.extend(lengths(row, may_stop));
    }
    found
}

/// A value as it stands in a row.
fn as_written(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Times increase, and the parts fit into the whole.
fn times(row: &RunRecord) -> Vec<Misfit> {
    let mut found = Vec::new();
    let Some(times) = row.token_times_ns.as_deref() else {
        return vec![("`token_times_ns` in a run that ended well".to_owned(), "null".to_owned())];
    };
    // Tokens of a round come together, which `rounds` holds against the rounds.
    let tied = |pair: &[u64]| pair[0] == pair[1] && row.rounds.is_none();
    if let Some(at) = times.windows(2).position(|pair| pair[0] > pair[1] || tied(pair)) {
        found.push(("token times that increase".to_owned(), format!("{} and then {}", times[at], times[at + 1])));
    }
    if row.ttft_ns != times.first().copied() || row.ttft_ns == Some(0) {
        let first = times.first().map_or("none".to_owned(), u64::to_string);
        found.push((format!("`ttft_ns` to be the first token's time, {first}"), as_written(&row.ttft_ns)));
    }
    let parts = row.tokenize_ns.zip(times.last().copied()).map(|(a, b)| a.saturating_add(b));
    if let Some((parts, whole)) = parts.zip(row.e2e_ns)
        && parts > whole
    {
        found.push(("`e2e_ns` to cover tokenising and every token".to_owned(), format!("{whole}, less than {parts}")));
    }
    found.extend(century([row.load_ns, row.tokenize_ns, row.ttft_ns, row.e2e_ns, times.last().copied()]));
    if row.phase == Phase::Measured && (row.e2e_ns.is_none() || row.load_ns.is_none()) {
        found.push(("`load_ns` and `e2e_ns` in a measured run".to_owned(), "null".to_owned()));
    }
    found
}

/// What a client of a server timed: chunks come in order, tokens are not timed unless each has its chunk, and the text ends before the answer does.
fn client_times(row: &RunRecord) -> Vec<Misfit> {
    let mut found = Vec::new();
    let Some(chunks) = row.chunk_times_ns.as_deref().filter(|chunks| !chunks.is_empty()) else {
        return vec![("`chunk_times_ns` in a run that a client timed".to_owned(), as_written(&row.chunk_times_ns))];
    };
    // Chunks of one read share its time.
    if let Some(at) = chunks.windows(2).position(|pair| pair[0] > pair[1]) {
        found.push(("chunk times in order".to_owned(), format!("{} and then {}", chunks[at], chunks[at + 1])));
    }
    if row.token_times_ns.as_deref().is_some_and(|times| times != chunks) {
        found.push(("`token_times_ns` only where each token has its chunk".to_owned(), "other times".to_owned()));
    }
    if row.chunk_tokens.as_ref().is_some_and(|tokens| tokens.len() != chunks.len()) {
        found.push(("`chunk_tokens` of each chunk".to_owned(), as_written(&row.chunk_tokens)));
    }
    if row.ttft_ns.is_some() || row.tokenize_ns.is_some() {
        found.push(("no `ttft_ns` and no `tokenize_ns` of a server".to_owned(), "a time".to_owned()));
    }
    let ends = [chunks.last().copied(), row.finish_ns, row.done_ns];
    if ends.iter().any(Option::is_none) || !ends.is_sorted() || row.e2e_ns != row.finish_ns {
        let expected = "chunks, then `finish_ns`, which is `e2e_ns`, then `done_ns`".to_owned();
        found.push((expected, as_written(&(ends, row.e2e_ns))));
    }
    found.extend(century([row.load_ns, row.e2e_ns, row.done_ns, row.startup_ns]));
    if row.phase == Phase::Measured && row.load_ns.is_none() {
        found.push(("`load_ns` in a measured run".to_owned(), "null".to_owned()));
    }
    found
}

/// Longer than any run; the sum with another is still a number.
pub(super) const CENTURY_NS: u64 = 100 * 366 * 86_400 * 1_000_000_000;

/// The time that is longer than any run.
fn century<const N: usize>(times: [Option<u64>; N]) -> Option<Misfit> {
    let long = times.into_iter().flatten().find(|time| *time > CENTURY_NS)?;
    Some(("times below a century".to_owned(), long.to_string()))
}

/// Tokens were counted, and the text ended as it may.
fn lengths(row: &RunRecord, may_stop: bool) -> Vec<Misfit> {
    let mut found = Vec::new();
    let Some(n) = row.n_gen else {
        return vec![("`n_gen` in a run that ended well".to_owned(), "null".to_owned())];
    };
    if let Some(times) = row.token_times_ns.as_deref().filter(|times| times.len() != n as usize) {
        found.push((format!("a time for each of {n} tokens"), times.len().to_string()));
    }
    found.extend(end::of(n, row.max_tokens, row.finish_reason, may_stop));
    if row.n_prompt == Some(0) {
        found.push(("tokens of the prompt".to_owned(), "0".to_owned()));
    }
    // Who gives no ids has no digest of them.
    let without_ids =
        matches!(row.counted_by, Some(CountedBy::Worker | CountedBy::Usage)) && row.output_sha256.is_none();
    if row.phase == Phase::Measured && !without_ids && !row.output_sha256.as_deref().is_some_and(is_sha256) {
        found.push(("`output_sha256` to be a digest".to_owned(), as_written(&row.output_sha256)));
    }
    found
}
