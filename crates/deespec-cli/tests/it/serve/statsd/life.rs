//! Sockets from their first moment to their last, and what was counted by then.

use std::net::UdpSocket;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::json;

use super::{after, rejected, udp, unix};
use crate::serve::{Server, TOKEN};
use crate::support::{Sandbox, code, ends, stderr, value};

#[test]
fn known_names_count_while_a_new_one_waits_for_the_lock() {
    let sandbox = Sandbox::new();
    let (_server, client) = unix(&sandbox);
    client.send(b"known:1|c").unwrap();
    after(&sandbox, 1);
    let lock = std::fs::File::open(sandbox.path("store/live/lock")).unwrap();
    lock.lock().unwrap();
    client.send(b"fresh:1|c").unwrap();
    for _ in 0..100 {
        client.send(b"known:1|c\nfresh:1|c").unwrap();
    }
    // Read without the lock, as the memory of the store has it.
    let known = || {
        let store = deespec::Options::new()
            .background_sync(None)
            .open(sandbox.path("store"));
        store.unwrap().counter("known").unwrap().total()
    };
    ends("the known name is counted", || {
        (known() == 101).then_some(())
    });
    lock.unlock().unwrap();
    let document = ends("the new name is counted", || {
        let document = sandbox.json(&["show", "--json"]);
        let fresh = value(&document, "fresh", &json!({}));
        (fresh + rejected(&document, "store") == 101).then_some(document)
    });
    assert_eq!(value(&document, "known", &json!({})), 101);
}

#[test]
fn eight_processes_and_a_server_that_ends_agree_on_what_was_counted() {
    let sandbox = Sandbox::new();
    let (mut server, client) = unix(&sandbox);
    drop(client);
    let sender = "import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
                  s.connect('statsd.sock')\nline = b'jobs:1|c|#sender:' + sys.argv[1].encode()\nn = 0\n\
                  try:\n  while True:\n    s.send(line)\n    n += 1\nexcept OSError:\n  print(n)\n";
    let senders: Vec<_> = (0..8)
        .map(|number: u64| {
            let mut command = sandbox.command("python3");
            let command = command.args(["-c", sender, &number.to_string()]);
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let counted = || -> Vec<u64> {
        let document = sandbox.json(&["show", "--json"]);
        let of = |number: u64| value(&document, "jobs", &json!({"sender": number.to_string()}));
        (0..8).map(of).collect()
    };
    ends("each has counted much", || {
        counted().iter().all(|jobs| *jobs > 1000).then_some(())
    });
    server.signal(Signal::TERM);
    assert!(server.child.wait().unwrap().success());
    // Each has sent until it was told that nobody listens any more.
    let sent = senders.into_iter().map(|sender| {
        let output = sender.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().parse().unwrap()
    });
    let sent: Vec<u64> = sent.collect();
    assert_eq!(counted(), sent);
    assert!(!sandbox.path("statsd.sock").exists());
}

#[test]
fn what_was_counted_stays_when_the_server_is_killed_and_its_socket_gives_way() {
    let sandbox = Sandbox::new();
    let (mut server, client) = unix(&sandbox);
    let path = sandbox.path("statsd.sock");
    assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
    for _ in 0..1000 {
        client.send(b"jobs:1|c").unwrap();
    }
    after(&sandbox, 1000);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    assert!(path.symlink_metadata().unwrap().file_type().is_socket());
    let (mut again, client) = unix(&sandbox);
    client.send(b"jobs:1|c").unwrap();
    let document = after(&sandbox, 1001);
    assert_eq!(value(&document, "jobs", &json!({})), 1001);
    // While it listens, nobody else gets its place.
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--statsd",
        "unix:statsd.sock",
    ];
    let refused = sandbox.output(&arguments);
    assert_eq!(code(&refused), 3);
    assert!(stderr(&refused).contains("another process listens there"));
    client.send(b"jobs:1|c").unwrap();
    after(&sandbox, 1002);
    again.signal(Signal::TERM);
    assert!(again.child.wait().unwrap().success());
    assert!(!path.exists());
}

#[test]
fn what_waits_in_the_socket_is_counted_and_what_the_kernel_drops_is_told() {
    const SENT: u64 = 30_000;
    let sandbox = Sandbox::new();
    let mut server = Server::start(&sandbox, &["--statsd", "127.0.0.1:0"]);
    let address = format!("127.0.0.1:{}", udp(&server));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Far more than a socket holds comes while nobody reads.
    server.signal(Signal::STOP);
    for _ in 0..SENT {
        client.send_to(b"jobs:1|c", &address).unwrap();
    }
    // It ends with the next thing that it does, so all of this is done at the end.
    server.signal(Signal::TERM);
    server.signal(Signal::CONT);
    assert!(server.child.wait().unwrap().success());
    let document = sandbox.json(&["show", "--json"]);
    let counted = value(&document, "jobs", &json!({}));
    let dropped = rejected(&document, "dropped");
    assert!(counted > 0 && dropped > 0, "{counted} and {dropped}");
    assert_eq!(counted + dropped, SENT);
}

#[test]
fn where_strangers_could_count_and_where_it_is_unclear_nothing_begins() {
    let sandbox = Sandbox::new();
    let refused = |arguments: &[&str], part: &str| {
        let mut command = sandbox.deespec(&["serve", "--listen", "127.0.0.1:0"]);
        let output = command.args(arguments).env("DEESPEC_TOKEN", TOKEN).output();
        let output = output.unwrap();
        assert_eq!(code(&output), 3, "{arguments:?}");
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    };
    // A token does not help: no statsd client knows one.
    refused(&["--statsd", "0.0.0.0:0"], "statsd knows no token");
    refused(&["--statsd", "nowhere"], "unix:PATH");
    refused(
        &["--statsd", "unix:no/folder/s"],
        "cannot count what is sent to unix:no/folder/s",
    );
    let two = [
        "--statsd",
        "127.0.0.1:0",
        "--store",
        "one",
        "--store",
        "two",
    ];
    refused(&two, "there are several");
    assert!(!sandbox.path("one").exists());
    std::fs::write(sandbox.path("file"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", sandbox.path("link")).unwrap();
    for name in ["file", "link"] {
        refused(&["--statsd", &format!("unix:{name}")], "no socket");
    }
    assert_eq!(std::fs::read(sandbox.path("file")).unwrap(), b"mine");
    assert_eq!(
        sandbox.path("link").read_link().unwrap(),
        PathBuf::from("nowhere")
    );
    let open = Server::start(&sandbox, &["--statsd", "0.0.0.0:0", "--insecure"]);
    let port = open.said("Counting statsd address=0.0.0.0:").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client
        .send_to(b"jobs:1|c", format!("127.0.0.1:{port}"))
        .unwrap();
    assert_eq!(value(&after(&sandbox, 1), "jobs", &json!({})), 1);
}
