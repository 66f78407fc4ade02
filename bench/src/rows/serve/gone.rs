//! What readers leave behind who do not read any more: live clients and scrapers that went away, and such that stopped reading
//! and were cut off. The server afterwards is idle beside one that nobody but one reader ever asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, SocketType, connect, socket};

use super::followers::Followers;
use super::{CLIENTS, Stand, idle_rounds};
use crate::load::Client;
use crate::place::Bench;
use crate::rows::names;
use crate::server::{Server, shares};
use crate::table::Figure::{Bytes, OfACore};
use crate::table::{HowMany, Line};
use crate::{Result, measure};

/// What they may cost afterwards, as a part of one scrape a second: what two idle servers differ by anyway.
const AT_MOST: f64 = 0.1;
/// How much more memory the server may hold afterwards than the other one: what the allocator keeps of the work for so many.
const MEMORY_AT_MOST: f64 = 2.0;
/// Clients of each kind that stop reading.
const STOPPED: usize = 8;
/// Scrapes that one of them asks for at once: their answers are more than the system keeps for a connection.
const AT_ONCE: usize = 200;
/// The least that the system keeps for who does not read.
const BUFFER: usize = 4096;
/// The server cuts off whoever accepts nothing for ten seconds.
const UNTIL_CUT_OFF: Duration = Duration::from_secs(120);

pub(crate) fn measure(bench: &Bench) -> Result<Vec<Line>> {
    let (left, other) = (Stand::new(bench)?, Stand::new(bench)?);
    let client = Client::new();
    for stand in [&left, &other] {
        read_once(&client, &stand.server)?;
    }
    let files = files(&left.server)?;
    drop(Followers::of(left.server.address, CLIENTS)?);
    scrape_and_leave(left.server.address)?;
    stop_reading(bench, &left, files)?;

    let url = other.server.url("/metrics");
    let (rounds, time) = idle_rounds(bench);
    let pair = measure::turns(
        rounds,
        || {
            let [left, other] = shares([&left.server, &other.server], time)?;
            Ok((left - other).max(0.0))
        },
        || {
            let scrapes = bench.level.choose(20, 20, 2);
            let before = other.server.cpu()?;
            (0..scrapes).try_for_each(|_| client.get(&url).map(drop))?;
            Ok(100.0 * (other.server.cpu()? - before) / f64::from(scrapes))
        },
    )?;
    let of = |line: Line| line.of(HowMany::of(bench.served(), "series"));
    let what = format!(
        "what {CLIENTS} live clients and scrapers that left cost an idle server, and {STOPPED} each that stopped reading"
    );
    let cpu = Line::ratio(
        what.clone(),
        OfACore(pair.ours),
        "one scrape a second",
        OfACore(pair.theirs),
        pair.ratio,
        AT_MOST,
    );
    // The other one has been scraped by now; so is this one.
    for _ in 0..10 {
        client.get(&left.server.url("/metrics"))?;
    }
    let (held, others) = (left.server.memory()?, other.server.memory()?);
    let memory = Line::ratio(
        format!("{what}: memory"),
        Bytes(held),
        "a server without them",
        Bytes(others),
        held / others,
        MEMORY_AT_MOST,
    );
    Ok(vec![of(cpu), of(memory)])
}

/// One reader of each kind, who reads everything.
fn read_once(client: &Client, server: &Server) -> Result<()> {
    client.get(&server.url("/metrics"))?;
    drop(Followers::of(server.address, 1)?);
    Ok(())
}

/// As many scrapers as there were live clients, who have gone before there is an answer.
fn scrape_and_leave(server: SocketAddr) -> Result<()> {
    for _ in 0..CLIENTS {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(get("/metrics", server).as_bytes())?;
    }
    Ok(())
}

fn get(path: &str, server: SocketAddr) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {server}\r\n\r\n")
}

/// Clients that stop reading, until the server has closed all their connections. Meanwhile it is counted, so that there is
/// something to tell them.
fn stop_reading(bench: &Bench, stand: &Stand, files: usize) -> Result<()> {
    let server = stand.server.address;
    let mut stopped = Vec::new();
    for _ in 0..STOPPED {
        let live = unread(server, &get("/api/v1/live", server))?;
        let scraper = unread(server, &get("/metrics", server).repeat(AT_ONCE))?;
        stopped.extend([live, scraper]);
    }
    let counters = names(bench.served().min(1000));
    let counters = counters.iter().map(|[family, shard]| {
        let labels = [("shard", shard.as_str())];
        stand.store.counter_with(family, &labels)
    });
    let counters = counters.collect::<std::result::Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    while self::files(&stand.server)? > files {
        if begun.elapsed() > UNTIL_CUT_OFF {
            return Err("the server does not cut off who stopped reading".into());
        }
        counters.iter().for_each(deespec::Counter::inc);
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(stopped);
    Ok(())
}

/// A connection on which this was sent and a first byte has come, and of which nothing more is read.
fn unread(server: SocketAddr, request: &str) -> Result<TcpStream> {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    set_socket_recv_buffer_size(&socket, BUFFER)?;
    connect(&socket, &server)?;
    let mut stream = TcpStream::from(socket);
    stream.write_all(request.as_bytes())?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// How many files and connections a server has open.
fn files(server: &Server) -> Result<usize> {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.id()))?;
    Ok(open.count())
}
