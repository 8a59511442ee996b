//! What a measurement was made under -> what is another now. Rows of two machines, builds or settings must not be mixed, in one
//! run or in one paper.

use std::{collections::BTreeMap, env};

use anyhow::{Context, Result};

use crate::{
    digest, engine,
    factor::THREADS,
    machine::{self, CheckpointFacts, Environment, Fact},
    study::{EngineKind, Study},
};

/// By name.
pub(super) type Conditions = BTreeMap<String, String>;

/// Variables, beside those with `MLX_` before their names, that libraries read and that change how fast they are.
const VARIABLES: [&str; 5] =
    ["CUDA_VISIBLE_DEVICES", "GLIBC_TUNABLES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"];

/// What the engines of a study compute with, in words, by the name that it has among an environment's libraries.
///
/// # Errors
/// A choice in the environment that cannot be.
pub(super) fn engines(study: &Study, stock_kernels: bool) -> Result<(Conditions, Option<engine::Kernels>)> {
    let mut words = Conditions::new();
    let runs_on = |engine: EngineKind| study.models.iter().any(|model| model.engine.is(engine));
    let kernels =
        if runs_on(EngineKind::Mlx) { engine::kernels(study.kernels(stock_kernels), &threads(study))? } else { None };
    words.extend(kernels.iter().map(|kernels| ("kernels".to_owned(), kernels.words.clone())));
    let llama_cpp = if runs_on(EngineKind::LlamaCpp) { engine::llama_cpp_build(&threads(study))? } else { None };
    words.extend(llama_cpp.map(|build| ("llama-cpp".to_owned(), build)));
    Ok((words, kernels))
}

/// The levels of the factor `threads`, where the study has it.
fn threads(study: &Study) -> Vec<String> {
    let factor = study.factors.iter().find(|factor| factor.name == THREADS);
    factor.map_or_else(Vec::new, |factor| factor.levels.iter().map(|level| level.label.clone()).collect())
}

/// Those of an execution that would begin now: this program, byte for byte, what its engines compute with, and variables that act.
///
/// # Errors
/// As [`engines`]; a program that cannot read itself.
pub(super) fn now(study: &Study, stock_kernels: bool) -> Result<Conditions> {
    let (mut conditions, _) = engines(study, stock_kernels)?;
    let program = env::current_exe().context("where is this program?")?;
    let sha256 = digest::sha256_file(&program).with_context(|| format!("{}", program.display()))?;
    conditions.insert("program".to_owned(), format!("sha256 {sha256}"));
    for engine in study.models.iter().map(|model| &model.engine).filter(|engine| !engine.argv().is_empty()) {
        let (program, files) = machine::identify(engine.argv());
        let program = program.value.map(|program| format!("sha256 {}", program.sha256));
        let digests: Vec<String> = program.into_iter().chain(files.into_values()).collect();
        conditions
            .insert(format!("engine {}", engine.name()), format!("{} {}", engine.argv().join(" "), digests.join(" ")));
    }
    for (name, value) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("MLX_") || VARIABLES.contains(&name.as_str()) {
            conditions.insert(name, value.to_string_lossy().into_owned());
        }
    }
    Ok(conditions)
}

const PROCESSOR: &str = "processor";
const LIBRARY: &str = "MLX's library";
/// Records of earlier versions do not say these.
const ASKED_SINCE: [&str; 2] = [PROCESSOR, LIBRARY];

/// What is not as it was, each in words: `kernels (was A, is B)`.
pub(super) fn differences(then: &Conditions, now: &Conditions) -> Vec<String> {
    let mut names: Vec<&String> = then.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let value = |of: &Conditions, name: &str| of.get(name).cloned().unwrap_or_else(|| "nothing".to_owned());
    let asked =
        |name: &&String| !ASKED_SINCE.contains(&name.as_str()) || [then, now].iter().all(|of| of.contains_key(*name));
    let pairs = names.into_iter().filter(asked).map(|name| (name, value(then, name), value(now, name)));
    pairs.filter(|(_, was, is)| was != is).map(|(name, was, is)| format!("{name} (was {was}, is {is})")).collect()
}

/// Everything of an environment that a row depends on.
pub(super) fn of(environment: &Environment) -> Conditions {
    fn say<T: ToString>(fact: &Fact<T>) -> String {
        fact.value.as_ref().map_or_else(|| "unknown".to_owned(), T::to_string)
    }
    let checkpoint = |facts: &CheckpointFacts| {
        let files: Vec<String> = facts.files.iter().map(|(name, sha256)| format!("{name} {sha256}")).collect();
        let recipe = facts.recipe.as_ref().map_or_else(String::new, |recipe| format!(", quantization {recipe}"));
        let name = format!("checkpoint of {}{recipe}", facts.model);
        (name, format!("{} with files of digest {}", facts.source, digest::sha256_hex(files.join("\n").as_bytes())))
    };
    let named = |name: &str, value: String| (name.to_owned(), value);
    let mut conditions = Conditions::from([
        named("chip", say(&environment.chip)),
        named("memory", say(&environment.memory_bytes)),
        named("os", say(&environment.os)),
        named("offprint's version", environment.offprint_version.clone()),
        named("offprint's commit", say(&environment.git_commit)),
    ]);
    // Microcode is told and decides nothing.
    if let Some(processor) = &environment.processor.value {
        conditions.insert(PROCESSOR.to_owned(), processor.numbers());
    }
    conditions.extend(environment.libraries.clone());
    if let Some(sha256) = environment.mlx_library.as_ref().and_then(|library| library.sha256.value.as_ref()) {
        conditions.insert(LIBRARY.to_owned(), format!("sha256 {sha256}"));
    }
    conditions.extend(environment.checkpoints.iter().map(checkpoint));
    let engines = environment.engines.iter();
    conditions.extend(engines.map(|facts| (format!("engine {}", facts.name), facts.identity())));
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each fact alone makes a difference, and is named with what it was and what it is.
    #[test]
    fn every_condition_counts_and_is_named() {
        let mut then = machine::capture(Vec::new());
        then.chip = Fact::known("Apple M4".to_owned());
        then.libraries.insert("kernels".to_owned(), "offprint avx2, 2 threads".to_owned());
        then.checkpoints = vec![CheckpointFacts::tiny()];
        let changed = |change: &dyn Fn(&mut Environment)| {
            let mut now = then.clone();
            change(&mut now);
            differences(&of(&then), &of(&now))
        };
        assert!(changed(&|now| now.captured_at = "later".to_owned()).is_empty(), "time passes");
        type Change = fn(&mut Environment);
        let cases: [(Change, &str); 9] = [
            (|now| now.chip = Fact::known("Apple M5".to_owned()), "chip (was Apple M4, is Apple M5)"),
            (|now| now.memory_bytes = Fact::known(1), "memory (was "),
            (|now| now.os = Fact::unknown("it is gone"), "os (was "),
            (|now| now.offprint_version = "9.9.9".to_owned(), "offprint's version (was "),
            (|now| now.git_commit = Fact::known("0".repeat(40)), "offprint's commit (was "),
            (
                |now| drop(now.libraries.insert("kernels".to_owned(), "MLX's own".to_owned())),
                "kernels (was offprint avx2, 2 threads, is MLX's own)",
            ),
            (|now| drop(now.libraries.remove("tera")), ", is nothing)"),
            (
                |now| now.mlx_library.iter_mut().for_each(|library| library.sha256 = Fact::known("0".repeat(64))),
                "MLX's library (was sha256 ",
            ),
            (
                |now| now.checkpoints[0].files.values_mut().for_each(|sha256| *sha256 = "11".repeat(32)),
                "checkpoint of tiny (was ",
            ),
        ];
        for (change, words) in cases {
            let found = changed(&change);
            assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn the_program_itself_is_a_condition() {
        let study = Study::from_file(std::path::Path::new("config/fake.yaml")).unwrap();
        let conditions = now(&study, false).unwrap();
        assert!(conditions["program"].len() == "sha256 ".len() + 64, "{conditions:?}");
        assert!(!conditions.contains_key("kernels"), "the fake engine has none");
    }
}
