//! How long it takes until a change has been read by a hundred clients. The clock starts before the
//! increment and stops when a client has the whole message; what it waits for is the server, this machine's
//! network, and the clients themselves, which share the cores with both. The least that could tell as many
//! clients as often takes turns with it, for clients of the same kind.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::followers::{Followers, MARKER, Seen};
use super::watcher::Watcher;
use super::{CLIENTS, Stand};
use crate::Result;
use crate::measure::{Pair, median, nanoseconds, percentile};
use crate::place::Bench;
use crate::rows::names;
use crate::table::{HowMany, Line};

/// How many times the bare watcher, in 99 of 100 cases: most of both is the wait until somebody looks.
const AT_MOST: f64 = 2.0;
/// The pauses between two changes, which hit each moment between two looks of the server alike.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(90));

/// How many series change at once.
const AT_ONCE: [usize; 2] = [1, 100];
/// Which of the sorted delays are told, and how.
const DELAYS: [(usize, &str); 3] = [(50, "p50"), (99, "p99"), (100, "the latest")];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let stand = Stand::new(bench)?;
    let marker = stand.store.counter(MARKER)?;
    let (rounds, changes) = bench.level.choose((4, 50), (2, 20), (1, 2));
    let mut lines = Vec::new();
    for at_once in AT_ONCE {
        let others = names(at_once - 1);
        let others = others.iter().map(|[family, shard]| {
            let labels = [("shard", shard.as_str())];
            stand.store.counter_with(family, &labels)
        });
        let others = others.collect::<std::result::Result<Vec<_>, _>>()?;
        let mut measured = Measured::default();
        for _ in 0..rounds {
            let before = stand.store.view()?.value(MARKER, &[]);
            let before = before.ok_or("the marker is not in the view")?;
            let ours = delays(stand.server.address, before, changes, || {
                others.iter().for_each(deespec::Counter::inc);
                // Last, so that whoever sees it has seen the others.
                marker.inc();
            })?;
            let bare = Watcher::start(CLIENTS, at_once)?;
            let theirs = delays(bare.address, 0, changes, || {
                bare.marker.fetch_add(1, Ordering::AcqRel);
            })?;
            measured.add(ours, theirs);
        }
        for (percent, which) in DELAYS {
            let what =
                format!("a change of {at_once} series is read by {CLIENTS} clients: {which}");
            let pair = measured.pair(percent);
            let theirs = "a thread that looks as often and sends as much";
            let line = if percent == 99 {
                Line::pair(what, theirs, &pair, AT_MOST)
            } else {
                Line::control_pair(what, theirs, &pair)
            };
            lines.push(line.of(HowMany::of(bench.served(), "series")));
        }
    }
    Ok(lines)
}

/// The delays of all rounds, and the ratio of each.
#[derive(Default)]
struct Measured {
    ours: Vec<f64>,
    theirs: Vec<f64>,
    ratios: [Vec<f64>; DELAYS.len()],
}

impl Measured {
    /// A round, each side sorted.
    fn add(&mut self, ours: Vec<f64>, theirs: Vec<f64>) {
        for (ratios, (percent, _)) in self.ratios.iter_mut().zip(DELAYS) {
            ratios.push(percentile(&ours, percent) / percentile(&theirs, percent));
        }
        for (all, more) in [(&mut self.ours, ours), (&mut self.theirs, theirs)] {
            all.extend(more);
            all.sort_by(f64::total_cmp);
        }
    }

    fn pair(&self, percent: usize) -> Pair {
        let index = DELAYS.iter().position(|(other, _)| *other == percent);
        let ratios = index.and_then(|index| self.ratios.get(index));
        Pair {
            ours: percentile(&self.ours, percent),
            theirs: percentile(&self.theirs, percent),
            ratio: median(ratios.cloned().unwrap_or_default()),
        }
    }
}

/// How long each of so many changes took to each client, sorted. The marker had the value `before`.
fn delays(server: SocketAddr, before: u64, changes: usize, change: impl Fn()) -> Result<Vec<f64>> {
    let followers = Followers::of(server, CLIENTS)?;
    let mut begun = Vec::new();
    for index in 0..changes {
        std::thread::sleep(pause(index));
        begun.push(Instant::now());
        change();
    }
    let mut delays = Vec::with_capacity(changes * CLIENTS);
    for seen in &followers.seen(before + changes as u64)? {
        delays.extend(delays_of(&begun, before, seen)?);
    }
    delays.sort_by(f64::total_cmp);
    Ok(delays)
}

/// Multiples of the golden ratio, of which only the fraction counts: spread evenly, and in no order.
fn pause(index: usize) -> Duration {
    let fraction = (index as f64 * 0.618_033_988_749_894_9).fract();
    PAUSES.0 + (PAUSES.1 - PAUSES.0).mul_f64(fraction)
}

/// How long each change took to one client: until the first message with its value of the marker, or with
/// a later one, since the server tells several changes at once.
fn delays_of(begun: &[Instant], before: u64, seen: &Seen) -> Result<Vec<f64>> {
    let mut messages = seen.iter().peekable();
    let mut delays = Vec::with_capacity(begun.len());
    for (begun, value) in begun.iter().zip(before + 1..) {
        while messages.next_if(|(_, seen)| *seen < value).is_some() {}
        let (at, _) = messages
            .peek()
            .ok_or_else(|| format!("a client never saw change {value}"))?;
        delays.push(nanoseconds(at.duration_since(*begun)));
    }
    Ok(delays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_with_the_first_message_that_has_it() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let begun = [at(0), at(5), at(20)];
        let seen = vec![(at(1), 10), (at(9), 12), (at(23), 13)];
        let delays = delays_of(&begun, 10, &seen).unwrap();
        assert_eq!(delays, [9e6, 4e6, 3e6]);
        assert!(delays_of(&begun, 11, &seen).is_err());
    }

    #[test]
    fn rounds_are_compared_one_by_one() {
        let mut measured = Measured::default();
        measured.add(vec![1.0, 2.0, 3.0], vec![1.0, 1.0, 1.0]);
        // A slow minute of the machine.
        measured.add(vec![10.0, 20.0, 30.0], vec![10.0, 10.0, 10.0]);
        assert_eq!(measured.pair(50).ratio, 2.0);
        assert_eq!(measured.pair(100).ratio, 3.0);
        assert_eq!(measured.pair(100).ours, 30.0);
    }

    #[test]
    fn pauses_are_spread_over_their_range() {
        let pauses: Vec<Duration> = (0..100).map(pause).collect();
        assert!(pauses.iter().all(|p| (PAUSES.0..PAUSES.1).contains(p)));
        let early = pauses.iter().filter(|p| **p < Duration::from_millis(50));
        assert!((45..=55).contains(&early.count()));
    }
}
