//! The five thresholds: what they are and what they are when nobody says.
//!
//! This room holds values that are already valid; reading them from text is `config`, applying
//! them is `judgement`.

use serde::{Serialize, Serializer};
use std::path::{Path, PathBuf};

/// The limits that the static gate applies, each within its range.
///
/// `Default` gives the limits that hold when there is no configuration;
/// [`parse`](Self::parse) reads them from the text of a `thresholds.json`. It serialises as the
/// `config` object of a judgement.
///
/// | key | unit | default |
/// |---|---|---|
/// | `success_rate_threshold` | percent, 0 to 100 | 95.0 |
/// | `max_cas_conflicts` | conflicts | 100 |
/// | `max_recovery_count` | recoveries | 10 |
/// | `min_total_commits` | commits | 5 |
/// | `enabled` | true or false | true |
///
/// # Examples
///
/// ```
/// use deespec::gate::Thresholds;
///
/// let thresholds = Thresholds::default();
/// assert_eq!(thresholds.success_rate_threshold(), 95.0);
/// assert_eq!(thresholds.source(), None);
/// assert_eq!(thresholds.defaulted().len(), 5);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Thresholds {
    #[serde(serialize_with = "lossy_path")]
    pub(super) source: Option<PathBuf>,
    pub(super) success_rate_threshold: f64,
    pub(super) max_cas_conflicts: u64,
    pub(super) max_recovery_count: u64,
    pub(super) min_total_commits: u64,
    pub(super) enabled: bool,
    pub(super) defaulted: Vec<&'static str>,
}

/// The keys that a configuration may set, in the order of the documentation.
pub(super) const KEYS: [&str; 5] = [
    "success_rate_threshold",
    "max_cas_conflicts",
    "max_recovery_count",
    "min_total_commits",
    "enabled",
];

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            source: None,
            success_rate_threshold: 95.0,
            max_cas_conflicts: 100,
            max_recovery_count: 10,
            min_total_commits: 5,
            enabled: true,
            defaulted: KEYS.to_vec(),
        }
    }
}

impl Thresholds {
    /// The success rate, in percent from 0 to 100, below which the gate fails.
    pub fn success_rate_threshold(&self) -> f64 {
        self.success_rate_threshold
    }

    /// The number of compare-and-swap conflicts above which the gate fails.
    pub fn max_cas_conflicts(&self) -> u64 {
        self.max_cas_conflicts
    }

    /// The number of recoveries above which the gate fails.
    pub fn max_recovery_count(&self) -> u64 {
        self.max_recovery_count
    }

    /// The number of commits below which the success rate is not judged.
    pub fn min_total_commits(&self) -> u64 {
        self.min_total_commits
    }

    /// Whether the gate judges at all.
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// The file that the limits come from; `None` for the built-in defaults.
    pub fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// The keys that the configuration does not set, so that the default holds.
    pub fn defaulted(&self) -> &[&'static str] {
        &self.defaulted
    }
}

/// Serde refuses a path that is not UTF-8; a report must not fail because of a file name.
fn lossy_path<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
    path.as_ref()
        .map(|path| path.to_string_lossy())
        .serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_documented_ones_and_say_that_they_are_defaults() {
        assert_eq!(
            serde_json::to_string(&Thresholds::default()).unwrap(),
            r#"{"source":null,"success_rate_threshold":95.0,"max_cas_conflicts":100,"#.to_owned()
                + r#""max_recovery_count":10,"min_total_commits":5,"enabled":true,"defaulted":"#
                + r#"["success_rate_threshold","max_cas_conflicts","max_recovery_count","#
                + r#""min_total_commits","enabled"]}"#
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_is_reported_with_a_replacement_character() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"gate\xff.json"));
        let thresholds = Thresholds::parse("{}", path).unwrap();
        assert_eq!(thresholds.source(), Some(path));
        let json = serde_json::to_value(&thresholds).unwrap();
        assert_eq!(json["source"], "gate\u{fffd}.json");
    }
}
