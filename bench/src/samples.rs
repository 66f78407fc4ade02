//! What is counted: the same labels and values for DeeSpec and for every peer.

/// The values of a label `queue`.
pub(crate) const QUEUES: [&str; 6] = ["mail", "print", "index", "resize", "bill", "report"];
/// The values of a label `outcome`.
pub(crate) const OUTCOMES: [&str; 3] = ["done", "failed", "retried"];

/// The bounds of a classic histogram: the default of Prometheus' own clients.
pub(crate) const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How many values there are; a power of two, so that finding the next one costs nothing.
const VALUES: usize = 1024;

/// So many label sets, queue and outcome, in an endless round of all eighteen.
pub(crate) fn labels(n: u64) -> impl Iterator<Item = (usize, usize)> {
    LABELS.iter().copied().cycle().take(n as usize)
}

static LABELS: [(usize, usize); QUEUES.len() * OUTCOMES.len()] = {
    let mut all = [(0, 0); QUEUES.len() * OUTCOMES.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = (index % QUEUES.len(), index / QUEUES.len());
        index += 1;
    }
    all
};

/// Seconds between 1 ms and 10 s, evenly over the orders of magnitude and in no order: more of them
/// than a branch predictor can learn.
pub(crate) struct Values([f64; VALUES]);

impl Values {
    pub(crate) fn new() -> Self {
        // Multiples of the golden ratio, of which only the fraction counts.
        let fraction = |index: usize| (index as f64 * 0.618_033_988_749_894_9).fract();
        Self(std::array::from_fn(|index| {
            1e-3 * 10_f64.powf(4.0 * fraction(index))
        }))
    }

    /// So many values, in an endless round.
    pub(crate) fn take(&self, n: u64) -> impl Iterator<Item = f64> {
        (0..n as usize).map(|index| self.0[index % VALUES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_sets_are_all_there_and_all_different() {
        let mut sets: Vec<_> = labels(18).collect();
        sets.sort_unstable();
        sets.dedup();
        assert_eq!(sets.len(), QUEUES.len() * OUTCOMES.len());
        assert_eq!(labels(19).last(), labels(1).last());
    }

    #[test]
    fn values_fill_every_bucket_of_their_range() {
        let values = Values::new();
        let below = |bound: f64| values.take(VALUES as u64).filter(|v| *v <= bound).count();
        let counts: Vec<_> = BOUNDS.iter().map(|bound| below(*bound)).collect();
        assert!(
            counts.windows(2).all(|two| two[0] + 50 < two[1]),
            "{counts:?}"
        );
        assert_eq!(counts.last(), Some(&VALUES));
    }
}
