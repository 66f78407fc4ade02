//! Which of many snapshots are shown.

/// The numbers of the moments that stay, ascending, at most `most` of them. Where there are more, those that
/// close an epoch stay, and of the others the last of each of equal stretches of time; the last of all always
/// does. `times` ascend.
pub(super) fn thin(times: &[(u64, bool)], most: usize) -> Vec<usize> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    if times.len() <= most {
        return (0..times.len()).collect();
    }
    let closing = times.iter().filter(|(_, closes)| *closes).count();
    // Where there are too many of those that close an epoch, they are what is thinned.
    let only_closing = closing >= most;
    let slots = match only_closing {
        // The last of all has a place of its own where it closes none.
        true => most.saturating_sub(usize::from(!last.1)),
        false => most - closing,
    };
    if slots == 0 {
        return (0..times.len()).rev().take(most.min(1)).collect();
    }
    let span = u128::from(last.0 - first.0) + 1;
    let slot = |ns: u64| u128::from(ns - first.0) * slots as u128 / span;
    let mut kept = Vec::new();
    for (index, (ns, closes)) in times.iter().enumerate() {
        let is_last = index + 1 == times.len();
        if only_closing && !closes && !is_last {
            continue;
        }
        let mut behind = times[index + 1..].iter();
        let next = match only_closing {
            true => behind.find(|(_, closes)| *closes),
            false => behind.next(),
        };
        let ends = next.is_none_or(|(next, _)| slot(*next) > slot(*ns));
        if is_last || ends || (*closes && !only_closing) {
            kept.push(index);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thinned(times: &[u64], closing: &[u64], most: usize) -> Vec<u64> {
        let times: Vec<(u64, bool)> = times.iter().map(|ns| (*ns, closing.contains(ns))).collect();
        thin(&times, most).iter().map(|at| times[*at].0).collect()
    }

    #[test]
    fn the_last_of_each_stretch_stays() {
        let all: Vec<u64> = (0..100).collect();
        assert_eq!(thinned(&all, &[], 100), all);
        assert_eq!(thinned(&all, &[], 4), [24, 49, 74, 99]);
        assert_eq!(thinned(&all, &[], 1), [99]);
        assert_eq!(thinned(&all, &[], 0), Vec::<u64>::new());
        assert_eq!(thinned(&[], &[], 3), Vec::<u64>::new());
        // A stretch without any has none.
        assert_eq!(thinned(&[0, 1, 2, 3, 99], &[], 4), [3, 99]);
        assert_eq!(thinned(&[5, 5, 5], &[], 2), [5]);
    }

    #[test]
    fn what_closes_an_epoch_stays_as_far_as_there_is_room() {
        let all: Vec<u64> = (0..100).collect();
        assert_eq!(thinned(&all, &[7, 8], 4), [7, 8, 49, 99]);
        assert_eq!(thinned(&all, &[7, 8, 60], 3), [8, 60, 99]);
        assert_eq!(thinned(&all, &[7, 8, 60], 1), [99]);
        assert_eq!(thinned(&all, &all, 4).len(), 4);
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_were_asked_for_and_the_last_is_among_them(
            mut times in proptest::collection::vec((0_u64..1000, any::<bool>()), 1..200),
            most in 1_usize..50,
        ) {
            times.sort_unstable();
            let kept = thin(&times, most);
            prop_assert!(kept.len() <= most);
            prop_assert!(kept.is_sorted());
            prop_assert_eq!(kept.last(), Some(&(times.len() - 1)));
            let closing = |at: &usize| times[*at].1;
            let all = (0..times.len()).filter(closing).count();
            if all < most {
                prop_assert_eq!(kept.iter().filter(|at| closing(at)).count(), all);
            }
        }
    }
}
