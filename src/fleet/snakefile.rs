//! A fleet -> the Snakefile that runs it. It is written for a person: a rule a machine, and in each the very commands.

use super::{Fleet, Machine, Via, channel, file::Slurm};

/// The Snakefile of these studies, by their names; `offprint` is the program here.
pub fn snakefile(fleet: &Fleet, studies: &[String], offprint: &str) -> String {
    let labels: Vec<String> = fleet.machines.iter().map(|machine| format!("\"{}\"", machine.label)).collect();
    let names: Vec<String> = studies.iter().map(|name| format!("\"{name}\"")).collect();
    let here = fleet.machines.iter().filter(|machine| !matches!(machine.via, Via::Slurm(_)));
    let here: String = here.map(|machine| format!(", {}", rule_name(&machine.label))).collect();
    let mut text = format!(
        r#"# Made by `offprint fleet plan`: each study, whole, on each machine, in {sessions} session(s). fleet.lock.yaml says what each must be of.
# Start it in this folder, and again after any interruption: it goes on.
#     snakemake --profile profile
# Only if Snakemake itself was killed: snakemake --profile profile --unlock, then as before.

OFFPRINT = "{offprint}"
STUDIES = [{studies}]
MACHINES = [{machines}]
SESSIONS = range(1, {end})
MEMBERS = [(machine, session) for session in SESSIONS for machine in MACHINES]


localrules: all, verified, verify, merge{here}

wildcard_constraints:
    study="|".join(STUDIES),
    machine="|".join(MACHINES),
    session=r"\d+",


rule all:
    input: expand("paper-{{study}}/paper.md", study=STUDIES)

# Every shard, checked; no paper.
rule verified:
    input: [f"verified/{{study}}/{{m}}.{{k}}.json" for study in STUDIES for m, k in MEMBERS]


def sessions_before(machine):
    """A machine's sessions lie one behind the other, and all studies have theirs before the next begins."""
    def bundles(wildcards):
        before = int(wildcards.session) - 1
        return expand(f"bundles/{{{{study}}}}/{{machine}}.{{before}}.zip", study=STUDIES) if before else []
    return bundles

"#,
        sessions = fleet.sessions,
        studies = names.join(", "),
        machines = labels.join(", "),
        end = fleet.sessions + 1,
    );
    for machine in &fleet.machines {
        text.push_str(&rule(machine, offprint));
    }
    text.push_str(END);
    text
}

const END: &str = r#"
rule verify:
    input: "bundles/{study}/{machine}.{session}.zip"
    output: "verified/{study}/{machine}.{session}.json"
    shell: "{OFFPRINT} verify {input} --json > {output}"

# All sessions of all machines become one result, and one paper.
rule merge:
    input:
        bundles=lambda w: [f"bundles/{w.study}/{m}.{k}.zip" for m, k in MEMBERS],
        verified=lambda w: [f"verified/{w.study}/{m}.{k}.json" for m, k in MEMBERS],
        lock="fleet.lock.yaml",
    output: "paper-{study}/paper.md"
    params: members=lambda w: " ".join(f"{m}=bundles/{w.study}/{m}.{k}.zip" for m, k in MEMBERS)
    shell:
        r"""
        rm -rf sets/{wildcards.study}
        {OFFPRINT} merge --lock {input.lock} {params.members} --out sets/{wildcards.study}
        {OFFPRINT} verify sets/{wildcards.study}
        {OFFPRINT} report --set sets/{wildcards.study} --out paper-{wildcards.study}
        """
"#;

fn rule_name(label: &str) -> String {
    format!("shard_{}", label.replace('-', "_"))
}

/// A resource's name is an identifier; labels hold no `_`, so no two are the same.
pub(super) fn resource(label: &str) -> String {
    format!("on_{}", label.replace('-', "_"))
}

/// The rule of one machine.
fn rule(machine: &Machine, offprint: &str) -> String {
    let Machine { label, via, .. } = machine;
    let (name, one) = (rule_name(label), resource(label));
    let what = match via {
        Via::Local => "this machine".to_owned(),
        Via::Ssh { host, .. } => format!("{host}, over ssh; it needs offprint and nothing else"),
        Via::Slurm(slurm) => format!("partition {} of SLURM, which must see this folder", slurm.partition),
    };
    let resources = match via {
        Via::Local | Via::Ssh { .. } => format!("{one}=1"),
        Via::Slurm(slurm) => format!("{one}=1, {}", asked(slurm)),
    };
    let options = match via {
        Via::Ssh { config, .. } => format!("\n    params: ssh=\"{}\"", channel::options(config.as_deref())),
        Via::Local | Via::Slurm(_) => String::new(),
    };
    format!(
        r#"
# {what}
rule {name}:
    input:
        study="studies/{{study}}/study.yaml",
        lock="fleet.lock.yaml",
        before=sessions_before("{label}"),
    output: "bundles/{{study}}/{label}.{{session}}.zip"
    resources: {resources}{options}
    shell:
        r"""
{commands}        """
"#,
        commands = commands(machine, offprint)
    )
}

/// The lines of a rule.
fn commands(machine: &Machine, offprint: &str) -> String {
    let (program, own, label) = (channel::program(machine, offprint), channel::own(machine), &machine.label);
    let gate: String = machine.gate.iter().map(|option| format!(" {option}")).collect();
    let shard = |study: &str, bundle: &str, lock: &str| {
        format!(
            "{program} shard {study} --home {own} --bundle {bundle} --lock {lock} --machine {label} --session {{wildcards.session}}{gate}"
        )
    };
    let lines = match &machine.via {
        Via::Local | Via::Slurm(_) => vec![shard("{input.study}", "{output}", "{input.lock}")],
        Via::Ssh { host, .. } => {
            let there = format!("{own}/studies/{{wildcards.study}}/study.yaml");
            let bundle = format!("{own}/bundles/{{wildcards.study}}.{{wildcards.session}}.zip");
            let shard = shard(&there, &bundle, &format!("{own}/fleet.lock.yaml"));
            vec![
                format!("ssh {{params.ssh}} {host} 'mkdir -p {own}/studies'"),
                format!("scp -q -r {{params.ssh}} studies/{{wildcards.study}} {host}:{own}/studies/"),
                format!("scp -q {{params.ssh}} {{input.lock}} {host}:{own}/"),
                format!("ssh {{params.ssh}} {host} '{shard}'"),
                // Under its name when it is whole: what the last attempt left behind may still be copying.
                format!("scp -q {{params.ssh}} {host}:{bundle} {{output}}.$$"),
                "mv {output}.$$ {output}".to_owned(),
            ]
        }
    };
    lines.into_iter().map(|line| format!("        {line}\n")).collect()
}

/// As Snakemake's plugin takes it. SLURM would give a step one core of a node that is its alone, unless told how many it is to have.
fn asked(slurm: &Slurm) -> String {
    let text = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name}=\"{value}\""));
    let number = |name: &str, value: Option<u32>| value.map(|value| format!("{name}={value}"));
    let given = [
        text("slurm_partition", &Some(slurm.partition.clone())),
        text("slurm_account", &slurm.account),
        text("constraint", &slurm.constraint),
        text("gres", &slurm.gres),
        number("runtime", slurm.minutes),
        number("cpus_per_task", slurm.cpus),
        // Nothing said: all that the node has.
        number("mem_mb", Some(slurm.memory_mb.unwrap_or(0))),
        // Before its time is over a shard is told to stop.
        Some("slurm_extra=\"'--exclusive' '--signal=TERM@60'\"".to_owned()),
    ];
    given.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::file::tests;

    #[test]
    fn a_person_can_read_it() {
        let fleet = tests::read(tests::TEXT).unwrap();
        insta::assert_snapshot!(snakefile(&fleet, &["a".to_owned(), "b".to_owned()], "/opt/offprint"));
    }
}
