//! Under which name each family is exposed: free of clashes, and the same as long as it exists.
//!
//! The rules are those of OpenMetrics 1.0, which are the stricter ones: the names of a family are its
//! own and those of its samples, and no two families may have one in common.

use std::collections::HashSet;
use std::time::SystemTime;

use crate::metric::Kind;

/// Stands in front of a name that begins with an underscore, which OpenMetrics reserves.
const PREFIX: &str = "deespec";

/// What the naming needs to know of a family.
pub(super) struct Candidate<'a> {
    pub(super) registered: &'a str,
    pub(super) kind: Kind,
    /// When its first series was created.
    pub(super) created: SystemTime,
}

/// The names of the families, in the order of the candidates.
pub(super) fn names(candidates: &[Candidate<'_>]) -> Vec<String> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    // Whoever was there first keeps the name: it may have been scraped already. Where the clock
    // cannot tell, the one that is called as it would be exposed.
    order.sort_by_key(|&index| {
        let one = &candidates[index];
        let renamed = !one.registered.ends_with(suffix(one.kind));
        (one.created, renamed, one.registered)
    });
    let mut taken = HashSet::with_capacity(3 * candidates.len());
    let mut names = vec![String::new(); candidates.len()];
    for index in order {
        let one = &candidates[index];
        names[index] = free(&wanted(one.registered, one.kind), one.kind, &taken);
        taken.extend(occupied(&names[index], one.kind));
    }
    names
}

/// The suffix of the one sample that carries the value.
pub(super) fn suffix(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "_total",
        _ => "",
    }
}

/// The family name that a metric has where nothing clashes.
pub(super) fn wanted(registered: &str, kind: Kind) -> String {
    let prefix = if registered.starts_with('_') {
        PREFIX
    } else {
        ""
    };
    let name = format!("{prefix}{registered}");
    match name.strip_suffix(suffix(kind)) {
        Some(base) if !base.is_empty() => base.to_owned(),
        _ => name,
    }
}

/// `wanted`, or else the first of `wanted_2`, `wanted_3`, … that clashes with nothing.
fn free(wanted: &str, kind: Kind, taken: &HashSet<String>) -> String {
    let is_free = |name: &String| !occupied(name, kind).iter().any(|name| taken.contains(name));
    let numbered = (2_u64..).map(|number| format!("{wanted}_{number}"));
    std::iter::once(wanted.to_owned())
        .chain(numbered)
        .find(is_free)
        .unwrap_or_default()
}

/// Every name that a family has to itself.
fn occupied(name: &str, kind: Kind) -> [String; 3] {
    match kind {
        _ => [
            name.to_owned(),
            format!("{name}_total"),
            format!("{name}_created"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The exposed families of counters that were created one after another.
    fn exposed(registered: &[&str]) -> Vec<String> {
        let candidate = |(second, &registered)| Candidate {
            registered,
            kind: Kind::Counter,
            created: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        };
        let candidates: Vec<_> = (0..).zip(registered).map(candidate).collect();
        names(&candidates)
    }

    #[test]
    fn a_family_is_called_as_its_counter_without_total() {
        assert_eq!(
            exposed(&["jobs_total", "commit_success", "job:rate:5m"]),
            ["jobs", "commit_success", "job:rate:5m"]
        );
    }

    #[test]
    fn a_name_that_looks_like_the_sample_of_another_kind_stays() {
        let names = ["a_bucket", "a_sum", "a_count", "a_info", "a_created", "b"];
        assert_eq!(exposed(&names), names);
    }

    #[test]
    fn the_first_of_two_that_clash_keeps_its_name() {
        assert_eq!(exposed(&["jobs", "jobs_total"]), ["jobs", "jobs_2"]);
        assert_eq!(exposed(&["jobs_total", "jobs"]), ["jobs", "jobs_2"]);
        assert_eq!(
            exposed(&["jobs", "jobs_created"]),
            ["jobs", "jobs_created_2"]
        );
        assert_eq!(
            exposed(&["jobs_created", "jobs"]),
            ["jobs_created", "jobs_2"]
        );
        assert_eq!(
            exposed(&["jobs_total", "jobs_total_total"]),
            ["jobs", "jobs_total_2"]
        );
        assert_eq!(
            exposed(&["jobs_2", "jobs", "jobs_total", "jobs_2_total"]),
            ["jobs_2", "jobs", "jobs_3", "jobs_2_2"]
        );
    }

    #[test]
    fn a_later_family_renames_no_earlier_one() {
        let all = [
            "a",
            "a_total",
            "a_2",
            "a_created",
            "a_2_total",
            "a_total_total",
        ];
        let last = exposed(&all);
        for count in 0..all.len() {
            assert_eq!(exposed(&all[..count]), last[..count]);
        }
    }

    #[test]
    fn of_two_that_were_created_at_once_the_one_that_is_called_so_has_the_name() {
        let candidate = |registered| Candidate {
            registered,
            kind: Kind::Counter,
            created: SystemTime::UNIX_EPOCH,
        };
        let candidates = ["jobs", "jobs_total"].map(candidate);
        assert_eq!(names(&candidates), ["jobs_2", "jobs"]);
    }

    #[test]
    fn no_family_begins_with_an_underscore_or_is_empty() {
        assert_eq!(
            exposed(&["_total", "_x", "__y_total", "deespec_x"]),
            ["deespec", "deespec_x", "deespec__y", "deespec_x_2"]
        );
    }
}
