//! Numbers as both text formats want them. They are most of the work of an exposition, so the usual
//! ones do not go through `std::fmt`.

use std::fmt::Write as _;
use std::time::Duration;

/// The two digits of every number below 100, one pair behind the other.
const PAIRS: &str = "\
00010203040506070809101112131415161718192021222324252627282930313233343536373839\
40414243444546474849505152535455565758596061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

pub(super) fn push_u64(text: &mut String, number: u64) {
    match number {
        0..10 => push_digits(text, number, 1),
        10..100 => push_digits(text, number, 2),
        _ => {
            push_u64(text, number / 100);
            push_digits(text, number, 2);
        }
    }
}

/// Writes the last digits of a number, one or two.
fn push_digits(text: &mut String, number: u64, count: usize) {
    let end = 2 * (number % 100) as usize + 2;
    text.push_str(&PAIRS[end - count..end]);
}

/// Writes a time since 1970 in seconds, exact to the nanosecond.
pub(super) fn push_time(text: &mut String, since: Duration) {
    push_u64(text, since.as_secs());
    text.push('.');
    let nanoseconds = u64::from(since.subsec_nanos());
    push_digits(text, nanoseconds / 100_000_000, 1);
    for divisor in [1_000_000, 10_000, 100, 1] {
        push_digits(text, nanoseconds / divisor, 2);
    }
}

/// Writes a floating-point number with the fewest digits that read back as the same number, in the
/// canonical form of OpenMetrics, which is how Go prints it: `1.0`, `0.001`, `1e-05`, `1e+06`,
/// `+Inf`, `NaN`. Such a form matters in the label `le`, where text that differs is another series.
pub(super) fn push_f64(text: &mut String, number: f64) {
    let magnitude = number.abs();
    if number.is_nan() {
        text.push_str("NaN");
    } else if number.is_infinite() {
        text.push_str(if number > 0.0 { "+Inf" } else { "-Inf" });
    } else if magnitude < 1e6 && magnitude.fract() == 0.0 {
        if number.is_sign_negative() {
            text.push('-');
        }
        push_u64(text, magnitude as u64);
        text.push_str(".0");
    } else if (1e-4..1e6).contains(&magnitude) {
        let _ = write!(text, "{number}");
    } else {
        push_exponential(text, number);
    }
}

/// Writes a finite number with an exponent that has a sign and at least two digits.
fn push_exponential(text: &mut String, number: f64) {
    let begin = text.len();
    let _ = write!(text, "{number:e}");
    let Some(e) = text[begin..].rfind('e') else {
        return;
    };
    let at = begin + e + 1;
    if text.as_bytes().get(at) == Some(&b'-') {
        if text.len() - at < 3 {
            text.insert(at + 1, '0');
        }
    } else {
        let padded = if text.len() - at < 2 { "+0" } else { "+" };
        text.insert_str(at, padded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(push: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        push(&mut text);
        text
    }

    #[test]
    fn a_whole_number_is_written_in_full() {
        let mut number = 1_u64;
        for bits in (0..64).cycle().take(5000) {
            number = number.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let number = number >> bits;
            assert_eq!(written(|text| push_u64(text, number)), number.to_string());
        }
        for number in [0, 9, 10, 99, 100, 999, 1000, 10_000] {
            assert_eq!(written(|text| push_u64(text, number)), number.to_string());
        }
        assert_eq!(
            written(|text| push_u64(text, u64::MAX)),
            u64::MAX.to_string()
        );
    }

    #[test]
    fn a_time_has_nine_digits_of_a_second() {
        for (since, expected) in [
            (Duration::ZERO, "0.000000000"),
            (Duration::new(12, 1), "12.000000001"),
            (
                Duration::new(1_795_417_689, 123_456_789),
                "1795417689.123456789",
            ),
            (Duration::new(5, 999_999_999), "5.999999999"),
        ] {
            assert_eq!(written(|text| push_time(text, since)), expected);
        }
    }

    #[test]
    fn floating_point_numbers_have_the_canonical_form() {
        // The examples of the specification, and what stands at the edges of each branch.
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.001, "0.001"),
            (0.1, "0.1"),
            (0.999, "0.999"),
            (1.0, "1.0"),
            (1.7, "1.7"),
            (10.0, "10.0"),
            (-17.0, "-17.0"),
            (1e-10, "1e-10"),
            (1e-9, "1e-09"),
            (1e-5, "1e-05"),
            (-1.25e-5, "-1.25e-05"),
            (0.0001, "0.0001"),
            (1e5, "100000.0"),
            (999_999.0, "999999.0"),
            (999_999.5, "999999.5"),
            (1e6, "1e+06"),
            (1_234_567.5, "1.2345675e+06"),
            (1e10, "1e+10"),
            (1.1e23, "1.1e+23"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::from_bits(1), "5e-324"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
            (-f64::NAN, "NaN"),
        ] {
            assert_eq!(written(|text| push_f64(text, number)), expected);
        }
    }

    #[test]
    fn every_floating_point_number_reads_back() {
        let mut bits = 1_u64;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            let number = f64::from_bits(bits);
            let text = written(|text| push_f64(text, number));
            let back: f64 = text.parse().unwrap();
            assert!(
                back == number || (back.is_nan() && number.is_nan()),
                "{text}"
            );
        }
    }
}
