//! A document as rules see it: sentences with their quantities, tables as grids, and which stand under one heading.

use std::rc::Rc;

use super::{
    document::{Block, Document, Place, Table, Text},
    grid::{self, Grid},
    label::{Quantity, Stat},
    number::{self, Decimals},
    readings::{self, Reading},
    sentence::{self, Sentence},
    words::contains_any,
};

/// A paper.
#[derive(Debug)]
pub struct Paper<'a> {
    pub document: &'a Document,
    pub paragraphs: Vec<Paragraph<'a>>,
    pub tables: Vec<View<'a>>,
    /// The tables that name statistics.
    pub readings: Vec<readings::Table<'a>>,
    pub headings: Vec<String>,
    pub decimals: Decimals,
}

/// A paragraph.
#[derive(Debug)]
pub struct Paragraph<'a> {
    pub text: &'a Text,
    pub sentences: Vec<Sentence<'a>>,
    /// Headings so far.
    pub section: usize,
    /// Tables so far: the index of the next one.
    pub next_table: usize,
}

/// A table and what it stands for.
#[derive(Debug)]
pub struct View<'a> {
    pub table: &'a Table,
    pub grid: Option<Grid>,
    pub section: usize,
    pub place: Place,
}

impl<'a> Paper<'a> {
    /// Tables of moderate size that stand next above and next below a paragraph, in its section.
    pub fn beside(&self, paragraph: &Paragraph<'_>) -> Vec<(&View<'a>, &Grid)> {
        let (above, below) = self.tables.split_at(paragraph.next_table);
        let next = above.last().into_iter().chain(below.first());
        let here = next.filter(|view| view.section == paragraph.section && view.table.rows.len() <= 60);
        here.filter_map(|view| Some((view, view.grid.as_ref()?))).collect()
    }

    pub fn read(document: &'a Document) -> Self {
        let decimals = decimals(document);
        let mut paper = Paper {
            document,
            paragraphs: Vec::new(),
            tables: Vec::new(),
            readings: Vec::new(),
            headings: vec![String::new()],
            decimals,
        };
        for block in &document.blocks {
            match block {
                Block::Heading(text) => paper.headings.push(text.text.to_lowercase()),
                Block::Prose(text) => {
                    let paragraph = Paragraph {
                        text,
                        sentences: sentence::all(text, decimals),
                        section: paper.headings.len() - 1,
                        next_table: paper.tables.len(),
                    };
                    paper.paragraphs.push(paragraph);
                }
                Block::Table(table) => {
                    let place = table.rows.first().map_or(Place::default(), |row| row.place);
                    let cells = Rc::new(grid::cells(table, decimals));
                    paper.readings.extend(readings::Table::read(table, &cells));
                    let grid = Grid::read(table, &cells, decimals);
                    paper.tables.push(View { table, grid, section: paper.headings.len() - 1, place });
                }
            }
        }
        paper
    }

    /// The one statistic that the paper gives of a quantity over all data; `None` also if there are several, since they
    /// then belong to different data.
    pub fn overall(&self, quantity: &Quantity, stat: Stat) -> Option<&Reading> {
        let fits = |reading: &&Reading| reading.overall && reading.stat == stat && reading.quantity.same(quantity);
        let mut found = self.readings.iter().flat_map(|table| &table.readings).filter(fits);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// Columns of means by level, with their tables.
    pub fn groups(&self) -> impl Iterator<Item = (&readings::Table<'a>, Vec<&Reading>)> {
        let one_way = self.readings.iter().filter(|table| table.one_way);
        one_way.flat_map(|table| table.columns().into_iter().map(move |column| (table, table.levels(column)))).filter(
            |(table, levels)| {
                // Every level must have its number, or a mean of them says nothing.
                let rows = table.source.rows.len() - table.overall_rows();
                levels.len() == rows && rows > 1 && matches!(levels[0].stat, Stat::Value | Stat::Mean)
            },
        )
    }

    /// The whole prose has one of these words.
    pub fn mentions(&self, words: &'static str) -> bool {
        let has = |sentence: &Sentence<'_>| contains_any(&sentence.lower, words);
        self.paragraphs.iter().flat_map(|paragraph| &paragraph.sentences).any(has)
    }
}

/// One for the whole document: nobody mixes them.
fn decimals(document: &Document) -> Decimals {
    let mut sample = String::new();
    for block in &document.blocks {
        match block {
            Block::Heading(_) => {}
            Block::Prose(text) => sample += &text.text,
            Block::Table(table) => {
                for cell in table.rows.iter().flat_map(|row| &row.cells) {
                    sample += cell;
                    sample += " | ";
                }
            }
        }
        sample.push(' ');
        if sample.len() > 200_000 {
            break;
        }
    }
    number::decimals(&sample)
}
