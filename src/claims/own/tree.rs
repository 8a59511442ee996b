//! An expression as it was written: its parts, each with its place. It is written out again the same way every time, for formulas.

use std::fmt;

use super::unit::Unit;

/// A part of an expression; `at` is the byte of its text where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub at: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A number as it was written, and its unit.
    Number {
        written: String,
        value: f64,
        unit: Option<Unit>,
    },
    /// A claim of one's own, or an end of its interval.
    Own(String, Option<End>),
    /// `claim("latency.mean")`.
    Program(String),
    Negated(Box<Expression>),
    /// Operators of one rank from the left, each with its place.
    Chain(Box<Expression>, Vec<(Operator, usize, Expression)>),
    Bracketed(Box<Expression>),
    Call(Call),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    Low,
    High,
}

impl End {
    pub fn name(self) -> &'static str {
        match self {
            End::Low => "low",
            End::High => "high",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
}

impl Operator {
    pub fn sign(self) -> char {
        match self {
            Operator::Plus => '+',
            Operator::Minus => '-',
            Operator::Times => '*',
            Operator::Over => '/',
        }
    }
}

/// A word of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub at: usize,
    pub text: String,
}

/// A function of runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Call {
    /// `mean(decode | engine = mlx)`
    Statistic { statistic: Statistic, of: Word, given: Vec<Condition> },
    /// `count(engine = mlx)`
    Count { given: Vec<Condition> },
    /// `share(ttft < 300 ms | length = 64)`
    Share { met: Vec<Condition>, given: Vec<Condition> },
    /// `slope(latency, length | engine = mlx)`
    Slope { of: Word, factor: Word, given: Vec<Condition> },
    /// `ratio(decode | engine = mlx / llama-cpp, length = 64)`
    Ratio { of: Word, factor: Word, levels: [Level; 2], given: Vec<Condition> },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    Mean,
    Sd,
    Median,
    Min,
    Max,
    Sum,
    Quantile(f64),
}

impl Statistic {
    pub fn name(self) -> &'static str {
        match self {
            Statistic::Mean => "mean",
            Statistic::Sd => "sd",
            Statistic::Median => "median",
            Statistic::Min => "min",
            Statistic::Max => "max",
            Statistic::Sum => "sum",
            Statistic::Quantile(_) => "quantile",
        }
    }
}

/// A condition on a factor or on what a run has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Condition {
    pub name: Word,
    pub test: Test,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Is(Comparison, Level),
    In(Vec<Level>),
}

/// May it stand in a level's name without quotes?
pub(super) fn is_of_level(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !",(){}|/<>=!\"'".contains(c)
}

/// What a condition compares to: a level's name, or a number with or without a unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level {
    pub at: usize,
    pub text: String,
    pub unit: Option<Unit>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    /// Longer signs first.
    pub const ALL: [Comparison; 6] = [
        Comparison::Unequal,
        Comparison::AtMost,
        Comparison::AtLeast,
        Comparison::Equal,
        Comparison::Less,
        Comparison::More,
    ];

    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::Unequal => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        }
    }

    pub fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Comparison::Equal => a == b,
            Comparison::Unequal => a != b,
            Comparison::Less => a < b,
            Comparison::AtMost => a <= b,
            Comparison::More => a > b,
            Comparison::AtLeast => a >= b,
        }
    }
}

/// `speedup.low > 1.05`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compared {
    pub left: Expression,
    pub comparison: Comparison,
    pub at: usize,
    pub right: Expression,
}

impl Expression {
    /// Every claim of one's own that it names, with the place.
    pub fn names(&self) -> Vec<(usize, &str, Option<End>)> {
        let mut found = Vec::new();
        self.visit(&mut |part| {
            if let Kind::Own(name, end) = &part.kind {
                found.push((part.at, name.as_str(), *end));
            }
        });
        found
    }

    /// Itself and all in it. Brackets, and nothing else, nest: their number is bounded where they are read.
    pub fn visit<'a>(&'a self, see: &mut dyn FnMut(&'a Expression)) {
        see(self);
        match &self.kind {
            Kind::Negated(inside) | Kind::Bracketed(inside) => inside.visit(see),
            Kind::Chain(first, rest) => {
                first.visit(see);
                rest.iter().for_each(|(.., next)| next.visit(see));
            }
            Kind::Number { .. } | Kind::Own(..) | Kind::Program(_) | Kind::Call(_) => {}
        }
    }

    /// Without the brackets around it.
    pub fn bare(&self) -> &Expression {
        match &self.kind {
            Kind::Bracketed(inside) => inside.bare(),
            _ => self,
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Number { written, unit: Some(unit), .. } => write!(out, "{written} {}", unit.name),
            Kind::Number { written, unit: None, .. } => out.write_str(written),
            Kind::Own(name, None) => out.write_str(name),
            Kind::Own(name, Some(end)) => write!(out, "{name}.{}", end.name()),
            Kind::Program(id) => write!(out, "claim({id})"),
            Kind::Negated(inside) => write!(out, "-{inside}"),
            Kind::Bracketed(inside) => write!(out, "({inside})"),
            Kind::Chain(first, rest) => {
                write!(out, "{first}")?;
                rest.iter().try_for_each(|(operator, _, next)| write!(out, " {} {next}", operator.sign()))
            }
            Kind::Call(call) => write!(out, "{call}"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = |given: &[Condition]| if given.is_empty() { String::new() } else { format!(" | {}", all(given)) };
        match self {
            Call::Statistic { statistic: Statistic::Quantile(share), of, given } => {
                write!(out, "quantile({}, {share}{})", of.text, behind(given))
            }
            Call::Statistic { statistic, of, given } => {
                write!(out, "{}({}{})", statistic.name(), of.text, behind(given))
            }
            Call::Count { given } => write!(out, "count({})", all(given)),
            Call::Share { met, given } => write!(out, "share({}{})", all(met), behind(given)),
            Call::Slope { of, factor, given } => write!(out, "slope({}, {}{})", of.text, factor.text, behind(given)),
            Call::Ratio { of, factor, levels: [first, second], given } => {
                let more = if given.is_empty() { String::new() } else { format!(", {}", all(given)) };
                write!(out, "ratio({} | {} = {first} / {second}{more})", of.text, factor.text)
            }
        }
    }
}

fn all(conditions: &[Condition]) -> String {
    conditions.iter().map(Condition::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.test {
            Test::Is(comparison, level) => write!(out, "{} {} {level}", self.name.text, comparison.sign()),
            Test::In(levels) => {
                let levels: Vec<String> = levels.iter().map(Level::to_string).collect();
                write!(out, "{} in {{{}}}", self.name.text, levels.join(", "))
            }
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = !self.text.is_empty() && self.text.chars().all(is_of_level);
        if plain {
            out.write_str(&self.text)?
        } else {
            write!(out, "{:?}", self.text)?
        }
        self.unit.as_ref().map_or(Ok(()), |unit| write!(out, " {}", unit.name))
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {} {}", self.left, self.comparison.sign(), self.right)
    }
}
