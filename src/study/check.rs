//! What the file says -> a `Study`: defaults filled in, every value judged. A problem names its key; the caller
//! finds the line.

use super::{
    Author, Day, Engine, EngineKind, Execution, FILLER, Http, HubText, Isolation, ModelSpec, Problem, Prompt, Quality,
    Settings, Statistics, Study, Told,
    demand::{Checked, above_zero, distinct, distinct_by, ensure, in_range, not_empty, one_line},
    drafts, energy, engines, factors,
    file::{
        About, AuthorEntry, BenchmarkSettings, ExecutionEntry, File, Model, PromptEntry, QualityEntry, StatisticsEntry,
    },
    loads, quantization,
    source::{is_source, plain},
};
use crate::factor::Factor;

/// A plan longer than this is a slip of the pen: at one second a run it takes more than ten days.
const MAX_RUNS: u64 = 1_000_000;
/// Tokens of one run: beyond the context of any checkpoint of today.
const MAX_LENGTH: u32 = 1_000_000;
const MAX_WARMUPS: u32 = 100;
/// Seeds keep to what every JSON reader holds exactly.
const MAX_SEED: u64 = (1 << 53) - 1;
/// One day.
const MAX_SECONDS: f64 = 86_400.0;
const MAX_NAME: usize = 64;

pub(super) fn study(file: File) -> Checked<Study> {
    let (levels, others) = quantization::apart(file.factors)?;
    let settings = settings(file.benchmark_settings)?;
    let models = quantization::applied(&levels, models(file.models, &settings)?)?;
    let prompts = prompts(file.prompts)?;
    let isolation = served(&models, &prompts, &settings, file.execution.isolation)?;
    let drafts = drafts::models(file.drafts, &models)?;
    let factors = factors::check(others, &models, &drafts)?;
    drafts::alone(&factors)?;
    drafts::used(&drafts, &factors)?;
    let load = loads::check(file.load, &factors, &models, &prompts, &settings, file.execution.timeout_s)?;
    grid(&models, &prompts, &settings, &factors)?;
    let execution = execution(file.execution, isolation, &models)?;
    let About { name, title, authors, keywords, doi, published } = file.study;
    if let Some(path) = &published {
        beside(path)?;
    }
    let energy = energy::check(file.energy, &models)?;
    let quality = file.quality.map(|entry| quality(entry, &models)).transpose()?;
    let listed = models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
    for (i, keyword) in keywords.iter().enumerate() {
        one_line(&format!("study.keywords[{i}]"), keyword)?;
    }
    Ok(Study {
        name: folder_name(name, &listed)?,
        title: match title {
            Some(title) => one_line("study.title", &title)?,
            None => format!("Local inference benchmark of {listed}"),
        },
        authors: authors.into_iter().enumerate().map(|(i, entry)| author(i, entry)).collect::<Checked<_>>()?,
        keywords,
        doi: doi.map(|written| super::doi::checked("study.doi", &written)).transpose()?,
        published,
        models,
        prompts,
        settings,
        factors,
        drafts,
        load,
        quality,
        energy,
        bandwidth: file.bandwidth,
        execution,
        statistics: statistics(file.statistics)?,
    })
}

/// What servers cannot do of what the study asks; the isolation that there is.
fn served(
    models: &[ModelSpec],
    prompts: &[Prompt],
    settings: &Settings,
    isolation: Option<Isolation>,
) -> Checked<Isolation> {
    let servers: Vec<&Http> = models.iter().filter_map(|model| model.engine.http()).collect();
    let Some(first) = servers.first() else {
        let hint = "it is for servers that run already; leave `isolation` out";
        let external = isolation == Some(Isolation::External);
        ensure(!external, "execution.isolation", "process or session", "external, and no engine is a server", hint)?;
        return Ok(isolation.unwrap_or(Isolation::Process));
    };
    if let Some(i) = prompts.iter().position(|prompt| prompt.tokens.is_some()) {
        let hint = "a server is sent text and counts for itself: give prompts as texts";
        ensure(
            false,
            &format!("prompts[{i}].tokens"),
            "a text",
            "a number of tokens, with an engine that is a server",
            hint,
        )?;
    }
    let hint = "a server may say that it is ready and load its model at the first request: one warm-up is usual";
    let least = "1 or more with an engine that is a server";
    ensure(settings.warmup_runs > 0, "benchmark_settings.warmup_runs", least, "0", hint)?;
    let external = servers.iter().find(|server| server.is_external());
    let fits = |isolation| if external.is_some() { Isolation::External } else { Isolation::Session } == isolation;
    let expected = match external {
        Some(server) => format!("external, since nobody here starts {}", server.name),
        None => format!("session, since {} keeps its model between requests", first.name),
    };
    let isolation = isolation.unwrap_or(if external.is_some() { Isolation::External } else { Isolation::Session });
    let found = match isolation {
        Isolation::Process => "process",
        Isolation::Session => "session",
        Isolation::External => "external",
    };
    ensure(fits(isolation), "execution.isolation", &expected, found, "leave `isolation` out")?;
    Ok(isolation)
}

/// A path that stays in the study file's own folder.
fn beside(path: &str) -> Checked<()> {
    let fits = path.ends_with(".yaml") && path.split('/').all(plain);
    let found = format!("{path:?}");
    ensure(fits, "study.published", "a YAML file in the study's folder or below", &found, "e.g. published/v1.yaml")
}

/// What every model is to predict.
fn quality(QualityEntry { text, windows }: QualityEntry, models: &[ModelSpec]) -> Checked<Quality> {
    let fits = text.split('/').all(plain) && [".txt", ".md"].iter().any(|ending| text.ends_with(ending));
    if text.starts_with(HubText::PREFIX) {
        let hint = "e.g. hf:Salesforce/wikitext@main/wikitext-2-raw-v1/test-00000-of-00001.parquet";
        let found = text.parse::<HubText>().err().map(|why| format!("{text:?}: {why}"));
        ensure(found.is_none(), "quality.text", HubText::FORM, &found.unwrap_or_default(), hint)?;
    } else {
        let hint = "e.g. texts/prose.txt; a copy of it is kept with the records; a data set of the hub: hf:owner/name@revision/path";
        ensure(fits, "quality.text", "a .txt or .md file in the study's folder or below", &format!("{text:?}"), hint)?;
    }
    let windows = windows.unwrap_or(32);
    in_range("quality.windows", &windows, &2, &10_000, "windows of 512 tokens; an interval needs two")?;
    for model in models {
        let hint = "quality is computed by the engine mlx; a study on others can be measured without it";
        let on_mlx = models.iter().any(|other| other.has_weights_of(model) && other.engine.is(EngineKind::Mlx));
        ensure(on_mlx, "quality", "every model on the engine mlx", &format!("{} on others only", model.id), hint)?;
    }
    Ok(Quality { text, windows })
}

/// A folder name; where the file gives none, made from the models' names, e.g. `llama-3-2-1b`.
fn folder_name(name: Option<String>, models: &str) -> Checked<String> {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let Some(name) = name else {
        let spaced: String =
            models.to_ascii_lowercase().chars().map(|c| if letter(c) { c } else { ' ' }).take(MAX_NAME).collect();
        let name = spaced.split_whitespace().collect::<Vec<_>>().join("-");
        return Ok(if name.is_empty() { "study".to_owned() } else { name });
    };
    let fits = name.len() <= MAX_NAME && name.split('-').all(|part| !part.is_empty() && part.chars().all(letter));
    ensure(
        fits,
        "study.name",
        &format!("lower-case letters, digits and single hyphens, at most {MAX_NAME}"),
        &format!("{name:?}"),
        "the name is a folder under results/, e.g. smollm2",
    )?;
    Ok(name)
}

fn author(i: usize, entry: AuthorEntry) -> Checked<Author> {
    let AuthorEntry { name, affiliation, orcid, email, city, country } = entry;
    let key = |name: &str| format!("study.authors[{i}].{name}");
    let line = |name: &str, text: Option<String>| text.map(|text| one_line(&key(name), &text)).transpose();
    let email = line("email", email)?;
    if let Some(email) = &email {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._+@".contains(c);
        let fits = email.chars().all(plain) && email.split('@').filter(|part| !part.is_empty()).count() == 2;
        let hint = "leave it out: only what is submitted to a venue has it";
        ensure(fits, &key("email"), "an address such as ada@example.org", &format!("{email:?}"), hint)?;
    }
    Ok(Author {
        name: one_line(&key("name"), &name)?,
        affiliation: line("affiliation", affiliation)?,
        orcid: orcid.map(|written| super::orcid::checked(&key("orcid"), &written)).transpose()?,
        email,
        city: line("city", city)?,
        country: line("country", country)?,
    })
}

fn models(entries: Vec<Model>, settings: &Settings) -> Checked<Vec<ModelSpec>> {
    not_empty("models", &entries, "list at least one model, with id and name")?;
    distinct("models", &entries, |model| model.id.trim().to_owned(), ".id")?;
    distinct("models", &entries, |model| model.name.trim().to_owned(), ".name")?;
    let models: Vec<Vec<ModelSpec>> =
        entries.into_iter().enumerate().map(|(i, entry)| model(i, entry, settings)).collect::<Checked<_>>()?;
    Ok(models.concat())
}

/// A model on each of its engines.
fn model(i: usize, Model { id, name, source, engine }: Model, settings: &Settings) -> Checked<Vec<ModelSpec>> {
    let key = |name: &str| format!("models[{i}].{name}");
    let id = one_line(&key("id"), &id)?;
    ensure(!id.contains(char::is_whitespace), &key("id"), "no spaces", &format!("{id:?}"), "write `-` for a space")?;
    let name = one_line(&key("name"), &name)?;
    let mut engines = engines::check(&key("engine"), engine, settings)?;
    if engines.is_empty() {
        let fake = source.as_ref().is_some_and(|source| source.starts_with("fake"));
        engines.push(Engine::BuiltIn(if fake { EngineKind::Fake } else { EngineKind::Mlx }));
    }
    let is_fake = |engine: &Engine| engine.is(EngineKind::Fake);
    let fake = engines.iter().any(is_fake);
    let opens_files = engines.iter().any(Engine::opens_files);
    let source = match source {
        Some(source) => source,
        None if fake => "fake".to_owned(),
        None if !opens_files => ModelSpec::OF_SERVER.to_owned(),
        None => format!("hf:{id}"),
    };
    let fits = is_source(&source) || source == ModelSpec::OF_SERVER;
    let hint = if source.starts_with("quantized:") {
        "name what it is packed of, and say how as a factor: factors: {quantization: [4]}"
    } else {
        "without `source`, the id is read as a repository org/name of the hub"
    };
    ensure(
        fits,
        &key("source"),
        "hf:org/name, hf:org/name@revision, pypi:package==version, path:folder or fake",
        &format!("{source:?}"),
        hint,
    )?;
    let names: Vec<&str> = engines.iter().map(Engine::name).collect();
    ensure(
        source != ModelSpec::OF_SERVER || !opens_files,
        &key("source"),
        "where the model's files are",
        "`server`, which says that nothing here opens them",
        &format!("{} opens files; name a source, e.g. hf:org/name", names.join(", ")),
    )?;
    ensure(
        fake == source.starts_with("fake") && fake == engines.iter().all(is_fake),
        &key("engine"),
        "the engine fake together with the source fake, or neither",
        &format!("engine {} with source {source}", names.join(", ")),
        "leave one of the two out",
    )?;
    let on =
        |engine| ModelSpec { id: id.clone(), name: name.clone(), source: source.clone(), engine, quantization: None };
    Ok(engines.into_iter().map(on).collect())
}

fn prompts(entries: Vec<PromptEntry>) -> Checked<Vec<Prompt>> {
    not_empty("prompts", &entries, "list at least one prompt")?;
    let named: Vec<bool> = entries.iter().map(|entry| entry.id.is_some()).collect();
    let mut prompts = Vec::with_capacity(entries.len());
    for (i, PromptEntry { id, text, tokens }) in entries.into_iter().enumerate() {
        let key = format!("prompts[{i}]");
        if let Some(id) = &id {
            let fits = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            let hint = "the id becomes a part of claim ids, e.g. by_prompt.short.latency.mean";
            ensure(fits, &format!("{key}.id"), "letters, digits, `-` and `_`", &format!("{id:?}"), hint)?;
        }
        let text = match (text, tokens) {
            (Some(text), None) => text,
            (None, Some(tokens)) => {
                in_range(&format!("{key}.tokens"), &tokens, &1, &MAX_LENGTH, "a prompt of exactly so many tokens")?;
                FILLER.to_owned()
            }
            (text, _) => {
                let found = if text.is_some() { "both" } else { "neither" };
                let hint = "a text, or `tokens: 512` for a prompt of exactly so many tokens of a text of Offprint's";
                ensure(false, &key, "either `text` or `tokens`", found, hint)?;
                continue;
            }
        };
        let text_key = if id.is_some() { format!("{key}.text") } else { key };
        ensure(!text.is_empty(), &text_key, "a prompt", "an empty text", "write what the model is to continue")?;
        prompts.push(Prompt { id: id.unwrap_or_else(|| (i + 1).to_string()), text, tokens });
    }
    let suffix = |i: usize, field: &'static str| if named[i] { field } else { "" };
    let field = |i: usize| suffix(i, if prompts[i].tokens.is_some() { ".tokens" } else { ".text" });
    let said = |prompt: &Prompt| match prompt.tokens {
        Some(tokens) => format!("{tokens} tokens"),
        None => prompt.text.clone(),
    };
    distinct_by("prompts", &prompts, said, field)?;
    distinct_by("prompts", &prompts, |prompt| prompt.id.clone(), |i| suffix(i, ".id"))?;
    Ok(prompts)
}

fn settings(entry: BenchmarkSettings) -> Checked<Settings> {
    let key = |name: &str| format!("benchmark_settings.{name}");
    let told = told(&entry)?;
    let mut max_tokens = entry.max_tokens;
    not_empty(&key("max_tokens"), &max_tokens, "list output lengths in tokens, e.g. [64, 128, 256]")?;
    for (i, length) in max_tokens.iter().enumerate() {
        let key = key(&format!("max_tokens[{i}]"));
        in_range(&key, length, &1, &MAX_LENGTH, "a length is a number of tokens to generate")?;
    }
    distinct(&key("max_tokens"), &max_tokens, u32::to_string, "")?;
    max_tokens.sort_unstable();

    // -0.0 is the same temperature as 0.0 and would print as another.
    let mut temperatures: Vec<f64> = entry.temperatures.into_iter().map(|t| t + 0.0).collect();
    not_empty(&key("temperatures"), &temperatures, "list sampling temperatures, e.g. [0.3, 0.7]; 0 is greedy")?;
    for (i, temperature) in temperatures.iter().enumerate() {
        in_range(&key(&format!("temperatures[{i}]")), temperature, &0.0, &100.0, "0 is greedy decoding")?;
    }
    distinct(&key("temperatures"), &temperatures, f64::to_string, "")?;
    temperatures.sort_by(f64::total_cmp);

    let runs = u32::try_from(MAX_RUNS).unwrap_or(u32::MAX);
    in_range(&key("num_runs"), &entry.num_runs, &1, &runs, "num_runs is the number of replicates of each cell")?;
    in_range(&key("warmup_runs"), &entry.warmup_runs, &0, &MAX_WARMUPS, "one warm-up is usual")?;
    if let Some(top_p) = &entry.top_p {
        above_zero(&key("top_p"), top_p, 1.0, "1 keeps every token")?;
    }
    if let Some(min_p) = &entry.min_p {
        in_range(&key("min_p"), min_p, &0.0, &1.0, "0 keeps every token")?;
    }
    if let Some(top_k) = &entry.top_k {
        in_range(&key("top_k"), top_k, &1, &u32::MAX, "leave `top_k` out to keep every token")?;
    }
    Ok(Settings {
        max_tokens,
        temperatures,
        num_runs: entry.num_runs,
        warmup_runs: entry.warmup_runs,
        top_p: entry.top_p,
        min_p: entry.min_p,
        top_k: entry.top_k,
        stop_on_eos: entry.stop_on_eos,
        chat_template: entry.chat_template,
        told,
    })
}

/// What a chat template is told: there has to be one.
fn told(entry: &BenchmarkSettings) -> Checked<Told> {
    let key = |name: &str| format!("benchmark_settings.{name}");
    let day = |text: &String| {
        let hint = "write year, month and day, e.g. 2026-11-27";
        Day::try_from(text.clone()).map_err(|what| Problem::new(key("date"), what, hint))
    };
    let BenchmarkSettings { enable_thinking, reasoning_effort, date, .. } = entry;
    let told = Told {
        enable_thinking: *enable_thinking,
        reasoning_effort: *reasoning_effort,
        date: date.as_ref().map(day).transpose()?,
    };
    if let Some((name, value)) = told.given().next() {
        let hint = format!("set `chat_template: true`, or take `{name}` out");
        let found = format!("{value} and prompts that go in raw");
        ensure(entry.chat_template, &key(name), "a chat template to tell it to", &found, &hint)?;
    }
    Ok(told)
}

fn grid(models: &[ModelSpec], prompts: &[Prompt], settings: &Settings, others: &[Factor]) -> Checked<()> {
    let (lengths, temperatures) = (settings.max_tokens.len(), settings.temperatures.len());
    let counted = |n: usize, one: &str, of: &str| (n, format!("{n} {one}{}{of}", if n == 1 { "" } else { "s" }));
    let recipes =
        models.iter().filter(|model| models.first().is_some_and(|first| model.has_system_of(first))).count().max(1);
    let mut factors = vec![counted(models.len() / recipes, "model", ""), counted(prompts.len(), "prompt", "")];
    factors.extend([counted(lengths, "length", ""), counted(temperatures, "temperature", "")]);
    if recipes > 1 {
        factors.push(counted(recipes, "level", " of quantization"));
    }
    factors.extend(others.iter().map(|factor| counted(factor.levels.len(), "level", &format!(" of {}", factor.label))));
    factors.push(counted(settings.num_runs as usize, "replicate", ""));
    let runs = factors.iter().fold(1u64, |product, (levels, _)| product.saturating_mul(*levels as u64));
    let product: Vec<&str> = factors.iter().map(|(_, said)| said.as_str()).collect();
    let found = format!("{runs} ({})", product.join(" x "));
    let limit = format!("at most {MAX_RUNS} runs");
    ensure(runs <= MAX_RUNS, "benchmark_settings", &limit, &found, "take levels from a factor, or split the study")
}

fn execution(entry: ExecutionEntry, isolation: Isolation, models: &[ModelSpec]) -> Checked<Execution> {
    let ExecutionEntry { seed, isolation: _, order, cooldown_s, thermal_gate_s, timeout_s, kernels } = entry;
    if let Some(name) = &kernels {
        let of_mlx = models.iter().any(|model| model.engine.is(EngineKind::Mlx));
        let hint = "they are MLX's, or Offprint's on it; leave the key out";
        ensure(of_mlx, "execution.kernels", "a model that MLX computes", name, hint)?;
        ensure(!name.is_empty(), "execution.kernels", "a name, as avx2", "nothing", "leave the key out for the best")?;
    }
    in_range("execution.seed", &seed, &0, &MAX_SEED, "any whole number will do; a date is easy to remember")?;
    in_range("execution.cooldown_s", &cooldown_s, &0.0, &MAX_SECONDS, "seconds to wait before each run")?;
    if let Some(gate) = &thermal_gate_s {
        in_range(
            "execution.thermal_gate_s",
            gate,
            &0.0,
            &MAX_SECONDS,
            "seconds to wait at most; leave it out for none",
        )?;
    }
    above_zero("execution.timeout_s", &timeout_s, MAX_SECONDS, "seconds that one run may take; 1800 is the default")?;
    Ok(Execution { seed, isolation, order, cooldown_s, thermal_gate_s, timeout_s, kernels })
}

fn statistics(entry: StatisticsEntry) -> Checked<Statistics> {
    let StatisticsEntry { confidence, equivalence_margin, stable_cv, session_margin } = entry;
    let margin = session_margin.map(|margin| ("session_margin", margin, "a share; leave it out for none"));
    let always = [
        ("confidence", confidence, "0.95 is the default"),
        ("equivalence_margin", equivalence_margin, "a share of the mean; 0.02 is the default"),
        ("stable_cv", stable_cv, "a coefficient of variation; 0.05 is the default"),
    ];
    for (name, share, hint) in always.into_iter().chain(margin) {
        let inside = share > 0.0 && share < 1.0;
        let key = format!("statistics.{name}");
        ensure(inside, &key, "a number between 0 and 1, both excluded", &share.to_string(), hint)?;
    }
    Ok(Statistics { confidence, equivalence_margin, stable_cv, session_margin })
}
