//! A number with its unit, for the screen and for the document.

use std::fmt;

use serde_json::{Value, json};

/// A number with its unit.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    Nanoseconds(f64),
    Bytes(f64),
    PerSecond(f64),
    Files(f64),
    /// Of one core's time, in percent.
    OfACore(f64),
    /// What is left of a number of increments that all returned.
    Kept {
        kept: u64,
        of: u64,
    },
}

impl Figure {
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Nanoseconds(value)
            | Self::Bytes(value)
            | Self::PerSecond(value)
            | Self::Files(value)
            | Self::OfACore(value) => value,
            Self::Kept { kept, .. } => kept as f64,
        }
    }

    pub(crate) fn document(self) -> Value {
        let unit = match self {
            Self::Nanoseconds(_) => "ns",
            Self::Bytes(_) => "bytes",
            Self::PerSecond(_) => "per second",
            Self::Files(_) => "files",
            Self::OfACore(_) => "percent of a core",
            Self::Kept { kept, of } => {
                return json!({ "value": kept, "of": of, "unit": "increments" });
            }
        };
        json!({ "value": self.value(), "unit": unit })
    }
}

/// How many of what a row is about, where a short run takes fewer: not a part of the row's name.
#[derive(Clone, Copy)]
pub(crate) struct HowMany(u64, &'static str);

impl HowMany {
    pub(crate) fn of(count: usize, what: &'static str) -> Self {
        Self(count as u64, what)
    }

    pub(crate) fn document(self) -> Value {
        json!({ "value": self.0, "unit": self.1 })
    }
}

impl fmt::Display for HowMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: f64 = 1024.0 * 1024.0;
        match *self {
            Self::Nanoseconds(ns) if ns < 1e3 => write!(f, "{ns:.2} ns"),
            Self::Nanoseconds(ns) if ns < 1e6 => write!(f, "{:.2} us", ns / 1e3),
            Self::Nanoseconds(ns) if ns < 1e9 => write!(f, "{:.2} ms", ns / 1e6),
            Self::Nanoseconds(ns) => write!(f, "{:.2} s", ns / 1e9),
            Self::Bytes(bytes) if bytes.abs() < 1024.0 => write!(f, "{bytes} bytes"),
            Self::Bytes(bytes) if bytes.abs() < MIB => write!(f, "{:.1} KiB", bytes / 1024.0),
            Self::Bytes(bytes) => write!(f, "{:.1} MiB", bytes / MIB),
            Self::PerSecond(rate) => write!(f, "{rate:.0}/s"),
            Self::Files(count) => write!(f, "{count} files"),
            Self::OfACore(percent) => write!(f, "{percent:.2} % of a core"),
            Self::Kept { kept, of } => {
                write!(
                    f,
                    "{kept} of {of} ({:.1} %)",
                    100.0 * kept as f64 / of as f64
                )
            }
        }
    }
}
