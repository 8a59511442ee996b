//! Claims -> a summary with their values: tables and figures that are made from it are then those that were made where the claims
//! were, whatever the C library there. A value that is not [`close`] to the summary's own is not taken.

use super::{Claims, Id, Value, agree::close};
use crate::{
    analysis::{Group, Stats, Summary},
    metric::Metric,
};

/// Takes over the values of every group.
pub fn adopt(summary: &mut Summary, claims: &Claims) {
    group(&mut summary.overall, &Id::root(), claims);
    for (factor, groups) in summary.factors.iter().zip(&mut summary.by) {
        groups.iter_mut().for_each(|of_level| {
            let id = Id::by(&factor.name, &of_level.key);
            group(of_level, &id, claims);
        });
    }
    for cell in &mut summary.cells {
        let id = Id::by("cell", &cell.key);
        group(cell, &id, claims);
    }
}

fn group(group: &mut Group, id: &Id, claims: &Claims) {
    take(&mut group.pooled_throughput, 1.0, &id.metric(Metric::Throughput).word("pooled"), claims);
    for (metric, stats) in &mut group.metrics {
        // Claims tell memory in MiB: a power of two, so nothing is lost on the way.
        let size = metric.about().size;
        let Stats { n: _, mean, sd, min, max, median, cv, se, interval } = stats;
        let (low, high) = interval.as_mut().map(|(low, high)| (low, high)).unzip();
        let values = [
            ("mean", Some(mean), size),
            ("min", Some(min), size),
            ("max", Some(max), size),
            ("median", Some(median), size),
            ("sd", sd.as_mut(), size),
            ("se", se.as_mut(), size),
            ("cv", cv.as_mut(), 1.0),
            ("ci.low", low, size),
            ("ci.high", high, size),
        ];
        for (name, value, size) in values {
            if let Some(value) = value {
                take(value, size, &id.metric(*metric).word(name), claims);
            }
        }
    }
}

fn take(value: &mut f64, size: f64, id: &str, claims: &Claims) {
    if let Some(Value::Number(given)) = claims.claims.get(id).map(|claim| &claim.value)
        && close(given * size, *value)
    {
        *value = given * size;
    }
}
