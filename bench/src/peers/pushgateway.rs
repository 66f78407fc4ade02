//! Pushgateway, where short jobs leave what Prometheus scrapes later: the same series held and scraped, and
//! pushes of one counter beside DeeSpec's. Its answer to a push means that it is in memory; DeeSpec's that
//! it is on the disk and counted once. It replaces what it was told before, so that pushes do not add up.
//!
//! It runs with a file to persist to, as its documentation advises, and at its own interval; how many pushes a second it
//! takes is in `rates`.

pub(crate) mod rates;

use std::path::Path;
use std::process::{Command, Stdio};

use super::Outcome;
use super::prometheus_client_served::{beside, beside_rows, memory};
use crate::load::Client;
use crate::place::{self, Bench};
use crate::rows::names;
use crate::rows::serve::{Stand, idle_time};
use crate::server::{Server, TOKEN, free_address, shares};
use crate::table::Figure::{Bytes, Kept, OfACore};
use crate::table::{HowMany, PeerLine};
use crate::{Result, measure};

pub(crate) const NAME: &str = "Pushgateway, its HTTP server";
const PROGRAM: &str = "prometheus-pushgateway";
/// Its own.
const INTERVAL: &str = "5m";
/// What is pushed, one at a time.
const PUSHED: &str = "bench_pushed_total";
const PUSH: &str = "# TYPE bench_pushed_total counter\nbench_pushed_total 1\n";

const IDLE: &str = "idle";
const ONE_PUSH: &str = "one push of a counter (ours: on the disk when it is answered)";
const SHOWN: &str = "pushes of 1: shown";
const SHOWN_AFTER: &str = "pushes of 1, then kill -9 and a new start: shown";

pub(crate) fn rows() -> Vec<String> {
    let [one, several] = beside_rows("");
    let whats = [
        IDLE,
        &one,
        &several,
        &memory(""),
        ONE_PUSH,
        SHOWN,
        SHOWN_AFTER,
    ];
    whats.map(str::to_owned).into()
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    if let Some(reason) = missing() {
        return Ok(Outcome::Skipped(reason));
    }
    let mut lines = held(bench)?;
    lines.extend(pushes(bench)?);
    Ok(Outcome::Measured(lines))
}

/// Why it cannot be measured, where it cannot.
fn missing() -> Option<String> {
    let version = Command::new(PROGRAM)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = version.is_ok_and(|status| status.success());
    (!is_there).then(|| format!("there is no {PROGRAM}; Debian's package {PROGRAM} brings it"))
}

/// One that persists into this folder after so long a time, or not at all.
fn start(persists: Option<(&Path, &str)>) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(PROGRAM);
    command.arg(format!("--web.listen-address={address}"));
    if let Some((folder, interval)) = persists {
        let file = folder.join("pushed");
        command.arg(format!("--persistence.file={}", file.display()));
        command.arg(format!("--persistence.interval={interval}"));
    }
    Server::theirs(command, address)
}

/// Both hold the same series and are scraped.
fn held(bench: &Bench) -> Result<Vec<PeerLine>> {
    let ours = Stand::new(bench)?;
    let series = bench.served();
    let of = |line: PeerLine| line.of(HowMany::of(series, "series"));
    let folder = bench.on_disk()?;
    let theirs = start(Some((folder.path(), INTERVAL)))?;
    let mut text = String::new();
    for (index, [family, shard]) in names(series).iter().enumerate() {
        if index % 1000 == 0 {
            text += &format!("# TYPE {family} counter\n");
        }
        text += &format!("{family}{{shard=\"{shard}\"}} 1\n");
    }
    Client::new().post(&theirs.url("/metrics/job/bench"), "", &text)?;

    let [our_idle, their_idle] = shares([&ours.server, &theirs], idle_time(bench))?;
    let (our_idle, their_idle) = (OfACore(our_idle), OfACore(their_idle));
    let mut lines = vec![of(PeerLine::new(NAME, IDLE, our_idle, their_idle))];
    lines.extend(beside(bench, NAME, "", &ours.server, &theirs)?);
    let (our_memory, their_memory) = (ours.server.memory()?, theirs.memory()?);
    let line = PeerLine::new(NAME, memory(""), Bytes(our_memory), Bytes(their_memory));
    lines.push(of(line));
    Ok(lines)
}

/// Both are told of single counts, and killed.
fn pushes(bench: &Bench) -> Result<Vec<PeerLine>> {
    let mut ours = Stand::new(bench)?;
    let folder = bench.on_disk()?;
    let mut theirs = start(Some((folder.path(), INTERVAL)))?;
    let client = Client::new();
    let their_url = theirs.url("/metrics/job/bench");
    let mut sequence: u64 = 0;
    let mut push = |server: &Server, n: u64| {
        (0..n).try_for_each(|_| {
            sequence += 1;
            let path = format!("/api/v1/push?writer=bench&sequence={sequence}");
            client.post(&server.url(&path), TOKEN, PUSH).map(drop)
        })
    };
    let push_theirs = |n: u64| (0..n).try_for_each(|_| client.post(&their_url, "", PUSH).map(drop));
    let pair = measure::against(bench.effort, |n| push(&ours.server, n), push_theirs)?;
    let mut lines = vec![PeerLine::pair(NAME, ONE_PUSH, &pair)];

    // The same number of pushes to both from here on.
    let pushes = bench.level.choose(200, 20, 5);
    let path = ours.folder.path().join("var");
    let before = place::counted(&path, PUSHED)?;
    push(&ours.server, pushes)?;
    push_theirs(pushes)?;
    let kept = |kept: u64| Kept { kept, of: pushes };
    let of = HowMany::of(pushes as usize, "pushes");
    let shown = |server: &Server| shown(&client, server);
    let our_shown = kept(shown(&ours.server)?.saturating_sub(before));
    lines.push(PeerLine::new(NAME, SHOWN, our_shown, kept(shown(&theirs)?)).of(of));
    ours.server.kill()?;
    theirs.kill()?;
    ours.server = Server::ours(bench, &path)?;
    let theirs = start(Some((folder.path(), INTERVAL)))?;
    let our_shown = kept(shown(&ours.server)?.saturating_sub(before));
    lines.push(PeerLine::new(NAME, SHOWN_AFTER, our_shown, kept(shown(&theirs)?)).of(of));
    Ok(lines)
}

/// What a scrape shows of what was pushed; 0 where it is not there.
fn shown(client: &Client, server: &Server) -> Result<u64> {
    let text = client.get(&server.url("/metrics"))?;
    let line = text.lines().find(|line| line.starts_with(PUSHED));
    let value = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(value.map_or(Ok(0), str::parse)?)
}
