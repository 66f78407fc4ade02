//! Ranks, and the rank-sum test of Wilcoxon, Mann and Whitney.
//!
//! Source: Hollander, Wolfe, Chicken, *Nonparametric Statistical Methods*, 3rd edition, section 4.1; for ties the
//! exact distribution is that of all ways to choose as many of the midranks.

use super::normal_upper;

/// Up to so many values in both samples together the distribution is counted out; beyond it the normal
/// distribution is near enough.
const EXACT: usize = 80;

/// The rank of each value, doubled so that the midranks of equal values are whole: 2 for the smallest.
///
/// ```
/// # use deespec::gate::statistics::ranks::doubled_ranks;
/// assert_eq!(doubled_ranks(&[0.5, 9.0, 0.5]), [3, 6, 3]);
/// ```
pub fn doubled_ranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&one, &other| values[one].total_cmp(&values[other]));
    let mut ranks = vec![0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let same = |&&next: &&usize| values[next] == values[order[first]];
        // NaN equals nothing, not even itself.
        let equal = order[first..].iter().take_while(same).count().max(1);
        let last = first + equal - 1;
        for &place in &order[first..=last] {
            ranks[place] = first + last + 2;
        }
        first = last + 1;
    }
    ranks
}

/// How surprising it is that the values after are as large as they are, if they are of the same kind as those
/// before: the one-sided p-value of the rank-sum test, exact in small samples.
///
/// 1 where one of the two is empty.
///
/// ```
/// # use deespec::gate::statistics::ranks::rank_sum;
/// // The three largest of eight: one of 56 choices.
/// let p = rank_sum(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0]);
/// assert!((p - 1.0 / 56.0).abs() < 1e-12);
/// ```
pub fn rank_sum(before: &[f64], after: &[f64]) -> f64 {
    let all: Vec<f64> = before.iter().chain(after).copied().collect();
    let ranks = doubled_ranks(&all);
    let sum: usize = ranks[before.len()..].iter().sum();
    if before.is_empty() || after.is_empty() {
        1.0
    } else if all.len() <= EXACT {
        exact(ranks, after.len(), sum)
    } else {
        normal_upper(standardised(&ranks, after.len(), sum))
    }
}

/// The share of all choices of `chosen` ranks whose sum is at least this one.
fn exact(ranks: Vec<usize>, chosen: usize, sum: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    let lowest = ranks.iter().copied().min().unwrap_or_default();
    let highest = ranks.iter().copied().max().unwrap_or_default();
    // Of the smaller sample there are fewer sums; what one sample has more the other has less. Counted from the end
    // that is nearer, a surprising sum is a small one, and there are few ways to it.
    let (chosen, bound, mut steps) = match 2 * chosen <= ranks.len() {
        true => {
            let steps: Vec<usize> = ranks.iter().map(|rank| highest - rank).collect();
            (chosen, (chosen * highest).checked_sub(sum), steps)
        }
        false => {
            let others = ranks.len() - chosen;
            let steps = ranks.iter().map(|rank| rank - lowest).collect();
            (others, (total - sum).checked_sub(others * lowest), steps)
        }
    };
    let Some(mut bound) = bound else {
        return 0.0;
    };
    // Without ties all doubled ranks are even.
    if steps.iter().all(|step| step % 2 == 0) {
        steps.iter_mut().for_each(|step| *step /= 2);
        bound /= 2;
    }
    let all = (0..chosen).fold(1.0, |ways, one| {
        ways * (ranks.len() - one) as f64 / (one + 1) as f64
    });
    // How many ways there are to choose k of them with each sum up to the bound.
    let mut ways = vec![vec![0.0_f64; bound + 1]; chosen + 1];
    ways[0][0] = 1.0;
    let reachable = steps.into_iter().filter(|step| *step <= bound);
    for (seen, step) in reachable.enumerate() {
        for k in (1..=chosen.min(seen + 1)).rev() {
            let (fewer, more) = ways.split_at_mut(k);
            for (way, before) in more[0][step..].iter_mut().zip(&fewer[k - 1]) {
                *way += before;
            }
        }
    }
    (ways[chosen].iter().sum::<f64>() / all).min(1.0)
}

/// The rank sum less its mean, in standard deviations, with the correction for ties and for continuity.
pub(crate) fn standardised(ranks: &[usize], chosen: usize, sum: usize) -> f64 {
    let (n, m) = ((ranks.len() - chosen) as f64, chosen as f64);
    let all = n + m;
    let centre = all + 1.0;
    // Of the doubled ranks, drawn without putting back.
    let squares: f64 = ranks
        .iter()
        .map(|&rank| (rank as f64 - centre).powi(2))
        .sum();
    let variance = m * n / (all * (all - 1.0)) * squares;
    if variance <= 0.0 {
        return 0.0;
    }
    let off = sum as f64 - m * centre;
    let continuous = off.abs() - 1.0;
    continuous.max(0.0).copysign(off) / variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.mannwhitneyu(after, before, alternative="greater", method="exact").pvalue`, SciPy 1.16.
    #[test]
    fn exact_tails_are_those_of_scipy() {
        let before = [1.83, 0.5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3];
        let after = [0.878, 0.647, 2.59, 2.05, 3.2, 3.16, 1.29];
        assert!((rank_sum(&before, &after) - 0.340_297_202_797_202_8).abs() < 1e-12);
        assert!((rank_sum(&after, &before) - 0.696_765_734_265_734_2).abs() < 1e-12);
    }

    #[test]
    fn equal_values_say_nothing() {
        assert_eq!(rank_sum(&[4.0; 12], &[4.0; 3]), 1.0);
        assert_eq!(rank_sum(&[], &[4.0; 3]), 1.0);
    }

    /// Every choice of three of nine ranks with ties, counted one by one.
    #[test]
    fn ties_are_counted_out() {
        let all = [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0];
        let ranks = doubled_ranks(&all);
        let after = [2.0, 3.0, 4.0];
        let before = [1.0, 1.0, 2.0, 2.0, 3.0, 4.0];
        let sum = ranks[4] + ranks[6] + ranks[8];
        let (mut found, mut ways) = (0, 0);
        for a in 0..9 {
            for b in a + 1..9 {
                for c in b + 1..9 {
                    ways += 1;
                    found += usize::from(ranks[a] + ranks[b] + ranks[c] >= sum);
                }
            }
        }
        let expected = f64::from(found as u32) / f64::from(ways as u32);
        assert!((rank_sum(&before, &after) - expected).abs() < 1e-12);
    }

    #[test]
    fn the_normal_tail_takes_over_where_the_exact_one_ends() {
        let before: Vec<f64> = (0..60).map(|n| f64::from(n * 37 % 101)).collect();
        let after: Vec<f64> = (0..20).map(|n| f64::from(n * 53 % 101) + 14.0).collect();
        let ranks = doubled_ranks(&[before.clone(), after.clone()].concat());
        let sum = ranks[60..].iter().sum();
        let near = normal_upper(standardised(&ranks, 20, sum));
        let exact = rank_sum(&before, &after);
        assert!((near / exact - 1.0).abs() < 0.03, "{near} {exact}");
    }
}
