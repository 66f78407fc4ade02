//! Redis `INCR`, the counter that needs a server: exact, at the price of a round trip per increment.
//!
//! A server of our own on a Unix socket, faster than any network. Measured twice: in memory only, and
//! with the append-only file synced every second, which is the promise that DeeSpec makes.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{Outcome, PROCESSES, Race, increments, our_increment, race_lines, race_rows};
use crate::Result;
use crate::measure;
use crate::place::Bench;
use crate::table::Figure::Nanoseconds;
use crate::table::PeerLine;
use crate::worker::{Crew, Work};

pub(crate) const NAME: &str = "Redis INCR over a Unix socket";
const SERVER: &str = "redis-server";
const PATIENCE: Duration = Duration::from_secs(10);

/// How it keeps what it is told, and its option for that.
const PERSISTENCE: [(&str, &str); 2] = [("in memory only", "no"), ("synced every second", "yes")];

pub(crate) fn rows() -> Vec<String> {
    let of = |(persistence, _)| {
        let [kept, rate] = race_rows(&how(persistence));
        [one_increment(persistence), kept, rate]
    };
    PERSISTENCE.into_iter().flat_map(of).collect()
}

fn one_increment(persistence: &str) -> String {
    format!("one increment ({persistence})")
}

fn how(persistence: &str) -> String {
    format!(" ({persistence})")
}

pub(crate) fn measure(bench: &Bench) -> Result<Outcome> {
    let version = Command::new(SERVER)
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !version.is_ok_and(|status| status.success()) {
        return Ok(Outcome::Skipped(format!(
            "there is no {SERVER}; Debian's package redis-server brings it"
        )));
    }
    let mut lines = Vec::new();
    for (persistence, append_only) in PERSISTENCE {
        let folder = bench.on_disk()?;
        // A socket's path may have about 100 bytes; the target folder may lie deeper.
        let socket_folder = tempfile::tempdir()?;
        let socket = socket_folder.path().join("redis");
        let _server = Server::start(folder.path(), &socket, append_only)?;

        let mut connection = Connection::open(&socket)?;
        let theirs = measure::alone(bench.effort, |n| connection.increment("alone", n))?;
        let ours = our_increment(bench)?;
        lines.push(PeerLine::new(
            NAME,
            one_increment(persistence),
            Nanoseconds(ours),
            Nanoseconds(theirs),
        ));

        let seconds = Crew::start("redis", &socket, PROCESSES)?.race(increments(bench))?;
        let theirs = Race::new(bench, connection.value("race")?, seconds);
        lines.extend(race_lines(bench, NAME, &how(persistence), &theirs)?);
    }
    Ok(Outcome::Measured(lines))
}

/// A process with a connection of its own.
pub(crate) fn worker(socket: &Path) -> Result<Work> {
    let mut connection = Connection::open(socket)?;
    Ok(Box::new(move |n| connection.increment("race", n)))
}

struct Server(Child);

impl Server {
    fn start(folder: &Path, socket: &Path, append_only: &str) -> Result<Self> {
        let process = Command::new(SERVER)
            .args(["--port", "0", "--save", "", "--daemonize", "no"])
            .args(["--appendonly", append_only, "--appendfsync", "everysec"])
            .arg("--dir")
            .arg(folder)
            .arg("--unixsocket")
            .arg(socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self(process);
        let start = Instant::now();
        while UnixStream::connect(socket).is_err() {
            if let Some(status) = server.0.try_wait()? {
                return Err(format!("{SERVER} ended at once: {status}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{SERVER} does not answer").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As much of the protocol as two commands need.
struct Connection {
    requests: UnixStream,
    answers: BufReader<UnixStream>,
}

impl Connection {
    fn open(socket: &Path) -> Result<Self> {
        let requests = UnixStream::connect(socket)?;
        requests.set_read_timeout(Some(PATIENCE))?;
        let answers = BufReader::new(requests.try_clone()?);
        Ok(Self { requests, answers })
    }

    fn increment(&mut self, key: &str, n: u64) -> Result<()> {
        let request = format!("*2\r\n$4\r\nINCR\r\n${}\r\n{key}\r\n", key.len());
        let mut answer = String::new();
        for _ in 0..n {
            self.requests.write_all(request.as_bytes())?;
            answer.clear();
            self.answers.read_line(&mut answer)?;
            if !answer.starts_with(':') {
                return Err(format!("INCR answered `{}`", answer.trim()).into());
            }
        }
        Ok(())
    }

    fn value(&mut self, key: &str) -> Result<u64> {
        write!(
            self.requests,
            "*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n",
            key.len()
        )?;
        let (mut length, mut value) = (String::new(), String::new());
        self.answers.read_line(&mut length)?;
        self.answers.read_line(&mut value)?;
        Ok(value.trim().parse()?)
    }
}
