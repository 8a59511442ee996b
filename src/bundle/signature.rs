//! Signatures in the form that `ssh-keygen -Y sign` makes and `ssh-keygen -Y verify` checks (OpenSSH, PROTOCOL.sshsig),
//! with Ed25519 keys. Whom to believe is the reader's: an allowed-signers file, as `ssh-keygen` reads it.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

/// The namespace of signatures on bundles, so that one made for another purpose is none.
pub const NAMESPACE: &str = "offprint-bundle";

/// Reads an Ed25519 private key.
///
/// # Errors
/// No key, one of another kind, one with a passphrase.
pub fn read_key(path: &Path) -> Result<PrivateKey> {
    let key = PrivateKey::read_openssh_file(path).map_err(|error| {
        anyhow!("{}: expected an OpenSSH private key: {error}\nhint: ssh-keygen -t ed25519 makes one", path.display())
    })?;
    ensure!(
        !key.is_encrypted(),
        "{}: the key has a passphrase\nhint: sign with a key of its own: ssh-keygen -t ed25519 -N '' -f bundle_key",
        path.display()
    );
    ensure!(
        key.algorithm() == Algorithm::Ed25519,
        "{}: expected an ed25519 key, found {}\nhint: ssh-keygen -t ed25519 makes one",
        path.display(),
        key.algorithm()
    );
    Ok(key)
}

/// The signature of `message`, PEM.
///
/// # Errors
/// What the key's library says.
pub fn sign(key: &PrivateKey, message: &[u8]) -> Result<String> {
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, message).context("signing")?;
    let mut pem = signature.to_pem(LineEnding::LF).context("signing")?;
    if !pem.ends_with('\n') {
        pem.push('\n');
    }
    Ok(pem)
}

/// Who signed: the key's fingerprint, `SHA256:...`, if the signature is one of `message`.
///
/// # Errors
/// No signature, another key type, namespace or message.
pub fn check(signature: &str, message: &[u8]) -> Result<PublicKey> {
    let signature = SshSig::from_pem(signature).map_err(|error| anyhow!("no SSH signature: {error}"))?;
    let found = signature.algorithm();
    ensure!(found == Algorithm::Ed25519, "a signature of kind {found}");
    ensure!(signature.namespace() == NAMESPACE, "a signature for `{}`", signature.namespace());
    let key = PublicKey::new(signature.public_key().clone(), "");
    key.verify(NAMESPACE, message, &signature).map_err(|_| anyhow!("a signature of something else"))?;
    Ok(key)
}

/// `SHA256:...`, as `ssh-keygen -l` prints it.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// An allowed-signers file (ssh-keygen(1), ALLOWED SIGNERS).
#[derive(Debug, Clone)]
pub struct AllowedSigners(Vec<(String, PublicKey)>);

impl AllowedSigners {
    /// Reads the file's text; `file` is its name in errors. Of the options, only `namespaces=` is understood: a line with
    /// another would be believed too far, and is refused.
    ///
    /// # Errors
    /// A line that is none, with its number.
    pub fn from_str(file: &str, text: &str) -> Result<Self> {
        let mut signers = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = signer(line).with_context(|| format!("{file}:{}", index + 1))?;
            signers.extend(read);
        }
        Ok(AllowedSigners(signers))
    }

    /// The principals that the file gives for `key`.
    pub fn principals(&self, key: &PublicKey) -> Option<&str> {
        self.0
            .iter()
            .find(|(_, allowed)| allowed.key_data() == key.key_data())
            .map(|(principals, _)| principals.as_str())
    }
}

/// One line: who, and with what key; `None` where it is about another purpose.
fn signer(line: &str) -> Result<Option<(String, PublicKey)>> {
    let hint = "hint: PRINCIPAL [namespaces=\"offprint-bundle\"] ssh-ed25519 AAAA...";
    let mut fields = line.split_whitespace();
    let (Some(principals), Some(mut next)) = (fields.next(), fields.next()) else {
        bail!("expected a principal and a key, found `{line}`\n{hint}")
    };
    let mut meant = true;
    let is_key = |word: &str| word.starts_with("ssh-") || word.starts_with("ecdsa-") || word.starts_with("sk-");
    if !is_key(next) {
        let Some(namespaces) = next.strip_prefix("namespaces=") else {
            bail!("expected `namespaces=` or a key, found `{next}`\n{hint}")
        };
        meant = namespaces.trim_matches('"').split(',').any(|namespace| namespace == NAMESPACE);
        next = fields.next().with_context(|| format!("no key\n{hint}"))?;
    }
    if next != "ssh-ed25519" {
        return Ok(None); // other lines of a shared file are not about our signatures
    }
    let key = fields.next().with_context(|| format!("no key\n{hint}"))?;
    let key = PublicKey::from_openssh(&format!("{next} {key}")).map_err(|error| anyhow!("no key: {error}\n{hint}"))?;
    Ok(meant.then(|| (principals.to_owned(), key)))
}
