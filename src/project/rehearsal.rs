//! A study rehearsed: rows with invented times for every run of its plan -> the evidence that its paper will rest on. So the claims that
//! a study will have can be listed, and its sections proofread, before anything is measured. No number of it is shown to anybody.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    analysis::{self, Summary},
    claims::Claims,
    energy::{Domain, ENERGY_SCHEMA, EnergyRow, Spent, State, window_error},
    evidence,
    load::Load,
    machine::{self, CheckpointFacts, Environment},
    paper::{self, Templates},
    quality::{Against, QUALITY_SCHEMA, QualityRow, SCORED, TextFacts, UNKNOWN},
    record::{Clock, CountedBy, FinishReason, Outcome, RequestRecord, RunRecord},
    store::{PageRows, Run},
    study::{Energy, ModelSpec, Plan, PlannedRun, Published, Quality, Settings, Study},
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
            ..machine::capture(study.models.iter().filter_map(checkpoint).chain(drafters(study)).collect())
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
    let facts = CheckpointFacts { recipe: model.quantization.clone(), ..unknown(&model.id, &model.source) };
    model.engine.opens_files().then_some(facts)
}

fn drafters(study: &Study) -> impl Iterator<Item = CheckpointFacts> {
    let real = study.drafts.iter().filter(|_| !study.is_fake());
    real.map(|drafter| CheckpointFacts { drafts: true, ..unknown(&drafter.id, &drafter.source) })
}

fn unknown(id: &str, source: &str) -> CheckpointFacts {
    CheckpointFacts {
        model: id.to_owned(),
        drafts: false,
        recipe: None,
        source_quantization: None,
        source: source.to_owned(),
        files: [("model.safetensors".to_owned(), "0".repeat(64))].into(),
        weight_bytes: 1,
        parameters: 1,
        step_bytes: Some(1),
        active_parameters: None,
        quantization: Some("not known yet".to_owned()),
        random_weights: false,
    }
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
    let row =
        RunRecord { energy: study.energy.as_ref().map(|asked| Box::new(window(&row, asked, scatter(1 << 30)))), ..row };
    let row = if study.models[run.model].engine.http().is_some() { served(row, scatter(1 << 28)) } else { row };
    match run.load(study) {
        Some(load) => several(row, load),
        None => row,
    }
}

/// The same of several requests: as many as there are at once begin together, or each when it is due.
fn several(row: RunRecord, load: Load) -> RunRecord {
    let due = load.due_ns(row.seed);
    let lasts = row.e2e_ns.unwrap_or(0);
    let steps: Vec<u64> =
        row.token_times_ns.iter().flatten().scan(0, |last, at| Some(at - std::mem::replace(last, *at))).collect();
    let request = |number: u32| {
        let closed = u64::from((number - 1) / load.at_once.max(1)) * lasts + u64::from(number);
        let due_ns = due.as_ref().map_or(closed, |due| due[number as usize - 1]);
        RequestRecord {
            seed: Load::seed(row.seed, number),
            due_ns,
            sent_ns: due_ns + 1_000,
            n_prompt: row.n_prompt,
            n_gen: row.n_gen,
            finish_reason: row.finish_reason,
            steps_ns: steps.clone(),
            finish_ns: Some(lasts),
            done_ns: Some(lasts),
            ..RequestRecord::empty(number)
        }
    };
    let requests = (1..=load.total()).map(request).collect();
    RunRecord {
        requests,
        load: Some(load),
        token_times_ns: None,
        chunk_times_ns: None,
        ttft_ns: None,
        e2e_ns: None,
        ..row
    }
}

/// A joule a token and a little more a request, of the domain that the study names.
fn window(row: &RunRecord, asked: &Energy, scatter: u64) -> EnergyRow {
    let tokens = u64::from(row.n_gen.unwrap_or(1));
    let seconds = asked.window_s.unwrap_or(1.0);
    let joules = (tokens + 1) as f64 * scatter as f64 / f64::from(1 << 30);
    let spent = Spent {
        joules: Some(joules),
        reason: None,
        period_s: Some(1e-3),
        error: Some(window_error(1e-3, seconds)),
        samples: 2,
        idle_w: Some(joules / seconds / 2.0),
        ..Spent::not("a counter", "mJ", seconds, "")
    };
    let domain = asked.domain.unwrap_or(Domain::System);
    EnergyRow {
        schema: ENERGY_SCHEMA.to_owned(),
        run: row.run,
        order: row.order,
        start_ns: 0,
        end_ns: (seconds * 1e9) as u64,
        requests: 1,
        n_gen: tokens,
        domain,
        domains: [(domain, spent)].into(),
        before: State::default(),
        after: State::default(),
        throttle: None,
    }
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

    /// Of several requests, closed, open and in a batch, and of energy: everything that the sections ask for is there.
    #[test]
    fn studies_of_loads_and_of_energy_are_proofread() {
        for name in ["load", "arrivals", "batch", "energy"] {
            let file = PathBuf::from(format!("config/{name}.yaml"));
            let study = Study::from_file(&file).unwrap();
            for templates in [Templates::built_in(), Templates::manuscript()] {
                proofread(&file, &study, &templates).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            }
        }
        let (_, _, claims) =
            rehearse(Path::new("e.yaml"), &Study::from_file(Path::new("config/energy.yaml")).unwrap(), None).unwrap();
        for id in [
            "joules_a_token.mean",
            "joules_net_a_token.mean",
            "watts.mean",
            "tokens_a_joule.pooled",
            "fit.joules.slope",
        ] {
            assert!(claims.claims.contains_key(id), "{id}");
        }
    }
}
