//! Many tests at once: how small a p-value must be when others were made beside it.
//!
//! Sources: Holm, *A simple sequentially rejective multiple test procedure*, Scand. J. Stat. 6 (1979), which keeps
//! the probability of any false alarm; Benjamini and Hochberg, *Controlling the false discovery rate*, J. R. Stat.
//! Soc. B 57 (1995), which keeps the share of false ones among the alarms.

/// The p-values adjusted by Holm: those at or below alpha are surprising at alpha for all of them together.
///
/// ```
/// # use deespec::gate::statistics::multiplicity::holm;
/// assert_eq!(holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
/// ```
pub fn holm(p: &[f64]) -> Vec<f64> {
    adjusted(p, |place, all| (all - place) as f64, false)
}

/// The p-values adjusted by Benjamini and Hochberg.
///
/// ```
/// # use deespec::gate::statistics::multiplicity::benjamini_hochberg;
/// assert_eq!(benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005, 0.2]), [0.025, 0.05, 0.05, 0.025, 0.2]);
/// ```
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    adjusted(p, |place, all| all as f64 / (place + 1) as f64, true)
}

/// Each p-value, from the smallest on, times its factor; monotone from below, or from above.
fn adjusted(p: &[f64], factor: impl Fn(usize, usize) -> f64, is_from_above: bool) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&one, &other| p[one].total_cmp(&p[other]));
    let mut found = vec![0.0; p.len()];
    for (place, &index) in order.iter().enumerate() {
        found[index] = (p[index] * factor(place, p.len())).min(1.0);
    }
    let follow = |before: f64, now: f64| match is_from_above {
        true => now.min(before),
        false => now.max(before),
    };
    if is_from_above {
        order.reverse();
    }
    for pair in order.windows(2) {
        found[pair[1]] = follow(found[pair[0]], found[pair[1]]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_and_one_are_left_as_they_are() {
        assert!(holm(&[]).is_empty());
        assert_eq!(
            (holm(&[0.2]), benjamini_hochberg(&[0.2])),
            (vec![0.2], vec![0.2])
        );
    }
}
