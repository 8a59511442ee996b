//! Points of one group, moved sideways so that none hides another. Places along the value axis in, offsets across it out.
//! No chance is involved: the same points always fall into the same swarm.

/// Offsets (same length unit as `places`) for dots of `radius`, each within `half_width` of the lane's middle.
/// Where the lane is too narrow for all, the rest is spread evenly over it and may overlap; the second value counts those.
pub fn spread(places: &[f64], radius: f64, half_width: f64) -> (Vec<f64>, u32) {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]).then(a.cmp(b)));
    let mut offsets = vec![0.0; places.len()];
    let mut placed: Vec<(f64, f64)> = Vec::new();
    let mut crowded = 0_u32;
    for index in order {
        let place = places[index];
        let near: Vec<(f64, f64)> =
            placed.iter().rev().take_while(|(p, _)| place - p < 2.0 * radius).copied().collect();
        let offset = free_offset(place, &near, radius, half_width).unwrap_or_else(|| {
            crowded += 1;
            // The golden ratio's multiples fill a lane evenly from the first point on.
            (2.0 * (f64::from(crowded) * 0.618_033_988_749_895).fract() - 1.0) * half_width
        });
        offsets[index] = offset;
        placed.push((place, offset));
    }
    (offsets, crowded)
}

/// The offset nearest to the middle at which a dot touches none of `near`.
fn free_offset(place: f64, near: &[(f64, f64)], radius: f64, half_width: f64) -> Option<f64> {
    let reach = 2.0 * radius;
    let touches = |offset: f64| {
        near.iter().any(|(p, o)| (place - p).powi(2) + (offset - o).powi(2) < reach * reach * (1.0 - 1e-9))
    };
    let mut candidates = vec![0.0];
    for (p, o) in near {
        let aside = (reach * reach - (place - p).powi(2)).max(0.0).sqrt();
        candidates.extend([o + aside, o - aside]);
    }
    candidates.sort_by(|a, b| a.abs().total_cmp(&b.abs()).then(b.total_cmp(a)));
    candidates.into_iter().find(|offset| offset.abs() <= half_width && !touches(*offset))
}

/// At most `most` of `values`, evenly by rank, least and greatest included: the shape of a distribution of any size.
pub fn thin<T>(mut values: Vec<T>, most: usize, value: impl Fn(&T) -> f64) -> Vec<T> {
    if values.len() <= most {
        return values;
    }
    values.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let last = values.len() - 1;
    let mut wanted = (0..most).map(|i| i * last / (most - 1)).peekable();
    values
        .into_iter()
        .enumerate()
        .filter_map(|(rank, v)| (wanted.peek() == Some(&rank)).then(|| wanted.next()).map(|_| v))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_do_not_overlap_while_there_is_room() {
        let places: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17) * 0.7).collect();
        let (offsets, crowded) = spread(&places, 1.0, 30.0);
        assert_eq!(crowded, 0);
        for a in 0..places.len() {
            for b in 0..a {
                let (along, aside) = (places[a] - places[b], offsets[a] - offsets[b]);
                let apart = (along * along + aside * aside).sqrt();
                assert!(apart >= 2.0 - 1e-6, "{a} and {b} are {apart} apart");
            }
        }
    }

    #[test]
    fn a_lonely_dot_stays_in_the_middle() {
        assert_eq!(spread(&[5.0], 1.0, 10.0).0, [0.0]);
        assert_eq!(spread(&[5.0, 9.0], 1.0, 10.0).0, [0.0, 0.0]);
    }

    #[test]
    fn a_crowd_stays_in_its_lane_and_each_dot_has_its_own_place() {
        let (mut offsets, crowded) = spread(&[1.0; 54], 1.0, 4.0);
        assert_eq!(crowded, 49, "five dots fit side by side");
        assert!(offsets.iter().all(|o| o.abs() <= 4.0), "{offsets:?}");
        offsets.sort_by(f64::total_cmp);
        assert!(offsets.windows(2).all(|w| w[1] > w[0]), "{offsets:?}");
    }

    #[test]
    fn thinning_keeps_the_ends_and_the_count() {
        let kept = thin((0..1000).rev().map(f64::from).collect(), 7, |v| *v);
        assert_eq!(kept, [0.0, 166.0, 333.0, 499.0, 666.0, 832.0, 999.0]);
        assert_eq!(thin(vec![3.0, 1.0], 7, |v| *v), [3.0, 1.0]);
    }
}
