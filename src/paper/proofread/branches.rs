//! Open tags -> what is known in them: the predicates that hold there, and whether what they hold may be left out.

use std::collections::BTreeSet;

/// Predicates that hold together.
type Holding = BTreeSet<String>;

/// The open conditions and loops at a place of a section, outermost first.
#[derive(Debug, Clone, Default)]
pub(super) struct Branches(Vec<Branch>);

#[derive(Debug, Clone, Default)]
struct Branch {
    /// What may have led here; in each, so much holds. None where nothing was asked.
    ways: Vec<Holding>,
    /// What holds where no condition so far was met.
    otherwise: Holding,
    /// Its claims need not be there: it asks whether there is one, or looks at what a design may not have.
    may_lack: bool,
}

impl Branches {
    /// Goes through a tag, given without its marks.
    pub fn pass(&mut self, code: &str) {
        let (word, rest) = code.split_once(char::is_whitespace).unwrap_or((code, ""));
        match word {
            "if" => {
                let (ways, otherwise) = asked(rest);
                let may_lack = code.contains("has(") || !code.contains('(');
                self.0.push(Branch { ways, otherwise, may_lack });
            }
            "for" => self.0.push(Branch { may_lack: !code.contains('('), ..Branch::default() }),
            "elif" => {
                if let Some(branch) = self.0.last_mut() {
                    let (ways, otherwise) = asked(rest);
                    branch.ways = ways.into_iter().map(|way| &way | &branch.otherwise).collect();
                    branch.otherwise.extend(otherwise);
                }
            }
            "else" => {
                if let Some(branch) = self.0.last_mut() {
                    branch.ways = vec![branch.otherwise.clone()];
                }
            }
            "endif" | "endfor" => drop(self.0.pop()),
            _ => {}
        }
    }

    pub fn may_lack(&self) -> bool {
        self.0.iter().any(|branch| branch.may_lack)
    }

    /// Does one of these predicates hold here, whichever way led here?
    pub fn ask(&self, predicates: &[String]) -> bool {
        let one = |way: &Holding| predicates.iter().any(|id| way.contains(id));
        self.0.iter().any(|branch| !branch.ways.is_empty() && branch.ways.iter().all(one))
    }
}

/// What holds where the condition is met, way by way, and what holds where it is not. A condition that is put together otherwise than
/// from `and`, `or` and `not` before a call says nothing.
fn asked(condition: &str) -> (Vec<Holding>, Holding) {
    let grouped = condition.match_indices('(').any(|(at, _)| !condition[..at].ends_with(char::is_alphanumeric));
    if grouped || condition.contains("not(") {
        return (Vec::new(), Holding::new());
    }
    let ways: Vec<Vec<&str>> = condition.split(" or ").map(|way| way.split(" and ").collect()).collect();
    let holding = |way: &Vec<&str>| way.iter().filter_map(|part| called(part)).collect();
    let failing = ways.iter().filter_map(|way| match way[..] {
        [one] => called(one.trim().strip_prefix("not ")?),
        _ => None,
    });
    (ways.iter().map(holding).collect(), failing.collect())
}

/// The id in `holds(id="...")`, where that is all.
fn called(part: &str) -> Option<String> {
    let inside = part.trim().strip_prefix("holds(")?.strip_suffix(')')?;
    let (name, value) = inside.split_once('=')?;
    let value = value.trim();
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    quoted.filter(|id| name.trim() == "id" && !id.contains(['"', '\''])).map(str::to_owned)
}
