//! Numbers as the formats write them. Counts are read digit by digit: a 64-bit count does not survive
//! a detour over floating point.

use super::Fault;
use super::line::excerpt;
use crate::metric::WideSum;

/// What a counter counted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// A whole number of up to 64 bits, however it was written.
    Whole(u64),
    /// A number with so few digits that a sum holds all of them.
    Exact(WideSum),
    /// Anything else: more digits, a larger number or infinity.
    Float(f64),
}

/// Any number, `NaN` and infinity included.
pub(super) fn float(text: &str) -> Result<f64, Fault> {
    // Rust reads the grammar of the specification, and a NaN with a sign besides.
    let value: Option<f64> = text.parse().ok();
    let value = value
        .filter(|value| !value.is_nan() || text.len() == 3)
        .ok_or_else(|| format!("{} is not a number", excerpt(text)))?;
    if value.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(format!("{} is too large for a number", excerpt(text)).into());
    }
    Ok(value)
}

/// A number of seconds.
pub(super) fn seconds(text: &str) -> Result<f64, Fault> {
    let value = float(text)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(format!("{} is not a time", excerpt(text)).into())
    }
}

/// What a counter can have counted.
pub(super) fn counter(text: &str) -> Result<Number, Fault> {
    let value = float(text)?;
    match whole(text) {
        Some(whole) => Ok(Number::Whole(whole)),
        None if value.is_nan() || text.starts_with('-') => {
            Err(format!("a counter cannot be {}", excerpt(text)).into())
        }
        None => number(text),
    }
}

/// Any number, to its last digit where a sum has so many.
pub(super) fn number(text: &str) -> Result<Number, Fault> {
    let value = float(text)?;
    Ok(text.parse().map_or(Number::Float(value), Number::Exact))
}

/// The count of a histogram's bucket.
pub(super) fn count(text: &str) -> Result<u64, Fault> {
    float(text)?;
    whole(text).ok_or_else(|| {
        let text = excerpt(text);
        format!("{text} is not a count: it must be a whole number of up to 64 bits").into()
    })
}

/// The exact value, where it is a whole number that fits.
fn whole(text: &str) -> Option<u64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    // Without the zeros at the end, the last digit decides whether there is a fraction.
    let behind = behind.trim_end_matches('0');
    let (before, scale) = if behind.is_empty() {
        let trimmed = before.trim_end_matches('0');
        (trimmed, i64::try_from(before.len() - trimmed.len()).ok()?)
    } else {
        (before, -i64::try_from(behind.len()).ok()?)
    };
    let mut digits = 0_u64;
    for byte in before.bytes().chain(behind.bytes()) {
        let digit = char::from(byte).to_digit(10)?;
        digits = digits.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if digits == 0 {
        return Some(0);
    }
    if text.starts_with('-') {
        return None;
    }
    let scale = exponent.parse::<i64>().ok()?.checked_add(scale)?;
    digits.checked_mul(10_u64.checked_pow(u32::try_from(scale).ok()?)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_whole_number_is_exact_however_it_is_written() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("+0.000e-99999999999999999999", 0),
            ("0042", 42),
            ("3.0", 3),
            ("3.", 3),
            ("1e3", 1000),
            ("1.5E+1", 15),
            ("100e-1", 10),
            (".25e2", 25),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551615.000", u64::MAX),
            ("1844674407370955161.5e1", u64::MAX),
            ("184467440737095516150e-1", u64::MAX),
            ("9007199254740993", (1 << 53) + 1),
        ] {
            assert_eq!(counter(text).unwrap(), Number::Whole(value), "{text}");
            assert_eq!(count(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn a_counter_can_be_a_float_and_a_count_cannot() {
        for (text, value) in [
            ("0.5", 0.5),
            ("1e-3", 0.001),
            ("18446744073709551616", 18_446_744_073_709_551_616.0),
            ("1e30", 1e30),
            ("+Inf", f64::INFINITY),
            ("infinity", f64::INFINITY),
            ("1e-99999999999999999999", 0.0),
        ] {
            let found = counter(text).unwrap();
            match found {
                Number::Exact(sum) => assert_eq!(sum.to_f64(), value, "{text}"),
                found => assert_eq!(found, Number::Float(value), "{text}"),
            }
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_or_negative_is_refused() {
        for text in [
            "", ".", "+", "e3", "1e", "1e+", "0x10", "1_000", "1,5", "--1", " 1", "1 ", "-nan",
            "+NaN", "in", "1e309", "٣",
        ] {
            assert!(float(text).is_err(), "{text:?}");
        }
        for text in ["-1", "-0.5", "-Inf", "NaN", "-1e-999"] {
            assert!(float(text).is_ok(), "{text}");
            assert!(counter(text).is_err(), "{text}");
            assert!(count(text).is_err(), "{text}");
        }
        assert!(seconds("NaN").is_err() && seconds("-Inf").is_err());
    }

    proptest! {
        #[test]
        fn whole_numbers_survive_any_scale(value: u64, zeros in 0_usize..30) {
            let (exponent, zeros) = (zeros, "0".repeat(zeros));
            prop_assert_eq!(count(&format!("{value}{zeros}e-{exponent}")).unwrap(), value);
            prop_assert_eq!(count(&format!("{value}.{zeros}")).unwrap(), value);
            prop_assert_eq!(count(&format!("{zeros}{value}")).unwrap(), value);
        }

        #[test]
        fn a_whole_number_is_the_float_that_rust_reads(text in "[+-]?[0-9]{0,25}\\.?[0-9]{0,9}([eE][+-]?[0-9]{1,3})?") {
            if let Ok(Number::Whole(whole)) = counter(&text) {
                let value: f64 = text.parse().unwrap();
                // Both are the nearest float to the same number.
                prop_assert_eq!(whole as f64, value);
            }
        }
    }
}
