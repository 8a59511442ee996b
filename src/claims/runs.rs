//! The runs behind a claim, as stretches: `1-18, 37-54`. A claim about all runs of a large study names them in a few characters.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Run numbers, ascending; first and last of each stretch without a hole. A clone is free: thousands of claims rest on the same runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Runs(Arc<[(u32, u32)]>);

impl Runs {
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|(first, last)| (last - first) as usize + 1).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These and those.
    pub fn and(&self, other: &Runs) -> Runs {
        let mut all: Vec<u32> = self.iter().chain(other.iter()).collect();
        all.sort_unstable();
        all.dedup();
        Runs::from(all.as_slice())
    }
}

impl From<&[u32]> for Runs {
    /// Of ascending numbers.
    fn from(runs: &[u32]) -> Self {
        let mut stretches: Vec<(u32, u32)> = Vec::new();
        for run in runs {
            match stretches.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(*run) => *last = *run,
                _ => stretches.push((*run, *run)),
            }
        }
        Runs(stretches.into())
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            if first == last { write!(out, "{comma}{first}")? } else { write!(out, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

impl Serialize for Runs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Runs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let odd = || D::Error::custom(format!("expected run numbers such as `1-18, 37`, found `{text}`"));
        let mut stretches = Vec::new();
        let mut before = 0;
        for part in text.split(", ").filter(|_| !text.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse(), last.parse()) else { return Err(odd()) };
            // Runs count from 1 and ascend, so nobody can make a reader count to four thousand million twice.
            if first <= before || last < first {
                return Err(odd());
            }
            before = last;
            stretches.push((first, last));
        }
        Ok(Runs(stretches.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_written_and_read_back() {
        for (runs, text) in [
            (&[][..], "\"\""),
            (&[7], "\"7\""),
            (&[1, 2, 3, 9, 11, 12], "\"1-3, 9, 11-12\""),
            (&[u32::MAX - 1, u32::MAX], "\"4294967294-4294967295\""),
        ] {
            let written = Runs::from(runs);
            assert_eq!(serde_json::to_string(&written).unwrap(), text);
            assert_eq!(serde_json::from_str::<Runs>(text).unwrap(), written);
            assert_eq!(written.iter().collect::<Vec<_>>(), runs);
            assert_eq!(written.len(), runs.len());
        }
    }

    #[test]
    fn what_is_no_list_of_runs_is_refused() {
        for text in ["\"3-1\"", "\"0\"", "\"5, 4\"", "\"1,2\"", "\"1-2-3\"", "\"x\"", "\"1, \"", "[1]"] {
            assert!(serde_json::from_str::<Runs>(text).is_err(), "{text}");
        }
    }
}
