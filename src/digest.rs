//! SHA-256 of bytes and of files, as lower-case hex. Knows nothing else of what the bytes mean.

use std::{fs::File, io, path::Path};

use sha2::{Digest, Sha256};

/// The SHA-256 of `bytes`, 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of token ids, each as 4 bytes, little-endian: what records call an output.
pub fn sha256_ids(ids: &[u32]) -> String {
    sha256_hex(&ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>())
}

/// The SHA-256 of a file, read as a stream, so a checkpoint of any size needs little memory.
///
/// # Errors
/// Whatever opening or reading `path` gives.
pub fn sha256_file(path: &Path) -> io::Result<String> {
    sha256_reader(&mut File::open(path)?)
}

/// The SHA-256 of all that `reader` gives.
///
/// # Errors
/// Whatever reading gives.
pub fn sha256_reader(reader: &mut impl io::Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(reader, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |of: u8| char::from(b"0123456789abcdef"[usize::from(of)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one-block example of FIPS 180-4.
    #[test]
    fn abc_has_its_published_digest() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
