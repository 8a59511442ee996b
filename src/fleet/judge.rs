//! What a machine of a fleet answered, or why it did not -> checks, each with the way out. Asking is apart from judging.

use super::{ANSWER_SCHEMA, Answer, Build, LockedMachine, Machine, Said, Verdict, Via};

/// Of a first word to a machine: the exit code, where there was one, and what it said on stderr.
pub fn reached(machine: &Machine, code: Option<i32>, said: &str) -> Said {
    let line = last_line(said);
    if code == Some(0) {
        return Said::good("reach", "it answers, and its folder can be written");
    }
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    if has(&["No space left on device", "Disk quota exceeded"]) {
        return Said::fails("space", line, format!("free some space where {} lies", machine.home));
    }
    match &machine.via {
        Via::Ssh { host, .. } if has(&["Host key verification failed", "IDENTIFICATION HAS CHANGED"]) => {
            let hint =
                format!("ssh {host}, once and by hand, shows its key; one that has changed: ssh-keygen -R {host}");
            Said::fails("key", format!("{host} shows a key that is not known: {line}"), hint)
        }
        Via::Ssh { host, .. } if has(&["Permission denied (", "Too many authentication failures"]) => {
            let hint = format!(
                "ssh-copy-id {host} puts your key there, and ssh-add into the agent: nobody can type a passphrase"
            );
            Said::fails("key", format!("{host} takes none of the keys that it is shown: {line}"), hint)
        }
        Via::Ssh { host, .. } if code == Some(255) => {
            let hint = "is it switched on, awake and in this network? on a Mac: System Settings, Sharing, Remote Login";
            Said::fails("reach", format!("{host} does not answer: {line}"), hint)
        }
        Via::Slurm(_) if has(&["nodes are busy", "Immediate execution impossible"]) => Said::note(
            "reach",
            format!("SLURM has no free node now: {line}"),
            "its shards will wait for one; ask again later",
        ),
        Via::Slurm(_) if said.contains("srun:") => {
            let hint = "sinfo -o '%P %D %T %f %G' lists partitions, nodes, their features and what they have";
            Said::fails("reach", format!("SLURM gives no node: {line}"), hint)
        }
        _ => {
            let hint = format!("`home` in fleet.yaml names a folder that can be written there; it is {}", machine.home);
            Said::fails("home", line, hint)
        }
    }
}

/// Of `offprint doctor --json` there: the machine's own checks that are not good, and what only the fleet can tell.
pub fn answered(
    machine: &Machine,
    expected: &LockedMachine,
    here: &Build,
    code: Option<i32>,
    out: &str,
    said: &str,
) -> Vec<Said> {
    let program = machine.offprint.as_deref().unwrap_or("offprint");
    if matches!(code, Some(126 | 127)) {
        let hint = "install it there, and give its full path in `offprint`: a shell that ssh starts may have no /opt/homebrew/bin or ~/.cargo/bin in its PATH";
        return vec![Said::fails("offprint", format!("there is no {program}: {}", last_line(said)), hint)];
    }
    let answer = serde_json::from_str::<Answer>(out).ok().filter(|answer| answer.schema == ANSWER_SCHEMA);
    let Some(answer) = answer else {
        let hint = format!("install the version that is here, {}", here.version);
        let line = if said.trim().is_empty() { "its answer is not understood" } else { last_line(said) };
        return vec![Said::fails("offprint", format!("another version than here: {line}"), hint)];
    };
    let mut checks = vec![match here.differs(&answer.build) {
        None => Said::good("build", format!("offprint {}, as here", answer.build.version)),
        Some(other) => Said::note(
            "build",
            format!("another build: {other}"),
            "install the same build on all machines: what differs is part of what is compared",
        ),
    }];
    let misfits = expected.misfits(&answer.chip, &answer.gpu);
    let is_other = !misfits.is_empty();
    checks.extend(misfits.into_iter().map(|misfit| {
        Said::fails("machine", misfit, "is it the right host or node? `expect` in fleet.yaml says what it must be")
    }));
    if !is_other {
        let name = answer.chip.value.as_deref().unwrap_or("unknown");
        let gpu = answer.gpu.value.map_or_else(String::new, |gpu| format!(", {gpu}"));
        checks.push(Said::good("machine", format!("{name}{gpu}")));
    }
    checks.extend(answer.checks.into_iter().filter(|check| check.verdict != Verdict::Good));
    checks
}

fn last_line(said: &str) -> &str {
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet::file::tests, machine::Fact};

    fn machine(label: &str) -> Machine {
        tests::read(tests::TEXT).unwrap().machine(label).unwrap().clone()
    }

    fn show(said: &[Said]) -> String {
        let hint = |said: &Said| said.hint.as_ref().map_or_else(String::new, |hint| format!("\n    hint: {hint}"));
        let lines = said.iter().map(|said| format!("{:?} {}: {}{}", said.verdict, said.name, said.found, hint(said)));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_way_not_to_be_reached_has_its_own_way_out() {
        let over = [
            ("mac-m1", 0, ""),
            ("mac-m1", 255, "ssh: connect to host m1.local port 22: Connection refused\r\n"),
            ("mac-m1", 255, "ssh: Could not resolve hostname m1.local: Name or service not known\n"),
            ("mac-m1", 255, "root@m1.local: Permission denied (publickey,password).\n"),
            (
                "mac-m1",
                255,
                "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.\n",
            ),
            ("mac-m1", 1, "mkdir: .offprint: No space left on device\n"),
            ("mac-m1", 1, "mkdir: .offprint: Permission denied\n"),
            ("h100", 1, "srun: error: Unable to allocate resources: Requested node configuration is not available\n"),
            ("h100", 1, "srun: error: Unable to allocate resources: Requested nodes are busy\n"),
            ("here", 1, ""),
        ];
        let said: Vec<Said> =
            over.iter().map(|(label, code, said)| reached(&machine(label), Some(*code), said)).collect();
        insta::assert_snapshot!(show(&said));
    }

    #[test]
    fn an_answer_is_held_against_what_the_fleet_expects() {
        let build = |version: &str| Build { version: version.to_owned(), commit: None };
        let expected = LockedMachine { sessions: 1, chip: Some("Apple M1".to_owned()), gpu: None };
        let answer = |chip: &str, version: &str| Answer {
            schema: ANSWER_SCHEMA.to_owned(),
            build: build(version),
            chip: Fact::known(chip.to_owned()),
            gpu: Fact::known("Apple M1, 8 cores".to_owned()),
            checks: vec![
                Said::good("pip", "pip 25"),
                Said::fails("disk", "0.1 GiB free, 1.0 GiB needed", "free some space on this file system"),
            ],
        };
        let judged = |code: i32, out: &str, said: &str| {
            show(&answered(&machine("mac-m1"), &expected, &build("1"), Some(code), out, said))
        };
        let json = |answer: &Answer| serde_json::to_string(answer).unwrap();
        let said = [
            judged(127, "", "sh: /opt/homebrew/bin/offprint: No such file or directory"),
            judged(2, "", "error: unexpected argument '--json' found"),
            judged(1, &json(&answer("Apple M1", "1")), ""),
            judged(0, &json(&answer("Apple M2", "2")), ""),
        ];
        insta::assert_snapshot!(said.join("\n\n"));
    }
}
