//! Fleets: shards through the real binary, whatever befalls them; what `fleet plan`, `doctor` and `run` write, say and start; and, where
//! `OFFPRINT_TEST_FLEET` names the folder of a Snakemake (see `.ci/run`), a fleet on a real SLURM and real sshd, all on this machine.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a test may: it fails where it should

#[cfg(target_os = "linux")]
mod engine;
#[path = "../run/here.rs"]
#[allow(dead_code)] // what other tests ask of it
mod here;
mod plan;
mod shard;
mod weights;
