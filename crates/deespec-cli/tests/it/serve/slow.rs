//! Clients that read nothing, or say what they have to say one byte at a time: they lose their connections, and
//! whoever comes next gets the place.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Sandbox, ends_within};

use super::{Server, TOKEN, rest};

/// Answers that one client asks for and does not read: more than any socket holds.
const ANSWERS: usize = 40;

/// A store whose view is about a megabyte of JSON, and its gauges.
fn large(sandbox: &Sandbox) -> Vec<deespec::Gauge> {
    let store = deespec::Store::open(sandbox.path("store")).unwrap();
    let gauge = |number: usize| {
        let labels = [("number", &*number.to_string())];
        let name = format!("level_{}", number % 5);
        store.gauge_with(&name, &labels).unwrap()
    };
    (0..10_000).map(gauge).collect()
}

/// A client that will read nothing of what it asks for.
fn deaf(server: &Server, request: &str) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Waits until somebody else gets the only place that the server has; `meanwhile` is done each time.
fn place_is_free(server: &Server, mut meanwhile: impl FnMut()) {
    let request = format!(
        "GET /api/v1/openapi.json HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address
    );
    // Its sockets have to be filled before the server begins to count the seconds.
    let patience = Duration::from_secs(240);
    ends_within(patience, "the place of a client that reads nothing", || {
        meanwhile();
        let answer = server.raw(request.as_bytes());
        answer.starts_with("HTTP/1.1 200").then_some(())
    });
}

#[test]
fn a_client_that_does_not_read_its_answers_loses_its_place() {
    let sandbox = Sandbox::new();
    drop(large(&sandbox));
    let server = Server::start(&sandbox, &["--connections", "1"]);
    let request = format!(
        "GET /api/v1/view HTTP/1.1\r\nHost: {}\r\n\r\n",
        server.address
    );
    let mut client = deaf(&server, &request.repeat(ANSWERS));
    place_is_free(&server, || ());
    let got = rest(&mut client);
    let answers = got.matches("HTTP/1.1 200 OK").count();
    assert!(
        (1..ANSWERS).contains(&answers),
        "{answers} answers in {} bytes",
        got.len()
    );
}

#[test]
fn a_client_that_does_not_read_live_changes_loses_its_place() {
    let sandbox = Sandbox::new();
    let gauges = large(&sandbox);
    for (path, more) in [
        ("/api/v1/live", ""),
        (
            "/api/v1/ws",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ),
    ] {
        let server = Server::start(&sandbox, &["--connections", "1"]);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\n{more}\r\n",
            server.address
        );
        let mut client = deaf(&server, &request);
        let mut round = 0.0;
        // Each change of all series is a message of about a megabyte.
        place_is_free(&server, || {
            round += 1.0;
            gauges.iter().for_each(|gauge| gauge.set(round));
        });
        // It was cut off in the middle of something, not told that it is too slow.
        let got = rest(&mut client);
        assert!(got.contains("level_0"), "{path}: {} bytes", got.len());
        assert!(!got.contains("too slow"), "{path}: {} bytes", got.len());
    }
}

/// Sends a head, and then one byte of the body after another, until the server closes; gives what it said.
fn drop_by_drop(server: &Server, head: &str) -> String {
    let mut stream = server.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let drops = std::thread::spawn(move || {
        while writer.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => said.extend_from_slice(&buffer[..length]),
            // The server had not read all of what was sent.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server still listens: {error}"),
        }
    }
    drop(stream);
    drops.join().unwrap();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_body_that_comes_drop_by_drop_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let head = |line: &str, token: &str| {
        let address = server.address;
        format!(
            "{line} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
        )
    };
    // Who reads the body gives up; who does not read it does not wait for it.
    let all = [
        ("POST /api/v1/push?writer=w&sequence=1", TOKEN, "503"),
        ("POST /api/v1/rotate", TOKEN, "503"),
        ("POST /api/v1/push?writer=w&sequence=1", "wrong", "401"),
        ("POST /api/v1/nothing", TOKEN, "404"),
        ("GET /metrics", TOKEN, "200"),
    ];
    std::thread::scope(|scope| {
        for (line, token, status) in all {
            let (server, head) = (&server, head(line, token));
            scope.spawn(move || {
                let said = drop_by_drop(server, &head);
                let expected = format!("HTTP/1.1 {status}");
                assert!(said.starts_with(&expected), "{line}: {said:?}");
            });
        }
    });
    assert_eq!(server.get("/-/healthy").status, 200);
    assert_eq!(sandbox.json(&["show", "--json"])["epoch"], 1);
}
