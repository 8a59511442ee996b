//! Summary -> CSV files. Numbers are written whole, in the shortest form that reads back; rounding belongs to prose.

use super::{Group, METRICS, RunMetrics, Stats, Summary, metrics};

/// A table by its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    pub csv: String,
}

/// Every table of a summary.
pub fn of(summary: &Summary) -> Vec<Table> {
    let groups = |name, factor: &str, groups: &[Group]| Table { name, csv: grouped(factor, groups) };
    vec![
        groups("overall.csv", "group", std::slice::from_ref(&summary.overall)),
        groups("by_length.csv", "max_tokens", &summary.by_length),
        groups("by_temperature.csv", "temperature", &summary.by_temperature),
        groups("by_prompt.csv", "prompt_id", &summary.by_prompt),
        groups("cells.csv", "cell", &summary.cells),
        Table { name: "runs.csv", csv: runs(&summary.runs) },
    ]
}

/// One row a group and metric.
fn grouped(factor: &str, groups: &[Group]) -> String {
    let mut csv = format!("{factor},metric,unit,n,mean,sd,min,max,median,cv,se,ci_low,ci_high\n");
    for group in groups {
        for (metric, unit) in METRICS {
            let Some(Stats { n, mean, sd, min, max, median, cv, se, interval }) = group.metrics.get(metric) else {
                continue;
            };
            let numbers = [Some(*mean), *sd, Some(*min), Some(*max), Some(*median), *cv, *se]
                .into_iter()
                .chain([interval.map(|i| i.0), interval.map(|i| i.1)])
                .map(number);
            csv += &format!("{},{metric},{unit},{n},{}\n", quoted(&group.key), numbers.collect::<Vec<_>>().join(","));
        }
    }
    csv
}

fn runs(runs: &[RunMetrics]) -> String {
    let names: Vec<String> = METRICS.iter().map(|(name, unit)| format!("{name} ({unit})")).collect();
    let mut csv =
        format!("run,order,block,prompt_id,max_tokens,temperature,repeat,n_prompt,n_gen,{}\n", names.join(","));
    for run in runs {
        let values = METRICS.iter().map(|(name, _)| number(metrics::value(run, name)));
        csv += &format!(
            "{},{},{},{},{},{},{},{},{},{}\n",
            run.run,
            run.order,
            run.block,
            quoted(&run.prompt_id),
            run.max_tokens,
            run.temperature,
            run.repeat,
            run.n_prompt,
            run.n_gen,
            values.collect::<Vec<_>>().join(",")
        );
    }
    csv
}

/// Missing is empty.
fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// RFC 4180.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_with_a_comma_or_a_quote_is_quoted() {
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!((number(None), number(Some(0.1))), (String::new(), "0.1".to_owned()));
    }
}
