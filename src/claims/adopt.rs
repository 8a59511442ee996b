//! Claims -> a summary with their values: tables and figures that are made from it are then those that were made where the claims
//! were, whatever the C library there. A value that is not [`close`] to the summary's own is not taken.
//!
//! Ids are those of `build`: `by_length.64.latency.ci.low`.

use super::{Claims, Value, agree::close};
use crate::analysis::{Group, METRICS, Stats, Summary};

/// Takes over the values of every group.
pub fn adopt(summary: &mut Summary, claims: &Claims) {
    group(&mut summary.overall, "", claims);
    let factors = [
        ("by_length", &mut summary.by_length),
        ("by_temperature", &mut summary.by_temperature),
        ("by_prompt", &mut summary.by_prompt),
        ("by_cell", &mut summary.cells),
    ];
    for (factor, groups) in factors {
        for group_of_level in groups {
            let prefix = format!("{factor}.{}.", group_of_level.key);
            group(group_of_level, &prefix, claims);
        }
    }
}

fn group(group: &mut Group, prefix: &str, claims: &Claims) {
    take(&mut group.pooled_throughput, 1.0, &format!("{prefix}throughput.pooled"), claims);
    for (metric, unit) in METRICS {
        let Some(stats) = group.metrics.get_mut(metric) else { continue };
        // Claims tell memory in MiB: a power of two, so nothing is lost on the way.
        let scale = if unit == "bytes" { f64::from(1 << 20) } else { 1.0 };
        let Stats { n: _, mean, sd, min, max, median, cv, se, interval } = stats;
        let (low, high) = interval.as_mut().map(|(low, high)| (low, high)).unzip();
        let values = [
            ("mean", Some(mean), scale),
            ("min", Some(min), scale),
            ("max", Some(max), scale),
            ("median", Some(median), scale),
            ("sd", sd.as_mut(), scale),
            ("se", se.as_mut(), scale),
            ("cv", cv.as_mut(), 1.0),
            ("ci.low", low, scale),
            ("ci.high", high, scale),
        ];
        for (name, value, scale) in values {
            if let Some(value) = value {
                take(value, scale, &format!("{prefix}{metric}.{name}"), claims);
            }
        }
    }
}

fn take(value: &mut f64, scale: f64, id: &str, claims: &Claims) {
    if let Some(Value::Number(given)) = claims.claims.get(id).map(|claim| &claim.value)
        && close(given * scale, *value)
    {
        *value = given * scale;
    }
}
