//! Several sequences at once, by every kind of kernels and for every architecture: the tokens and logits that each has alone. And
//! pasts that are cut back, or refuse to be.

use offprint::{
    engine::{Engine, Generation, Prompt, Request, Sampling, mlx::Mlx},
    model::{
        kernels::{Device, Kernels},
        past::Past,
    },
    record::FinishReason,
};
use tempfile::TempDir;

use crate::{
    golden::{Case, Golden},
    logits::every_kind,
    mlx, tiny,
};

/// A case of each architecture, whatever it is stored as.
pub(crate) fn cases(golden: &Golden) -> Vec<&Case> {
    let mut seen = Vec::new();
    let first = |case: &&Case| {
        let architecture = case.title().split(' ').next().unwrap().to_owned();
        let new = !seen.contains(&architecture);
        seen.push(architecture);
        new
    };
    golden.cases.iter().filter(first).collect()
}

pub(crate) fn folder(golden: &Golden, case: &Case) -> TempDir {
    tiny::folder(golden, case, &tiny::tensors(golden, case))
}

pub(crate) fn engine(folder: &TempDir, kernels: &Kernels) -> Mlx {
    let mut engine = Mlx::new(folder.path().to_owned()).with(kernels.clone());
    engine.load().unwrap();
    engine
}

/// Prompts and budgets that differ, one that may end early, two that draw.
fn requests(golden: &Golden) -> Vec<Request> {
    let of = |index: usize, words: usize, max_tokens: u32| {
        let ids = golden.ids.iter().cycle().skip(index);
        let text: Vec<String> = ids.take(words).map(|id| format!("w{id}")).collect();
        let temperature = if index % 3 == 2 { 0.8 } else { 0.0 };
        Request {
            context: if index == 4 { 5 } else { 0 },
            batch: 1,
            prompt: Prompt::Text(text.join(" ")),
            chat_template: None,
            max_tokens,
            sampling: Sampling { temperature, top_p: None, min_p: None, top_k: None },
            seed: 7 + index as u64,
            stop_on_eos: index == 1,
            draft: None,
        }
    };
    [(3, 9), (17, 2), (1, 14), (9, 5), (4, 7), (30, 11), (2, 1)]
        .into_iter()
        .enumerate()
        .map(|(i, (words, n))| of(i, words, n))
        .collect()
}

/// Rounding may decide between two tokens on GPUs, whose products of one row and of several differ.
pub(crate) fn exact() -> bool {
    Device::current().unwrap() == Device::Cpu
}

#[test]
fn sequences_at_once_have_the_tokens_that_they_have_alone() {
    let _alone = mlx();
    let golden = Golden::read();
    let cases = cases(&golden);
    assert!(cases.len() >= 20, "{}", cases.len());
    for case in cases {
        let folder = folder(&golden, case);
        for kernels in every_kind() {
            let (mut engine, requests) = (engine(&folder, &kernels), requests(&golden));
            let alone: Vec<Generation> = requests.iter().map(|request| engine.generate(request).unwrap()).collect();
            for slots in [3, requests.len()] {
                let service = engine.serve(&requests, &vec![0; requests.len()], slots).unwrap();
                for (index, (served, alone)) in service.served.iter().zip(&alone).enumerate() {
                    let found = &served.generation;
                    let what = format!("{}, {kernels}, {slots} slots, request {index}", case.title());
                    assert!(
                        !exact() || found.tokens == alone.tokens,
                        "{what}: {:?}, not {:?}",
                        found.tokens,
                        alone.tokens
                    );
                    assert_eq!((found.n_prompt, found.finish), (alone.n_prompt, alone.finish), "{what}");
                    assert!(!exact() || found.text == alone.text, "{what}");
                    assert!(
                        served.admitted_ns <= served.token_times_ns[0] && served.token_times_ns.is_sorted(),
                        "{what}"
                    );
                }
                let most = service.steps.iter().map(|step| step.active).max();
                assert_eq!(most, Some(slots as u32), "{}, {kernels}", case.title());
                let tokens: usize = service.served.iter().map(|served| served.generation.tokens.len()).sum();
                let computed: u32 = service.steps.iter().map(|step| step.active).sum();
                // Those that end early may be computed once more.
                assert!((tokens..=tokens + 1).contains(&(computed as usize)), "{tokens} tokens, {computed} computed");
            }
        }
    }
}

/// Logits of several positions of several sequences in one step, and of a past that was cut back, against those of each alone.
#[test]
fn steps_of_several_sequences_and_cut_pasts_give_the_logits_of_each_alone() {
    let _alone = mlx();
    let golden = Golden::read();
    let mut refused = Vec::new();
    for case in cases(&golden) {
        let folder = folder(&golden, case);
        for kernels in every_kind() {
            let (engine, what) = (engine(&folder, &kernels), format!("{}, {kernels}", case.title()));
            let texts: Vec<Vec<u32>> =
                (0..3).map(|i| golden.ids.iter().cycle().skip(i * 3).take(9).copied().collect()).collect();
            let straight: Vec<Vec<f32>> = (texts.iter())
                .map(|ids| {
                    let mut past = engine.read(&ids[..4], 16).unwrap();
                    ids[4..].iter().flat_map(|id| engine.step(&[*id], &mut past).unwrap()).collect()
                })
                .collect();
            let width = straight[0].len() / 5;
            let mut pasts: Vec<Past> = texts.iter().map(|ids| engine.read(&ids[..4], 16).unwrap()).collect();
            let mut found = vec![Vec::new(); 3];
            for (from, counts) in [([4, 4, 4], [1, 3, 1]), ([5, 7, 5], [2, 1, 1]), ([7, 8, 6], [2, 1, 3])] {
                let mut parts: Vec<(&mut Past, &[u32])> = (pasts.iter_mut().zip(&texts).enumerate())
                    .map(|(i, (past, ids))| (past, &ids[from[i]..from[i] + counts[i]]))
                    .collect();
                let logits = engine.step_of(&mut parts).unwrap();
                let mut rows = logits.chunks(width);
                for (found, count) in found.iter_mut().zip(counts) {
                    rows.by_ref().take(count).for_each(|row| found.extend_from_slice(row));
                }
            }
            let ours = matches!(kernels, Kernels::Ours { .. }) && engine.backend().ends_with("+offprint");
            let near = |found: &[f32], expected: &[f32]| {
                let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                found.len() == expected.len()
                    && if ours { found == expected } else { far < if exact() { 1e-4 } else { 0.2 } }
            };
            for (index, (found, straight)) in found.iter().zip(&straight).enumerate() {
                assert!(near(found, straight), "{what}, sequence {index}");
            }

            // Astray, back, and on; from where it is, a past can always be cut.
            let mut past = engine.read(&texts[0][..4], 16).unwrap();
            past.truncate(4).unwrap();
            engine.step(&[1, 2, 3], &mut past).unwrap();
            assert_eq!(past.len(), 7, "{what}");
            assert!(past.truncate(8).unwrap_err().to_string().contains("holds 7 positions, and cannot be cut to 8"));
            match past.truncate(4) {
                Ok(()) => {
                    let on: Vec<f32> =
                        texts[0][4..].iter().flat_map(|id| engine.step(&[*id], &mut past).unwrap()).collect();
                    assert!(near(&on, &straight[0]), "{what}: cut back");
                }
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        error.contains("cannot be cut to 4: the state of a") && error.contains("hint: read"),
                        "{error}"
                    );
                    assert_eq!(past.len(), 7, "{what}");
                    refused.push(case.title().split(' ').next().unwrap().to_owned());
                }
            }
        }
    }
    refused.dedup();
    assert_eq!(refused, ["lfm2", "qwen3_5", "qwen3_5_moe", "qwen3_next", "qwen3_5_vision", "lfm2_moe"]);
}

/// Requests that come later wait for nobody, those that find no slot wait for one, and all times are on one axis.
#[test]
fn requests_are_admitted_when_they_are_due() {
    let _alone = mlx();
    let golden = Golden::read();
    let case = golden.cases.iter().find(|case| case.title() == "llama affine4").unwrap();
    let folder = folder(&golden, case);
    let mut engine = engine(&folder, every_kind().last().unwrap());
    let requests = &requests(&golden)[2..5];
    let ms = 1_000_000;
    // Given in another order than they are due in.
    let due = [60 * ms, 0, 61 * ms];
    let service = engine.serve(requests, &due, 1).unwrap();
    let [late, first, last] = &service.served[..] else { panic!("{service:?}") };
    for (served, due) in service.served.iter().zip(due) {
        assert_eq!(served.arrived_ns, due);
        assert!(served.admitted_ns >= due);
        let from_arrival: Vec<u64> = served.token_times_ns.iter().map(|time| time - due).collect();
        assert_eq!(served.generation.token_times_ns, from_arrival);
        assert!(served.generation.e2e_ns >= *from_arrival.last().unwrap());
        assert_eq!(served.generation.finish, FinishReason::Length);
    }
    assert!(*first.token_times_ns.last().unwrap() < 60 * ms, "{first:?}");
    assert!(last.admitted_ns >= *late.token_times_ns.last().unwrap(), "there is one slot");
    assert!(service.steps.iter().all(|step| step.active == 1 && step.step_ns > 0));
    assert!(service.steps.is_sorted_by_key(|step| step.end_ns));
    // What the engine waited for is no step's.
    let stepped: u64 = service.steps.iter().map(|step| step.step_ns).sum();
    assert!(stepped < 60 * ms, "{stepped}");
}

#[test]
fn what_cannot_be_served_says_why() {
    let _alone = mlx();
    let golden = Golden::read();
    let case = golden.cases.iter().find(|case| case.title() == "llama affine4").unwrap();
    let folder = folder(&golden, case);
    let requests = requests(&golden);
    let mut unloaded = Mlx::new(folder.path().to_owned());
    assert!(unloaded.serve(&requests, &[0; 7], 1).unwrap_err().to_string().contains("before it was loaded"));
    for kernels in every_kind() {
        let mut engine = engine(&folder, &kernels);
        let error = |engine: &mut Mlx, due: &[u64], slots| engine.serve(&requests, due, slots).unwrap_err().to_string();
        assert!(error(&mut engine, &[0; 7], 0).contains("0 at a time\nhint: at least 1"));
        assert!(error(&mut engine, &[0; 3], 2).contains("7 requests are due at 3 times"));
        assert!(engine.serve(&[], &[], 2).unwrap().served.is_empty());
        let mut past = engine.read(&[1, 2], 4).unwrap();
        let none: &[u32] = &[];
        assert!(
            engine.step(none, &mut past).unwrap_err().to_string().contains("0 ids for pasts that are to grow by [0]")
        );
        assert!(engine.step_of(&mut []).unwrap_err().to_string().contains("grow by []"));
        past.eval().unwrap();
        assert_eq!(past.len(), 2);
    }
}
