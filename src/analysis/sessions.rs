//! Several machines, several sessions of each. What differs between two executions on one machine (a boot, a day, what the machine did
//! before) is common to all runs of a session, so the session is the unit: the logarithms of its runs are averaged over cells, and those
//! means are the sample (Kalibera and Jones, ISMM 2013: repeat where the variance is). In a balanced design that is the mixed model
//! log y = machine + cell + machine x cell + session + run. Pure; knows neither metric nor machine by name.

use anyhow::Result;

use super::{
    contrast::{Contrast, Sample, contrast},
    dual::Dual,
};

/// `other` minus `reference`, each a mean of session means: Welch's test with Satterthwaite's degrees, against `margin`. `None` where
/// either has fewer than two sessions: how its sessions scatter is then not known.
///
/// # Errors
/// A confidence outside 0.5..1.
pub fn against(reference: &[f64], other: &[f64], margin: f64, confidence: f64) -> Result<Option<Contrast>> {
    let (Some(a), Some(b)) = (Sample::of(&[reference.to_vec()]), Sample::of(&[other.to_vec()])) else {
        return Ok(None);
    };
    between(&a, &b, margin, confidence)
}

/// The same of the runs of two sessions, by cell: what is found holds for these two sessions alone.
///
/// # Errors
/// A confidence outside 0.5..1.
pub fn of_runs(reference: &[Vec<f64>], other: &[Vec<f64>], margin: f64, confidence: f64) -> Result<Option<Contrast>> {
    let (Some(a), Some(b)) = (Sample::of(reference), Sample::of(other)) else { return Ok(None) };
    between(&a, &b, margin, confidence)
}

fn between(a: &Sample, b: &Sample, margin: f64, confidence: f64) -> Result<Option<Contrast>> {
    let mean = |sample: &Sample| Dual::mean(&sample.means().iter().collect::<Vec<_>>());
    let (Some(first), Some(second)) = (mean(a), mean(b)) else { return Ok(None) };
    contrast((a, &first), (b, &second), margin, confidence).map(Some)
}

/// The standard error of a session's mean from its runs, by cell; `None` where a cell has a single run.
pub fn error_of_runs(cells: &[Vec<f64>]) -> Option<f64> {
    let sample = Sample::of(cells)?;
    let mean = Dual::mean(&sample.means().iter().collect::<Vec<_>>())?;
    Some(sample.se(&mean))
}

/// Groups of machines that nothing separates, each as large as it can be: two machines share a group exactly where they are not
/// separated. By insertion and absorption (Piepho, J. Comput. Graph. Stat. 13, 2004). Groups ascend.
pub fn groups(machines: usize, separated: impl Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = vec![(0..machines).collect()];
    for (a, b) in (0..machines).flat_map(|a| (a + 1..machines).map(move |b| (a, b))) {
        if !separated(a, b) {
            continue;
        }
        let mut split = Vec::new();
        for group in groups {
            if group.contains(&a) && group.contains(&b) {
                for gone in [a, b] {
                    split.push(group.iter().copied().filter(|machine| *machine != gone).collect::<Vec<_>>());
                }
            } else {
                split.push(group);
            }
        }
        groups = absorbed(split);
    }
    groups.sort();
    groups
}

/// Without those that lie in another, and each once.
fn absorbed(mut groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    groups.sort();
    groups.dedup();
    let inside = |small: &Vec<usize>, large: &Vec<usize>| small != large && small.iter().all(|m| large.contains(m));
    groups.iter().filter(|group| !groups.iter().any(|large| inside(group, large))).cloned().collect()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a simulation is compared to wide bounds")]
mod tests {
    use super::*;
    use crate::{analysis::stats, random::SplitMix64};

    /// Box and Muller.
    fn normal(random: &mut SplitMix64) -> f64 {
        (-2.0 * (1.0 - random.unit()).ln()).sqrt() * (std::f64::consts::TAU * random.unit()).cos()
    }

    /// One session: 18 cells of three runs around the session's own level.
    fn session(random: &mut SplitMix64, level: f64, sd_session: f64, sd_run: f64) -> Vec<Vec<f64>> {
        let level = level + sd_session * normal(random);
        (0..18).map(|_| (0..3).map(|_| level + sd_run * normal(random)).collect()).collect()
    }

    fn mean(session: &[Vec<f64>]) -> f64 {
        stats::mean(&session.iter().map(|cell| stats::mean(cell)).collect::<Vec<_>>())
    }

    /// 2,000 fleets of two machines, whose true ratio is known: how often do nine intervals in ten hold it? By sessions, as promised;
    /// by runs, about every second one, which is why runs are not the unit.
    #[test]
    fn intervals_from_sessions_cover_and_those_from_runs_do_not() {
        let mut random = SplitMix64(20_261_128);
        let truth = 1.3f64.ln();
        for (sessions, sd_session) in [(3, 0.02), (3, 0.05), (5, 0.02)] {
            let (mut by_sessions, mut by_runs) = (0, 0);
            for _ in 0..2000 {
                let [a, b] = [0.0, truth].map(|level| -> Vec<Vec<Vec<f64>>> {
                    (0..sessions).map(|_| session(&mut random, level, sd_session, 0.06)).collect()
                });
                let means = |sessions: &[Vec<Vec<f64>>]| sessions.iter().map(|s| mean(s)).collect::<Vec<f64>>();
                let found = against(&means(&a), &means(&b), 0.02, 0.95).unwrap().unwrap();
                by_sessions += u32::from(found.interval.0 <= truth && truth <= found.interval.1);
                let pooled = |sessions: &[Vec<Vec<f64>>]| -> Vec<Vec<f64>> {
                    (0..18).map(|cell| sessions.iter().flat_map(|session| session[cell].clone()).collect()).collect()
                };
                let found = of_runs(&pooled(&a), &pooled(&b), 0.02, 0.95).unwrap().unwrap();
                by_runs += u32::from(found.interval.0 <= truth && truth <= found.interval.1);
            }
            let [by_sessions, by_runs] = [by_sessions, by_runs].map(|held| f64::from(held) / 2000.0);
            assert!((0.87..=0.93).contains(&by_sessions), "{sessions} sessions, sd {sd_session}: {by_sessions}");
            assert!(by_runs < 0.6, "{sessions} sessions, sd {sd_session}: {by_runs} by runs");
        }
    }

    /// scipy.stats.ttest_ind([0.1, 0.14, 0.12], [0.02, -0.01, 0.03, 0.0], equal_var=False): t and degrees.
    #[test]
    fn two_machines_are_compared_by_welch() {
        let found = against(&[0.02, -0.01, 0.03, 0.0], &[0.1, 0.14, 0.12], 0.02, 0.95).unwrap().unwrap();
        assert!((found.difference / found.se - 7.473_028_425_354_331_5).abs() < 1e-12, "{found:?}");
        assert!((found.degrees.unwrap() - 4.190_082_644_628_099).abs() < 1e-12, "{found:?}");
        assert!(against(&[0.1], &[0.2, 0.3], 0.02, 0.95).unwrap().is_none());
    }

    #[test]
    fn the_error_of_a_session_is_that_of_its_runs() {
        // Two cells of two runs: each mean has variance 0.5 / 2, their mean (0.25 + 0.25) / 4.
        let se = error_of_runs(&[vec![1.0, 2.0], vec![5.0, 6.0]]).unwrap();
        assert!((se - 0.125f64.sqrt()).abs() < 1e-12, "{se}");
        assert!(error_of_runs(&[vec![1.0, 2.0], vec![5.0]]).is_none());
    }

    /// Held to their definition, over random relations: the maximal sets without a separated pair.
    #[test]
    fn groups_are_all_maximal_sets_that_nothing_separates() {
        let mut random = SplitMix64(5);
        for machines in 1..8usize {
            for _ in 0..40 {
                let pairs: Vec<bool> = (0..machines * machines).map(|_| random.below(2) == 0).collect();
                let separated = |a: usize, b: usize| pairs[a.min(b) * machines + a.max(b)];
                let free = |set: usize| {
                    let members: Vec<usize> = (0..machines).filter(|m| set >> m & 1 == 1).collect();
                    !members.iter().any(|a| members.iter().any(|b| a < b && separated(*a, *b)))
                };
                let maximal = |set: usize| (0..machines).all(|m| set >> m & 1 == 1 || !free(set | 1 << m));
                let mut expected: Vec<Vec<usize>> = (1..1usize << machines)
                    .filter(|set| free(*set) && maximal(*set))
                    .map(|set| (0..machines).filter(|m| set >> m & 1 == 1).collect())
                    .collect();
                expected.sort();
                assert_eq!(groups(machines, separated), expected);
            }
        }
    }
}
