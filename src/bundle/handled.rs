//! What other programs do to a bundle: pack its folder again, cut it, leave files of their own in it. Said in one sentence with the
//! way out, where a list of everything that is then otherwise would hide it.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

/// What became of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// No bytes.
    Empty,
    /// Some other file.
    NoZip,
    /// A zip archive without its end.
    Cut,
    /// A zip archive with no file in it.
    NoFiles,
    /// The right files, perhaps, in an archive by another program; with or without files that are the Finder's.
    Repacked { littered: bool },
}

/// The end of a zip's directory, its least and most bytes (PKWARE, APPNOTE.TXT 6.3.10, 4.3.16).
const END: usize = 22;
const LONGEST_END: u64 = END as u64 + u16::MAX as u64;
/// The directory's entry for a file, without its name (4.3.12).
const CENTRAL: usize = 46;
/// As far as a directory is read.
const LONGEST_DIRECTORY: u64 = 4 << 20;

impl Handled {
    /// Looks at an archive that is not quite as offprint writes one; `None` where most of it is, so that each fault counts for itself.
    pub fn of(file: &mut (impl Read + Seek)) -> io::Result<Option<Handled>> {
        let length = file.seek(SeekFrom::End(0))?;
        let start = bytes(file, 0, 4)?;
        let last = bytes(file, length.saturating_sub(LONGEST_END), LONGEST_END)?;
        let end = last.windows(END).rposition(|window| window.starts_with(b"PK\x05\x06"));
        let Some(at) = end else {
            return Ok(match start.as_slice() {
                [] => Some(Handled::Empty),
                b"PK\x03\x04" => Some(Handled::Cut),
                _ if start.starts_with(b"PK") => None,
                _ => Some(Handled::NoZip),
            });
        };
        let number = |at: usize, width: usize| {
            last[at..at + width].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
        };
        let files = number(at + 10, 2);
        if files == 0 {
            return Ok(Some(Handled::NoFiles));
        }
        let directory = bytes(file, number(at + 16, 4), number(at + 12, 4).min(LONGEST_DIRECTORY))?;
        Ok(repacked(&directory, files))
    }

    /// As what was found.
    pub fn words(self) -> &'static str {
        match self {
            Handled::Empty => "an empty file",
            Handled::NoZip => "a file that is no zip archive",
            Handled::Cut => "the beginning of one: its end is missing, as after a download that was cut",
            Handled::NoFiles => "a zip archive without a file in it",
            Handled::Repacked { littered: false } => "an archive that another program packed, from the folder perhaps",
            Handled::Repacked { littered: true } => {
                "an archive that another program packed, from the folder perhaps, with files that the Finder left there"
            }
        }
    }

    pub fn hint(self, path: &Path) -> String {
        match self {
            Handled::Repacked { littered } => {
                let first = if littered { " and delete __MACOSX, .DS_Store and ._ files in it" } else { "" };
                format!(
                    "unpack it (unzip {:?} -d FOLDER){first}, then offprint verify FOLDER",
                    path.display().to_string()
                )
            }
            _ => "get the file again, from where it was published".to_owned(),
        }
    }
}

/// At most `most` bytes from `at` on.
fn bytes(file: &mut (impl Read + Seek), at: u64, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.by_ref().take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Are most entries of a directory compressed, dated, or with fields of their own? Ours are none of these.
fn repacked(directory: &[u8], files: u64) -> Option<Handled> {
    let (mut all, mut foreign, mut littered) = (0, 0, false);
    let mut rest = directory;
    while rest.len() >= CENTRAL && rest.starts_with(b"PK\x01\x02") {
        let number = |at: usize| usize::from(u16::from_le_bytes([rest[at], rest[at + 1]]));
        let (method, time, date, name, extra, comment) =
            (number(10), number(12), number(14), number(28), number(30), number(32));
        let is_foreign = method != 0 || time != 0 || date != 0x21 || extra != 0 || comment != 0;
        let Some(path) = rest.get(CENTRAL..CENTRAL + name) else { break };
        littered |= String::from_utf8_lossy(path).split('/').any(|part| litter(part).is_some());
        all += 1;
        foreign += u64::from(is_foreign);
        rest = rest.get(CENTRAL + name + extra + comment..).unwrap_or_default();
    }
    // A directory that cannot be followed to its end is altered.
    (all == files && 2 * foreign > all).then_some(Handled::Repacked { littered })
}

/// Who leaves files or folders of this name behind; `None` for all other names.
pub fn litter(name: &str) -> Option<&'static str> {
    let of_finder =
        [".DS_Store", "__MACOSX", ".Spotlight-V100", ".Trashes", ".fseventsd", ".TemporaryItems", ".localized"];
    let of_windows = ["thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"];
    if of_finder.contains(&name) || name.starts_with("._") {
        Some("the Finder")
    } else if of_windows.contains(&name.to_ascii_lowercase().as_str()) {
        Some("Windows")
    } else if name == ".directory" || name.starts_with(".Trash-") {
        Some("a Linux desktop")
    } else {
        None
    }
}

/// The way out of litter.
pub fn sweep(folder: &Path) -> String {
    format!("none of them is the bundle's: delete them in {:?}, then verify again", folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::bundle::archive;

    fn of(bytes: &[u8]) -> Option<Handled> {
        Handled::of(&mut Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn an_archive_of_ours_with_a_fault_is_still_ours() {
        let files = ["t/a", "t/b", "t/c"].map(|path| (path.to_owned(), b"one".to_vec().into()));
        let mut own = Vec::new();
        archive::write(&mut own, &files.into()).unwrap();
        assert_eq!(of(&own), None);
        for at in 0..own.len() {
            let mut altered = own.clone();
            altered[at] ^= 0x01;
            assert!(!matches!(of(&altered), Some(Handled::Repacked { .. })), "{at}");
        }
        assert_eq!(of(&own[..own.len() - 30]), Some(Handled::Cut));
        assert_eq!((of(b""), of(b"%PDF-1.5 ...")), (Some(Handled::Empty), Some(Handled::NoZip)));
        let mut none = Vec::new();
        archive::write(&mut none, &[].into()).unwrap();
        assert_eq!(of(&none), Some(Handled::NoFiles));
    }

    #[test]
    fn names_of_litter() {
        assert_eq!((litter(".DS_Store"), litter("._paper.md")), (Some("the Finder"), Some("the Finder")));
        assert_eq!((litter("Thumbs.db"), litter("Desktop.ini")), (Some("Windows"), Some("Windows")));
        assert!(litter("data").is_none() && litter(".git").is_none() && litter("paper.md").is_none());
    }
}
