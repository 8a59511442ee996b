//! `offprint run` through the real binary, on the fake engine: what an execution leaves behind, and what is left when it
//! is killed, stopped, starved of disk, or given a folder that is not as it should be.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "../oracles/load.rs"]
mod agree;
mod complete;
mod damaged;
mod disk;
mod drafts;
mod here;
mod killed;
mod misfortune;
mod odd;
mod private;
mod real;
mod session;
mod several;
mod stopped;
mod threads;
