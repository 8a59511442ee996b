//! What is free at this moment: memory and disk. For a check before a run, never for a record.

use std::{fs, path::Path};

use super::{
    Fact,
    command::{self, Ask},
    linux, macos,
};

/// Memory that a program may still take, in bytes.
pub fn free_memory() -> Fact<u64> {
    if cfg!(target_os = "macos") { pages(&command::ask) } else { available(Path::new("/")) }
}

/// Free space of the file system that holds `folder`, in bytes.
pub fn free_disk(folder: &Path) -> Fact<u64> {
    match command::ask("df", &["-Pk", &folder.display().to_string()]) {
        Ok(table) => blocks(&table),
        Err(reason) => Fact::unknown(reason),
    }
}

/// Over the last minute.
pub fn load_average() -> Fact<f64> {
    if cfg!(target_os = "macos") { macos::load(&command::ask) } else { linux::load(Path::new("/")) }
}

/// `MemAvailable`, or what the control group leaves, whichever is less.
fn available(root: &Path) -> Fact<u64> {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let number = |path: &str| text(path).trim().parse::<u64>().ok();
    let meminfo = text("proc/meminfo");
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let Some(kib) = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()) else {
        return Fact::unknown("/proc/meminfo has no MemAvailable");
    };
    // Without a limit, memory.max says "max".
    let group = number("sys/fs/cgroup/memory.max").zip(number("sys/fs/cgroup/memory.current"));
    let left = group.map_or(u64::MAX, |(limit, used)| limit.saturating_sub(used));
    Fact::known((kib * 1024).min(left))
}

/// Pages that `vm_stat` calls free, inactive or speculative.
fn pages(ask: Ask) -> Fact<u64> {
    let table = match ask("vm_stat", &[]) {
        Ok(table) => table,
        Err(reason) => return Fact::unknown(reason),
    };
    let page = table.split("page size of ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    let count = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.trim().trim_end_matches('.').parse::<u64>().ok())
    };
    let free = count("Pages free").zip(count("Pages inactive")).zip(count("Pages speculative"));
    match page.zip(free) {
        Some((size, ((free, inactive), speculative))) => Fact::known(size * (free + inactive + speculative)),
        None => Fact::unknown("vm_stat's answer was not understood"),
    }
}

/// `df -Pk` in POSIX's form; the name of a file system may hold spaces, so the column is counted from `Capacity`.
fn blocks(table: &str) -> Fact<u64> {
    let words: Vec<&str> = table.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    let capacity = words.iter().position(|word| word.ends_with('%'));
    let free = capacity.and_then(|at| words.get(at.checked_sub(1)?)?.parse::<u64>().ok());
    match free {
        Some(kib) => Fact::known(kib * 1024),
        None => Fact::unknown("df's answer was not understood"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_group_may_leave_less_than_the_machine() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(available(root.path()).value, None);
        write("proc/meminfo", "MemTotal:  8000 kB\nMemAvailable:    4000 kB\n");
        write("sys/fs/cgroup/memory.max", "max\n");
        write("sys/fs/cgroup/memory.current", "1024\n");
        assert_eq!(available(root.path()).value, Some(4_096_000));
        write("sys/fs/cgroup/memory.max", "3072\n");
        assert_eq!(available(root.path()).value, Some(2048));
    }

    #[test]
    fn macos_counts_pages() {
        let sample = "Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:          1000.\nPages \
                      active:      9.\nPages inactive:       200.\nPages speculative:     30.\n";
        assert_eq!(pages(&|_, _| Ok(sample.to_owned())).value, Some(16384 * 1230));
        assert_eq!(pages(&|_, _| Ok(String::new())).value, None);
    }

    #[test]
    fn df_is_read_on_both_systems() {
        let linux = "Filesystem     1024-blocks    Used Available Capacity Mounted on\n/dev/vda 100 40 60 40% /\n";
        let macos = "Filesystem 1024-blocks Used Available Capacity Mounted on\nmap auto home 100 40 50 45% /System\n";
        assert_eq!((blocks(linux).value, blocks(macos).value), (Some(61_440), Some(51_200)));
        assert_eq!(blocks("").value, None);
        assert!(free_disk(Path::new(".")).value.is_some_and(|bytes| bytes > 0));
        assert_eq!(free_disk(Path::new("no such folder")).value, None);
    }
}
