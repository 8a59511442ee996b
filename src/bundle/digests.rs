//! The digests of a file, all in one pass.

use std::io::{self, Read};

use sha2::{Digest, Sha256, Sha512};

use crate::digest::hex;

/// As manifests name them.
pub const ALGORITHMS: [&str; 2] = ["sha256", "sha512"];

/// What is computed of a file in one pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    pub bytes: u64,
    pub crc32: u32,
    /// By algorithm, as [`ALGORITHMS`], lower-case hex.
    pub hex: [String; 2],
}

/// Reads `content` to its end.
pub fn digests(content: &mut impl Read) -> io::Result<Digests> {
    let (mut short, mut long, mut crc, mut bytes) = (Sha256::new(), Sha512::new(), crc32fast::Hasher::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = &buffer[..read];
        short.update(piece);
        long.update(piece);
        crc.update(piece);
        bytes += read as u64;
    }
    Ok(Digests { bytes, crc32: crc.finalize(), hex: [hex(&short.finalize()), hex(&long.finalize())] })
}
