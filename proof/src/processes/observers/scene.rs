//! What is observed: each scene is one way in which a sum and its buckets can be apart.

use deespec::Buckets;

/// What is observed.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) buckets: fn() -> std::result::Result<Buckets, deespec::MetricError>,
    /// Observed before anything is killed, so often each.
    pub(super) before: &'static [(f64, u64)],
    /// Observed by each process once, before all others.
    pub(super) once: &'static [f64],
    /// Then in turns. Where there is none, nothing is killed at random: such sums would soon be more than a sum
    /// can be.
    pub(super) values: &'static [f64],
}

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "on a bound",
        buckets: || Buckets::classic([1.0, 10.0]),
        before: &[(10.0, 3)],
        once: &[],
        values: &[10.0],
    },
    Scene {
        name: "first",
        buckets: || Buckets::classic([1.0, 10.0]),
        before: &[],
        once: &[],
        values: &[1.0],
    },
    Scene {
        name: "first of all, and large",
        buckets: || Buckets::classic([0.1, 1.0]),
        before: &[],
        once: &[2e8],
        values: &[],
    },
    Scene {
        name: "large among small",
        buckets: || Buckets::classic([0.1, 1.0, 1e6]),
        before: &[(0.1, 1000)],
        once: &[1e6],
        values: &[0.1, 0.05],
    },
    Scene {
        name: "below zero",
        buckets: || Buckets::classic([-10.0, -1.0]),
        before: &[(-1.0, 5)],
        once: &[],
        values: &[-10.0, -1.0],
    },
    Scene {
        name: "both signs",
        buckets: || Buckets::native(0, 1.0, 64.0)?.with_negative(),
        before: &[(4.0, 2), (-8.0, 2)],
        once: &[64.0, -64.0],
        values: &[1.0, -2.0],
    },
    Scene {
        name: "native",
        buckets: || Ok(Buckets::seconds()),
        before: &[(0.25, 1)],
        once: &[65536.0, 1e6],
        values: &[0.5],
    },
];

impl Scene {
    /// What is observed once, and then what is observed in turns.
    pub(super) fn all(&self) -> impl Iterator<Item = f64> {
        self.once.iter().chain(self.values).copied()
    }

    /// The largest observation.
    pub(super) fn most(&self) -> f64 {
        self.all()
            .chain(self.before.iter().map(|(value, _)| *value))
            .map(f64::abs)
            .fold(0.0, f64::max)
    }
}
