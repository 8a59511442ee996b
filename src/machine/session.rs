//! Which session of which machine: what a fleet calls both, and the boot, so that whoever puts executions together can tell two sessions
//! from one. What a system calls its boot is drawn at random each time and kept as its digest.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    Fact,
    command::{self, Ask},
};
use crate::digest;

/// A session of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The machine's label in its fleet; absent where nobody gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Which of the machine's sessions, from 1; absent where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// SHA-256 of what the system calls the boot that it was begun in.
    pub boot_sha256: Fact<String>,
}

impl Session {
    /// Without a fleet.
    pub fn here() -> Self {
        let boot = if cfg!(target_os = "macos") { of_sysctl(&command::ask) } else { of_proc(Path::new("/")) };
        Session { machine: None, number: None, boot_sha256: boot }
    }

    /// As a fleet calls it.
    pub fn of_fleet(machine: &str, number: u32) -> Self {
        Session { machine: Some(machine.to_owned()), number: Some(number), ..Session::here() }
    }
}

fn of_proc(root: &Path) -> Fact<String> {
    match fs::read_to_string(root.join("proc/sys/kernel/random/boot_id")) {
        Ok(id) => digested(&id),
        Err(error) => Fact::unknown(format!("/proc/sys/kernel/random/boot_id: {error}")),
    }
}

fn of_sysctl(ask: Ask) -> Fact<String> {
    match ask("sysctl", &["-n", "kern.bootsessionuuid"]) {
        Ok(id) => digested(&id),
        Err(reason) => Fact::unknown(reason),
    }
}

fn digested(id: &str) -> Fact<String> {
    match id.trim() {
        "" => Fact::unknown("the system has no name for this boot"),
        id => Fact::known(digest::sha256_hex(id.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_is_known_by_its_digest_or_a_reason() {
        let root = tempfile::tempdir().unwrap();
        assert!(
            of_proc(root.path()).reason.is_some_and(|reason| reason.starts_with("/proc/sys/kernel/random/boot_id: "))
        );
        let folder = root.path().join("proc/sys/kernel/random");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("boot_id"), "abc\n").unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_proc(root.path()).value.as_deref(), Some(digest));
        assert_eq!(of_sysctl(&|_, _| Ok("abc\n".to_owned())).value.as_deref(), Some(digest));
        assert!(of_sysctl(&|_, _| Ok("\n".to_owned())).value.is_none());
        assert_eq!(of_sysctl(&|_, _| Err("no sysctl".to_owned())), Fact::unknown("no sysctl"));
    }
}
