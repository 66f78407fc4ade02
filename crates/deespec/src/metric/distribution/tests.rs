use proptest::prelude::*;

use super::*;

fn observed(buckets: Buckets, values: &[f64]) -> Distribution {
    let mut all = Distribution::empty(buckets);
    for value in values {
        all.counts[all.buckets.index_of(*value)] += 1;
        all.sum = Sum::Steps(all.steps().wrapping_add(all.buckets.to_steps(*value)));
    }
    all
}

fn layouts() -> impl Strategy<Value = Buckets> {
    prop_oneof![
        Just(Buckets::seconds()),
        Just(Buckets::native(0, 0.5, 8.0).unwrap()),
        Just(
            Buckets::native(5, 0.1, 50.0)
                .unwrap()
                .with_negative()
                .unwrap()
        ),
        Just(
            Buckets::native(-2, 0.1, 1e9)
                .unwrap()
                .with_negative()
                .unwrap()
        ),
        Just(Buckets::classic([-1.0, 0.0, 0.5, 3.0, 20.0]).unwrap()),
        Just(Buckets::classic([1.0]).unwrap()),
    ]
}

fn samples() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        (-64_i32..64).prop_map(|value| f64::from(value) / 8.0),
        0.0..100.0_f64,
        -100.0..100.0_f64,
        -1e-7..1e-7_f64,
        Just(1e9),
        Just(0.0),
    ];
    proptest::collection::vec(value, 1..60)
}

proptest! {
    #[test]
    fn the_true_quantile_is_between_the_bounds_of_the_answer(
        buckets in layouts(),
        mut sample in samples(),
        q in prop_oneof![0.0..=1.0_f64, (0_u32..=20).prop_map(|n| f64::from(n) / 20.0)],
    ) {
        let quantile = observed(buckets, &sample).quantile(q).unwrap();
        sample.sort_by(f64::total_cmp);
        let rank = (q * sample.len() as f64).ceil() as usize;
        let exact = sample[rank.max(1) - 1];
        prop_assert!(quantile.lower <= exact && exact <= quantile.upper, "{exact} {quantile:?}");
        prop_assert!(quantile.value.is_finite());
        prop_assert!(quantile.lower <= quantile.value && quantile.value <= quantile.upper);
        prop_assert!((quantile.value - exact).abs() <= quantile.error());
    }

    #[test]
    fn a_quantile_of_a_native_bucket_is_within_the_promised_relative_error(
        sample in proptest::collection::vec(1e-5..1e4_f64, 1..60),
        q in 0.0..=1.0_f64,
    ) {
        let mut sample = sample;
        let quantile = observed(Buckets::seconds(), &sample).quantile(q).unwrap();
        sample.sort_by(f64::total_cmp);
        let exact = sample[((q * sample.len() as f64).ceil() as usize).max(1) - 1];
        let base = 0.125_f64.exp2();
        prop_assert!((quantile.value / exact - 1.0).abs() <= (base - 1.0) * 1.000_001);
        let middle = (quantile.lower * quantile.upper).sqrt();
        prop_assert!((middle / exact - 1.0).abs() <= (base.sqrt() - 1.0) * 1.000_001);
    }

    #[test]
    fn quantiles_rise_with_q(buckets in layouts(), sample in samples()) {
        let all = observed(buckets, &sample);
        let values: Vec<f64> = (0..=50)
            .map(|n| all.quantile(f64::from(n) / 50.0).unwrap().value)
            .collect();
        prop_assert!(values.is_sorted(), "{values:?}");
    }

    #[test]
    fn a_distribution_reads_back_as_it_was_written(buckets in layouts(), sample in samples()) {
        let all = observed(buckets, &sample);
        let text = serde_json::to_string(&all).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Distribution>(&text).unwrap(), &all, "{}", text);
        let value = serde_json::to_value(&all).unwrap();
        prop_assert_eq!(serde_json::from_value::<Distribution>(value).unwrap(), all);
    }

    #[test]
    fn what_is_taken_away_comes_back(buckets in layouts(), one in samples(), other in samples()) {
        let both: Vec<f64> = one.iter().chain(&other).copied().collect();
        let (both, one, other) = (
            observed(buckets.clone(), &both),
            observed(buckets.clone(), &one),
            observed(buckets, &other),
        );
        prop_assert_eq!(one.plus(&other).unwrap(), both.clone());
        prop_assert_eq!(both.minus(&other).unwrap(), one.clone());
        // Too much taken away wraps, and comes back all the same.
        let wrapped = one.minus(&both).unwrap();
        prop_assert_eq!(wrapped.count(), (other.count()).wrapping_neg());
        prop_assert_eq!(wrapped.plus(&both).unwrap(), one);
    }

    #[test]
    fn any_counts_have_quantiles_without_a_panic(
        counts in proptest::collection::vec(any::<u64>(), 6),
        q in any::<f64>(),
        steps in any::<i64>(),
    ) {
        let buckets = Buckets::classic([-1.0, 0.0, 0.5, 3.0, 20.0]).unwrap();
        let all = Distribution::new(buckets, counts.into(), steps);
        let _ = (all.quantile(q), all.quantile(1.0), all.mean());
        let text = serde_json::to_string(&all).unwrap();
        let fits = all.counts().iter().try_fold(0, |sum: u64, one| sum.checked_add(*one));
        let read = serde_json::from_str::<Distribution>(&text);
        prop_assert_eq!(read.ok(), fits.map(|_| all));
    }
}

#[test]
fn count_sum_and_mean_are_those_of_the_sample() {
    let all = observed(Buckets::seconds(), &[0.1, 0.2, 0.3]);
    assert_eq!((all.count(), all.sum(), all.steps()), (3, 0.6, 600_000_000));
    assert_eq!(all.mean(), Some(0.6 / 3.0));
    assert_eq!(all.counts().len(), all.buckets().len());
    let full: Vec<Bucket> = all.iter().collect();
    assert_eq!(full.len(), 3);
    assert!(full.iter().all(|b| b.count == 1 && b.lower < b.upper));
    let none = Distribution::empty(Buckets::seconds());
    assert_eq!(
        (none.count(), none.mean(), none.quantile(0.5)),
        (0, None, None)
    );
    assert_eq!(none.iter().count(), 0);
}

#[test]
fn a_q_that_is_no_quantile_has_no_answer() {
    let all = observed(Buckets::seconds(), &[0.1]);
    for q in [-0.1, 1.0_f64.next_up(), f64::NAN, f64::INFINITY] {
        assert_eq!(all.quantile(q), None);
    }
}

#[test]
fn values_are_interpolated_as_prometheus_does() {
    let doublings = Buckets::native(0, 1.0, 8.0)
        .unwrap()
        .with_negative()
        .unwrap();
    let value = |values: &[f64], q| {
        observed(doublings.clone(), values)
            .quantile(q)
            .unwrap()
            .value
    };
    // Half-way through (2, 4] by the exponent.
    assert!((value(&[3.0, 3.0], 0.5) - 8.0_f64.sqrt()).abs() < 1e-12);
    assert_eq!(value(&[3.0, 3.0], 1.0), 4.0);
    assert!((value(&[-3.0, -3.0], 0.5) + 8.0_f64.sqrt()).abs() < 1e-12);
    // The zero bucket ends at 0 where nothing is beyond it.
    assert_eq!(value(&[0.1, 0.1, 3.0, 3.0], 0.25), 0.25);
    assert_eq!(value(&[-0.1, -0.1, -3.0, -3.0], 0.75), -0.25);
    assert_eq!(value(&[-3.0, 0.0, 0.0, 3.0], 0.5), 0.0);
    let classic = observed(Buckets::classic([1.0, 3.0]).unwrap(), &[2.0, 2.0, 2.0, 2.0]);
    assert_eq!(classic.quantile(0.25).unwrap().value, 1.5);
}

#[test]
fn a_bucket_without_a_bound_answers_with_its_other_bound() {
    let all = observed(Buckets::classic([1.0, 3.0]).unwrap(), &[0.5, 100.0]);
    let (low, high) = (all.quantile(0.0).unwrap(), all.quantile(1.0).unwrap());
    assert_eq!((low.value, low.lower), (1.0, f64::NEG_INFINITY));
    assert_eq!((high.value, high.upper), (3.0, f64::INFINITY));
    assert_eq!(high.error(), f64::INFINITY);
}

#[test]
fn bounds_so_wide_that_their_distance_is_infinite_do_no_harm() {
    let all = observed(Buckets::classic([f64::MIN, f64::MAX]).unwrap(), &[0.0, 0.0]);
    for q in [0.0, 0.5, 1.0] {
        assert!(all.quantile(q).unwrap().value.is_finite());
    }
}

#[test]
fn distributions_with_other_buckets_or_steps_do_not_combine() {
    let one = Distribution::empty(Buckets::seconds());
    let finer = Buckets::seconds().with_resolution(1e-12).unwrap();
    for other in [finer, Buckets::classic([1.0]).unwrap()] {
        let other = Distribution::empty(other);
        assert_eq!((one.plus(&other), one.minus(&other)), (None, None));
    }
}

#[test]
fn the_form_in_a_document_is_this() {
    let buckets = Buckets::classic([0.25, 1.0]).unwrap();
    assert_eq!(
        serde_json::to_string(&observed(buckets, &[0.1, 0.2, 0.3])).unwrap(),
        r#"{"count":3,"sum":0.6,"steps":600000000,"buckets":[[null,0.25,2],[0.25,1.0,1]],"classic":[0.25,1.0],"steps_per_one":1000000000}"#
    );
    let empty = Distribution::empty(Buckets::native(0, 1.0, 2.0).unwrap());
    assert_eq!(
        serde_json::to_string(&empty).unwrap(),
        r#"{"count":0,"sum":0.0,"steps":0,"buckets":[],"native":{"schema":0,"smallest":1.0,"largest":2.0,"negative":false},"steps_per_one":1000000}"#
    );
}

fn read(fields: &str) -> Result<Distribution, String> {
    let text = format!(r#"{{{fields},"classic":[-2,-1,1],"steps_per_one":100}}"#);
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[test]
fn steps_that_are_missing_come_from_the_sum() {
    let all = read(r#""count":2,"sum":0.3,"buckets":[[-1,1,1],[1,null,1]]"#).unwrap();
    assert_eq!((all.steps(), all.counts()), (30, &[0, 0, 1, 1][..]));
    // A sum that another program wrote with fewer digits is still that sum.
    let all = read(r#""count":1,"sum":0.333333333,"steps":33,"buckets":[[-2,-1,1]]"#).unwrap();
    assert_eq!((all.steps(), all.counts()), (33, &[0, 1, 0, 0][..]));
    assert_eq!(
        read(r#""count":0,"steps":7,"buckets":[]"#).unwrap().steps(),
        7
    );
}

#[test]
fn a_document_that_contradicts_itself_is_refused() {
    let half = 1_u64 << 63;
    let wrapped = format!(r#""count":0,"sum":0,"buckets":[[-2,-1,{half}],[-1,1,{half}]]"#);
    for (fields, part) in [
        (wrapped.as_str(), "64 bits"),
        (
            r#""count":1,"sum":0,"buckets":[[-1,2,1]]"#,
            "there is no bucket from -1 to 2",
        ),
        (
            r#""count":1,"sum":0,"buckets":[[null,null,1]]"#,
            "there is no bucket from -inf to inf",
        ),
        (
            r#""count":1,"sum":0,"buckets":[[1,1,1]]"#,
            "there is no bucket",
        ),
        (
            r#""count":2,"sum":0,"buckets":[[-1,1,1],[-1,1,1]]"#,
            "stands twice",
        ),
        (
            r#""count":1,"sum":0,"buckets":[[-1,1,0],[-1,1,1]]"#,
            "stands twice",
        ),
        (
            r#""count":2,"sum":0,"buckets":[[-1,1,1]]"#,
            "count is 2, but the buckets hold 1",
        ),
        (r#""count":0,"buckets":[]"#, "neither sum nor steps"),
        (
            r#""count":0,"sum":1e300,"buckets":[]"#,
            "more than its buckets can tell",
        ),
        (
            r#""count":0,"sum":1,"steps":90,"buckets":[]"#,
            "sum is 1, but 90 steps are 0.9",
        ),
        (r#""sum":1,"buckets":[]"#, "count"),
        (r#""count":1,"sum":1,"buckets":[[1,2]]"#, "tuple"),
        (r#""count":1,"sum":1,"buckets":[[1,2,-1]]"#, "-1"),
    ] {
        let error = read(fields).unwrap_err();
        assert!(error.contains(part), "{fields}: {error}");
    }
}

#[test]
fn a_sum_that_wrapped_is_told_by_the_buckets() {
    let observed = |buckets: &Buckets, value: f64, count: u64| {
        let mut counts = vec![0; buckets.len()];
        counts[buckets.index_of(value)] = count;
        let steps = buckets.to_steps(value).wrapping_mul(count.cast_signed());
        Distribution::new(buckets.clone(), counts.into(), steps)
    };
    let near = |found: f64, truth: f64| (found - truth).abs() <= truth.abs() * 1e-12;
    let seconds = Buckets::seconds();
    // Within the bounds, beyond them, and once more than 64 bits of steps in either direction.
    for (value, count) in [
        (0.25, 4),
        (9000.0, 1_100_000),
        (9000.0, 9_000_000),
        (5e7, 1),
        (1e6, 10_000),
        (-1e6, 10_000),
    ] {
        let found = observed(&seconds, value, count).sum();
        assert!(
            near(found, value * count as f64),
            "{count} of {value}: {found}"
        );
    }
    let fine = Buckets::native(3, 1e-9, 1e9).unwrap();
    assert!(near(observed(&fine, 10_000.0, 1).sum(), 10_000.0));
    assert!(near(observed(&fine, 9000.0, 1100).sum(), 9.9e6));
    // What is written is read.
    let wrapped = observed(&seconds, 9000.0, 9_000_000);
    let text = serde_json::to_string(&wrapped).unwrap();
    assert_eq!(
        serde_json::from_str::<Distribution>(&text).unwrap(),
        wrapped
    );
}
