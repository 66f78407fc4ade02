//! Under which name each family is exposed: free of clashes, and the same as long as it exists.
//!
//! The rules are those of OpenMetrics 1.0, which are the stricter ones: the names of a family are its
//! own and those of its samples, and no two families may have one in common.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::SystemTime;

use crate::metric::Kind;

/// Stands in front of a name that begins with an underscore, which OpenMetrics reserves. Not `deespec`: with that
/// DeeSpec tells of itself.
const PREFIX: &str = "metric";

/// What the samples of a family may have behind its name. No suffix ends in another one, so a name
/// has at most one of them.
const SUFFIXES: [&str; 6] = ["_total", "_created", "_info", "_bucket", "_count", "_sum"];
const TOTAL: u8 = 1;
const CREATED: u8 = 1 << 1;
const INFO: u8 = 1 << 2;
const BUCKET: u8 = 1 << 3;
const COUNT: u8 = 1 << 4;
const SUM: u8 = 1 << 5;
/// No suffix.
const BARE: u8 = 1 << 6;

/// What the naming needs to know of a family.
pub(super) struct Candidate<'a> {
    pub(super) registered: &'a str,
    pub(super) kind: Kind,
    /// When its first series was created.
    pub(super) created: SystemTime,
}

/// The names of the families, in the order of the candidates.
pub(super) fn names<'a>(candidates: &[Candidate<'a>]) -> Vec<Cow<'a, str>> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    // Whoever was there first keeps the name: it may have been scraped already. Where the clock
    // cannot tell, the one that is called as it would be exposed.
    let is_renamed = |one: &Candidate<'_>| !one.registered.ends_with(suffix(one.kind));
    order.sort_by(|&one, &other| {
        let (one, other) = (&candidates[one], &candidates[other]);
        let time = one.created.cmp(&other.created);
        time.then_with(|| is_renamed(one).cmp(&is_renamed(other)))
            .then_with(|| one.registered.cmp(other.registered))
    });
    let mut taken = Taken(HashMap::with_capacity(2 * candidates.len()));
    let mut names = vec![Cow::Borrowed(""); candidates.len()];
    for index in order {
        let Candidate {
            registered, kind, ..
        } = candidates[index];
        names[index] = free(wanted(registered, kind), kind, &taken);
        taken.add(names[index].clone(), kind);
    }
    names
}

/// The suffix of the one sample that carries the value.
pub(super) fn suffix(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Histogram | Kind::Summary => "",
    }
}

/// The family name that a metric has where nothing clashes.
pub(super) fn wanted(registered: &str, kind: Kind) -> Cow<'_, str> {
    if registered.starts_with('_') {
        let name = format!("{PREFIX}{registered}");
        let length = base(&name, kind).len();
        return Cow::Owned(name[..length].to_owned());
    }
    Cow::Borrowed(base(registered, kind))
}

/// The name without the suffix of its kind.
fn base(name: &str, kind: Kind) -> &str {
    match name.strip_suffix(suffix(kind)) {
        Some(base) if !base.is_empty() => base,
        Some(_) | None => name,
    }
}

/// `wanted`, or else the first of `wanted_2`, `wanted_3`, … that clashes with nothing.
fn free<'a>(wanted: Cow<'a, str>, kind: Kind, taken: &Taken<'_>) -> Cow<'a, str> {
    if !taken.has(&wanted, kind) {
        return wanted;
    }
    let mut numbered = (2_u64..).map(|number| format!("{wanted}_{number}"));
    let free = numbered.find(|name| !taken.has(name, kind));
    free.map_or(wanted, Cow::Owned)
}

/// Every name that families have to themselves: for each name without a suffix, which suffixes.
struct Taken<'a>(HashMap<Cow<'a, str>, u8>);

impl<'a> Taken<'a> {
    fn has(&self, family: &str, kind: Kind) -> bool {
        let is_taken = |stem: &str, which| self.0.get(stem).is_some_and(|taken| taken & which > 0);
        let (stem, own) = split(family);
        is_taken(stem, own) || is_taken(family, samples(kind))
    }

    fn add(&mut self, family: Cow<'a, str>, kind: Kind) {
        let (stem, own) = split(&family);
        let stem = match &family {
            Cow::Borrowed(family) => Cow::Borrowed(&family[..stem.len()]),
            Cow::Owned(_) => Cow::Owned(stem.to_owned()),
        };
        *self.0.entry(stem).or_default() |= own;
        *self.0.entry(family).or_default() |= samples(kind);
    }
}

/// A name without its suffix, and which suffix that is.
fn split(name: &str) -> (&str, u8) {
    for (index, suffix) in SUFFIXES.iter().enumerate() {
        if let Some(stem) = name.strip_suffix(suffix) {
            return (stem, 1 << index);
        }
    }
    (name, BARE)
}

/// The suffixes of a family's samples.
fn samples(kind: Kind) -> u8 {
    match kind {
        Kind::Counter => TOTAL | CREATED,
        Kind::Gauge => BARE,
        Kind::Histogram => BUCKET | COUNT | SUM | CREATED,
        // It has no quantiles, and yet the name of those is its own.
        Kind::Summary => BARE | COUNT | SUM | CREATED,
        Kind::Info => INFO,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The exposed families of counters that were created one after another.
    fn exposed(registered: &[&str]) -> Vec<String> {
        let counters: Vec<_> = registered
            .iter()
            .map(|name| (Kind::Counter, *name))
            .collect();
        of_kinds(&counters)
    }

    /// The exposed families of metrics that were created one after another.
    fn of_kinds(registered: &[(Kind, &str)]) -> Vec<String> {
        let candidate = |(second, &(kind, registered))| Candidate {
            registered,
            kind,
            created: SystemTime::UNIX_EPOCH + Duration::from_secs(second),
        };
        let candidates: Vec<_> = (0..).zip(registered).map(candidate).collect();
        names(&candidates)
            .into_iter()
            .map(Cow::into_owned)
            .collect()
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
            ["metric", "metric_x", "metric__y", "deespec_x"]
        );
    }

    #[test]
    fn each_kind_has_the_names_of_its_samples_to_itself() {
        use Kind::{Counter, Gauge, Histogram, Info};
        for (registered, expected) in [
            // An info metric is called as its sample, without the suffix.
            (
                [(Info, "build_info"), (Info, "version")],
                ["build", "version"],
            ),
            (
                [(Info, "build_info"), (Gauge, "build")],
                ["build", "build_2"],
            ),
            (
                [(Info, "build"), (Gauge, "build_info")],
                ["build", "build_info_2"],
            ),
            (
                [(Info, "build"), (Info, "build_info")],
                ["build", "build_2"],
            ),
            (
                [(Info, "build"), (Counter, "build_total")],
                ["build", "build_2"],
            ),
            // A gauge has one name and may look like anything that nobody else has.
            (
                [(Gauge, "jobs_total"), (Gauge, "jobs")],
                ["jobs_total", "jobs"],
            ),
            (
                [(Gauge, "jobs_total"), (Counter, "jobs")],
                ["jobs_total", "jobs_2"],
            ),
            (
                [(Counter, "jobs"), (Gauge, "jobs_total")],
                ["jobs", "jobs_total_2"],
            ),
            (
                [(Counter, "jobs"), (Gauge, "jobs_count")],
                ["jobs", "jobs_count"],
            ),
            // A histogram has five.
            ([(Histogram, "t"), (Gauge, "t")], ["t", "t_2"]),
            ([(Histogram, "t"), (Gauge, "t_bucket")], ["t", "t_bucket_2"]),
            ([(Histogram, "t"), (Gauge, "t_count")], ["t", "t_count_2"]),
            ([(Histogram, "t"), (Gauge, "t_sum")], ["t", "t_sum_2"]),
            (
                [(Gauge, "t_created"), (Histogram, "t")],
                ["t_created", "t_2"],
            ),
            ([(Histogram, "t"), (Gauge, "t_total")], ["t", "t_total"]),
            ([(Histogram, "t"), (Counter, "t_count")], ["t", "t_count_2"]),
            (
                [(Histogram, "t"), (Histogram, "t_count")],
                ["t", "t_count_2"],
            ),
            ([(Histogram, "t_total"), (Counter, "t")], ["t_total", "t_2"]),
            (
                [(Gauge, "_x"), (Histogram, "metric_x")],
                ["metric_x", "metric_x_2"],
            ),
        ] {
            assert_eq!(of_kinds(&registered), expected, "{registered:?}");
        }
    }

    #[test]
    fn no_two_families_of_any_kind_share_a_name() {
        let kinds = [
            Kind::Counter,
            Kind::Gauge,
            Kind::Histogram,
            Kind::Info,
            Kind::Summary,
        ];
        let mut registered = Vec::new();
        for (index, first) in [""].iter().chain(&SUFFIXES).enumerate() {
            for (other, second) in ["", "_2"].iter().chain(&SUFFIXES).enumerate() {
                registered.push((kinds[(index + other) % 5], format!("x{first}{second}")));
                registered.push((kinds[(3 * index + other) % 5], format!("x{first}{second}")));
            }
        }
        let registered: Vec<_> = registered
            .iter()
            .map(|(kind, name)| (*kind, &**name))
            .collect();
        let mut all = std::collections::HashSet::new();
        for ((kind, _), name) in registered.iter().zip(of_kinds(&registered)) {
            let suffixes: &[&str] = match kind {
                Kind::Counter => &["", "_total", "_created"],
                Kind::Gauge => &[""],
                Kind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
                Kind::Summary => &["", "_count", "_sum", "_created"],
                Kind::Info => &["", "_info"],
            };
            for suffix in suffixes {
                assert!(
                    all.insert(format!("{name}{suffix}")),
                    "{kind:?} {name}{suffix}"
                );
            }
        }
    }
}
