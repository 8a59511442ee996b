//! Offprint runs an LLM benchmark through MLX and typesets the paper about it.
//!
//! Modules in pipeline order; each may use only those above it (`tests/layers.rs` holds them to it).
//! The left half measures: it alone touches MLX, a clock, the network and the machine.
//! The right half only reads: same records in, same bytes out, on any operating system.

// base
pub mod units; // seconds, bytes, tokens per second
pub mod complaint; // an error: its causes, and the way out
pub mod digest; // SHA-256 of bytes and files
pub mod cache; // the folder that fetched things are kept in
pub mod installed; // how the program came to where it is
pub mod random; // SplitMix64
pub mod seen; // what a reader may see of a text
pub mod foreign; // what programs of others say, without control characters and secrets
pub mod load; // several requests in one run: when each is due, which count
pub mod packing; // how MLX packs weights, and how they are to be packed anew
pub mod draft; // tokens that are proposed and checked: how they are asked for
pub mod factor; // what varies in a design, as data
pub mod energy; // what a window took of energy: rows of energy.jsonl
pub mod record; // one row of runs.jsonl, and its schema versions
pub mod served; // a run of several requests -> its average request, its rates
pub mod metric; // one table of metrics: name, unit, formula, how it comes from a row

// the left half: measures
pub mod study; // YAML -> Study -> Plan
pub mod quality; // rows of quality.jsonl: how well a model predicts a text
pub mod machine; // what machine this is
pub mod ranges; // what physics and the clock allow: rows -> values that no honest run can have
#[cfg(feature = "mlx")]
#[allow(clippy::disallowed_methods)] // what a model computes is compared to a tolerance
pub mod model; // a source -> a verified checkpoint; a decoder from a description
#[allow(clippy::disallowed_methods)] // ... and how a token is drawn
pub mod engine; // a request -> token ids and step times
pub mod preflight; // study and models -> what can be known before the first run
pub mod fleet; // several machines and sessions: fleet.yaml -> a lock and what an engine schedules; knows no run
pub mod store; // results/<study>/<run-id>/
pub mod bench; // Plan x Engine -> records

// the right half: only reads
pub mod analysis; // records -> Summary
pub mod claims; // Summary -> numbers and predicates
pub mod figures; // Summary -> SVG, PDF, PNG
pub mod compare; // two executions -> a verdict a claim
pub mod evidence; // a run folder -> run, summary, all claims
pub mod export; // a run -> the shape that another tool writes results in
pub mod paper; // templates + claims + figures -> md, tex, html, typ
pub mod set; // several bundles of one plan, from several machines and sessions -> claims, figures, a paper
pub mod typesetter; // paper.typ -> paper.pdf, by Typst in a process apart
pub mod lint; // somebody's paper -> contradictions among its numbers
pub mod bundle; // a run and its paper -> an archive; the archive -> a list of problems
pub mod project; // a folder of one's own: where its things lie, a new one, a study rehearsed before it is run

// the door
pub mod cli; // one file per verb; the only place that prints
