//! A fleet -> the profile that Snakemake is started with, for a person to read and change.

use super::{Fleet, Via, snakefile::resource};

/// `profile/config.yaml`.
pub fn profile(fleet: &Fleet) -> String {
    let mut text = "\
# Made by `offprint fleet plan`: how Snakemake is started. Words behind `snakemake --profile profile` come before these.
keep-going: true          # a machine that fails holds up no other
retries: 3                # a shard that is tried again goes on where it was; here, not in a rule: SLURM's jobs would obey it, too
rerun-incomplete: true
latency-wait: 30
"
    .to_owned();
    let jobs = fleet.machines.len() + 2;
    let slurm = |via: &Via| matches!(via, Via::Slurm(_));
    if fleet.machines.iter().any(|machine| slurm(&machine.via)) {
        text.push_str(&format!(
            "executor: slurm
jobs: {jobs}
local-cores: {jobs}          # shards over ssh only wait here
slurm-status-command: squeue # works without slurmdbd; MinJobAge must be three times the next number or more
slurm-init-seconds-before-status-checks: 10
seconds-between-status-checks: 10
"
        ));
        let account = |via: &Via| matches!(via, Via::Slurm(slurm) if slurm.account.is_some());
        if !fleet.machines.iter().any(|machine| account(&machine.via)) {
            text.push_str("slurm-no-account: true\n");
        }
    } else {
        text.push_str(&format!("cores: {jobs}                  # shards over ssh only wait here\n"));
    }
    text.push_str("resources:                # one shard at a time on each machine\n");
    for machine in &fleet.machines {
        text.push_str(&format!("  - {}=1\n", resource(&machine.label)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::file::tests;

    #[test]
    fn a_profile_asks_for_slurm_only_where_a_machine_is_reached_so() {
        insta::assert_snapshot!(profile(&tests::read(tests::TEXT).unwrap()));
        let local = tests::read("machines: {here: {via: local}}\nstudies: [a]\n").unwrap();
        insta::assert_snapshot!(profile(&local));
    }
}
