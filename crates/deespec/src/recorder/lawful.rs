//! Turns the facade's names, labels, units and texts, which may be anything, into lawful ones where
//! that loses nothing that somebody would miss.

use metrics::{Key, Unit};

use crate::metric::{HELP_MAX, VALUE_MAX};

/// The end of a text that was cut.
const CUT: &str = "…";

/// A key's name and labels as the store wants them.
pub(super) struct Lawful {
    pub(super) name: String,
    labels: Vec<(String, String)>,
}

impl Lawful {
    pub(super) fn of(key: &Key) -> Self {
        let labels = key.labels();
        let labels = labels.map(|label| (label_name(label.key()), cut_value(label.value())));
        Self {
            name: metric_name(key.name()),
            labels: labels.collect(),
        }
    }

    pub(super) fn labels(&self) -> Vec<(&str, &str)> {
        let labels = self.labels.iter();
        labels.map(|(name, value)| (&**name, &**value)).collect()
    }
}

/// The lawful form of a metric's name; one that is empty or too long stays so.
pub(super) fn metric_name(name: &str) -> String {
    not_a_digit_first(name_part(name))
}

/// The lawful form of a part of a metric's name that is not its beginning.
pub(super) fn name_part(name: &str) -> String {
    replaced(name, |c| c.is_ascii_alphanumeric() || c == ':')
}

fn label_name(name: &str) -> String {
    let name = not_a_digit_first(replaced(name, |c| c.is_ascii_alphanumeric()));
    if name.starts_with("__") {
        // Two of them are Prometheus' own.
        return format!("_{}", name.trim_start_matches('_'));
    }
    name
}

fn replaced(name: &str, lawful: impl Fn(char) -> bool) -> String {
    let chars = name.chars();
    chars.map(|c| if lawful(c) { c } else { '_' }).collect()
}

fn not_a_digit_first(mut name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
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

/// A label's value that is not too long.
pub(super) fn cut_value(value: &str) -> String {
    cut(value, VALUE_MAX)
}

/// A text of at most so many bytes, which shows where it was cut.
fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let ends = (0..=max.saturating_sub(CUT.len())).rev();
    let kept = ends.filter_map(|end| text.get(..end)).next();
    format!("{}{CUT}", kept.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_grammar_does_not_allow_becomes_an_underscore() {
        for (given, lawful) in [
            ("http.requests", "http_requests"),
            ("a-b/c d", "a_b_c_d"),
            ("job:rate:5m", "job:rate:5m"),
            ("2xx", "_2xx"),
            ("größe", "gr__e"),
            ("__x", "__x"),
            ("", ""),
        ] {
            assert_eq!(metric_name(given), lawful);
        }
        for (given, lawful) in [
            ("user.id", "user_id"),
            ("a:b", "a_b"),
            ("__name__", "_name__"),
            ("..", "_"),
            ("5xx", "_5xx"),
        ] {
            assert_eq!(label_name(given), lawful);
        }
    }

    #[test]
    fn every_lawful_form_of_a_short_name_can_be_stored() {
        let odd = ["a", "9", "_", "__", ":", ".x", "ä", "\0", "x\n", "___9"];
        for name in odd {
            let labels = [(label_name(name), String::new())];
            let labels = labels.each_ref().map(|(name, value)| (&**name, &**value));
            crate::check_series(&metric_name(name), &labels).unwrap();
        }
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters_and_says_so() {
        assert_eq!(cut("ab", 2), "ab");
        assert_eq!(cut("abcdef", 5), "ab…");
        assert_eq!(cut("ääää", 7), "ää…");
        assert_eq!(cut(&"ä".repeat(600), VALUE_MAX).len(), 1023);
    }

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
