//! The archive: a zip file of which every byte follows from the names and contents of the files in it. Files are stored,
//! not compressed, so that the bytes depend on no compressor's version and an archive is never larger inside than
//! outside; sorted, side by side, dated 1980-01-01, with no extra field and no comment.
//!
//! Written here and not by a library because the form itself is verified: a library's next version may write other bytes,
//! and a reader that is lenient accepts two archives for one content. Structures: PKWARE, APPNOTE.TXT 6.3.10, 4.3.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use anyhow::{Context, Result, ensure};

use super::{
    names::{self, LONGEST_NAME},
    problem::{Check, Problem},
};

/// The most files that a bundle may hold.
pub const MOST_FILES: usize = 10_000;
/// The largest archive, and the most bytes that a bundle's files may have together: what offsets of 32 bits reach.
pub const MOST_BYTES: u64 = u32::MAX as u64;

const LOCAL: usize = 30;
const CENTRAL: usize = 46;
const END: usize = 22;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub bytes: u64,
    pub crc32: u32,
    /// Where its content begins in the archive.
    pub start: u64,
}

/// A file to be written.
#[derive(Debug)]
pub struct Input {
    pub content: Content,
    pub bytes: u64,
    pub crc32: u32,
}

/// Where a file's bytes are until they are written.
#[derive(Debug)]
pub enum Content {
    Memory(Vec<u8>),
    /// In a file of its own, read while the archive is written: rows may be more than memory.
    Disk(PathBuf),
}

impl Content {
    /// The bytes, from the first.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn reader(&self) -> Result<Box<dyn Read + '_>> {
        Ok(match self {
            Content::Memory(bytes) => Box::new(bytes.as_slice()),
            Content::Disk(path) => Box::new(File::open(path).with_context(|| path.display().to_string())?),
        })
    }

    /// How many bytes there are.
    ///
    /// # Errors
    /// The file is gone.
    pub fn bytes(&self) -> Result<u64> {
        Ok(match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Disk(path) => fs::metadata(path).with_context(|| path.display().to_string())?.len(),
        })
    }
}

impl From<Vec<u8>> for Input {
    fn from(bytes: Vec<u8>) -> Input {
        Input { bytes: bytes.len() as u64, crc32: crc32fast::hash(&bytes), content: Content::Memory(bytes) }
    }
}

/// What the archive's own structures say of a file.
#[derive(Clone, Copy)]
struct Header {
    crc32: u32,
    bytes: u32,
    name: u16,
    offset: u32,
}

impl Header {
    /// Local file header (4.3.7), without the name.
    fn local(self) -> [u8; LOCAL] {
        let mut bytes = [0; LOCAL];
        bytes[..4].copy_from_slice(b"PK\x03\x04");
        self.shared(&mut bytes[4..]);
        bytes
    }

    /// Central directory header (4.3.12), without the name.
    fn central(self) -> [u8; CENTRAL] {
        let mut bytes = [0; CENTRAL];
        bytes[..4].copy_from_slice(b"PK\x01\x02");
        put(&mut bytes, 4, &0x0314_u16.to_le_bytes()); // made by: Unix, version 2.0
        self.shared(&mut bytes[6..32]);
        put(&mut bytes, 38, &(0o100_644_u32 << 16).to_le_bytes()); // a plain file, rw-r--r--
        put(&mut bytes, 42, &self.offset.to_le_bytes());
        bytes
    }

    /// The 26 bytes that both have: version, flags, method, time, date, CRC, sizes, lengths of name and extra field.
    fn shared(self, bytes: &mut [u8]) {
        put(bytes, 0, &10_u16.to_le_bytes()); // needs version 1.0
        put(bytes, 8, &0x0021_u16.to_le_bytes()); // 1980-01-01
        put(bytes, 10, &self.crc32.to_le_bytes());
        put(bytes, 14, &self.bytes.to_le_bytes());
        put(bytes, 18, &self.bytes.to_le_bytes());
        put(bytes, 22, &self.name.to_le_bytes());
    }
}

/// End of central directory record (4.3.16).
fn end(files: u16, size: u32, offset: u32) -> [u8; END] {
    let mut bytes = [0; END];
    bytes[..4].copy_from_slice(b"PK\x05\x06");
    put(&mut bytes, 8, &files.to_le_bytes());
    put(&mut bytes, 10, &files.to_le_bytes());
    put(&mut bytes, 12, &size.to_le_bytes());
    put(&mut bytes, 16, &offset.to_le_bytes());
    bytes
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Writes `files`, by path, as one archive. The same files give the same bytes.
///
/// # Errors
/// A path that may not stand in a bundle, too many files or bytes, a file of another size than was said, or what `out` says.
pub fn write(out: &mut impl Write, files: &BTreeMap<String, Input>) -> Result<()> {
    ensure!(files.len() <= MOST_FILES, "{} files; a bundle holds at most {MOST_FILES}", files.len());
    let mut directory = Vec::new();
    let mut offset: u64 = 0;
    for (path, file) in files {
        ensure!(names::fault(path.as_bytes()).is_none(), "{path}: not a path that a bundle may hold");
        let too_large = || format!("{path}: with this file a bundle has more than {MOST_BYTES} bytes");
        let header = Header {
            crc32: file.crc32,
            bytes: u32::try_from(file.bytes).ok().with_context(too_large)?,
            name: u16::try_from(path.len())?,
            offset: u32::try_from(offset).ok().with_context(too_large)?,
        };
        out.write_all(&header.local())?;
        out.write_all(path.as_bytes())?;
        let written = io::copy(&mut file.content.reader()?, out)?;
        ensure!(written == file.bytes, "{path}: changed while it was read: {} bytes, then {written}", file.bytes);
        directory.extend_from_slice(&header.central());
        directory.extend_from_slice(path.as_bytes());
        offset += (LOCAL + path.len()) as u64 + file.bytes;
    }
    let small = |n: u64| u32::try_from(n).ok().with_context(|| format!("a bundle has at most {MOST_BYTES} bytes"));
    small(offset + (directory.len() + END) as u64)?;
    out.write_all(&directory)?;
    out.write_all(&end(files.len() as u16, directory.len() as u32, small(offset)?))?;
    Ok(())
}

/// Lists an archive without reading its contents: the files that can be read safely, and everything about its form that is
/// not as [`write()`] makes it. Memory is the directory's, at most 3 MB.
///
/// # Errors
/// Only what `file` itself gives.
pub fn list(file: &mut (impl Read + Seek)) -> io::Result<(Vec<Entry>, Vec<Problem>)> {
    let mut reading = Listing { entries: Vec::new(), problems: Vec::new(), next: 0 };
    let length = file.seek(SeekFrom::End(0))?;
    let Some((files, directory)) = reading.directory(file, length)? else {
        return Ok((reading.entries, reading.problems));
    };
    let start = length - (END + directory.len()) as u64;
    let mut rest = directory.as_slice();
    for _ in 0..files {
        let Some(after) = reading.entry(file, rest, start)? else { break };
        rest = after;
    }
    if !rest.is_empty() || reading.next != start {
        reading.whole("files side by side, then their directory, and nothing else", "bytes that belong to no file");
    }
    if !reading.entries.windows(2).all(|pair| pair[0].path < pair[1].path) {
        reading.whole("files sorted by path", "another order");
    }
    reading.problems.extend(names::collisions(reading.entries.iter().map(|entry| entry.path.as_str())));
    Ok((reading.entries, reading.problems))
}

struct Listing {
    entries: Vec<Entry>,
    problems: Vec<Problem>,
    /// Where the next file has to begin.
    next: u64,
}

impl Listing {
    fn whole(&mut self, expected: &str, found: impl AsRef<str>) {
        self.problems.push(Problem::new(Check::Archive, "(the archive)", expected, found));
    }

    /// Number of files and bytes of the directory, if the archive ends as one of ours.
    fn directory(&mut self, file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<(u16, Vec<u8>)>> {
        if length > MOST_BYTES {
            self.whole(&format!("at most {MOST_BYTES} bytes"), format!("{length}"));
            return Ok(None);
        }
        let mut last = [0; END];
        if length >= END as u64 {
            file.seek(SeekFrom::End(-(END as i64)))?;
            file.read_exact(&mut last)?;
        }
        let (files, size, offset) = (u16_at(&last, 8), u32_at(&last, 12), u32_at(&last, 16));
        if last != end(files, size, offset) || u64::from(offset) + u64::from(size) + END as u64 != length {
            self.whole("a zip archive that ends with its directory", "another end: cut off, altered, or no archive");
            return Ok(None);
        }
        if usize::from(files) > MOST_FILES || size as usize > MOST_FILES * (CENTRAL + LONGEST_NAME) {
            self.whole(&format!("at most {MOST_FILES} files"), format!("{files}, with a directory of {size} bytes"));
            return Ok(None);
        }
        let mut directory = vec![0; size as usize];
        file.seek(SeekFrom::Start(offset.into()))?;
        file.read_exact(&mut directory)?;
        Ok(Some((files, directory)))
    }

    /// One file's entry in the directory, and its header before its content. Returns the rest of the directory, or `None`
    /// where the thread is lost.
    fn entry<'a>(
        &mut self,
        file: &mut (impl Read + Seek),
        directory: &'a [u8],
        end: u64,
    ) -> io::Result<Option<&'a [u8]>> {
        let lengths = |at| usize::from(u16_at(directory, at));
        let enough = directory.len() >= CENTRAL && directory.starts_with(b"PK\x01\x02");
        let size = if enough { CENTRAL + lengths(28) + lengths(30) + lengths(32) } else { 0 };
        if !enough || directory.len() < size {
            self.whole("an entry of the directory for each file", "something else");
            return Ok(None);
        }
        let (entry, rest) = directory.split_at(size);
        let name = &entry[CENTRAL..CENTRAL + lengths(28)];
        let path = String::from_utf8_lossy(name).into_owned();
        let header = Header {
            crc32: u32_at(entry, 16),
            bytes: u32_at(entry, 24),
            name: name.len() as u16,
            offset: u32_at(entry, 42),
        };
        let mut misfits = Vec::new();
        if let Some(fault) = names::fault(name) {
            misfits.push(("a plain relative path".to_owned(), fault.to_owned()));
        }
        misfits.extend(differences(&entry[..CENTRAL], &header.central(), &FIELDS));
        let start = u64::from(header.offset) + (LOCAL + name.len()) as u64;
        let after = start + u64::from(header.bytes);
        if u64::from(header.offset) != self.next || after > end {
            misfits.push((format!("the file at byte {}", self.next), format!("it at byte {}", header.offset)));
        } else {
            let mut local = vec![0; LOCAL + name.len()];
            file.seek(SeekFrom::Start(header.offset.into()))?;
            file.read_exact(&mut local)?;
            misfits.extend(differences(&local[..LOCAL], &header.local(), &FIELDS[1..]));
            if &local[LOCAL..] != name {
                misfits.push(("the same path before the content".to_owned(), "another".to_owned()));
            }
            self.next = after;
        }
        if misfits.is_empty() {
            self.entries.push(Entry { path, bytes: header.bytes.into(), crc32: header.crc32, start });
        } else {
            let named = misfits.iter().map(|(expected, found)| Problem::new(Check::Archive, &path, expected, found));
            self.problems.extend(named);
        }
        Ok(Some(rest))
    }
}

/// Fields by name and width in bytes, in the order of the central header; a local header has those from the second to the
/// tenth. (4.4)
const FIELDS: [(&str, usize); 16] = [
    ("the version that made it", 2),
    ("the version needed", 2),
    ("flags", 2),
    ("compression method (0 is none)", 2),
    ("time", 2),
    ("date", 2),
    ("CRC-32", 4),
    ("size in the archive", 4),
    ("size", 4),
    ("length of the path", 2),
    ("length of the extra field", 2),
    ("length of the comment", 2),
    ("disk", 2),
    ("internal attributes", 2),
    ("attributes (a plain file's)", 4),
    ("offset", 4),
];

/// Where a header is not what it has to be, in words.
fn differences(found: &[u8], expected: &[u8], fields: &[(&str, usize)]) -> Vec<(String, String)> {
    let mut differences = Vec::new();
    if found[..4] != expected[..4] {
        differences.push(("a file's header".to_owned(), "something else".to_owned()));
    }
    let mut at = 4;
    for (name, width) in fields {
        let (Some(a), Some(b)) = (found.get(at..at + width), expected.get(at..at + width)) else { break };
        if a != b {
            let number = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
            differences.push((format!("{name} {}", number(b)), number(a).to_string()));
        }
        at += width;
    }
    differences
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn archive(files: &[(&str, &str)]) -> Vec<u8> {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec().into())).collect();
        let mut bytes = Vec::new();
        write(&mut bytes, &files).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_listed_without_a_problem() {
        let bytes = archive(&[("t/a", "one"), ("t/b/c", ""), ("t/d", "three")]);
        let (entries, problems) = list(&mut Cursor::new(&bytes)).unwrap();
        assert_eq!(problems, []);
        let contents: Vec<&[u8]> =
            entries.iter().map(|entry| &bytes[entry.start as usize..][..entry.bytes as usize]).collect();
        assert_eq!(contents, [b"one".as_slice(), b"", b"three"]);
        assert!(entries.iter().zip(&contents).all(|(entry, content)| entry.crc32 == crc32fast::hash(content)));
        assert_eq!(list(&mut Cursor::new(archive(&[]))).unwrap(), (vec![], vec![]));
    }

    /// Contents are for the manifests; every other byte is for this module.
    #[test]
    fn every_byte_outside_of_contents_counts() {
        let bytes = archive(&[("t/a", "one"), ("t/b", "two")]);
        let (entries, _) = list(&mut Cursor::new(&bytes)).unwrap();
        for at in 0..bytes.len() {
            let inside = |entry: &Entry| (entry.start..entry.start + entry.bytes).contains(&(at as u64));
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                let (found, problems) = list(&mut Cursor::new(&altered)).unwrap();
                // A changed CRC or name in both places would be another archive; in one it is a contradiction.
                assert!(!problems.is_empty() || entries.iter().any(inside), "byte {at}, bit {bit}: {found:?}");
            }
        }
    }

    #[test]
    fn an_archive_cut_anywhere_is_a_problem_and_no_panic() {
        let bytes = archive(&[("t/a", "one"), ("t/b", "two")]);
        for length in 0..bytes.len() {
            assert!(!list(&mut Cursor::new(&bytes[..length])).unwrap().1.is_empty(), "{length}");
            assert!(!list(&mut Cursor::new(&bytes[length + 1..])).unwrap().1.is_empty(), "{length}");
        }
        assert!(!list(&mut Cursor::new([bytes.as_slice(), b"\0"].concat())).unwrap().1.is_empty());
    }
}
