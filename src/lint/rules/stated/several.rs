//! Several things in one sentence: rows in a list with their values, "respectively"; "1.6× faster than A and 2.8× than B"; "faster on
//! five of the six"; a lead in points over a row that is named.

use super::super::{
    change::Kind,
    names::{brief, is_summary},
};
use super::{Named, Said};
use crate::lint::{
    grid::{Cell, Grid},
    number::{Bound, Interval, show},
    numerals::cardinal,
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::Dim,
    words::contains_any,
};

impl Said<'_, '_> {
    /// "A, B and C take 1, 2 and 3 ms, respectively"
    pub(super) fn respectively(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        if !self.has("respectively") || self.apart() || !self.claims.is_empty() {
            return false;
        }
        let turned;
        let (grid, rows, columns) = if named.rows.len() >= 2 {
            (grid, &named.rows, &named.columns)
        } else if named.columns.len() >= 2 {
            turned = grid.turn();
            (&turned, &named.columns, &named.rows)
        } else {
            return false;
        };
        let quantities: Vec<&Quantity> = self.sentence.quantities.iter().filter(|q| q.upper.is_none()).collect();
        let Some(last) = quantities.last() else { return false };
        let values: Vec<&Quantity> =
            quantities.iter().copied().rev().take(rows.len()).collect::<Vec<_>>().into_iter().rev().collect();
        let listed = values.windows(2).all(|two| {
            matches!(self.sentence.between(two[0].range.end, two[1].range.start).trim(), "," | "and" | ", and" | "&")
        });
        let plain = |q: &&&Quantity| q.unit.dim == last.unit.dim || q.unit.dim == Dim::None;
        if values.len() != rows.len()
            || !listed
            || !values.iter().all(|q| plain(&q))
            || quantities.len() > rows.len() + 1
        {
            return false;
        }
        // In the order in which the sentence names them.
        let place = |row: &usize| self.sentence.lower.find(grid.rows[*row].lower.as_str());
        let mut order: Vec<(usize, usize)> = Vec::new();
        for row in rows {
            let Some(at) = place(row) else { return false };
            order.push((at, *row));
        }
        order.sort_unstable();
        let scale = last.unit.scale;
        let bare = last.unit.dim == Dim::None;
        let alike: Vec<usize> = (0..grid.columns.len())
            .filter(|column| grid.dim(*column).is_some_and(|dim| dim == last.unit.dim || bare))
            .collect();
        let own = Named { rows: Vec::new(), columns: columns.clone() };
        let column = match (self.pick(grid, &alike, &own), alike.as_slice()) {
            (Some(column), _) => column,
            (None, [column]) => *column,
            _ => return false,
        };
        let pairs: Option<Vec<(usize, &Quantity, Interval)>> = order
            .iter()
            .zip(&values)
            .map(|((_, row), quantity)| Some((*row, *quantity, grid.cell(*row, column).interval()?)))
            .collect();
        let Some(pairs) = pairs else { return false };
        let stated = |q: &Quantity, row: usize| {
            let scale = if bare { grid.cell(row, column).unit.scale } else { scale };
            q.number.stated.scaled(scale).cut()
        };
        let odd: Vec<&(usize, &Quantity, Interval)> =
            pairs.iter().filter(|(row, q, cell)| !stated(q, *row).meets(*cell)).collect();
        match odd.as_slice() {
            [] => out.fits(
                self.sentence.place(values[0].range.start),
                "restated",
                self.sentence.quote(values[0].range.start..last.range.end),
            ),
            [(row, quantity, _)] if pairs.len() >= 2 => {
                let said = [
                    self.sentence.quote(quantity.range.clone()),
                    format!("{} in the table (line {})", grid.cell(*row, column).text, view.place.line),
                    format!(
                        "{} of {}, in the order of the sentence",
                        brief(&grid.columns[column].text),
                        brief(&grid.rows[*row].text)
                    ),
                ];
                out.wrong(self.sentence.place(quantity.range.start), "restated", Sure::Warning, said);
            }
            _ => return false,
        }
        true
    }

    /// "faster than A on five of the six": as many rows as that.
    pub(super) fn counted(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let [a, b] = named.columns.as_slice() else { return false };
        let word = self
            .tokens
            .iter()
            .find(|token| matches!(token.as_str(), "faster" | "slower" | "smaller" | "larger" | "higher" | "lower"));
        let Some(word) = word.filter(|_| self.has("than|beats|outperforms") && named.rows.is_empty() && !self.apart())
        else {
            return false;
        };
        let number = |token: &String| cardinal(token).or_else(|| token.parse().ok());
        let of = self.tokens.windows(4).find_map(|window| {
            let [k, of, n, more] = window else { return None };
            let n = if n == "the" { more } else { n };
            (of == "of").then(|| Some((number(k)?, number(n)?))).flatten()
        });
        let rows: Vec<usize> = (0..grid.rows.len()).filter(|row| !is_summary(&grid.rows[*row].lower)).collect();
        let all =
            contains_any(&self.sentence.lower, "on all|on every|in every|in all|on each|for every|for all|everywhere");
        let count = rows.len() as f64;
        let Some((k, n)) = of.or((all && self.sentence.quantities.is_empty()).then_some((count, count))) else {
            return false;
        };
        let time = grid.dim(*a) == Some(Dim::Time);
        let rate = matches!(grid.dim(*a), Some(Dim::Rate(_)));
        if rows.len() as f64 != n
            || grid.dim(*a) != grid.dim(*b)
            || contains_any(&self.sentence.lower, "%|×| x |times|at least|more than")
        {
            return false;
        }
        let more = match word.as_str() {
            "faster" if time => false,
            "faster" if rate => true,
            "slower" if time => true,
            "slower" if rate => false,
            "larger" | "higher" => true,
            "smaller" | "lower" => false,
            _ => return false,
        };
        // Who is meant stands first.
        let at = |column: usize| {
            self.sentence.text.find(grid.columns[column].text.split(['(', '[']).next().unwrap_or("").trim())
        };
        let (first, second) = if at(*a) <= at(*b) { (*a, *b) } else { (*b, *a) };
        let (mut least, mut most) = (0.0, 0.0);
        for row in &rows {
            let (Some(x), Some(y)) = (grid.cell(*row, first).interval(), grid.cell(*row, second).interval()) else {
                return false;
            };
            let (x, y) = if more { (x, y) } else { (y, x) };
            least += f64::from(u8::from(x.low > y.high));
            most += f64::from(u8::from(x.high >= y.low));
        }
        let place = self.sentence.place(0);
        let stated = format!("{word} on {} of {}", show(k), show(n));
        if (least..=most).contains(&k) {
            out.fits(place, "stated", stated);
        } else {
            let follows = format!("{} of the {} rows (line {})", show(least), rows.len(), view.place.line);
            let why = format!("{} against {}", brief(&grid.columns[first].text), brief(&grid.columns[second].text));
            out.wrong(place, "stated", Sure::Warning, [stated, follows, why]);
        }
        true
    }

    /// "We are 1.6× faster than A and 2.8× faster than B on R": each claim with the name behind its `than`.
    pub(super) fn several(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let factors = self.claims.iter().filter(|claim| matches!(claim.kind, Kind::Factor | Kind::Percent)).count();
        if self.claims.len() != 2 || factors != 2 || !self.pairs.is_empty() || self.apart() || self.foreign(grid, view)
        {
            return false;
        }
        let turned;
        let (grid, systems, row) = match (named.columns.as_slice(), named.rows.as_slice()) {
            (columns, rows) if columns.len() == 3 && rows.len() <= 1 => (grid, columns, rows.first().copied()),
            (columns, rows) if rows.len() == 3 && columns.len() <= 1 => {
                turned = grid.turn();
                (&turned, rows, columns.first().copied())
            }
            _ => return false,
        };
        let Some(row) = row.or((grid.rows.len() == 1).then_some(0)) else { return false };
        let mut decided = false;
        for (index, claim) in self.claims.iter().enumerate() {
            let end = self.claims.get(index + 1).map_or(self.sentence.text.len(), |next| next.range.start);
            let tail = self.sentence.lower.get(claim.range.end..end).unwrap_or("");
            let Some(than) = tail.find("than ").map(|at| &tail[at + 5..]) else { return decided };
            let name =
                |column: usize| grid.columns[column].lower.split(['(', '[']).next().unwrap_or("").trim().to_owned();
            let other = systems.iter().copied().find(|column| than.contains(name(*column).as_str()));
            let subject: Vec<usize> = systems
                .iter()
                .copied()
                .filter(|column| {
                    let words = name(*column);
                    words == "ours"
                        || self.sentence.lower.find(words.as_str()).is_some_and(|at| at < self.claims[0].range.start)
                })
                .collect();
            let (Some(other), [subject]) = (other, subject.as_slice()) else { return decided };
            let (x, y) = (grid.cell(row, *subject), grid.cell(row, other));
            decided |= self.ratio_of((x, y), claim.range.clone(), claim.kind, view, out);
        }
        decided
    }

    pub(super) fn ratio_of(
        &self,
        (x, y): (&Cell, &Cell),
        range: std::ops::Range<usize>,
        kind: Kind,
        view: &View<'_>,
        out: &mut Out<'_>,
    ) -> bool {
        let Some(quantity) = self.sentence.quantities.iter().find(|q| q.range == range) else { return false };
        let (Some(a), Some(b)) = (x.interval(), y.interval()) else { return false };
        let (Some(ratio), Some(inverse)) = (a.over(b), b.over(a)) else { return false };
        let plain = x.unit.dim == y.unit.dim && !matches!(x.unit.dim, Dim::Percent | Dim::Factor);
        if !plain || quantity.upper.is_some() || quantity.number.stated.bound != Bound::Value || quantity.number.about {
            return false;
        }
        let one = Interval::at(1.0);
        let meant = match kind {
            Kind::Factor => vec![ratio, inverse, ratio.minus(one), inverse.minus(one)],
            _ => {
                let (up, down) = (ratio.minus(one).scaled(100.0), inverse.minus(one).scaled(100.0));
                vec![up, down, up.scaled(-1.0), down.scaled(-1.0)]
            }
        };
        let stated = quantity.number.stated;
        let place = self.sentence.place(range.start);
        let says = self.sentence.quote(range);
        let near = |value: &Interval| stated.cut().meets(*value) || (value.middle() / stated.value - 1.0).abs() < 0.03;
        let sized = |value: &Interval| (0.4..2.5).contains(&(value.middle() / stated.value).abs());
        if meant.iter().any(near) {
            out.fits(place, "stated", says);
        } else if meant.iter().any(sized) {
            let shown =
                if kind == Kind::Factor { show(ratio.middle().max(inverse.middle())) } else { show(meant[0].middle()) };
            let follows = format!("{shown} by the table (line {})", view.place.line);
            out.wrong(place, "stated", Sure::Warning, [says, follows, format!("{} against {}", x.text, y.text)]);
        }
        true
    }

    /// "We improve on A by 2.5 percentage points"
    pub(super) fn lead(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let points: Vec<&Quantity> = self.sentence.quantities.iter().filter(|q| q.unit.dim == Dim::Points).collect();
        let ([quantity], [a, b]) = (points.as_slice(), named.rows.as_slice()) else { return false };
        let plain = quantity.upper.is_none() && quantity.number.stated.bound == Bound::Value && !quantity.number.about;
        if !plain || self.elsewhere() || self.foreign(grid, view) || self.sentence.quantities.len() > 2 {
            return false;
        }
        let alike: Vec<usize> =
            (0..grid.columns.len()).filter(|column| matches!(grid.dim(*column), Some(Dim::Percent))).collect();
        let column = match (self.pick(grid, &alike, named), alike.as_slice()) {
            (Some(column), _) => column,
            (None, [column]) => *column,
            _ => return false,
        };
        let (Some(x), Some(y)) = (grid.cell(*a, column).interval(), grid.cell(*b, column).interval()) else {
            return false;
        };
        let follows = if x.middle() > y.middle() { x.minus(y) } else { y.minus(x) };
        let stated = quantity.number.stated;
        let place = self.sentence.place(quantity.range.start);
        let says = self.sentence.quote(quantity.range.clone());
        if stated.cut().meets(follows) {
            out.fits(place, "stated", says);
        } else if (stated.value - follows.middle()).abs() > 0.15
            && (0.3..3.0).contains(&(stated.value / follows.middle()))
        {
            let follows = format!("{} by the table (line {})", show(follows.middle()), view.place.line);
            let why = format!("{} against {}", brief(&grid.rows[*a].text), brief(&grid.rows[*b].text));
            out.wrong(place, "stated", Sure::Warning, [says, follows, why]);
        }
        true
    }
}
