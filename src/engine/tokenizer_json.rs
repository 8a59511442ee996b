//! The text of a `tokenizer.json` -> the tokenizer, as the crate `tokenizers` makes it of the whole text, but for the words and merges
//! of byte pair encoding, which are most of the text: those are read once, into tables of our own (`bpe`).

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, json};
use tokenizers::{
    AddedToken, DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    Token, TokenizerImpl,
};

use crate::engine::bpe::{Bpe, Settings, Texts};

/// A tokenizer whose words are either's.
pub(super) type Tokenizer =
    TokenizerImpl<Words, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// What turns a piece of text into tokens.
#[derive(Debug)]
pub(super) enum Words {
    Ours(Bpe),
    /// Of another kind, or odd.
    Theirs(ModelWrapper),
}

/// # Errors
/// The crate's own, for a text that is no tokenizer.
pub(super) fn read(text: &str) -> tokenizers::Result<Tokenizer> {
    match ours(text) {
        Some(tokenizer) => Ok(tokenizer),
        // Another model, or a fault that the crate has words for.
        None => theirs(text),
    }
}

/// As the crate reads it.
fn theirs(text: &str) -> tokenizers::Result<Tokenizer> {
    Ok(serde_json::from_str(text)?)
}

/// A key more or less, and it is the crate's to judge.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Read,
    added_tokens: Option<Vec<AddedToken>>,
    version: Option<Value>,
    truncation: Option<Value>,
    padding: Option<Value>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
}

#[derive(Deserialize)]
struct Read {
    r#type: String,
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: Option<bool>,
    byte_fallback: Option<bool>,
    ignore_merges: Option<bool>,
    vocab: Vocabulary,
    merges: Merges,
}

fn ours(text: &str) -> Option<Tokenizer> {
    let file: File = serde_json::from_str(text).ok().filter(|_| u32::try_from(text.len()).is_ok())?;
    let words = Words::Ours(bpe(file.model)?);
    let mut rest = Map::from_iter([("model".to_owned(), json!({"type": "BPE", "vocab": {}, "merges": []}))]);
    for (key, value) in [
        ("version", file.version),
        ("truncation", file.truncation),
        ("padding", file.padding),
        ("normalizer", file.normalizer),
        ("pre_tokenizer", file.pre_tokenizer),
        ("post_processor", file.post_processor),
        ("decoder", file.decoder),
    ] {
        rest.extend(value.map(|value| (key.to_owned(), value)));
    }
    let mut tokenizer = theirs(&Value::Object(rest).to_string()).ok()?;
    tokenizer.with_model(words);
    tokenizer.add_tokens(&file.added_tokens.unwrap_or_default());
    Some(tokenizer)
}

/// The model, by the crate's rules for keys that are not there. What draws by chance or marks words' parts is left to it.
fn bpe(read: Read) -> Option<Bpe> {
    let marks = [&read.continuing_subword_prefix, &read.end_of_word_suffix];
    if read.r#type != "BPE" || read.dropout.is_some() || marks.into_iter().flatten().any(|mark| !mark.is_empty()) {
        return None;
    }
    let settings = Settings {
        unk_token: read.unk_token,
        fuse_unk: read.fuse_unk.unwrap_or(false),
        byte_fallback: read.byte_fallback.unwrap_or(false),
        ignore_merges: read.ignore_merges.unwrap_or(false),
    };
    Bpe::new(read.vocab.words, &read.vocab.ids, &read.merges.0, settings)
}

/// Words and their ids.
#[derive(Default)]
struct Vocabulary {
    words: Texts,
    ids: Vec<u32>,
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ids;
        impl<'de> Visitor<'de> for Ids {
            type Value = Vocabulary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("ids by words")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Vocabulary, A::Error> {
                let mut read = Vocabulary::default();
                while items.next_key_seed(Push(&mut read.words))?.is_some() {
                    read.ids.push(items.next_value()?);
                }
                Ok(read)
            }
        }
        deserializer.deserialize_map(Ids)
    }
}

/// Two texts each.
#[derive(Default)]
struct Merges(Texts);

impl<'de> Deserialize<'de> for Merges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Merges;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Merges, A::Error> {
                let mut read = Merges::default();
                while items.next_element_seed(PushPair(&mut read.0))?.is_some() {}
                Ok(read)
            }
        }
        deserializer.deserialize_seq(Pairs)
    }
}

/// Reads a text and puts it behind others.
struct Push<'a>(&'a mut Texts);

impl<'de> DeserializeSeed<'de> for Push<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Push<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.push(text);
        Ok(())
    }
}

/// The same of two: `["a", "b"]`, or `"a b"` as it was written once.
struct PushPair<'a>(&'a mut Texts);

impl<'de> DeserializeSeed<'de> for PushPair<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PushPair<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two texts")
    }

    fn visit_str<E: Error>(self, line: &str) -> Result<(), E> {
        let pair = line.split_once(' ').filter(|(_, second)| !second.contains(' '));
        let (first, second) = pair.ok_or_else(|| E::custom("expected two words"))?;
        self.0.push(first);
        self.0.push(second);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let two = items.next_element_seed(Push(self.0))?.is_some() && items.next_element_seed(Push(self.0))?.is_some();
        let end = items.next_element_seed(Push(self.0))?.is_none();
        if two && end { Ok(()) } else { Err(A::Error::custom("expected two texts")) }
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ModelWrapper::deserialize(deserializer).map(Words::Theirs)
    }
}

impl Model for Words {
    type Trainer = <ModelWrapper as Model>::Trainer;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        match self {
            Words::Ours(bpe) => Ok(bpe.tokens(sequence)),
            Words::Theirs(model) => model.tokenize(sequence),
        }
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Words::Ours(bpe) => bpe.id(token),
            Words::Theirs(model) => model.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Words::Ours(bpe) => bpe.text(id).map(str::to_owned),
            Words::Theirs(model) => model.id_to_token(id),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            Words::Ours(bpe) => bpe.words().map(|(word, id)| (word.to_owned(), id)).collect(),
            Words::Theirs(model) => model.get_vocab(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            Words::Ours(bpe) => bpe.len(),
            Words::Theirs(model) => model.get_vocab_size(),
        }
    }

    fn save(&self, folder: &Path, prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        match self {
            Words::Ours(_) => Err("words are read here, and not written".into()),
            Words::Theirs(model) => model.save(folder, prefix),
        }
    }

    fn get_trainer(&self) -> Self::Trainer {
        match self {
            Words::Ours(_) => tokenizers::models::bpe::BpeTrainer::default().into(),
            Words::Theirs(model) => model.get_trainer(),
        }
    }
}

#[cfg(test)]
mod tests;
