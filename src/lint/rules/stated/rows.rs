//! What a sentence says of rows that it names, number by number: "zstd compresses at 510 MB/s", "from 120 MB to 41 MB", "the large file
//! is 4× faster". What others of its numbers are of is left out; a number that nothing in the table gives, and that is near to the one
//! or two that are left, is wrong.

use super::super::{
    change::{Claim, Kind},
    names::is_summary,
};
use super::{
    Named, Said, covers,
    given::{Given, cells, points, related},
    named::{label_words, matches_at, tokens},
};
use crate::lint::{
    grid::Grid,
    number::{Bound, Interval, Stated, show},
    paper::View,
    report::{Out, Sure},
    sentence::Quantity,
    unit::{Dim, singular},
    words::one_of,
};

/// More numbers that could be meant than these, and none is.
const LEFT: usize = 3;
/// Rows and columns of tables whose every ratio is asked.
const WIDE: usize = 40;

impl Said<'_, '_> {
    /// Rows by their names, then columns as rows, where systems stand at the top.
    pub(super) fn of_rows(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        if self.of_side(grid, view, named, out) {
            return true;
        }
        if grid.rows.len() > WIDE || named.columns.is_empty() {
            return false;
        }
        // A row is what is measured, then.
        let level = |column: &usize| !(grid.levels && *column == 0);
        let side = Named { rows: named.columns.iter().copied().filter(level).collect(), columns: named.rows.clone() };
        let kinds = |row: &usize| grid.cells[*row].iter().find(|cell| cell.value.is_some()).map(|cell| &cell.unit);
        let mut units: Vec<_> = (0..grid.rows.len()).filter_map(|row| kinds(&row)).map(|unit| &unit.dim).collect();
        units.sort();
        units.dedup();
        units.len() > 1 && self.of_side(&grid.turn(), view, &side, out)
    }

    fn of_side(&self, grid: &Grid, view: &View<'_>, named: &Named, out: &mut Out<'_>) -> bool {
        let large = grid.rows.len() > WIDE || grid.columns.len() > WIDE;
        let firm: Vec<&Quantity> = self.sentence.quantities.iter().filter(|q| self.judged(q)).collect();
        if large || firm.is_empty() {
            return false;
        }
        let rows = self.rows_told(grid, named);
        if rows.is_empty() || rows.len() > 4 {
            return false;
        }
        let apart = self.apart()
            || self.has("average|mean|median|total|sum|overall|estimated|limit|budget|timeout|each|every|confidence|until|another|ensemble|per|roughly");
        if apart || self.foreign(grid, view) || self.levelled(grid, view) {
            return false;
        }
        let mut decided = false;
        for quantity in &firm {
            let others: Vec<&Quantity> = firm.iter().copied().filter(|q| q.range != quantity.range).collect();
            decided |= self.judge_one(grid, view, (&rows, &named.columns), (quantity, &others), out);
        }
        decided
    }

    /// The rows by name, and by their level: "with 8 threads".
    pub(super) fn rows_told(&self, grid: &Grid, named: &Named) -> Vec<usize> {
        let mut rows: Vec<usize> =
            named.rows.iter().copied().filter(|row| !is_summary(&grid.rows[*row].lower)).collect();
        // `zlib -6` by "zlib", where there is no other.
        let name = |row: &usize| {
            let text = &grid.rows[*row].text;
            text.split(|c: char| !c.is_alphanumeric()).next().map(str::to_lowercase).filter(|word| word.len() > 2)
        };
        let said = |row: &usize| name(row).is_some_and(|name| self.tokens.contains(&name));
        let found: Vec<usize> = (0..grid.rows.len()).filter(said).collect();
        for row in found.iter().filter(|row| !named.rows.contains(row)) {
            let words = tokens(&grid.rows[*row].text);
            let level = words.len() > 1 && words[1..].iter().all(|word| word.len() < 3);
            let one = found.iter().filter(|other| name(other) == name(row)).count() == 1;
            if level && one && words[0].chars().all(|c| c.is_alphabetic()) {
                rows.push(*row);
            }
        }
        if !grid.levels || !rows.is_empty() {
            return rows;
        }
        let header = &grid.columns[0].lower;
        let nouns: Vec<String> =
            header.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 2).map(singular).collect();
        for (index, quantity) in self.sentence.quantities.iter().enumerate() {
            // `from 1 to 8 threads`
            let unit = match (&quantity.unit.dim, self.sentence.quantities.get(index + 1)) {
                (Dim::None, Some(next))
                    if self.sentence.between(quantity.range.end, next.range.start).trim() == "to" =>
                {
                    &next.unit.dim
                }
                (dim, _) => dim,
            };
            let level = matches!(unit, Dim::Count(noun) if nouns.contains(noun));
            let value = quantity.base().value;
            let at = |row: &usize| grid.cell(*row, 0).value.is_some_and(|own| own.value == value);
            let mut found = (0..grid.rows.len()).filter(at);
            if let (true, Some(row), None) = (level, found.next(), found.next()) {
                rows.push(row);
            }
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// A number that could be one of the table's, or a ratio or a change of two of them.
    fn judged(&self, quantity: &Quantity) -> bool {
        let stated = quantity.number.stated;
        let digits = self.sentence.text.get(quantity.number.range.clone()).unwrap_or("");
        let before = self.sentence.lower.get(..quantity.range.start).unwrap_or("").trim_end();
        quantity.upper.is_none()
            && (stated.bound == Bound::Value
                || stated.bound == Bound::Most && matches!(quantity.unit.dim, Dim::Factor | Dim::Percent))
            && !quantity.number.about
            && stated.value != 0.0
            && !self.worked(quantity)
            && !before.ends_with(['×', '*', '/', '^'])
            && match &quantity.unit.dim {
                Dim::Time | Dim::Bytes | Dim::Rate(_) | Dim::Percent | Dim::Factor | Dim::Money | Dim::Physical(_) => {
                    true
                }
                Dim::None | Dim::Count(_) | Dim::Points => digits.contains('.'),
            }
    }

    fn judge_one(
        &self,
        grid: &Grid,
        view: &View<'_>,
        (rows, columns): (&[usize], &[usize]),
        (quantity, others): (&Quantity, &[&Quantity]),
        out: &mut Out<'_>,
    ) -> bool {
        let claim = self.claims.iter().find(|claim| claim.range == quantity.range);
        // A part of something has a whole of its own.
        if claim.is_some_and(|claim| claim.kind == Kind::Of) {
            return false;
        }
        let relative = match quantity.unit.dim {
            Dim::Factor => true,
            Dim::Percent => claim.is_some(),
            _ => points(quantity),
        };
        let bare = matches!(quantity.unit.dim, Dim::None | Dim::Count(_)) && !relative;
        let size = quantity.base().interval().size();
        let stated = Stated { value: size.middle(), ..quantity.base() };
        let all: Vec<usize> = (0..grid.rows.len()).collect();
        let every: Vec<usize> = (usize::from(grid.levels)..grid.columns.len()).collect();
        let wide = if relative {
            let mut wide = related(grid, &all, &every, quantity);
            wide.extend(cells(grid, &all, &every, quantity));
            wide
        } else {
            cells(grid, &all, &every, quantity)
        };
        if stated.bound == Bound::Most {
            return relative && self.beyond(grid, view, rows, quantity, out);
        }
        // Scores lie near each other.
        let fine = bare && stated.half < 0.003 * stated.value;
        let near = |given: &Given| {
            let off = (given.value.middle() / stated.value - 1.0).abs();
            covers(quantity, stated, given.value) || off < if fine { 0.002 } else { 0.03 }
        };
        let place = self.sentence.place(quantity.range.start);
        let says = self.sentence.quote(quantity.range.clone());
        if wide.iter().any(near) {
            out.fits(place, "stated", says);
            return true;
        }
        // Two numbers that the table does not have are of something else: "34 → 37 tokens/s".
        let strange = |value: Interval| !wide.iter().any(|given| given.value.meets(value));
        let mut with = self.pairs.iter().filter(|pair| {
            pair.range.start <= quantity.range.start
                && quantity.range.end <= pair.range.end
                && pair.dim == quantity.unit.dim
        });
        let paired = with.any(|pair| strange(pair.a) && strange(pair.b));
        let mut alike = others.iter().filter(|other| other.unit.dim == quantity.unit.dim);
        if !relative && (paired || alike.any(|other| strange(other.base().cut()))) {
            return false;
        }
        // A column by name, where it has such numbers.
        let by_word = |column: &usize| !relative && self.shares_word(&grid.columns[*column].text);
        let told: Vec<usize> =
            every.iter().copied().filter(|column| columns.contains(column) || by_word(column)).collect();
        let among = |columns: &[usize]| {
            let mut narrow = if relative { related(grid, rows, columns, quantity) } else { Vec::new() };
            narrow.extend(cells(grid, rows, columns, quantity));
            narrow
        };
        let mut narrow = among(&told);
        if narrow.is_empty() && !bare {
            narrow = among(&every);
        }
        // "Than X", of what has no name here: X against each other row.
        let lone = match rows {
            [row] if relative && (!told.is_empty() || !self.distant) => self.against(grid, *row, claim),
            _ => false,
        };
        if let ([row], true) = (rows, lone) {
            let columns = if told.is_empty() { &every } else { &told };
            for other in all.iter().filter(|other| **other != *row && !is_summary(&grid.rows[**other].lower)) {
                narrow
                    .extend(related(grid, &[*row, *other], columns, quantity).into_iter().filter(|given| given.across));
            }
        }
        // One thing that is measured is no pair of systems.
        if relative && grid.turned && rows.len() == 1 && !lone {
            return false;
        }
        // "Less" is of the larger, "more" of the smaller.
        let word = claim.map_or("", |claim| claim.word.as_str());
        let less = one_of("fewer|less|lower|smaller|shorter|reduction|decrease|saving|savings|faster", word);
        let more = one_of("more|higher|larger|longer|increase|bigger|slower", word);
        narrow.retain(|given| match given.less {
            Some(down) => !(less && word != "faster" && !down || more && down),
            None => true,
        });
        // What the others say is not what this one says.
        narrow.retain(|given| {
            !others.iter().any(|other| {
                let same = other.unit.dim == quantity.unit.dim;
                same && other.base().interval().size().meets(given.value)
            })
        });
        let company = others
            .iter()
            .any(|other| cells(grid, rows, &every, other).iter().any(|given| other.base().cut().meets(given.value)));
        // One value is one candidate, however many cells have it; and nothing is a factor of one.
        narrow.retain(|given| quantity.unit.dim != Dim::Factor || given.value.middle() > 1.02 || stated.value < 1.0);
        narrow.dedup_by(|a, b| (a.value.middle() / b.value.middle() - 1.0).abs() < 0.02);
        let precise = stated.half <= 0.03 * stated.value;
        let few = narrow.len() <= if company || !told.is_empty() || rows.len() == 2 || lone { LEFT } else { 2 };
        // A value needs the name of its column, or another of its row beside it.
        let kin = every.iter().filter(|column| grid.dim(**column).as_ref() == Some(&quantity.unit.dim)).count();
        let short = self.tokens.len() <= 20 && kin == 1 && quantity.unit.dim != Dim::Percent;
        let placed = relative || (company || short || !told.is_empty()) && stated.half <= 0.06 * stated.value;
        let ratio = |given: &Given| given.value.middle() / stated.value;
        let close = narrow.iter().filter(|given| (0.6..1.67).contains(&ratio(given)));
        let close: Vec<&Given> = close.collect();
        let least = match (fine, precise, relative) {
            (true, ..) => 0.004,
            (_, true, _) => 0.04,
            (.., true) => 0.22,
            _ => 0.12,
        };
        let off = |given: &&Given| (ratio(given) - 1.0).abs() > least;
        if narrow.is_empty() || close.is_empty() || !few || !placed || !close.iter().all(off) {
            return false;
        }
        let scale = if quantity.unit.scale == 0.0 { 1.0 } else { quantity.unit.scale };
        let follows = close.iter().map(|given| show(given.value.middle() / scale)).collect::<Vec<_>>().join(" or ");
        let said = [
            says,
            format!("{follows} by the table (line {})", view.place.line),
            close.iter().map(|given| given.what.as_str()).collect::<Vec<_>>().join(", or "),
        ];
        out.wrong(place, if relative { "stated" } else { "restated" }, Sure::Warning, said);
        true
    }

    /// The row is what a claim is against: "than X", "compared to X", "over X".
    pub(super) fn against(&self, grid: &Grid, row: usize, claim: Option<&Claim>) -> bool {
        let Some(tail) = claim.and_then(|claim| self.sentence.lower.get(claim.range.end..)) else { return false };
        let name = label_words(&grid.rows[row].text);
        let said = tokens(tail);
        let brought = |at: usize| {
            said[at.saturating_sub(3)..at].iter().any(|word| one_of("than|to|with|over|vs|versus|against", word))
        };
        (1..said.len()).any(|at| matches_at(&said, at, &name) && brought(at))
    }

    /// "Up to 6.4× on large inputs", where the row has no such ratio.
    fn beyond(&self, grid: &Grid, view: &View<'_>, rows: &[usize], quantity: &Quantity, out: &mut Out<'_>) -> bool {
        let [row] = rows else { return false };
        let every: Vec<usize> = (usize::from(grid.levels)..grid.columns.len()).collect();
        let mut given = related(grid, &[*row], &every, quantity);
        given.extend(cells(grid, &[*row], &every, quantity));
        let most = given.iter().max_by(|a, b| a.value.high.total_cmp(&b.value.high));
        let stated = quantity.number.stated;
        let Some(most) = most.filter(|most| most.value.high > 0.5 * stated.value && given.len() <= LEFT) else {
            return false;
        };
        let place = self.sentence.place(quantity.range.start);
        let says = format!("up to {}", self.sentence.quote(quantity.range.clone()));
        // So many digits are those of the largest.
        let exact = stated.half < 0.003 * stated.value && !given.iter().any(|given| stated.cut().meets(given.value));
        let under = exact && (1.03..1.67).contains(&(most.value.middle() / stated.value));
        if stated.low() <= most.value.high * 1.05 && !under {
            out.fits(place, "stated", says);
            return true;
        }
        let follows = format!("{} by the table (line {})", show(most.value.middle()), view.place.line);
        out.wrong(place, "stated", Sure::Warning, [says, follows, most.what.clone()]);
        true
    }
}

#[cfg(test)]
mod tests {
    const CODECS: &str = "## Codecs\n\n| Codec | Ratio | Compress (MB/s) | Decompress (MB/s) |\n|---|---|---|---|\n\
        | lz4 | 2.10 | 740 | 4900 |\n| zstd -1 | 2.88 | 510 | 1550 |\n| zlib -6 | 3.10 | 35 | 410 |\n\n";
    const SIZES: &str = "## Sizes\n\n| Dataset | Before (ms) | After (ms) |\n|---|---|---|\n\
        | small | 10.0 | 4.0 |\n| medium | 90.0 | 30.0 |\n| large | 800 | 200 |\n\n";
    const THREADS: &str = "## Threads\n\n| Threads | Throughput (ops/s) | Speedup |\n|---|---|---|\n\
        | 1 | 120,000 | 1.0x |\n| 2 | 231,000 | 1.93x |\n| 4 | 440,000 | 3.67x |\n| 8 | 804,000 | 6.70x |\n\n";

    const SHARES: &str = "## Parts\n\n| Shade | Decode (%) | Load (%) |\n|---|---|---|\n| light | 98.3 | 1.7 |\n| dark | 97.1 | 2.9 |\n\n";
    const STORES: &str = "## Stores\n\n| Metric | Redis | Dragon | Ours |\n|---|---|---|---|\n\
        | Throughput (ops/s) | 120,000 | 310,000 | 465,000 |\n| p99 latency (ms) | 4.2 | 1.9 | 1.2 |\n| Memory (GB) | 12.0 | 8.4 | 6.3 |\n\n";

    fn found(table: &str, sentence: &str) -> usize {
        crate::lint::markdown(&format!("{table}{sentence}\n")).findings.len()
    }

    #[test]
    fn a_number_that_no_cell_is_and_that_is_near_to_one_is_wrong() {
        for (table, sentence) in [
            (CODECS, "zstd -1 compresses at 610 MB/s with a ratio of 2.88."),
            (CODECS, "lz4 decompresses at 3.9 GB/s, 12x faster than zlib."),
            (SIZES, "Processing the large dataset dropped from 800 ms to 250 ms."),
            (SIZES, "On the large dataset the new version is 5.5x faster."),
            (SIZES, "Medium is now 55% faster."),
            (SIZES, "Up to 6.4x faster on large inputs."),
            (THREADS, "With 8 threads we reach 804,000 ops/s, a 7.7x speedup."),
            (THREADS, "Scaling from 1 to 8 threads gives a 5.2x speedup."),
            (STORES, "Ours reaches 465,000 ops/s, 2.9x more than Redis."),
            (STORES, "Dragon needs 9.4 GB, ours 6.3 GB."),
        ] {
            assert_eq!(found(table, sentence), 1, "{sentence}");
        }
    }

    #[test]
    fn what_the_table_gives_or_does_not_have_is_left() {
        for (table, sentence) in [
            (CODECS, "zstd -1 compresses at 510 MB/s with a ratio of 2.88."),
            (CODECS, "lz4 decompresses at 4.9 GB/s, 12x faster than zlib."),
            (CODECS, "Performance is increased: 470 -> 530 MB/s of compression by zstd -1."),
            (CODECS, "With a dictionary, zstd -1 compresses at 610 MB/s with a ratio of 2.88."),
            (SIZES, "Processing the large dataset dropped from 800 ms to 200 ms."),
            (SIZES, "On the large dataset the new version is 4x faster."),
            (SIZES, "Medium is now 67% faster."),
            (SIZES, "The large dataset has 62.5% of all bytes."),
            (SIZES, "Up to 4x faster on large inputs."),
            (SIZES, "With a warm cache the large dataset takes 150 ms."),
            (THREADS, "With 8 threads we reach 804,000 ops/s, a 6.7x speedup."),
            (THREADS, "Scaling from 1 to 8 threads gives a 6.7x speedup."),
            (STORES, "Ours reaches 465,000 ops/s, 3.9x more than Redis."),
            (STORES, "Dragon needs 8.4 GB, ours 6.3 GB."),
            (STORES, "Memory drops by 47.5% compared to Redis."),
            (
                SHARES,
                "Decode rate with the dark shade is 0.67 times that with the light shade (90 % interval 0.66 to 0.68).",
            ),
            (SHARES, "Decode with the light shade has a narrow 95% CI."),
        ] {
            assert_eq!(found(table, sentence), 0, "{sentence}");
        }
    }
}
