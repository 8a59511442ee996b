//! Means of groups against the mean of all, and what they leave of the deviation of all.

use regex::Regex;

use super::Paper;
use crate::lint::{
    label::{Label, Stat},
    number::{Interval, Stated, show},
    readings::{Reading, Table},
    report::{Out, Said, Sure},
    words::words as list,
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    let balanced = balanced(paper);
    for (table, levels) in paper.groups() {
        // The statistic over all data stands in another table; a last row of this one is a summary.
        if table.readings.iter().any(|r| r.overall && r.column == levels[0].column) {
            continue;
        }
        let Some(all) = paper.overall(&levels[0].quantity, Stat::Mean) else { continue };
        grand_mean(table, &levels, all, balanced, out);
    }
    replicates(paper, balanced, out);
}

/// Does the paper say that its groups are equally large? A product of a design, or the words.
fn balanced(paper: &Paper<'_>) -> bool {
    paper.mentions("balanced|full factorial|full-factorial|fully crossed|equal number|equally often|same number of")
        || paper
            .mentions("each combination|each configuration|each unique|every combination|every configuration|each cell")
        || paper.paragraphs.iter().any(|paragraph| super::arithmetic::is_design(&paragraph.text.text))
}

/// The mean of all is the mean of the groups' means, weighted by their sizes, and lies between them whatever those are.
fn grand_mean(table: &Table<'_>, levels: &[&Reading], all: &Reading, balanced: bool, out: &mut Out<'_>) {
    let counts: Option<Vec<f64>> = levels
        .iter()
        .map(|level| table.row(level.row).find(|r| r.stat == Stat::Count).map(|r| r.value.value))
        .collect();
    let weights = counts.clone().filter(|counts| counts.iter().sum::<f64>() > 0.0).unwrap_or(vec![1.0; levels.len()]);
    let total: f64 = weights.iter().sum();
    let weighted = |value: fn(Stated) -> f64| {
        levels.iter().zip(&weights).map(|(level, weight)| value(level.value) * weight).sum::<f64>() / total
    };
    let mean = Interval { low: weighted(Stated::low), high: weighted(Stated::high) };
    let hull = levels.iter().map(|level| level.value.interval()).reduce(Interval::join).unwrap_or(mean);
    let stated = all.value.interval();
    let outside = !stated.meets(hull);
    let own = all.row < table.source.rows.len() && table.readings.iter().any(|r| std::ptr::eq(r, all));
    // A last row may weigh its levels in a way that it does not tell; two tables without a word on balance may as well.
    let known = counts.is_some() || (balanced && !own);
    if !(outside || (known && !stated.meets(mean))) {
        return;
    }
    let values: Vec<&str> = levels.iter().map(|level| level.text.as_str()).collect();
    out.push(Said {
        place: all.place,
        rule: "grand-mean",
        sure: if known || own { Sure::Error } else { Sure::Warning },
        stated: format!("overall mean {}; by {} {}", all.quote(), table.factor.quantity.name(), values.join(" / ")),
        follows: format!("{} (line {})", show(weighted(|stated| stated.value)), levels[0].place.line),
        why: if counts.is_some() {
            "the mean of all is the mean of the groups, weighted by their counts".into()
        } else if known {
            "with equally large groups the mean of all is the mean of the groups' means".into()
        } else {
            "whatever the groups' sizes, the mean of all lies between their means".into()
        },
    });
}

/// A coefficient of variation "across replicates" that is the one of all data, while the groups' means differ: what the
/// groups explain of the variance cannot come from replicates.
fn replicates(paper: &Paper<'_>, balanced: bool, out: &mut Out<'_>) {
    let Ok(pattern) = Regex::new(
        r"(?i)(?:coefficient of variation|\bCVs?\b)(?: is| was| of|:|,|=|\s|σ|/|μ)*(?:≈|~|=|about)?\s*([0-9]+(?:\.[0-9]+)?)\s*(%?)",
    ) else {
        return;
    };
    let about = "replicate|repeated runs|repetition|repeats|identical runs|run-to-run|rerun";
    let paragraphs = &paper.paragraphs;
    for (index, paragraph) in paragraphs.iter().enumerate() {
        // A list's items belong to the sentence that leads to it.
        let lead = paragraphs[..index].iter().rev().take(4).filter(|p| p.section == paragraph.section);
        let near = |text: &str| list(about).any(|word| text.to_lowercase().contains(word));
        if !balanced
            || !(near(&paragraph.text.text) || lead.clone().any(|p| p.text.text.ends_with(':') && near(&p.text.text)))
        {
            continue;
        }
        for found in pattern.captures_iter(&paragraph.text.text) {
            let (Some(whole), Some(number)) = (found.get(0), found.get(1)) else { continue };
            let Some(found_number) = crate::lint::number::all(number.as_str(), paper.decimals).into_iter().next()
            else {
                continue;
            };
            let stated = found_number.stated;
            let stated = if found.get(2).is_some_and(|m| !m.is_empty()) { stated.scaled(0.01) } else { stated };
            // "Latency coefficient of variation": the quantity stands before, or after "of".
            let start = paragraph.text.text[..whole.start()].rfind(['.', ';', ',', ':']).map_or(0, |at| at + 1);
            let quantity = Label::read(&paragraph.text.text[start..whole.start()]).quantity;
            let Some((cv, line)) = explained(paper, &quantity, stated) else { continue };
            out.push(Said {
                place: paragraph.text.place(whole.start()),
                rule: "replicate-cv",
                sure: Sure::Error,
                stated: format!("{} {} across replicates", quantity.name(), whole.as_str().trim()),
                follows: format!("at most {} within groups; the stated value is sd / mean of all data (line {line})", show(cv)),
                why: "the deviation of all data contains the differences between the groups' means, which no replicate shows".into(),
            });
        }
    }
}

/// If `stated` is the overall sd / mean and groups explain part of it: the largest CV that is left within groups.
fn explained(paper: &Paper<'_>, quantity: &crate::lint::label::Quantity, stated: Stated) -> Option<(f64, usize)> {
    let (mean, sd) = (paper.overall(quantity, Stat::Mean)?, paper.overall(quantity, Stat::Sd)?);
    let ratio = sd.value.interval().over(mean.value.interval())?;
    if !ratio.meets(stated.interval()) {
        return None;
    }
    let between = paper.groups().filter(|(_, levels)| levels[0].quantity.same(quantity)).map(|(_, levels)| {
        // The least that rounding allows: every mean as near to the middle as it may be.
        let middle = levels.iter().map(|level| level.value.value).sum::<f64>() / levels.len() as f64;
        let near = |level: &&Reading| ((level.value.value - middle).abs() - level.value.half).max(0.0).powi(2);
        levels.iter().map(near).sum::<f64>() / levels.len() as f64
    });
    let between = between.fold(0.0, f64::max);
    // ddof: sd² (n - 1) / n <= sd², so this is the most that can be left.
    let within = (sd.value.high().powi(2) - between).max(0.0).sqrt() / mean.value.low();
    (within < stated.low() * 0.9).then_some((within, sd.place.line))
}
