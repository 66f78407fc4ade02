//! Where a whole series changes its level: splits, and then merges.
//!
//! As e-divisive does (Matteson and James, *A nonparametric approach for multiple change point analysis*, J. Am. Stat.
//! Assoc. 109 (2014)), a series is split where two sides differ most, each side again, and so on. How much
//! they differ is told by ranks, as Pettitt does (Appl. Stat. 28 (1979)), and not by energy distances: it takes n log n
//! steps, bears values far off, and its p-value needs no permutations, so that the same series always gives
//! the same answer. Then each change must still stand between its neighbours, or it is taken back.

use super::autocorrelation::{inflation, lag_one};
use super::ranks::{doubled_ranks, standardised};
use super::{mean, median, normal_upper};

/// Shorter parts are not looked at by themselves.
const SHORTEST: usize = 16;

/// A change of the level.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Change {
    /// The first run of the new level.
    pub index: usize,
    /// The mean from the change before, or from the beginning.
    pub before: f64,
    /// The mean until the next change, or to the end.
    pub after: f64,
    /// The probability of as much by chance anywhere between the neighbours.
    pub p: f64,
}

/// What counts as a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The largest p-value.
    pub p: f64,
    /// The least change, as a share of the level before.
    pub by: f64,
    /// The fewest runs on each side.
    pub runs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            p: 0.001,
            by: 0.05,
            runs: 3,
        }
    }
}

/// All changes of a series, in their order.
///
/// ```
/// # use deespec::gate::statistics::changes::{Limits, changes};
/// let noisy = |level: f64| (0..20).map(move |n| level + f64::from(n * 7 % 11));
/// let series: Vec<f64> = noisy(100.0).chain(noisy(150.0)).chain(noisy(100.0)).collect();
/// let found = changes(&series, &Limits::default());
/// assert_eq!(found.iter().map(|change| change.index).collect::<Vec<_>>(), [20, 40]);
/// ```
pub fn changes(values: &[f64], limits: &Limits) -> Vec<Change> {
    let mut edges = Vec::new();
    split(values, 0, limits, &mut edges);
    edges.sort_unstable();
    merge(values, edges, limits)
}

/// Splits what begins at `first` where it is least likely to be chance, and both sides again.
fn split(values: &[f64], first: usize, limits: &Limits, edges: &mut Vec<usize>) {
    let looks = intervals(values.len(), limits.runs).into_iter();
    let found = looks.filter_map(|(begin, end)| {
        let (at, p) = likeliest(&values[begin..end], limits.runs)?;
        // A short look could have been at so many other places.
        let elsewhere = values.len() as f64 / (end - begin) as f64;
        Some((begin + at, p * elsewhere))
    });
    let Some((at, p)) = found.min_by(|one, other| one.1.total_cmp(&other.1)) else {
        return;
    };
    if p < limits.p {
        edges.push(first + at);
        split(&values[..at], first, limits, edges);
        split(&values[at..], first + at, limits, edges);
    }
}

/// Where to look: at the whole, and at ever shorter parts that overlap by half. A level that goes up and comes back
/// is no difference between two sides of the whole, and a clear one within some part (Kovács et al., *Seeded binary
/// segmentation*, Biometrika 110 (2023)).
fn intervals(n: usize, runs: usize) -> Vec<(usize, usize)> {
    let shortest = (4 * runs.max(2)).max(SHORTEST);
    let mut all = vec![(0, n)];
    let mut length = n as f64 / std::f64::consts::SQRT_2;
    while length.ceil() as usize >= shortest {
        let size = length.ceil() as usize;
        let steps = (2.0 * (n - size) as f64 / length).ceil().max(1.0);
        let place = |step: usize| ((n - size) as f64 * step as f64 / steps).round() as usize;
        all.extend((0..=steps as usize).map(|step| (place(step), place(step) + size)));
        length /= std::f64::consts::SQRT_2;
    }
    all
}

/// Takes back, one at a time, the change that stands least between its neighbours.
fn merge(values: &[f64], mut edges: Vec<usize>, limits: &Limits) -> Vec<Change> {
    loop {
        let bounds: Vec<usize> = [0]
            .into_iter()
            .chain(edges.iter().copied())
            .chain([values.len()])
            .collect();
        let found: Vec<Change> = bounds
            .windows(3)
            .map(|three| stands(values, three[0], three[1], three[2], limits))
            .collect();
        let weakest = found
            .iter()
            .enumerate()
            .max_by(|one, other| one.1.p.total_cmp(&other.1.p));
        match weakest {
            Some((place, change)) if change.p >= limits.p => {
                edges.remove(place);
            }
            _ => return found,
        }
    }
}

/// A change between its neighbours; where it is too small to matter, its p-value is 1.
fn stands(values: &[f64], first: usize, at: usize, last: usize, limits: &Limits) -> Change {
    let (before, after) = (&values[first..at], &values[at..last]);
    let level = median(before);
    let is_large = (median(after) - level).abs() >= limits.by * level.abs();
    let ranks = doubled_ranks(&values[first..last]);
    Change {
        index: at,
        before: mean(before),
        after: mean(after),
        p: if is_large {
            surprise(&values[first..last], &ranks, at - first)
        } else {
            1.0
        },
    }
}

/// Where the two sides of a series differ most, and how surprising that is anywhere in it.
fn likeliest(values: &[f64], runs: usize) -> Option<(usize, f64)> {
    let runs = runs.max(2);
    if values.len() < 2 * runs {
        return None;
    }
    let ranks = doubled_ranks(values);
    let mut sum: usize = ranks[..runs - 1].iter().sum();
    let mut best: Option<(usize, f64)> = None;
    for at in runs..=values.len() - runs {
        sum += ranks[at - 1];
        let z = standardised(&ranks, at, sum).abs();
        if best.is_none_or(|(_, most)| z > most) {
            best = Some((at, z));
        }
    }
    let (at, _) = best?;
    Some((at, surprise(values, &ranks, at)))
}

/// The two-sided p-value of a split, for all places where it could have been.
fn surprise(values: &[f64], ranks: &[usize], at: usize) -> f64 {
    let sum = ranks[..at].iter().sum();
    let z = standardised(ranks, at, sum).abs();
    // What is left on both sides without their levels says how much runs depend on each other.
    let level = |side: &[f64]| {
        let centre = median(side);
        side.iter()
            .map(move |value| value - centre)
            .collect::<Vec<_>>()
    };
    let rest = [level(&values[..at]), level(&values[at..])].concat();
    let r = lag_one(&rest, 0.0);
    let (n, m) = (at as f64, (values.len() - at) as f64);
    let independent = 1.0 / n + 1.0 / m;
    let found = inflation(r, at) / n + inflation(r, values.len() - at) / m;
    let p = 2.0 * normal_upper(z * (independent / found).sqrt());
    (p * places(values.len())).min(1.0)
}

/// How many independent places a split could have been at: neighbouring ones say nearly the same, so that it grows
/// with the logarithm only, in which standardised sums are stationary (Darling and Erdős, Duke Math. J. 23 (1956)).
fn places(n: usize) -> f64 {
    (2.0 * (n as f64).ln()).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_series_have_no_change() {
        let steady: Vec<f64> = (0..200).map(|n| 100.0 + f64::from(n * 37 % 23)).collect();
        assert!(changes(&steady, &Limits::default()).is_empty());
        assert!(changes(&[5.0; 100], &Limits::default()).is_empty());
        assert!(changes(&[], &Limits::default()).is_empty());
        assert!(changes(&[1.0, 2.0, 3.0], &Limits::default()).is_empty());
    }

    #[test]
    fn a_level_that_rose_and_came_back_has_two_changes() {
        let series: Vec<f64> = (0..90)
            .map(|run| {
                f64::from(run * 7 % 11)
                    + if (30..60).contains(&run) {
                        112.0
                    } else {
                        100.0
                    }
            })
            .collect();
        let found = changes(&series, &Limits::default());
        let found: Vec<usize> = found.iter().map(|change| change.index).collect();
        assert_eq!(found, [30, 60]);
    }

    #[test]
    fn parts_cover_the_whole_at_each_length() {
        for n in [0, 1, 15, 16, 17, 60, 1000] {
            let all = intervals(n, 3);
            assert!(
                all.iter().all(|(begin, end)| begin <= end && *end <= n),
                "{n}"
            );
            let lengths: std::collections::BTreeSet<usize> =
                all.iter().map(|(begin, end)| end - begin).collect();
            for length in lengths {
                let parts: Vec<_> = all
                    .iter()
                    .filter(|(begin, end)| end - begin == length)
                    .collect();
                let reaches = parts
                    .windows(2)
                    .all(|pair| pair[1].0 <= pair[0].0 + length.div_ceil(2));
                assert!(
                    parts[0].0 == 0 && parts[parts.len() - 1].1 == n && reaches,
                    "{n} {length}"
                );
            }
        }
    }

    #[test]
    fn a_change_that_is_too_small_to_matter_is_taken_back() {
        let series: Vec<f64> = (0..80)
            .map(|n| f64::from(n * 7 % 11) * 0.1 + if n < 40 { 100.0 } else { 102.0 })
            .collect();
        assert!(changes(&series, &Limits::default()).is_empty());
        let limits = Limits {
            by: 0.01,
            ..Limits::default()
        };
        let found = changes(&series, &limits);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].index, 40);
        assert!((found[0].after - found[0].before - 2.0).abs() < 0.1 && found[0].p < 0.001);
    }

    #[test]
    fn what_only_wanders_has_no_change_of_level() {
        // Each value half of the one before and half new.
        let mut level = 0.0;
        let wandering: Vec<f64> = (0..200)
            .map(|n| {
                let new = (f64::from(n * n % 97) / 97.0 - 0.5) * 10.0;
                level = 0.5 * level + new;
                100.0 + level
            })
            .collect();
        assert!(changes(&wandering, &Limits::default()).is_empty());
    }
}
