//! Is what a run folder holds a measurement? Asked by everything that is published of it: claims, figures, paper, bundle, reviews.

use crate::{machine::Environment, study::Study};

/// Why the records are no measurement, in a few words; `None` when they are one.
pub fn not_a_measurement(study: &Study, environment: &Environment) -> Option<&'static str> {
    if study.is_fake() {
        return Some("made by the fake engine");
    }
    environment.checkpoints.iter().any(|checkpoint| checkpoint.random_weights).then_some("random weights")
}
