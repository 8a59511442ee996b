//! Whose is the port? A stranger's server must not be measured.

/// Does a process of this group listen at the port? `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn is_of(group: u32, port: u16) -> Option<bool> {
    use std::{fs, path::Path};

    /// State of a listening socket, and its inode, in a table of the kernel's.
    const LISTENS: &str = "0A";
    let hexadecimal = format!(":{port:04X}");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|table| fs::read_to_string(table).ok());
    let inodes: Vec<String> = tables
        .flat_map(|table| table.lines().skip(1).map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&hexadecimal) && *fields.get(3)? == LISTENS;
            listens.then(|| format!("socket:[{}]", fields.get(9).copied().unwrap_or_default()))
        })
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let holds = |process: &u32| {
        let open =
            fs::read_dir(Path::new("/proc").join(process.to_string()).join("fd")).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
    };
    Some(members(group).iter().any(holds))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_of(group: u32, port: u16) -> Option<bool> {
    // `lsof -t` prints who listens; `ps -o pgid=` their groups.
    let who = crate::machine::ask("lsof", &["-nP", &format!("-iTCP:{port}"), "-sTCP:LISTEN", "-t"]).ok()?;
    let listeners: Vec<&str> = who.split_whitespace().collect();
    if listeners.is_empty() {
        return None;
    }
    let of = |process: &&str| crate::machine::ask("ps", &["-o", "pgid=", "-p", process]).ok();
    Some(listeners.iter().filter_map(of).any(|found| found.trim() == group.to_string()))
}

/// The processes of a group.
#[cfg(target_os = "linux")]
pub(super) fn members(group: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_group = |process: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // The name before the last bracket may hold anything.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        fields.split_whitespace().nth(2) == Some(group.to_string().as_str())
    };
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(of_group).collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn members(_: u32) -> Vec<u32> {
    Vec::new()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_known_by_who_listens_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ours = nix::unistd::getpgrp().as_raw() as u32;
        assert!(members(ours).contains(&std::process::id()));
        assert_eq!(is_of(ours, port), Some(true));
        assert_eq!(is_of(1, port), Some(false), "another group's");
        drop(listener);
        assert_eq!(is_of(ours, port), None, "nobody listens");
    }
}
