//! A fixed limit.

use super::judged::Judged;
use crate::gate::report::Outcome;
use crate::gate::rules::Limit;
use crate::gate::statistics::shift::Bad;

/// Beyond `fail` it fails, beyond `warn` it warns; equality passes.
pub(super) fn judge(limit: &Limit, bad: Bad, value: f64) -> Judged {
    let is_beyond = |limit: Option<f64>| limit.is_some_and(|limit| bad.is_beyond(value, limit));
    let (outcome, broken) = match () {
        () if is_beyond(limit.fail) => (Outcome::Fail, limit.fail),
        () if is_beyond(limit.warn) => (Outcome::Warn, limit.warn),
        // The next one that would be broken.
        () => (Outcome::Pass, limit.warn.or(limit.fail)),
    };
    Judged {
        limit: broken,
        ..Judged::new(outcome, Some(value))
    }
}
