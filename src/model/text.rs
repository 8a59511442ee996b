//! A text of a data set on the hub -> the text, what identifies it, and its licence: plain UTF-8, or the column of a table
//! (Parquet), its rows one after the other with nothing between them.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use hf_hub::RepoType;
use parquet::{
    basic::Type,
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
    schema::types::Type as Schema,
};
use serde_json::Value;

use super::{
    Progress,
    hub::{self, At, Info},
};
use crate::{
    digest,
    quality::{TextFacts, UNKNOWN},
    study::HubText,
};

/// The card of a repository.
const CARD: &str = "README.md";

/// A text that is not looked for further than it must be.
#[derive(Debug)]
pub enum Looked {
    /// In the cache.
    Here(String, TextFacts),
    /// The hub has it: in words.
    There(String),
}

fn at(source: &HubText) -> At<'_> {
    At { kind: RepoType::Dataset, repository: &source.repository, revision: &source.revision }
}

/// The text, fetched if it is not here. Its licence is told before.
///
/// # Errors
/// As the hub has them; no such file, no such column, no UTF-8, another SHA-256 than `source` has.
pub fn fetch(source: &HubText, tell: &mut dyn FnMut(Progress)) -> Result<(String, TextFacts)> {
    let at = at(source);
    if hub::offline() {
        return cached(source);
    }
    tell(Progress::Step(format!("asking the hub for {}", at.what())));
    let (api, info) = hub::ask(&at)?;
    has(source, &info)?;
    let licence = licence(&info.card);
    tell(Progress::Step(format!(
        "{}: licence {licence}, as the data set's card says; a copy of the text is kept with the records, and bundled",
        source.resolved(&info.sha)
    )));
    let card = info.siblings.iter().map(|file| file.name.as_str()).find(|name| *name == CARD);
    let snapshot = hub::obtain(&at, &api, &info.sha, card.into_iter().chain([source.path.as_str()]), tell)?;
    read(source, &snapshot, &info.sha, licence)
}

/// The text if it is in the cache; else whether the hub has it. Nothing is downloaded.
///
/// # Errors
/// As [`fetch`].
pub fn look(source: &HubText) -> Result<Looked> {
    if hub::offline() || hub::cached(&at(source), &source.path).is_ok() {
        return cached(source).map(|(text, facts)| Looked::Here(text, facts));
    }
    let (_, info) = hub::ask(&at(source))?;
    has(source, &info)?;
    Ok(Looked::There(format!("the hub has it, at commit {}; licence {}", info.sha, licence(&info.card))))
}

/// What an earlier fetch left.
fn cached(source: &HubText) -> Result<(String, TextFacts)> {
    let (snapshot, commit) = hub::cached(&at(source), &source.path)?;
    let path = snapshot.join(&source.path);
    if let Some((expected, found)) = hub::cached_digest(&path)? {
        ensure!(
            expected == found,
            "{}: expected SHA-256 {expected}, found {found}\nhint: the file was changed in the cache; fetch it again, without HF_HUB_OFFLINE",
            path.display()
        );
    }
    let card = fs::read_to_string(snapshot.join(CARD));
    let licence =
        card.map_or_else(|_| format!("{UNKNOWN} (its card is not in the cache)"), |card| licence(&front(&card)));
    read(source, &snapshot, &commit, licence)
}

/// Is the file in the repository?
fn has(source: &HubText, info: &Info) -> Result<()> {
    let names = || info.siblings.iter().map(|file| file.name.as_str());
    if names().any(|name| name == source.path) {
        return Ok(());
    }
    let near = names().filter(|name| !name.starts_with('.') && *name != CARD);
    let near = near.max_by(|a, b| {
        let like = |name: &str| strsim::jaro_winkler(name, &source.path);
        like(a).total_cmp(&like(b))
    });
    bail!(
        "{}: there is no file {} at commit {}\nhint: {}",
        source.place(),
        source.path,
        info.sha,
        near.map_or_else(|| "it has no files".to_owned(), |near| format!("did you mean {near}?"))
    )
}

fn read(source: &HubText, snapshot: &Path, commit: &str, licence: String) -> Result<(String, TextFacts)> {
    let file = snapshot.join(&source.path);
    let what = source.resolved(commit);
    let text = if source.is_table() {
        column(&file, source.column.as_deref().unwrap_or(HubText::COLUMN))
    } else {
        plain(&file)
    };
    let text = text.with_context(|| what.clone())?;
    let sha256 = digest::sha256_hex(text.as_bytes());
    source.expects(&sha256)?;
    Ok((text, TextFacts { source: what, sha256, licence: Some(licence) }))
}

fn plain(file: &Path) -> Result<String> {
    String::from_utf8(fs::read(file)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow!("byte {at} is no UTF-8\nhint: a text, or a .parquet file with a column of text, can be predicted; others cannot")
    })
}

/// All rows of a column of text, one after the other.
fn column(file: &Path, name: &str) -> Result<String> {
    let table = || "hint: is it a Parquet file with plain columns, uncompressed or compressed with Snappy? or name a plain text";
    let reader = SerializedFileReader::new(File::open(file)?).with_context(table)?;
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields();
    let names: Vec<&str> = fields.iter().map(|field| field.name()).collect();
    let Some(field) = fields.iter().find(|field| field.name() == name) else {
        bail!("it has no column `{name}`, but {}\nhint: name one with #column=NAME", names.join(", "));
    };
    ensure!(
        field.is_primitive() && field.get_physical_type() == Type::BYTE_ARRAY,
        "its column `{name}` is none of text\nhint: it has {}; name one with #column=NAME",
        names.join(", ")
    );
    let only = Schema::group_type_builder(schema.name()).with_fields(vec![field.clone()]).build()?;
    let mut text = String::new();
    for row in reader.get_row_iter(Some(only)).with_context(table)? {
        match row.with_context(table)?.get_column_iter().next() {
            Some((_, Field::Str(part))) => text += part,
            // A column of bytes that says nothing of text.
            Some((_, Field::Bytes(part))) => {
                text += part.as_utf8().context("a row is no UTF-8\nhint: name a column of text with #column=NAME")?;
            }
            _ => {}
        }
    }
    Ok(text)
}

/// The front matter of a card.
fn front(card: &str) -> Value {
    let inside = card.strip_prefix("---").and_then(|rest| rest.split_once("\n---")).map_or("", |(inside, _)| inside);
    serde_yaml::from_str(inside).unwrap_or(Value::Null)
}

/// What a card says of the licence: one, or several.
fn licence(card: &Value) -> String {
    let one = |value: &Value| value.as_str().map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned);
    let said: Vec<String> = match &card["license"] {
        Value::Array(several) => several.iter().filter_map(one).collect(),
        alone => one(alone).into_iter().collect(),
    };
    // One of one's own has its name beside it.
    let named = one(&card["license_name"]).filter(|_| said == ["other"]).map(|name| vec![name]);
    let clean = |text: String| text.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(named.unwrap_or(said).join(", ")).filter(|said| !said.is_empty()).map_or_else(|| UNKNOWN.to_owned(), clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_licence_is_read_in_each_of_its_forms() {
        for (card, said) in [
            ("---\nlicense: mit\n---\n# Card", "mit"),
            ("---\nlicense:\n- cc-by-sa-3.0\n- gfdl\n---\n", "cc-by-sa-3.0, gfdl"),
            ("---\nlicense: other\nlicense_name: own-terms\n---\n", "own-terms"),
            ("---\nlicense: other\n---\n", "other"),
            ("---\nlanguage: en\n---\n", UNKNOWN),
            ("---\nlicense: []\n---\n", UNKNOWN),
            ("# A card without front matter", UNKNOWN),
            ("---\n: [\n---\n", UNKNOWN),
            ("", UNKNOWN),
        ] {
            assert_eq!(licence(&front(card)), said, "{card}");
        }
    }
}
