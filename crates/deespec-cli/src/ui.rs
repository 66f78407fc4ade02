//! The only printer: results go to stdout, log lines and errors to stderr.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;
use std::time::Duration;

use anstream::adapter::strip_str;
use clap::error::{ContextValue, ErrorKind};
use deespec::gate::{Level, LogLine};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Serialize, Serializer, ser::SerializeMap as _};

use crate::exit::{Code, Failure};

mod guard;
mod table;

pub(crate) use table::{columns, fits, indented, one_line_each, titled};

/// How log lines look.
// The variants have no help of their own: it would take six lines in the help of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Where a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    log_format: LogFormat,
}

#[derive(Serialize)]
struct JsonLog<'a> {
    level: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    fields: Fields<'a>,
}

/// The fields of a log line in the order in which they were given.
struct Fields<'a>(&'a [(&'static str, String)]);

impl Fields<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (key, value) in self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Ui {
    pub(crate) fn new(log_format: LogFormat) -> Self {
        Self { log_format }
    }

    /// Whether results go to a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        io::stdout().is_terminal()
    }

    /// How many characters a line of the terminal has, where results go to one.
    pub(crate) fn width(self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(usize::from(size.ws_col))
    }

    /// Prints a result for people, in which no runner of a pipeline finds a command to itself.
    pub(crate) fn print(self, text: &str) {
        self.bytes_to(io::stdout().lock(), guard::guarded(text).as_bytes());
    }

    /// Prints a result to the last byte, as other programs need it. A terminal shows what it would
    /// otherwise obey.
    pub(crate) fn bytes(self, bytes: &[u8]) {
        if self.is_terminal() {
            let text = String::from_utf8_lossy(bytes);
            let lines = text.split_inclusive('\n').map(|line| {
                let end = if line.ends_with('\n') { "\n" } else { "" };
                printable(line.trim_end_matches('\n')) + end
            });
            let text: String = lines.collect();
            self.bytes_to(io::stdout().lock(), text.as_bytes());
        } else {
            self.bytes_to(io::stdout().lock(), bytes);
        }
    }

    fn bytes_to(self, mut stdout: impl Write, bytes: &[u8]) {
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => {}
            // The reader has seen enough, as in `deespec show | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(error) => {
                self.failure(&Failure::new(format!("cannot write the result: {error}")));
                std::process::exit(3);
            }
        }
    }

    /// Prints a result of one line, whatever stands in it: also where a log takes the end of a line for one.
    pub(crate) fn line(self, text: &str) {
        self.print(&format!("{}\n", printable(text)));
    }

    /// Prints a document of the store: to the last byte, for it has a checksum. On a terminal it is shown.
    pub(crate) fn document(self, text: &str) {
        let shown = match self.is_terminal() {
            true => &harmless(text),
            false => text,
        };
        self.bytes_to(io::stdout().lock(), shown.as_bytes());
    }

    /// Prints a result as JSON.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        self.print(&harmless(&pretty(value)?));
        Ok(())
    }

    /// Prints a result as JSON on one line.
    pub(crate) fn json_line(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::new(format!("cannot write the result as JSON: {error}")))?;
        self.print(&format!("{}\n", harmless(&text)));
        Ok(())
    }

    /// Waits, and ends the program when the reader of its results goes meanwhile.
    pub(crate) fn pause(self, time: Duration) {
        let stdout = io::stdout();
        let mut reader = [PollFd::new(&stdout, PollFlags::empty())];
        let timeout = Timespec::try_from(time).ok();
        if poll(&mut reader, timeout.as_ref()).is_ok_and(|ready| ready > 0) {
            std::process::exit(0);
        }
    }

    /// Writes a log line.
    pub(crate) fn log(self, line: &LogLine) {
        match self.log_format {
            LogFormat::Text => say(&printable(&line.to_string())),
            LogFormat::Json => {
                let json = JsonLog {
                    level: line.level.to_string(),
                    message: &line.message,
                    fields: Fields(&line.fields),
                };
                say(&harmless(&serde_json::to_string(&json).unwrap_or_default()));
            }
        }
    }

    pub(crate) fn info(self, message: &str, fields: Vec<(&'static str, String)>) {
        self.log(&LogLine {
            level: Level::Info,
            message: message.to_owned(),
            fields,
        });
    }

    pub(crate) fn warn(self, message: &str, fields: Vec<(&'static str, String)>) {
        self.log(&LogLine {
            level: Level::Warn,
            message: message.to_owned(),
            fields,
        });
    }

    #[cfg(feature = "serve")]
    pub(crate) fn error(self, message: &str, fields: Vec<(&'static str, String)>) {
        self.log(&LogLine {
            level: Level::Error,
            message: message.to_owned(),
            fields,
        });
    }

    /// Writes why a command could not be done.
    pub(crate) fn failure(self, failure: &Failure) {
        let hint = failure.hint.iter().map(|hint| ("hint", hint.clone()));
        let fields = if self.log_format == LogFormat::Json {
            hint.collect()
        } else {
            Vec::new()
        };
        self.log(&LogLine {
            level: Level::Error,
            message: failure.message.clone(),
            fields,
        });
        if self.log_format == LogFormat::Text
            && let Some(hint) = &failure.hint
        {
            say(&format!("  help: {}", printable(hint)));
        }
    }

    /// Prints what the parser of the arguments has to say: the help, or what is wrong with them.
    pub(crate) fn usage(self, error: &clap::Error) -> Code {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                let _ = error.print();
                return Code::Done;
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                if self.log_format == LogFormat::Text =>
            {
                let _ = error.print();
                return Code::NotDone;
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                self.failure(&Failure::new("no command is given").hint("try '--help'"));
                return Code::NotDone;
            }
            _ => {}
        }
        // Clap's own code for usage errors is 2, which here means "the gate warns".
        let text = shown(error);
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        if self.log_format == LogFormat::Json {
            let (message, rest) = text.split_once("\n\n").unwrap_or((text, ""));
            let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            self.failure(&Failure::new(one_line(message)).hint(one_line(rest)));
        } else {
            let lines: Vec<String> = text.trim_end().split('\n').map(printable).collect();
            say(&format!("{}: {}", Level::Error, lines.join("\n")));
        }
        Code::NotDone
    }
}

/// What the parser says of the arguments, with whatever it repeats of them on one line: nobody shall
/// write a line of ours.
fn shown(error: &clap::Error) -> String {
    let mut text = error.to_string();
    for (_, value) in error.context() {
        let given: &[String] = match value {
            ContextValue::String(given) => std::slice::from_ref(given),
            ContextValue::Strings(given) => given,
            _ => &[],
        };
        for given in given.iter().filter(|given| given.chars().any(is_obeyed)) {
            // The parser has taken out what it knows of a terminal's sequences.
            let left = strip_str(given).to_string();
            text = text.replace(given.as_str(), &printable(given));
            if !left.is_empty() {
                text = text.replace(&left, &printable(given));
            }
        }
    }
    text
}

/// Writes to stderr. That nobody reads it is no reason to stop.
fn say(text: &str) {
    let text = format!("{text}\n");
    let _ = io::stderr().write_all(guard::guarded(&text).as_bytes());
}

/// Says that the program itself is wrong.
pub(crate) fn bug(what: &str) {
    let lines: Vec<String> = what.split('\n').map(printable).collect();
    let what = lines.join("\n");
    say(&format!(
        "BUG: {what}\nThis is a defect in deespec. Please report it with the command that you typed."
    ));
}

/// A result as JSON of several lines.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Failure::new(format!("cannot write the result as JSON: {error}")))
}

/// A text of JSON without characters that a terminal would obey, or a runner. It means the same: they stand in
/// strings only, but for line breaks between the values.
pub(crate) fn harmless(json: &str) -> String {
    // No `##` stands outside of a string.
    let json = json.replace("##", "#\\u0023");
    let is_bad = |c: char| c != '\n' && is_obeyed(c);
    if !json.chars().any(is_bad) {
        return json;
    }
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            c if is_bad(c) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => text.push(c),
        }
    }
    text
}

/// A path for JSON, which cannot hold a name that is not UTF-8.
pub(crate) fn path(path: &Path) -> String {
    path.display().to_string()
}

/// `1 snapshot`, `2 snapshots`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Whether a terminal would obey this character instead of showing it: a control, one that turns the
/// direction of what follows, or one of no width, with which two names look like one (Unicode calls
/// them default ignorable).
pub(crate) fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A text without characters that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    if !text.chars().any(is_obeyed) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if is_obeyed(c) {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printable() {
        for bad in [
            "\x1b[31m",
            "\u{9b}31m",
            "\r",
            "\x7f",
            "\n",
            "\u{202e}",
            "\u{2066}",
            "\u{2028}",
            "a\u{200b}b",
            "👩\u{200d}💻",
            "\u{2060}",
            "\u{fe0f}",
            "\u{e0041}",
            "\u{ad}",
            "\u{3164}",
        ] {
            let shown = printable(bad);
            assert!(!shown.chars().any(is_obeyed), "{bad:?} gave {shown:?}");
        }
        for good in ["", "a b", "日本語", "e\u{301}", "💻", "\\n", "\"'"] {
            assert_eq!(printable(good), good);
        }
    }

    #[test]
    fn harmless_json_means_the_same() {
        for text in ["a\u{200b}\u{e0041}\u{1b}b", "##vso[x]", "###[", "日本\\#"] {
            let json = pretty(&[text]).unwrap();
            let shown = harmless(&json);
            assert!(!shown.chars().any(|c| c != '\n' && is_obeyed(c)), "{shown}");
            assert!(!shown.contains("##"), "{shown}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&shown).unwrap(), [text]);
        }
    }
}
