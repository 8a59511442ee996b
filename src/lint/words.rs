//! Lists of words, each one line of text with bars between, and what is asked of them.

/// The words of a list.
pub fn words(list: &'static str) -> impl Iterator<Item = &'static str> + Clone {
    list.split('|')
}

/// Is it one of the list?
pub fn one_of(list: &'static str, word: &str) -> bool {
    words(list).any(|known| known == word)
}

/// Does one of the list stand in the text?
pub fn contains_any(text: &str, list: &'static str) -> bool {
    words(list).any(|word| text.contains(word))
}
