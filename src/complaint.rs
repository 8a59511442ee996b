//! An error -> its causes from the outside in, and the way out: what went wrong first, what to do about it last.

use std::fmt;

/// What an error says, wherever in its chain its hints stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Lines, the outermost cause first.
    pub causes: Vec<String>,
    /// The innermost hint, which knows most of what went wrong.
    pub hint: Option<String>,
}

impl From<&anyhow::Error> for Complaint {
    fn from(error: &anyhow::Error) -> Self {
        let mut found = Complaint { causes: Vec::new(), hint: None };
        for cause in error.chain() {
            for line in cause.to_string().lines() {
                match line.trim().strip_prefix("hint:") {
                    Some(hint) => found.hint = Some(hint.trim().to_owned()),
                    None => found.causes.push(line.to_owned()),
                }
            }
        }
        found
    }
}

/// Nothing is wrong but the moment: the same again may do. It carries its own hint line, as every error does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TryAgain(pub String);

impl TryAgain {
    /// Does this error, whatever was said around it, come of one?
    pub fn is_why(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| cause.is::<TryAgain>())
    }
}

/// The causes on one line, and the hint on the next.
impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes: Vec<&str> = self.causes.iter().map(|line| line.trim()).collect();
        write!(f, "{}", causes.join(": "))?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_come_first_and_the_innermost_hint_last() {
        let error = Err::<(), _>(anyhow!("syntax error\n  in line 3\nhint: read it"))
            .context("the template fails\nhint: do without")
            .unwrap_err();
        assert_eq!(Complaint::from(&error).to_string(), "the template fails: syntax error: in line 3\nhint: read it");
        let error = Err::<(), _>(anyhow!("syntax error")).context("the template fails\nhint: do without").unwrap_err();
        assert_eq!(Complaint::from(&error).to_string(), "the template fails: syntax error\nhint: do without");
        assert_eq!(Complaint::from(&anyhow!("alone")).to_string(), "alone");
    }

    #[test]
    fn a_moment_is_known_through_all_that_is_said_around_it() {
        let moment = || anyhow::Error::new(TryAgain("too busy\nhint: wait".to_owned()));
        assert!(TryAgain::is_why(&moment()) && TryAgain::is_why(&moment().context("a shard").context("a fleet")));
        assert!(!TryAgain::is_why(&anyhow!("too busy")));
        assert_eq!(Complaint::from(&moment().context("a shard")).to_string(), "a shard: too busy\nhint: wait");
    }
}
