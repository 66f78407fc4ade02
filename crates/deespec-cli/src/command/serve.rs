//! `deespec serve`: stores over HTTP.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use deespec_server::{Config, Ended, Error, Events, Limits, Missing, New, Served, Statsd, Token};

use crate::args::Cli;
use crate::command::doctor;
use crate::command::gate::configuration::in_force;
use crate::command::gate::judging::Present;
use crate::exit::{Code, Failure, chain};
use crate::location::{self, Place};
use crate::token;
use crate::ui::{self, Ui};

const AFTER_HELP: &str = "\
Example:
  deespec serve
  deespec serve --store /srv/a/var --store /srv/b/var --listen 127.0.0.1:9000
  deespec serve --statsd 127.0.0.1:8125 --statsd unix:/run/deespec/statsd.sock

What there is:
  /                     a page for a browser, live
  /metrics              what Prometheus scrapes: OpenMetrics, Prometheus text or
                        protobuf, as the scraper asks
  /-/healthy, /-/ready  for supervisors
  /api/v1/…             JSON; /api/v1/openapi.json describes it
  /api/v1/live, /ws     changes as they happen
  POST /api/v1/push     counts of programs in other languages
  --statsd ADDRESS      the same by datagrams: echo 'jobs:1|c' > /dev/udp/…

Several stores are told apart by the label store: the folder that holds the
.deespec/, or the store's own name, or its whole path where that is not enough.

On an address that other machines reach, every request needs the token of
--token-file or DEESPEC_TOKEN; elsewhere only what changes a store does.";

/// How often a store that is served is made durable and published.
const SYNC: Duration = Duration::from_secs(1);

/// Serve stores over HTTP: to Prometheus, to browsers, to programs
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Serve {
    /// The address and port to listen on
    #[arg(long, default_value = "127.0.0.1:9464", value_name = "ADDRESS")]
    listen: String,

    /// A file with the token that clients have to know
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// Listen beyond this machine without a token
    #[arg(long)]
    insecure: bool,

    /// Count what statsd clients send to this address and port, or to unix:PATH; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    statsd: Vec<String>,

    /// Series that statsd clients may add to the store, in all
    #[arg(long, default_value_t = New::default().series, value_name = "N")]
    statsd_series: u64,

    /// Cells that these may have in all; a histogram has some hundred, any other series one
    #[arg(long, default_value_t = New::default().cells, value_name = "N")]
    statsd_cells: u64,

    /// A name by which the server may be called; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,

    /// Connections at once
    #[arg(long, default_value_t = 128, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,

    /// Clients of one address that follow changes
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    live_clients: u16,

    /// End after one scrape was answered
    #[arg(long)]
    once: bool,

    /// Judge by this file, as `deespec doctor` does
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Serve {
    pub(crate) fn run(&self, cli: &Cli, ui: &Ui) -> Result<Code, Failure> {
        let listen = address(&self.listen, "127.0.0.1:9464")?;
        let statsd = self.statsd.iter().map(|text| statsd(text));
        let statsd: Vec<Statsd> = statsd.collect::<Result<_, _>>()?;
        let token = self.token()?;
        deespec_server::may_listen(listen, token.as_ref(), self.insecure)?;
        for address in &statsd {
            deespec_server::may_count(address, self.insecure)?;
        }
        let places = location::places(cli)?;
        let paths: Vec<PathBuf> = places.iter().map(|place| place.path.clone()).collect();
        if !statsd.is_empty() && paths.len() > 1 {
            // Before stores are made.
            return Err(Error::StatsdStores.into());
        }
        // Before anything listens: a gate without its configuration judges nothing.
        for path in &paths {
            in_force(self.config.as_deref(), path)?;
        }
        let names = names(&paths);
        let ended = Arc::new(Mutex::new(None));
        let is_missing = |place: &&Place| location::is_missing(&place.path);
        let missing = places.iter().find(is_missing);
        let missing = missing.map(|place| (place.missing().message, ui::path(&place.path)));
        let (stores, missing) = match missing {
            // Who counts by datagrams must not wait for somebody else to count.
            Some((sentence, path)) if statsd.is_empty() => {
                ui.info(
                    "There is no store yet; waiting for one",
                    vec![("path", path)],
                );
                let (ui, ended) = (*ui, Arc::clone(&ended));
                let look = Arc::new(move |has_pushed: bool| {
                    if !has_pushed && places.iter().any(|place| location::is_missing(&place.path)) {
                        return Ok(None);
                    }
                    open(&names, &places, &ui).map(Some).map_err(|failure| {
                        *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                        Ended
                    })
                });
                (Vec::new(), Some(Missing { sentence, look }))
            }
            _ => (open(&names, &places, ui)?, None),
        };
        let config = self.config.clone();
        deespec_server::serve(Config {
            listen,
            statsd,
            stores,
            missing,
            token,
            insecure: self.insecure,
            hosts: self.hosts.clone(),
            limits: Limits {
                connections: self.connections.into(),
                live_clients: self.live_clients.into(),
                statsd: New {
                    series: self.statsd_series,
                    cells: self.statsd_cells,
                },
                ..Limits::default()
            },
            once: self.once,
            judge: Arc::new(move |store| judge(store, config.as_deref())),
            events: Arc::new(Log(*ui)),
        })?;
        let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        ended.map_or(Ok(Code::Done), Err)
    }

    fn token(&self) -> Result<Option<Token>, Failure> {
        let Some(text) = token::text(self.token_file.as_deref())? else {
            return Ok(None);
        };
        let token = Token::new(&text).map_err(|why| {
            let hint = "make one with `head -c 32 /dev/urandom | base64 > FILE`";
            Failure::new(format!("this is no token: {why}")).hint(hint)
        })?;
        Ok(Some(token))
    }
}

/// Opens all stores; whoever serves them is about to count.
fn open(names: &[String], places: &[Place], ui: &Ui) -> Result<Vec<Served>, Failure> {
    let options = location::options("serve").background_sync(Some(SYNC));
    let one = |(name, place): (&String, &Place)| {
        Ok(Served {
            name: name.clone(),
            store: place.open_or_make(ui, &options)?,
        })
    };
    names.iter().zip(places).map(one).collect()
}

fn address(text: &str, example: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: String| {
        let message = format!("cannot listen on {text}: {why}");
        Failure::new(message).hint(format!("give an address and a port, such as {example}"))
    };
    let mut addresses = text
        .to_socket_addrs()
        .map_err(|error| wrong(error.to_string()))?;
    addresses
        .next()
        .ok_or_else(|| wrong("it has no address".to_owned()))
}

fn statsd(text: &str) -> Result<Statsd, Failure> {
    Ok(match text.strip_prefix("unix:") {
        Some(path) => Statsd::Unix(path.into()),
        None => Statsd::Udp(address(text, "127.0.0.1:8125, or unix:PATH")?),
    })
}

/// What each store is called: short, and different from the others.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let short: Vec<String> = paths.iter().map(|path| short(path)).collect();
    let mut count = BTreeMap::new();
    for name in &short {
        *count.entry(name.clone()).or_insert(0) += 1;
    }
    let names = short.into_iter().zip(paths);
    names
        .map(|(name, path)| match count.get(&name) {
            Some(1) => name,
            _ => path.display().to_string(),
        })
        .collect()
}

/// The folder that holds the `.deespec/` in which a store lies; else the store's own name.
fn short(path: &Path) -> String {
    let around = location::configuration_folder(path);
    let named = if around == path {
        path
    } else {
        around.parent().unwrap_or(path)
    };
    let name = named.file_name().unwrap_or(named.as_os_str());
    name.to_string_lossy().into_owned()
}

/// What `deespec doctor --json --check-thresholds` says.
fn judge(store: &deespec::Store, config: Option<&Path>) -> Result<String, String> {
    let failed = |failure: Failure| failure.message;
    // Read again each time: who changes a limit wants to see the verdict.
    let rules = in_force(config, store.path()).map_err(failed)?;
    let examined = doctor::Examination::of(store).map_err(failed)?;
    let present = Present::default();
    let judged = doctor::judge(&rules, store, &examined, &present).map_err(failed)?;
    let report = doctor::Report {
        examined: &examined,
        path: ui::path(store.path()),
        judged: Some(&judged),
        width: None,
    };
    serde_json::to_string(&report.to_json()).map_err(|error| error.to_string())
}

/// Says on stderr what happens.
struct Log(Ui);

impl Events for Log {
    fn listening(&self, address: SocketAddr) {
        self.0
            .info("Serving", vec![("address", format!("http://{address}"))]);
    }

    fn counting(&self, address: &Statsd) {
        self.0
            .info("Counting statsd", vec![("address", address.to_string())]);
    }

    fn rejected(&self, number: u64, reason: &str, example: &str) {
        let fields = vec![
            ("number", number.to_string()),
            ("reason", reason.to_owned()),
            ("example", example.to_owned()),
        ];
        self.0.warn("Rejected from statsd", fields);
    }

    fn lost(&self, path: &Path, reason: &str) {
        let fields = vec![
            ("path", path.display().to_string()),
            ("reason", reason.to_owned()),
        ];
        self.0.error(
            "The store is gone; nothing is counted or served any more",
            fields,
        );
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(chain(&error));
        match error {
            Error::Open { .. } => failure.hint(
                "give one with --token-file FILE, listen on 127.0.0.1 behind a proxy, or let everybody \
                 read with --insecure",
            ),
            Error::Listen { .. } => {
                failure.hint("choose another with --listen ADDRESS:PORT, or end what listens there")
            }
            Error::Statsd { .. } => {
                failure.hint("choose another with --statsd ADDRESS:PORT or --statsd unix:PATH")
            }
            Error::StatsdOpen { .. } => failure.hint(
                "let clients send to 127.0.0.1 or to unix:PATH, or let everybody count with --insecure",
            ),
            Error::StatsdStores => failure.hint("start a server for each of them with --store DIR"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_get_short_names_that_differ() {
        let of = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(of(&["/srv/a/.deespec/var", "/srv/jobs"]), ["a", "jobs"]);
        assert_eq!(
            of(&["/srv/a/var", "/srv/b/var"]),
            ["/srv/a/var", "/srv/b/var"]
        );
        assert_eq!(of(&["/"]), ["/"]);
    }
}
