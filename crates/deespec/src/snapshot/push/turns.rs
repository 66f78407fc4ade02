//! Which of the pushes that wait are counted next, together: the oldest, but for a large one, which is counted alone and lets
//! those that wait behind it go before the next large one.

use super::Request;

/// Most pushes that share a line.
const GROUP_MAX: usize = 128;
/// Most series that they have together. A push that has more is a large one.
const GROUP_SERIES: usize = 2048;

/// Pushes that wait, each with its ticket, the oldest first.
#[derive(Default)]
pub(super) struct Waiting {
    pushes: Vec<(u64, Request)>,
    /// The last group was a large one.
    after_large: bool,
}

impl Waiting {
    pub(super) fn add(&mut self, ticket: u64, push: Request) {
        self.pushes.push((ticket, push));
    }

    /// Takes those out that are counted next.
    pub(super) fn next(&mut self) -> Vec<(u64, Request)> {
        let is_large = |push: &Request| push.amounts.len() > GROUP_SERIES;
        let any_small = self.pushes.iter().any(|(_, push)| !is_large(push));
        let oldest = self.pushes.first();
        let large = oldest.is_some_and(|(_, push)| is_large(push));
        if large && (!self.after_large || !any_small) {
            self.after_large = true;
            return self.pushes.drain(..1).collect();
        }
        self.after_large = false;
        let (mut group, mut left) = (Vec::new(), Vec::new());
        let (mut series, mut is_full) = (0, false);
        for (ticket, push) in self.pushes.drain(..) {
            // Numbers of one writer that change places would refuse each other.
            let follows = |(_, other): &(u64, Request)| other.push.writer == push.push.writer;
            let stays = is_full || is_large(&push) || left.iter().any(follows);
            is_full |= !stays && series + push.amounts.len() > GROUP_SERIES;
            if stays || is_full {
                left.push((ticket, push));
            } else {
                series += push.amounts.len();
                group.push((ticket, push));
                is_full = group.len() == GROUP_MAX;
            }
        }
        self.pushes = left;
        // Every small one may follow a large one of its writer.
        if group.is_empty() && !self.pushes.is_empty() {
            self.after_large = true;
            return self.pushes.drain(..1).collect();
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::super::journal::Numbered;
    use super::*;
    use crate::metric::{LabelSet, Value};
    use crate::store::Amount;

    fn push(writer: &str, series: usize) -> Request {
        let amount = Amount {
            name: "a".to_owned(),
            labels: LabelSet::default(),
            value: Value::Counter(1),
        };
        Request {
            push: Numbered {
                writer: writer.to_owned(),
                sequence: 1,
                digest: String::new(),
            },
            families: Vec::new(),
            amounts: vec![amount; series],
            noted: Vec::new(),
            created: Vec::new(),
        }
    }

    /// The groups in which these are counted, by their places.
    fn groups(pushes: &[(&str, usize)]) -> Vec<Vec<u64>> {
        let mut waiting = Waiting::default();
        for (ticket, (writer, series)) in (0..).zip(pushes) {
            waiting.add(ticket, push(writer, *series));
        }
        let next = || Some(waiting.next()).filter(|group| !group.is_empty());
        let groups = std::iter::from_fn(next);
        groups
            .map(|group| group.into_iter().map(|(ticket, _)| ticket).collect())
            .collect()
    }

    #[test]
    fn a_large_push_is_alone_and_those_behind_it_wait_for_one_of_them_at_most() {
        const LARGE: usize = GROUP_SERIES + 1;
        let of = [("a", 1), ("L", LARGE), ("b", 1), ("c", 1)];
        assert_eq!(groups(&of), [vec![0, 2, 3], vec![1]]);
        let of = [("L", LARGE), ("M", LARGE), ("b", 1), ("N", LARGE), ("c", 1)];
        assert_eq!(groups(&of), [vec![0], vec![2, 4], vec![1], vec![3]]);
        let of = [("L", LARGE), ("M", LARGE)];
        assert_eq!(groups(&of), [[0], [1]]);
    }

    #[test]
    fn pushes_of_a_writer_keep_their_order() {
        const LARGE: usize = GROUP_SERIES + 1;
        let of = [("a", 1), ("L", LARGE), ("L", 1), ("b", 1), ("L", 1)];
        assert_eq!(groups(&of), [vec![0, 3], vec![1], vec![2, 4]]);
        let of = [("L", LARGE), ("L", LARGE), ("L", 1), ("b", 1)];
        assert_eq!(groups(&of), [vec![0], vec![3], vec![1], vec![2]]);
        let of = [("L", LARGE), ("L", LARGE), ("L", 1)];
        assert_eq!(groups(&of), [[0], [1], [2]]);
    }

    #[test]
    fn a_group_has_so_many_pushes_and_series_at_most() {
        let many = vec![("a", 1); GROUP_MAX + 2];
        let of: Vec<usize> = groups(&many).iter().map(Vec::len).collect();
        assert_eq!(of, [GROUP_MAX, 2]);
        let of = [("a", GROUP_SERIES - 1), ("b", 1), ("c", 1), ("d", 1)];
        assert_eq!(groups(&of), [vec![0, 1], vec![2, 3]]);
        let of = [("a", GROUP_SERIES), ("b", GROUP_SERIES), ("c", 0)];
        assert_eq!(groups(&of), [vec![0], vec![1, 2]]);
    }
}
