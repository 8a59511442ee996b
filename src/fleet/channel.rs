//! How a machine is spoken to: a script for its shell -> the words of a command here. What is written into scripts are plain words.

use super::{Fleet, Machine, Via, file::Slurm};

/// Beside what the options file says: nobody is there to answer a question, and a machine that sleeps is no reason to wait for long.
pub(super) const SSH: &str = "-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=30";

/// The label's own folder, as the machine's shell has it.
pub fn own(machine: &Machine) -> String {
    let home = match (machine.home.strip_prefix("~/"), &machine.via) {
        (None, _) => machine.home.clone(),
        // ssh begins in the home folder, and not every scp knows `~`.
        (Some(rest), Via::Ssh { .. }) => rest.to_owned(),
        (Some(rest), Via::Local | Via::Slurm(_)) => format!("$HOME/{rest}"),
    };
    format!("{}/{}", home.trim_end_matches('/'), machine.label)
}

/// The program there, behind what it runs under; `here` is the one that plans.
pub(super) fn program(machine: &Machine, here: &str) -> String {
    let program = match (&machine.offprint, &machine.via) {
        (Some(program), _) => program,
        (None, Via::Ssh { .. }) => "offprint",
        (None, Via::Local | Via::Slurm(_)) => here,
    };
    match &machine.under {
        Some(under) => format!("{under} {program}"),
        None => program.to_owned(),
    }
}

/// The first word to a machine: its folder is made, and written to.
pub fn first_word(machine: &Machine) -> String {
    let own = own(machine);
    format!("mkdir -p {own}/studies && cd {own} && echo offprint > .offprint-was-here && rm .offprint-was-here")
}

/// What has the machine judge itself; `study` is the study there, `here` the program that plans.
pub fn ask_doctor(machine: &Machine, here: &str, study: &str) -> String {
    format!("cd {} && {} doctor {study} --json", own(machine), program(machine, here))
}

/// Options of ssh and scp for a machine that is reached so.
pub(super) fn options(config: Option<&str>) -> String {
    config.map_or_else(|| SSH.to_owned(), |config| format!("-F {config} {SSH}"))
}

/// The words that run a script on the machine. The fleet's file of options must lie where it says.
pub fn call(machine: &Machine, script: &str) -> Vec<String> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let script = script.to_owned();
    match &machine.via {
        Via::Local => vec!["sh".to_owned(), "-c".to_owned(), script],
        Via::Ssh { host, config } => {
            [words("ssh"), words(&options(config.as_deref())), vec![host.clone(), script]].concat()
        }
        Via::Slurm(slurm) => {
            [words("srun -n1 --immediate=120 --time=10"), asked(slurm), words("sh -c"), vec![script]].concat()
        }
    }
}

/// The words that copy files of here into a folder there; `None` where both are the same.
pub fn copy(machine: &Machine, files: &[String], folder: &str) -> Option<Vec<String>> {
    let Via::Ssh { host, config } = &machine.via else { return None };
    let options = options(config.as_deref());
    let words = ["scp", "-q", "-r"].into_iter().chain(options.split(' ')).map(str::to_owned);
    Some(words.chain(files.iter().cloned()).chain([format!("{host}:{folder}")]).collect())
}

fn asked(slurm: &Slurm) -> Vec<String> {
    let given = [
        ("--partition", Some(&slurm.partition)),
        ("--account", slurm.account.as_ref()),
        ("--constraint", slurm.constraint.as_ref()),
        ("--gres", slurm.gres.as_ref()),
    ];
    given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect()
}

impl Fleet {
    /// The fleet with its files of options as absolute paths; `folder` is that of `fleet.yaml`, `home` the user's.
    pub fn with_options_in(mut self, folder: &str, home: &str) -> Self {
        for machine in &mut self.machines {
            let Via::Ssh { config: Some(config), .. } = &mut machine.via else { continue };
            if let Some(rest) = config.strip_prefix("~/") {
                *config = format!("{home}/{rest}");
            } else if !config.starts_with('/') {
                *config = format!("{folder}/{config}");
            }
        }
        self
    }

    /// The files of options.
    pub fn options(&self) -> impl Iterator<Item = &str> {
        self.machines.iter().filter_map(|machine| match &machine.via {
            Via::Ssh { config, .. } => config.as_deref(),
            Via::Local | Via::Slurm(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::file::tests;

    #[test]
    fn each_machine_is_spoken_to_over_its_own_channel() {
        let text = tests::TEXT.replace("host: m1.local", "host: m1.local, ssh_config: ssh/config");
        let fleet = tests::read(&text).unwrap().with_options_in("/lab", "/home/ada");
        let there =
            tests::read(&text.replace("ssh/config", "~/.ssh/lab")).unwrap().with_options_in("/lab", "/home/ada");
        assert_eq!(there.options().collect::<Vec<_>>(), ["/home/ada/.ssh/lab"]);
        let said: Vec<String> = fleet
            .machines
            .iter()
            .flat_map(|machine| {
                let copied = copy(machine, &["a.yaml".to_owned()], "studies");
                let copied = copied.map_or_else(|| "nothing is copied".to_owned(), |words| words.join(" "));
                [call(machine, "uname -a").join(" "), copied, own(machine), program(machine, "/bin/offprint")]
            })
            .collect();
        insta::assert_snapshot!(said.join("\n"));
    }
}
