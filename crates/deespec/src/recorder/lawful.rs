//! What the facade says of a metric, in the words of a store: its key as a series, and its description as a
//! declaration.

use metrics::{Key, Unit};

use crate::metric::{HELP_MAX, Lawful, lawful::cut};

/// A key's name and labels as the store wants them.
pub(super) fn series(key: &Key) -> Lawful {
    let labels = key.labels();
    Lawful::new(key.name(), labels.map(|label| (label.key(), label.value())))
}

/// The unit and the help text of a family of this lawful name.
pub(super) fn declaration(name: &str, unit: Option<Unit>, text: &str) -> (&'static str, String) {
    // A count has no unit.
    let unit = match unit {
        Some(Unit::Count) | None => "",
        Some(unit) => unit.as_str(),
    };
    let base = name.strip_suffix("_total").unwrap_or(name);
    let rest = base.strip_suffix(unit).unwrap_or_default();
    if unit.is_empty() || (rest.len() > 1 && rest.ends_with('_')) {
        return (unit, cut(text, HELP_MAX));
    }
    // Cut before the unit is added, so that it cannot be what is cut off.
    let unit = format!("Unit: {unit}.");
    let text = cut(text, HELP_MAX - 1 - unit.len());
    let space = if text.is_empty() { "" } else { " " };
    ("", format!("{text}{space}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_the_name_does_not_end_in_goes_into_the_help_text() {
        let declared = |name, unit, text| {
            let (unit, help) = declaration(name, unit, text);
            let family = crate::Family::counter(name).with_unit(unit);
            family.with_help(&help).check().unwrap();
            (unit, help)
        };
        let seconds = Some(Unit::Seconds);
        for (name, unit, text, expected) in [
            ("x_seconds", seconds, "T.", ("seconds", "T.")),
            ("x_seconds_total", seconds, "", ("seconds", "")),
            ("x", seconds, "T.", ("", "T. Unit: seconds.")),
            ("x", seconds, "", ("", "Unit: seconds.")),
            (
                "x_seconds",
                Some(Unit::Milliseconds),
                "",
                ("", "Unit: milliseconds."),
            ),
            (
                "x_milliseconds",
                Some(Unit::Milliseconds),
                "",
                ("milliseconds", ""),
            ),
            ("_seconds", seconds, "", ("", "Unit: seconds.")),
            ("x_count", Some(Unit::Count), "T.", ("", "T.")),
            ("x", None, "T.", ("", "T.")),
        ] {
            let (unit, help) = declared(name, unit, text);
            assert_eq!((unit, help.as_str()), expected);
        }
        let (_, long) = declared("x", Some(Unit::TerabitsPerSecond), &"ä".repeat(1000));
        assert!(long.ends_with("ä… Unit: terabits_per_second."), "{long}");
    }
}
