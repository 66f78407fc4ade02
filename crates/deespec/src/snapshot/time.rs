//! Times: nanoseconds since 1970 inside, RFC 3339 in documents, a sortable stamp in file names.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;

/// The time as the programs' own type.
pub(crate) fn system_time(ns: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(ns)
}

fn timestamp(ns: u64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(ns)).unwrap_or(Timestamp::MAX)
}

/// RFC 3339 in UTC to the second.
pub(crate) fn to_seconds(ns: u64) -> String {
    DateTimePrinter::new()
        .precision(Some(0))
        .timestamp_to_string(&timestamp(ns))
}

/// RFC 3339 in UTC with nine digits of a second.
pub(crate) fn to_nanoseconds(ns: u64) -> String {
    DateTimePrinter::new()
        .precision(Some(9))
        .timestamp_to_string(&timestamp(ns))
}

/// The stamp in a snapshot's name: `20261123_070809_123456789`.
pub(crate) fn to_stamp(ns: u64) -> String {
    timestamp(ns).strftime("%Y%m%d_%H%M%S_%9f").to_string()
}

/// The time that [`to_stamp`] wrote; `None` for any other text.
pub(crate) fn from_stamp(stamp: &str) -> Option<u64> {
    let shape = stamp.len() == 25
        && stamp.bytes().enumerate().all(|(i, byte)| match i {
            8 | 15 => byte == b'_',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    // Not through a text and back: a folder may have 100,000 of them.
    let number = |at: std::ops::Range<usize>| stamp.get(at)?.parse::<i16>().ok();
    let small = |at| i8::try_from(number(at)?).ok();
    let time = DateTime::new(
        number(0..4)?,
        small(4..6)?,
        small(6..8)?,
        small(9..11)?,
        small(11..13)?,
        small(13..15)?,
        stamp.get(16..)?.parse().ok()?,
    );
    let time = TimeZone::UTC.to_timestamp(time.ok()?).ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: u64 = 1_795_417_689_123_456_789;

    #[test]
    fn times_have_fixed_forms() {
        assert_eq!(to_seconds(NS), "2026-11-23T07:08:09Z");
        assert_eq!(to_nanoseconds(NS), "2026-11-23T07:08:09.123456789Z");
        assert_eq!(to_nanoseconds(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(to_stamp(NS), "20261123_070809_123456789");
    }

    #[test]
    fn a_stamp_reads_back_and_other_texts_do_not() {
        assert_eq!(from_stamp(&to_stamp(NS)), Some(NS));
        for bad in [
            "",
            "20261123_070809_12345678",
            "20261323_070809_123456789",
            "20261123_250809_123456789",
            "20261123-070809_123456789",
            "2026112x_070809_123456789",
        ] {
            assert_eq!(from_stamp(bad), None, "{bad}");
        }
    }
}
