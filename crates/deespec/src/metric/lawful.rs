//! Turns names, labels and texts that may be anything, as other systems allow them, into lawful ones where
//! that loses nothing that somebody would miss. Texts only: whether a series can be had, the store says.

use super::name::VALUE_MAX;

/// The end of a text that was cut.
const CUT: &str = "…";

/// A name and labels from elsewhere, as a store wants them.
///
/// A character that Prometheus does not allow becomes `_`; a name that begins with a digit gets `_` in front, a
/// label name that begins with `__` keeps one of them; a label value of more than 1,024 bytes is cut and ends
/// with `…`. Names that are empty or too long stay so, and are refused where the series is made.
///
/// ```
/// let series = deespec::Lawful::new("http.requests", [("user.id", "7")]);
/// assert_eq!(series.name(), "http_requests");
/// assert_eq!(series.labels(), [("user_id", "7")]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lawful {
    pub(crate) name: String,
    labels: Vec<(String, String)>,
}

impl Lawful {
    /// The lawful form of a name and labels.
    pub fn new<'a>(name: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let labels = labels.into_iter();
        Self {
            name: metric_name(name),
            labels: labels
                .map(|(name, value)| (label_name(name), cut_value(value)))
                .collect(),
        }
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels, in the order in which they were given.
    #[must_use]
    pub fn labels(&self) -> Vec<(&str, &str)> {
        let labels = self.labels.iter();
        labels.map(|(name, value)| (&**name, &**value)).collect()
    }
}

/// The lawful form of a metric's name; one that is empty or too long stays so.
pub(crate) fn metric_name(name: &str) -> String {
    not_a_digit_first(name_part(name))
}

/// The lawful form of a part of a metric's name that is not its beginning.
pub(crate) fn name_part(name: &str) -> String {
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

/// A label's value that is not too long.
pub(crate) fn cut_value(value: &str) -> String {
    cut(value, VALUE_MAX)
}

/// A text of at most so many bytes, which shows where it was cut.
pub(crate) fn cut(text: &str, max: usize) -> String {
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
            let series = Lawful::new(name, [(name, "")]);
            crate::check_series(series.name(), &series.labels()).unwrap();
        }
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters_and_says_so() {
        assert_eq!(cut("ab", 2), "ab");
        assert_eq!(cut("abcdef", 5), "ab…");
        assert_eq!(cut("ääää", 7), "ää…");
        assert_eq!(cut(&"ä".repeat(600), VALUE_MAX).len(), 1023);
    }
}
