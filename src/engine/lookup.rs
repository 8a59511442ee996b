//! Prompt look-up: what followed the last time that a text's end stood in it is proposed to follow again (Saxena 2023,
//! <https://github.com/apoorvumang/prompt-lookup-decoding>). Ids in, ids out; knows no model.

/// Ids of the end that are searched for, the longest first.
const LENGTHS: [usize; 2] = [3, 2];

/// `k` ids that may follow `text`; none where no end of it stood in it before. What follows the latest place is copied, and goes on
/// into the copy where the text ends, so that a loop is proposed as often as it fits.
pub(super) fn propose(text: &[u32], k: usize) -> Vec<u32> {
    let mut all = text.to_vec();
    if let Some(from) = LENGTHS.iter().find_map(|length| follows(text, *length)) {
        (from..from + k).for_each(|at| all.push(all[at]));
    }
    all.split_off(text.len())
}

/// Where what followed the latest earlier place of the last `length` ids begins.
fn follows(text: &[u32], length: usize) -> Option<usize> {
    let end = text.len().checked_sub(length)?;
    let sought = &text[end..];
    (0..end).rev().find(|at| &text[*at..at + length] == sought).map(|at| at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_is_proposed() {
        // Three ids before two, and of several places the latest.
        assert_eq!(propose(&[1, 2, 3, 9, 2, 3, 8, 1, 2, 3], 2), [9, 2]);
        assert_eq!(propose(&[1, 2, 7, 1, 2, 8, 1, 2], 2), [8, 1]);
        // A loop goes on beyond the end of the text.
        assert_eq!(propose(&[5, 6, 5, 6], 5), [5, 6, 5, 6, 5]);
        assert_eq!(propose(&[4, 4, 4], 3), [4, 4, 4]);
        for nothing in [&[][..], &[1], &[1, 2], &[1, 2, 3, 1]] {
            assert!(propose(nothing, 4).is_empty(), "{nothing:?}");
        }
        assert!(propose(&[1, 2, 1, 2], 0).is_empty());
    }
}
