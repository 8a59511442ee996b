//! A table -> a grid of values with units, and the same turned on its side, so that a rule for columns is one for rows.

use super::{
    document::{Place, Table},
    number::{Bound, Decimals, Interval, Stated},
    sentence::{self, Quantity},
    unit::{self, Dim, Unit},
    words::one_of,
};

/// A cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    pub text: String,
    /// The one number that it gives, in the base of its unit.
    pub value: Option<Stated>,
    /// Half a unit of its last digit, in the same base, where zeros at the end of a whole number count.
    pub step: f64,
    pub unit: Unit,
    /// What stands after `±` or in brackets.
    pub more: Vec<Quantity>,
    /// It says "about", "at least", or has a mark of a footnote: it is no exact statement.
    pub loose: bool,
    /// `slower`, where it says so.
    pub slower: bool,
    pub signed: bool,
    /// The two ends, where it gives a range.
    pub span: Option<(Stated, Stated)>,
    pub about: bool,
}

impl Cell {
    /// A value that rounding alone can have moved.
    pub fn firm(&self) -> Option<Stated> {
        self.value.filter(|value| !self.loose && !self.about && value.bound == Bound::Value)
    }

    /// What its digits as they stand allow.
    pub fn interval(&self) -> Option<Interval> {
        self.firm().map(|value| Stated { half: self.step.min(value.half), ..value }.interval())
    }

    /// What they allow if zeros at the end stand for other digits.
    pub fn wide(&self) -> Option<Interval> {
        self.firm().map(Stated::interval)
    }
}

/// A row or a column, as its name has it.
#[derive(Debug, Clone, Default)]
pub struct Name {
    pub text: String,
    pub lower: String,
    pub unit: Option<Unit>,
    pub place: Place,
    /// A line was drawn before it.
    pub ruled: bool,
}

/// A table's numbers.
#[derive(Debug, Clone)]
pub struct Grid {
    pub rows: Vec<Name>,
    pub columns: Vec<Name>,
    /// By row, then column.
    pub cells: Vec<Vec<Cell>>,
    /// Rows of the grid are columns of the paper.
    pub turned: bool,
    /// The first column numbers the rows, or gives their level.
    pub levels: bool,
    /// The same of the first row, where the table is turned.
    pub level_row: bool,
}

impl Grid {
    /// Reads a table whose rows have names in their first columns; `None` if it has no numbers.
    pub fn read(table: &Table, cells: &[Vec<Cell>], decimals: Decimals) -> Option<Self> {
        let width = table.header.len();
        let mut columns: Vec<Name> =
            table.header.iter().map(|header| name(header, Place::default(), false, decimals)).collect();
        let numbers =
            |column: usize| cells.iter().filter(|row| row.get(column).is_some_and(|cell| cell.value.is_some())).count();
        let filled = |column: usize| {
            table.rows.iter().filter(|row| row.cells.get(column).is_some_and(|text| !text.trim().is_empty())).count()
        };
        // Names are the first column, and those beside it that are no numbers.
        let mut labels = 1;
        while labels < width && numbers(labels) * 2 <= filled(labels) {
            labels += 1;
        }
        if labels >= width || width < 2 {
            return None;
        }
        let rows: Vec<Name> = table
            .rows
            .iter()
            .map(|row| name(&row.cells[..labels.min(row.cells.len())].join(" "), row.place, row.ruled, decimals))
            .collect();
        // A first column of numbers is both: a level, and something to divide.
        let first = usize::from(!(labels == 1 && numbers(0) * 2 > filled(0)));
        let start = if first == 0 { 0 } else { labels };
        let mut cells = cells.to_vec();
        columns.drain(..start);
        for row in &mut cells {
            row.drain(..start.min(row.len()));
            row.resize_with(columns.len(), Cell::default);
        }
        let mut grid = Grid { rows, columns, cells, turned: false, levels: first == 0, level_row: false };
        grid.give_units();
        grid.cells.iter().flatten().any(|cell| cell.value.is_some()).then_some(grid)
    }

    /// A cell's own unit goes first, then its column's, then its row's.
    fn give_units(&mut self) {
        for (row, cells) in self.cells.iter_mut().enumerate() {
            for (column, cell) in cells.iter_mut().enumerate() {
                let Some(value) = cell.value.as_mut() else { continue };
                let inherited = self.columns[column].unit.clone().or_else(|| self.rows[row].unit.clone());
                // `50k` under `Bytes`
                if let (Dim::None, Some(unit)) = (&cell.unit.dim, inherited) {
                    *value = value.scaled(unit.scale);
                    cell.step *= unit.scale;
                    cell.unit = Unit { scale: cell.unit.scale * unit.scale, ..unit };
                }
            }
        }
    }

    /// Columns as rows.
    pub fn turn(&self) -> Grid {
        let cells =
            (0..self.columns.len()).map(|column| self.cells.iter().map(|row| row[column].clone()).collect()).collect();
        Grid {
            rows: self.columns.clone(),
            columns: self.rows.clone(),
            cells,
            turned: !self.turned,
            levels: false,
            level_row: self.levels,
        }
    }

    /// The dimension that most numbers of a column have; `None` where it has none.
    pub fn dim(&self, column: usize) -> Option<Dim> {
        let mut dims: Vec<&Dim> = self
            .cells
            .iter()
            .map(|row| &row[column])
            .filter(|cell| cell.value.is_some())
            .map(|cell| &cell.unit.dim)
            .collect();
        dims.sort();
        dims.get(dims.len() / 2).map(|dim| (*dim).clone())
    }

    pub fn cell(&self, row: usize, column: usize) -> &Cell {
        &self.cells[row][column]
    }

    pub fn place(&self, row: usize, column: usize) -> Place {
        if self.turned { self.columns[column].place } else { self.rows[row].place }
    }
}

/// The cells of a table.
pub fn cells(table: &Table, decimals: Decimals) -> Vec<Vec<Cell>> {
    table.rows.iter().map(|row| row.cells.iter().map(|text| cell(text, decimals)).collect()).collect()
}

fn name(text: &str, place: Place, ruled: bool, decimals: Decimals) -> Name {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let unit = unit_in(&text, decimals);
    Name { lower: text.to_lowercase(), text, unit, place, ruled }
}

/// `Time (s)`, `Latency [ms]`, `Memory, MB`, `tok/s`, `p99 ms`, `Change %`.
fn unit_in(text: &str, decimals: Decimals) -> Option<Unit> {
    let known = |word: &str| {
        let word = word.trim().trim_start_matches("in ").trim_matches(['.', ':', '*']);
        let found = unit::named(word).or_else(|| {
            unit::after(&format!(" {word}"))
                .filter(|(u, width)| *width == word.len() + 1 && !matches!(u.dim, Dim::Count(_)))
                .map(|(u, _)| u)
        });
        let sign = match word {
            "%" | "percent" => Some(Unit { dim: Dim::Percent, scale: 1.0 }),
            "x" | "×" | "X" | "times" => Some(Unit { dim: Dim::Factor, scale: 1.0 }),
            "$" | "USD" | "€" => Some(Unit { dim: Dim::Money, scale: 1.0 }),
            "K" | "k" | "thousands" => Some(Unit { dim: Dim::None, scale: 1e3 }),
            "M" | "millions" => Some(Unit { dim: Dim::None, scale: 1e6 }),
            _ => None,
        };
        sign.or(found)
    };
    let _ = decimals;
    for (open, close) in [('(', ')'), ('[', ']')] {
        if let (Some(start), Some(end)) = (text.rfind(open), text.rfind(close))
            && start < end
            && let Some(unit) =
                known(&text[start + 1..end]).or_else(|| text[start + 1..end].split([',', ' ']).next().and_then(known))
        {
            return Some(unit);
        }
    }
    let plain = text.split(['(', '[']).next().unwrap_or(text).trim();
    let last = plain.rsplit([' ', ',', '/']).next().unwrap_or(plain);
    let rate = plain.rsplit([' ', ',']).next().filter(|word| word.contains('/')).and_then(unit::named);
    let second = plain.to_lowercase();
    if let Some(noun) = second.strip_suffix(" per second").or_else(|| second.strip_suffix("/second")) {
        return Some(Unit { dim: Dim::Rate(unit::singular(noun.rsplit(' ').next().unwrap_or(noun))), scale: 1.0 });
    }
    // A capital or a letter alone is no unit: `Class B`, `Plan S`.
    let single = last.chars().count() == 1 && !matches!(last, "%" | "s" | "×" | "$");
    rate.or_else(|| {
        (!single).then(|| known(last)).flatten().filter(|unit| !matches!(unit.dim, Dim::Count(_)) || last.contains('/'))
    })
}

/// Words in a cell that go with its number.
const WORDS: &str = "faster|slower|higher|lower|more|less|fewer|better|worse|smaller|larger|bigger|overhead|baseline|avg|mean|about|approx|total|saved|reduction|increase|speedup|improvement|gain|longer|shorter|up|down|only|schneller|langsamer";

/// Reads a cell.
pub fn cell(text: &str, decimals: Decimals) -> Cell {
    let marks = ['*', '†', '‡', '§'];
    let trimmed = text
        .trim()
        .trim_matches(|c: char| "✅❌🏆🥇🥈🥉🚀⚡🔥↑↓▲▼⬆⬇🟢🔴🟡⭐".contains(c) || c == '\u{fe0f}' || c.is_whitespace());
    // `x 2.35`
    let trimmed =
        trimmed.strip_prefix("x ").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(trimmed);
    let mut cell = Cell { text: text.trim().to_owned(), unit: Unit::none(), ..Cell::default() };
    cell.loose = trimmed.contains(marks) || trimmed.contains("^a") || trimmed.contains("¹") || trimmed.contains("²");
    let found = sentence::quantities(trimmed, decimals);
    let Some(first) = found.first() else { return cell };
    // What is in brackets or behind ± goes with the first.
    let tail = trimmed[first.range.end..].find(['(', '[', '±', '{']).map_or(trimmed.len(), |at| first.range.end + at);
    // `13.9 µs -7.4%`: a change behind its value.
    let behind = found.get(1).filter(|second| {
        found.len() == 2 && second.number.signed && second.unit.dim == Dim::Percent && first.unit.dim != Dim::Percent
    });
    let tail = behind.map_or(tail, |second| tail.min(second.range.start));
    let (own, more): (Vec<&Quantity>, Vec<&Quantity>) = found.iter().partition(|quantity| quantity.range.start < tail);
    let outside = format!(
        "{} {}",
        &trimmed[..first.range.start],
        &trimmed[own.last().map_or(0, |last| last.range.end).min(tail)..tail]
    );
    let strange = |word: &str| !word.is_empty() && !one_of(WORDS, word);
    let lower = outside.to_lowercase();
    if lower.split(|c: char| !c.is_alphabetic()).any(strange) {
        return cell;
    }
    // `334–339 ms` is somewhere between.
    if let Some(upper) = first.upper {
        let (low, high) = (first.base(), upper.scaled(first.unit.scale));
        cell.span = Some((low, high));
        let between = Stated {
            value: (low.value + high.value) / 2.0,
            half: (high.value - low.value) / 2.0 + high.half,
            bound: Bound::Value,
        };
        if matches!(first.unit.dim, Dim::Factor | Dim::Percent) || own.len() > 1 {
            return cell;
        }
        (cell.value, cell.step, cell.unit) = (Some(between), between.half, first.unit.clone());
        if matches!(cell.unit.dim, Dim::Count(_)) {
            cell.unit.dim = Dim::None;
        }
        return cell;
    }
    // `853.4 / 884.0`: two of one kind, the first as the others' first.
    let listed = own.len() > 1
        && own
            .windows(2)
            .all(|two| trimmed.get(two[0].range.end..two[1].range.start).is_some_and(|between| between == " / "));
    let compound = !listed
        && own.len() > 1
        && own.iter().all(|quantity| quantity.unit.dim == Dim::Time || clock(trimmed, quantity))
        && own.windows(2).all(|pair| {
            trimmed[pair[0].range.end..pair[1].range.start].trim().is_empty()
                || trimmed[pair[0].range.end..pair[1].range.start].trim() == "m"
        });
    if own.len() > 1 && !compound && !listed || matches!(first.unit.dim, Dim::Count(_)) && compound {
        return cell;
    }
    if compound && own.iter().any(|quantity| clock(trimmed, quantity)) {
        return cell;
    }
    let mut value = first.base();
    for quantity in own[1..].iter().filter(|_| compound) {
        value = Stated { value: value.value + quantity.base().value, half: quantity.base().half, bound: value.bound };
    }
    cell.unit = Unit { scale: first.unit.scale, dim: first.unit.dim.clone() };
    // A noun in a cell tells no kind: `12 files` beside `4`.
    if matches!(cell.unit.dim, Dim::Count(_)) {
        cell.unit.dim = Dim::None;
    }
    cell.value = Some(value);
    let whole = first.number.stated.half >= 0.5 && first.number.stated.value.fract() == 0.0 && !first.number.about;
    cell.step = if whole { 0.5 * first.unit.scale } else { value.half };
    if compound {
        cell.step = value.half;
    }
    cell.more = more.into_iter().cloned().collect();
    cell.about = first.number.about;
    cell.slower = lower.contains("slower") || lower.contains("langsamer") || lower.contains("worse");
    cell.signed = first.number.signed;
    cell
}

/// `3m 20s`
fn clock(text: &str, quantity: &Quantity) -> bool {
    text[quantity.range.end..].starts_with('m')
}
