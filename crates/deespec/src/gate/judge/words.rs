//! Numbers in sentences: as many digits as matter, with the units that reports have, too.

/// Four digits that matter, with the unit.
pub(super) fn amount(value: f64, unit: &str) -> String {
    let (value, unit) = match unit {
        "ratio" => (value * 100.0, "%"),
        "seconds" => scaled(
            value,
            &[(1.0, " s"), (1e-3, " ms"), (1e-6, " us"), (1e-9, " ns")],
        ),
        "bytes" => scaled(
            value,
            &[
                (1e12, " TB"),
                (1e9, " GB"),
                (1e6, " MB"),
                (1e3, " kB"),
                (1.0, " B"),
            ],
        ),
        "" => (value, ""),
        _ => return format!("{} {unit}", few(value)),
    };
    format!("{}{unit}", few(value))
}

fn scaled<'a>(value: f64, scales: &[(f64, &'a str)]) -> (f64, &'a str) {
    let fits = |scale: &&(f64, &str)| value.abs() >= scale.0;
    // Zero and what is smaller than all are shown in the largest that is not a multiple.
    let plain = scales.iter().find(|scale| scale.0 == 1.0);
    let found = scales.iter().find(fits).or(plain);
    found.map_or((value, ""), |(scale, unit)| (value / scale, *unit))
}

/// Four digits that matter, and no zeros behind them.
pub(super) fn few(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let size = value.abs().log10().floor();
    if !(-5.0..15.0).contains(&size) {
        return format!("{value:.3e}");
    }
    let digits = (3.0 - size).max(0.0) as usize;
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A share in percent, with its sign.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        small if small < 10.0 => format!("{percent:+.1} %"),
        _ => format!("{percent:+.0} %"),
    }
}

/// A probability.
pub(super) fn chance(p: f64) -> String {
    match p {
        p if p <= 0.0 => "never".to_owned(),
        p if p < 1e-6 => "less than once in a million runs".to_owned(),
        p if p < 0.5 => format!("once in {} runs", few((1.0 / p).round())),
        _ => "in most runs".to_owned(),
    }
}

/// `1 run`, `2 runs`.
pub(super) fn count(n: u64, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        _ => format!("{n} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_enough() {
        for (value, text) in [
            (0.0, "0"),
            (12.0, "12"),
            (1234567.0, "1234567"),
            (0.012346, "0.01235"),
            (1.5, "1.5"),
            (-99.999, "-100"),
            (1e-9, "1.000e-9"),
            (3.0e20, "3.000e20"),
        ] {
            assert_eq!(few(value), text);
        }
        assert_eq!(amount(0.0123, "seconds"), "12.3 ms");
        assert_eq!(amount(0.0, "seconds"), "0 s");
        assert_eq!(amount(-2.5e-9, "seconds"), "-2.5 ns");
        assert_eq!(amount(0.953, "ratio"), "95.3%");
        assert_eq!(amount(1_572_864.0, "bytes"), "1.573 MB");
        assert_eq!(amount(7.0, "jobs"), "7 jobs");
    }

    #[test]
    fn probabilities_are_told_as_how_often() {
        assert_eq!(chance(0.001), "once in 1000 runs");
        assert_eq!(chance(0.0), "never");
        assert_eq!(chance(0.7), "in most runs");
        assert_eq!(
            (percent(0.254), percent(-0.031)),
            ("+25 %".to_owned(), "-3.1 %".to_owned())
        );
    }
}
