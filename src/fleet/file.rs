//! `fleet.yaml` -> [`Fleet`], or the file, the line, the key and the way out.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};

use super::SESSIONS;
use crate::study::{
    Problem, StudyError, locate,
    read::{self, Kind},
};

/// Machines, and what is to be run on each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// In the file's order.
    pub machines: Vec<Machine>,
    /// Study files, relative to the fleet's.
    pub studies: Vec<String>,
    /// Of each machine.
    pub sessions: u32,
    /// The label that others are compared with.
    pub reference: String,
}

/// A machine, or one of a kind that a scheduler hands out.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// Lower-case letters, digits and `-`.
    pub label: String,
    pub via: Via,
    /// The program there; `None`: the one that plans.
    pub offprint: Option<String>,
    /// A folder there, absolute or behind `~/`; the label's own folder in it holds all that lasts.
    pub home: String,
    /// What stands before the program, e.g. `caffeinate -is`.
    pub under: Option<String>,
    pub expect: Expected,
    /// Options of `offprint shard` that say when the machine is quiet and cool, as on its command line.
    pub gate: Vec<String>,
}

/// How a machine is reached.
#[derive(Debug, Clone, PartialEq)]
pub enum Via {
    /// The one that plans.
    Local,
    Ssh {
        host: String,
        /// A file of options, relative to the fleet's.
        config: Option<String>,
    },
    Slurm(Slurm),
}

/// What is asked of SLURM.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slurm {
    pub partition: String,
    pub account: Option<String>,
    pub constraint: Option<String>,
    pub gres: Option<String>,
    /// After which SLURM ends a shard; the next one goes on.
    pub minutes: Option<u32>,
    pub cpus: Option<u32>,
    pub memory_mb: Option<u32>,
}

/// What a machine must say of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    pub chip: Option<String>,
    pub gpu: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    machines: Machines,
    studies: Vec<String>,
    sessions: Option<u32>,
    reference: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Channel {
    Local,
    Ssh,
    Slurm,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    via: Channel,
    offprint: Option<String>,
    home: Option<String>,
    under: Option<String>,
    #[serde(default)]
    expect: Expected,
    busy: Option<f64>,
    hot: Option<f64>,
    wait_s: Option<u32>,
    host: Option<String>,
    ssh_config: Option<String>,
    partition: Option<String>,
    account: Option<String>,
    constraint: Option<String>,
    gres: Option<String>,
    minutes: Option<u32>,
    cpus: Option<u32>,
    memory_mb: Option<u32>,
}

/// By label, in the file's order.
#[derive(Debug)]
struct Machines(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Machines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Labelled;
        impl<'de> Visitor<'de> for Labelled {
            type Value = Machines;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a mapping of labels to machines")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Machines, A::Error> {
                let mut machines: Vec<(String, Entry)> = Vec::new();
                while let Some((label, entry)) = entries.next_entry()? {
                    if machines.iter().any(|(known, _)| *known == label) {
                        return Err(A::Error::custom(format_args!("duplicate field `{label}`")));
                    }
                    machines.push((label, entry));
                }
                Ok(Machines(machines))
            }
        }
        deserializer.deserialize_any(Labelled)
    }
}

const FLEET: Kind = Kind { name: "fleet", lists: "machines and studies", guide: "docs/FLEETS.md" };

impl Fleet {
    /// The fleet that `text` describes; `file` is its name in errors.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line, column, key and a way out.
    pub fn from_bytes(file: &str, bytes: Vec<u8>) -> Result<Fleet, StudyError> {
        let failed = |(place, problem)| StudyError { file: file.to_owned(), place, problem };
        let text = read::text(bytes).map_err(|what| failed((None, problem("", what, "save it as UTF-8"))))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let entries: File = read::document(&FLEET, text).map_err(failed)?;
        fleet(entries).map_err(|problem| failed((locate::value(text, &problem.key), problem)))
    }

    pub fn machine(&self, label: &str) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.label == label)
    }
}

fn problem(key: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> Problem {
    Problem { key: key.into(), what: what.into(), hint: hint.into() }
}

fn fleet(file: File) -> Result<Fleet, Problem> {
    let File { machines: Machines(entries), studies, sessions, reference } = file;
    let machines: Vec<Machine> =
        entries.into_iter().map(|(label, entry)| machine(label, entry)).collect::<Result<_, _>>()?;
    let Some(first) = machines.first() else {
        return Err(problem("machines", "expected a machine, found none", "add one: `here: {via: local}`"));
    };
    if studies.is_empty() {
        return Err(problem("studies", "expected a study, found none", "list study files, relative to this one"));
    }
    for (at, study) in studies.iter().enumerate() {
        if studies[..at].contains(study) {
            let key = format!("studies[{at}]");
            return Err(problem(key, "expected each study once, found it twice", "keep one of the two"));
        }
    }
    let sessions = sessions.unwrap_or(SESSIONS);
    if !(1..=99).contains(&sessions) {
        let what = format!("expected 1 to 99 sessions, found {sessions}");
        return Err(problem("sessions", what, "three or more tell what lies between sessions"));
    }
    let reference = reference.unwrap_or_else(|| first.label.clone());
    let labels: Vec<&str> = machines.iter().map(|machine| machine.label.as_str()).collect();
    if !labels.contains(&reference.as_str()) {
        let what = format!("expected a machine of this fleet, found `{reference}`");
        return Err(problem("reference", what, read::did_you_mean(&reference, &labels)));
    }
    Ok(Fleet { machines, studies, sessions, reference })
}

fn machine(label: String, entry: Entry) -> Result<Machine, Problem> {
    let key = format!("machines.{label}");
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = label.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins || !label.chars().all(good) || label.len() > 40 {
        let hint = "a label begins with a letter and holds lower-case letters, digits and `-`: mac-m1";
        return Err(problem(key, format!("expected a label, found {label:?}"), hint));
    }
    belongs(&key, &entry)?;
    let home = entry.home.unwrap_or_else(|| "~/.offprint/fleet".to_owned());
    if !home.starts_with('/') && !home.starts_with("~/") {
        let what = format!("expected an absolute path, or one behind `~/`, found {home:?}");
        return Err(problem(format!("{key}.home"), what, "e.g. ~/.offprint/fleet"));
    }
    let words = [
        ("home", Some(&home)),
        ("offprint", entry.offprint.as_ref()),
        ("host", entry.host.as_ref()),
        ("ssh_config", entry.ssh_config.as_ref()),
        ("partition", entry.partition.as_ref()),
        ("account", entry.account.as_ref()),
        ("constraint", entry.constraint.as_ref()),
        ("gres", entry.gres.as_ref()),
    ];
    for (name, value) in words {
        value.map_or(Ok(()), |value| word(format!("{key}.{name}"), value, false))?;
    }
    entry.under.as_ref().map_or(Ok(()), |value| word(format!("{key}.under"), value, true))?;
    let gate = gate(&key, entry.busy, entry.hot, entry.wait_s)?;
    let missing = |name: &str, hint: &str| problem(&key, format!("expected the key `{name}`, found none"), hint);
    let via = match entry.via {
        Channel::Local => Via::Local,
        Channel::Ssh => Via::Ssh {
            host: entry.host.ok_or_else(|| missing("host", "add `host:`, a name that ssh knows"))?,
            config: entry.ssh_config,
        },
        Channel::Slurm => Via::Slurm(Slurm {
            partition: entry.partition.ok_or_else(|| missing("partition", "add `partition:`; sinfo lists them"))?,
            account: entry.account,
            constraint: entry.constraint,
            gres: entry.gres,
            minutes: entry.minutes,
            cpus: entry.cpus,
            memory_mb: entry.memory_mb,
        }),
    };
    Ok(Machine { label, via, offprint: entry.offprint, home, under: entry.under, expect: entry.expect, gate })
}

/// A key of another channel would be passed over in silence.
fn belongs(key: &str, entry: &Entry) -> Result<(), Problem> {
    let of_ssh = [("host", entry.host.is_some()), ("ssh_config", entry.ssh_config.is_some())];
    let of_slurm = [
        ("partition", entry.partition.is_some()),
        ("account", entry.account.is_some()),
        ("constraint", entry.constraint.is_some()),
        ("gres", entry.gres.is_some()),
        ("minutes", entry.minutes.is_some()),
        ("cpus", entry.cpus.is_some()),
        ("memory_mb", entry.memory_mb.is_some()),
    ];
    let named = of_ssh.map(|given| (Channel::Ssh, "ssh", given)).into_iter();
    let named = named.chain(of_slurm.map(|given| (Channel::Slurm, "slurm", given)));
    for (channel, via, (name, given)) in named {
        if given && channel != entry.via {
            let what = format!("expected only with `via: {via}`, found with another");
            return Err(problem(format!("{key}.{name}"), what, format!("leave it out, or set `via: {via}`")));
        }
    }
    Ok(())
}

/// May it stand in a command, unquoted?
pub fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./~:@%+=,".contains(c)
}

/// It is written into commands, as it is.
fn word(key: String, value: &str, several: bool) -> Result<(), Problem> {
    // SLURM's constraints have these in them; nothing else has.
    let also = if key.ends_with(".constraint") { "&|*[]" } else { "" };
    let good = |c: char| is_plain(c) || also.contains(c) || (several && c == ' ');
    if !value.is_empty() && !value.starts_with('-') && value.chars().all(good) {
        return Ok(());
    }
    let hint = "it becomes part of commands: letters, digits and - _ . / ~ : @ % + = , alone";
    Err(problem(key, format!("expected a plain word, found {value:?}"), hint))
}

fn gate(key: &str, busy: Option<f64>, hot: Option<f64>, wait_s: Option<u32>) -> Result<Vec<String>, Problem> {
    for (name, value) in [("busy", busy), ("hot", hot)] {
        if value.is_some_and(|value| !value.is_finite() || value < 0.0) {
            let what = format!("expected a number, 0 or more, found {}", value.unwrap_or_default());
            return Err(problem(format!("{key}.{name}"), what, "busy is a load a core, hot degrees Celsius"));
        }
    }
    let busy = busy.map(|value| format!("--busy {value}"));
    let hot = hot.map(|value| format!("--hot {value}"));
    let wait = wait_s.map(|value| format!("--wait {value}"));
    Ok([busy, hot, wait].into_iter().flatten().collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const TEXT: &str = "\
machines:
  mac-m1: {via: ssh, host: m1.local, offprint: /opt/homebrew/bin/offprint, under: caffeinate -is, expect: {chip: Apple M1}}
  h100: {via: slurm, partition: gpu, constraint: \"h100&ib\", gres: \"gpu:1\", home: /scratch/fleet, minutes: 240, cpus: 16}
  here: {via: local, busy: 1.5, wait_s: 60}
studies: [config/a.yaml, config/b.yaml]
";

    pub(crate) fn read(text: &str) -> Result<Fleet, StudyError> {
        Fleet::from_bytes("fleet.yaml", text.as_bytes().to_vec())
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let fleet = read(TEXT).unwrap();
        assert_eq!((fleet.sessions, fleet.reference.as_str()), (3, "mac-m1"));
        let labels: Vec<&str> = fleet.machines.iter().map(|machine| machine.label.as_str()).collect();
        assert_eq!(labels, ["mac-m1", "h100", "here"], "in the file's order");
        assert_eq!(fleet.machines[0].home, "~/.offprint/fleet");
        assert_eq!(fleet.machines[0].expect, Expected { chip: Some("Apple M1".to_owned()), gpu: None });
        assert_eq!(fleet.machines[2].gate, ["--busy 1.5", "--wait 60"]);
        assert!(matches!(&fleet.machines[1].via, Via::Slurm(slurm) if slurm.minutes == Some(240)));
    }

    /// The keys that serde would have taken, as it lists them.
    fn keys<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let error = serde_yaml::from_str::<T>("{no such key: 1}").unwrap_err().to_string();
        let (_, known) = error.split_once(", expected ").unwrap();
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_document_has_every_key_and_its_example_is_a_fleet() {
        let document = include_str!("../../docs/FLEETS.md");
        let all = [keys::<File>(), keys::<Entry>(), keys::<Expected>()].concat();
        assert!(all.len() == 23 && all.contains(&"memory_mb".to_owned()), "{all:?}");
        for key in all {
            assert!(document.contains(&format!("`{key}`")), "docs/FLEETS.md lacks {key}");
        }
        let example = document.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        assert_eq!(read(example).unwrap().machines.len(), 4);
    }

    #[test]
    fn every_error_says_where_what_and_the_way_out() {
        let here = "machines: {here: {via: local}}\nstudies: [a.yaml]\n";
        let changed = [
            here.replace("via: local", "via: locale"),
            here.replace("via: local", "via: local, partision: x"),
            here.replace("via: local", "via: ssh"),
            here.replace("via: local", "via: slurm"),
            here.replace("via: local", "via: local, host: m1"),
            here.replace("via: local", "via: ssh, host: m1, gres: gpu"),
            here.replace("via: local", "via: ssh, host: \"m1; rm -rf /\""),
            here.replace("via: local", "via: ssh, host: -oProxyCommand=x"),
            here.replace("via: local", "via: local, home: fleet"),
            here.replace("via: local", "via: local, busy: -1"),
            here.replace("via: local", "via: local, expect: {chips: M1}"),
            here.replace("here:", "Here_1:"),
            here.replace("{here: {via: local}}", "{}"),
            here.replace("{here: {via: local}}", "[here]"),
            here.replace("{here: {via: local}}", "{here: {via: local}, here: {via: local}}"),
            here.replace("[a.yaml]", "[]"),
            here.replace("[a.yaml]", "[a.yaml, a.yaml]"),
            format!("{here}sessions: 0\n"),
            format!("{here}sessions: many\n"),
            format!("{here}reference: her\n"),
            format!("{here}reference: mac-m1\n"),
            format!("{here}session: 3\n"),
            "studies: [a.yaml]\n".to_owned(),
        ];
        let said: Vec<String> = changed.iter().map(|text| read(text).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(said.join("\n\n"));
        assert!(Fleet::from_bytes("f", vec![0xff, 0xfe]).unwrap_err().to_string().contains("UTF-16"));
    }
}
