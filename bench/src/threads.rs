//! Two things in turns, each done by several threads at once: of the threads the slowest one counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::measure::{self, Effort, Pair};

/// Does a thing so many times; several threads may call it at once.
pub(crate) type Work<'a> = dyn Fn(u64) -> Result<()> + Sync + 'a;

/// How many threads are measured, and what a row says of them.
pub(crate) const HOWS: [(usize, &str); 2] = [(1, "1 thread"), (2, "2 threads at once, each")];

/// Why a row of several threads is skipped on a machine with one core.
pub(crate) const ONE_CORE: &str = "2 threads at once need two cores, this machine has one";

/// Nanoseconds per iteration of two things. `digest` is what the second does with each batch later,
/// outside its time.
pub(crate) fn turns(
    effort: Effort,
    threads: usize,
    ours: &Work<'_>,
    theirs: &Work<'_>,
    digest: &dyn Fn(),
) -> Result<Pair> {
    // The start of a thread is not the same moment as the other's; such a batch makes it negligible.
    let batch = effort.batch * threads as u32 * 2;
    let our_n = measure::calibrate(batch, &mut |n| ours(n))?;
    let their_n = measure::calibrate(batch, &mut |n| {
        theirs(n)?;
        digest();
        Ok(())
    })?;
    measure::turns(
        effort.rounds,
        || at_once(threads, our_n, ours),
        || {
            let time = at_once(threads, their_n, theirs);
            digest();
            time
        },
    )
}

/// Nanoseconds per iteration of the slowest thread.
fn at_once(threads: usize, n: u64, work: &Work<'_>) -> Result<f64> {
    let ready = AtomicUsize::new(0);
    let one = || -> std::result::Result<Duration, String> {
        // Whoever slept until the other is there would come late: all of them run when it begins.
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < threads {
            std::hint::spin_loop();
        }
        let begin = Instant::now();
        work(n).map_err(|error| error.to_string())?;
        Ok(begin.elapsed())
    };
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        for thread in running {
            let time = thread.join().map_err(|_| "a thread panicked")??;
            slowest = slowest.max(time);
        }
        Ok(())
    })?;
    Ok(measure::nanoseconds(slowest) / n as f64)
}
