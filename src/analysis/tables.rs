//! Summary -> CSV files. Numbers are written whole, in the shortest form that reads back; rounding belongs to prose.

use super::{Group, RunMetrics, Stats, Summary, label::Label};
use crate::{
    factor::{Factor, LENGTH, PROMPT, TEMPERATURE},
    metric::Metric,
};

/// A table by its file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub csv: String,
}

/// Every table of a summary: one a factor that varies, beside those of all runs, of cells and of single runs.
pub fn of(summary: &Summary) -> Vec<Table> {
    let table = |name: &str, csv: String| Table { name: format!("{name}.csv"), csv };
    let mut tables = vec![table("overall", grouped(summary, "group", std::slice::from_ref(&summary.overall)))];
    for place in summary.varying() {
        let factor = &summary.factors[place];
        tables.push(table(&format!("by_{}", factor.name), grouped(summary, column(factor), &summary.by[place])));
    }
    tables.push(table("cells", grouped(summary, "cell", &summary.cells)));
    tables.push(table("runs", runs(summary)));
    tables
}

/// A factor's column has the name of the field that rows carry it in, where they have one.
fn column(factor: &Factor) -> &str {
    match factor.name.as_str() {
        LENGTH => "max_tokens",
        PROMPT => "prompt_id",
        name => name,
    }
}

/// One row a group and metric; at its end what llama-bench calls it, in a table of a design in tokens that has such rows.
fn grouped(summary: &Summary, factor: &str, groups: &[Group]) -> String {
    let label = |group: &Group, metric: Metric| Label::of(summary, &group.runs, metric).filter(|_| summary.counted);
    let labelled = groups.iter().any(|group| group.metrics.keys().any(|metric| label(group, *metric).is_some()));
    let last = if labelled { ",test" } else { "" };
    let mut csv = format!("{factor},metric,unit,n,mean,sd,min,max,median,cv,se,ci_low,ci_high{last}\n");
    for group in groups {
        for (metric, Stats { n, mean, sd, min, max, median, cv, se, interval }) in &group.metrics {
            let numbers = [Some(*mean), *sd, Some(*min), Some(*max), Some(*median), *cv, *se]
                .into_iter()
                .chain([interval.map(|i| i.0), interval.map(|i| i.1)])
                .map(number);
            let test = label(group, *metric).map(|label| label.to_string());
            let last = if labelled { format!(",{}", test.unwrap_or_default()) } else { String::new() };
            let (key, name, unit) = (quoted(&group.key), metric.name(), metric.about().unit);
            csv += &format!("{key},{name},{unit},{n},{}{last}\n", numbers.collect::<Vec<_>>().join(","));
        }
    }
    csv
}

/// The factors that every design has stand in the order of the plan, then what else varies.
fn runs(summary: &Summary) -> String {
    let always = [PROMPT, LENGTH, TEMPERATURE].map(|name| summary.grid.factor(name));
    let varying = summary.varying();
    let others = varying.iter().copied().filter(|place| !always.contains(&Some(*place)));
    let places: Vec<usize> = always.into_iter().flatten().chain(others).collect();
    let names: Vec<&str> = places.iter().map(|place| column(&summary.factors[*place])).collect();
    let has = |metric: &Metric| metric.is_of_all() || summary.runs.iter().any(|run| run.value(*metric).is_some());
    let shown: Vec<Metric> = Metric::ALL.into_iter().filter(has).collect();
    let metrics: Vec<String> =
        shown.iter().map(|metric| format!("{} ({})", metric.name(), metric.about().unit)).collect();
    let mut csv = format!("run,order,block,{},repeat,n_prompt,n_gen,{}\n", names.join(","), metrics.join(","));
    for run in &summary.runs {
        let RunMetrics { run: id, order, block, repeat, n_prompt, n_gen, .. } = run;
        let levels: Vec<String> = places.iter().map(|place| quoted(&summary.level(run, *place).key())).collect();
        let values: Vec<String> = shown.iter().map(|metric| number(run.value(*metric))).collect();
        csv += &format!("{id},{order},{block},{},{repeat},{n_prompt},{n_gen},{}\n", levels.join(","), values.join(","));
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
