//! Signatures, with the real `ssh-keygen` on the other side.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use offprint::bundle::{Bundle, Signed, signature::AllowedSigners, verify};
use serde_json::Value;
use tempfile::TempDir;

use super::{check, files, offprint, places, relist, run, unpacked};

fn ssh_keygen(arguments: &[&str]) -> bool {
    // OpenSSH is needed by this test; `.ci/run` installs it.
    Command::new("ssh-keygen").args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success()
}

/// A key pair without a passphrase; the public half as text.
fn key(folder: &Path, name: &str) -> (PathBuf, String) {
    let file = folder.join(name);
    assert!(ssh_keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file.to_str().unwrap()]));
    let public = fs::read_to_string(file.with_extension("pub")).unwrap();
    (file, public.trim().to_owned())
}

fn signed() -> (TempDir, PathBuf, String) {
    let (folder, run) = run();
    let (private, public) = key(folder.path(), "key");
    let out = folder.path().join("signed.zip");
    let arguments = [
        "bundle",
        "--version",
        "1.0.0",
        "--run",
        run.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--sign",
        private.to_str().unwrap(),
    ];
    let said = offprint(folder.path(), &arguments);
    assert!(said.status.success(), "{said:?}");
    (folder, out, public)
}

#[test]
fn ssh_keygen_and_verify_agree_on_who_signed() {
    let (folder, archive, public) = signed();
    let all = files(&archive);
    let (_unpacked, top) = unpacked(&all, "tiny-1.0.0");
    let (statement, signature) = (top.join("signature/statement.json"), top.join("signature/statement.json.sig"));
    let allowed = folder.path().join("allowed");
    let foreign = |signers: &str| {
        fs::write(&allowed, signers).unwrap();
        Command::new("ssh-keygen")
            .args([
                "-Y",
                "verify",
                "-f",
                allowed.to_str().unwrap(),
                "-I",
                "ada@example.org",
                "-n",
                "offprint-bundle",
                "-s",
            ])
            .arg(&signature)
            .stdin(File::open(&statement).unwrap())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    };
    let ours = |signers: &str| {
        let allowed = AllowedSigners::from_str("allowed", signers).unwrap();
        verify(&Bundle::open(&archive).unwrap(), Some(&allowed)).unwrap()
    };
    let (_, other) = key(folder.path(), "other");
    for (signers, good) in [
        (format!("ada@example.org {public}\n"), true),
        (format!("# ours\nada@example.org namespaces=\"offprint-bundle\" {public}\n"), true),
        (format!("ada@example.org namespaces=\"git\" {public}\n"), false),
        (format!("ada@example.org {other}\n"), false),
    ] {
        assert_eq!(foreign(&signers), good, "ssh-keygen: {signers}");
        let report = ours(&signers);
        assert_eq!(report.is_fine(), good, "{signers}: {:?}", report.problems);
        assert_eq!(matches!(report.signature, Signed::Allowed { .. }), good);
    }
    assert!(matches!(check(&archive).signature, Signed::By { .. }));

    // An in-toto statement about the manifests.
    let said: Value = serde_json::from_slice(&all["signature/statement.json"]).unwrap();
    assert_eq!(said["_type"], "https://in-toto.io/Statement/v1");
    let subjects: Vec<&str> = said["subject"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert!(subjects.contains(&"manifest-sha256.txt"), "{subjects:?}");
    for key in ["weights", "binary", "machine", "plan", "result"] {
        assert!(!said["predicate"][key].is_null(), "{key}");
    }
}

#[test]
fn what_was_changed_after_signing_does_not_pass() {
    let (_folder, archive, _) = signed();
    let all = files(&archive);
    // The content, with every manifest made to fit: the statement is about other manifests.
    let mut changed = all.clone();
    let rows = changed.iter_mut().find(|(path, _)| path.ends_with("runs.jsonl")).unwrap().1;
    *rows = String::from_utf8(rows.clone()).unwrap().replacen("\"seed\":", "\"seed\": ", 1).into_bytes();
    relist(&mut changed);
    let (_a, top) = unpacked(&changed, "tiny-1.0.0");
    let found = places(&check(&top).problems);
    assert!(found.contains(&"fixity: signature/statement.json".to_owned()), "{found:?}");
    // The statement as well: the signature is of another.
    let mut changed = all.clone();
    let statement = changed.get_mut("signature/statement.json").unwrap();
    *statement = String::from_utf8(statement.clone()).unwrap().replacen("1.0.0", "1.0.1", 1).into_bytes();
    relist(&mut changed);
    let (_b, top) = unpacked(&changed, "tiny-1.0.0");
    let report = check(&top);
    assert_eq!(report.signature, Signed::Bad);
    assert!(places(&report.problems).contains(&"signature: signature/statement.json.sig".to_owned()));
    // Removed: only a reader who asks for a signer can know.
    let mut changed = all;
    changed.retain(|path, _| !path.starts_with("signature/"));
    relist(&mut changed);
    let (_c, top) = unpacked(&changed, "tiny-1.0.0");
    assert!(check(&top).is_fine());
    let nobody = AllowedSigners::from_str("allowed", "").unwrap();
    assert!(!verify(&Bundle::open(&top).unwrap(), Some(&nobody)).unwrap().is_fine());
}

#[test]
fn keys_that_cannot_sign_say_why() {
    let (folder, run) = run();
    let file = |name: &str| folder.path().join(name).display().to_string();
    assert!(ssh_keygen(&["-q", "-t", "ed25519", "-N", "secret", "-f", &file("locked")]));
    assert!(ssh_keygen(&["-q", "-t", "ecdsa", "-N", "", "-f", &file("ecdsa")]));
    fs::write(file("text"), "not a key\n").unwrap();
    for (name, reason) in [("locked", "passphrase"), ("ecdsa", "ed25519"), ("text", "private key"), ("none", "none")] {
        let said = offprint(
            folder.path(),
            &["bundle", "--version", "1.0.0", "--run", run.to_str().unwrap(), "--sign", &file(name)],
        );
        let text = String::from_utf8(said.stderr).unwrap();
        assert_eq!(said.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(reason) && text.contains("hint:"), "{name}: {text}");
    }
    assert!(!folder.path().join("results/bundles").exists());
}
