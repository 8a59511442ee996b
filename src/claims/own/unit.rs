//! Units of numbers of one's own: what a number measures, and how large its unit is. Sums and comparisons need one kind; products and
//! quotients make new kinds.

use std::fmt;

/// What a number measures: powers of seconds, tokens and bytes. Counts, ratios and shares are of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kind([i8; 3]);

pub(super) const BARE: Kind = Kind([0, 0, 0]);
pub(super) const TIME: Kind = Kind([1, 0, 0]);
pub(super) const TOKENS: Kind = Kind([0, 1, 0]);
pub(super) const BYTES: Kind = Kind([0, 0, 1]);

impl Kind {
    /// `None` where a power becomes larger than anybody means.
    pub fn times(self, other: Kind) -> Option<Kind> {
        self.with(other, 1)
    }

    pub fn over(self, other: Kind) -> Option<Kind> {
        self.with(other, -1)
    }

    fn with(self, other: Kind, sign: i8) -> Option<Kind> {
        let mut powers = self.0;
        for (power, more) in powers.iter_mut().zip(other.0) {
            *power = power.checked_add(more.checked_mul(sign)?).filter(|power| power.abs() <= 9)?;
        }
        Some(Kind(powers))
    }

    /// The units of the table that fit, for a hint: `s, ms or us`.
    pub fn fitting(self) -> String {
        let names: Vec<&str> = TABLE.iter().filter(|unit| unit.kind == self).map(|unit| unit.name).collect();
        match names.as_slice() {
            [] => self.to_string(),
            [one] => (*one).to_owned(),
            [before @ .., last] => format!("{} or {last}", before.join(", ")),
        }
    }

    /// What it is printed in where the author names no unit.
    pub fn unit(self) -> Unit {
        let first = TABLE.iter().find(|unit| unit.kind == self);
        first.map_or_else(|| Unit { name: self.to_string(), kind: self, many: 1.0, of: 1.0 }, Unit::from)
    }
}

/// `s/tok`, `1/s`, `1`.
impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |sign: i8| {
            let powers = ["s", "tok", "bytes"].iter().zip(self.0).filter(|(_, power)| power.signum() == sign);
            powers.flat_map(|(name, power)| vec![*name; power.unsigned_abs().into()]).collect::<Vec<_>>()
        };
        let above = side(1);
        out.write_str(&if above.is_empty() { "1".to_owned() } else { above.join("*") })?;
        side(-1).iter().try_for_each(|name| write!(out, "/{name}"))
    }
}

/// A unit that an author names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    pub name: String,
    pub kind: Kind,
    /// So many of it are `of` of the kind's own: 1000 ms are 1 s. Both are whole, so nothing is lost where nothing need be.
    many: f64,
    of: f64,
}

struct Known {
    name: &'static str,
    kind: Kind,
    many: f64,
    of: f64,
}

/// Of each kind the first is the one that is printed where no unit is named.
static TABLE: [Known; 20] = {
    const fn known(name: &'static str, kind: Kind, many: f64, of: f64) -> Known {
        Known { name, kind, many, of }
    }
    const K: f64 = 1024.0;
    [
        known("s", TIME, 1.0, 1.0),
        known("ms", TIME, 1e3, 1.0),
        known("us", TIME, 1e6, 1.0),
        known("min", TIME, 1.0, 60.0),
        known("h", TIME, 1.0, 3600.0),
        known("tok", TOKENS, 1.0, 1.0),
        known("tok/s", Kind([-1, 1, 0]), 1.0, 1.0),
        known("1/s", Kind([-1, 0, 0]), 1.0, 1.0),
        known("s/tok", Kind([1, -1, 0]), 1.0, 1.0),
        known("ms/tok", Kind([1, -1, 0]), 1e3, 1.0),
        known("MiB", BYTES, 1.0, K * K),
        known("KiB", BYTES, 1.0, K),
        known("GiB", BYTES, 1.0, K * K * K),
        known("bytes", BYTES, 1.0, 1.0),
        known("kB", BYTES, 1.0, 1e3),
        known("MB", BYTES, 1.0, 1e6),
        known("GB", BYTES, 1.0, 1e9),
        known("1", BARE, 1.0, 1.0),
        known("%", BARE, 100.0, 1.0),
        known("runs", BARE, 1.0, 1.0),
    ]
};

impl From<&Known> for Unit {
    fn from(known: &Known) -> Self {
        Unit { name: known.name.to_owned(), kind: known.kind, many: known.many, of: known.of }
    }
}

impl Unit {
    /// A unit of the table, or a quotient of such: `MiB/s`, `bytes/tok`.
    ///
    /// # Errors
    /// The part that is none.
    pub fn read(text: &str) -> Result<Unit, String> {
        if let Some(known) = Unit::known(text) {
            return Ok(known);
        }
        let mut unit = Unit { name: text.to_owned(), kind: BARE, many: 1.0, of: 1.0 };
        for (place, part) in text.split('/').enumerate() {
            let known = Unit::known(part).ok_or_else(|| part.to_owned())?;
            let kind = if place == 0 { unit.kind.times(known.kind) } else { unit.kind.over(known.kind) };
            unit.kind = kind.ok_or_else(|| text.to_owned())?;
            let (many, of) = if place == 0 { (known.many, known.of) } else { (known.of, known.many) };
            (unit.many, unit.of) = (unit.many * many, unit.of * of);
        }
        Ok(unit)
    }

    /// Of the table.
    pub fn known(name: &str) -> Option<Unit> {
        let name = if name == "µs" { "us" } else { name };
        TABLE.iter().find(|unit| unit.name == name).map(Unit::from)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|unit| unit.name)
    }

    /// A value in the kind's own unit, in this one.
    pub fn tell(&self, value: f64) -> f64 {
        value * self.many / self.of
    }

    /// A value in this unit, in the kind's own.
    pub fn take(&self, value: f64) -> f64 {
        value * self.of / self.many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_convert_and_name_their_kind() {
        let told = |name: &str, value: f64| Unit::read(name).unwrap().tell(value);
        assert_eq!([told("ms", 0.0123), told("us", 2.0), told("min", 90.0), told("%", 0.25)], [12.3, 2e6, 1.5, 25.0]);
        assert_eq!([told("GiB", 3.0 * 1_073_741_824.0), told("MB", 5e6), told("runs", 7.0)], [3.0, 5.0, 7.0]);
        assert_eq!(Unit::read("ms").unwrap().take(250.0), 0.25);
        assert_eq!(Unit::read("MiB/s").unwrap().tell(1_048_576.0), 1.0);
        assert_eq!(Unit::read("bytes/tok").unwrap().kind, BYTES.over(TOKENS).unwrap());
        assert_eq!(Unit::read("furlong/s").unwrap_err(), "furlong");
    }

    #[test]
    fn kinds_are_written_as_people_write_them() {
        assert_eq!(TOKENS.over(TIME).unwrap().to_string(), "tok/s");
        assert_eq!(BARE.over(TIME).unwrap().fitting(), "1/s");
        assert_eq!(TIME.times(TIME).unwrap().over(BYTES).unwrap().to_string(), "s*s/bytes");
        assert_eq!(BYTES.unit().name, "MiB");
        let mut high = TIME;
        while let Some(higher) = high.times(TIME) {
            high = higher;
        }
        assert_eq!(high.to_string(), "s*s*s*s*s*s*s*s*s");
    }
}
