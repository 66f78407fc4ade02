//! `deespec push`: what a store or another program has counted, to a server, each count once.
//!
//! What is sent is written down first, with its number; and so is what was acknowledged. So it does not matter where this
//! is killed or what gets lost on the way: whoever comes next sends the same bytes with the same number.

mod address;
mod sending;
mod source;
mod state;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use deespec::{PushPart, Unpushed};
use deespec_client::{Attempts, Authorities, Client};
use serde::Serialize;

use crate::args::{Cli, Json};
use crate::exit::{Code, Failure};
use crate::files;
use crate::location;
use crate::token;
use crate::ui::{Ui, count};

use address::Address;
use sending::{Sender, Verdict};
use source::Source;
use state::{Held, Pending};

const AFTER_HELP: &str = "\
Example:
  deespec push https://counts.example.org --token-file token
  curl -s localhost:8000/metrics > app.prom
  deespec push http://127.0.0.1:9464 app.prom

Without FILE it pushes what this store has counted since the last push that was
acknowledged, over all its epochs. FILE is OpenMetrics or Prometheus text with
what a program has counted in all: the difference to the last push is counted,
a value that went down began anew, and a gauge is what it is. A store gets what
it can hold; the rest is passed over with a warning, but for deespec_*.

What is sent has a number, and is kept until it is acknowledged: in push/ in the
store, beside FILE, or in --state. So it is counted once, whether an answer gets
lost, this is killed, or several run at once, which wait for each other.
FILE is known by its path, with links followed; where that differs each time, or
is -, --state says which pushes belong together. The next run sends what this
one could not.

The token is that of --token-file or DEESPEC_TOKEN. Plain http goes to this
machine alone.";

/// Push what was counted to a `deespec serve`, each count once
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Push {
    /// The server; `?store=NAME` says which of its stores
    url: String,

    /// What another program has counted, or - for stdin
    file: Option<PathBuf>,

    /// A file with the token of the server
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Trust the authorities in this file (PEM), and no others
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Keep here what was pushed and is to be
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// Give up for now after so many seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    timeout: u64,

    /// Take a new name, and go on from what was acknowledged or from now
    #[arg(long, value_enum, value_name = "FROM")]
    anew: Option<Since>,

    #[command(flatten)]
    json: Json,
}

/// From where counting goes on.
// The variants have no help of their own, as those of `LogFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Since {
    Acknowledged,
    Now,
}

/// What was done.
#[derive(Default, Serialize)]
struct Done {
    pushes: u64,
    series: usize,
    counts: u64,
    passed_over: Vec<String>,
    /// What the server keeps otherwise than it stands here.
    noted: Vec<String>,
    /// What the server refuses, with its reason.
    refused: Vec<String>,
}

impl Push {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let address = Address::parse(&self.url)?;
        let token = self.token()?;
        let client = Client::new(&self.authorities()?);
        let source = self.source(cli, ui)?;
        let attempts = Attempts::within(Duration::from_secs(self.timeout));
        let path = self.state_path(&source, &address)?;
        // What came by a pipe is as old as the wait for another push, and lower than what that one pushes.
        let patience = match source {
            Source::Stdin => Duration::ZERO,
            _ => attempts.left(),
        };
        let mut held = Held::open(path, &address, &source.name(), patience)?;
        let mut sender = Sender::new(client, token, attempts);
        let mut done = Done::default();
        if self.anew.is_none() {
            settle(&mut held, &mut sender, &address, &mut done, ui)?;
        }
        // Not before: another push may have been under way until then.
        let totals = source.totals()?;
        if let Some(since) = self.anew {
            held.begin_anew((since == Since::Now).then(|| totals.to_base()))?;
        }
        let unpushed = totals.since(&held.state.base).map_err(|error| {
            Failure::new(error.to_string())
                .hint("push what it says now; where it was put back on purpose, go on from here with --anew now")
        })?;
        let Unpushed {
            parts,
            passed_over,
            noted,
            ..
        } = unpushed;
        for reason in &passed_over {
            ui.warn(
                "A part of it was not pushed",
                vec![("reason", reason.clone())],
            );
        }
        done.passed_over = passed_over;
        done.noted.extend(noted);
        push(parts, &mut held, &mut sender, &address, &mut done)?;
        self.tell(&address, &done, ui)
    }

    fn tell(&self, address: &Address, done: &Done, ui: &Ui) -> Result<Code, Failure> {
        for reason in &done.noted {
            ui.warn(
                "A part of it is not kept there as it stands here",
                vec![("reason", reason.clone())],
            );
        }
        if self.json.json {
            ui.json(done)?;
        } else if done.pushes == 0 && done.refused.is_empty() {
            ui.line(&format!("Nothing to push: {} has it all", address.shown()));
        } else {
            ui.line(&format!(
                "Pushed {} of {} to {}",
                count(usize::try_from(done.counts).unwrap_or(usize::MAX), "count"),
                match done.series {
                    1 => "1 series".to_owned(),
                    many => format!("{many} series"),
                },
                address.shown()
            ));
        }
        match done.refused.first() {
            None => Ok(Code::Done),
            Some(first) => {
                let message = match done.refused.len() - 1 {
                    0 => format!("the server refuses a part of it: {first}"),
                    more => format!("the server refuses parts of it: {first}; and {more} more"),
                };
                let hint = "all else is counted; what is refused is sent again by the next push, so mend it there or here";
                Err(Failure::new(message).hint(hint))
            }
        }
    }

    fn token(&self) -> Result<String, Failure> {
        let hint = "give the token of the server with --token-file FILE or DEESPEC_TOKEN";
        let Some(text) = token::text(self.token_file.as_deref())? else {
            return Err(Failure::new("a push needs a token").hint(hint));
        };
        let text = text.trim();
        match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(text.to_owned()),
            false => Err(Failure::new(
                "this is no token: it is empty, or has characters that are no visible ASCII",
            )
            .hint(hint)),
        }
    }

    fn authorities(&self) -> Result<Authorities, Failure> {
        let Some(path) = &self.ca_file else {
            return Ok(Authorities::default());
        };
        let wrong = |reason: String| {
            let message = format!("cannot trust {}: {reason}", path.display());
            Failure::new(message).hint("--ca-file must name a file with certificates in PEM")
        };
        let pem = files::bytes(path, 1 << 20).map_err(|error| wrong(error.to_string()))?;
        Authorities::of_pem(&pem).map_err(|error| wrong(error.to_string()))
    }

    fn source(&self, cli: &Cli, ui: &Ui) -> Result<Source<'_>, Failure> {
        Ok(match self.file.as_deref() {
            None => Source::Store(Box::new(location::open(cli, ui, "push")?)),
            Some(path) if path == Path::new("-") => Source::Stdin,
            Some(path) => Source::File(path),
        })
    }

    /// Where it is kept what was pushed.
    fn state_path(&self, source: &Source, address: &Address) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.state {
            return Ok(path.clone());
        }
        let name = address.file_name()?;
        match source {
            Source::Store(store) => state::folder_in(store.path()).map(|folder| folder.join(name)),
            Source::File(path) => {
                // Whatever leads to it. Where nothing is, or a pipe that has no place, what is wrong is told later.
                let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
                let mut beside = path.into_os_string();
                beside.push(format!(".{name}"));
                Ok(beside.into())
            }
            Source::Stdin => Err(Failure::new(
                "nothing tells which pushes of stdin belong together",
            )
            .hint("name a file that keeps it with --state FILE")),
        }
    }
}

/// Sends what an earlier run has left over.
fn settle(
    held: &mut Held,
    sender: &mut Sender,
    address: &Address,
    done: &mut Done,
    ui: &Ui,
) -> Result<(), Failure> {
    let Some(pending) = held.state.pending.take() else {
        return Ok(());
    };
    let verdict = sender.send(address, &held.state.writer, &pending);
    match verdict.map_err(|failure| held.explained(failure))? {
        Verdict::Counted(noted) => {
            done.add(&pending, noted);
            held.state.base.absorb(pending.totals);
        }
        // What it said is not counted, and is said again by what follows.
        Verdict::Refused(reason) => {
            ui.warn(
                "A push that was left over is refused",
                vec![("reason", reason)],
            );
        }
    }
    held.save()
}

/// Sends all parts, one after another.
fn push(
    parts: Vec<PushPart>,
    held: &mut Held,
    sender: &mut Sender,
    address: &Address,
    done: &mut Done,
) -> Result<(), Failure> {
    let mut parts = VecDeque::from(parts);
    while let Some(part) = parts.pop_front() {
        held.state.sequence += 1;
        let pending = Pending {
            sequence: held.state.sequence,
            text: part.text(&state::unique()?),
            series: part.series(),
            counts: part.counts(),
            totals: part.totals(),
        };
        held.state.pending = Some(pending.clone());
        held.save()?;
        let verdict = sender.send(address, &held.state.writer, &pending);
        let verdict = verdict.map_err(|failure| held.explained(failure))?;
        held.state.pending = None;
        match verdict {
            Verdict::Counted(noted) => {
                done.add(&pending, noted);
                held.state.base.absorb(pending.totals);
            }
            // One metric that cannot be counted there must not keep the others out.
            Verdict::Refused(reason) => match part.halves() {
                Some((first, second)) => {
                    parts.push_front(second);
                    parts.push_front(first);
                }
                None => done.refused.push(reason),
            },
        }
    }
    held.save()
}

impl Done {
    fn add(&mut self, pushed: &Pending, noted: Vec<String>) {
        self.noted.extend(noted);
        self.pushes += 1;
        self.series += pushed.series;
        self.counts = self.counts.saturating_add(pushed.counts);
    }
}
