//! The plainest form of a count, read without clap: building a parser takes longer than a count, and in a script each
//! count is a process. Whatever is spelled otherwise, or is wrong, is left to clap, which also has the words for it.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::args::{Cli, Command};
use crate::command::inc::{self, Inc};
use crate::parse;
use crate::series::Labels;
use crate::ui::LogFormat;

/// `[--store DIR] inc NAME [--by N] [-l KEY=VALUE]… [--sync] [--store DIR]`, with the options behind `inc` in any order.
pub(super) fn parse(arguments: &[OsString]) -> Option<Cli> {
    let mut rest = arguments.iter().skip(1);
    let mut store = None;
    loop {
        match rest.next()?.to_str()? {
            "--store" if store.is_none() => store = Some(folder(rest.next()?)?),
            "inc" => break,
            _ => return None,
        }
    }
    let (mut name, mut amount, mut labels, mut sync) = (None, None, Vec::new(), false);
    while let Some(argument) = rest.next() {
        match argument.to_str()? {
            "--store" if store.is_none() => store = Some(folder(rest.next()?)?),
            "--by" if amount.is_none() => {
                amount = Some(inc::parse_amount(value(rest.next()?)?).ok()?);
            }
            "-l" | "--label" => labels.push(parse::label(value(rest.next()?)?).ok()?),
            "--sync" if !sync => sync = true,
            _ if name.is_none() => name = Some(value(argument)?.to_owned()),
            _ => return None,
        }
    }
    let amount = amount.unwrap_or(inc::Amount::Whole(1));
    Some(Cli {
        store: store.into_iter().collect(),
        log_format: LogFormat::Text,
        command: Command::Inc(Inc::plain(name?, amount, Labels::plain(labels), sync)),
    })
}

/// What cannot be taken for an option.
fn value(argument: &OsString) -> Option<&str> {
    let text = argument.to_str()?;
    (!text.is_empty() && !text.starts_with('-')).then_some(text)
}

fn folder(argument: &OsString) -> Option<PathBuf> {
    let bytes = argument.as_encoded_bytes();
    (!bytes.is_empty() && !bytes.starts_with(b"-")).then(|| PathBuf::from(argument))
}
