//! The grammar of one line, and nothing of how lines belong together.

use std::borrow::Cow;

use crate::metric::{LABELS_MAX, check_label_set, check_metric_name};

use super::number::{float, seconds};
use super::{BLANKS, Fault, Format, Labels};

/// A line that begins with `#`.
pub(super) enum Metadata<'a> {
    Type { name: &'a str, word: &'a str },
    Help { name: &'a str, text: String },
    Unit { name: &'a str, unit: &'a str },
    Comment,
}

/// A line with a value. Times and exemplars have been checked and left out.
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    /// Sorted by name; `le` and labels without a value are among them.
    pub(super) labels: Labels<'a>,
    /// A number.
    pub(super) value: &'a str,
    pub(super) has_exemplar: bool,
}

/// What a message shows of a text that may be long.
pub(super) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

pub(super) fn metadata(format: Format, line: &str) -> Result<Metadata<'_>, Fault> {
    let mut cursor = Cursor { rest: line, format };
    cursor.eat('#');
    let apart = cursor.gap();
    let keyword = cursor.word(&BLANKS);
    let is_metadata = matches!(keyword, "TYPE" | "HELP" | "UNIT");
    match format {
        Format::OpenMetrics if !apart || !is_metadata => {
            return Err("a line that begins with # must be # TYPE, # UNIT, # HELP or # EOF".into());
        }
        Format::Prometheus if keyword == "EOF" => {
            return Err("# EOF must stand alone, without blanks around it".into());
        }
        // Prometheus takes a keyword alone for a comment.
        Format::Prometheus if !is_metadata || cursor.rest.is_empty() => {
            return Ok(Metadata::Comment);
        }
        Format::OpenMetrics | Format::Prometheus => {}
    }
    if keyword == "UNIT" && format == Format::Prometheus {
        return Err(Fault::Foreign("a # UNIT"));
    }
    if !cursor.gap() {
        return Err(format!("one space and a name must follow # {keyword}").into());
    }
    let name = cursor.word(&BLANKS);
    check_metric_name(name)?;
    let apart = cursor.gap();
    // Prometheus writes a HELP without a text in this way too.
    let may_end = format == Format::Prometheus && keyword == "HELP";
    if !apart && !may_end {
        return Err(format!("# {keyword} {name} ends too early").into());
    }
    let rest = cursor.rest;
    match keyword {
        "TYPE" => Ok(Metadata::Type { name, word: rest }),
        "HELP" => {
            let text = cursor.unescaped(false)?.into_owned();
            Ok(Metadata::Help { name, text })
        }
        _ => Ok(Metadata::Unit { name, unit: rest }),
    }
}

pub(super) fn sample(format: Format, line: &str) -> Result<Sample<'_>, Fault> {
    let mut cursor = Cursor { rest: line, format };
    let name = cursor.word(&['{', ' ', '\t']);
    check_metric_name(name)?;
    let mut apart = cursor.gap();
    let mut labels = Labels::new();
    // Prometheus allows blanks in front of the brace.
    if (!apart || format == Format::Prometheus) && cursor.eat('{') {
        labels = cursor.labels()?;
        apart = cursor.gap();
    }
    let value = cursor.word(&BLANKS);
    if !apart || value.is_empty() {
        return Err("a value must follow the name and its labels, one space apart".into());
    }
    float(value)?;
    let has_exemplar = cursor.tail()?;
    Ok(Sample {
        name,
        labels,
        value,
        has_exemplar,
    })
}

/// A name and its labels alone, in which blanks may stand as Prometheus allows it.
pub(crate) fn selected(text: &str) -> Result<(&str, Labels<'_>), String> {
    let mut cursor = Cursor {
        rest: text.trim_matches(BLANKS),
        format: Format::Prometheus,
    };
    let name = cursor.word(&['{', ' ', '\t']);
    check_metric_name(name).map_err(|error| error.to_string())?;
    cursor.skip();
    let mut labels = Labels::new();
    if cursor.eat('{') {
        labels = cursor.labels().map_err(|fault| match fault {
            Fault::Wrong(reason) => reason,
            // Of whole texts, which this is none.
            Fault::Foreign(_) | Fault::Before(_) => "its labels are not lawful".to_owned(),
        })?;
    }
    match cursor.rest.is_empty() {
        true => Ok((name, labels)),
        false => Err(format!("{} stands behind it", excerpt(cursor.rest))),
    }
}

struct Cursor<'a> {
    rest: &'a str,
    format: Format,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Everything up to one of `ends`.
    fn word(&mut self, ends: &[char]) -> &'a str {
        let at = self.rest.find(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(at);
        self.rest = rest;
        word
    }

    /// What stands between two words: one space, and in Prometheus text any blanks.
    fn gap(&mut self) -> bool {
        match self.format {
            Format::OpenMetrics => self.eat(' '),
            Format::Prometheus => {
                let before = self.rest.len();
                self.skip();
                self.rest.len() < before
            }
        }
    }

    /// What may stand around the signs between braces: nothing, and in Prometheus text any blanks.
    fn skip(&mut self) {
        if self.format == Format::Prometheus {
            self.rest = self.rest.trim_start_matches(BLANKS);
        }
    }

    /// The labels behind an opening brace, sorted by name.
    fn labels(&mut self) -> Result<Labels<'a>, Fault> {
        let mut labels = Labels::new();
        loop {
            // No series has them; a line without an end is not worth the memory.
            if labels.len() > LABELS_MAX + 1 {
                return Err(format!("a series has at most {LABELS_MAX} labels").into());
            }
            self.skip();
            let may_end = labels.is_empty() || self.format == Format::Prometheus;
            if may_end && self.eat('}') {
                break;
            }
            let name = self.word(&['=', ',', '{', '}', '"', ' ', '\t']);
            self.skip();
            let has_value = self.eat('=') && {
                self.skip();
                self.eat('"')
            };
            if !has_value {
                return Err(
                    format!("the label {} lacks =\" behind its name", excerpt(name)).into(),
                );
            }
            labels.push((name, self.unescaped(true)?));
            self.skip();
            if self.eat('}') {
                break;
            }
            if !self.eat(',') {
                return Err(format!("the label {} lacks , or }} behind it", excerpt(name)).into());
            }
        }
        labels.sort_unstable();
        let borrowed: Vec<(&str, &str)> = labels
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        check_label_set(&borrowed)?;
        Ok(labels)
    }

    /// A text without its escapes: up to a quote, which is taken too, or up to the end.
    fn unescaped(&mut self, quoted: bool) -> Result<Cow<'a, str>, Fault> {
        let mut text = Cow::Borrowed("");
        loop {
            let plain = self.word(if quoted { &['\\', '"'] } else { &['\\'] });
            text += plain;
            let mut chars = self.rest.chars();
            match chars.next() {
                Some('\\') => {}
                Some(_) => {
                    self.rest = chars.as_str();
                    return Ok(text);
                }
                None if quoted => return Err("a label's value lacks the quote at its end".into()),
                None => return Ok(text),
            }
            let escaped = chars.next();
            match escaped {
                Some('\\') => text += "\\",
                Some('n') => text += "\n",
                // In the HELP of a Prometheus text a quote is nothing special.
                Some('"') if quoted || self.format == Format::OpenMetrics => text += "\"",
                _ if self.format == Format::OpenMetrics => {
                    let escape: String = ['\\'].into_iter().chain(escaped).collect();
                    return Err(
                        format!("{escape} is not an escape: only \\\\, \\\" and \\n are").into(),
                    );
                }
                // A Prometheus server leaves the others as they stand, and so do we.
                _ => text.to_mut().extend(['\\'].into_iter().chain(escaped)),
            }
            self.rest = chars.as_str();
        }
    }

    /// The time and the exemplar behind a value; tells whether there was an exemplar.
    fn tail(&mut self) -> Result<bool, Fault> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        self.gap();
        if !self.rest.starts_with('#') {
            self.time()?;
            if self.rest.is_empty() {
                return Ok(false);
            }
            self.gap();
        }
        if !self.eat('#') {
            return Err(format!("{} is too much behind the sample", excerpt(self.rest)).into());
        }
        if self.format == Format::Prometheus {
            return Err(Fault::Foreign("an exemplar"));
        }
        if !(self.gap() && self.eat('{')) {
            return Err("an exemplar must begin with # { behind one space each".into());
        }
        self.labels()?;
        let apart = self.gap();
        let value = self.word(&BLANKS);
        if !apart || value.is_empty() {
            return Err("an exemplar lacks its value".into());
        }
        float(value)?;
        if !self.rest.is_empty() {
            self.gap();
            self.time()?;
        }
        if !self.rest.is_empty() {
            return Err(format!("{} is too much behind the exemplar", excerpt(self.rest)).into());
        }
        Ok(true)
    }

    fn time(&mut self) -> Result<(), Fault> {
        let text = self.word(&BLANKS);
        match self.format {
            Format::OpenMetrics if text.is_empty() => {
                Err("there are blanks too many behind the value".into())
            }
            Format::OpenMetrics => seconds(text).map(|_| ()),
            Format::Prometheus if text.parse::<i64>().is_ok() => Ok(()),
            Format::Prometheus if text.contains('.') && seconds(text).is_ok() => {
                Err(Fault::Foreign("a time with a fraction"))
            }
            Format::Prometheus => {
                Err(format!("{} is not a time in milliseconds", excerpt(text)).into())
            }
        }
    }
}
