//! How values look to people: numbers with their units, quantiles with their bounds, labels.
//! Pure functions; `ui.rs` prints what they give.

use deespec::{Aggregation, Kind, Quantile, Value};

use crate::ui;

/// The quantiles that reports show.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// A number to its last digit, spelled as Prometheus does.
pub(crate) fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        // Longer than anybody wants to count digits.
        _ if value != 0.0 && !(1e-6..1e15).contains(&value.abs()) && !value.is_nan() => {
            format!("{value:e}")
        }
        // Adding zero turns -0, which nobody wants to read, into 0.
        _ => (value + 0.0).to_string(),
    }
}

/// A change with its sign, without the digits that come of subtracting one number from another.
pub(crate) fn signed(change: f64) -> String {
    let rounded = format!("{change:.11e}").parse().unwrap_or(change);
    let text = number(rounded);
    if change > 0.0 && change.is_finite() {
        format!("+{text}")
    } else {
        text
    }
}

/// The value of a counter or gauge with its unit, to the last digit. Of a histogram it is the number
/// of observations; empty for the smallest or largest share where no process has one.
pub(crate) fn exact(value: &Value, unit: &str) -> String {
    match value {
        Value::Counter(count) => with_unit(&count.to_string(), symbol(unit)),
        Value::Fractions(sum) | Value::Sum(sum) => with_unit(&sum.to_string(), symbol(unit)),
        Value::Summary(found) => {
            let sum = with_unit(&found.sum.to_string(), symbol(unit));
            format!("{}, sum {sum}", found.count)
        }
        Value::Histogram(found) => found.count().to_string(),
        Value::Info => "1".to_owned(),
        // A number of processes has no unit, whatever each of them has a share of.
        Value::Processes(shares) if shares.aggregation == Aggregation::Count => {
            shares.count.to_string()
        }
        value => value
            .gauge()
            .map_or_else(String::new, |value| with_unit(&number(value), symbol(unit))),
    }
}

/// The kind of metric in a word; of a per-process gauge also how many processes have a share.
pub(crate) fn kind(value: &Value) -> String {
    let kind = value.kind().as_str();
    processes(value).map_or_else(|| kind.to_owned(), |shares| format!("{kind}, {shares}"))
}

/// How many processes have a share in a per-process gauge, and whether its value is their smallest or
/// largest.
pub(crate) fn processes(value: &Value) -> Option<String> {
    let Value::Processes(shares) = value else {
        return None;
    };
    let processes = match shares.count {
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    Some(match shares.aggregation {
        Aggregation::Min | Aggregation::Max => {
            format!("{} of {processes}", shares.aggregation.as_str())
        }
        _ => processes,
    })
}

/// Whether this is a per-process gauge in which no process has a share.
pub(crate) fn is_without_processes(value: &Value) -> bool {
    matches!(value, Value::Processes(shares) if shares.count == 0)
}

/// Whether a table needs a column for the kind of its metrics.
pub(crate) fn are_mixed<'a>(mut values: impl Iterator<Item = &'a Value>) -> bool {
    values.any(|value| value.kind() != Kind::Counter)
}

fn symbol(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "B",
        "ratio" => "",
        other => other,
    }
}

fn with_unit(number: &str, symbol: &str) -> String {
    if symbol.is_empty() {
        number.to_owned()
    } else {
        format!("{number} {symbol}")
    }
}

/// An estimate: three digits, with a prefix of its unit where that is shorter: `12.3 ms`.
pub(crate) fn about(value: f64, unit: &str) -> String {
    let (factor, symbol) = scale(value, unit);
    with_unit(&three_digits(value / factor), &symbol)
}

/// A quantile as an estimate; one in a bucket without a bound is known to be beyond the other.
pub(crate) fn quantile(found: Option<Quantile>, unit: &str) -> String {
    match found {
        None => "-".to_owned(),
        Some(found) if found.upper.is_infinite() => format!(">{}", about(found.lower, unit)),
        Some(found) if found.lower.is_infinite() => format!("<={}", about(found.upper, unit)),
        Some(found) => about(found.value, unit),
    }
}

/// The bounds between which a quantile surely is: `240..262 ms`.
pub(crate) fn bounds(found: Option<Quantile>, unit: &str) -> String {
    match found {
        Some(found) if found.lower.is_finite() && found.upper.is_finite() => {
            let (factor, symbol) = scale(found.lower.abs().max(found.upper.abs()), unit);
            // Rounded outward, or else it would not be sure any more.
            let lower = three_digits(outward(found.lower / factor, f64::floor));
            let upper = three_digits(outward(found.upper / factor, f64::ceil));
            with_unit(&format!("{lower}..{upper}"), &symbol)
        }
        found => quantile(found, unit),
    }
}

/// What to divide a value by, and how its unit is then called.
fn scale(value: f64, unit: &str) -> (f64, String) {
    const SECONDS: [(f64, &str); 6] = [
        (7200.0, "h"),
        (120.0, "min"),
        (1.0, "s"),
        (1e-3, "ms"),
        (1e-6, "us"),
        (0.0, "ns"),
    ];
    const BYTES: [(f64, &str); 5] = [
        (1e12, "TB"),
        (1e9, "GB"),
        (1e6, "MB"),
        (1e3, "kB"),
        (0.0, "B"),
    ];
    let unscaled = (1.0, symbol(unit).to_owned());
    let steps: &[(f64, &str)] = match unit {
        "seconds" => &SECONDS,
        "bytes" => &BYTES,
        _ => return unscaled,
    };
    let found = steps.iter().find(|(from, _)| value.abs() >= *from);
    let Some((from, name)) = found.filter(|_| value != 0.0) else {
        return unscaled;
    };
    let factor = match *name {
        "h" => 3600.0,
        "min" => 60.0,
        "ns" => 1e-9,
        "B" => 1.0,
        _ => *from,
    };
    (factor, (*name).to_owned())
}

/// Rounds to three digits with `round`, unless the number has no more than these.
fn outward(value: f64, round: fn(f64) -> f64) -> f64 {
    if value == 0.0 {
        return value;
    }
    let step = 10_f64.powf(value.abs().log10().floor() - 2.0);
    let steps = value / step;
    let has_more = (steps - steps.round()).abs() > 1e-6;
    if has_more { round(steps) * step } else { value }
}

fn three_digits(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() || magnitude == 0.0 {
        return number(value);
    }
    if !(1e-6..1e15).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    // Between 0 and 8, by the check above.
    let decimals = (2.0 - magnitude.log10().floor()).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Labels as people read them: `branch=main job=tests`.
pub(crate) fn labels<T: AsRef<str>>(labels: impl Iterator<Item = (T, T)>) -> String {
    let pairs: Vec<String> = labels
        .map(|(name, value)| format!("{}={}", name.as_ref(), quoted(value.as_ref())))
        .collect();
    pairs.join(" ")
}

/// A label value, in quotes where it would be hard to tell from its neighbours.
fn quoted(value: &str) -> String {
    let needs_quotes =
        |c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\') || ui::is_obeyed(c);
    if !value.is_empty() && !value.chars().any(needs_quotes) {
        return value.to_owned();
    }
    // In quotes an escape cannot be taken for text that looks like one.
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", ui::printable(&escaped))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn a_number_is_shown_to_its_last_digit_and_reads_back() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-3.0, "-3"),
            (1e6, "1000000"),
            (1e300, "1e300"),
            (-2.5e-9, "-2.5e-9"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), text);
            assert!(parse::number(text).is_ok_and(|read| number(read) == text));
        }
        for bad in ["", "1,5", "0x10", "1_000", "ten", "1e400", "-1e400"] {
            assert!(parse::number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_has_its_sign_and_no_noise() {
        for (change, text) in [
            (99.3 - 99.1, "+0.2"),
            (-7.5, "-7.5"),
            (0.0, "0"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(signed(change), text);
        }
    }

    #[test]
    fn an_estimate_has_three_digits_and_the_unit_that_makes_it_short() {
        for (value, unit, text) in [
            (0.25, "seconds", "250 ms"),
            (0.000_012_34, "seconds", "12.3 us"),
            (3e-8, "seconds", "30 ns"),
            (1.0, "seconds", "1 s"),
            (119.0, "seconds", "119 s"),
            (150.0, "seconds", "2.5 min"),
            (100_000.0, "seconds", "27.8 h"),
            (-0.002, "seconds", "-2 ms"),
            (0.0, "seconds", "0 s"),
            (1_572_864.0, "bytes", "1.57 MB"),
            (12.0, "bytes", "12 B"),
            (0.9712, "ratio", "0.971"),
            (21.456, "celsius", "21.5 celsius"),
            (12_345.6, "", "12346"),
            (1e20, "", "1.00e20"),
            (0.0, "", "0"),
        ] {
            assert_eq!(about(value, unit), text);
        }
    }

    #[test]
    fn a_quantile_without_a_bound_is_beyond_the_other() {
        let found = |lower, upper| {
            Some(Quantile {
                value: 0.25,
                lower,
                upper,
            })
        };
        assert_eq!(quantile(None, "seconds"), "-");
        assert_eq!(bounds(found(0.24, 0.262), "seconds"), "240..262 ms");
        assert_eq!(bounds(found(0.2409, 0.2621), "seconds"), "240..263 ms");
        assert_eq!(bounds(found(-0.2409, 0.0), ""), "-0.241..0");
        assert_eq!(bounds(found(10.0, f64::INFINITY), "seconds"), ">10 s");
        assert_eq!(quantile(found(f64::NEG_INFINITY, 0.1), ""), "<=0.1");
        assert_eq!(quantile(found(0.2, 0.3), ""), "0.25");
    }
}
