//! A comparison -> its figure: the change of every claim with its interval, against the margin.

use anyhow::Result;

use super::{Compared, Comparison, Scale, Sort, Verdict};
use crate::claims::words::percentage;
use crate::figures::{Figure, Forest, ForestPanel, ForestRow, Look, forest};

/// The figure `comparison`.
///
/// # Errors
/// As [`forest`].
pub fn draw(comparison: &Comparison) -> Result<Figure> {
    let rows = |sort: Sort, scale: Scale| {
        comparison.of(sort).filter(move |claim| claim.scale == scale).filter_map(row).collect::<Vec<_>>()
    };
    let margin = 100.0 * comparison.margin;
    // A ratio's margin is the same whichever is called A, so it reaches a little less far down than up.
    let ratios = (-margin / (1.0 + comparison.margin), margin);
    let panel = |heading, label: &str, margin, rows| ForestPanel { heading, label: label.to_owned(), margin, rows };
    let notices = [&comparison.a, &comparison.b].map(|side| side.not_a_measurement.clone());
    forest(&Forest {
        id: "comparison",
        title: "Change of each claim from A to B, with its interval, against the margin",
        panels: vec![
            panel("absolute", "B against A (%)", ratios, rows(Sort::Absolute, Scale::Ratio)),
            panel("relative: ratios", "B against A (%)", ratios, rows(Sort::Relative, Scale::Ratio)),
            panel("relative: shares", "B minus A (points)", (-margin, margin), rows(Sort::Relative, Scale::Share)),
        ],
        keys: [(Look::Good, Verdict::Equivalent), (Look::Open, Verdict::Inconclusive), (Look::Bad, Verdict::Different)]
            .map(|(look, verdict)| (look, verdict.name().to_owned()))
            .to_vec(),
        interval: format!("change, {} % interval", percentage(2.0 * comparison.confidence - 1.0)),
        margin: format!("±{} % margin", percentage(comparison.margin)),
        notice: notices.into_iter().flatten().next(),
    })
}

fn row(claim: &Compared) -> Option<ForestRow> {
    let change = claim.change.as_ref()?;
    let look = match claim.verdict {
        Verdict::Equivalent => Look::Good,
        Verdict::Inconclusive => Look::Open,
        Verdict::Different => Look::Bad,
    };
    let name = claim.id.strip_suffix(".mean").unwrap_or(&claim.id).to_owned();
    Some(ForestRow { name, value: 100.0 * change.value, interval: (100.0 * change.low, 100.0 * change.high), look })
}
