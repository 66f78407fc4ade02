//! How long it takes until a change has been read by a hundred clients. The clock starts before the
//! increment and stops when a client has the whole message; what it waits for is the server, this machine's
//! network, and the clients themselves, which share the cores with both.

use std::time::{Duration, Instant};

use super::followers::{Followers, MARKER, Seen};
use super::{CLIENTS, SERIES, Stand};
use crate::Result;
use crate::measure::{nanoseconds, percentile};
use crate::place::Bench;
use crate::rows::names;
use crate::table::Figure::Nanoseconds;
use crate::table::Line;

/// Nanoseconds until a change has been seen, in 99 of 100 cases.
const LIMIT: f64 = 100e6;
/// The pauses between two changes, which hit each moment between two looks of the server alike.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(90));

/// How many series change at once.
const AT_ONCE: [usize; 2] = [1, 100];

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let stand = Stand::new(bench)?;
    let changes = if bench.quick { 40 } else { 400 };
    let marker = stand.store.counter(MARKER)?;
    let mut lines = Vec::new();
    for at_once in AT_ONCE {
        let others = names(at_once - 1);
        let others = others.iter().map(|[family, shard]| {
            let labels = [("shard", shard.as_str())];
            stand.store.counter_with(family, &labels)
        });
        let others = others.collect::<std::result::Result<Vec<_>, _>>()?;
        let before = marker_now(&stand)?;
        let followers = Followers::of(&stand.server, CLIENTS)?;
        let mut begun = Vec::new();
        for index in 0..changes {
            std::thread::sleep(pause(index));
            begun.push(Instant::now());
            others.iter().for_each(deespec::Counter::inc);
            // Last, so that whoever sees it has seen the others.
            marker.inc();
        }
        let seen = followers.seen(before + changes as u64)?;
        let mut delays = Vec::with_capacity(changes * CLIENTS);
        for seen in &seen {
            delays.extend(delays_of(&begun, before, seen)?);
        }
        delays.sort_by(f64::total_cmp);
        let what = format!("a change of {at_once} of {SERIES} series is read by {CLIENTS} clients");
        let [median, most, worst] = [50, 99, 100].map(|percent| percentile(&delays, percent));
        lines.push(Line::alone(format!("{what}: p50"), Nanoseconds(median)));
        lines.push(Line::limit(
            format!("{what}: p99"),
            Nanoseconds(most),
            Nanoseconds(LIMIT),
        ));
        lines.push(Line::alone(
            format!("{what}: the latest"),
            Nanoseconds(worst),
        ));
    }
    Ok(lines)
}

fn marker_now(stand: &Stand) -> Result<u64> {
    let value = stand.store.view()?.value(MARKER, &[]);
    Ok(value.ok_or("the marker is not in the view")?)
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
    fn pauses_are_spread_over_their_range() {
        let pauses: Vec<Duration> = (0..100).map(pause).collect();
        assert!(pauses.iter().all(|p| (PAUSES.0..PAUSES.1).contains(p)));
        let early = pauses.iter().filter(|p| **p < Duration::from_millis(50));
        assert!((45..=55).contains(&early.count()));
    }
}
