//! A text with numbers in it: `{value:.2} times`. Numbers are rounded where they are put in, and nowhere else.

use super::flaw::Flaw;

/// Words and places for numbers, in turn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Words(String),
    Slot { at: usize, name: String, digits: Option<Digits> },
}

/// How many digits an author asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digits {
    /// `:.2`
    Decimals(i32),
    /// `:3`
    Significant(i32),
}

/// More are none that anything is known to.
const MOST_DIGITS: i32 = 15;

impl Template {
    /// # Errors
    /// A brace without its other, or a place that says something else.
    pub fn read(text: &str) -> Result<Template, Flaw> {
        let (mut parts, mut words, mut at) = (Vec::new(), String::new(), 0);
        let alone = |at: usize| {
            Flaw::new(
                at,
                "expected `{name}`, found a brace alone",
                "a brace that is meant as it is is written twice: `{{`, `}}`",
            )
        };
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                words.push(c);
                at += 2;
            } else if c == '{' {
                let end = rest.find('}').filter(|end| !rest[1..*end].contains('{')).ok_or_else(|| alone(at))?;
                if !words.is_empty() {
                    parts.push(Part::Words(std::mem::take(&mut words)));
                }
                parts.push(slot(&rest[1..end], at)?);
                at += end + 1;
            } else if c == '}' {
                return Err(alone(at));
            } else {
                words.push(c);
                at += c.len_utf8();
            }
        }
        if !words.is_empty() {
            parts.push(Part::Words(words));
        }
        Ok(Template { parts })
    }

    /// The places for numbers: byte, name, digits.
    pub fn slots(&self) -> impl Iterator<Item = (usize, &str, Option<Digits>)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot { at, name, digits } => Some((*at, name.as_str(), *digits)),
            Part::Words(_) => None,
        })
    }

    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Words(words) => Some(words.as_str()),
            Part::Slot { .. } => None,
        })
    }

    /// With the numbers that `of` gives for each place.
    pub fn fill(&self, mut of: impl FnMut(&str, Option<Digits>) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Slot { name, digits, .. } => of(name, *digits),
        };
        self.parts.iter().map(part).collect()
    }
}

fn slot(inside: &str, at: usize) -> Result<Part, Flaw> {
    let (name, digits) = inside.split_once(':').map_or((inside, None), |(name, digits)| (name, Some(digits)));
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().any(char::is_whitespace) {
        return Err(Flaw::new(at, format!("expected a name in braces, found `{inside}`"), "for example: {value:.2}"));
    }
    let digits = match digits.map(str::trim) {
        None => None,
        Some(digits) => {
            let (decimals, count) = digits.strip_prefix('.').map_or((false, digits), |count| (true, count));
            let count = count.parse::<i32>().ok().filter(|_| count.bytes().all(|b| b.is_ascii_digit()));
            let count = count.filter(|count| (i32::from(!decimals)..=MOST_DIGITS).contains(count));
            let count = count.ok_or_else(|| {
                let what = format!("expected digits such as `.2` or `3` behind the colon, found `{digits}`");
                Flaw::new(at, what, "`{value:.2}` has two decimals, `{value:3}` three significant digits")
            })?;
            Some(if decimals { Digits::Decimals(count) } else { Digits::Significant(count) })
        }
    };
    Ok(Part::Slot { at, name, digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_and_filled() {
        let template = Template::read("{value:.2} times ({low} to { high : 3 }) {{x}} é").unwrap();
        let filled = template.fill(|name, digits| format!("<{name} {digits:?}>"));
        assert_eq!(filled, "<value Some(Decimals(2))> times (<low None> to <high Some(Significant(3))>) {x} é");
        assert_eq!(template.slots().map(|(at, ..)| at).collect::<Vec<_>>(), [0, 18, 27]);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for (text, at) in
            [("a {", 2), ("a }", 2), ("{}", 0), ("{value:x}", 0), ("{value:0}", 0), ("{v:.99}", 0), ("{a{b}}", 0)]
        {
            assert_eq!(Template::read(text).unwrap_err().at, at, "{text}");
        }
    }
}
