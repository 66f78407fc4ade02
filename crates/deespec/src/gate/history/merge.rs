//! Several histories as one: the union of their lines, in an order that does not depend on which came first.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

use jiff::Timestamp;

use super::HistoryError;
use super::parse::lines;

/// The lines of several histories, each once. They are in the order of their times. Among lines of one time, and
/// those without one, what stood before another in a file stands before it still; where no file says, a name decides,
/// 9 before 10. So it does not matter in which order the files are given, or whether one is given twice. A line is
/// written as it was read, with whatever keys it has.
///
/// ```
/// use deespec::gate::merge;
/// use std::path::Path;
///
/// let one = ("{\"run\":1,\"value\":2}\n{\"run\":3,\"value\":2}\n", Path::new("one.jsonl"));
/// let other = ("{\"run\":2,\"value\":2}\n{\"run\":3,\"value\":2}\n", Path::new("other.jsonl"));
/// let merged = merge(&[one, other])?;
/// assert_eq!(merged.lines().count(), 3);
/// assert_eq!(merged, merge(&[other, one, other])?);
/// # Ok::<(), deespec::gate::HistoryError>(())
/// ```
///
/// # Errors
///
/// As `History::parse`.
pub fn merge(histories: &[(&str, &Path)]) -> Result<String, HistoryError> {
    let mut nodes: Vec<Node<'_>> = Vec::new();
    let mut places = HashMap::new();
    for (number, (text, path)) in histories.iter().enumerate() {
        let (mut lines, _) = lines(text, path)?;
        lines.sort_by_key(|line| line.at);
        let mut before: Option<usize> = None;
        for line in lines {
            let place = *places.entry(line.text).or_insert(nodes.len());
            if place == nodes.len() {
                nodes.push(Node {
                    key: Key {
                        at: line.at,
                        run: line.run().to_owned(),
                        text: line.text,
                    },
                    followers: Vec::new(),
                    waits_for: 0,
                    seen_in: None,
                });
            }
            // Where a file has a line twice, the first of them tells its place.
            if nodes[place].seen_in.replace(number) == Some(number) {
                continue;
            }
            // A time orders by itself; so only lines of one time tell each other's order.
            if let Some(before) = before
                && nodes[before].key.at == line.at
            {
                nodes[before].followers.push(place);
                nodes[place].waits_for += 1;
            }
            before = Some(place);
        }
    }
    Ok(ordered(&mut nodes))
}

struct Node<'a> {
    key: Key<'a>,
    followers: Vec<usize>,
    waits_for: usize,
    /// The last of the files that have it.
    seen_in: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key<'a> {
    at: Option<Timestamp>,
    run: String,
    text: &'a str,
}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let runs = || natural(&self.run, &other.run);
        let at = self.at.cmp(&other.at);
        at.then_with(runs).then_with(|| self.text.cmp(other.text))
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Takes the least of the lines that wait for no other, again and again.
fn ordered(nodes: &mut [Node<'_>]) -> String {
    let mut sorted: Vec<usize> = (0..nodes.len()).collect();
    sorted.sort_by(|&one, &other| nodes[one].key.cmp(&nodes[other].key));
    let mut ranks = vec![0; nodes.len()];
    for (rank, &place) in sorted.iter().enumerate() {
        ranks[place] = rank;
    }
    let free = sorted.iter().filter(|&&place| nodes[place].waits_for == 0);
    let mut free: BinaryHeap<Reverse<usize>> = free.map(|&place| Reverse(ranks[place])).collect();
    let mut is_written = vec![false; nodes.len()];
    let mut merged = String::new();
    let mut least = 0;
    for _ in 0..nodes.len() {
        // Two files that contradict each other leave lines that wait for themselves: then the least goes first.
        while sorted.get(least).is_some_and(|&place| is_written[place]) {
            least += 1;
        }
        let stuck = sorted.get(least).map(|&place| nodes[place].key.at);
        let next = loop {
            match free.peek() {
                Some(Reverse(rank)) if is_written[sorted[*rank]] => drop(free.pop()),
                // No line of a later time overtakes one that waits.
                Some(Reverse(rank)) if Some(nodes[sorted[*rank]].key.at) == stuck => {
                    break free.pop().map(|Reverse(rank)| sorted[rank]);
                }
                _ => break sorted.get(least).copied(),
            }
        };
        let Some(next) = next else { break };
        is_written[next] = true;
        merged.push_str(nodes[next].key.text);
        merged.push('\n');
        for follower in std::mem::take(&mut nodes[next].followers) {
            let waits = &mut nodes[follower].waits_for;
            *waits = waits.saturating_sub(1);
            if *waits == 0 {
                free.push(Reverse(ranks[follower]));
            }
        }
    }
    merged
}

/// Compares names as people do: digits in them by their number.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let digits =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let order = match (digits(one), digits(other)) {
            (0, 0) => {
                let (mut left, mut right) = (one.chars(), other.chars());
                let order = left.next().cmp(&right.next());
                if one.is_empty() || order.is_ne() {
                    return order;
                }
                (one, other) = (left.as_str(), right.as_str());
                continue;
            }
            (0, _) | (_, 0) => return one.cmp(other),
            (left, right) => {
                let number = |text: &str, digits| text[..digits].trim_start_matches('0').to_owned();
                let (left, right) = (number(one, left), number(other, right));
                left.len().cmp(&right.len()).then(left.cmp(&right))
            }
        };
        if order.is_ne() {
            return order;
        }
        one = &one[digits(one)..];
        other = &other[digits(other)..];
    }
}
