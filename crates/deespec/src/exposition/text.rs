//! What both text formats have in common: label sets and escapes.

use super::family::Series;

/// Writes `{name="value",…}`, or nothing where there are no labels.
pub(super) fn push_labels(text: &mut String, series: &Series<'_>) {
    if push_open_labels(text, series) {
        text.push('}');
    }
}

/// Writes `{name="value",…` without the end, or nothing where there are no labels; gives whether
/// there are any.
pub(super) fn push_open_labels(text: &mut String, series: &Series<'_>) -> bool {
    let mut before = '{';
    for (name, value) in series.labels() {
        text.push(before);
        text.push_str(name);
        text.push_str("=\"");
        push_escaped(text, value, true);
        text.push('"');
        before = ',';
    }
    before == ','
}

/// Writes a text in which backslash and newline are escaped, and quotes where that is asked for.
pub(super) fn push_escaped(text: &mut String, value: &str, quotes: bool) {
    let mut rest = value;
    // Over bytes, which is faster: no byte of a longer character is one of the three.
    let is_special = |b: &u8| matches!(b, b'\\' | b'\n') || (quotes && *b == b'"');
    while let Some(at) = rest.as_bytes().iter().position(is_special) {
        text.push_str(&rest[..at]);
        text.push_str(match rest.as_bytes()[at] {
            b'\n' => "\\n",
            b'"' => "\\\"",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(value: &str, quotes: bool) -> String {
        let mut text = String::new();
        push_escaped(&mut text, value, quotes);
        text
    }

    #[test]
    fn backslash_quote_and_newline_are_escaped_and_nothing_else() {
        assert_eq!(escaped("a\\b\"c\nd", true), "a\\\\b\\\"c\\nd");
        assert_eq!(escaped("a\\b\"c\nd", false), "a\\\\b\"c\\nd");
        for plain in ["", "ä\t\r\u{2028}\0日本", "{},= #"] {
            assert_eq!(escaped(plain, true), plain);
        }
    }
}
