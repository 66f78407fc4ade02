//! The clock: calibrated batches, medians, and two things that take turns. Knows nothing of DeeSpec.

use std::time::{Duration, Instant};

use crate::Result;

/// How thorough a run is. Its rows are the same; how many of a thing they measure is not.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Level {
    Full,
    /// A look, not a verdict.
    Quick,
    /// As little as still goes through every row: for the tests, which do not look at the figures.
    Suite,
}

impl Level {
    /// The choice for this level among three.
    pub(crate) fn choose<T>(self, full: T, quick: T, suite: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
            Self::Suite => suite,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.choose("full", "quick", "suite")
    }
}

/// How much time a measurement may take.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How often a measurement is repeated; the median counts.
    pub(crate) rounds: usize,
    /// How long one batch should run: far above the clock's resolution.
    pub(crate) batch: Duration,
}

impl Effort {
    pub(crate) fn new(level: Level) -> Self {
        Self {
            rounds: level.choose(21, 5, 1),
            batch: Duration::from_micros(level.choose(10_000, 2_000, 20)),
        }
    }
}

/// Two things measured in turns.
pub(crate) struct Pair {
    /// Nanoseconds of the first.
    pub(crate) ours: f64,
    /// Nanoseconds of the second.
    pub(crate) theirs: f64,
    /// The median of the rounds' own ratios, which a slow minute of the machine does not move.
    pub(crate) ratio: f64,
}

/// Nanoseconds per iteration. `work(n)` does the thing n times.
pub(crate) fn alone(effort: Effort, mut work: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let n = calibrate(effort.batch, &mut work)?;
    rounds(effort.rounds, || per_iteration(n, &mut work))
}

/// Nanoseconds per iteration of two things, in turns.
pub(crate) fn against(
    effort: Effort,
    mut ours: impl FnMut(u64) -> Result<()>,
    mut theirs: impl FnMut(u64) -> Result<()>,
) -> Result<Pair> {
    let our_n = calibrate(effort.batch, &mut ours)?;
    let their_n = calibrate(effort.batch, &mut theirs)?;
    turns(
        effort.rounds,
        || per_iteration(our_n, &mut ours),
        || per_iteration(their_n, &mut theirs),
    )
}

/// Two things that take their own time, in turns; who goes first changes each round.
pub(crate) fn turns(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Pair> {
    let (mut our_times, mut their_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let (our_time, their_time);
        if round % 2 == 0 {
            our_time = ours()?;
            their_time = theirs()?;
        } else {
            their_time = theirs()?;
            our_time = ours()?;
        }
        ratios.push(our_time / their_time);
        our_times.push(our_time);
        their_times.push(their_time);
    }
    Ok(Pair {
        ours: median(our_times),
        theirs: median(their_times),
        ratio: median(ratios),
    })
}

/// The median of something that takes its own time.
pub(crate) fn rounds(rounds: usize, mut work: impl FnMut() -> Result<f64>) -> Result<f64> {
    Ok(median(
        (0..rounds).map(|_| work()).collect::<Result<Vec<_>>>()?,
    ))
}

/// How many iterations fill a batch. The search itself warms caches and pages.
pub(crate) fn calibrate(batch: Duration, work: &mut impl FnMut(u64) -> Result<()>) -> Result<u64> {
    fill(batch, |n| {
        let start = Instant::now();
        work(n)?;
        Ok(start.elapsed())
    })
}

/// As [`calibrate`], with a clock of the caller's: `took(n)` runs n iterations and tells their time.
fn fill(batch: Duration, mut took: impl FnMut(u64) -> Result<Duration>) -> Result<u64> {
    let mut n = 1;
    loop {
        let took = took(n)?;
        if took >= batch {
            return Ok(n);
        }
        // A short run says little about a long one, so approach the goal by at most a factor 8.
        let missing = batch.as_secs_f64() / took.as_secs_f64().max(1e-9);
        n = (n as f64 * missing.clamp(1.1, 8.0)).ceil() as u64;
    }
}

/// Nanoseconds per iteration of one batch.
pub(crate) fn per_iteration(n: u64, work: &mut impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work(n)?;
    Ok(nanoseconds(start.elapsed()) / n as f64)
}

pub(crate) fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The middle value; of an even number the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// The value that so many percent of the values do not exceed.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        let of = |percent| percentile(&values, percent);
        assert_eq!([of(0), of(50), of(99), of(100)], [1.0, 100.0, 198.0, 200.0]);
        assert_eq!(percentile(&[7.0], 99), 7.0);
        assert!(percentile(&[], 50).is_nan());
    }

    #[test]
    fn a_median_ignores_order_and_outliers() {
        assert_eq!(median(vec![3.0, 1.0, 1000.0]), 3.0);
        assert_eq!(median(vec![4.0, 2.0]), 3.0);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        // The machine is ten times slower in the second round; the ratio does not notice.
        let mut ours = [2.0, 20.0, 2.0].into_iter();
        let mut theirs = [1.0, 10.0, 1.0].into_iter();
        let pair = turns(
            3,
            || Ok(ours.next().unwrap()),
            || Ok(theirs.next().unwrap()),
        )
        .unwrap();
        assert_eq!(pair.ratio, 2.0);
    }

    #[test]
    fn a_batch_is_filled_and_not_overfilled() {
        let mut runs = Vec::new();
        let n = fill(Duration::from_millis(1), |n| {
            runs.push(n);
            Ok(Duration::from_micros(10 * n))
        });
        assert_eq!(n.unwrap(), 100);
        assert_eq!(runs, [1, 8, 64, 100]);
    }

    #[test]
    fn work_that_the_clock_does_not_see_is_repeated_until_it_does() {
        let n = fill(Duration::from_nanos(100), |n| {
            Ok(Duration::from_nanos(n / 2))
        });
        assert!((200..=1600).contains(&n.unwrap()));
    }
}
