//! Changes as they happen, in both forms.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::process::Signal;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::support::Sandbox;

use super::Server;

/// A client of Server-Sent Events.
pub(super) struct Events(BufReader<TcpStream>);

#[derive(Debug)]
pub(super) struct Event {
    id: String,
    pub(super) event: String,
    pub(super) data: Value,
}

impl Events {
    pub(super) fn follow(server: &Server, last: Option<&str>) -> Self {
        let mut stream = server.connect();
        let last = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
        // An answer of this version comes without chunks.
        let request = format!(
            "GET /api/v1/live HTTP/1.0\r\nHost: {}\r\n{last}\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut events = Self(BufReader::new(stream));
        let status = events.line().unwrap();
        assert!(status.contains("200 OK"), "{status}");
        while !events.line().unwrap().is_empty() {}
        events
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).unwrap();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Event> {
        let (mut id, mut event, mut data) = (String::new(), String::new(), String::new());
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("id", text)) => id = text.to_owned(),
                Some(("event", text)) => event = text.to_owned(),
                Some(("data", text)) => data.push_str(text),
                _ if line.is_empty() && !event.is_empty() => break,
                _ => {}
            }
        }
        let data = serde_json::from_str(&data).unwrap();
        Some(Event { id, event, data })
    }

    /// The next change of a series that is called so.
    fn change(&mut self, name: &str) -> (Event, Value) {
        loop {
            let event = self.next().unwrap();
            let changes = event.data["changes"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            if let Some(change) = changes.iter().find(|change| change["name"] == name) {
                return (event, change.clone());
            }
        }
    }
}

#[test]
fn a_client_gets_the_view_and_then_what_changes() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total", "-l", "queue=mail", "--by", "3"]);
    let server = Server::start(&sandbox, &[]);
    let mut events = Events::follow(&server, None);
    let first = events.next().unwrap();
    assert_eq!(first.event, "view");
    assert_eq!(first.data["stores"][0]["view"]["series"][0]["value"], 3);
    sandbox.ok(&["inc", "jobs_total", "-l", "queue=mail", "--by", "2"]);
    let (event, change) = events.change("jobs_total");
    assert_eq!(event.event, "changes");
    assert_eq!(event.data["epoch"], 1);
    assert_eq!(
        change,
        json!({"name": "jobs_total", "type": "counter", "labels": {"queue": "mail"}, "value": 5, "delta": 2})
    );
    sandbox.ok(&["observe", "wait_seconds", "0.5", "1"]);
    let (_, change) = events.change("wait_seconds");
    assert_eq!(
        [&change["value"]["count"], &change["delta"]],
        [&json!(2), &json!(2)]
    );
    let buckets = change["buckets"].as_array().unwrap();
    let added: u64 = buckets.iter().map(|one| one[2].as_u64().unwrap()).sum();
    assert_eq!(added, 2, "{change}");
    for value in [0.5, 1.0] {
        let holds = |one: &&Value| one[0].as_f64() < Some(value) && Some(value) <= one[1].as_f64();
        assert_eq!(buckets.iter().filter(holds).count(), 1, "{change}");
    }
    sandbox.ok(&["set", "depth", "4"]);
    assert_eq!(events.change("depth").1["delta"], 4.0);
    sandbox.ok(&["remove", "depth"]);
    assert_eq!(events.change("depth").1["value"], Value::Null);
    sandbox.ok(&["rotate"]);
    let epoch = loop {
        let event = events.next().unwrap();
        if event.event == "epoch" {
            break event;
        }
    };
    assert_eq!(epoch.data["epoch"], 2);
    assert_eq!(epoch.data["view"]["series"][0]["value"], 0);
}

#[test]
fn who_comes_back_hears_what_was_missed_and_nothing_twice() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    // Somebody stays, so that there is something to remember.
    let mut stays = Events::follow(&server, None);
    let mut goes = Events::follow(&server, None);
    sandbox.ok(&["inc", "a_total"]);
    let last = goes.change("a_total").0.id;
    drop(goes);
    sandbox.ok(&["inc", "b_total"]);
    stays.change("b_total");
    sandbox.ok(&["inc", "c_total"]);
    let newest = stays.change("c_total").0.id;
    let mut back = Events::follow(&server, Some(&last));
    let mut seen = Vec::new();
    loop {
        let event = back.next().unwrap();
        assert_eq!(event.event, "changes", "{event:?}");
        let changes = event.data["changes"].as_array().unwrap();
        seen.extend(
            changes
                .iter()
                .map(|change| change["name"].as_str().unwrap().to_owned()),
        );
        if event.id == newest {
            break;
        }
    }
    assert_eq!(seen, ["b_total", "c_total"]);
    // An id of another run, or of nobody's, gets the whole view.
    for unknown in ["0-1", "x"] {
        assert_eq!(
            Events::follow(&server, Some(unknown)).next().unwrap().event,
            "view"
        );
    }
}

fn socket(server: &Server, query: &str) -> WebSocket<TcpStream> {
    let url = format!("ws://{}/api/v1/ws{query}", server.address);
    tungstenite::client(url, server.connect()).unwrap().0
}

fn message(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[test]
fn a_websocket_hears_the_same() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let mut first = socket(&server, "");
    let view = message(&mut first);
    assert_eq!(view["event"], "view");
    sandbox.ok(&["inc", "a_total"]);
    let change = message(&mut first);
    assert_eq!(change["event"], "changes");
    let named = |message: &Value| -> Vec<String> {
        let changes = message["data"]["changes"].as_array().unwrap().iter();
        changes
            .map(|change| change["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(named(&change).contains(&"a_total".to_owned()), "{change}");
    let last = change["id"].as_str().unwrap();
    sandbox.ok(&["inc", "b_total"]);
    let newest = message(&mut first);
    let mut second = socket(&server, &format!("?last={last}"));
    assert_eq!(message(&mut second), newest);
}

#[test]
fn one_address_has_so_many_clients_and_no_more() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--live-clients", "2"]);
    let first = Events::follow(&server, None);
    let second = socket(&server, "");
    let refused = server.get("/api/v1/live");
    assert_eq!(refused.status, 429, "{}", refused.body);
    drop((first, second));
    // A place is free once the server has noticed that its client is gone.
    sandbox.ok(&["inc", "a_total"]);
    crate::support::ends("a place is free", || {
        sandbox.ok(&["inc", "a_total"]);
        let mut stream = server.connect();
        let request = format!(
            "GET /api/v1/live HTTP/1.0\r\nHost: {}\r\n\r\n",
            server.address
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.contains("200").then_some(())
    });
}

#[test]
fn a_client_that_does_not_listen_is_dropped_and_the_others_hear_everything() {
    let sandbox = Sandbox::new();
    let label = "x".repeat(900);
    for number in 0..400 {
        sandbox.ok(&[
            "set",
            "level",
            "0",
            "-l",
            &format!("a={number}"),
            "-l",
            &format!("b={label}"),
        ]);
    }
    let server = Server::start(&sandbox, &[]);
    let mut slow = server.connect();
    set_socket_recv_buffer_size(&slow, 1 << 16).unwrap();
    let request = format!(
        "GET /api/v1/live HTTP/1.0\r\nHost: {}\r\n\r\n",
        server.address
    );
    slow.write_all(request.as_bytes()).unwrap();
    let mut quick = Events::follow(&server, None);
    quick.next().unwrap();
    let store = deespec::Store::open(sandbox.path("store")).unwrap();
    let labels = |number: usize| number.to_string();
    let mut said = Vec::new();
    let mut is_over = false;
    // Far more than sockets hold, one message at a time.
    for round in 1..=500 {
        for number in 0..400 {
            let number = labels(number);
            let gauge = store
                .gauge_with("level", &[("a", &number), ("b", &label)])
                .unwrap();
            gauge.set(f64::from(round));
        }
        loop {
            let (_, change) = quick.change("level");
            if change["value"] == json!(f64::from(round)) {
                break;
            }
        }
        // A client that reads nothing at all would lose its connection; this one only reads too little.
        let mut part = (&mut slow).take(1 << 18);
        if part.read_to_end(&mut said).unwrap() < 1 << 18 {
            is_over = true;
            break;
        }
    }
    // To the end, or to what is said where nothing else is left to say.
    let mut slow = BufReader::new(slow);
    while !is_over && !said.ends_with(b"heartbeat\n") {
        is_over = slow.read_until(b'\n', &mut said).unwrap() == 0;
    }
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.contains("event: end") && said.contains("too slow"),
        "{} bytes",
        said.len()
    );
}

#[test]
fn the_end_of_the_server_is_told() {
    let sandbox = Sandbox::new();
    let mut server = Server::start(&sandbox, &[]);
    let mut events = Events::follow(&server, None);
    let mut socket = socket(&server, "");
    assert_eq!(events.next().unwrap().event, "view");
    message(&mut socket);
    server.signal(Signal::TERM);
    assert_eq!(events.next().unwrap().data["reason"], "the server ends");
    assert!(events.next().is_none());
    assert_eq!(message(&mut socket)["event"], "end");
    assert!(server.child.wait().unwrap().success());
}
