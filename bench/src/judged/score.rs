//! How well something finds shifts.
//!
//! Run by run: an alarm before the shift is false, the first one from it on is the finding. Whole series: F1 with a
//! margin of 5 runs, and the segmentation cover, as van den Burg and Williams define them (arXiv 2003.06222): the
//! beginning counts as a change that everybody has marked, recall is the mean over the people.

use std::collections::BTreeSet;

use crate::Result;
use crate::series::{Annotated, Labelled};

/// Whether each run of a series raises an alarm.
pub(crate) type Online = fn(&[f64]) -> Vec<bool>;

pub(crate) struct OnlineScore {
    pub(crate) false_per_thousand: f64,
    pub(crate) within_5: f64,
    pub(crate) within_12: f64,
    pub(crate) median_delay: Option<usize>,
}

pub(crate) fn online<'a>(
    all: impl IntoIterator<Item = &'a Labelled>,
    detector: Online,
) -> OnlineScore {
    raised(all.into_iter().map(|one| (one, detector(&one.values))))
}

/// Of alarms that are known already.
pub(crate) fn raised<'a>(all: impl IntoIterator<Item = (&'a Labelled, Vec<bool>)>) -> OnlineScore {
    let (mut alarms, mut runs, mut delays, mut shifts) = (0, 0, Vec::new(), 0);
    for (one, raised) in all {
        let quiet = one.shift_at.unwrap_or(raised.len());
        runs += quiet;
        alarms += raised[..quiet].iter().filter(|alarm| **alarm).count();
        if one.shift_at.is_some() {
            shifts += 1;
            // One run after the shift is a delay of 1.
            delays.extend(
                raised[quiet..]
                    .iter()
                    .position(|alarm| *alarm)
                    .map(|delay| delay + 1),
            );
        }
    }
    delays.sort_unstable();
    let within = |most: usize| {
        delays.iter().filter(|delay| **delay <= most).count() as f64 / f64::from(shifts.max(1))
    };
    OnlineScore {
        false_per_thousand: 1000.0 * alarms as f64 / runs.max(1) as f64,
        within_5: within(5),
        within_12: within(12),
        median_delay: delays.get(delays.len() / 2).copied(),
    }
}

/// The mean F1 and the mean cover.
pub(crate) fn whole(
    all: &[Annotated],
    mut detector: impl FnMut(&Annotated) -> Result<Vec<usize>>,
) -> Result<(f64, f64)> {
    let (mut f1, mut cover) = (0.0, 0.0);
    for one in all {
        let found: BTreeSet<usize> = detector(one)?.into_iter().chain([0]).collect();
        f1 += f_measure(&one.marks, &found);
        let people = one.marks.len() as f64;
        cover += one
            .marks
            .iter()
            .map(|marks| covered(marks, &found, one.values.len()))
            .sum::<f64>()
            / people;
    }
    let n = all.len() as f64;
    Ok((f1 / n, cover / n))
}

const MARGIN: usize = 5;

/// How many marks have a finding of their own near them.
fn hits(marks: &BTreeSet<usize>, found: &BTreeSet<usize>) -> usize {
    let mut left = found.clone();
    let hit = |mark: &&usize| {
        let near = left
            .iter()
            .copied()
            .filter(|at| at.abs_diff(**mark) <= MARGIN)
            .min_by_key(|at| at.abs_diff(**mark));
        near.is_some_and(|at| left.remove(&at))
    };
    marks.iter().filter(hit).count()
}

fn f_measure(people: &[Vec<usize>], found: &BTreeSet<usize>) -> f64 {
    let with_beginning = |marks: &Vec<usize>| {
        marks
            .iter()
            .copied()
            .chain([0])
            .collect::<BTreeSet<usize>>()
    };
    let all: BTreeSet<usize> = people.iter().flat_map(with_beginning).collect();
    let precision = hits(&all, found) as f64 / found.len() as f64;
    let recalls = people.iter().map(|marks| {
        let marks = with_beginning(marks);
        hits(&marks, found) as f64 / marks.len() as f64
    });
    let recall = recalls.sum::<f64>() / people.len() as f64;
    2.0 * precision * recall / (precision + recall)
}

/// How well the segments that somebody marked are covered by those that were found.
fn covered(marks: &[usize], found: &BTreeSet<usize>, length: usize) -> f64 {
    let segments = |edges: BTreeSet<usize>| {
        let edges: Vec<usize> = edges
            .into_iter()
            .chain([0, length])
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        edges
            .windows(2)
            .map(|pair| (pair[0], pair[1]))
            .collect::<Vec<_>>()
    };
    let found = segments(found.clone());
    let best = |(first, last): (usize, usize)| {
        let likeness = found.iter().map(|(begin, end)| {
            let both = last.min(*end).saturating_sub(first.max(*begin)) as f64;
            both / (last.max(*end) - first.min(*begin)) as f64
        });
        (last - first) as f64 * likeness.fold(0.0, f64::max)
    };
    segments(marks.iter().copied().collect())
        .into_iter()
        .map(best)
        .sum::<f64>()
        / length as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exact_scores_1_and_nothing_scores_what_the_beginning_gives() {
        let all = [Annotated {
            values: vec![0.0; 100],
            marks: vec![vec![50], vec![50]],
        }];
        assert_eq!(whole(&all, |_| Ok(vec![50])).unwrap(), (1.0, 1.0));
        let (f1, cover) = whole(&all, |_| Ok(vec![])).unwrap();
        assert!((f1 - 2.0 / 3.0).abs() < 1e-12 && (cover - 0.5).abs() < 1e-12);
        assert_eq!(whole(&all, |_| Ok(vec![46])).unwrap().0, 1.0);
        assert!(whole(&all, |_| Ok(vec![44])).unwrap().0 < 1.0);
    }

    #[test]
    fn alarms_before_the_shift_are_false_and_the_first_after_it_counts() {
        let all = [Labelled {
            kind: String::new(),
            values: vec![0.0; 10],
            shift_at: Some(5),
        }];
        let found = online(&all, |_| (0..10).map(|run| run == 2 || run >= 7).collect());
        assert_eq!(
            (found.false_per_thousand, found.within_5, found.median_delay),
            (200.0, 1.0, Some(3))
        );
    }
}
