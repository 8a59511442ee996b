//! What a run of several requests asks of an engine.

use crate::{engine::Request, load::Load};

/// What a run of several requests asks for.
pub struct Several<'a> {
    pub load: Load,
    /// Of the requests that count: a run of which more failed has failed.
    pub failed_share: f64,
    /// A request by its number, from 1.
    pub request: &'a (dyn Fn(u32) -> Request + Sync),
}
