//! The outer shape of a configuration: text that is one JSON object, as a list of its members.
//!
//! This room knows JSON and no threshold. It keeps repeated keys, so that whoever gives the
//! members a meaning can refuse them.

use super::{ThresholdError, Thresholds};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::path::Path;

/// The members of the one object in `text`, in order, repeated keys included.
pub(super) fn members(text: &str, path: &Path) -> Result<Vec<(String, Value)>, ThresholdError> {
    if text.len() > Thresholds::MAX_BYTES {
        return Err(ThresholdError::TooLarge {
            path: path.to_owned(),
            bytes: text.len(),
        });
    }
    let json = text.strip_prefix('\u{feff}').unwrap_or(text);
    let Object(members) = serde_json::from_str(json).map_err(|error| {
        // `Object` takes any object, so the only data error is that there is none.
        if error.is_data() {
            return ThresholdError::NotAnObject {
                path: path.to_owned(),
                found: first(json),
            };
        }
        let (line, column) = (error.line(), error.column());
        let reason = error.to_string();
        let place = format!(" at line {line} column {column}");
        let reason = reason.strip_suffix(&place).unwrap_or(&reason).to_owned();
        ThresholdError::NotJson {
            path: path.to_owned(),
            line,
            column,
            reason,
        }
    })?;
    Ok(members)
}

/// What kind of JSON value `json` begins with.
fn first(json: &str) -> &'static str {
    match json.trim_start().as_bytes().first() {
        Some(b'[') => "a list",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "true or false",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A JSON object as a list: serde's maps would keep the last of two equal keys in silence.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    members.push(entry);
                }
                Ok(Object(members))
            }
        }
        from.deserialize_map(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ThresholdError;
    use super::super::config::tests::{parse, refused};

    #[test]
    fn a_byte_order_mark_is_accepted_once_and_only_at_the_start() {
        assert_eq!(
            parse("\u{feff}{\"enabled\": false}"),
            parse("{\"enabled\": false}")
        );
        refused(
            "\u{feff}\u{feff}{}",
            "not valid JSON at line 1 column 1: expected value",
        );
        refused(
            "{\u{feff}}",
            "not valid JSON at line 1 column 2: key must be a string",
        );
    }

    #[test]
    fn what_is_not_json_is_refused_with_line_and_column() {
        for (text, message) in [
            ("", "line 1 column 0: EOF while parsing a value"),
            (
                "{\n  \"enabled\": yes\n}",
                "line 2 column 14: expected value",
            ),
            (
                "{\"enabled\": true",
                "line 1 column 16: EOF while parsing an object",
            ),
            ("{} {}", "line 1 column 4: trailing characters"),
            ("{\"enabled\": true,}", "line 1 column 18: trailing comma"),
            ("enabled = true", "line 1 column 1: expected value"),
        ] {
            refused(text, &format!("not valid JSON at {message}"));
        }
        let deep = format!(r#"{{"$schema": {}"#, "[".repeat(10_000));
        assert!(matches!(
            parse(&deep),
            Err(ThresholdError::NotJson { line: 1, .. })
        ));
    }

    #[test]
    fn json_that_is_no_object_is_refused() {
        for (text, found) in [
            ("[{}]", "a list"),
            (" \"enabled\"", "a string"),
            ("true", "true or false"),
            ("null", "null"),
            ("-95.0", "a number"),
        ] {
            refused(text, &format!("must be one JSON object, found {found}"));
        }
    }

    #[test]
    fn sixty_four_kib_are_read_and_one_byte_more_is_refused() {
        let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
        assert!(parse(&padded(65_536)).is_ok());
        refused(
            &padded(65_537),
            "65537 bytes are too many for a configuration, at most 65536 are read",
        );
    }
}
