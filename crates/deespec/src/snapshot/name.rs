//! The names of snapshot files, and nothing else that might lie in their folder.

use std::fmt;
use std::path::Path;
use std::time::SystemTime;

use super::time;

/// The name of a snapshot: `metrics_20261123_070809_123456789.json`, after the time it was taken.
///
/// ```
/// let name: deespec::SnapshotName = "metrics_20261123_070809_123456789.json".parse().unwrap();
/// assert_eq!(name.to_string(), "metrics_20261123_070809_123456789.json");
/// assert!("../metrics.json".parse::<deespec::SnapshotName>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName {
    pub(crate) ns: u64,
}

/// The text is not the name of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a snapshot's name has the form metrics_YYYYMMDD_HHMMSS_nnnnnnnnn.json")]
pub struct NotASnapshotName;

impl SnapshotName {
    /// When the snapshot was taken.
    #[must_use]
    pub fn taken_at(self) -> SystemTime {
        time::system_time(self.ns)
    }

    /// The name of the file at `path`, where it is a snapshot's.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        path.file_name()?.to_str()?.parse().ok()
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics_{}.json", time::to_stamp(self.ns))
    }
}

impl std::str::FromStr for SnapshotName {
    type Err = NotASnapshotName;

    fn from_str(text: &str) -> Result<Self, NotASnapshotName> {
        text.strip_prefix("metrics_")
            .and_then(|rest| rest.strip_suffix(".json"))
            .and_then(time::from_stamp)
            .map(|ns| Self { ns })
            .ok_or(NotASnapshotName)
    }
}
