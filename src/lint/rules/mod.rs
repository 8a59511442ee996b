//! The rules, one file for each kind of arithmetic. A rule reads, and adds findings; none knows of another.

mod arithmetic;
mod best;
mod brackets;
mod change;
mod copied;
mod counts;
mod derived;
mod groups;
mod growth;
mod listed;
mod names;
mod parts;
mod quotients;
mod ranking;
mod rates;
mod repeated;
mod restated;
mod split;
mod spread;
mod stated;
mod summary;
mod tests;
mod told;
mod trend;
mod twice;
mod within;

use super::{
    paper::Paper,
    report::{Out, Read, Report},
    silence,
};

/// Applies every rule.
pub fn all(paper: &Paper<'_>) -> Report {
    let mut out = Out::new(paper.document);
    for check in [
        derived::check,
        quotients::check,
        summary::check,
        change::check,
        stated::check,
        arithmetic::check,
        parts::check,
        spread::check,
        groups::check,
        rates::check,
        counts::check,
        restated::check,
        trend::check,
        tests::check,
        copied::check,
        brackets::check,
        ranking::check,
        best::check,
        told::check,
        within::check,
        twice::check,
        listed::check,
        split::check,
        growth::check,
        repeated::check,
    ] {
        check(paper, &mut out);
    }
    finish(paper, out)
}

/// In the order of places, once each, without what the author has answered.
fn finish(paper: &Paper<'_>, out: Out<'_>) -> Report {
    let Out { mut findings, mut agreed, .. } = out;
    findings.sort_by(|a, b| (a.0, a.1.rule, &a.1.stated).cmp(&(b.0, b.1.rule, &b.1.stated)));
    // One thing wrong is one finding: the surest of a rule at a place.
    findings.sort_by(|a, b| (a.0, a.1.rule, a.1.sure).cmp(&(b.0, b.1.rule, b.1.sure)));
    findings.dedup_by(|a, b| a.0 == b.0 && a.1.rule == b.1.rule && (a.1.stated == b.1.stated || a.1.sure != b.1.sure));
    agreed.sort_by(|a, b| (a.0, a.1.rule, &a.1.stated).cmp(&(b.0, b.1.rule, &b.1.stated)));
    agreed.dedup();
    let mut report = Report { read: read(paper), ..Report::default() };
    for (place, finding) in findings {
        match silence::answer(paper.document, place, finding.rule) {
            Some(answer) => report.silenced.push((finding, answer.reason.clone())),
            None => report.findings.push(finding),
        }
    }
    report.agreed = agreed.into_iter().map(|(_, agreement)| agreement).collect();
    report
}

fn read(paper: &Paper<'_>) -> Read {
    let sentences = paper.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences);
    let in_cells =
        paper.tables.iter().filter_map(|view| view.grid.as_ref()).flat_map(|grid| grid.cells.iter().flatten());
    Read {
        tables: paper.tables.len(),
        tables_understood: paper.tables.iter().filter(|view| view.grid.is_some()).count(),
        rows: paper.tables.iter().map(|view| view.table.rows.len()).sum(),
        numbers: sentences.clone().map(|sentence| sentence.quantities.len()).sum::<usize>()
            + in_cells.filter(|cell| cell.value.is_some()).count(),
        sentences: sentences.filter(|sentence| !sentence.quantities.is_empty()).count(),
        left_out: paper.document.left_out.iter().map(|left| left.why.clone()).collect(),
    }
}
