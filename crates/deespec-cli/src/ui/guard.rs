//! What others may read into our lines. A CI runner takes some lines of a log for commands to itself, and names of
//! metrics, labels and paths are texts of others: none of them may speak for us
//! (`docs/design/0066-no-line-of-ours-is-a-command.md`).

use std::borrow::Cow;

/// What runners look for where a line begins, blanks before it left away: GitHub, GitLab, Travis, Buildkite.
const BEGINNINGS: [&str; 8] = [
    "::",
    "section_start:",
    "section_end:",
    "travis_fold:",
    "--- ",
    "+++ ",
    "~~~ ",
    "^^^ ",
];

/// A text of lines that no runner takes for a command.
pub(super) fn guarded(text: &str) -> Cow<'_, str> {
    if !text.lines().any(is_command) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n');
    Cow::Owned(lines.map(guarded_line).collect())
}

fn is_command(line: &str) -> bool {
    begins(line) || hash_command(line).is_some()
}

fn begins(line: &str) -> bool {
    let line = line.trim_start();
    BEGINNINGS.iter().any(|begin| line.starts_with(begin))
}

/// Where the second `#` of `##vso[`, `##[`, `##teamcity[` and their kind stands: Azure looks for them in the midst of a
/// line, too.
fn hash_command(line: &str) -> Option<usize> {
    // In three of them there are two pairs.
    line.match_indices('#').find_map(|(at, _)| {
        let rest = line[at + 1..].strip_prefix('#')?;
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        rest.starts_with('[').then_some(at + 1)
    })
}

fn guarded_line(line: &str) -> String {
    let (mut rest, mut line) = (line, String::with_capacity(line.len()));
    while let Some(at) = hash_command(rest) {
        line.push_str(&rest[..at]);
        line.push_str("\\u{23}");
        rest = &rest[at + 1..];
    }
    line.push_str(rest);
    if begins(&line) {
        let at = line.len() - line.trim_start().len();
        let first = line[at..].chars().next().unwrap_or(' ');
        let escaped = format!("\\u{{{:x}}}", u32::from(first));
        line.replace_range(at..at + first.len_utf8(), &escaped);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_runner_obeys_is_shown_and_not_said() {
        for (text, shown) in [
            ("::error::x  1\n", "\\u{3a}:error::x  1\n"),
            ("a\n  ::group::x\nb", "a\n  \\u{3a}:group::x\nb"),
            ("\t::x", "\t\\u{3a}:x"),
            ("\u{a0}::x", "\u{a0}\\u{3a}:x"),
            ("a ##[error]x", "a #\\u{23}[error]x"),
            ("##vso[task.x]##[y]", "#\\u{23}vso[task.x]#\\u{23}[y]"),
            ("###teamcity[x]", "##\\u{23}teamcity[x]"),
            ("section_start:1:x", "\\u{73}ection_start:1:x"),
            ("+++ x\n--- x", "\\u{2b}++ x\n\\u{2d}-- x"),
        ] {
            assert_eq!(guarded(text), shown);
            assert!(!guarded(text).lines().any(is_command), "{text:?}");
        }
    }

    #[test]
    fn all_else_stays_as_it_is() {
        for text in [
            "",
            "\n",
            "INFO: a ::x",
            "a::b 1\n",
            "# [x]",
            "## a [x]",
            ":x",
            "section_started 1",
            "---",
        ] {
            assert!(
                matches!(guarded(text), Cow::Borrowed(same) if same == text),
                "{text:?}"
            );
        }
    }
}
