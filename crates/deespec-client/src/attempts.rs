//! How often something is sent again, and until when. No clock of the machine has a say in it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// As long as a server may take for an answer, and a little more.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(35);

/// Attempts until a deadline, with pauses that grow.
#[derive(Debug, Clone)]
pub struct Attempts {
    begun: Instant,
    within: Duration,
    pause: Duration,
}

impl Attempts {
    /// Attempts from now on, for so long in all.
    #[must_use]
    pub fn within(within: Duration) -> Self {
        Self {
            begun: Instant::now(),
            within,
            pause: FIRST_PAUSE,
        }
    }

    /// How much of the time is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.within.saturating_sub(self.begun.elapsed())
    }

    /// How long the next attempt may take; `None` where there is no time for one.
    #[must_use]
    pub fn attempt(&self) -> Option<Duration> {
        let left = self.left();
        (!left.is_zero()).then(|| left.min(LONGEST_ATTEMPT))
    }

    /// How long to wait before the next attempt, where the other side may have said how long at least; `None` where
    /// the deadline passes meanwhile.
    pub fn pause(&mut self, asked: Option<Duration>) -> Option<Duration> {
        // Those whom one failure has met must not come back all at once.
        let part = 0.5 + (RandomState::new().hash_one(()) % 1024) as f64 / 2048.0;
        let pause = self.pause.mul_f64(part).max(asked.unwrap_or_default());
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        (pause < self.left()).then_some(pause)
    }

    /// What was answered shows that things go on: pauses are short again.
    pub fn succeeded(&mut self) {
        self.pause = FIRST_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_with_the_deadline() {
        let mut attempts = Attempts::within(Duration::from_secs(3600));
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let pause = attempts.pause(None).unwrap();
            assert!(pause >= FIRST_PAUSE / 2 && pause <= LONGEST_PAUSE);
            longest = longest.max(pause);
        }
        assert!(longest >= LONGEST_PAUSE / 2);
        assert_eq!(attempts.attempt(), Some(LONGEST_ATTEMPT));
        let asked = Duration::from_secs(60);
        assert!(attempts.pause(Some(asked)).unwrap() >= asked);
        assert_eq!(attempts.pause(Some(Duration::from_secs(4000))), None);
        let mut over = Attempts::within(Duration::ZERO);
        assert_eq!((over.attempt(), over.pause(None)), (None, None));
    }
}
