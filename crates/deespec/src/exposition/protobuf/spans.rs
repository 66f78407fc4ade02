//! The buckets of a native histogram as protobuf has them: spans of indices that have a count, and
//! each count as its difference to the one before.

/// One side of a histogram, ready to be written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Side {
    /// How many indices lie between a span and the one before, or before the first one the index
    /// at which it begins; and its length.
    pub(super) spans: Vec<(i32, u32)>,
    pub(super) deltas: Vec<i64>,
}

/// Empty buckets in a row that do not end a span: they take no more bytes than another span would.
const GAP: i32 = 2;

impl Side {
    /// From all buckets that have a count, with their indices, which must ascend.
    pub(super) fn new(buckets: impl Iterator<Item = (i32, u64)>) -> Self {
        let mut side = Self::default();
        let mut next = 0;
        let mut before = 0;
        for (index, count) in buckets.filter(|(_, count)| *count > 0) {
            let gap = index - next;
            match side.spans.last_mut() {
                Some((_, length)) if gap <= GAP => {
                    *length += gap.unsigned_abs() + 1;
                    let empty = (0..gap).map(|_| 0);
                    side.deltas
                        .extend(deltas(&mut before, empty.chain([count])));
                }
                Some(_) | None => {
                    side.spans.push((gap, 1));
                    side.deltas.extend(deltas(&mut before, [count]));
                }
            }
            next = index + 1;
        }
        side
    }
}

/// The difference of each count to the one before.
fn deltas(before: &mut u64, counts: impl IntoIterator<Item = u64>) -> impl Iterator<Item = i64> {
    counts.into_iter().map(|count| {
        // As cells do, counts wrap, and the reader's addition wraps back.
        let delta = count.wrapping_sub(*before).cast_signed();
        *before = count;
        delta
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_gaps_are_filled_and_large_ones_begin_a_span() {
        let side = |buckets: &[(i32, u64)]| Side::new(buckets.iter().copied());
        assert_eq!(side(&[]), Side::default());
        assert_eq!(side(&[(3, 0)]), Side::default());
        assert_eq!(
            side(&[(-5, 2), (-4, 7), (-1, 1), (0, 0), (3, 4), (1025, 1)]),
            Side {
                spans: vec![(-5, 5), (3, 1), (1021, 1)],
                deltas: vec![2, 5, -7, 0, 1, 3, -3],
            }
        );
    }
}
