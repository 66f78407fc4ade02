//! Many who want the same at once get one answer, made once.
//!
//! Whoever asks gets an answer that was begun after he asked, so he sees what he has counted before. At most one answer is
//! being made and one more is waited for, however many ask, come and go; and it is made to its end although all of
//! them have gone.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use tokio::sync::watch;

use crate::error::Refusal;

/// What they wait for; `None` until it is there.
type Answer<T> = watch::Receiver<Option<Result<T, Refusal>>>;

/// One thing that is asked for.
pub(crate) struct Flight<T> {
    /// The answer that is not begun yet: whoever comes joins it.
    next: Arc<Mutex<Option<Answer<T>>>>,
    /// Held while one is made.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self {
            next: Arc::default(),
            turn: Arc::default(),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// The answer of `make`, or of somebody else's that is not begun yet.
    pub(crate) async fn ask<F>(&self, make: impl FnOnce() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let mut joined = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            next.get_or_insert_with(|| self.begin(make())).clone()
        };
        let answer = joined.wait_for(Option::is_some).await;
        let answer = answer.ok().and_then(|answer| answer.clone());
        answer.unwrap_or_else(|| {
            Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server ends",
            ))
        })
    }

    /// Makes an answer when it is its turn.
    fn begin(&self, make: impl Future<Output = Result<T, Refusal>> + Send + 'static) -> Answer<T> {
        let (tell, answer) = watch::channel(None);
        let (next, turn) = (Arc::clone(&self.next), Arc::clone(&self.turn));
        tokio::spawn(async move {
            let _turn = turn.lock().await;
            // From here on whoever comes is too late for this one.
            *next.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let made = make.await;
            let _ = tell.send(Some(made));
        });
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn all_who_wait_get_one_answer_that_was_begun_after_they_asked() {
        let flight = Arc::new(Flight::default());
        let made = Arc::new(AtomicUsize::new(0));
        let go = Arc::new(Semaphore::new(0));
        let ask = || {
            let (flight, made, go) = (Arc::clone(&flight), Arc::clone(&made), Arc::clone(&go));
            tokio::spawn(async move {
                let make = || async move {
                    let number = made.fetch_add(1, Ordering::SeqCst) + 1;
                    go.acquire().await.unwrap().forget();
                    Ok(number)
                };
                flight.ask(make).await.unwrap()
            })
        };
        let first = ask();
        while made.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let more: Vec<_> = (0..100).map(|_| ask()).collect();
        // All of them have asked before anything is answered.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        go.add_permits(2);
        assert_eq!(first.await.unwrap(), 1);
        for one in more {
            assert_eq!(one.await.unwrap(), 2);
        }
        assert_eq!(made.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn an_answer_that_nobody_waits_for_keeps_nobody_waiting() {
        let flight = Arc::new(Flight::default());
        let go = Arc::new(Semaphore::new(0));
        let gone = Arc::clone(&go);
        let abandoned = {
            let flight = Arc::clone(&flight);
            tokio::spawn(async move {
                let make = || async move {
                    gone.acquire().await.unwrap().forget();
                    Ok(1)
                };
                flight.ask(make).await
            })
        };
        tokio::task::yield_now().await;
        abandoned.abort();
        let _ = abandoned.await;
        go.add_permits(1);
        assert_eq!(flight.ask(|| async { Ok(2) }).await.unwrap(), 2);
    }
}
