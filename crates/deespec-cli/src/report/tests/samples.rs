//! `docs/gate-formats.md` shows a sample of each form, which is what is written today.

use std::path::Path;

use clap::ValueEnum as _;

use super::fixture::{look, usual};
use crate::report::{Format, Look, render};

/// `DEESPEC_SAMPLES=overwrite` writes down what comes out now.
#[test]
fn the_documentation_shows_what_is_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gate-formats.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut expected = text.clone();
    for format in Format::value_variants() {
        let name = format.to_possible_value().unwrap();
        let begin = format!("<!-- sample: {} -->\n", name.get_name());
        let (before, rest) = expected
            .split_once(&begin)
            .unwrap_or_else(|| panic!("{begin}"));
        let (fence, rest) = rest.split_once('\n').unwrap();
        assert!(fence.starts_with("````"), "{fence}");
        let (_, after) = rest.split_once("\n````\n").unwrap();
        let look = Look {
            width: Some(80),
            ..look()
        };
        let mut report = usual();
        // One rule is enough to see what stands where.
        if matches!(format, Format::Json | Format::Sarif | Format::Prometheus) {
            report.rules.retain(|rule| rule.rule == "commit-p99");
        }
        let sample = render(&report, *format, &look).unwrap();
        expected = format!(
            "{before}{begin}{fence}\n{}\n````\n{after}",
            sample.trim_end()
        );
    }
    if std::env::var("DEESPEC_SAMPLES").is_ok_and(|how| how == "overwrite") {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        text == expected,
        "other samples; DEESPEC_SAMPLES=overwrite writes them down"
    );
}
