//! What must hold of the statistics whatever the numbers are.

use proptest::prelude::*;

use super::changes::{self, changes};
use super::correlation::spearman;
use super::multiplicity::{benjamini_hochberg, holm};
use super::prediction::{Model, Prediction};
use super::proportion::{clopper_pearson, clopper_pearson_bounds, wilson};
use super::ranks::rank_sum;
use super::shift::{self, newest_either};
use super::trend::{mann_kendall, theil_sen};

/// P(X = k) of n, each with the probability p.
fn binomial(n: u64, k: u64, p: f64) -> f64 {
    let ways = (0..k).fold(1.0, |ways, one| ways * (n - one) as f64 / (one + 1) as f64);
    ways * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
}

/// How often the interval of what is counted holds the true share, all counts of n summed up.
#[test]
fn clopper_and_pearson_never_promise_too_much() {
    for n in [1, 2, 5, 10, 20, 40] {
        for step in 0..=50 {
            let p = f64::from(step) / 50.0;
            let holds = |k: &u64| {
                let (lower, upper) = clopper_pearson(*k, n, 0.9);
                (lower..=upper).contains(&p)
            };
            let covered: f64 = (0..=n).filter(holds).map(|k| binomial(n, k, p)).sum();
            assert!(covered >= 0.9 - 1e-9, "n {n}, p {p}: {covered}");
            let not_above = |k: &u64| clopper_pearson_bounds(*k, n, 0.95).1 >= p;
            let sure: f64 = (0..=n).filter(not_above).map(|k| binomial(n, k, p)).sum();
            assert!(sure >= 0.95 - 1e-9, "n {n}, p {p}: {sure}");
        }
    }
}

/// The sums of all choices, one by one.
fn counted_out(before: &[f64], after: &[f64]) -> f64 {
    let all: Vec<f64> = before.iter().chain(after).copied().collect();
    let ranks = super::ranks::doubled_ranks(&all);
    let wanted: usize = ranks[before.len()..].iter().sum();
    let (mut choices, mut as_large) = (0.0, 0.0);
    for choice in 0u32..1 << all.len() {
        if choice.count_ones() as usize == after.len() {
            let chosen = (0..all.len()).filter(|place| choice >> place & 1 == 1);
            let sum: usize = chosen.map(|place| ranks[place]).sum();
            choices += 1.0;
            as_large += f64::from(u8::from(sum >= wanted));
        }
    }
    as_large / choices
}

fn small() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0u8..7, 1..7)
        .prop_map(|values| values.into_iter().map(f64::from).collect())
}

fn series() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(90.0f64..110.0, 20..80)
}

proptest! {
    #[test]
    fn the_rank_sum_test_is_that_of_all_choices(before in small(), after in small()) {
        let p = rank_sum(&before, &after);
        prop_assert!((p - counted_out(&before, &after)).abs() < 1e-9);
        let grown = |values: &[f64]| values.iter().map(|value| value.exp()).collect::<Vec<_>>();
        prop_assert!((rank_sum(&grown(&before), &grown(&after)) - p).abs() < 1e-12);
    }

    #[test]
    fn the_bounds_of_a_share_hold_it_and_grow_with_it(n in 1u64..500, k in 0u64..500, confidence in 0.5f64..0.999) {
        let k = k % (n + 1);
        let point = k as f64 / n as f64;
        for interval in [clopper_pearson, wilson] {
            let (lower, upper) = interval(k, n, confidence);
            prop_assert!(0.0 <= lower && lower <= point + 1e-12 && point <= upper + 1e-12 && upper <= 1.0);
            if k < n {
                let more = interval(k + 1, n, confidence);
                prop_assert!(more.0 >= lower - 1e-12 && more.1 >= upper - 1e-12);
            }
        }
    }

    #[test]
    fn corrections_never_make_anything_more_surprising(p in prop::collection::vec(0.0f64..1.0, 1..40)) {
        let (holm, hochberg) = (holm(&p), benjamini_hochberg(&p));
        let least = (0..p.len()).min_by(|one, other| p[*one].total_cmp(&p[*other])).unwrap();
        prop_assert_eq!(holm[least], (p[least] * p.len() as f64).min(1.0));
        for one in 0..p.len() {
            prop_assert!(p[one] <= hochberg[one] + 1e-15 && hochberg[one] <= holm[one] + 1e-15 && holm[one] <= 1.0);
            for other in 0..p.len() {
                prop_assert!(p[one] > p[other] || holm[one] <= holm[other]);
            }
        }
    }

    #[test]
    fn a_quantile_is_where_its_tail_begins(values in prop::collection::vec(0.5f64..40.0, 4..60), p in 0.001f64..0.999) {
        for model in [Model::LogNormal, Model::Normal] {
            let expected = Prediction::of(model, &values, 0.02).unwrap();
            let tail = expected.lower_tail(expected.quantile(p));
            prop_assert!((tail - p).abs() < 1e-6, "{model:?} {tail} {p}");
        }
        let counts: Vec<f64> = values.iter().map(|value| value.floor()).collect();
        let expected = Prediction::of(Model::Poisson, &counts, 0.02).unwrap();
        let quantile = expected.quantile(p);
        prop_assert!(expected.lower_tail(quantile) >= p - 1e-9);
        prop_assert!(quantile == 0.0 || expected.lower_tail(quantile - 1.0) < p + 1e-9);
    }

    #[test]
    fn neither_place_nor_unit_matters(values in series(), add in 0.0f64..1000.0, times in 0.1f64..100.0) {
        let moved: Vec<f64> = values.iter().map(|value| (value + add) * times).collect();
        prop_assert!((theil_sen(&moved) - times * theil_sen(&values)).abs() < 1e-6 * times);
        prop_assert!((mann_kendall(&moved) - mann_kendall(&values)).abs() < 1e-9);
        let limits = changes::Limits { by: 0.0, p: 0.05, ..changes::Limits::default() };
        let indices = |values: &[f64]| changes(values, &limits).into_iter().map(|change| change.index).collect::<Vec<_>>();
        let found = indices(&values);
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(found.iter().all(|index| *index > 0 && *index < values.len()));
        prop_assert_eq!(found, indices(&moved));
    }

    #[test]
    fn a_rank_correlation_is_the_same_from_both_sides(pairs in prop::collection::vec((0.0f64..9.0, 0.0f64..9.0), 3..50)) {
        let (one, other): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        if let (Some((rho, p)), Some((turned, same))) = (spearman(&one, &other), spearman(&other, &one)) {
            prop_assert!((-1.0 - 1e-12..=1.0 + 1e-12).contains(&rho) && (0.0..=1.0).contains(&p));
            prop_assert!((rho - turned).abs() < 1e-12 && (p - same).abs() < 1e-9);
        }
    }

    #[test]
    fn what_does_not_move_has_not_shifted(value in -1e6f64..1e6, runs in 0usize..90) {
        let constant = vec![value; runs];
        prop_assert_eq!(newest_either(&constant, &shift::Limits::default()), (None, None));
        prop_assert!(changes(&constant, &changes::Limits::default()).is_empty());
    }
}
