//! Rows as the paper's page carries them: the file as it is, or, of many runs, their scalars in columns. A page is read in a browser, so
//! there is a most.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::{
    record::{Outcome, Phase, Rounds, RunRecord},
    served::{Mean, Served},
    study::Study,
};

/// A file of rows that is larger stands in the page as columns.
pub const MOST_TEXT: u64 = 4 << 20;
/// Of more rows the page carries none.
const MOST_ROWS: usize = 50_000;
/// The schema of the columns.
pub const COLUMNS_SCHEMA: &str = "offprint.columns/1";

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PageRows {
    /// `runs.jsonl`, byte for byte.
    Text(String),
    /// JSON of `offprint.columns/1`: no texts, of token times the first and the last, of several requests their average.
    Columns(String),
    /// There are too many, or none are known.
    #[default]
    None,
}

/// Columns that grow by rows.
#[derive(Debug, Default)]
pub struct Columns {
    rows: usize,
    columns: BTreeMap<String, Vec<Value>>,
}

impl Columns {
    /// For a file of so many bytes, where it needs them: of runs of several requests it does.
    pub fn of(bytes: u64, study: &Study) -> Option<Self> {
        (bytes > MOST_TEXT || study.has_several()).then(Columns::default)
    }

    /// # Errors
    /// None that a row can cause.
    pub fn add(&mut self, record: &RunRecord) -> Result<()> {
        self.rows += 1;
        if self.rows > MOST_ROWS {
            self.columns.clear();
            return Ok(());
        }
        let ends =
            |times: &Option<Vec<u64>>| times.as_ref().and_then(|times| Some(vec![*times.first()?, *times.last()?]));
        let thin = RunRecord {
            token_times_ns: ends(&record.token_times_ns),
            chunk_times_ns: ends(&record.chunk_times_ns),
            chunk_tokens: record.chunk_tokens.as_ref().map(|tokens| tokens.iter().take(1).copied().collect()),
            output_text: None,
            error: None,
            server: BTreeMap::new(),
            load: None,
            requests: Vec::new(),
            rounds: record.rounds.clone().map(|rounds| Rounds {
                draft_ns: Vec::new(),
                verify_ns: Vec::new(),
                ..rounds
            }),
            ..record.clone()
        };
        let Value::Object(mut row) = serde_json::to_value(&thin)? else { return Ok(()) };
        if let Some(Value::Object(factors)) = row.remove("factors") {
            row.extend(factors.into_iter().map(|(name, level)| (format!("factors.{name}"), level)));
        }
        if let Some(Mean { n_prompt, n_gen, n_first, first, last, e2e, .. }) = average(record)? {
            let values = json!({"n_prompt": n_prompt, "n_gen": n_gen, "chunk_tokens": [n_first], "token_times_ns": [first, last], "e2e_ns": e2e, "tokenize_ns": 0, "ttft_ns": first});
            row.extend(values.as_object().cloned().unwrap_or_default());
        }
        row.retain(|_, value| !value.is_null());
        for (name, value) in row {
            let column = self.columns.entry(name).or_default();
            column.resize(self.rows - 1, Value::Null);
            column.push(value);
        }
        Ok(())
    }

    /// A column is `{"all": value}`, `{"of": values, "at": indices}` where few differ, or a list.
    pub fn finish(self) -> PageRows {
        if self.rows > MOST_ROWS {
            return PageRows::None;
        }
        let mut columns = Map::new();
        for (name, mut values) in self.columns {
            values.resize(self.rows, Value::Null);
            columns.insert(name, packed(values));
        }
        PageRows::Columns(json!({"schema": COLUMNS_SCHEMA, "rows": self.rows, "columns": columns}).to_string())
    }
}

/// Of a run of several requests that ended well.
fn average(record: &RunRecord) -> Result<Option<Mean>> {
    let well = record.phase == Phase::Measured && record.outcome == Outcome::Ok;
    Ok(if well { Served::of(record)?.and_then(|served| served.mean) } else { None })
}

fn packed(values: Vec<Value>) -> Value {
    const FEW: usize = 64;
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        return json!({"all": values.first()});
    }
    let mut of: Vec<Value> = Vec::new();
    let mut at = Vec::new();
    for value in &values {
        let place = of.iter().position(|known| known == value).unwrap_or_else(|| {
            of.push(value.clone());
            of.len() - 1
        });
        if of.len() > FEW {
            return Value::Array(values);
        }
        at.push(place);
    }
    if of.iter().all(Value::is_number) { Value::Array(values) } else { json!({"of": of, "at": at}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_and_say_what_they_said() {
        let mut columns = Columns::default();
        let row = |run: u32, prompt: &str| RunRecord {
            run,
            prompt_id: prompt.to_owned(),
            token_times_ns: Some(vec![5, 7, 9]),
            output_text: Some("long".to_owned()),
            load_ns: (run > 1).then_some(3),
            ..RunRecord::empty()
        };
        for record in [row(1, "a"), row(2, "b"), row(3, "a")] {
            columns.add(&record).unwrap();
        }
        let PageRows::Columns(text) = columns.finish() else { panic!("no columns") };
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&found["schema"], &found["rows"]), (&json!(COLUMNS_SCHEMA), &json!(3)));
        let column = |name: &str| &found["columns"][name];
        assert_eq!(column("run"), &json!([1, 2, 3]));
        assert_eq!(column("prompt_id"), &json!({"of": ["a", "b"], "at": [0, 1, 0]}));
        assert_eq!(column("token_times_ns"), &json!({"all": [5, 9]}));
        assert_eq!(column("load_ns"), &json!({"of": [null, 3], "at": [0, 1, 1]}));
        assert_eq!(column("output_text"), &Value::Null);
    }

    #[test]
    fn a_run_of_several_requests_is_its_average_one() {
        let mut columns = Columns::default();
        columns.add(&crate::served::tests::run()).unwrap();
        let PageRows::Columns(text) = columns.finish() else { panic!("no columns") };
        let found: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(found["columns"]["token_times_ns"], json!({"all": [80.0e6, 100.0e6]}));
        assert_eq!((&found["columns"]["requests"], &found["columns"]["load"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn more_rows_than_a_page_can_hold_are_none() {
        let mut columns = Columns { rows: MOST_ROWS, ..Columns::default() };
        columns.add(&RunRecord::empty()).unwrap();
        assert_eq!(columns.finish(), PageRows::None);
        let text = "models: [{id: a, name: A, source: fake}]\nprompts: [p]\nbenchmark_settings: {max_tokens: [1], temperatures: [0], num_runs: 1}";
        let study = |more: &str| Study::from_str("s", &format!("{text}\n{more}")).unwrap();
        let of = |bytes: u64, more: &str| Columns::of(bytes, &study(more)).is_some();
        assert!(!of(MOST_TEXT, "") && of(MOST_TEXT + 1, "") && of(1, "factors: {at_once: [2]}"));
    }
}
