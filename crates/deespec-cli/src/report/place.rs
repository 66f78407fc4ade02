//! Where a rule stands, as others find it: a path relative to the repository, and a line.

use deespec::gate::Explanation;

use super::Look;

/// Where rules would stand that are from no file. Some formats must name one, or their readers refuse all of it.
const NOWHERE: &str = ".deespec/gate.toml";

/// The file of the rules, with `/` between its parts.
pub(super) fn file(look: &Look) -> &str {
    look.config.as_deref().unwrap_or(NOWHERE)
}

/// The line of a rule, from 1; the first one where nobody said.
pub(super) fn line(rule: &Explanation) -> usize {
    stated(rule).unwrap_or(1)
}

/// The place of a rule as people read it.
pub(super) fn at(rule: &Explanation, look: &Look) -> Option<String> {
    match (&look.config, stated(rule)) {
        (Some(file), Some(line)) => Some(format!("{file}:{line}")),
        _ => rule.config_at.clone(),
    }
}

fn stated(rule: &Explanation) -> Option<usize> {
    let (_, line) = rule.config_at.as_deref()?.rsplit_once(':')?;
    line.parse().ok().filter(|line| *line > 0)
}

/// A path as a URI reference: relative, or of a file where it is outside the repository.
pub(super) fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
