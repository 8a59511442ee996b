//! Byte pair encoding: a word -> tokens, as the crate `tokenizers` has them, from tables that are quick to make. The crate keeps each
//! word as two texts of its own, and makes a text of each merge; here a word is a range of one text, and a merge is four numbers.

use std::{cmp::Reverse, collections::BinaryHeap, fmt, hash::BuildHasher, ops::Range};

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use tokenizers::Token;

/// No symbol stands there.
const NONE: usize = usize::MAX;

/// Texts, one after the other in one.
#[derive(Debug, Default)]
pub(super) struct Texts {
    all: String,
    ends: Vec<u32>,
}

impl Texts {
    /// No more than 4 GB of them.
    pub(super) fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len() as u32);
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn range(&self, index: usize) -> Range<u32> {
        index.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[index]
    }

    fn get(&self, range: &Range<u32>) -> &str {
        &self.all[range.start as usize..range.end as usize]
    }
}

/// What a file says beside words and merges.
#[derive(Debug)]
pub(super) struct Settings {
    /// For characters that are no words.
    pub(super) unk_token: Option<String>,
    /// Several of those in turn are one.
    pub(super) fuse_unk: bool,
    /// Bytes are words, such as `<0x0A>`, and stand for characters that are none.
    pub(super) byte_fallback: bool,
    /// A sequence that is a word needs no merges.
    pub(super) ignore_merges: bool,
}

/// The model.
pub(super) struct Bpe {
    words: Texts,
    /// By text.
    ids: HashTable<(Range<u32>, u32)>,
    /// By id; `None`: no word has it.
    ranges: Vec<Option<Range<u32>>>,
    /// Ids of two words -> the merge's rank, and the id of both in one.
    merges: HashMap<(u32, u32), (u32, u32)>,
    hasher: DefaultHashBuilder,
    settings: Settings,
    unk: Option<u32>,
}

impl fmt::Debug for Bpe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bpe { words, merges, settings, .. } = self;
        f.debug_struct("Bpe")
            .field("words", &words.len())
            .field("merges", &merges.len())
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

/// A word in the making.
#[derive(Clone, Copy)]
struct Symbol {
    id: u32,
    /// Bytes of the sequence; 0: it is part of another now.
    len: usize,
    before: usize,
    after: usize,
}

/// A merge that may be done: its rank, where its first symbol stands, the id of both in one. The least is the next.
type Candidate = Reverse<(u32, usize, u32)>;

impl Bpe {
    /// `merges`: two texts each, the most urgent first. `None`: something here is odd (a word or an id twice, an id far beyond the
    /// others, a merge of no words), and what it means is for others to say.
    pub(super) fn new(words: Texts, of_words: &[u32], merges: &Texts, settings: Settings) -> Option<Self> {
        let largest = *of_words.iter().max()? as usize;
        if largest >= of_words.len() * 4 {
            return None;
        }
        let mut made = Bpe {
            ids: HashTable::with_capacity(of_words.len()),
            ranges: vec![None; largest + 1],
            merges: HashMap::with_capacity(merges.len() / 2),
            hasher: DefaultHashBuilder::default(),
            unk: None,
            words,
            settings,
        };
        for (index, id) in of_words.iter().enumerate() {
            let range = made.words.range(index);
            let text = made.words.get(&range);
            if made.id(text).is_some() || made.ranges[*id as usize].replace(range.clone()).is_some() {
                return None;
            }
            let (words, hasher) = (&made.words, &made.hasher);
            let hash = hasher.hash_one(text);
            made.ids.insert_unique(hash, (range, *id), |(range, _)| hasher.hash_one(words.get(range)));
        }
        let mut both = String::new();
        for rank in 0..merges.len() / 2 {
            let [first, second] = [2 * rank, 2 * rank + 1].map(|index| merges.get(&merges.range(index)));
            both.clear();
            both.extend([first, second]);
            let (pair, id) = ((made.id(first)?, made.id(second)?), made.id(&both)?);
            // Of a pair that is there twice, the last counts.
            made.merges.insert(pair, (rank as u32, id));
        }
        if let Some(text) = &made.settings.unk_token {
            made.unk = Some(made.id(text)?);
        }
        Some(made)
    }

    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    pub(super) fn words(&self) -> impl Iterator<Item = (&str, u32)> {
        let of = |(id, range): (usize, &Option<Range<u32>>)| Some((self.words.get(range.as_ref()?), id as u32));
        self.ranges.iter().enumerate().filter_map(of)
    }

    pub(super) fn id(&self, text: &str) -> Option<u32> {
        let found = self.ids.find(self.hasher.hash_one(text), |(range, _)| self.words.get(range) == text);
        found.map(|(_, id)| *id)
    }

    pub(super) fn text(&self, id: u32) -> Option<&str> {
        Some(self.words.get(self.ranges.get(id as usize)?.as_ref()?))
    }

    pub(super) fn tokens(&self, sequence: &str) -> Vec<Token> {
        if self.settings.ignore_merges
            && let Some(id) = self.id(sequence)
        {
            return vec![Token::new(id, sequence.to_owned(), (0, sequence.len()))];
        }
        let mut end = 0;
        let token = |symbol: Symbol| {
            let start = end;
            end += symbol.len;
            Token::new(symbol.id, self.text(symbol.id).unwrap_or_default().to_owned(), (start, end))
        };
        self.merged(self.symbols(sequence)).map(token).collect()
    }

    /// A symbol a character; in the order of the crate, where one that is unknown may come late.
    fn symbols(&self, sequence: &str) -> Vec<Symbol> {
        let mut symbols = Vec::with_capacity(sequence.len());
        let mut add = |id, len| {
            let at = symbols.len();
            symbols.push(Symbol { id, len, before: at.wrapping_sub(1), after: at + 1 });
        };
        let mut unknown: Option<(u32, usize)> = None;
        for (at, character) in sequence.char_indices() {
            let len = character.len_utf8();
            let text = &sequence[at..at + len];
            if let Some(id) = self.id(text) {
                if let Some((id, len)) = unknown.take() {
                    add(id, len);
                }
                add(id, len);
            } else if let Some(bytes) = self.bytes(text) {
                bytes.into_iter().for_each(|id| add(id, 1));
            } else if let Some(unk) = self.unk {
                unknown = match unknown {
                    Some((id, so_far)) if self.settings.fuse_unk => Some((id, so_far + len)),
                    Some((id, so_far)) => {
                        add(id, so_far);
                        Some((unk, len))
                    }
                    None => Some((unk, len)),
                };
            }
        }
        if let Some((id, len)) = unknown {
            add(id, len);
        }
        if let Some(last) = symbols.last_mut() {
            last.after = NONE;
        }
        symbols
    }

    /// Ids of a character's bytes, where bytes are words.
    fn bytes(&self, text: &str) -> Option<Vec<u32>> {
        let all = || text.bytes().map(|byte| self.id(&format!("<{byte:#04X}>"))).collect();
        if self.settings.byte_fallback { all() } else { None }
    }

    /// What is left when every merge is done, the most urgent first, and the leftmost of equals.
    fn merged(&self, mut symbols: Vec<Symbol>) -> impl Iterator<Item = Symbol> {
        let candidate = |at: usize, first: u32, second: u32| -> Option<Candidate> {
            self.merges.get(&(first, second)).map(|(rank, id)| Reverse((*rank, at, *id)))
        };
        let pairs = symbols.windows(2).enumerate();
        let mut queue: BinaryHeap<Candidate> =
            pairs.filter_map(|(at, pair)| candidate(at, pair[0].id, pair[1].id)).collect();
        while let Some(Reverse((_, at, id))) = queue.pop() {
            let left = symbols[at];
            let Some(right) = symbols.get(left.after).copied().filter(|_| left.len > 0) else { continue };
            // Since it was put there, either may have become another.
            if candidate(at, left.id, right.id).is_none_or(|Reverse((_, _, both))| both != id) {
                continue;
            }
            symbols[left.after].len = 0;
            symbols[at] = Symbol { id, len: left.len + right.len, after: right.after, ..left };
            if let Some(after) = symbols.get_mut(right.after) {
                after.before = at;
                queue.extend(candidate(at, id, after.id));
            }
            if let Some(before) = symbols.get(left.before) {
                queue.extend(candidate(left.before, before.id, id));
            }
        }
        symbols.into_iter().filter(|symbol| symbol.len > 0)
    }
}
