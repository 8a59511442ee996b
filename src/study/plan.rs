//! `Study` -> `Plan`: every run with its place in the execution and its own seed. Both are functions of the study
//! alone and stay the same in every version of this program; the tests pin them.

use sha2::{Digest, Sha256};

use super::{ModelSpec, Order, Plan, PlannedRun, Study};
use crate::{factor::Role, random::SplitMix64};

impl Plan {
    /// Plans the whole grid. Order [`Order::Blocks`]: block `b` holds replicate `b` of every cell, shuffled by
    /// Fisher and Yates with one SplitMix64 stream from the study's seed, so a further replicate changes no earlier
    /// block. [`Order::Sequential`]: plan order, one block.
    pub fn of(study: &Study) -> Plan {
        let others = combinations(study);
        let mut runs = Vec::new();
        for (model, spec) in study.models.iter().enumerate() {
            for (prompt, text) in study.prompts.iter().enumerate() {
                let digest = text.sha256();
                for &max_tokens in &study.settings.max_tokens {
                    for &temperature in &study.settings.temperatures {
                        let cell = cell(study.execution.seed, spec, &digest, max_tokens, temperature);
                        for levels in &others {
                            for repeat in 1..=study.settings.num_runs {
                                let run = runs.len() as u32 + 1;
                                let (levels, seed) = (levels.clone(), run_seed(&cell, study, levels, repeat));
                                let (order, block) = (run, 1);
                                runs.push(PlannedRun {
                                    run,
                                    order,
                                    block,
                                    model,
                                    prompt,
                                    max_tokens,
                                    temperature,
                                    levels,
                                    repeat,
                                    seed,
                                });
                            }
                        }
                    }
                }
            }
        }
        if study.execution.order == Order::Blocks {
            randomise(&mut runs, study.execution.seed, study.settings.num_runs);
        }
        Plan { runs }
    }

    /// The runs in the order in which they are executed.
    pub fn execution(&self) -> Vec<&PlannedRun> {
        let mut runs: Vec<&PlannedRun> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.order);
        runs
    }
}

/// Every combination of the levels of `Study::factors`, the last moving fastest; one empty one where there are none.
fn combinations(study: &Study) -> Vec<Vec<usize>> {
    study.factors.iter().fold(vec![Vec::new()], |before, factor| {
        let with = |levels: &Vec<usize>| {
            (0..factor.levels.len()).map(|level| [levels.as_slice(), &[level]].concat()).collect()
        };
        before.iter().flat_map(|levels| -> Vec<Vec<usize>> { with(levels) }).collect()
    })
}

/// What a run's seed depends on beside its replicate: `offprint.seed/1`, study seed, model id, SHA-256 of the prompt, length and
/// temperature, a line each. It names the cell's own levels, not positions: a level added to a factor changes no other run's seed.
fn cell(study: u64, model: &ModelSpec, prompt: &str, max_tokens: u32, temperature: f64) -> String {
    format!("offprint.seed/1\n{study}\n{}\n{prompt}\n{max_tokens}\n{temperature}\n", model.id)
}

/// Seed of one run: the first 53 bits (so that every JSON reader keeps all digits) of the SHA-256 of its cell, the levels of further
/// factors that are crossed (`name=level`) and the replicate, a line each. Levels that are compared share the seed.
fn run_seed(cell: &str, study: &Study, levels: &[usize], repeat: u32) -> u64 {
    let crossed = study.factors.iter().zip(levels).filter(|(factor, _)| factor.role == Role::Crossed);
    let crossed: String =
        crossed.map(|(factor, level)| format!("{}={}\n", factor.name, factor.levels[*level].key())).collect();
    let digest = Sha256::digest(format!("{cell}{crossed}{repeat}\n").as_bytes());
    digest[..8].iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte)) >> 11
}

fn randomise(runs: &mut [PlannedRun], seed: u64, blocks: u32) {
    let mut random = SplitMix64(seed);
    let mut order = 0;
    for block in 1..=blocks {
        // In plan order a cell's replicates stand side by side, so a block's members are every `blocks`-th run.
        let mut members: Vec<usize> = (block as usize - 1..runs.len()).step_by(blocks as usize).collect();
        for last in (1..members.len()).rev() {
            members.swap(last, random.below(last as u64 + 1) as usize);
        }
        for index in members {
            order += 1;
            (runs[index].order, runs[index].block) = (order, block);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn study(max_tokens: &str, num_runs: u32, extra: &str) -> Study {
        let text = format!(
            "models: [{{id: tiny, name: Tiny, source: fake}}]\nprompts: [one, two]\n\
             benchmark_settings: {{max_tokens: {max_tokens}, temperatures: [0, 0.7], num_runs: {num_runs}}}\n{extra}"
        );
        Study::from_str("study.yaml", &text).unwrap()
    }

    /// This table may never change: resumed and repeated executions rest on it.
    #[test]
    fn order_and_seeds_are_pinned() {
        let plan = Plan::of(&study("[64, 128]", 2, "execution: {seed: 20261123}"));
        let table: Vec<String> = plan
            .runs
            .iter()
            .map(|r| {
                format!(
                    "{:2} prompt {} {:3} tokens t={} #{} -> block {} order {:2} seed {}",
                    r.run, r.prompt, r.max_tokens, r.temperature, r.repeat, r.block, r.order, r.seed
                )
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn every_block_holds_every_cell_once() {
        let plan = Plan::of(&study("[1, 2, 3]", 4, ""));
        let execution = plan.execution();
        assert!(execution.iter().zip(1..).all(|(run, order)| run.order == order));
        assert!(plan.runs.iter().zip(1..).all(|(run, position)| run.run == position));
        for (block, members) in (1..).zip(execution.chunks(12)) {
            let cells: std::collections::BTreeSet<_> =
                members.iter().map(|r| (r.prompt, r.max_tokens, r.temperature.to_bits())).collect();
            assert_eq!(cells.len(), 12);
            assert!(members.iter().all(|run| run.block == block && run.repeat == block));
        }
        let orders: Vec<Vec<(usize, u32)>> =
            execution.chunks(12).map(|b| b.iter().map(|r| (r.prompt, r.max_tokens)).collect()).collect();
        assert!(orders.windows(2).all(|pair| pair[0] != pair[1]), "blocks are shuffled independently");
    }

    #[test]
    fn a_further_level_or_replicate_changes_no_seed_of_another_run() {
        let seeds = |study: &Study| -> BTreeMap<_, _> {
            let key = |r: &PlannedRun| (r.prompt, r.max_tokens, r.temperature.to_bits(), r.repeat);
            Plan::of(study).runs.iter().map(|r| (key(r), r.seed)).collect()
        };
        let (small, large) = (seeds(&study("[64]", 2, "")), seeds(&study("[32, 64]", 3, "")));
        assert!(small.iter().all(|(cell, seed)| large[cell] == *seed));
        let distinct: std::collections::BTreeSet<_> = large.values().collect();
        assert_eq!(distinct.len(), large.len());
        assert!(large.values().all(|&seed| seed < 1 << 53));
    }

    #[test]
    fn a_further_replicate_leaves_earlier_blocks_as_they_were() {
        let order = |n| -> Vec<(u32, usize, u32)> {
            let plan = Plan::of(&study("[64, 128]", n, ""));
            plan.execution().iter().map(|r| (r.repeat, r.prompt, r.max_tokens)).collect()
        };
        assert_eq!(order(2)[..], order(3)[..16]);
    }

    #[test]
    fn sequential_is_plan_order_in_one_block() {
        let plan = Plan::of(&study("[64]", 3, "execution: {order: sequential}"));
        assert!(plan.runs.iter().all(|run| run.order == run.run && run.block == 1));
    }

    const FACTORS: &str = "factors: {threads: [1, 2], context: [0, 512, 64]}";

    /// What a row says of a run without further factors is what it said before there were any: `plan_sha256` rests on it.
    #[test]
    fn a_plan_without_further_factors_is_written_as_ever() {
        let plan = |extra: &str| serde_json::to_string(&Plan::of(&study("[64]", 1, extra)).runs[0]).unwrap();
        assert_eq!(
            plan("execution: {order: sequential}"),
            r#"{"run":1,"order":1,"block":1,"model":0,"prompt":0,"max_tokens":64,"temperature":0.0,"repeat":1,"seed":7561553566412330}"#
        );
        assert!(plan(FACTORS).contains(r#""levels":[0,0]"#));
    }

    #[test]
    fn every_block_holds_every_combination_of_levels_once() {
        let study = study("[64, 128]", 3, FACTORS);
        let plan = Plan::of(&study);
        assert_eq!((plan.runs.len(), study.cells()), (48 * 3, 48));
        for (block, members) in (1..).zip(plan.execution().chunks(48)) {
            let cells: std::collections::BTreeSet<_> = members
                .iter()
                .map(|run| (run.prompt, run.max_tokens, run.temperature.to_bits(), run.levels.clone()))
                .collect();
            assert_eq!(cells.len(), 48);
            assert!(members.iter().all(|run| run.block == block && run.repeat == block));
        }
    }

    /// They are asked for the same text: by cell of the other factors and replicate one seed, that of the design without them.
    #[test]
    fn compared_levels_share_the_seed_and_crossed_ones_have_their_own() {
        let key = |run: &PlannedRun| (run.prompt, run.max_tokens, run.temperature.to_bits(), run.repeat);
        let plain: BTreeMap<_, _> =
            Plan::of(&study("[64, 128]", 2, "")).runs.iter().map(|run| (key(run), run.seed)).collect();
        let mut study = study("[64, 128]", 2, FACTORS);
        let runs = Plan::of(&study).runs;
        assert_eq!(runs.len(), 6 * plain.len());
        assert!(runs.iter().all(|run| run.seed == plain[&key(run)]));
        study.factors[0].role = Role::Crossed;
        let mut by_threads: BTreeMap<_, std::collections::BTreeSet<u64>> = BTreeMap::new();
        for run in Plan::of(&study).runs {
            by_threads.entry((key(&run), run.levels[0])).or_default().insert(run.seed);
        }
        assert!(by_threads.values().all(|seeds| seeds.len() == 1), "contexts share it");
        let seeds: std::collections::BTreeSet<u64> = by_threads.values().flatten().copied().collect();
        assert_eq!(seeds.len(), 2 * plain.len(), "threads do not");
    }

    /// A level more, or the levels in another order, changes no seed.
    #[test]
    fn seeds_name_levels_and_not_their_positions() {
        let seeds = |extra: &str| -> BTreeMap<_, _> {
            let mut study = study("[64]", 2, extra);
            study.factors[0].role = Role::Crossed;
            let level = |run: &PlannedRun| run.number(&study, "threads").unwrap() as u32;
            let runs = Plan::of(&study).runs;
            runs.iter().map(|run| ((run.prompt, run.temperature.to_bits(), run.repeat, level(run)), run.seed)).collect()
        };
        let (few, many) = (seeds("factors: {threads: [1, 4]}"), seeds("factors: {threads: [8, 4, 1]}"));
        assert!(few.iter().all(|(cell, seed)| many[cell] == *seed));
    }
}
