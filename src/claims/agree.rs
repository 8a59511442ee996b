//! Claims made here, and those that were given with the same records -> what they do not agree on, and the claims that a paper is
//! made from. C libraries differ in the last place, so values agree to [`TOLERANCE`]; all else, texts above all, agrees exactly.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;

use super::{
    Claim, Claims, Id, Predicate, Value,
    formerly::{formerly, formerly_titled},
    rounding::{Decimals, significant, text},
};

/// Relative. An ulp in the C library moves a claim by some 1e-13, in a study of a million runs by 1e-10.
pub const TOLERANCE: f64 = 1e-9;

/// Nothing that is measured is as small, only the probability of a far tail.
const FAR_TAIL: f64 = 1e-12;

/// One number, up to what a C library may do to it?
pub fn close(a: f64, b: f64) -> bool {
    let larger = a.abs().max(b.abs());
    // A tail falls exponentially: what moves the statistic by a share moves the probability p by some |ln p| times as much.
    let steepness = if larger < FAR_TAIL { exponent(larger) } else { 1.0 };
    // Below the least normal number there are fewer digits than the tolerance asks for.
    a == b || (a - b).abs() <= TOLERANCE * steepness * larger + f64::MIN_POSITIVE
}

/// -ln x, to the next power of two, from the bits alone: it must be the same everywhere.
fn exponent(x: f64) -> f64 {
    let biased = x.to_bits() >> 52;
    std::f64::consts::LN_2 * (1023.0 - f64::from(u16::try_from(biased).unwrap_or(0)))
}

/// Who made the given claims?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edition {
    /// This version of the program, or what should be its equal.
    This,
    /// An earlier one, which may know other claims and define some otherwise.
    Earlier,
}

/// What came of holding given claims against own ones.
#[derive(Debug)]
pub struct Agreement {
    /// To make a paper from, as it was made: of this edition the own claims, with the given values wherever these agree; of an
    /// earlier one the given claims, with the own ones where a given one is wrong.
    pub claims: Claims,
    pub differences: Vec<Difference>,
    /// Claims and predicates that are the same.
    pub agreed: usize,
}

/// An id on which the two do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub id: String,
    pub kind: Kind,
    /// What differs, as it is here and as it is given.
    pub expected: String,
    pub found: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The same thing, with another value, text or runs.
    Disputed,
    /// The same thing and value, rounded or worded otherwise.
    Retold,
    /// Another formula, unit or test: the value says nothing of ours.
    Redefined,
    /// Not among the given ones.
    Missing,
    /// Only among the given ones.
    Foreign,
}

impl Agreement {
    /// Holds `given` against `own`.
    pub fn of(own: &Claims, given: &Claims, edition: Edition) -> Self {
        let mut found = Agreement { claims: own.clone(), differences: Vec::new(), agreed: 0 };
        let mut head = Fields::default();
        head.exact("schema", &own.schema, &given.schema);
        head.exact("source", &own.source, &given.source);
        found.differences.extend(head.difference("source", Kind::Disputed));
        found.claims.claims = found.entries(&own.claims, &given.claims, edition);
        found.claims.predicates = found.entries(&own.predicates, &given.predicates, edition);
        found
    }

    /// Judges each id, and returns the entries to go on with.
    fn entries<T: Entry>(
        &mut self,
        own: &BTreeMap<Id, T>,
        given: &BTreeMap<Id, T>,
        edition: Edition,
    ) -> BTreeMap<Id, T> {
        // An id that was read from a file does not know what it is made of, our own one does.
        let known = |id: &Id| own.get_key_value(id).map_or_else(|| id.clone(), |(ours, _)| ours.clone());
        let mut settled = match edition {
            Edition::This => own.clone(),
            Edition::Earlier => given.iter().map(|(id, theirs)| (known(id), theirs.clone())).collect(),
        };
        for (id, ours) in own {
            let Some(theirs) = given.get(id) else {
                self.alone(id, Kind::Missing, format!("value {}", ours.value()), "no such claim");
                continue;
            };
            let (kind, fields) = ours.as_told_by(edition, theirs).against(theirs);
            match fields.difference(id, kind) {
                None => {
                    self.agreed += 1;
                    settled.insert(id.clone(), theirs.clone());
                }
                Some(difference) => {
                    if kind == Kind::Disputed {
                        settled.insert(id.clone(), ours.clone());
                    }
                    self.differences.push(difference);
                }
            }
        }
        for (id, theirs) in given.iter().filter(|(id, _)| !own.contains_key(*id)) {
            self.alone(id, Kind::Foreign, "no such claim".to_owned(), &format!("value {}", theirs.value()));
        }
        settled
    }

    fn alone(&mut self, id: &str, kind: Kind, expected: String, found: &str) {
        self.differences.push(Difference { id: id.to_owned(), kind, expected, found: found.to_owned() });
    }
}

trait Entry: Clone {
    /// This entry in the words of the edition that wrote the given one, where they mean the same.
    fn as_told_by(&self, _: Edition, _: &Self) -> Cow<'_, Self> {
        Cow::Borrowed(self)
    }

    /// For people.
    fn value(&self) -> String;

    /// What differs, and what kind of difference it is if anything does.
    fn against(&self, given: &Self) -> (Kind, Fields);
}

impl Entry for Claim {
    fn as_told_by(&self, edition: Edition, given: &Self) -> Cow<'_, Self> {
        if edition == Edition::This {
            return Cow::Borrowed(self);
        }
        let titled =
            |title: &Value| matches!(title, Value::Text(title) if Value::Text(formerly_titled(title)) == given.value);
        if self.formula == given.formula && self.value != given.value && titled(&self.value) {
            return Cow::Owned(Claim { value: given.value.clone(), text: given.text.clone(), ..self.clone() });
        }
        if self.formula == given.formula || formerly(&self.formula) != given.formula {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Claim { formula: given.formula.clone(), ..self.clone() })
    }

    fn value(&self) -> String {
        json(&self.value)
    }

    fn against(&self, given: &Self) -> (Kind, Fields) {
        let mut defined = Fields::default();
        defined.exact("formula", &self.formula, &given.formula);
        defined.exact("unit", &self.unit, &given.unit);
        if !defined.is_empty() {
            return (Kind::Redefined, defined);
        }
        let mut fields = Fields::default();
        let same = match (&self.value, &given.value) {
            (Value::Number(a), Value::Number(b)) => close(*a, *b),
            (a, b) => a == b,
        };
        fields.note(same, "value", &self.value, &given.value);
        fields.exact("n", &self.n, &given.n);
        fields.exact("runs", &self.runs, &given.runs);
        fields.exact("baseline_runs", &self.baseline_runs, &given.baseline_runs);
        fields.exact("members", &self.members, &given.members);
        let told = self.text == given.text || is_tie(self, given);
        if fields.is_empty() && self.rounding != given.rounding {
            fields.exact("rounding", &self.rounding, &given.rounding);
            return (Kind::Retold, fields);
        }
        fields.note(told, "text", &self.text, &given.text);
        (Kind::Disputed, fields)
    }
}

impl Entry for Predicate {
    fn value(&self) -> String {
        json(&self.holds)
    }

    fn against(&self, given: &Self) -> (Kind, Fields) {
        let mut defined = Fields::default();
        defined.exact("test", &self.test, &given.test);
        if !defined.is_empty() {
            return (Kind::Redefined, defined);
        }
        let same = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => close(a, b),
            (a, b) => a == b,
        };
        let mut fields = Fields::default();
        fields.exact("holds", &self.holds, &given.holds);
        for (name, a, b) in [
            ("statistic", self.statistic, given.statistic),
            ("p", self.p, given.p),
            ("margin", self.margin, given.margin),
        ] {
            fields.note(same(a, b), name, &a, &b);
        }
        let kind = if fields.is_empty() { Kind::Retold } else { Kind::Disputed };
        fields.exact("text", &self.text, &given.text);
        (kind, fields)
    }
}

/// Do two texts differ because one value lies on either side of a tie? Only then do two values that are [`close`] round to two
/// texts: each text has to be what its own value rounds to, by the same rule.
fn is_tie(own: &Claim, given: &Claim) -> bool {
    let (Value::Number(a), Value::Number(b)) = (&own.value, &given.value) else { return false };
    let (own, given) = apart(&own.text, &given.text);
    let digits = own.trim_start_matches('-').trim_start_matches(['0', '.']).replace('.', "");
    let decimals = own.split_once('.').map_or(0, |(_, after)| after.len() as i32);
    let zeros = if decimals == 0 { own.len() - own.trim_end_matches('0').len() } else { 0 } as i32;
    let at = (-zeros..=decimals.min(0)).chain([decimals]).map(Decimals);
    let places = at.map(|at| [text(*a, at), text(*b, at)]);
    let counts = (digits.len() as i32 - zeros..=digits.len() as i32).filter(|digits| *digits > 0);
    let figures = counts.map(|digits| [significant(*a, digits), significant(*b, digits)]);
    places.chain(figures).any(|[ours, theirs]| ours == own && theirs == given)
}

/// The numbers in which two texts differ: texts of an author's own have words around them, which must be the same.
fn apart<'a>(own: &'a str, given: &'a str) -> (&'a str, &'a str) {
    let is_digit = |c: &char| c.is_ascii_digit() || ".-".contains(*c);
    // The number before what differs belongs to it, and so do the digits behind it.
    let same = own.bytes().zip(given.bytes()).take_while(|(a, b)| a == b).count();
    let same = (0..=same).rev().find(|at| own.is_char_boundary(*at)).unwrap_or(0);
    let start = same - own[..same].chars().rev().take_while(is_digit).count();
    let number = |text: &'a str| {
        let rest = &text[start..];
        let end = rest.find(|c: char| !is_digit(&c)).unwrap_or(rest.len());
        (&rest[..end], &rest[end..])
    };
    let ((ours, after), (theirs, behind)) = (number(own), number(given));
    if after == behind { (ours, theirs) } else { (own, given) }
}

/// Fields that differ, by name, as JSON: here and given.
#[derive(Debug, Default)]
struct Fields(Vec<Field>);

#[derive(Debug)]
struct Field {
    name: &'static str,
    own: String,
    given: String,
}

impl Fields {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn exact<T: PartialEq + Serialize>(&mut self, name: &'static str, own: &T, given: &T) {
        self.note(own == given, name, own, given);
    }

    fn note<T: Serialize>(&mut self, same: bool, name: &'static str, own: &T, given: &T) {
        if !same {
            self.0.push(Field { name, own: json(own), given: json(given) });
        }
    }

    fn difference(self, id: &str, kind: Kind) -> Option<Difference> {
        let told = |value: fn(&Field) -> &str| {
            self.0.iter().map(|field| format!("{} {}", field.name, value(field))).collect::<Vec<_>>().join(", ")
        };
        let (expected, found) = (told(|field| &field.own), told(|field| &field.given));
        (!self.is_empty()).then(|| Difference { id: id.to_owned(), kind, expected, found })
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{CLAIMS_SCHEMA, Runs, Source};

    fn number(value: f64, text: &str) -> Claim {
        Claim {
            value: Value::Number(value),
            unit: "s".into(),
            text: text.into(),
            formula: "f".into(),
            rounding: "r".into(),
            n: 1,
            runs: Runs::from([1].as_slice()),
            baseline_runs: Runs::default(),
            members: BTreeMap::new(),
        }
    }

    fn judged(own: &Claim, given: &Claim) -> Option<Kind> {
        let (kind, fields) = own.against(given);
        (!fields.is_empty()).then_some(kind)
    }

    fn claims(of: &[(&str, Claim)]) -> Claims {
        Claims {
            schema: CLAIMS_SCHEMA.into(),
            source: Source { run_id: "r".into(), sha256: "0".into() },
            claims: of.iter().map(|(id, claim)| (Id::from(*id), claim.clone())).collect(),
            predicates: BTreeMap::new(),
        }
    }

    #[test]
    fn values_agree_to_the_tolerance_and_all_else_exactly() {
        let own = number(1.25, "1.25");
        assert_eq!(judged(&own, &number(1.25 * (1.0 + 1e-12), "1.25")), None);
        assert_eq!(judged(&own, &number(1.25 * (1.0 + 1e-8), "1.25")), Some(Kind::Disputed));
        assert_eq!(judged(&own, &number(1.25, "1.24")), Some(Kind::Disputed));
        assert_eq!(judged(&own, &Claim { n: 2, ..own.clone() }), Some(Kind::Disputed));
        assert_eq!(judged(&own, &Claim { value: Value::Integer(1), ..own.clone() }), Some(Kind::Disputed));
        assert_eq!(
            judged(&own, &Claim { rounding: "other".into(), text: "1.3".into(), ..own.clone() }),
            Some(Kind::Retold)
        );
        let redefined = Claim { formula: "g".into(), value: Value::Number(7.0), ..own.clone() };
        assert_eq!(judged(&own, &redefined), Some(Kind::Redefined));
        assert!(close(4.621020239619493e-38, 4.621020246555219e-38), "a tail under another library");
        assert!(!close(4.62e-38, 4.62e-38 * (1.0 + 1e-6)) && !close(1e-3, 1e-3 * (1.0 + 2e-9)));
        assert!(close(0.0, -0.0) && close(0.0, 1e-320) && !close(0.0, 1e-300) && !close(f64::NAN, 1.0));
    }

    #[test]
    fn at_a_tie_words_around_a_number_do_not_matter_as_long_as_they_are_the_same() {
        let above = f64::from_bits(0.125f64.to_bits() + 1);
        let own = number(0.125, "0.12 times (0.10 to 0.20)");
        assert_eq!(judged(&own, &number(above, "0.13 times (0.10 to 0.20)")), None);
        assert_eq!(judged(&own, &number(above, "0.13 times (0.10 to 0.21)")), Some(Kind::Disputed));
        assert_eq!(judged(&own, &number(above, "0.13 parts (0.10 to 0.20)")), Some(Kind::Disputed));
        assert_eq!(judged(&own, &number(above, "0.14 times (0.10 to 0.20)")), Some(Kind::Disputed));
        assert_eq!(judged(&number(0.125, "é 0.12"), &number(above, "è 0.13")), Some(Kind::Disputed));
    }

    /// 0.125 to two digits is a tie, which goes to even; a value an ulp above it is none.
    #[test]
    fn at_a_tie_each_text_is_its_own_values() {
        let above = f64::from_bits(0.125f64.to_bits() + 1);
        let (own, given) = (number(0.125, "0.12"), number(above, "0.13"));
        assert_eq!((judged(&own, &given), judged(&given, &own)), (None, None));
        assert_eq!(judged(&own, &number(0.125, "0.13")), Some(Kind::Disputed), "its own value does not round to that");
        assert_eq!(judged(&own, &number(above, "0.14")), Some(Kind::Disputed));
        assert_eq!(judged(&own, &number(above, "0.125")), Some(Kind::Disputed), "another number of digits");
        // From 9.9 to 10 at two significant digits, and to tens and hundreds.
        let (below, at) = (f64::from_bits(9.95f64.to_bits() - 4), f64::from_bits(9.95f64.to_bits() + 4));
        assert_eq!(judged(&number(below, "9.9"), &number(at, "10")), None);
        let up = |x: f64| f64::from_bits(x.to_bits() + 1);
        assert_eq!(judged(&number(12345.0, "12340"), &number(up(12345.0), "12350")), None);
        assert_eq!(judged(&number(250.0, "200"), &number(up(250.0), "300")), None);
        assert_eq!(judged(&number(250.0, "200"), &number(up(250.0), "250")), Some(Kind::Disputed));
    }

    #[test]
    fn what_a_paper_is_made_from_is_what_was_given_where_that_is_right() {
        let nearly = number(1.0 + 1e-12, "1");
        let own = claims(&[("a", number(1.0, "1")), ("b", number(2.0, "2")), ("new", number(3.0, "3"))]);
        let given = claims(&[("a", nearly.clone()), ("b", number(2.5, "2")), ("old", number(4.0, "4"))]);
        let found = Agreement::of(&own, &given, Edition::This);
        assert_eq!(found.claims, claims(&[("a", nearly.clone()), ("b", number(2.0, "2")), ("new", number(3.0, "3"))]));
        let kinds: Vec<_> = found.differences.iter().map(|found| (found.id.as_str(), found.kind)).collect();
        assert_eq!(kinds, [("b", Kind::Disputed), ("new", Kind::Missing), ("old", Kind::Foreign)]);
        assert_eq!((found.differences[0].expected.as_str(), found.agreed), ("value 2.0", 1));
        let found = Agreement::of(&own, &given, Edition::Earlier);
        assert_eq!(found.claims, claims(&[("a", nearly), ("b", number(2.0, "2")), ("old", number(4.0, "4"))]));
        let other = Claims { source: Source { run_id: "r".into(), sha256: "1".into() }, ..own.clone() };
        assert_eq!(Agreement::of(&own, &other, Edition::Earlier).differences[0].id, "source");
    }
}
