//! A study rehearsed: rows with invented times for every run of its plan -> the evidence that its paper will rest on. So the claims that
//! a study will have can be listed, and its sections proofread, before anything is measured. No number of it is shown to anybody.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    analysis::{self, Summary},
    claims::Claims,
    evidence,
    machine::{self, CheckpointFacts, Environment},
    paper::{self, Templates},
    quality::{Against, QUALITY_SCHEMA, QualityRow, SCORED, TextFacts, UNKNOWN},
    record::{Clock, CountedBy, FinishReason, Outcome, RunRecord},
    store::{PageRows, Run},
    study::{ModelSpec, Plan, PlannedRun, Published, Quality, Settings, Study},
};

/// What an execution of a study would give, as far as that is known without one: ids, units and formulas are right, values are not.
///
/// # Errors
/// A study whose numbers cannot be computed; published values that cannot be read; what `own` (the text of `claims.yaml`) has wrong.
pub fn rehearse(file: &Path, study: &Study, own: Option<&str>) -> Result<(Run, Summary, Claims)> {
    // What there is to say does not depend on how often a cell is run beyond a few times.
    let study = &Study {
        settings: Settings { num_runs: study.settings.num_runs.min(3), ..study.settings.clone() },
        ..study.clone()
    };
    let records: Vec<RunRecord> = Plan::of(study).runs.iter().map(|run| row(study, run)).collect();
    let published = study.published.as_ref().map(|name| -> Result<Published> {
        let file = file.with_file_name(name);
        let text = std::fs::read_to_string(&file)
            .map_err(|error| anyhow::anyhow!("{}: {error}\nhint: `study.published` names it", file.display()))?;
        Published::from_str(&file.display().to_string(), &text)
    });
    let run = Run {
        folder: PathBuf::new(),
        run_id: "rehearsal".to_owned(),
        study: study.clone(),
        environment: Environment {
            text: study.quality.as_ref().map(text),
            ..machine::capture(study.models.iter().filter_map(checkpoint).collect())
        },
        measured: records.len(),
        records,
        runs_sha256: "0".repeat(64),
        page_rows: PageRows::None,
        published: published.transpose()?,
        quality: quality(study),
        baseline: None,
    };
    let summary = analysis::summarise(study, &run.records)?.with_quality(study, &run.quality)?;
    let claims = evidence::all_claims(&run, &summary, own)?;
    Ok((run, summary, claims))
}

/// Can the paper of a study be written with these templates? What is wrong with sections, numbers and figures of one's own is found
/// before the first run.
///
/// # Errors
/// As [`rehearse`]; prose that does not fit.
pub fn proofread(file: &Path, study: &Study, templates: &Templates) -> Result<()> {
    let (run, summary, claims) = rehearse(file, study, templates.claims())?;
    paper::files(&run, &summary, &claims, templates).map(drop)
}

/// Of what is not fetched: nobody knows its hash, its commit and its licence yet.
fn text(quality: &Quality) -> TextFacts {
    TextFacts {
        source: quality.text.clone(),
        sha256: "0".repeat(64),
        licence: quality.hub().map(|_| UNKNOWN.to_owned()),
    }
}

/// Rows of every window, all alike but for a little.
fn quality(study: &Study) -> Vec<QualityRow> {
    let windows = study.quality.as_ref().map_or(0, |quality| quality.windows);
    let row = |model: &ModelSpec, window: u32| {
        let nll = vec![3.0 + 0.01 * (window % 7) as f32; SCORED];
        let against = study.base(model).and_then(|base| base.quantization.clone()).map(|base| Against {
            base,
            mean_nll: 2.9 + 0.01 * f64::from(window % 5),
            kl: vec![0.01 + 0.001 * (window % 3) as f32; SCORED],
            same_top: "1".repeat(SCORED),
        });
        QualityRow {
            schema: QUALITY_SCHEMA.to_owned(),
            model: model.id.clone(),
            quantization: model.quantization.clone(),
            window,
            ids_sha256: "0".repeat(64),
            nll,
            against,
        }
    };
    study.weights().into_iter().flat_map(|model| (1..=windows).map(move |window| row(model, window))).collect()
}

/// A checkpoint of which nothing is known yet; the fake engine has none.
fn checkpoint(model: &ModelSpec) -> Option<CheckpointFacts> {
    let facts = CheckpointFacts {
        model: model.id.clone(),
        recipe: model.quantization.clone(),
        source_quantization: None,
        source: model.source.clone(),
        files: [("model.safetensors".to_owned(), "0".repeat(64))].into(),
        weight_bytes: 1,
        parameters: 1,
        active_parameters: None,
        quantization: Some("not known yet".to_owned()),
        random_weights: false,
    };
    model.engine.opens_files().then_some(facts)
}

/// A run that ended well after a time of its own: a tenth of a second, ten milliseconds a token, and a per cent of scatter.
fn row(study: &Study, run: &PlannedRun) -> RunRecord {
    let tokens = u64::from(run.max_tokens);
    let scatter = |time: u64| time + time / 100_000 * (run.seed % 1000);
    let at = |token: u64| scatter(100_000_000 + 10_000_000 * token);
    let row = RunRecord {
        started_at: "2000-01-01T00:00:00Z".to_owned(),
        outcome: Outcome::Ok,
        n_prompt: Some(8),
        n_gen: Some(run.max_tokens),
        finish_reason: Some(FinishReason::Length),
        load_ns: Some(scatter(50_000_000)),
        tokenize_ns: Some(100_000),
        ttft_ns: Some(at(0)),
        token_times_ns: Some((0..tokens).map(at).collect()),
        e2e_ns: Some(at(tokens)),
        // What computes nothing needs no memory to speak of.
        peak_memory_bytes: (!study.is_fake()).then(|| scatter(1 << 30)),
        output_text: Some("…".to_owned()),
        ..run.row(study)
    };
    if study.models[run.model].engine.http().is_some() { served(row, scatter(1 << 28)) } else { row }
}

/// The same of a server: what a client sees, and nothing of an engine's inside.
fn served(row: RunRecord, peak_rss: u64) -> RunRecord {
    RunRecord {
        clock: Some(Clock::Client),
        counted_by: Some(CountedBy::Usage),
        load_ns: Some(0),
        tokenize_ns: None,
        ttft_ns: None,
        chunk_times_ns: row.token_times_ns.clone(),
        finish_ns: row.e2e_ns,
        done_ns: row.e2e_ns,
        peak_memory_bytes: None,
        peak_rss_bytes: Some(peak_rss),
        startup_ns: Some(1_000_000_000),
        ..row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The claims of a rehearsal are those of the execution: ids, units, formulas.
    #[test]
    fn what_is_listed_before_is_what_there_is_after() {
        let folder = Path::new("tests/data/fake_run");
        let after = evidence::Evidence::open(folder, None).unwrap();
        let study = Study { published: Some("published.yaml".to_owned()), ..after.run.study.clone() };
        let (_, _, before) = rehearse(&folder.join("study.yaml"), &study, None).unwrap();
        let about = |claims: &Claims| -> Vec<String> {
            let line = |(id, claim): (&crate::claims::Id, &crate::claims::Claim)| format!("{id} {}", claim.unit);
            claims.claims.iter().filter(|(id, _)| !id.starts_with("software.")).map(line).collect()
        };
        let (before_ids, after_ids) = (about(&before), about(&after.claims));
        let lost: Vec<&String> = after_ids.iter().filter(|id| !before_ids.contains(id)).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert_eq!(before.predicates.keys().collect::<Vec<_>>(), after.claims.predicates.keys().collect::<Vec<_>>());
        for templates in [Templates::built_in(), Templates::manuscript()] {
            proofread(&folder.join("study.yaml"), &study, &templates).unwrap();
        }
    }
}
