//! From the text of an argument to what it means, or to the reason why it means nothing. Pure
//! functions that need nothing else of the program, so that the fuzzer can take this file alone.

use std::time::Duration;

use deespec::Buckets;
use jiff::SpanRelativeTo;

/// The schema of native buckets where none is given.
const SCHEMA: i8 = 3;

pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("a label has the form KEY=VALUE".to_owned()),
    }
}

/// Reads what `values::number` writes, and any other spelling of a number.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let number: f64 = text
        .parse()
        .map_err(|_| "give a number such as 0.25, -3 or 1e6".to_owned())?;
    if number.is_infinite() && text.contains(|c: char| c.is_ascii_digit()) {
        return Err("it is too large for a 64-bit floating-point number".to_owned());
    }
    Ok(number)
}

pub(crate) fn observation(text: &str) -> Result<f64, String> {
    let value = number(text)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err("only a finite number can be observed".to_owned())
    }
}

pub(crate) fn classic(text: &str) -> Result<Buckets, String> {
    let bounds: Result<Vec<f64>, String> = text.split(',').map(number).collect();
    let bounds = bounds.map_err(|_| "give numbers with commas between, such as 0.1,0.5,1")?;
    Buckets::classic(bounds).map_err(|error| error.to_string())
}

pub(crate) fn native(text: &str) -> Result<Buckets, String> {
    let wrong = |_| "give a range of numbers such as 0.001..60 or 0.001..60:4".to_owned();
    let (smallest, rest) = text.split_once("..").ok_or(()).map_err(wrong)?;
    let (largest, schema) = match rest.split_once(':') {
        Some((largest, schema)) => (largest, schema.parse().map_err(drop).map_err(wrong)?),
        None => (rest, SCHEMA),
    };
    let [smallest, largest] = [smallest, largest].map(|bound| number(bound).map_err(drop));
    Buckets::native(schema, smallest.map_err(wrong)?, largest.map_err(wrong)?)
        .map_err(|error| error.to_string())
}

pub(crate) fn resolution(text: &str) -> Result<f64, String> {
    let step = number(text)?;
    match Buckets::default().with_resolution(step) {
        Ok(_) => Ok(step),
        Err(_) if step > 0.0 => Err("no sum can be kept in such steps".to_owned()),
        Err(_) => Err("a step is greater than 0".to_owned()),
    }
}

pub(crate) fn age(text: &str) -> Result<Duration, String> {
    let reason = "give an age such as 30d, 12h or 2w";
    let span: jiff::Span = text.parse().map_err(|_| reason)?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| reason)?;
    Duration::try_from(duration).map_err(|_| "an age cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_read_in_both_spellings() {
        assert_eq!(
            classic("-1,0.5,+Inf"),
            Buckets::classic([-1.0, 0.5]).map_err(|error| error.to_string())
        );
        let made = |schema, smallest, largest| {
            Buckets::native(schema, smallest, largest).map_err(|error| error.to_string())
        };
        assert_eq!(native("0.001..60"), made(3, 0.001, 60.0));
        assert_eq!(native("1e-6..1e5:-2"), made(-2, 1e-6, 1e5));
        for bad in ["", "1", "1..", "..1", "1..2:", "1..2:x", "a..b", "1..2..3"] {
            assert!(native(bad).unwrap_err().starts_with("give"), "{bad}");
        }
        for bad in ["", ",", "1,", "a", "1;2"] {
            assert!(classic(bad).unwrap_err().starts_with("give"), "{bad}");
        }
        for bad in ["2..1", "-1..1", "0..1", "1..2:9", "1e-9..1e9:8", "1..+Inf"] {
            let reason = native(bad).unwrap_err();
            assert!(reason.contains("are not valid"), "{bad}: {reason}");
        }
        for bad in ["0", "-0.1", "NaN", "+Inf", "1e308", "1e-310", "x"] {
            assert!(resolution(bad).is_err(), "{bad}");
        }
        assert_eq!(resolution("0.01"), Ok(0.01));
        assert!(classic("1,1").unwrap_err().contains("must ascend"));
    }
}
