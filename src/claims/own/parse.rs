//! The text of an expression -> its tree, or the first flaw of it. Time and depth are bounded, whatever the text.

use super::{
    flaw::{Flaw, did_you_mean},
    tree::{
        Call, Compared, Comparison, Condition, End, Expression, Kind, Level, Operator, Statistic, Test, Word,
        is_of_level,
    },
    unit::Unit,
};

/// Longer and deeper expressions are nobody's.
const MOST_BYTES: usize = 2_000;
const MOST_DEPTH: usize = 32;

pub(super) const FUNCTIONS: [&str; 12] =
    ["mean", "sd", "median", "quantile", "min", "max", "count", "sum", "ratio", "slope", "share", "claim"];

/// A value's expression.
pub(super) fn expression(text: &str) -> Result<Expression, Flaw> {
    let mut parser = Parser::of(text)?;
    let found = parser.sum()?;
    parser.end("an operator, `+ - * /`")?;
    Ok(found)
}

/// What a predicate asks: comparisons, all of which must hold.
pub(super) fn comparisons(text: &str) -> Result<Vec<Compared>, Flaw> {
    let mut parser = Parser::of(text)?;
    let mut found = vec![parser.compared()?];
    while parser.takes(",") || parser.takes_word("and") {
        found.push(parser.compared()?);
    }
    parser.end("`and`")?;
    Ok(found)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn of(text: &'a str) -> Result<Self, Flaw> {
        if text.len() > MOST_BYTES {
            let what = format!("expected at most {MOST_BYTES} bytes, found {}", text.len());
            return Err(Flaw::new(0, what, "give parts of it names of their own, and use these"));
        }
        Ok(Parser { text, at: 0, depth: 0 })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// What comes next, for a message.
    fn found(&mut self) -> String {
        self.space();
        let rest = self.rest();
        let word = rest.find(|c: char| !(c.is_alphanumeric() || "_.".contains(c))).unwrap_or(rest.len());
        match rest.chars().next() {
            None => "the end".to_owned(),
            Some(c) => format!("`{}`", rest[..word.max(c.len_utf8())].chars().take(40).collect::<String>()),
        }
    }

    fn expected(&mut self, what: &str, hint: &str) -> Flaw {
        let found = self.found();
        Flaw::new(self.at, format!("expected {what}, found {found}"), hint)
    }

    fn takes(&mut self, sign: &str) -> bool {
        self.space();
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len();
        }
        there
    }

    fn needs(&mut self, sign: &str, hint: &str) -> Result<(), Flaw> {
        if self.takes(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"), hint)) }
    }

    fn end(&mut self, or: &str) -> Result<(), Flaw> {
        self.space();
        if self.rest().is_empty() {
            return Ok(());
        }
        let hint = if self.rest().starts_with(['<', '>', '=', '!']) {
            "comparisons stand in a predicate's `holds` and `fails`, and behind the `|` of a function"
        } else {
            "is a bracket missing, or an operator?"
        };
        Err(self.expected(&format!("{or} or the end"), hint))
    }

    /// The letters, digits and underscores that come next.
    fn peeked(&mut self) -> &'a str {
        self.space();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let there = self.peeked() == word;
        if there {
            self.at += word.len();
        }
        there
    }

    fn word(&mut self, what: &str, hint: &str) -> Result<Word, Flaw> {
        let text = self.peeked();
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(self.expected(what, hint));
        }
        let at = self.at;
        self.at += text.len();
        Ok(Word { at, text: text.to_owned() })
    }

    fn deeper<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Flaw>) -> Result<T, Flaw> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            let what = format!("expected brackets in brackets at most {MOST_DEPTH} deep");
            return Err(Flaw::new(self.at, what, "give what is inside a name of its own, and use that"));
        }
        let found = inside(self)?;
        self.depth -= 1;
        Ok(found)
    }

    fn sum(&mut self) -> Result<Expression, Flaw> {
        self.chain(&[Operator::Plus, Operator::Minus], Self::product)
    }

    fn product(&mut self) -> Result<Expression, Flaw> {
        self.chain(&[Operator::Times, Operator::Over], Self::single)
    }

    fn chain(
        &mut self,
        operators: &[Operator],
        next: fn(&mut Self) -> Result<Expression, Flaw>,
    ) -> Result<Expression, Flaw> {
        let first = next(self)?;
        let mut rest = Vec::new();
        loop {
            self.space();
            let at = self.at;
            let Some(operator) = operators.iter().find(|operator| self.rest().starts_with(operator.sign())) else {
                break;
            };
            self.at += 1;
            rest.push((*operator, at, next(self)?));
        }
        let at = first.at;
        Ok(if rest.is_empty() { first } else { Expression { at, kind: Kind::Chain(Box::new(first), rest) } })
    }

    fn single(&mut self) -> Result<Expression, Flaw> {
        self.space();
        let at = self.at;
        let kind = match self.rest().chars().next() {
            Some('-') => {
                self.at += 1;
                Kind::Negated(Box::new(self.deeper(Self::single)?))
            }
            Some('(') => {
                self.at += 1;
                let inside = self.deeper(Self::sum)?;
                self.needs(")", "each `(` needs its `)`")?;
                Kind::Bracketed(Box::new(inside))
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number()?,
            Some(c) if c.is_ascii_alphabetic() => self.named()?,
            _ => {
                return Err(self.expected(
                    "a number, a function, a name or `(`",
                    "for example: mean(decode | engine = mlx) / mean(decode | engine = llama-cpp)",
                ));
            }
        };
        Ok(Expression { at, kind })
    }

    fn number(&mut self) -> Result<Kind, Flaw> {
        let at = self.at;
        let written = self.digits();
        let value = written.parse::<f64>().ok().filter(|value| value.is_finite());
        let Some(value) = value else {
            let written: String = written.chars().take(40).collect();
            return Err(Flaw::new(at, format!("expected a number, found `{written}`"), "write 1.5, 0.25 or 2e-3"));
        };
        Ok(Kind::Number { written: written.to_owned(), value, unit: self.unit()? })
    }

    /// The digits, point and power that come next.
    fn digits(&mut self) -> &'a str {
        let (text, start) = (self.text, self.at);
        let bytes = text.as_bytes();
        let is = |at: usize, wanted: fn(&u8) -> bool| bytes.get(at).is_some_and(wanted);
        let mut end = start;
        while is(end, |b| b.is_ascii_digit() || *b == b'.') {
            end += 1;
        }
        if is(end, |b| matches!(b, b'e' | b'E')) {
            let digits = end + 1 + usize::from(is(end + 1, |b| matches!(b, b'+' | b'-')));
            if is(digits, u8::is_ascii_digit) {
                end = digits;
                while is(end, u8::is_ascii_digit) {
                    end += 1;
                }
            }
        }
        self.at = end;
        &text[start..end]
    }

    /// A unit behind a number, if there is one: `ms`, `tok/s`. A `/` with a space before it is a division.
    fn unit(&mut self) -> Result<Option<Unit>, Flaw> {
        self.space();
        let rest = self.rest();
        let part = |text: &str| text.find(|c: char| !(c.is_alphabetic() || c == '%')).unwrap_or(text.len());
        let mut end = part(rest);
        if end == 0 || &rest[..end] == "and" || rest[end..].starts_with(['(', '_']) {
            return Ok(None);
        }
        let first = &rest[..end];
        if Unit::known(first).is_none() {
            let hint = did_you_mean(first, Unit::names());
            return Err(Flaw::new(self.at, format!("there is no unit `{first}`"), hint));
        }
        while let Some(below) = rest[end..].strip_prefix('/') {
            let more = part(below);
            if more == 0 || Unit::known(&below[..more]).is_none() {
                break;
            }
            end += 1 + more;
        }
        let unit = Unit::read(&rest[..end]).map_err(|part| {
            Flaw::new(self.at, format!("there is no unit `{part}`"), "units are listed in docs/CLAIMS.md")
        })?;
        self.at += end;
        Ok(Some(unit))
    }

    fn named(&mut self) -> Result<Kind, Flaw> {
        let word = self.word("a name", "a name begins with a letter")?;
        if !self.rest().trim_start().starts_with('(') {
            let end = [(".low", End::Low), (".high", End::High)]
                .into_iter()
                .find(|(ending, _)| self.rest().starts_with(ending));
            if let Some((ending, end)) = end {
                self.at += ending.len();
                return Ok(Kind::Own(word.text, Some(end)));
            }
            if self.rest().starts_with('.') {
                let hint = format!(
                    "behind the name of a claim stands `.low` or `.high`; a number of the program's is claim(\"{}…\")",
                    word.text
                );
                return Err(self.expected("`.low` or `.high`", &hint));
            }
            return Ok(Kind::Own(word.text, None));
        }
        self.takes("(");
        let kind = self.deeper(|parser| parser.call(&word))?;
        self.needs(")", &format!("the `(` of {} needs its `)`", word.text))?;
        Ok(kind)
    }

    fn call(&mut self, name: &Word) -> Result<Kind, Flaw> {
        let statistic = match name.text.as_str() {
            "mean" => Statistic::Mean,
            "sd" => Statistic::Sd,
            "median" => Statistic::Median,
            "min" => Statistic::Min,
            "max" => Statistic::Max,
            "sum" => Statistic::Sum,
            "quantile" => Statistic::Quantile(0.5),
            "claim" => return Ok(Kind::Program(self.quoted()?)),
            "count" => {
                self.takes("|");
                self.space();
                let given = if self.rest().starts_with(')') { Vec::new() } else { self.conditions()? };
                return Ok(Kind::Call(Call::Count { given }));
            }
            "share" => {
                let met = self.conditions()?;
                return Ok(Kind::Call(Call::Share { met, given: self.given()? }));
            }
            "slope" => {
                let of = self.metric()?;
                self.needs(",", "a slope is over a factor: slope(latency, length)")?;
                let factor = self.word("a factor", "a slope is over a factor: slope(latency, length)")?;
                return Ok(Kind::Call(Call::Slope { of, factor, given: self.given()? }));
            }
            "ratio" => return self.ratio().map(Kind::Call),
            other => {
                let hint = did_you_mean(other, FUNCTIONS);
                return Err(Flaw::new(name.at, format!("there is no function `{other}`"), hint));
            }
        };
        let of = self.metric()?;
        let statistic = if let Statistic::Quantile(_) = statistic {
            let hint = "a quantile has its share behind the metric: quantile(ttft, 0.9)";
            self.needs(",", hint)?;
            self.space();
            let at = self.at;
            let share = self.digits().parse::<f64>().ok().filter(|share| *share > 0.0 && *share < 1.0);
            Statistic::Quantile(share.ok_or_else(|| Flaw::new(at, "expected a share between 0 and 1", hint))?)
        } else {
            statistic
        };
        Ok(Kind::Call(Call::Statistic { statistic, of, given: self.given()? }))
    }

    fn metric(&mut self) -> Result<Word, Flaw> {
        let found = self.word("a metric", "a function is of one metric: mean(decode), median(ttft | length = 64)")?;
        self.space();
        if self.rest().starts_with(['+', '-', '*', '/']) {
            let hint = format!("calculate with the numbers that come of it: mean({}) / mean(…)", found.text);
            return Err(self.expected("`|`, `,` or `)` behind a metric", &hint));
        }
        Ok(found)
    }

    /// `factor = first / second`, and further conditions.
    fn ratio(&mut self) -> Result<Call, Flaw> {
        let hint = "a ratio sets two levels of a factor against each other: ratio(decode | engine = mlx / llama-cpp)";
        let of = self.metric()?;
        self.needs("|", hint)?;
        let (mut compared, mut given) = (None, Vec::new());
        loop {
            let condition = self.condition()?;
            match condition.test {
                Test::Is(Comparison::Equal, first) if self.takes("/") => {
                    if compared.is_some() {
                        return Err(Flaw::new(
                            condition.name.at,
                            "expected one factor of which two levels stand",
                            hint,
                        ));
                    }
                    compared = Some((condition.name, [first, self.level()?]));
                }
                test => given.push(Condition { test, ..condition }),
            }
            if !self.takes(",") {
                break;
            }
        }
        let Some((factor, levels)) = compared else { return Err(self.expected("two levels, `first / second`", hint)) };
        Ok(Call::Ratio { of, factor, levels, given })
    }

    fn given(&mut self) -> Result<Vec<Condition>, Flaw> {
        if self.takes("|") { self.conditions() } else { Ok(Vec::new()) }
    }

    fn conditions(&mut self) -> Result<Vec<Condition>, Flaw> {
        let mut found = vec![self.condition()?];
        while self.takes(",") {
            found.push(self.condition()?);
        }
        Ok(found)
    }

    fn condition(&mut self) -> Result<Condition, Flaw> {
        let hint = "a condition is on a factor or a metric: engine = mlx, length in {64, 128}, ttft < 300 ms";
        let name = self.word("a factor or a metric", hint)?;
        if self.takes_word("in") {
            self.needs("{", "levels stand in braces: length in {64, 128}")?;
            let mut levels = vec![self.level()?];
            while self.takes(",") {
                levels.push(self.level()?);
            }
            self.needs("}", "levels stand in braces: length in {64, 128}")?;
            return Ok(Condition { name, test: Test::In(levels) });
        }
        let Some((comparison, _)) = self.comparison() else {
            return Err(self.expected("`=`, `!=`, `<`, `<=`, `>`, `>=` or `in`", hint));
        };
        Ok(Condition { name, test: Test::Is(comparison, self.level()?) })
    }

    /// The sign that comes next, and its place.
    fn comparison(&mut self) -> Option<(Comparison, usize)> {
        self.space();
        let at = self.at;
        // Programmers' `==` is meant as it is read.
        let found = Comparison::ALL.into_iter().find(|comparison| self.takes(comparison.sign()))?;
        if found == Comparison::Equal && self.rest().starts_with('=') {
            self.at += 1;
        }
        Some((found, at))
    }

    fn level(&mut self) -> Result<Level, Flaw> {
        self.space();
        let at = self.at;
        if self.rest().starts_with(['"', '\'']) {
            return Ok(Level { at, text: self.quoted()?, unit: None });
        }
        let rest = self.rest();
        let end = rest.find(|c: char| !is_of_level(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(
                self.expected("a level or a number", "a level with other signs in it needs quotes: model = 'a/b'")
            );
        }
        let text = &rest[..end];
        let digits = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
        // `300ms` is a number and its unit.
        if text[..digits].parse::<f64>().is_ok() && Unit::known(&text[digits..]).is_some() {
            self.at += digits;
            return Ok(Level { at, text: text[..digits].to_owned(), unit: self.unit()? });
        }
        self.at += end;
        let unit = if text.parse::<f64>().is_ok() { self.unit()? } else { None };
        Ok(Level { at, text: text.to_owned(), unit })
    }

    /// A text in quotes of either kind.
    fn quoted(&mut self) -> Result<String, Flaw> {
        self.space();
        let start = self.at;
        let Some(quote) = self.rest().chars().next().filter(|c| "\"'".contains(*c)) else {
            return Err(self.expected("a text in quotes", "an id stands in quotes: claim('latency.mean')"));
        };
        let inside = &self.rest()[1..];
        let Some(end) = inside.find(quote) else {
            return Err(Flaw::new(start, "expected the quote that ends the text, found the end", "add it"));
        };
        self.at += end + 2;
        Ok(inside[..end].to_owned())
    }

    fn compared(&mut self) -> Result<Compared, Flaw> {
        let left = self.sum()?;
        let Some((comparison, at)) = self.comparison() else {
            return Err(self.expected("`<`, `<=`, `>`, `>=`, `=` or `!=`", "for example: speedup.low > 1.05"));
        };
        Ok(Compared { left, comparison, at, right: self.sum()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_the_same() {
        for text in [
            "mean(decode | engine = mlx) / mean(decode | engine = llama-cpp)",
            "-(a + 2 ms) * 3 / b.low - 1.5e-3 tok/s",
            "quantile(ttft, 0.9 | length in {64, 128}, temperature != 0.3)",
            "share(ttft < 300 ms, n_gen >= 8 | prompt = \"a b\")",
            "count() + count(length = 64)",
            "slope(latency, length | engine = mlx) * 1000",
            "ratio(decode | engine = mlx / llama-cpp, length <= 128)",
            "claim(by_length.64.latency.mean)",
        ] {
            let text = text.replace("claim(by_length.64.latency.mean)", "claim('by_length.64.latency.mean')");
            let written = expression(&text).unwrap().to_string();
            assert_eq!(written, text.replace('\'', ""), "{text}");
        }
        assert_eq!(expression("3 s/2").unwrap().to_string(), "3 s / 2");
        assert_eq!(expression("mean(ttft|ttft<300ms)").unwrap().to_string(), "mean(ttft | ttft < 300 ms)");
        let asked = comparisons("a.low > 1.05 and b == 2 %, c != 0").unwrap();
        let asked: Vec<String> = asked.iter().map(Compared::to_string).collect();
        assert_eq!(asked, ["a.low > 1.05", "b = 2 %", "c != 0"]);
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        for (text, at, what) in [
            ("", 0, "found the end"),
            ("mean(decode", 11, "expected `)`, found the end"),
            ("mean(decode + ttft)", 12, "behind a metric, found `+`"),
            ("maen(decode)", 0, "there is no function `maen`"),
            ("a + ", 4, "found the end"),
            ("a b", 2, "expected an operator"),
            ("a > 1", 2, "expected an operator"),
            ("3 furlongs", 2, "there is no unit `furlongs`"),
            ("latency.mean", 7, "expected `.low` or `.high`"),
            ("quantile(ttft, 2)", 15, "expected a share between 0 and 1"),
            ("ratio(decode | engine = mlx)", 27, "expected two levels"),
            ("mean(decode | engine mlx)", 21, "expected `=`, `!=`"),
            ("1.2.3", 0, "expected a number"),
            ("1e999", 0, "expected a number"),
            ("claim(x)", 6, "expected a text in quotes"),
            ("claim('x", 6, "expected the quote"),
            ("é", 0, "found `é`"),
        ] {
            let flaw = expression(text).unwrap_err();
            assert!(flaw.at == at && flaw.what.contains(what) && !flaw.hint.is_empty(), "{text}: {flaw:?}");
        }
        assert!(comparisons("a").unwrap_err().what.contains("found the end"));
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |n: usize| format!("{}1{}", "(".repeat(n), ")".repeat(n));
        assert!(expression(&nested(32)).is_ok());
        assert_eq!(expression(&nested(33)).unwrap_err().at, 33);
        assert!(expression(&"-".repeat(1999)).unwrap_err().what.contains("at most 32 deep"));
        let long = vec!["1"; 1000].join("+");
        assert!(expression(&long).is_ok() && expression(&(long + "+1")).unwrap_err().what.contains("2000 bytes"));
    }
}
