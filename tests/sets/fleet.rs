//! Machines that do not exist: executions of the fake engine whose times were stretched, as if a machine were slower and a session
//! warmer. Marked as no measurement, as all that the fake engine makes.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

pub fn offprint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_offprint")).args(arguments).current_dir(folder).output().unwrap()
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A session of a machine.
pub struct Session<'a> {
    pub label: &'a str,
    pub number: u32,
    /// All times are so many times as long as the fake engine's.
    pub factor: f64,
    /// The hour, counted from one begin of all, at which it begins.
    pub begin: u32,
    /// What the machine says it is.
    pub chip: &'a str,
    /// Bytes of weights a token, and bytes a second that the machine reads: what the fake engine has none of.
    pub memory: Option<(u64, u64)>,
}

impl<'a> Session<'a> {
    pub fn of(label: &'a str, number: u32, factor: f64) -> Self {
        Session { label, number, factor, begin: number, chip: "Test Processor", memory: None }
    }
}

/// A folder with one execution, and what is made of it.
pub struct Fleet {
    folder: TempDir,
    run: PathBuf,
}

impl Fleet {
    /// `further` are keys of the study.
    pub fn new(further: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let study = format!(
            "study: {{name: tiny, title: \"A fleet of tests\", authors: [{{name: Ada Lovelace}}]}}\n\
             models: [{{id: tiny, name: Tiny, source: fake}}]\nprompts: [\"one two three\", \"four\"]\n\
             benchmark_settings: {{max_tokens: [8, 16], temperatures: [0.7], num_runs: 4}}\nexecution: {{seed: 7}}\n{further}"
        );
        fs::write(folder.path().join("study.yaml"), study).unwrap();
        let executed = offprint(folder.path(), &["run", "study.yaml"]);
        assert!(executed.status.success(), "{}", said(&executed));
        let run = folder.path().join(String::from_utf8(executed.stdout).unwrap().trim());
        Fleet { folder, run }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn offprint(&self, arguments: &[&str]) -> Output {
        offprint(self.path(), arguments)
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Bytes by path under a folder.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.path().join(folder)];
        while let Some(next) = left.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.insert(
                        path.strip_prefix(self.path().join(folder)).unwrap().to_owned(),
                        fs::read(&path).unwrap(),
                    );
                }
            }
        }
        found
    }

    /// The bundle `LABEL-NUMBER.zip`.
    pub fn session(&self, session: &Session<'_>) -> PathBuf {
        let Session { label, number, factor, begin, chip, memory } = session;
        // Sessions of a machine differ by some per cent, runs by less, and no two are alike.
        let mut random = u64::from(*number) * 7919 + label.bytes().map(u64::from).sum::<u64>() * 104_729;
        let mut noise = move |share: f64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            1.0 + share * ((random >> 40) as f64 / f64::from(1u32 << 24) - 0.5)
        };
        let factor = factor * noise(0.03);
        let shift = |time: &str| {
            let time: jiff::Timestamp = time.parse().unwrap();
            (time + jiff::SignedDuration::from_hours(i64::from(*begin))).to_string()
        };
        let run = self.path().join(format!("results/tiny/{label}-{number}"));
        fs::create_dir_all(&run).unwrap();
        fs::copy(self.run.join("study.yaml"), run.join("study.yaml")).unwrap();
        let mut environment: Value =
            serde_json::from_str(&fs::read_to_string(self.run.join("environment.json")).unwrap()).unwrap();
        environment["captured_at"] = shift(environment["captured_at"].as_str().unwrap()).into();
        environment["chip"] = serde_json::json!({"value": chip});
        if let Some((bytes, rate)) = memory {
            let passes = [*rate / 2, *rate, *rate / 3];
            environment["memory_bandwidth"] =
                serde_json::json!([{"of": "processor", "how": "a test", "passes": passes}]);
            environment["checkpoints"] = serde_json::json!([{
                "model": "tiny", "source": "fake", "files": {"model.safetensors": "0".repeat(64)}, "weight_bytes": 2 * bytes,
                "parameters": bytes, "step_bytes": bytes, "quantization": null, "random_weights": false
            }]);
        }
        fs::write(run.join("environment.json"), serde_json::to_string_pretty(&environment).unwrap() + "\n").unwrap();
        let rows = fs::read_to_string(self.run.join("runs.jsonl")).unwrap();
        let rows = rows.lines().map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            let factor = factor * noise(0.01);
            let longer = |ns: &Value| Value::from((ns.as_u64().unwrap() as f64 * factor) as u64);
            for field in ["load_ns", "tokenize_ns", "ttft_ns", "e2e_ns"] {
                if !row[field].is_null() {
                    row[field] = longer(&row[field]);
                }
            }
            row["token_times_ns"] = row["token_times_ns"].as_array().unwrap().iter().map(longer).collect();
            row["started_at"] = shift(row["started_at"].as_str().unwrap()).into();
            row.to_string() + "\n"
        });
        fs::write(run.join("runs.jsonl"), rows.collect::<String>()).unwrap();
        let out = self.path().join(format!("{label}-{number}.zip"));
        let made = self.offprint(&[
            "bundle",
            "--run",
            run.to_str().unwrap(),
            "--version",
            "1.0.0",
            "--out",
            out.to_str().unwrap(),
        ]);
        assert!(made.status.success(), "{}", said(&made));
        out
    }

    /// All bundles here, by name; m4 first, where there is one.
    pub fn members(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".zip")).collect();
        names.sort_by_key(|name| (!name.starts_with("m4-"), name.clone()));
        names.into_iter().map(|name| format!("{}={name}", name.rsplit_once('-').unwrap().0)).collect()
    }

    /// Merges all of them.
    pub fn merge(&self, further: &[&str], out: &str) -> Output {
        let members = self.members();
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        self.offprint(&[&["merge"], members.as_slice(), further, &["--out", out]].concat())
    }
}
