//! A fleet: each study, whole, on each of several machines, in several sessions. `fleet.yaml` in; out come a lock, which says what every
//! execution must be of, and the files of an engine that schedules (Snakemake), for a person to read and start.
//! Knows nothing of runs and of statistics; nothing here touches a machine or the disk.

mod answer;
mod channel;
mod file;
mod judge;
mod lock;
mod profile;
mod snakefile;

pub use answer::{ANSWER_SCHEMA, Answer, Said, Verdict};
pub use channel::{ask_doctor, call, copy, first_word, own};
pub use file::{Expected, Fleet, Machine, Via, is_plain};
pub use judge::{answered, reached};
pub use lock::{Build, FLEET_SCHEMA, Lock, LockedMachine, LockedStudy, study_sha256, weights};
pub use profile::profile;
pub use snakefile::snakefile;

/// Sessions a machine, unless the fleet says otherwise: what lies between sessions is told from so many on.
pub const SESSIONS: u32 = 3;
