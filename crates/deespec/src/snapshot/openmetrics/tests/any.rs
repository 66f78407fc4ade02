//! What holds for any bytes: no panic, and what is read keeps its promises.

use proptest::prelude::*;

use super::*;

/// What a caller may rely on.
fn check(text: &Text) {
    for family in &text.families {
        for (index, point) in family.points.iter().enumerate() {
            assert!(point.labels.keys().is_sorted_by(|a, b| a < b));
            assert!(point.labels.iter().all(|(_, value)| !value.is_empty()));
            let is_new = |other: &Point| other.labels != point.labels;
            assert!(family.points[..index].iter().all(is_new));
            assert!(point.created.is_none_or(f64::is_finite));
            match (&point.value, family.kind) {
                (PointValue::Counter(Number::Whole(_)), TextKind::Counter)
                | (PointValue::Summary { .. }, TextKind::Summary)
                | (PointValue::Gauge(_), TextKind::Gauge)
                | (PointValue::Info, TextKind::Info)
                | (PointValue::Unknown(_), TextKind::Unknown) => {}
                (PointValue::Counter(Number::Float(value)), TextKind::Counter) => {
                    assert!(*value >= 0.0);
                }
                (PointValue::Counter(Number::Exact(value)), TextKind::Counter) => {
                    assert!(!value.is_negative());
                }
                (PointValue::Histogram { buckets, count, .. }, TextKind::Histogram) => {
                    let ascends =
                        |pair: &[(f64, u64)]| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1;
                    assert!(buckets.windows(2).all(ascends));
                    assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Pieces of which both lawful and unlawful lines can be made.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\n",
        "\n",
        " ",
        " ",
        "# TYPE ",
        "# HELP ",
        "# UNIT ",
        "# EOF",
        "a",
        "a_total",
        "_bucket",
        "_sum",
        "_count",
        "_created",
        "_info",
        "{",
        "}",
        "le=\"",
        "x=\"",
        "\"",
        ",",
        "\\",
        "1",
        "0.5",
        "+Inf",
        "NaN",
        "-1",
        "e",
        " counter\n",
        " histogram\n",
        " gauge\n",
        " # {} 1",
        "\t",
        "\r",
        "é",
        "{le=\"+Inf\"} 1\n",
        "{x=\"\"} 1\n",
        "# TYPE a histogram\na",
    ])
}

fn mutated(text: &str, at: usize, len: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    let begin = at % bytes.len();
    let end = (begin + len).min(bytes.len());
    bytes.splice(begin..end, with.iter().copied());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(text) = Text::parse(&bytes, SERIES_MAX) {
            check(&text);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        for text in [format!("{text}\n"), format!("a{{b=\"{text}\"}} 1\n# EOF\n"), format!("# HELP a {text}\n# EOF")] {
            if let Ok(text) = parse(&text) {
                check(&text);
            }
        }
    }

    #[test]
    fn no_soup_of_pieces_panics(pieces in prop::collection::vec(piece(), 0..40)) {
        for end in ["\n", "\n# EOF\n"] {
            if let Ok(text) = parse(&(pieces.concat() + end)) {
                check(&text);
            }
        }
    }

    #[test]
    fn no_change_of_a_lawful_text_panics(
        at: usize,
        len in 0_usize..20,
        with in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..3),
            piece().prop_map(|piece| piece.as_bytes().to_vec()),
        ],
    ) {
        for text in [COMPLETE, PROMETHEUS, HISTOGRAM, &format!("{HISTOGRAM}# EOF\n")] {
            if let Ok(text) = Text::parse(&mutated(text, at, len, &with), SERIES_MAX) {
                check(&text);
            }
        }
    }

    #[test]
    fn what_was_escaped_is_what_is_read(value in "\\PC{1,60}|[\\\\\"\nn]{1,9}") {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        for end in ["", "# EOF\n"] {
            let text = parse(&format!("a{{b=\"{escaped}\"}} 1\n{end}")).unwrap();
            prop_assert_eq!(&text.families[0].points[0].labels, &labels(&[("b", &value)]));
        }
    }
}
