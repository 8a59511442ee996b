//! What the study, the machine and the rows say of themselves -> predicates: how it was run, by whose kernels, whether all of it
//! ended well. They hold or fail; no test decides them.

use std::collections::BTreeMap;

use super::{Id, Predicate, words::counted};
use crate::{
    analysis::Summary,
    store::{Run, not_a_measurement},
    study::{EngineKind, Isolation, Order, Settings},
};

/// Every predicate that needs no test.
pub(super) fn of(run: &Run, summary: &Summary) -> BTreeMap<Id, Predicate> {
    let said = |holds: bool, test: &str, yes: String, no: String| {
        Predicate::said(Some(holds), test, if holds { yes } else { no })
    };
    let (planned, ok) = (summary.planned, summary.runs.len());
    let odd = summary.runs.iter().filter(|run| run.n_gen != f64::from(run.max_tokens)).count();
    let (settings, execution) = (&run.study.settings, &run.study.execution);
    let lacking: Vec<String> = run.lack_quality().iter().map(|model| model.weights()).collect();
    let unmeasured = format!("How well the text is predicted was not measured of {}.", super::list(&lacking));
    let designed = |holds: bool, yes: &str, no: &str| said(holds, "the study says so", yes.to_owned(), no.to_owned());
    BTreeMap::from([
        ("engine.own_kernels".into(), own_kernels(run, summary)),
        (
            "design.isolated".into(),
            designed(
                execution.isolation == Isolation::Process,
                "Every run takes place in a fresh process, which loads the checkpoint, warms up and then measures once. Replicates are thus independent of each other in everything that a process keeps.",
                if run.study.has_server() {
                    "Each engine is started once, loads and warms up once, and then serves all of its runs; only one of them is asked at a time, while the others hold their memory. Replicates share what a process keeps and are not independent of each other in that respect; latency contains no loading."
                } else {
                    "All runs take place in one process, which loads the checkpoint and warms up once. Replicates share what a process keeps and are not independent of each other in that respect; latency contains no loading."
                },
            ),
        ),
        (
            "design.randomised".into(),
            designed(
                execution.order == Order::Blocks,
                "The order is that of randomised complete blocks: each block holds one replicate of every cell, shuffled, so that a slow drift of the machine spreads over all cells alike.",
                "The order is that of the plan, cell after cell: a slow drift of the machine cannot be told from an effect of the factors.",
            ),
        ),
        (
            "design.raw_prompts".into(),
            designed(
                !settings.chat_template,
                "They are given to the model as they stand, without a chat template.",
                &templated(settings),
            ),
        ),
        (
            "design.exact_lengths".into(),
            designed(
                !settings.stop_on_eos,
                "Output length is a factor of the design, so it is enforced: an end-of-sequence token does not end a run.",
                "Output length is an upper bound: an end-of-sequence token ends a run before it.",
            ),
        ),
        (
            "design.several_prompts".into(),
            designed(run.study.prompts.len() > 1, "The study has several prompts.", "The study has one prompt."),
        ),
        (
            "design.several_runs".into(),
            said(ok > 1, "runs that ended well", "Several runs ended well.".into(), "One run ended well.".into()),
        ),
        (
            "complete".into(),
            said(
                ok == planned as usize && lacking.is_empty(),
                "every planned run has a row that says ok",
                "Every planned run ended well.".to_owned(),
                match (ok == planned as usize, lacking.is_empty()) {
                    (true, _) => format!("Every planned run ended well. {unmeasured}"),
                    (false, true) => incomplete(planned as usize, ok),
                    (false, false) => format!("{} {unmeasured}", incomplete(planned as usize, ok)),
                },
            ),
        ),
        (
            "lengths.exact".into(),
            said(
                odd == 0,
                "n_gen equals max_tokens in every run",
                "Every run produced exactly the number of tokens it was asked for.".to_owned(),
                format!("{} ended before the token budget was used up.", counted(odd, "run", "runs")),
            ),
        ),
        (
            "measurement.real".into(),
            said(
                not_a_measurement(&run.study, &run.environment).is_none(),
                "the engine computes, and the weights are a trained model's",
                "The numbers are measurements of a trained model.".to_owned(),
                "THIS IS NOT A MEASUREMENT. The numbers come from a fake engine or from random weights and exist to try the program.".to_owned(),
            ),
        ),
    ])
}

/// What the template was told besides, if anything.
fn templated(settings: &Settings) -> String {
    let given: Vec<String> = settings.told.given().map(|(key, value)| format!("{key} = {value}")).collect();
    let told = if given.is_empty() { String::new() } else { format!(", which is told {}", given.join(", ")) };
    format!("Each is given to the model as a user's message in the checkpoint's own chat template{told}.")
}

fn incomplete(planned: usize, ok: usize) -> String {
    let others = if planned - ok == 1 { "the other is" } else { "the others are" };
    format!(
        "Of {} {ok} ended well; {others} left out of every statistic.",
        counted(planned, "planned run", "planned runs")
    )
}

/// What kernels of ours computed on, where all of MLX's rows say that they did. Their backends are MLX's with `+offprint`.
pub(super) fn own_kernels_on(summary: &Summary) -> Option<&'static str> {
    let backends = summary.seen.backends(Some(EngineKind::Mlx.name()));
    let all = |device: &str| backends.split(", ").all(|name| name == device);
    let known = [("mlx-cpu+offprint", "CPU"), ("mlx-cuda+offprint", "CUDA"), ("mlx-metal+offprint", "Metal")];
    known.into_iter().find(|(backend, _)| all(backend)).map(|(_, device)| device)
}

fn own_kernels(run: &Run, summary: &Summary) -> Predicate {
    let (engines, mlx) = (&summary.seen.engines, EngineKind::Mlx.name());
    let backend = summary.seen.backends(Some(mlx));
    let on_mlx = engines.iter().any(|engine| engine == mlx);
    let kernels = run.environment.libraries.get("kernels").map_or_else(String::new, |kernels| format!(" ({kernels})"));
    let own = own_kernels_on(summary);
    let text = match own {
        _ if !on_mlx => format!("MLX computes nothing here: the engine is {}.", engines.join(", ")),
        Some(device) => {
            let how = if device == "CPU" {
                "each step of the model is one operation inside MLX's graph, written for this program"
            } else {
                "parts of each step of the model are operations inside MLX's graph that were written for this program"
            };
            let rounded = if kernels.contains("vnni16") { " Activations are rounded to 16 bits for each product." } else { "" };
            format!(
                "The backend is MLX with {device} kernels of Offprint: {how}{kernels}.{rounded} The speed is that of MLX with these kernels, not of MLX as it is distributed."
            )
        }
        None if backend.contains("+offprint") => {
            "Some runs computed with MLX's own kernels and some with kernels written for this program; the records say which.".to_owned()
        }
        None if backend.contains("+joined") => format!(
            "All kernels are MLX's own, but some matrices of one input are multiplied as one{kernels}, as mlx-lm does not do it."
        ),
        None => "All kernels are MLX's own, as it is distributed.".to_owned(),
    };
    let test = "the backend of every row of MLX ends in +offprint";
    Predicate::said(Some(on_mlx && own.is_some()), test, text)
}
