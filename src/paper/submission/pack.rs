//! Files -> a `.tar.gz` of which every byte follows from their names and contents (POSIX ustar in gzip, RFC 1952): sorted, of nobody,
//! dated 1980-01-01.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use miniz_oxide::deflate::compress_to_vec;

const BLOCK: usize = 512;
/// 1980-01-01: no clock is asked, and no program warns of a time before that.
const DATE: u64 = 315_532_800;
const LONGEST_NAME: usize = 100;

/// The archive.
///
/// # Errors
/// A name that a tar has no room for, a file of gigabytes.
pub fn tar_gz(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut tar = Vec::new();
    for (name, bytes) in files {
        ensure!(name.len() <= LONGEST_NAME && !name.is_empty(), "{name}: a name of at most {LONGEST_NAME} bytes");
        ensure!(bytes.len() < 1 << 30, "{name}: larger than an archive of a paper may be");
        tar.extend(header(name, bytes.len()));
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    // Deflated, no flags, no time, most compression, no system.
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    packed.extend(compress_to_vec(&tar, 9));
    packed.extend(crc32fast::hash(&tar).to_le_bytes());
    packed.extend(u32::try_from(tar.len() % (1 << 32)).unwrap_or_default().to_le_bytes());
    Ok(packed)
}

fn header(name: &str, bytes: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{bytes:011o}\0").as_bytes());
    put(136, format!("{DATE:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use miniz_oxide::inflate::decompress_to_vec;

    use super::*;

    #[test]
    fn an_archive_has_its_files_and_its_sums() {
        let files = BTreeMap::from([("a/b.tex".to_owned(), vec![b'x'; 700]), ("c".to_owned(), vec![])]);
        let packed = tar_gz(&files).unwrap();
        assert_eq!(packed, tar_gz(&files).unwrap());
        let tar = decompress_to_vec(&packed[10..packed.len() - 8]).unwrap();
        assert_eq!(tar.len(), BLOCK * (1 + 2 + 1 + 2));
        assert_eq!(&tar[..8], b"a/b.tex\0");
        assert_eq!(&tar[BLOCK..BLOCK + 700], [b'x'; 700]);
        assert_eq!(packed[packed.len() - 8..packed.len() - 4], crc32fast::hash(&tar).to_le_bytes());
        assert!(tar_gz(&BTreeMap::from([("x".repeat(101), vec![])])).is_err());
    }
}
