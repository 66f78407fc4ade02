//! A few values as a line of blocks.

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Where no value is.
const GAP: char = '·';

/// The lowest value is the lowest block, the highest the highest; where all are the same there is no height to
/// show, and they stand half way.
pub(super) fn sparkline(values: &[f64]) -> String {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let lowest = finite().fold(f64::INFINITY, f64::min);
    let highest = finite().fold(f64::NEG_INFINITY, f64::max);
    // Halves, since the difference of the largest numbers is none.
    let range = highest / 2.0 - lowest / 2.0;
    let block = |value: f64| {
        if !value.is_finite() {
            return GAP;
        }
        if range <= 0.0 {
            return BLOCKS[3];
        }
        let share = (value / 2.0 - lowest / 2.0) / range;
        BLOCKS[((share * 8.0) as usize).min(7)]
    };
    values.iter().map(|value| block(*value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_block_for_each_value_and_a_dot_for_each_gap() {
        for (values, line) in [
            (&[][..], ""),
            (&[1.0, 2.0, 3.0], "▁▅█"),
            (&[0.0, f64::NAN, 7.0, f64::INFINITY], "▁·█·"),
            (&[5.0, 5.0, 5.0], "▄▄▄"),
            (&[0.0], "▄"),
            (&[f64::NAN], "·"),
            (&[-1e308, 1e308, 0.0], "▁█▅"),
            (&[f64::MIN, f64::MAX], "▁█"),
        ] {
            assert_eq!(sparkline(values), line, "{values:?}");
        }
    }
}
