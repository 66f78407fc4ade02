//! How a server begins and ends, and what supervisors hear.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::{PROGRAM, Sandbox, code, ends, stderr};

use super::{PATIENCE, Server};

#[test]
fn a_signal_ends_it_with_success_and_frees_the_port() {
    let sandbox = Sandbox::new();
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(&sandbox, &[]);
        assert_eq!(server.get("/-/healthy").body, "healthy\n");
        server.signal(signal);
        assert!(server.child.wait().unwrap().success());
        TcpListener::bind(server.address).unwrap();
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let sandbox = Sandbox::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = sandbox.output(&["serve", "--listen", &address]);
    assert_eq!(code(&output), 3);
    let said = stderr(&output);
    assert!(
        said.contains(&address) && said.contains("--listen"),
        "{said}"
    );
    let output = sandbox.output(&["serve", "--listen", "nowhere"]);
    assert!(
        stderr(&output).contains("127.0.0.1:9464"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn systemd_hears_that_it_is_ready_and_that_it_stops() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let path = sandbox.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = sandbox.deespec(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path);
    let mut server = Server::run(command);
    let hear = || {
        let mut buffer = [0; 100];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    assert_eq!(hear(), "READY=1");
    server.signal(Signal::TERM);
    assert_eq!(hear(), "STOPPING=1");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn a_socket_that_systemd_hands_over_is_used() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // A shell puts the socket where systemd does, and becomes the server.
    let mut command = sandbox.command("sh");
    let script =
        "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" serve --listen 127.0.0.1:1";
    command.args(["-c", script, PROGRAM]);
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
    let server = Server::run(command);
    assert_eq!(server.address, address);
    assert_eq!(server.get("/-/ready").body, "ready\n");
}

#[test]
fn without_a_store_it_says_so_and_begins_when_somebody_counts() {
    let sandbox = Sandbox::new();
    let server = Server::start_waiting(&sandbox, &[]);
    assert_eq!(server.get("/-/healthy").body, "healthy\n");
    for path in ["/-/ready", "/metrics", "/", "/api/v1/view"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 503, "{path}");
        let sentence = format!("there is no store in {}\n", sandbox.path("store").display());
        assert_eq!(answer.body, sentence, "{path}");
    }
    assert!(!sandbox.path("store").exists(), "looking makes no store");
    sandbox.ok(&["inc", "jobs_total"]);
    ends("the server", || {
        let answer = server.get("/metrics");
        answer.body.contains("jobs_total 1").then_some(())
    });
    assert_eq!(server.get("/-/ready").body, "ready\n");
}

#[test]
fn a_push_makes_the_store_that_a_server_waits_for_and_needs_the_token() {
    let sandbox = Sandbox::new();
    let server = Server::start_waiting(&sandbox, &[]);
    let push = |token| {
        server.post(
            "/api/v1/push?writer=w&sequence=1",
            token,
            Some("a_total 1\n"),
        )
    };
    assert_eq!(push("wrong").status, 401);
    assert_eq!(server.get("/-/ready").status, 503);
    assert!(!sandbox.path("store").exists());
    assert_eq!(push(super::TOKEN).status, 503, "the client is to try again");
    ends("the server", || {
        (server.get("/-/ready").status == 200).then_some(())
    });
}

#[test]
fn a_server_that_waits_ends_at_a_signal_with_success() {
    let sandbox = Sandbox::new();
    let mut server = Server::start_waiting(&sandbox, &[]);
    server.signal(Signal::TERM);
    assert!(server.child.wait().unwrap().success());
    assert!(!sandbox.path("store").exists());
}

#[test]
fn a_store_that_cannot_be_read_is_told_and_the_process_lives() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    assert_eq!(server.get("/-/ready").status, 200);
    // Somebody puts another file into the place of the one that is mapped.
    let first = sandbox.path("store/live/segment-0000");
    let bytes = std::fs::read(&first).unwrap();
    std::fs::remove_file(&first).unwrap();
    std::fs::write(&first, bytes).unwrap();
    let answer = server.get("/-/ready");
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(
        answer.json()["error"]
            .as_str()
            .unwrap()
            .contains("segment-0000"),
        "{}",
        answer.body
    );
    assert_eq!(server.get("/metrics").status, 503);
    crate::support::ends("a supervisor is told", || {
        (server.get("/-/healthy").status == 503).then_some(())
    });
}

#[test]
fn a_store_that_is_removed_or_moved_away_is_noticed_and_said() {
    type Lose = fn(&Sandbox);
    let ways: [Lose; 3] = [
        |sandbox| std::fs::remove_dir_all(sandbox.path("store")).unwrap(),
        |sandbox| std::fs::rename(sandbox.path("store"), sandbox.path("elsewhere")).unwrap(),
        |sandbox| {
            std::fs::rename(sandbox.path("store"), sandbox.path("elsewhere")).unwrap();
            sandbox.ok(&["inc", "other_total"]);
        },
    ];
    for lose in ways {
        let sandbox = Sandbox::new();
        let socket = sandbox.path("statsd.sock");
        let statsd = format!("unix:{}", socket.display());
        let server = Server::start(&sandbox, &["--statsd", &statsd]);
        let sender = UnixDatagram::unbound().unwrap();
        sender.connect(&socket).unwrap();
        sender.send(b"known:1|c").unwrap();
        assert_eq!(server.get("/-/healthy").status, 200);
        lose(&sandbox);
        let told = crate::support::ends("the server notices", || {
            let answer = server.get("/-/healthy");
            (answer.status == 503).then_some(answer.body)
        });
        let path = sandbox.path("store").display().to_string();
        assert!(told.contains(&path), "{told}");
        let said = crate::support::ends("the log says so", || server.said("The store is gone"));
        assert!(said.contains(&path), "{said}");
        assert!(server.said("ERROR").is_some());
        crate::support::ends("the socket is closed", || sender.send(b"known:1|c").err());
        assert_eq!(server.get("/metrics").status, 503);
        let text = Some("# TYPE jobs counter\njobs_total 1\n# EOF\n");
        let pushed = server.post("/api/v1/push?writer=w&sequence=1", super::TOKEN, text);
        assert_eq!(pushed.status, 503, "{}", pushed.body);
    }
}

#[test]
fn a_lost_store_that_comes_back_stays_lost_and_others_are_served() {
    let sandbox = Sandbox::new();
    let [lost, other] = ["lost", "other"].map(|name| sandbox.path(name));
    let [named, beside] = [&lost, &other].map(|path| path.display().to_string());
    let server = Server::start(&sandbox, &["--store", &named, "--store", &beside]);
    let push = |store: &str, sequence: u64| {
        let path = format!("/api/v1/push?writer=w&sequence={sequence}&store={store}");
        let text = "# TYPE jobs counter\njobs_total 1\n# EOF\n";
        server.post(&path, super::TOKEN, Some(text))
    };
    assert_eq!(push("lost", 1).status, 200);
    let mut follower = super::live::Events::follow(&server, None);
    let away = sandbox.path("away");
    std::fs::rename(&lost, &away).unwrap();
    ends("the server notices", || {
        (server.get("/-/healthy").status == 503).then_some(())
    });
    std::fs::rename(&away, &lost).unwrap();
    let refused = |answer: super::Answer, what: &str| {
        assert_eq!(answer.status, 503, "{what}: {}", answer.body);
        assert!(answer.body.contains(&named), "{what}: {}", answer.body);
    };
    for path in [
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/api/v1/view",
        "/api/v1/live",
        "/api/v1/view?store=lost",
        "/api/v1/series?store=lost",
        "/api/v1/gate?store=lost",
        "/api/v1/snapshots?store=lost",
        "/api/v1/history?store=lost&series=jobs_total",
    ] {
        refused(server.get(path), path);
    }
    for path in ["/api/v1/snapshot?store=lost", "/api/v1/rotate?store=lost"] {
        refused(server.post(path, super::TOKEN, None), path);
    }
    refused(push("lost", 2), "a push");
    let end = std::iter::from_fn(|| follower.next()).last().unwrap();
    assert_eq!(end.event, "end");
    assert!(end.data["reason"].as_str().unwrap().contains(&named));
    // The other one is still where it was.
    assert_eq!(push("other", 1).status, 200);
    let view = server.get("/api/v1/view?store=other");
    assert_eq!(view.status, 200, "{}", view.body);
    let document = sandbox.json(&["--store", &named, "show", "--json"]);
    assert_eq!(
        crate::support::value(&document, "jobs_total", &serde_json::json!({})),
        1
    );
}

#[test]
fn a_server_that_is_told_to_end_does_not_wait_for_a_lock_that_is_held() {
    let sandbox = Sandbox::new();
    let mut server = Server::start(&sandbox, &[]);
    // Something to publish at the end.
    sandbox.ok(&["inc", "jobs_total"]);
    let lock = std::fs::File::open(sandbox.path("store/live/lock")).unwrap();
    lock.lock().unwrap();
    server.signal(Signal::TERM);
    assert!(server.child.wait().unwrap().success());
    lock.unlock().unwrap();
}
