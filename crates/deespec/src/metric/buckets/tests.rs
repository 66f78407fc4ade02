use proptest::prelude::*;

use super::*;

/// Native layouts of every schema that reach into both ends, and some with a negative side.
pub(super) fn natives() -> Vec<Buckets> {
    let mut all = vec![Buckets::seconds()];
    for schema in -4..=8 {
        // As many octaves as 2000 buckets cover, at the lower end, at the upper end, around 1.
        let octaves = if schema < 1 { 2044 } else { 2000 >> schema };
        let low = f64::MIN_POSITIVE;
        for (smallest, largest) in [
            (low, low * (f64::from(octaves) / 2.0).exp2()),
            (f64::MAX / (f64::from(octaves) / 2.0).exp2(), f64::MAX),
            (0.75 / (f64::from(octaves) / 4.0).exp2(), 1.3),
            (1.0, 1.0),
        ] {
            let buckets = Buckets::native(schema, smallest, largest).unwrap();
            all.push(buckets.clone().with_negative().unwrap());
            all.push(buckets);
        }
        if schema < 1 {
            all.push(Buckets::native(schema, low, f64::MAX).unwrap());
        }
    }
    all
}

pub(super) fn classics() -> Vec<Buckets> {
    vec![
        Buckets::classic([0.005, 0.1, 1.0, 10.0]).unwrap(),
        Buckets::classic([-5.0, -0.0, 1.0, f64::INFINITY]).unwrap(),
        Buckets::classic([f64::MIN, 5e-324, f64::MAX]).unwrap(),
        Buckets::classic((0..256).map(f64::from)).unwrap(),
    ]
}

fn any_buckets() -> impl Strategy<Value = Buckets> {
    let bounds = proptest::collection::btree_set(-1000_i32..1000, 1..20);
    let classic = bounds.prop_map(|set| {
        Buckets::classic(set.into_iter().map(|bound| f64::from(bound) / 8.0)).unwrap()
    });
    let native = (-4_i8..=8, 1e-3..10.0_f64, 1.0..50.0_f64, any::<bool>()).prop_map(
        |(schema, smallest, factor, negative)| {
            let buckets = Buckets::native(schema, smallest, smallest * factor).unwrap();
            if negative {
                buckets.with_negative().unwrap()
            } else {
                buckets
            }
        },
    );
    prop_oneof![classic, native]
}

/// Small whole numbers and eighths fall on bounds, the rest between them.
fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-64_i32..64).prop_map(|value| f64::from(value) / 8.0),
        (-12_i32..12).prop_map(|exponent| f64::from(exponent).exp2()),
        -200.0..200.0_f64,
        any::<f64>().prop_filter("a number", |value| !value.is_nan()),
    ]
}

/// Whether the cell's bounds say that it holds this value.
fn holds(buckets: &Buckets, cell: usize, value: f64) -> bool {
    let (lower, upper) = buckets.bounds(cell);
    let zero = buckets.zero_threshold().unwrap_or(f64::NEG_INFINITY);
    if upper == zero {
        (lower..=upper).contains(&value)
    } else if upper <= -zero && buckets.is_native() {
        (lower..upper).contains(&value)
    } else {
        lower < value && value <= upper || value == lower && lower == f64::NEG_INFINITY
    }
}

#[test]
fn every_cell_holds_what_its_bounds_say_and_the_next_number_is_in_the_next_cell() {
    for buckets in natives().into_iter().chain(classics()) {
        let last = buckets.len() - 1;
        let zero = buckets.native_cells().map(|cells| cells.zero);
        for cell in 0..=last {
            let (lower, upper) = buckets.bounds(cell);
            assert!(lower < upper, "{buckets:?} {cell}");
            if cell < last {
                assert_eq!(buckets.bounds(cell + 1).0, upper, "{buckets:?} {cell}");
            }
            if zero.is_none_or(|zero| cell >= zero) {
                assert_eq!(buckets.index_of(upper), cell, "{buckets:?} {upper:?}");
                assert_eq!(
                    buckets.index_of(upper.next_up()),
                    (cell + 1).min(last),
                    "{buckets:?} {upper:?}"
                );
            }
            if zero.is_some_and(|zero| cell <= zero) {
                assert_eq!(buckets.index_of(lower), cell, "{buckets:?} {lower:?}");
                assert_eq!(
                    buckets.index_of(lower.next_down()),
                    cell.saturating_sub(1),
                    "{buckets:?} {lower:?}"
                );
            }
        }
        assert_eq!(buckets.bounds(0).0, f64::NEG_INFINITY);
        assert_eq!(buckets.bounds(last).1, f64::INFINITY);
        assert_eq!(buckets.bounds(usize::MAX), buckets.bounds(last));
    }
}

#[test]
fn zeros_subnormals_infinities_and_the_largest_numbers_have_their_cell_and_nan_has_some() {
    for buckets in natives().into_iter().chain(classics()) {
        let subnormal = f64::MIN_POSITIVE.next_down();
        for value in [
            0.0,
            5e-324,
            1e-310,
            subnormal,
            f64::MIN_POSITIVE,
            1.0,
            f64::MAX,
            f64::INFINITY,
        ] {
            for value in [value, -value] {
                let cell = buckets.index_of(value);
                assert!(holds(&buckets, cell, value), "{buckets:?} {value:?} {cell}");
            }
        }
        for nan in [
            f64::NAN,
            -f64::NAN,
            f64::from_bits(f64::INFINITY.to_bits() + 1),
        ] {
            assert!(buckets.index_of(nan) < buckets.len());
        }
        if let Some(cells) = buckets.native_cells() {
            assert_eq!(buckets.index_of(0.0), cells.zero);
            assert_eq!(buckets.index_of(-0.0), cells.zero);
            assert_eq!(buckets.index_of(f64::INFINITY), cells.overflow);
            assert_eq!(buckets.index_of(f64::NEG_INFINITY), cells.negative_overflow);
        }
    }
}

#[test]
fn the_cells_of_a_native_histogram_have_the_indices_of_prometheus() {
    let indices = |schema, value| {
        let buckets = Buckets::native(schema, value, value).unwrap();
        buckets.native_cells().unwrap().first_index
    };
    for (schema, value, index) in [
        (0, 1.0, 0),
        (0, 1.1, 1),
        (0, 2.0, 1),
        (0, 0.3, -1),
        (3, 1.0, 0),
        (3, 1.05, 1),
        (3, 1.1, 2),
        (3, 0.9, -1),
        (8, 1.0001, 1),
        (8, f64::MAX, 262_144),
        (-1, 4.0, 1),
        (-1, 4.1, 2),
        (-1, 0.9, 0),
        (-4, f64::MAX, 64),
        (-4, f64::MIN_POSITIVE, -63),
    ] {
        assert_eq!(indices(schema, value), index, "schema {schema}, {value}");
    }

    let cells = Buckets::native(3, 0.9, 2.0)
        .unwrap()
        .with_negative()
        .unwrap()
        .native_cells();
    let expected = NativeCells {
        schema: 3,
        zero_threshold: 0.5_f64.powf(0.25).next_down(),
        zero: 11,
        first_index: -1,
        positive: 12..22,
        negative: 1..11,
        overflow: 22,
        negative_overflow: 0,
        overflow_index: 8193,
    };
    assert_eq!(cells, Some(expected));
    for (schema, overflow) in [(-4, 65), (-1, 513), (0, 1025), (8, 262_145)] {
        let cells = Buckets::native(schema, 1.0, 1.0)
            .unwrap()
            .native_cells()
            .unwrap();
        assert_eq!(cells.overflow_index, overflow);
        assert!(cells.negative.is_empty());
    }
}

#[test]
fn the_first_index_and_the_order_of_both_sides_agree_with_the_bounds() {
    for buckets in natives() {
        let cells = buckets.native_cells().unwrap();
        let base = (-f64::from(cells.schema)).exp2().exp2();
        let positive = cells.positive.clone().zip(cells.first_index..);
        let negative = cells.negative.clone().rev().zip(cells.first_index..);
        for (cell, index) in positive.chain(negative) {
            let (lower, upper) = buckets.bounds(cell);
            let bound = base.powi(index).min(f64::MAX);
            let magnitude = upper.abs().max(lower.abs());
            assert!(
                (magnitude / bound - 1.0).abs() < 1e-9 || index.abs() > 100_000,
                "{buckets:?} {cell}"
            );
        }
        assert_eq!(cells.positive.end, cells.overflow);
        assert_eq!(buckets.bounds(cells.zero).1, cells.zero_threshold);
    }
}

#[test]
fn buckets_that_cannot_be_are_refused_with_the_reason() {
    let says = |result: Result<Buckets, MetricError>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(
            error.starts_with("histogram buckets are not valid: "),
            "{error}"
        );
        assert!(error.contains(part), "{error}");
    };
    says(Buckets::native(9, 1.0, 2.0), "schema 9 is not from -4 to 8");
    says(Buckets::native(-5, 1.0, 2.0), "schema -5");
    for bad in [0.0, -1.0, 1e-310, f64::INFINITY, f64::NAN] {
        says(Buckets::native(0, bad, 2.0), "smallest");
        says(Buckets::native(0, 1e-3, bad), "largest");
    }
    says(
        Buckets::native(0, 2.0, 1.0),
        "smallest = 2.0 is greater than largest = 1.0",
    );
    says(
        Buckets::native(8, 1.0, 131_072.0),
        "4356 bucket cells, at most 4096",
    );
    let reaching = |index: f64| Buckets::native(8, 1.001, (index / 256.0).exp2());
    assert_eq!(reaching(4092.5).unwrap().len(), 4096);
    says(reaching(4093.5), "4097 bucket cells");
    says(Buckets::classic([]), "no finite bound");
    says(Buckets::classic([f64::INFINITY]), "no finite bound");
    says(
        Buckets::classic([f64::NEG_INFINITY, 1.0]),
        "-inf is not finite",
    );
    says(Buckets::classic([1.0, f64::NAN]), "NaN is not finite");
    says(
        Buckets::classic([1.0, f64::INFINITY, 2.0]),
        "inf is not finite",
    );
    says(Buckets::classic([1.0, 1.0]), "the bound 1.0 follows 1.0");
    says(Buckets::classic([-0.0, 0.0]), "must ascend");
    says(
        Buckets::classic((0..257).map(f64::from)),
        "more than 256 bounds",
    );
    says(
        Buckets::classic(std::iter::repeat(1.0)),
        "more than 256 bounds",
    );
    let most = (0..256).map(f64::from).chain([f64::INFINITY]);
    assert_eq!(Buckets::classic(most).unwrap().len(), 257);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 5e-324, 1e300] {
        says(Buckets::seconds().with_resolution(bad), "resolution");
    }
}

#[test]
fn a_negative_side_counts_towards_the_limit() {
    let one_side = Buckets::native(8, 1.0, 4096.0).unwrap();
    assert_eq!(one_side.len(), 3076);
    let both = one_side.with_negative().unwrap_err().to_string();
    assert!(both.contains("6149 bucket cells"), "{both}");
}

#[test]
fn the_text_bounds_of_seconds_are_the_powers_of_two_and_the_ends() {
    let bounds = Buckets::seconds().text_bounds();
    assert_eq!(bounds.first(), Some(&(0.5_f64.powi(20), 2)));
    assert_eq!(bounds.len(), 38);
    assert!(
        bounds[..37]
            .iter()
            .all(|(bound, _)| bound.log2().fract() == 0.0)
    );
    assert_eq!(bounds[37].1, Buckets::seconds().len() - 1);
    let mirrored = Buckets::native(0, 1.0, 2.0)
        .unwrap()
        .with_negative()
        .unwrap()
        .text_bounds();
    assert_eq!(
        mirrored,
        [
            ((-2.0_f64).next_down(), 1),
            ((-1.0_f64).next_down(), 2),
            ((-0.5_f64).next_down(), 3),
            (0.5, 4),
            (1.0, 5),
            (2.0, 6)
        ]
    );
}

#[test]
fn text_bounds_ascend_and_end_where_a_cell_ends() {
    for buckets in natives().into_iter().chain(classics()) {
        let bounds = buckets.text_bounds();
        assert!(bounds.is_sorted_by(|one, next| one.0 < next.0 && one.1 < next.1));
        for (bound, cells) in bounds {
            assert!(bound.is_finite());
            assert_eq!(buckets.index_of(bound), cells - 1, "{buckets:?} {bound:?}");
            assert_eq!(
                buckets.index_of(bound.next_up()),
                cells,
                "{buckets:?} {bound:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn counting_by_cell_is_counting_by_bounds(
        buckets in any_buckets(),
        values in proptest::collection::vec(any_value(), 0..200),
    ) {
        let mut counts = vec![0; buckets.len()];
        for value in &values {
            counts[buckets.index_of(*value)] += 1;
        }
        for (cell, count) in counts.iter().enumerate() {
            let held = values.iter().filter(|value| holds(&buckets, cell, **value)).count();
            prop_assert_eq!(*count, held);
        }
        for (bound, cells) in buckets.text_bounds() {
            let cumulative: usize = counts[..cells].iter().sum();
            prop_assert_eq!(cumulative, values.iter().filter(|value| **value <= bound).count());
        }
    }

    #[test]
    fn the_order_of_values_is_the_order_of_their_cells(
        buckets in any_buckets(),
        one in any_value(),
        other in any_value(),
    ) {
        let (less, more) = if one < other { (one, other) } else { (other, one) };
        prop_assert!(buckets.index_of(less) <= buckets.index_of(more));
    }

    #[test]
    fn any_buckets_read_back(buckets in any_buckets(), resolution in 1e-12..1e3_f64) {
        let buckets = buckets.with_resolution(resolution).unwrap();
        let text = serde_json::to_string(&buckets).unwrap();
        prop_assert_eq!(serde_json::from_str::<Buckets>(&text).unwrap(), buckets);
    }
}
