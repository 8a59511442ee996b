//! The bag around the payload (RFC 8493): declaration, bag-info, manifests. Pure text, the same for the same files.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::{
    archive::{Content, Input},
    digests::{ALGORITHMS, Digests, digests},
    label::Label,
    statement,
};
use crate::store::Run;

pub const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// A manifest's text for the files that `of` selects.
pub fn manifest(files: &BTreeMap<String, Digests>, algorithm: usize, of: impl Fn(&str) -> bool) -> String {
    let listed = files.iter().filter(|(path, _)| of(path));
    listed.map(|(path, digests)| format!("{}  {path}\n", digests.hex[algorithm])).collect()
}

pub fn is_payload(path: &str) -> bool {
    path.starts_with("data/")
}

/// A tag file that a tag manifest lists: any but the tag manifests themselves.
pub fn is_tag(path: &str) -> bool {
    !is_payload(path) && !path.starts_with("tagmanifest-")
}

/// `bag-info.txt` (RFC 8493, 2.2.2). Its date is the records', so that the same records give the same bag.
pub fn info(label: &Label, run: &Run, date: &str, payload: impl Iterator<Item = u64>) -> String {
    let (mut bytes, mut count) = (0, 0);
    for size in payload {
        bytes += size;
        count += 1;
    }
    format!(
        "Bag-Software-Agent: offprint {}\nBagging-Date: {date}\nExternal-Description: {}\nExternal-Identifier: {}\nPayload-Oxum: {bytes}.{count}\n",
        label.offprint_version,
        run.study.title.split_whitespace().collect::<Vec<_>>().join(" "),
        label.name(),
    )
}

/// Bytes and number of the payload's files: `12345.67` (RFC 8493, 2.2.2).
pub fn oxum(known: &BTreeMap<String, Digests>) -> String {
    let payload = || known.iter().filter(|(path, _)| is_payload(path));
    format!("{}.{}", payload().map(|(_, digests)| digests.bytes).sum::<u64>(), payload().count())
}

/// Makes the signature of a message.
pub type Sign<'a> = dyn Fn(&[u8]) -> Result<String> + 'a;
/// Makes what is signed, from the digests of all files so far.
pub type State<'a> = dyn Fn(&BTreeMap<String, Digests>) -> Result<Vec<u8>> + 'a;

/// The whole bag: `payload` and its tag files, by path under the bag's folder. `sign` makes a signature of a statement.
///
/// # Errors
/// A file of the payload that cannot be read, what `sign` says.
pub fn pack(
    label: &Label,
    run: &Run,
    date: &str,
    payload: BTreeMap<String, Content>,
    sign: Option<&Sign<'_>>,
) -> Result<BTreeMap<String, Input>> {
    let state = |known: &BTreeMap<String, Digests>| statement::of(label, run, known);
    packed(label, run, date, payload, sign.map(|sign| (sign, &state as &State<'_>)))
}

/// The same, with what is signed.
///
/// # Errors
/// As [`pack`].
pub fn packed(
    label: &Label,
    run: &Run,
    date: &str,
    payload: BTreeMap<String, Content>,
    sign: Option<(&Sign<'_>, &State<'_>)>,
) -> Result<BTreeMap<String, Input>> {
    let mut bag = Bag::default();
    for (path, content) in payload {
        bag.add(&path, content)?;
    }
    let sizes: Vec<u64> = bag.known.values().map(|digests| digests.bytes).collect();
    bag.text("bagit.txt", DECLARATION)?;
    bag.text("bag-info.txt", info(label, run, date, sizes.into_iter()))?;
    for (index, algorithm) in ALGORITHMS.iter().enumerate() {
        let listed = manifest(&bag.known, index, is_payload);
        bag.text(&format!("manifest-{algorithm}.txt"), listed)?;
    }
    if let Some((sign, state)) = sign {
        let said = state(&bag.known)?;
        let signature = sign(&said)?;
        bag.text(statement::STATEMENT, said)?;
        bag.text(statement::SIGNATURE, signature)?;
    }
    for (index, algorithm) in ALGORITHMS.iter().enumerate() {
        let listed = manifest(&bag.known, index, is_tag);
        bag.text(&format!("tagmanifest-{algorithm}.txt"), listed)?;
    }
    Ok(bag.files)
}

/// A bag that is being packed: each file's digests, taken once.
#[derive(Default)]
struct Bag {
    known: BTreeMap<String, Digests>,
    files: BTreeMap<String, Input>,
}

impl Bag {
    fn add(&mut self, path: &str, content: Content) -> Result<()> {
        let digests = digests(&mut content.reader()?).with_context(|| path.to_owned())?;
        self.files.insert(path.to_owned(), Input { content, bytes: digests.bytes, crc32: digests.crc32 });
        self.known.insert(path.to_owned(), digests);
        Ok(())
    }

    fn text(&mut self, path: &str, text: impl Into<Vec<u8>>) -> Result<()> {
        self.add(path, Content::Memory(text.into()))
    }
}
