//! `length = 256, engine in {mlx, llama-cpp}`: which runs a figure is of. Text in; conditions that each run meets or not, out.

use super::fault::did_you_mean;
use crate::{
    analysis::{RunMetrics, Summary},
    factor::{Factor, Kind, Level},
};

/// More conditions than factors are no use.
const MOST: usize = 32;

/// What was expected and found, and the way out.
pub type Fault = (String, String);

/// One condition, resolved: runs at these levels of this factor meet it.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub factor: usize,
    /// By the index of a level.
    admits: Vec<bool>,
}

impl Condition {
    pub fn meets(&self, summary: &Summary, run: &RunMetrics) -> bool {
        self.admits[summary.grid.cells[run.cell][self.factor]]
    }
}

/// A condition as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    factor: String,
    sign: Sign,
    levels: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Is,
    IsNot,
    In,
    Less,
    AtMost,
    More,
    AtLeast,
}

const SIGNS: [(&str, Sign); 6] = [
    ("!=", Sign::IsNot),
    ("<=", Sign::AtMost),
    (">=", Sign::AtLeast),
    ("=", Sign::Is),
    ("<", Sign::Less),
    (">", Sign::More),
];

const SHAPES: &str = "write `factor = level`, `factor != level`, `factor in {a, b}` or `factor < 5`, joined by commas";

/// Reads conditions.
///
/// # Errors
/// What does not fit the grammar.
pub fn parse(text: &str) -> Result<Vec<Written>, Fault> {
    let mut rest = text.trim();
    let mut found = Vec::new();
    loop {
        let (written, after) = one(rest)?;
        found.push(written);
        if found.len() > MOST {
            return Err((format!("expected at most {MOST} conditions, found more"), "use `in {a, b}`".to_owned()));
        }
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(found);
        }
        let Some(next) = rest.strip_prefix(',') else { return Err(unexpected("a comma", rest)) };
        rest = next.trim_start();
    }
}

fn one(text: &str) -> Result<(Written, &str), Fault> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let (factor, rest) = text.split_at(end);
    if factor.is_empty() {
        return Err(unexpected("the name of a factor", text));
    }
    let rest = rest.trim_start();
    if let Some(list) = rest.strip_prefix("in").map(str::trim_start).and_then(|rest| rest.strip_prefix('{')) {
        let (levels, rest) = list_of_levels(list)?;
        return Ok((Written { factor: factor.to_owned(), sign: Sign::In, levels }, rest));
    }
    let signed = SIGNS.iter().find_map(|(text, sign)| Some((*sign, rest.strip_prefix(text)?)));
    let Some((sign, rest)) = signed else { return Err(unexpected("=, !=, <, <=, >, >= or `in {`", rest)) };
    let (level, rest) = level(rest.trim_start())?;
    Ok((Written { factor: factor.to_owned(), sign, levels: vec![level] }, rest))
}

/// Behind the opening brace, up to the closing one.
fn list_of_levels(mut rest: &str) -> Result<(Vec<String>, &str), Fault> {
    let mut levels = Vec::new();
    loop {
        let (next, after) = level(rest.trim_start())?;
        levels.push(next);
        let after = after.trim_start();
        if let Some(end) = after.strip_prefix('}') {
            return Ok((levels, end));
        }
        let Some(more) = after.strip_prefix(',') else { return Err(unexpected("a comma or `}`", after)) };
        rest = more;
    }
}

/// A level in quotes, or bare up to what cannot belong to one.
fn level(text: &str) -> Result<(String, &str), Fault> {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            let Some((level, rest)) = inside.split_once(quote) else { return Err(unexpected("a closing quote", "")) };
            return Ok((level.to_owned(), rest));
        }
    }
    let end = text.find([',', '{', '}', '=', '<', '>', '"', '\'']).unwrap_or(text.len());
    let level = text[..end].trim_end();
    if level.is_empty() {
        return Err(unexpected("a level", text));
    }
    Ok((level.to_owned(), &text[end..]))
}

fn unexpected(expected: &str, rest: &str) -> Fault {
    let found = match rest.chars().take(20).collect::<String>() {
        nothing if nothing.is_empty() => "the end".to_owned(),
        some => format!("`{some}`"),
    };
    (format!("expected {expected}, found {found}"), SHAPES.to_owned())
}

/// What a condition means in a design.
///
/// # Errors
/// A factor or a level that the design has not, or an order where there is none.
pub fn resolve(written: &Written, factors: &[Factor]) -> Result<Condition, Fault> {
    let Written { factor: name, sign, levels } = written;
    let Some(place) = factors.iter().position(|factor| factor.name == *name) else {
        let known = factors.iter().map(|factor| factor.name.as_str());
        let what = format!("expected a factor of the study, found `{name}`");
        return Err((what, did_you_mean(name, known)));
    };
    let factor = &factors[place];
    let admits = match sign {
        Sign::Is | Sign::In | Sign::IsNot => {
            let mut named = vec![false; factor.levels.len()];
            for level in levels {
                named[position(factor, level)?] = true;
            }
            if *sign == Sign::IsNot {
                named.iter_mut().for_each(|is| *is = !*is);
            }
            named
        }
        Sign::Less | Sign::AtMost | Sign::More | Sign::AtLeast => {
            if factor.kind != Kind::Numeric {
                let what = format!("`{name}` has names as levels, which `<` and `>` do not order");
                return Err((what, format!("use `{name} = level` or `{name} in {{a, b}}`")));
            }
            let bound: f64 =
                levels.first().and_then(|level| level.parse().ok()).filter(|b: &f64| !b.is_nan()).ok_or_else(|| {
                    let found = levels.first().map_or("", String::as_str);
                    (format!("expected a number behind `{name}`, found `{found}`"), SHAPES.to_owned())
                })?;
            let within = |level: f64| match sign {
                Sign::Less => level < bound,
                Sign::AtMost => level <= bound,
                Sign::More => level > bound,
                _ => level >= bound,
            };
            factor.levels.iter().map(|level| level.as_number().is_some_and(within)).collect()
        }
    };
    Ok(Condition { factor: place, admits })
}

/// The level that a text means: by what rows carry, by its number, or by what people call it.
fn position(factor: &Factor, text: &str) -> Result<usize, Fault> {
    let number: Option<f64> = text.parse().ok();
    let is = |level: &Level| {
        level.key() == text || level.label == text || number.is_some_and(|number| level.as_number() == Some(number))
    };
    factor.levels.iter().position(is).ok_or_else(|| {
        let keys: Vec<_> = factor.levels.iter().map(Level::key).collect();
        let what = format!("expected a level of `{}`, found `{text}`", factor.name);
        (what, did_you_mean(text, keys.iter().map(|key| &**key)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::{Known, LENGTH, PROMPT};

    fn factors() -> Vec<Factor> {
        let known = |name: &str, levels: Vec<Level>| Known::named(name).unwrap().with(levels);
        let prompts = ["a, b", "x = y", "ML"].map(Level::text);
        vec![known(LENGTH, [64.0, 128.0, 256.0].map(Level::number).to_vec()), known(PROMPT, prompts.to_vec())]
    }

    fn admits(text: &str) -> Result<Vec<Vec<bool>>, Fault> {
        parse(text)?.iter().map(|written| resolve(written, &factors()).map(|found| found.admits)).collect()
    }

    #[test]
    fn every_sign_by_hand() {
        for (text, expected) in [
            ("length = 128", [false, true, false]),
            ("length=128.0", [false, true, false]),
            ("length != 128", [true, false, true]),
            ("length < 128", [true, false, false]),
            ("length <= 128", [true, true, false]),
            ("length > 64", [false, true, true]),
            ("length>=256", [false, false, true]),
            ("length in {64, 256}", [true, false, true]),
            ("prompt = \"a, b\"", [true, false, false]),
            ("prompt in{ 'x = y' ,ML }", [false, true, true]),
        ] {
            assert_eq!(admits(text).unwrap(), [expected.to_vec()], "{text}");
        }
        assert_eq!(admits("length < 200 , prompt = ML").unwrap().len(), 2);
    }

    #[test]
    fn what_does_not_fit_is_told_with_the_way_out() {
        for (text, what) in [
            ("", "expected the name of a factor, found the end"),
            ("length", "expected =, !=, <, <=, >, >= or `in {`, found the end"),
            ("length == 64", "expected a level, found `= 64`"),
            ("length = 64 prompt = ML", "expected a comma, found `= ML`"),
            ("length in {64", "expected a comma or `}`, found the end"),
            ("length in {}", "expected a level, found `}`"),
            ("prompt = \"ML", "expected a closing quote, found the end"),
            ("lenght = 64", "expected a factor of the study, found `lenght`"),
            ("length = 65", "expected a level of `length`, found `65`"),
            ("prompt < 5", "`prompt` has names as levels, which `<` and `>` do not order"),
            ("length < many", "expected a number behind `length`, found `many`"),
            ("length = 64,", "expected the name of a factor, found the end"),
        ] {
            let found = admits(text).unwrap_err();
            assert!(found.0.starts_with(what), "{text}: {found:?}");
            assert!(!found.1.is_empty());
        }
        assert_eq!(admits("lenght = 64").unwrap_err().1, "did you mean `length`?");
        assert!(parse(&vec!["a = 1"; 40].join(",")).is_err());
    }
}
