//! Who may ask.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Sandbox, code, stderr};

use super::{Server, TOKEN};

fn get(server: &Server, headers: &str) -> String {
    server.raw(format!("GET /metrics HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").as_bytes())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn a_name_that_is_not_the_servers_is_refused() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--host", "metrics.example"]);
    for ours in [
        "localhost",
        "127.0.0.1:1",
        "[::1]:80",
        "METRICS.example:9464",
    ] {
        assert_eq!(
            status(&get(&server, &format!("Host: {ours}\r\n"))),
            "200",
            "{ours}"
        );
    }
    for other in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:9464",
        "",
    ] {
        let answer = get(&server, &format!("Host: {other}\r\n"));
        assert_eq!(status(&answer), "421", "{other}: {answer}");
        assert!(answer.contains("--host NAME"), "{answer}");
    }
    assert_eq!(status(&get(&server, "")), "400");
    assert_eq!(
        status(&get(&server, "Host: localhost\r\nHost: evil.example\r\n")),
        "400"
    );
}

#[test]
fn a_page_of_another_site_may_not_ask_nor_listen() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let host = server.address.to_string();
    let own = get(
        &server,
        &format!("Host: {host}\r\nOrigin: http://{host}\r\n"),
    );
    assert_eq!(status(&own), "200", "{own}");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", ""] {
        let headers = format!("Host: {host}\r\nOrigin: {origin}\r\n");
        assert_eq!(status(&get(&server, &headers)), "403", "{origin}");
        let upgrade = server.raw(
            format!(
                "GET /api/v1/ws HTTP/1.1\r\n{headers}Connection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            .as_bytes(),
        );
        assert_eq!(status(&upgrade), "403", "{origin}: {upgrade}");
    }
}

#[test]
fn live_changes_are_told_to_nobody_who_may_not_ask() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let host = server.address.to_string();
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (path, more) in [
        ("/api/v1/live", "Connection: close\r\n"),
        ("/api/v1/ws", upgrade),
    ] {
        for (headers, expected) in [
            ("Host: evil.example\r\n".to_owned(), "421"),
            (
                format!("Host: {host}\r\nOrigin: http://evil.example\r\n"),
                "403",
            ),
            (format!("Host: {host}\r\nOrigin: null\r\n"), "403"),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\n{headers}{more}\r\n");
            let mut stream = server.connect();
            stream.write_all(request.as_bytes()).unwrap();
            // No more than its beginning: an answer to who may ask has no end.
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
            assert_eq!(status(&line), expected, "{path} {headers}");
        }
    }
}

#[test]
fn who_changes_something_needs_the_token() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    for wrong in ["", "wrong", &TOKEN[1..], &format!("{TOKEN}x")] {
        let answer = server.post("/api/v1/rotate", wrong, None);
        assert_eq!(answer.status, 401, "{wrong}: {}", answer.body);
        assert!(answer.header("www-authenticate").starts_with("Basic"));
        assert!(!answer.body.contains(TOKEN));
    }
    assert_eq!(server.post("/api/v1/rotate", TOKEN, None).status, 200);
    assert_eq!(sandbox.json(&["show", "--json"])["epoch"], 2);
    // Reading does not, and a GET changes nothing.
    assert_eq!(server.get("/api/v1/rotate").status, 405);
    let mut none = sandbox.deespec(&["serve", "--listen", "127.0.0.1:0"]);
    none.env_remove("DEESPEC_TOKEN");
    let without = Server::run(none);
    let answer = without.post("/api/v1/rotate", TOKEN, None);
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert!(answer.body.contains("--token-file"), "{}", answer.body);
}

#[test]
fn beyond_this_machine_everybody_needs_the_token() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let begun = Instant::now();
    let refused = sandbox.output(&["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(code(&refused), 3, "{begun:?}");
    let said = stderr(&refused);
    assert!(
        said.contains("there is no token") && said.contains("--token-file"),
        "{said}"
    );
    let mut command = sandbox.deespec(&["serve", "--listen", "0.0.0.0:0"]);
    command.env("DEESPEC_TOKEN", TOKEN);
    let mut server = Server::run(command);
    server.address.set_ip([127, 0, 0, 1].into());
    for path in [
        "/metrics",
        "/api/v1/view",
        "/api/v1/live",
        "/",
        "/-/healthy",
    ] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    let bearer = format!("Bearer {TOKEN}");
    let answer = server.get_with("/metrics", &[("Authorization", &bearer)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut open = sandbox.deespec(&["serve", "--listen", "0.0.0.0:0", "--insecure"]);
    open.env_remove("DEESPEC_TOKEN");
    let mut open = Server::run(open);
    open.address.set_ip([127, 0, 0, 1].into());
    assert_eq!(open.get("/metrics").status, 200);
}

#[test]
fn a_token_that_is_none_is_refused_before_anything_is_served() {
    let sandbox = Sandbox::new();
    for (content, reason) in [
        ("short", "fewer than 16"),
        ("sixteen and more ä", "visible ASCII"),
    ] {
        std::fs::write(sandbox.path("token"), content).unwrap();
        set_mode(&sandbox, 0o600);
        let output = sandbox.output(&["serve", "--listen", "127.0.0.1:0", "--token-file", "token"]);
        let said = stderr(&output);
        assert_eq!(code(&output), 3, "{said}");
        assert!(said.contains(reason) && !said.contains(content), "{said}");
    }
    let output = sandbox.output(&["serve", "--token-file", "nowhere"]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("nowhere"));
}

fn set_mode(sandbox: &Sandbox, mode: u32) {
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(sandbox.path("token"), permissions).unwrap();
}

#[test]
fn a_token_that_others_can_read_or_write_is_none() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("token"), TOKEN).unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--token-file", "token"];
    for mode in [0o644, 0o640, 0o604, 0o660, 0o602, 0o666] {
        set_mode(&sandbox, mode);
        let output = sandbox.output(&arguments);
        let said = stderr(&output);
        assert_eq!(code(&output), 3, "{mode:o}: {said}");
        assert!(said.contains("token: others can use it too"), "{said}");
        assert!(
            said.contains("chmod 600") && !said.contains(TOKEN),
            "{said}"
        );
    }
    for mode in [0o600, 0o400] {
        set_mode(&sandbox, mode);
        Server::run(sandbox.deespec(&arguments));
    }
}

#[test]
fn wrong_tokens_are_answered_one_after_the_other_and_a_right_one_at_once() {
    const WRONG: u32 = 12;
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let begun = Instant::now();
    let answered = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WRONG {
            scope.spawn(|| {
                assert_eq!(
                    server
                        .post("/api/v1/rotate", "wrong-but-long-enough", None)
                        .status,
                    401
                );
                answered.fetch_add(1, Ordering::SeqCst);
            });
        }
        assert_eq!(server.post("/api/v1/snapshot", TOKEN, None).status, 200);
    });
    assert_eq!(answered.load(Ordering::SeqCst), WRONG);
    assert!(begun.elapsed() >= Duration::from_millis(100) * WRONG);
}

#[test]
fn wrong_tokens_that_wait_keep_nobody_out() {
    /// How many of them wait at least; whoever is one too many is answered at once.
    const WAITING: u32 = 160;
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let guess = format!(
        "POST /api/v1/push?writer=w&sequence=1 HTTP/1.1\r\nHost: {}\r\n\
         Authorization: Bearer wrong-but-long-enough\r\nContent-Length: 0\r\n\r\n",
        server.address
    );
    let mut guesses = Vec::new();
    let begun = Instant::now();
    for sequence in 1..=180 {
        let mut stream = server.connect();
        stream.write_all(guess.as_bytes()).unwrap();
        guesses.push(stream);
        if sequence % 20 == 0 {
            assert_eq!(server.get("/metrics").status, 200, "{sequence}");
            let path = format!("/api/v1/push?writer=w&sequence={sequence}");
            let pushed = server.post(&path, TOKEN, Some("# TYPE a counter\na_total 1\n# EOF\n"));
            assert_eq!(pushed.status, 200, "{sequence}: {}", pushed.body);
        }
    }
    // Had one of them waited for longer than an answer may take, it would have been told that.
    for mut stream in guesses {
        let answer = super::rest(&mut stream);
        assert_eq!(status(&answer), "401", "{answer}");
    }
    assert!(begun.elapsed() >= Duration::from_millis(100) * WAITING);
}

#[test]
fn what_a_page_of_another_site_causes_is_refused_wherever_it_asks() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let sent = |path: &str, site: &str| {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors")];
        server.get_with(path, &headers).status
    };
    for path in [
        "/",
        "/metrics",
        "/-/healthy",
        "/api/v1/view",
        "/api/v1/live",
        "/api/v1/ws",
    ] {
        for foreign in ["cross-site", "same-site"] {
            assert_eq!(sent(path, foreign), 403, "{path} {foreign}");
        }
    }
    for own in ["same-origin", "none"] {
        assert_eq!(sent("/metrics", own), 200, "{own}");
    }
}

#[test]
fn every_answer_tells_the_browser_to_load_nothing_from_elsewhere() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    for path in ["/metrics", "/nothing", "/api/v1/view"] {
        let answer = server.get(path);
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(
            !policy.contains("unsafe") && !policy.contains("http"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}
