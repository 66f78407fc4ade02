//! From the text of a `thresholds.json` to valid [`Thresholds`], or to the reason why not.
//!
//! This room gets text and a path for the messages; it opens no file. A gate that misreads its
//! configuration passes what it should stop, so nothing is guessed: an unknown or repeated key,
//! a wrong type and a value out of range are errors.

use super::object::members;
use super::{ThresholdError, Thresholds};
use serde_json::Value;
use std::path::Path;

impl Thresholds {
    /// The largest configuration that is read, in bytes. A caller need not read more than one
    /// byte beyond it.
    pub const MAX_BYTES: usize = 64 * 1024;

    /// Reads thresholds from `text`, the content of the file at `path`.
    ///
    /// The text is one JSON object, with or without a byte order mark. Each key may be left out:
    /// its default holds and is listed in [`defaulted`](Self::defaulted). The key `$schema` is
    /// allowed for editors and has no effect. The file itself is not touched; `path` is for the
    /// messages and for [`source`](Self::source).
    ///
    /// # Errors
    ///
    /// [`ThresholdError`] for anything else, naming `path` and the first thing that is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use deespec::gate::Thresholds;
    /// use std::path::Path;
    ///
    /// let path = Path::new("thresholds.json");
    /// let thresholds = Thresholds::parse(r#"{ "max_cas_conflicts": 20 }"#, path)?;
    /// assert_eq!(thresholds.max_cas_conflicts(), 20);
    /// assert_eq!(thresholds.max_recovery_count(), 10);
    ///
    /// let error = Thresholds::parse(r#"{ "max_conflicts": 20 }"#, path).unwrap_err();
    /// assert!(error.to_string().starts_with("thresholds.json: unknown key \"max_conflicts\""));
    /// # Ok::<(), deespec::gate::ThresholdError>(())
    /// ```
    pub fn parse(text: &str, path: &Path) -> Result<Self, ThresholdError> {
        let mut thresholds = Self {
            source: Some(path.to_owned()),
            ..Self::default()
        };
        let mut seen: Vec<String> = Vec::new();
        for (key, value) in members(text, path)? {
            if seen.contains(&key) {
                return Err(ThresholdError::DuplicateKey {
                    path: path.to_owned(),
                    key,
                });
            }
            let at = Place {
                path,
                key: &key,
                value: &value,
            };
            match key.as_str() {
                "success_rate_threshold" => thresholds.success_rate_threshold = at.percent()?,
                "max_cas_conflicts" => thresholds.max_cas_conflicts = at.count()?,
                "max_recovery_count" => thresholds.max_recovery_count = at.count()?,
                "min_total_commits" => thresholds.min_total_commits = at.count()?,
                "enabled" => thresholds.enabled = at.switch()?,
                "$schema" => {}
                _ => {
                    return Err(ThresholdError::UnknownKey {
                        path: path.to_owned(),
                        key,
                    });
                }
            }
            seen.push(key);
        }
        thresholds
            .defaulted
            .retain(|key| !seen.iter().any(|set| set == key));
        Ok(thresholds)
    }
}

/// A value with what a message about it needs.
struct Place<'a> {
    path: &'a Path,
    key: &'a str,
    value: &'a Value,
}

impl Place<'_> {
    fn percent(&self) -> Result<f64, ThresholdError> {
        let Value::Number(number) = self.value else {
            return Err(self.wrong_type("a number"));
        };
        match number.as_f64() {
            // Adding zero turns -0.0 into 0.0, which is shown without a sign.
            Some(rate) if (0.0..=100.0).contains(&rate) => Ok(rate + 0.0),
            _ => Err(ThresholdError::OutOfRange {
                path: self.path.to_owned(),
                key: self.key.to_owned(),
                found: number.to_string(),
            }),
        }
    }

    fn count(&self) -> Result<u64, ThresholdError> {
        let Value::Number(number) = self.value else {
            return Err(self.wrong_type("a whole number"));
        };
        number.as_u64().ok_or_else(|| ThresholdError::NotACount {
            path: self.path.to_owned(),
            key: self.key.to_owned(),
            found: number.to_string(),
        })
    }

    fn switch(&self) -> Result<bool, ThresholdError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong_type("true or false"))
    }

    fn wrong_type(&self, expected: &'static str) -> ThresholdError {
        ThresholdError::WrongType {
            path: self.path.to_owned(),
            key: self.key.to_owned(),
            expected,
            found: match self.value {
                Value::Null => "null",
                Value::Bool(_) => "true or false",
                Value::Number(_) => "a number",
                Value::String(_) => "a string",
                Value::Array(_) => "a list",
                Value::Object(_) => "an object",
            },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::gate) fn parse(text: &str) -> Result<Thresholds, ThresholdError> {
        Thresholds::parse(text, Path::new("conf/t.json"))
    }

    #[track_caller]
    pub(in crate::gate) fn refused(text: &str, message: &str) {
        let error = parse(text).unwrap_err();
        assert_eq!(error.to_string(), format!("conf/t.json: {message}"));
        assert!(std::error::Error::source(&error).is_none());
    }

    #[test]
    fn a_full_file_sets_every_value() {
        let read = parse(
            r#"{"$schema": ["x"], "success_rate_threshold": 99, "max_cas_conflicts": 0,
                "max_recovery_count": 18446744073709551615, "min_total_commits": 1,
                "enabled": false}"#,
        )
        .unwrap();
        let expected = Thresholds {
            source: Some("conf/t.json".into()),
            success_rate_threshold: 99.0,
            max_cas_conflicts: 0,
            max_recovery_count: u64::MAX,
            min_total_commits: 1,
            enabled: false,
            defaulted: vec![],
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn missing_keys_take_the_defaults_and_are_listed_in_the_documented_order() {
        let read = parse(r#"{"min_total_commits": 7, "max_cas_conflicts": 100}"#).unwrap();
        assert_eq!(
            read.defaulted(),
            ["success_rate_threshold", "max_recovery_count", "enabled"]
        );
        assert_eq!(
            (read.min_total_commits(), read.success_rate_threshold()),
            (7, 95.0)
        );
        let source = Some("conf/t.json".into());
        assert_eq!(
            parse("{}").unwrap(),
            Thresholds {
                source,
                ..Thresholds::default()
            }
        );
    }

    #[test]
    fn the_ends_of_the_range_are_within_it() {
        for (text, rate) in [
            ("0", 0.0),
            ("-0.0", 0.0),
            ("100", 100.0),
            ("99.99999", 99.99999),
        ] {
            let read = parse(&format!(r#"{{"success_rate_threshold": {text}}}"#)).unwrap();
            assert_eq!(read.success_rate_threshold().to_string(), rate.to_string());
        }
    }

    #[test]
    fn a_rate_that_is_no_percentage_is_refused() {
        for found in ["-0.1", "100.0000000001", "101", "-5", "1e+300"] {
            refused(
                &format!(r#"{{"success_rate_threshold": {found}}}"#),
                &format!("success_rate_threshold must be from 0 to 100 percent, found {found}"),
            );
        }
        refused(
            r#"{"success_rate_threshold": 1e999}"#,
            "not valid JSON at line 1 column 32: number out of range",
        );
        for word in ["NaN", "Infinity"] {
            let error = parse(&format!(r#"{{"success_rate_threshold": {word}}}"#)).unwrap_err();
            assert!(matches!(
                error,
                ThresholdError::NotJson {
                    line: 1,
                    column: 28..,
                    ..
                }
            ));
        }
    }

    #[test]
    fn a_count_that_is_negative_fractional_or_beyond_64_bits_is_refused() {
        for key in [
            "max_cas_conflicts",
            "max_recovery_count",
            "min_total_commits",
        ] {
            for found in ["-1", "1.5", "100.0", "-0.0", "1.8446744073709552e+19"] {
                refused(
                    &format!(r#"{{"{key}": {found}}}"#),
                    &format!(
                        "{key} must be a whole number from 0 to 18446744073709551615, found {found}"
                    ),
                );
            }
        }
    }

    #[test]
    fn a_wrong_type_names_both_types() {
        for (text, message) in [
            (
                r#"{"success_rate_threshold": "95"}"#,
                "success_rate_threshold must be a number, found a string",
            ),
            (
                r#"{"max_cas_conflicts": null}"#,
                "max_cas_conflicts must be a whole number, found null",
            ),
            (
                r#"{"max_recovery_count": true}"#,
                "max_recovery_count must be a whole number, found true or false",
            ),
            (
                r#"{"min_total_commits": [5]}"#,
                "min_total_commits must be a whole number, found a list",
            ),
            (
                r#"{"enabled": 1}"#,
                "enabled must be true or false, found a number",
            ),
            (
                r#"{"enabled": {}}"#,
                "enabled must be true or false, found an object",
            ),
        ] {
            refused(text, message);
        }
    }

    #[test]
    fn an_unknown_key_is_named_with_the_allowed_ones_and_cannot_break_the_line() {
        const ALLOWED: &str = "allowed are success_rate_threshold, max_cas_conflicts, \
            max_recovery_count, min_total_commits, enabled, $schema";
        refused(
            r#"{"Enabled": true}"#,
            &format!("unknown key \"Enabled\", {ALLOWED}"),
        );
        refused(
            r#"{"a\nERROR": 1}"#,
            &format!(r#"unknown key "a\nERROR", {ALLOWED}"#),
        );
        let long = format!(r#"{{"{}": 1}}"#, "é".repeat(5_000));
        refused(
            &long,
            &format!("unknown key \"{}\"…, {ALLOWED}", "é".repeat(64)),
        );
    }

    #[test]
    fn a_key_given_twice_is_refused_even_with_the_same_value_or_spelt_with_escapes() {
        refused(
            r#"{"enabled": true, "enabled": true}"#,
            "key \"enabled\" is given twice",
        );
        refused(
            r#"{"enabled": true, "\u0065nabled": 1}"#,
            "key \"enabled\" is given twice",
        );
        refused(
            r#"{"$schema": "", "$schema": ""}"#,
            "key \"$schema\" is given twice",
        );
    }
}
