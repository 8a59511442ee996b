//! What is demanded of a value of a study file: each names the key, what was expected, what was found, and the way out.

use std::fmt::Display;

use super::error::Problem;

pub(super) type Checked<T> = Result<T, Problem>;

pub(super) fn ensure(holds: bool, key: &str, expected: &str, found: &str, hint: &str) -> Checked<()> {
    if holds { Ok(()) } else { Err(Problem::new(key, format!("expected {expected}, found {found}"), hint)) }
}

pub(super) fn not_empty<T>(key: &str, list: &[T], hint: &str) -> Checked<()> {
    ensure(!list.is_empty(), key, "at least one entry", "an empty list", hint)
}

/// A comparison with NaN is false, so NaN is never in range.
pub(super) fn in_range<T: PartialOrd + Display>(key: &str, value: &T, least: &T, most: &T, hint: &str) -> Checked<()> {
    ensure(value >= least && value <= most, key, &format!("{least} to {most}"), &value.to_string(), hint)
}

pub(super) fn above_zero(key: &str, value: &f64, most: f64, hint: &str) -> Checked<()> {
    ensure(*value > 0.0 && *value <= most, key, &format!("more than 0, at most {most}"), &value.to_string(), hint)
}

/// Text that fits on one line of a page and in a record.
pub(super) fn one_line(key: &str, text: &str) -> Checked<String> {
    let fits = !text.trim().is_empty() && !text.contains(char::is_control);
    ensure(fits, key, "one line of text", &format!("{text:?}"), "write at least one letter, and no line break")?;
    Ok(text.trim().to_owned())
}

pub(super) fn distinct<T>(list: &str, items: &[T], name: impl Fn(&T) -> String, suffix: &'static str) -> Checked<()> {
    distinct_by(list, items, name, |_| suffix)
}

/// No two items have the same name; the key in the problem is the later one's.
pub(super) fn distinct_by<T>(
    list: &str,
    items: &[T],
    name: impl Fn(&T) -> String,
    suffix: impl Fn(usize) -> &'static str,
) -> Checked<()> {
    let mut seen = std::collections::BTreeMap::new();
    for (i, item) in items.iter().enumerate() {
        let name = name(item);
        if let Some(first) = seen.get(&name) {
            let found = format!("{name:?} again, after {list}[{first}]");
            let key = format!("{list}[{i}]{}", suffix(i));
            return ensure(false, &key, "no duplicate", &found, "remove one of the two; num_runs sets replicates");
        }
        seen.insert(name, i);
    }
    Ok(())
}
