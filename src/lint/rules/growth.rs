//! "Independent of the number of clients", "linear in n", of a column that a table gives level by level.

use super::{Paper, names::brief};
use crate::lint::{
    grid::Grid,
    number::{Interval, show},
    paper::View,
    report::{Out, Sure},
    sentence::Sentence,
    words::contains_any,
};

pub fn check(paper: &Paper<'_>, out: &mut Out<'_>) {
    for paragraph in &paper.paragraphs {
        let above = paper.tables[..paragraph.next_table].last();
        let below = paper.tables[paragraph.next_table..].first();
        for view in above.into_iter().chain(below).filter(|view| view.section == paragraph.section) {
            let Some(grid) = view.grid.as_ref().filter(|grid| grid.levels && (3..=60).contains(&grid.rows.len()))
            else {
                continue;
            };
            for sentence in paragraph.sentences.iter().filter(|sentence| sentence.quantities.is_empty()) {
                of(sentence, grid, view, out);
            }
        }
    }
}

const FLAT: &str = "independent of the|does not depend on the|do not depend on the|does not grow with|stays constant|remains constant|is constant";
const HEDGES: &str = "not linear|nearly|almost|roughly|until|up to|beyond|if |would|should|expected|except|sub|super|quasi|log-linear|linearly with the log|per |for small|for large|at first|initially|but |theory|slope|fit";

fn of(sentence: &Sentence<'_>, grid: &Grid, view: &View<'_>, out: &mut Out<'_>) {
    let lower = &sentence.lower;
    let flat = contains_any(lower, FLAT);
    let linear = contains_any(lower, "is linear in|grows linearly|increases linearly|scales linearly|rises linearly");
    if flat == linear || contains_any(lower, HEDGES) {
        return;
    }
    let measured: Vec<usize> = (1..grid.columns.len()).filter(|column| grid.dim(*column).is_some()).collect();
    let named = |column: &usize| {
        grid.columns[*column]
            .lower
            .split(|c: char| !c.is_alphanumeric())
            .any(|name| name.len() > 3 && lower.contains(name))
    };
    let told: Vec<usize> = measured.iter().copied().filter(named).collect();
    let [column] = told.as_slice() else { return };
    let values = |column: usize| -> Option<Vec<Interval>> {
        (0..grid.rows.len()).map(|row| grid.cell(row, column).interval().filter(|value| value.low > 0.0)).collect()
    };
    let (Some(levels), Some(own)) = (values(0), values(*column)) else { return };
    let rises = levels.windows(2).all(|two| two[0].high < two[1].low);
    let (first, last) = (0, own.len() - 1);
    let (Some(growth), Some(step)) = (own[last].over(own[first]), levels[last].over(levels[first])) else { return };
    let place = sentence.place(0);
    let wrong = if flat {
        growth.low > 1.6 && own.windows(2).all(|two| two[0].low <= two[1].high)
    } else {
        // A constant part makes it grow less, nothing makes it grow more than its levels.
        growth.low > 1.8 * step.high
    };
    if !rises || !wrong {
        return;
    }
    let said = [
        sentence.quote(0..sentence.text.len()),
        format!(
            "{} to {} (a factor of {}) while the level grows by a factor of {} (line {})",
            grid.cell(first, *column).text,
            grid.cell(last, *column).text,
            show(growth.middle()),
            show(step.middle()),
            view.place.line
        ),
        format!("by {}", brief(&grid.columns[*column].text)),
    ];
    out.wrong(place, "trend", Sure::Warning, said);
}
