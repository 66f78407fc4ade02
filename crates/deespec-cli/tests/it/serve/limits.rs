//! What a client must not ask for, and that everybody else is served meanwhile.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketType};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::Sandbox;

use super::{PATIENCE, Server, TOKEN, rest};

#[test]
fn a_head_that_does_not_come_ends_the_connection() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let mut silent = server.connect();
    let mut slow = server.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: local")
        .unwrap();
    // That the server closes is what ends these; it would wait for ever without its timer.
    assert!(!rest(&mut slow).contains("200 OK"));
    assert_eq!(rest(&mut silent), "");
    assert_eq!(server.get("/-/healthy").status, 200);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let head = |bytes: usize| {
        let filler = "x".repeat(bytes);
        let address = server.address;
        server.raw(
            format!("GET /-/healthy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX: {filler}\r\n\r\n")
                .as_bytes(),
        )
    };
    assert!(head(8 * 1024).starts_with("HTTP/1.1 200"));
    for bytes in [17 * 1024, 1 << 20] {
        let answer = head(bytes);
        assert!(
            answer.starts_with("HTTP/1.1 431") || answer.is_empty(),
            "{answer}"
        );
    }
    assert_eq!(server.get("/-/healthy").status, 200);
}

#[test]
fn a_body_that_is_too_long_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let body = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1 << 20));
    let head = format!(
        "POST /api/v1/rotate HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    // The server closes before it has read all of that, and its answer may get lost in this.
    let answer = server.raw((head + &body).as_bytes());
    assert!(
        answer.starts_with("HTTP/1.1 413") || answer.is_empty(),
        "{answer}"
    );
    for (body, part) in [
        (r#"{"reason":1}"#, "reason"),
        (r#"{"why":"no"}"#, "unknown field"),
        ("{", "EOF"),
    ] {
        let answer = server.post("/api/v1/rotate", TOKEN, Some(body));
        assert!((400..500).contains(&answer.status), "{}", answer.body);
        assert!(
            answer.json()["error"].as_str().unwrap().contains(part),
            "{}",
            answer.body
        );
    }
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1001));
    assert_eq!(
        server.post("/api/v1/rotate", TOKEN, Some(&long)).status,
        400
    );
    assert_eq!(sandbox.json(&["show", "--json"])["epoch"], 1);
}

fn ask(server: &Server, path: &str) -> String {
    let address = server.address;
    server.raw(
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )
}

#[test]
fn one_connection_too_many_is_told_so_and_a_place_that_is_free_is_given() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--connections", "3"]);
    let hold = |path: &str| {
        let mut stream = server.connect();
        let address = server.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
        stream
    };
    // Answered, so each has its place.
    let taken: Vec<TcpStream> = (0..3).map(|_| hold("/api/v1/openapi.json")).collect();
    for path in ["/", "/api/v1/view", "/api/v1/live", "/nothing"] {
        let refused = ask(&server, path);
        assert!(
            refused.starts_with("HTTP/1.1 503") && refused.contains("too many connections"),
            "{path}: {refused}"
        );
    }
    // Some must be answered whatever others do, and they have their places too.
    for path in ["/metrics", "/-/healthy", "/-/ready"] {
        assert!(ask(&server, path).starts_with("HTTP/1.1 200"), "{path}");
    }
    // All places are taken now by who says nothing: each newcomer gets the place of who has been silent longest.
    let idle: Vec<TcpStream> = (0..32).map(|_| hold("/-/healthy")).collect();
    assert!(ask(&server, "/metrics").starts_with("HTTP/1.1 200"));
    let [mut first, ..] = <[TcpStream; 3]>::try_from(taken).unwrap();
    assert!(rest(&mut first).contains("openapi"), "it is closed");
    // Whoever is being answered keeps his.
    let lock = std::fs::File::open(sandbox.path("store/live/lock")).unwrap();
    lock.lock().unwrap();
    let busy: Vec<TcpStream> = (0..35)
        .map(|writer| waits_for_the_lock(&server, writer))
        .collect();
    let refused = server.raw(b"");
    assert!(
        refused.starts_with("HTTP/1.1 503") && refused.contains("too many connections"),
        "{refused}"
    );
    lock.unlock().unwrap();
    for mut stream in busy {
        let answer = rest(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(idle);
    crate::support::ends("a place is free", || {
        ask(&server, "/api/v1/openapi.json")
            .starts_with("HTTP/1.1 200")
            .then_some(())
    });
}

/// A push that the server has read, and that it answers when it gets the store's lock.
fn waits_for_the_lock(server: &Server, writer: usize) -> TcpStream {
    let mut stream = server.connect();
    let body = "# TYPE jobs counter\njobs_total 1\n# EOF\n";
    let head = format!(
        "POST /api/v1/push?writer={writer}&sequence=1 HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        server.address,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let goes_on = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut heard = vec![0; goes_on.len()];
    std::io::Read::read_exact(&mut stream, &mut heard).unwrap();
    assert_eq!(heard, goes_on);
    stream.write_all(body.as_bytes()).unwrap();
    stream
}

/// Connections that were opened, and on which this was sent.
fn crowd(server: &Server, sent: &str) -> Vec<TcpStream> {
    let one = |_| {
        let mut stream = server.connect();
        // The server may have closed it for the next one.
        let _ = stream.write_all(sent.as_bytes());
        stream
    };
    (0..170).map(one).collect()
}

#[test]
fn who_says_nothing_keeps_neither_a_scrape_nor_a_push_out() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let address = server.address;
    let idle = format!("GET /-/healthy HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let pipelined = format!("GET /api/v1/openapi.json HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut sequence = 0;
    for sent in [
        "",
        "GET /metrics HTTP/1.1\r\nHost: ",
        &idle,
        &pipelined.repeat(50),
    ] {
        let held = crowd(&server, sent);
        for path in ["/metrics", "/-/healthy", "/-/ready"] {
            let answer = ask(&server, path);
            assert!(
                answer.starts_with("HTTP/1.1 200"),
                "{sent}: {path}: {answer}"
            );
        }
        sequence += 1;
        let path = format!("/api/v1/push?writer=w&sequence={sequence}");
        let pushed = server.post(&path, TOKEN, Some("# TYPE a counter\na_total 1\n# EOF\n"));
        assert_eq!(pushed.status, 200, "{sent}: {}", pushed.body);
        drop(held);
    }
}

#[test]
fn bodies_that_do_not_come_to_an_end_keep_no_scrape_out() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let half = format!(
        "POST /api/v1/push?writer=w&sequence=1 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: 60000\r\n\r\nx",
        server.address
    );
    let held = crowd(&server, &half);
    crate::support::ends("a scrape is answered", || {
        ask(&server, "/metrics")
            .starts_with("HTTP/1.1 200")
            .then_some(())
    });
    // It did not wait until one of these had taken too long.
    for mut stream in held {
        stream.set_nonblocking(true).unwrap();
        let told = rest(&mut stream);
        assert!(!told.contains("took too long"), "{told}");
    }
}

#[test]
fn who_says_nothing_keeps_nobody_out_of_a_server_that_waits_for_its_store() {
    let sandbox = Sandbox::new();
    let server = Server::start_waiting(&sandbox, &[]);
    let _held = crowd(&server, "");
    assert_eq!(server.get("/-/healthy").status, 200);
    assert_eq!(server.get("/metrics").status, 503);
}

#[test]
fn work_that_nobody_waits_for_is_bounded() {
    let sandbox = Sandbox::new();
    let store = deespec::Store::open(sandbox.path("store")).unwrap();
    for number in 0..2000 {
        store
            .counter_with("jobs_total", &[("n", &*number.to_string())])
            .unwrap();
    }
    let server = Server::start(&sandbox, &[]);
    let address = server.address;
    for path in [
        "/metrics",
        "/api/v1/series",
        "/api/v1/view",
        "/api/v1/gate",
        "/api/v1/snapshots",
    ] {
        for _ in 0..150 {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            // Closed at once, without having read anything.
            let _ = server.connect().write_all(request.as_bytes());
        }
        let status = format!("/proc/{}/status", server.child.id());
        let status = std::fs::read_to_string(status).unwrap();
        let threads = status
            .lines()
            .find_map(|line| line.strip_prefix("Threads:"));
        let threads: u32 = threads.unwrap().trim().parse().unwrap();
        assert!(threads < 60, "{path}: {threads} threads");
        crate::support::ends("an answer", || {
            ask(&server, path).starts_with("HTTP/1.1 200").then_some(())
        });
    }
}

#[test]
fn a_body_of_64_kib_is_read_and_one_byte_more_is_not() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let post = |bytes: usize| {
        let mut body = r#"{"reason":"long"}"#.to_owned();
        body.push_str(&" ".repeat(bytes - body.len()));
        let head = format!(
            "POST /api/v1/rotate HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Connection: close\r\nContent-Type: application/json\r\nContent-Length: {bytes}\r\n\r\n",
            server.address
        );
        server.raw((head + &body).as_bytes())
    };
    let refused = post(65_537);
    assert!(
        refused.starts_with("HTTP/1.1 413") || refused.is_empty(),
        "{refused}"
    );
    assert_eq!(sandbox.json(&["show", "--json"])["epoch"], 1);
    let answer = post(65_536);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(sandbox.json(&["show", "--json"])["epoch"], 2);
}

#[test]
fn all_loopback_addresses_have_16_live_clients_who_keep_nobody_out() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let request = format!(
        "GET /api/v1/live HTTP/1.1\r\nHost: {}\r\n\r\n",
        server.address
    );
    let follow = |last: u8| {
        let mut stream = connect_from(&server, [127, 0, 1, last]);
        stream.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        (line, stream)
    };
    let mut held = Vec::new();
    for number in 0..140 {
        let (status, stream) = follow(1 + number / 15);
        let expected = if number < 16 { "200 OK" } else { "429" };
        assert!(status.contains(expected), "{number}: {status}");
        // Also who was refused and stays.
        held.push(stream);
    }
    for path in ["/-/healthy", "/-/ready", "/metrics", "/api/v1/view"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert_eq!(server.post("/api/v1/snapshot", TOKEN, None).status, 200);
    held.truncate(15);
    crate::support::ends("a place is free", || {
        let (status, _stream) = follow(200);
        status.contains("200 OK").then_some(())
    });
}

/// A connection from another of the addresses that this machine calls itself.
fn connect_from(server: &Server, address: [u8; 4]) -> TcpStream {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((address, 0))).unwrap();
    rustix::net::connect(&socket, &server.address).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn ten_thousand_connections_do_not_keep_a_scrape_away() {
    let sandbox = Sandbox::new();
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(11_000, |most| most.min(11_000));
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(wanted.max(limit.current.unwrap_or(wanted))),
            maximum: limit.maximum,
        },
    )
    .unwrap();
    let server = Server::start(&sandbox, &[]);
    let most = (wanted as usize).saturating_sub(1000).min(10_000);
    let mut held = Vec::new();
    for _ in 0..most {
        match TcpStream::connect(server.address) {
            Ok(stream) => held.push(stream),
            Err(error) => panic!("after {} connections: {error}", held.len()),
        }
    }
    // Those who say nothing lose their places, and then a scrape gets one while all of these are still held.
    crate::support::ends("a scrape is answered", || {
        let answer = server.raw(
            format!(
                "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                server.address
            )
            .as_bytes(),
        );
        answer.starts_with("HTTP/1.1 200").then_some(())
    });
    assert_eq!(held.len(), most);
}
