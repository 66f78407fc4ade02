//! What comes from outside may say: how much at once, and under which names. A datagram, a push, a file of somebody
//! else and a command line are outside; a program that links this library, and what a store has published, are not.

use super::MetricError;

/// The largest count that is taken from outside at once: 2^53, up to which every program that knows floating-point
/// numbers alone counts exactly.
pub const COUNT_MAX: u64 = 1 << 53;

/// What one counter counts at most as long as it is counted from outside. As far above it as a counter goes, so many
/// counts of [`COUNT_MAX`] would have to come at the same moment that none of them can make it begin again at 0.
const TOTAL_MAX: u64 = 1 << 63;

/// What the names of metrics begin with in which DeeSpec tells of itself. A counter of the name before the line would be
/// exposed among them, as `deespec_total`.
const OWN: &str = "deespec_";

/// How much may come from outside on top of what was counted.
pub(crate) fn room(counted: u64) -> u64 {
    TOTAL_MAX.saturating_sub(counted)
}

/// Whether so much can be counted at once from outside.
///
/// # Errors
///
/// [`MetricError::Count`] beyond [`COUNT_MAX`].
pub fn check_count(count: u64) -> Result<(), MetricError> {
    match count {
        0..=COUNT_MAX => Ok(()),
        count => Err(MetricError::Count { count }),
    }
}

/// Whether a metric of this name can be written from outside.
///
/// # Errors
///
/// [`MetricError::Reserved`] for a name with which DeeSpec tells of itself, such as `deespec_overflow_total`.
///
/// ```
/// assert!(deespec::check_reserved("jobs_total").is_ok());
/// assert!(deespec::check_reserved("deespec_overflow_total").is_err());
/// assert!(deespec::check_reserved("deespec").is_err());
/// ```
pub fn check_reserved(name: &str) -> Result<(), MetricError> {
    let is_own = name.starts_with(OWN) || OWN.strip_suffix('_') == Some(name);
    match is_own {
        false => Ok(()),
        true => Err(MetricError::Reserved {
            name: name.to_owned(),
        }),
    }
}
