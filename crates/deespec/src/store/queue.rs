//! The readers of one process follow each other: they read one after the other anyway, and a crowd that holds the
//! shared lock meanwhile would keep a writer of another process out until the last of them is done.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// How often one who stands here looks whether he has waited long enough.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(super) struct Queue {
    is_taken: Mutex<bool>,
    left: Condvar,
}

impl Queue {
    /// Waits until nobody else is in; `false` where that took too long.
    pub(super) fn enter(&self, is_over: impl Fn() -> bool) -> bool {
        let mut is_taken = self.is_taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *is_taken {
            if is_over() {
                return false;
            }
            let waited = self.left.wait_timeout(is_taken, LOOK);
            is_taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *is_taken = true;
        true
    }

    /// In a forked child, whose parent was in, there is nothing to give back, and this does no harm.
    pub(super) fn leave(&self) {
        *self.is_taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_in_at_a_time_and_who_waits_too_long_is_not() {
        let queue = Queue::default();
        assert!(queue.enter(|| false));
        assert!(!queue.enter(|| true));
        std::thread::scope(|scope| {
            let next = scope.spawn(|| queue.enter(|| false));
            queue.leave();
            assert!(next.join().unwrap());
        });
        queue.leave();
    }
}
