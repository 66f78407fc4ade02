//! Which format a scraper gets, by the `Accept` header of its request.

use std::cmp::Ordering;

use crate::snapshot::View;

use super::{openmetrics, prometheus, protobuf};

/// An exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// OpenMetrics 1.0 text.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Prometheus,
    /// Prometheus' protobuf messages, the only ones with native histograms.
    Protobuf,
}

impl Format {
    const ALL: [Self; 3] = [Self::OpenMetrics, Self::Prometheus, Self::Protobuf];

    /// The `Content-Type` of an answer in this format.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => openmetrics::CONTENT_TYPE,
            Self::Prometheus => prometheus::CONTENT_TYPE,
            Self::Protobuf => protobuf::CONTENT_TYPE,
        }
    }

    /// The view in this format.
    #[must_use]
    pub fn encode(self, view: &View) -> Vec<u8> {
        match self {
            Self::OpenMetrics => openmetrics::encode(view).into_bytes(),
            Self::Prometheus => prometheus::encode(view).into_bytes(),
            Self::Protobuf => protobuf::encode(view),
        }
    }

    /// Which of two formats that are asked for alike is taken: the one that says more, when it was
    /// named; the one that everybody can read, when anything would do.
    fn rank(self, precision: u8) -> u8 {
        let is_named = precision >= NAMED;
        match self {
            Self::Protobuf => 3,
            Self::OpenMetrics if is_named => 2,
            Self::Prometheus if is_named => 1,
            Self::OpenMetrics => 1,
            Self::Prometheus => 2,
        }
    }
}

/// The format that a request with this `Accept` header wants; several such headers are one, joined
/// with commas.
///
/// Each format has the weight `q` of the most precise media range that includes it, and the heaviest
/// format is taken. Of equally heavy ones it is the one that is asked for more precisely; and then
/// protobuf before OpenMetrics before Prometheus text where they are named, and Prometheus text
/// before OpenMetrics where a `*` includes both. A `*` never means protobuf.
///
/// - OpenMetrics is `application/openmetrics-text`, of version 1.0.0, 0.0.1 or any.
/// - Prometheus text is `text/plain`, of version 0.0.4 or any.
/// - Protobuf is `application/vnd.google.protobuf` with the two parameters of
///   [`protobuf::CONTENT_TYPE`].
///
/// Other parameters, such as `charset` or `escaping`, change nothing: every name is one that any
/// scraper can read. A media range that cannot be read is passed over. Where nothing is left, or
/// nothing that there is was asked for, it is Prometheus text: a scrape does not fail for its header.
///
/// ```
/// use deespec::exposition::{Format, negotiate};
///
/// assert_eq!(negotiate(None), Format::Prometheus);
/// assert_eq!(negotiate(Some("*/*")), Format::Prometheus);
/// let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
/// assert_eq!(negotiate(Some(accept)), Format::OpenMetrics);
/// ```
#[must_use]
pub fn negotiate(accept: Option<&str>) -> Format {
    let ranges: Vec<Range> = split(accept.unwrap_or_default(), ',')
        .filter_map(Range::parse)
        .collect();
    let offers = Format::ALL.iter().filter_map(|format| {
        // Two versions may be asked for, each with a weight.
        let found = ranges.iter().filter(|range| range.includes(*format));
        let best = found.max_by(|a, b| a.precision.cmp(&b.precision).then(a.weigh(b)))?;
        (best.weight > 0.0).then_some((*format, best))
    });
    let best = offers.max_by(|(one, a), (other, b)| {
        a.weigh(b)
            .then(a.precision.cmp(&b.precision))
            .then(one.rank(a.precision).cmp(&other.rank(b.precision)))
    });
    best.map_or(Format::Prometheus, |(format, _)| format)
}

/// The precision of a range that names a format, though maybe not its version.
const NAMED: u8 = 2;

/// One media range.
struct Range {
    /// What it includes.
    formats: &'static [Format],
    precision: u8,
    weight: f64,
}

impl Range {
    fn includes(&self, format: Format) -> bool {
        self.formats.contains(&format)
    }

    fn weigh(&self, other: &Self) -> Ordering {
        self.weight.total_cmp(&other.weight)
    }

    /// `None` for what cannot be read, and for what includes none of our formats.
    fn parse(range: &str) -> Option<Self> {
        let mut parts = split(range, ';');
        let media_type = parts.next()?.trim().to_ascii_lowercase();
        let mut weight = 1.0;
        let (mut version, mut proto, mut encoding) = (None, None, None);
        for part in parts.filter(|part| !part.trim().is_empty()) {
            let (name, value) = part.split_once('=')?;
            let value = unquoted(value.trim())?;
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => weight = quality(value)?,
                "version" => version = Some(value),
                "proto" => proto = Some(value),
                "encoding" => encoding = Some(value),
                _ => {}
            }
        }
        let is_family = proto == Some("io.prometheus.client.MetricFamily");
        let is_delimited = encoding.is_some_and(|name| name.eq_ignore_ascii_case("delimited"));
        let (formats, precision): (&[Format], u8) = match (media_type.as_str(), version) {
            ("*/*", _) => (&[Format::OpenMetrics, Format::Prometheus], 0),
            ("application/*", _) => (&[Format::OpenMetrics], 1),
            ("text/*", _) => (&[Format::Prometheus], 1),
            ("application/openmetrics-text", None) => (&[Format::OpenMetrics], NAMED),
            ("application/openmetrics-text", Some("1.0.0" | "0.0.1")) => {
                (&[Format::OpenMetrics], 3)
            }
            ("text/plain", None) => (&[Format::Prometheus], NAMED),
            ("text/plain", Some("0.0.4")) => (&[Format::Prometheus], 3),
            ("application/vnd.google.protobuf", _) if is_family && is_delimited => {
                (&[Format::Protobuf], 3)
            }
            _ => return None,
        };
        Some(Self {
            formats,
            precision,
            weight,
        })
    }
}

/// A weight, from 0 to 1.
fn quality(text: &str) -> Option<f64> {
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let quality: f64 = text.parse().ok().filter(|_| is_decimal)?;
    (0.0..=1.0).contains(&quality).then_some(quality)
}

fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// The parts between separators that are not quoted.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |c| {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '\\' => escaped = quoted && !was_escaped,
            '"' => quoted ^= !was_escaped,
            _ => {}
        }
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::Format::{OpenMetrics, Prometheus, Protobuf};
    use super::*;

    const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    #[test]
    fn prometheus_servers_and_others_get_what_they_want_most() {
        let protobuf = |rest: &str| format!("{PROTOBUF}{rest}");
        for (who, accept, expected) in [
            (
                "Prometheus 2.42",
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1".to_owned(),
                OpenMetrics,
            ),
            (
                "Prometheus 2.42 with native histograms",
                protobuf(",application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
                Protobuf,
            ),
            (
                "Prometheus 2.5x",
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2".to_owned(),
                OpenMetrics,
            ),
            (
                "Prometheus 2.5x with native histograms",
                protobuf(";q=0.5,application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"),
                Protobuf,
            ),
            (
                "Prometheus 3",
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2".to_owned(),
                OpenMetrics,
            ),
            (
                "Prometheus 3 with native histograms",
                protobuf(";escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"),
                Protobuf,
            ),
            (
                "Prometheus told to take text",
                "text/plain;version=0.0.4;q=0.2,*/*;q=0.1".to_owned(),
                Prometheus,
            ),
            ("curl", "*/*".to_owned(), Prometheus),
            (
                "a browser",
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8".to_owned(),
                Prometheus,
            ),
        ] {
            assert_eq!(negotiate(Some(&accept)), expected, "{who}");
        }
        assert_eq!(negotiate(None), Prometheus);
    }

    #[test]
    fn the_most_precise_range_tells_a_formats_weight() {
        for (accept, expected) in [
            ("*/*;q=0.9, text/plain;q=0.1", OpenMetrics),
            ("*/*, text/plain;q=0", OpenMetrics),
            (
                "text/*;q=0.9, text/plain;version=0.0.4;q=0.2, application/*;q=0.5",
                OpenMetrics,
            ),
            (
                "text/plain, text/plain;version=0.0.4;q=0.1, */*;q=0.5",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;q=0, */*;q=0.1",
                Prometheus,
            ),
            // One of two versions is refused: the other one is wanted.
            (
                "application/openmetrics-text;version=0.0.1;q=0,application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.5",
                OpenMetrics,
            ),
        ] {
            assert_eq!(negotiate(Some(accept)), expected, "{accept}");
        }
    }

    #[test]
    fn of_equal_weights_the_named_and_then_the_richer_format_is_taken() {
        let all = format!(
            "text/plain;version=0.0.4,{PROTOBUF},application/openmetrics-text;version=1.0.0"
        );
        assert_eq!(negotiate(Some(&all)), Protobuf);
        for (accept, expected) in [
            ("text/plain, application/openmetrics-text", OpenMetrics),
            (
                "text/plain;version=0.0.4, application/openmetrics-text",
                Prometheus,
            ),
            ("*/*, application/openmetrics-text", OpenMetrics),
            ("application/*", OpenMetrics),
            ("application/*, text/*", Prometheus),
            ("text/*", Prometheus),
        ] {
            assert_eq!(negotiate(Some(accept)), expected, "{accept}");
        }
    }

    #[test]
    fn protobuf_is_given_only_to_those_who_name_the_message_and_its_framing() {
        for (accept, expected) in [
            ("application/vnd.google.protobuf", Prometheus),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                Prometheus,
            ),
            (
                "application/vnd.google.protobuf;proto=other.Message;encoding=delimited",
                Prometheus,
            ),
            (
                "Application/VND.google.protobuf ; Encoding=\"delimited\" ; proto=\"io.prometheus.client.MetricFamily\" ; q=0.1",
                Protobuf,
            ),
            (
                "*/*, text/plain;q=0, application/openmetrics-text;q=0",
                Prometheus,
            ),
        ] {
            assert_eq!(negotiate(Some(accept)), expected, "{accept}");
        }
    }

    #[test]
    fn what_cannot_be_read_or_is_not_there_gives_prometheus_text() {
        for accept in [
            "",
            ",;,;=,",
            "text",
            "\"",
            "application/json",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;q=abc",
            "application/openmetrics-text;q=-1",
            "application/openmetrics-text;q=1.1",
            "application/openmetrics-text;q=NaN",
            "application/openmetrics-text;version",
            "application/openmetrics-text;x=\"a,*/*",
            "*/*;q=0",
            "ä/*",
        ] {
            assert_eq!(negotiate(Some(accept)), Prometheus, "{accept}");
        }
        // What can be read beside it counts, and a comma in quotes separates nothing.
        for accept in [
            "garbage;;q=x, application/openmetrics-text",
            "application/openmetrics-text;x=\"\\\",text/plain;\";q=1",
        ] {
            assert_eq!(negotiate(Some(accept)), OpenMetrics, "{accept}");
        }
    }
}
