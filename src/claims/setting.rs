//! What the study, the machine and the rows say of themselves -> predicates: how it was run, by whose kernels, whether all of it
//! ended well. They hold or fail; no test decides them.

use std::collections::BTreeMap;

use super::Predicate;
use crate::{
    analysis::Summary,
    store::{Run, not_a_measurement},
    study::{Isolation, Order},
};

/// Every predicate that needs no test.
pub(super) fn of(run: &Run, summary: &Summary) -> BTreeMap<String, Predicate> {
    let said = |holds: bool, test: &str, yes: String, no: String| Predicate {
        holds: Some(holds),
        test: test.to_owned(),
        statistic: None,
        p: None,
        margin: None,
        text: if holds { yes } else { no },
    };
    let (planned, ok) = (summary.planned, summary.runs.len());
    let odd = summary.runs.iter().filter(|run| run.n_gen != run.max_tokens).count();
    let (settings, execution) = (&run.study.settings, &run.study.execution);
    let designed = |holds: bool, yes: &str, no: &str| said(holds, "the study says so", yes.to_owned(), no.to_owned());
    BTreeMap::from([
        ("engine.own_kernels".to_owned(), own_kernels(run, summary)),
        (
            "design.isolated".to_owned(),
            designed(
                execution.isolation == Isolation::Process,
                "Every run takes place in a fresh process, which loads the checkpoint, warms up and then measures once. Replicates are thus independent of each other in everything that a process keeps.",
                "All runs take place in one process, which loads the checkpoint and warms up once. Replicates share what a process keeps and are not independent of each other in that respect; latency contains no loading.",
            ),
        ),
        (
            "design.randomised".to_owned(),
            designed(
                execution.order == Order::Blocks,
                "The order is that of randomised complete blocks: each block holds one replicate of every cell, shuffled, so that a slow drift of the machine spreads over all cells alike.",
                "The order is that of the plan, cell after cell: a slow drift of the machine cannot be told from an effect of the factors.",
            ),
        ),
        (
            "design.raw_prompts".to_owned(),
            designed(
                !settings.chat_template,
                "They are given to the model as they stand, without a chat template.",
                "Each is given to the model as a user's message in the checkpoint's own chat template.",
            ),
        ),
        (
            "design.exact_lengths".to_owned(),
            designed(
                !settings.stop_on_eos,
                "Output length is a factor of the design, so it is enforced: an end-of-sequence token does not end a run.",
                "Output length is an upper bound: an end-of-sequence token ends a run before it.",
            ),
        ),
        (
            "complete".to_owned(),
            said(
                ok == planned as usize,
                "every planned run has a row that says ok",
                "Every planned run ended well.".to_owned(),
                format!("Of {planned} planned runs {ok} ended well; the others are left out of every statistic, and the design is no longer balanced."),
            ),
        ),
        (
            "lengths.exact".to_owned(),
            said(
                odd == 0,
                "n_gen equals max_tokens in every run",
                "Every run produced exactly the number of tokens it was asked for.".to_owned(),
                format!("{odd} runs ended before their token budget was used up."),
            ),
        ),
        (
            "measurement.real".to_owned(),
            said(
                not_a_measurement(&run.study, &run.environment).is_none(),
                "the engine computes, and the weights are a trained model's",
                "The numbers are measurements of a trained model.".to_owned(),
                "THIS IS NOT A MEASUREMENT. The numbers come from a fake engine or from random weights and exist to try the program.".to_owned(),
            ),
        ),
    ])
}

/// What kernels of ours computed on, where all rows say that they did. Their backends are MLX's with `+offprint`.
pub(super) fn own_kernels_on(summary: &Summary) -> Option<&'static str> {
    let all = |device: &str| summary.seen.backend.split(", ").all(|name| name == device);
    let known = [("mlx-cpu+offprint", "CPU"), ("mlx-cuda+offprint", "CUDA"), ("mlx-metal+offprint", "Metal")];
    known.into_iter().find(|(backend, _)| all(backend)).map(|(_, device)| device)
}

fn own_kernels(run: &Run, summary: &Summary) -> Predicate {
    let (engine, backend) = (&summary.seen.engine, &summary.seen.backend);
    let kernels = run.environment.libraries.get("kernels").map_or_else(String::new, |kernels| format!(" ({kernels})"));
    let own = own_kernels_on(summary);
    let text = match own {
        _ if engine != "mlx" => format!("MLX computes nothing here: the engine is {engine}."),
        Some(device) => {
            let how = if device == "CPU" {
                "each step of the model is one operation inside MLX's graph, written for this program"
            } else {
                "parts of each step of the model are operations inside MLX's graph that were written for this program"
            };
            format!(
                "The backend is MLX with {device} kernels of our own: {how}{kernels}. The speed is that of MLX with these kernels, not of MLX as it is distributed."
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
    let test = "every row's backend ends in +offprint".to_owned();
    Predicate { holds: Some(engine == "mlx" && own.is_some()), test, statistic: None, p: None, margin: None, text }
}
