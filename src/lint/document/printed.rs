//! A table that a program printed, in code or in a literal block -> a table: a line of headers and rows of as many columns, parted by
//! two spaces or more. All of the block is that, or nothing of it is read.

use super::{Place, Row, Table};

/// More is a log.
const LONGEST: usize = 100;

/// `lines`: each with its place.
pub fn table(lines: &[(&str, Place)]) -> Option<Table> {
    let filled = |line: &&(&str, Place)| !line.0.trim().is_empty() && !rule(line.0);
    let mut lines = lines.iter().filter(filled);
    let header = fields(lines.next()?.0);
    let rows: Vec<(Vec<String>, Place)> = lines.take(LONGEST + 1).map(|(line, place)| (fields(line), *place)).collect();
    let width = header.len();
    let named = |field: &String| field.contains(char::is_alphabetic) && !field.contains(['{', '}', ';', '$', '"']);
    let numbers = |row: &[String]| row[1..].iter().filter(|field| starts(field)).count();
    let even = rows.iter().all(|(row, _)| row.len() == width && named(&row[0]) && numbers(row) * 2 >= width - 1);
    // Numbers in a header are data.
    let names = header.iter().all(named) && header[1..].iter().all(|field| !starts(field));
    if !(3..=12).contains(&width) || !(3..=LONGEST).contains(&rows.len()) || !even || !names {
        return None;
    }
    let rows = rows.into_iter().map(|(cells, place)| Row { place, cells, ruled: false }).collect();
    Some(Table { header, rows, ..Table::default() })
}

fn fields(line: &str) -> Vec<String> {
    let line = line.replace('\t', "  ");
    line.split("  ").map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned).collect()
}

/// Dashes and the like.
fn rule(line: &str) -> bool {
    line.chars().all(|c| c.is_whitespace() || "-=+|─━_".contains(c))
}

/// It begins with a number.
fn starts(field: &str) -> bool {
    field.trim_start_matches(['-', '+', '~', '<', '>', '$']).starts_with(|c: char| c.is_ascii_digit())
}
