//! Values in order, to which one is added and from which one is taken at a time: what looks at many lengths of the
//! same runs need not sort each anew.

/// Finite values in ascending order.
#[derive(Debug, Clone, Default)]
pub(super) struct Sorted(Vec<f64>);

impl Sorted {
    pub(super) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Self(sorted)
    }

    pub(super) fn add(&mut self, value: f64) {
        let place = self.0.partition_point(|one| one.total_cmp(&value).is_lt());
        self.0.insert(place, value);
    }

    /// Takes out one that is equal, if there is one.
    pub(super) fn take(&mut self, value: f64) {
        let place = self.0.partition_point(|one| one.total_cmp(&value).is_lt());
        if self
            .0
            .get(place)
            .is_some_and(|found| found.total_cmp(&value).is_eq())
        {
            self.0.remove(place);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// NaN of nothing.
    pub(super) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        match self.0.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => self.0[middle],
            _ => f64::midpoint(self.0[middle - 1], self.0[middle]),
        }
    }

    /// By how many standard deviations the ranks of `after` are higher than by chance, with ties allowed for: near the
    /// exact test, and much sooner known.
    pub(super) fn rank_excess(&self, after: &Self) -> f64 {
        let (n, m) = (self.len() as f64, after.len() as f64);
        let all = n + m;
        let (mut one, mut other) = (0, 0);
        let mut pairs = 0.0;
        let mut ties = 0.0;
        while let Some(value) = smaller(self.0.get(one), after.0.get(other)) {
            let count = |values: &[f64]| values.iter().take_while(|next| **next == value).count();
            let (here, there) = (count(&self.0[one..]), count(&after.0[other..]));
            // Each value after counts those below it, and half of its equals.
            pairs += there as f64 * (one as f64 + here as f64 / 2.0);
            let tied = (here + there) as f64;
            ties += tied * tied * tied - tied;
            // A value that equals nothing, not even itself, would stay for ever.
            (one, other) = (
                one + here,
                other + there.max(usize::from(here + there == 0)),
            );
        }
        let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
        match variance > 0.0 {
            true => (pairs - n * m / 2.0) / variance.sqrt(),
            false => 0.0,
        }
    }
}

fn smaller(one: Option<&f64>, other: Option<&f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(*other)),
        (one, other) => one.or(other).copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::statistics::median;
    use crate::gate::statistics::ranks::{doubled_ranks, standardised};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn adding_and_taking_keeps_the_order(values in prop::collection::vec(-9i8..9, 1..40), cut in 0usize..40) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let cut = cut.min(values.len() - 1);
            let mut sorted = Sorted::of(&values[..cut]);
            values[cut..].iter().for_each(|value| sorted.add(*value));
            values[..cut].iter().for_each(|value| sorted.take(*value));
            prop_assert_eq!(sorted.len(), values.len() - cut);
            prop_assert_eq!(sorted.median(), median(&values[cut..]));
        }

        #[test]
        fn the_excess_is_that_of_the_ranks(before in prop::collection::vec(-9i8..9, 2..40), after in prop::collection::vec(-9i8..9, 1..12)) {
            let (before, after): (Vec<f64>, Vec<f64>) = (
                before.into_iter().map(f64::from).collect(),
                after.into_iter().map(f64::from).collect(),
            );
            let excess = Sorted::of(&before).rank_excess(&Sorted::of(&after));
            let ranks = doubled_ranks(&[before.clone(), after.clone()].concat());
            let sum = ranks[before.len()..].iter().sum();
            // The other one is drawn toward zero by one, for continuity.
            let continuous = standardised(&ranks, after.len(), sum);
            prop_assert!(excess.abs() >= continuous.abs() - 1e-9);
            prop_assert!((excess - continuous).abs() < 1.0, "{} {}", excess, continuous);
        }
    }
}
