//! A comparison as people read it: Markdown whose columns also line up on a terminal, and one sentence.

use super::{Change, Compared, Comparison, Scale, Sort, Verdict};
use crate::claims::{
    list,
    rounding::{Decimals, p_value, significant, text},
    words::percentage as percent,
};

impl Verdict {
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Equivalent => "equivalent",
            Verdict::Different => "different",
            Verdict::Inconclusive => "inconclusive",
        }
    }
}

/// What differs, then a table of each sort of claim; no title and no summary.
pub fn markdown(comparison: &Comparison) -> String {
    markdown_with(comparison, |claim| claim.verdict.name().to_owned())
}

/// The same, with other words for verdicts.
pub fn markdown_with(comparison: &Comparison, verdict: impl Fn(&Compared) -> String) -> String {
    let mut out = String::from("## What the two were made with\n\n");
    for (name, side) in [("A", &comparison.a), ("B", &comparison.b)] {
        let mark = side.not_a_measurement.as_ref().map(|why| format!(", **not a measurement**: {why}"));
        out += &format!(
            "- {name}: run {}, {} runs, SHA-256 of runs.jsonl {}{}\n",
            code(&side.run_id),
            side.runs,
            code(&side.sha256),
            mark.unwrap_or_default()
        );
    }
    out.push('\n');
    if comparison.differences.is_empty() {
        out += "Machine, backend, software, model, prompts and plan agree.\n";
    } else {
        let rows = comparison
            .differences
            .iter()
            .map(|found| vec![found.kind.name().to_owned(), code(&found.what), code(&found.a), code(&found.b)]);
        out += &table(&["kind", "what differs", "A", "B"], rows.collect());
    }
    let outputs = comparison.outputs;
    if outputs.compared > 0 {
        out += &format!(
            "\nOf {} runs with the same prompt, length, temperature and seed, {} generated the same tokens.\n",
            outputs.compared, outputs.equal
        );
    }
    let level = percent(2.0 * comparison.confidence - 1.0);
    for (sort, title) in [(Sort::Absolute, "Absolute claims"), (Sort::Relative, "Relative claims")] {
        out += &format!("\n## {title}\n\n");
        let rows = comparison.of(sort).map(|claim| row(claim, verdict(claim)));
        let interval = format!("{level} % interval");
        out +=
            &table(&["claim", "unit", "A", "B", "change", &interval, "p same", "p differs", "verdict"], rows.collect());
    }
    let tested = comparison.claims.iter().filter(|claim| claim.change.is_some()).count();
    let alpha = 1.0 - comparison.confidence;
    out += &format!(
        "\nNumbers are means over the {} cells that both have. The change of a share is in points, every other one is B / A - 1. \
         A claim is equivalent when two one-sided tests on the runs show the change to lie within {} % (*p same*, the larger of the two, is below {}), \
         different when it is shown to exceed that (*p differs* is below {}, which is {} over the {tested} claims tested), else inconclusive.\n",
        comparison.cells,
        percent(comparison.margin),
        significant(alpha, 2),
        significant(alpha / tested.max(1) as f64, 2),
        significant(alpha, 2),
    );
    if !comparison.unsettled.is_empty() {
        let ids: Vec<String> = comparison.unsettled.iter().map(|id| code(id)).collect();
        out += &format!("Neither execution settles {}, so nothing is compared there.\n", list(&ids));
    }
    out
}

fn row(claim: &Compared, verdict: String) -> Vec<String> {
    let unit = if claim.unit == "1" { "" } else { claim.unit };
    let mut cells = vec![code(&claim.id), unit.to_owned(), claim.a.text.clone(), claim.b.text.clone()];
    cells.extend(match &claim.change {
        Some(change) => {
            let Change { value, low, high, p, p_beyond } = *change;
            let half = (high - low) / 2.0;
            let at = |x: f64| signed(x, half, claim.scale);
            let p_of = |p: f64| p_value(p).trim_start_matches("= ").to_owned();
            [at(value), format!("{} to {}", at(low), at(high)), p_of(p), p_of(p_beyond)]
        }
        None => Default::default(),
    });
    cells.push(verdict);
    cells
}

/// A change in per cent or points, with a sign, to two digits of its interval's half width.
fn signed(x: f64, half: f64, scale: Scale) -> String {
    let (x, half) = (100.0 * x, 100.0 * half);
    let Decimals(decimals) = Decimals::of_mean(if x == 0.0 { 1.0 } else { x }, Some(half).filter(|half| *half > 0.0));
    // More digits than anybody can use would only hide that there is no scatter.
    let number = text(x, Decimals(decimals.clamp(0, 4)));
    let sign = if number.starts_with('-') { "" } else { "+" };
    format!("{sign}{number}{}", if scale == Scale::Share { "" } else { " %" })
}

/// One sentence: what was compared, and how many claims of each sort came out how. `names` are what prose calls the two.
pub(super) fn summary(comparison: &Comparison, names: [&str; 2]) -> String {
    if comparison.same_records {
        return format!(
            "Both are run {} with the same records, so every claim is the same and there is nothing to test.",
            comparison.a.run_id
        );
    }
    let count = |sort, verdict| comparison.of(sort).filter(|claim| claim.verdict == verdict).count();
    let of = |sort| {
        let [equivalent, different, inconclusive] =
            [Verdict::Equivalent, Verdict::Different, Verdict::Inconclusive].map(|verdict| count(sort, verdict));
        let all = equivalent + different + inconclusive;
        format!(
            "of {all} {} claims {equivalent} are equivalent, {different} different and {inconclusive} inconclusive",
            match sort {
                Sort::Absolute => "absolute",
                Sort::Relative => "relative",
            }
        )
    };
    let mut kinds: Vec<&str> = comparison.differences.iter().map(|found| found.kind.name()).collect();
    kinds.dedup();
    let conditions = if kinds.is_empty() {
        "made under the same conditions".to_owned()
    } else {
        let kinds: Vec<String> = kinds.into_iter().map(str::to_owned).collect();
        format!("which differ in {}", list(&kinds))
    };
    let fake = [&comparison.a, &comparison.b].iter().any(|side| side.not_a_measurement.is_some());
    format!(
        "Between {} and {}, {conditions}, at a margin of {} % and {} % confidence, {}, and {}{}.",
        names[0],
        names[1],
        percent(comparison.margin),
        percent(comparison.confidence),
        of(Sort::Absolute),
        of(Sort::Relative),
        if fake { "; this is no comparison of measurements" } else { "" },
    )
}

/// Somebody's text in a table: a code span, in which nothing has a meaning but what is replaced here.
pub(crate) fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '`' => '\'',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect();
    let plain = plain.trim();
    if plain.is_empty() { "(empty)".to_owned() } else { format!("`{}`", plain.replace('|', "\\|")) }
}

/// A table whose columns line up.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - cell.chars().count())))
            .collect();
        format!("| {} |\n", padded.join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut out = line(head.to_vec()) + &line(rule.iter().map(String::as_str).collect());
    for row in &rows {
        out += &line(row.iter().map(String::as_str).collect());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_s_text_cannot_leave_its_cell() {
        assert_eq!(code("a|b`c\n<script>"), "`a\\|b'c <script>`");
        assert_eq!(code(" \u{1b}"), "`\u{fffd}`");
        assert_eq!(code(""), "(empty)");
    }

    #[test]
    fn changes_have_a_sign_and_the_digits_that_are_known() {
        assert_eq!(signed(0.012_345, 0.0021, Scale::Ratio), "+1.23 %");
        assert_eq!(signed(-0.2, 0.034, Scale::Share), "-20.0");
        assert_eq!(signed(0.0, 0.0, Scale::Ratio), "+0.000 %");
        assert_eq!(signed(9.0, 0.5, Scale::Ratio), "+900 %");
    }

    #[test]
    fn columns_line_up() {
        let text = table(&["a", "long head"], vec![vec!["é".into(), "x".into()], vec!["four".into(), "y".into()]]);
        let widths: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
    }
}
