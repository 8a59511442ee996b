//! The rounds of a run with drafts held against its tokens and its times.

use super::end::Misfit;
use crate::{
    draft::MOST,
    record::{Rounds, RunRecord},
};

/// What is impossible in the rounds of a row that ended well, of so many tokens at most.
pub(super) fn misfits(row: &RunRecord, rounds: &Rounds, most: Option<u32>) -> Vec<Misfit> {
    let mut found = Vec::new();
    let mut expect = |holds: bool, expected: &str, value: String| {
        if !holds {
            found.push((expected.to_owned(), value));
        }
    };
    let Rounds { proposed, accepted, draft_ns, verify_ns } = rounds;
    expect(most.is_some(), "`rounds` only at a level with drafts", "rounds".to_owned());
    let most = most.unwrap_or(MOST);
    let lengths = [proposed.len(), accepted.len(), draft_ns.len(), verify_ns.len()];
    expect(lengths.iter().all(|n| *n == lengths[0]), "lists of one length in `rounds`", format!("{lengths:?}"));
    for (round, (proposed, accepted)) in (1..).zip(proposed.iter().zip(accepted)) {
        let fits = accepted <= proposed && *proposed <= most;
        expect(
            fits,
            &format!("round {round}: at most {most} tokens proposed, and no more accepted"),
            format!("{proposed}, {accepted}"),
        );
    }
    let (n, times) = (row.n_gen.unwrap_or_default(), row.token_times_ns.as_deref().unwrap_or_default());
    // The first token is none's.
    let sum = accepted.iter().map(|n| u64::from(*n) + 1).sum::<u64>() + 1;
    expect(sum == u64::from(n), &format!("rounds of {n} tokens with the first"), sum.to_string());
    let mut place = 0;
    for (round, accepted) in (1..).zip(accepted) {
        let before = times.get(place).copied();
        let own = times.get(place + 1..).and_then(|rest| rest.get(..=*accepted as usize));
        let together = own.is_some_and(|own| own.iter().all(|time| *time == own[0] && Some(*time) > before));
        expect(together, &format!("round {round}: its tokens at one time, after those before"), format!("{own:?}"));
        place += *accepted as usize + 1;
    }
    let took = draft_ns.iter().chain(verify_ns).fold(0u64, |sum, ns| sum.saturating_add(*ns));
    let whole = times.first().zip(times.last()).map_or(0, |(first, last)| last.saturating_sub(*first));
    expect(took <= whole, &format!("rounds within the {whole} ns from the first token to the last"), took.to_string());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first token at 5, then rounds of one and of three.
    fn row() -> RunRecord {
        let rounds = Rounds { proposed: vec![4, 2], accepted: vec![0, 2], draft_ns: vec![1, 1], verify_ns: vec![3, 5] };
        let times = vec![5, 9, 15, 15, 15];
        RunRecord { n_gen: Some(5), token_times_ns: Some(times), rounds: Some(rounds), ..RunRecord::empty() }
    }

    #[test]
    fn rounds_are_those_of_the_tokens_and_of_the_clock() {
        let found = |change: &dyn Fn(&mut Rounds)| {
            let mut row = row();
            let mut rounds = row.rounds.take().unwrap();
            change(&mut rounds);
            let misfits = misfits(&row, &rounds, Some(4));
            misfits.into_iter().map(|(what, found)| format!("{what}: {found}")).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(found(&|_| {}), "");
        type Change = fn(&mut Rounds);
        let changes: [(Change, &str); 6] = [
            (|rounds| rounds.proposed[1] = 1, "round 2: at most 4 tokens proposed, and no more accepted: 1, 2"),
            (|rounds| rounds.proposed[0] = 5, "round 1: at most 4 tokens proposed"),
            (|rounds| rounds.accepted = vec![1, 1], "round 1: its tokens at one time"),
            (|rounds| rounds.accepted[1] = 1, "rounds of 5 tokens with the first: 4"),
            (|rounds| rounds.verify_ns[1] = 6, "rounds within the 10 ns from the first token to the last: 11"),
            (|rounds| rounds.draft_ns.truncate(1), "lists of one length in `rounds`: [2, 2, 1, 2]"),
        ];
        for (change, expected) in changes {
            assert!(found(&change).contains(expected), "{expected}: {}", found(&change));
        }
        let row = row();
        assert!(misfits(&row, row.rounds.as_ref().unwrap(), None)[0].0.contains("only at a level with drafts"));
    }
}
