//! How long this process waits for the lock of a store: one deadline, however many operations need the lock until it
//! can be had again. Each of the steps of a command would otherwise wait as long as the first.

// No promise rests on these words, so the model checker need not follow them.
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is left, as a part of the whole, once the deadline is used up: a holder that is only busy gives the lock back
/// within that.
const REST: u32 = 50;

pub(super) struct Patience {
    most: Duration,
    /// Times are counted from here.
    born: Instant,
    /// Nanoseconds that were waited in vain since the lock was had the last time.
    lost: AtomicU64,
    /// Until when anybody waits, in nanoseconds since `born`.
    end: AtomicU64,
}

/// One wait.
pub(super) struct Waiting<'a> {
    patience: &'a Patience,
    begun: Instant,
    lost: Duration,
}

impl Patience {
    pub(super) fn new(most: Duration) -> Self {
        Self {
            most,
            born: Instant::now(),
            lost: AtomicU64::new(0),
            end: AtomicU64::new(u64::MAX),
        }
    }

    /// From now on nobody waits beyond this moment, nor does who waits already.
    pub(super) fn end_at(&self, end: Instant) {
        let end = end.saturating_duration_since(self.born);
        self.end.fetch_min(nanoseconds(end), Ordering::Relaxed);
    }

    pub(super) fn begin(&self) -> Waiting<'_> {
        Waiting {
            patience: self,
            begun: Instant::now(),
            lost: Duration::from_nanos(self.lost.load(Ordering::Relaxed)),
        }
    }
}

impl Waiting<'_> {
    pub(super) fn waited(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(super) fn is_over(&self) -> bool {
        let Patience {
            most, born, end, ..
        } = self.patience;
        let left = most.saturating_sub(self.lost).max(*most / REST);
        self.waited() >= left || nanoseconds(born.elapsed()) >= end.load(Ordering::Relaxed)
    }

    /// The lock was had.
    pub(super) fn succeed(self) {
        self.patience.lost.store(0, Ordering::Relaxed);
    }

    /// The lock was not had; gives how long it was waited for in all.
    pub(super) fn give_up(self) -> Duration {
        let lost = self.lost + self.waited();
        // Threads that waited side by side have not waited for twice as long.
        let known = self.patience.lost.load(Ordering::Relaxed);
        let lost = nanoseconds(lost).max(known);
        self.patience.lost.store(lost, Ordering::Relaxed);
        Duration::from_nanos(lost)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(waiting: &Waiting<'_>) {
        while !waiting.is_over() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_was_waited_in_vain_is_not_waited_again_until_the_lock_is_had() {
        let most = Duration::from_millis(50);
        let patience = Patience::new(most);
        let first = patience.begin();
        ends(&first);
        assert!(first.give_up() >= most);
        let second = patience.begin();
        assert!(second.lost >= most, "{:?}", second.lost);
        ends(&second);
        assert!(second.give_up() >= most + most / REST);
        patience.begin().succeed();
        assert_eq!(patience.begin().lost, Duration::ZERO);
    }

    #[test]
    fn who_waits_already_hears_that_the_end_has_come() {
        let patience = Patience::new(Duration::from_secs(3600));
        let waiting = patience.begin();
        assert!(!waiting.is_over());
        patience.end_at(Instant::now());
        ends(&waiting);
        assert!(patience.begin().is_over());
    }
}
