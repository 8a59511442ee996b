//! Rows of `quality.jsonl` -> perplexity, and what is said against the reference. The unit is the window, since neighbouring positions
//! are not independent: intervals are over the windows' means, and what is compared is paired, window by window.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::{
    pairs::Paired,
    reference::{differs, holm},
    stats,
};
use crate::{
    quality::{self, QualityRow},
    study::Study,
};

/// A model's quality.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    pub model: String,
    pub quantization: Option<String>,
    /// The reference's level.
    pub base: Option<String>,
    pub measured: Measured,
}

/// What a model's rows say.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub windows: u32,
    /// Predictions that count, in all windows.
    pub positions: u32,
    /// exp of the mean negative log-likelihood (llama.cpp's `llama-perplexity`).
    pub perplexity: Estimate,
    pub against: Option<Against>,
}

/// Against the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// Perplexity over the reference's; its interval is that of two one-sided tests.
    pub ratio: Estimate,
    /// `true`: shown to differ by more than the margin; `false`: shown to lie within it; `None`: neither.
    pub differs: Option<bool>,
    /// Of the two one-sided tests against the margin, the larger.
    pub p: Option<f64>,
    /// That the ratio lies beyond the margin, by Holm over the levels.
    pub p_beyond: Option<f64>,
    /// Mean Kullback-Leibler divergence, nats.
    pub kl: Estimate,
    /// The divergence that 99 % of all positions stay below.
    pub kl_p99: f64,
    /// Share of positions at which both find the same token likeliest.
    pub same_top: Estimate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    pub value: f64,
    /// Over windows.
    pub interval: Option<(f64, f64)>,
}

/// Of each model that has rows, in the study's order.
///
/// # Errors
/// A confidence that is none.
pub fn of(study: &Study, rows: &[QualityRow]) -> Result<Vec<Quality>> {
    let statistics = &study.statistics;
    let mut found = Vec::new();
    for model in study.weights() {
        let own: Vec<&QualityRow> = rows.iter().filter(|row| row.is_of(model)).collect();
        let Some(first) = own.first() else { continue };
        found.push(Quality {
            model: model.id.clone(),
            quantization: model.quantization.clone(),
            base: first.against.as_ref().map(|against| against.base.clone()),
            measured: measured(&own, statistics.confidence, statistics.equivalence_margin)?,
        });
    }
    // That any of several levels differs is any of several chances.
    for id in study.models.iter().map(|model| &model.id).collect::<BTreeSet<_>>() {
        let mut all: Vec<&mut Against> = found
            .iter_mut()
            .filter(|quality| quality.model == *id)
            .filter_map(|quality| quality.measured.against.as_mut())
            .collect();
        let beyond = holm(&all.iter().map(|against| against.p_beyond).collect::<Vec<_>>());
        let alpha = 1.0 - statistics.confidence;
        for (against, p_beyond) in all.iter_mut().zip(beyond) {
            against.p_beyond = p_beyond;
            against.differs = differs(against.p, p_beyond, alpha);
        }
    }
    Ok(found)
}

/// Of the rows of one model, one a window.
///
/// # Errors
/// No row; a confidence that is none.
#[allow(clippy::disallowed_methods, reason = "values are compared to 1e-9, texts have few digits")]
pub fn measured(rows: &[&QualityRow], confidence: f64, margin: f64) -> Result<Measured> {
    let means: Vec<f64> = rows.iter().map(|row| mean(row.nll.iter().copied())).collect();
    let nll = estimate(&means, confidence)?;
    let exp = |Estimate { value, interval }: Estimate| Estimate {
        value: value.exp(),
        interval: interval.map(|(low, high)| (low.exp(), high.exp())),
    };
    let pairs: Option<Vec<&quality::Against>> = rows.iter().map(|row| row.against.as_ref()).collect();
    let against = pairs.map(|pairs| -> Result<Against> {
        let differences: Vec<f64> = means.iter().zip(&pairs).map(|(own, base)| own - base.mean_nll).collect();
        let paired = Paired::from(&differences)?.context("no windows")?;
        let bound = margin.ln_1p();
        let (low, high) = (paired.above(paired.difference + bound), paired.above(bound - paired.difference));
        let interval = paired.interval(2.0 * confidence - 1.0)?;
        let shares = |of: &str| of.bytes().filter(|digit| *digit == b'1').count() as f64 / of.len().max(1) as f64;
        let kl: Vec<f64> = pairs.iter().map(|pair| mean(pair.kl.iter().copied())).collect();
        let same: Vec<f64> = pairs.iter().map(|pair| shares(&pair.same_top)).collect();
        Ok(Against {
            ratio: exp(Estimate { value: paired.difference, interval }),
            p: low.zip(high).map(|(low, high)| low.max(high)),
            p_beyond: paired.above(paired.difference.abs() - bound),
            differs: None,
            kl: estimate(&kl, confidence)?,
            kl_p99: percentile(pairs.iter().flat_map(|pair| &pair.kl), 0.99),
            same_top: estimate(&same, confidence)?,
        })
    });
    Ok(Measured {
        windows: rows.len() as u32,
        positions: rows.iter().map(|row| row.nll.len()).sum::<usize>() as u32,
        perplexity: exp(nll),
        against: against.transpose()?,
    })
}

fn estimate(of_windows: &[f64], confidence: f64) -> Result<Estimate> {
    let stats = stats::of(of_windows, confidence)?;
    Ok(Estimate { value: stats.mean, interval: stats.interval })
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f64 {
    let n = values.len().max(1) as f64;
    values.map(f64::from).sum::<f64>() / n
}

/// llama.cpp's: between the two nearest of the sorted values, by a line.
fn percentile<'a>(values: impl Iterator<Item = &'a f32>, share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.map(|value| f64::from(*value)).collect();
    sorted.sort_by(f64::total_cmp);
    let at = share * sorted.len().saturating_sub(1) as f64;
    let (below, above) = (sorted.get(at as usize), sorted.get(at as usize + 1));
    let below = below.copied().unwrap_or(f64::NAN);
    below + (above.copied().unwrap_or(below) - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::SCORED;

    fn row(window: u32, nll: f32, base: f64, kl: f32) -> QualityRow {
        let mut kl = vec![kl; SCORED];
        kl[0] = 9.0;
        let same_top = format!("0{}", "1".repeat(SCORED - 1));
        QualityRow {
            schema: quality::QUALITY_SCHEMA.to_owned(),
            model: "m".to_owned(),
            quantization: Some("4".to_owned()),
            window,
            ids_sha256: String::new(),
            nll: vec![nll; SCORED],
            against: Some(quality::Against { base: "none".to_owned(), mean_nll: base, kl, same_top }),
        }
    }

    /// Differences 0.1, 0.2, 0.3: mean 0.2, sd 0.1, se 0.057735; t(0.95, 2) = 2.919986, t(0.975, 2) = 4.302653 (scipy).
    #[test]
    #[allow(clippy::disallowed_methods, reason = "values are compared to 1e-6")]
    fn windows_by_hand() {
        let rows = [row(1, 2.0, 1.9, 0.01), row(2, 3.0, 2.8, 0.02), row(3, 4.0, 3.7, 0.03)];
        let found = measured(&rows.iter().collect::<Vec<_>>(), 0.95, 0.02).unwrap();
        let close =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-6, "{found} for {expected}");
        close(found.perplexity.value, 3f64.exp());
        close(found.perplexity.interval.unwrap().0, (3.0 - 4.302_653 / 3f64.sqrt()).exp());
        let against = found.against.unwrap();
        close(against.ratio.value, 0.2f64.exp());
        close(against.ratio.interval.unwrap().1, (0.2f64 + 2.919_986 * 0.057_735_03).exp());
        close(against.kl.value, (9.0 + 0.02 * (SCORED - 1) as f64) / SCORED as f64);
        close(against.same_top.value, (SCORED - 1) as f64 / SCORED as f64);
        // 765 values, three of them 9: the 99th percentile is at place 756.36.
        close(against.kl_p99, f64::from(0.03f32));
    }
}
