//! What can only send a datagram counts too: statsd clients over real sockets.

use std::net::UdpSocket;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Sandbox, code, ends, series, stderr, value};

use super::{Server, TOKEN};

/// A server with a Unix socket, and what is connected to it.
fn unix(sandbox: &Sandbox) -> (Server, UnixDatagram) {
    let server = Server::start(sandbox, &["--statsd", "unix:statsd.sock"]);
    let client = UnixDatagram::unbound().unwrap();
    client.connect(sandbox.path("statsd.sock")).unwrap();
    (server, client)
}

/// The port on which a server takes datagrams.
fn udp(server: &Server) -> String {
    let address = server.said("Counting statsd address=127.0.0.1:");
    address.unwrap()
}

/// What is counted once that many datagrams have been.
fn after(sandbox: &Sandbox, datagrams: u64) -> Value {
    ends("the datagrams are counted", || {
        let document = sandbox.json(&["show", "--json"]);
        let counted = value(&document, "deespec_statsd_datagrams_total", &json!({}));
        assert!(counted <= datagrams, "{counted} datagrams");
        (counted == datagrams).then_some(document)
    })
}

fn rejected(document: &Value, reason: &str) -> u64 {
    let labels = json!({ "reason": reason });
    value(document, "deespec_statsd_rejected_total", &labels)
}

#[test]
fn a_python_program_and_a_shell_count_over_udp() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &["--statsd", "127.0.0.1:0"]);
    let port = udp(&server);
    let python = format!(
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nfor n in range(50):\n  \
         s.sendto(b'jobs.done:1|c|#queue:mail\\njobs.done:2:3|c|#queue:mail\\nwait:250|ms', ('127.0.0.1', {port}))\n"
    );
    let shell = format!(
        "for n in {{1..50}}; do echo 'jobs.done:1|c|#queue:print' > /dev/udp/127.0.0.1/{port}; done"
    );
    for (program, option, text) in [("python3", "-c", python), ("bash", "-c", shell)] {
        let status = sandbox.command(program).args([option, &text]).status();
        assert!(status.unwrap().success(), "{program}");
    }
    let document = after(&sandbox, 100);
    let jobs = |queue: &str| value(&document, "jobs_done", &json!({ "queue": queue }));
    assert_eq!([jobs("mail"), jobs("print")], [300, 50]);
    let wait = &series(&document, "wait_seconds", &json!({}))["value"];
    assert_eq!([&wait["count"], &wait["sum"]], [&json!(50), &json!(12.5)]);
}

#[test]
fn a_line_counts_as_its_type_and_its_rate_say() {
    let sandbox = Sandbox::new();
    let (_server, client) = unix(&sandbox);
    for _ in 0..30 {
        client.send(b"seen:1|c|@0.3").unwrap();
    }
    client
        .send(b"a.b-c:1:2:3|c\r\n\ncommits:7|c\nonce:1|c|@0.6")
        .unwrap();
    client
        .send(b"depth:5|g\ndepth:+2.5|g\ndepth:-1|g|#")
        .unwrap();
    client
        .send(b"size:100:300|h|#urgent\nsize:1|d|@0.5|#urgent")
        .unwrap();
    client.send(b"db.seconds:1500|ms\nttl_seconds:3|h").unwrap();
    let document = after(&sandbox, 34);
    let counted = |name| value(&document, name, &json!({}));
    assert_eq!(counted("seen"), 100);
    assert_eq!(counted("once"), 2);
    assert_eq!(counted("a_b_c"), 6);
    assert_eq!(counted("commits"), 7);
    let of = |name, labels| series(&document, name, &labels)["value"].clone();
    assert_eq!(of("depth", json!({})), 6.5);
    let size = of("size", json!({"urgent": "true"}));
    assert_eq!([&size["count"], &size["sum"]], [&json!(4), &json!(402.0)]);
    assert_eq!(of("db_seconds", json!({}))["sum"], 1.5);
    assert_eq!(of("ttl_seconds", json!({}))["sum"], 3.0);
}

#[test]
fn what_was_declared_with_fractions_or_as_a_summary_is_counted_as_such() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["declare", "counter", "spent_seconds", "--fractions"]);
    sandbox.ok(&["declare", "summary", "size"]);
    let (_server, client) = unix(&sandbox);
    client
        .send(b"spent.seconds:0.25|c\nspent.seconds:2|c\nspent.seconds:1:0.1|c|@0.4")
        .unwrap();
    client
        .send(b"size:2.5|h\nsize:-0.5|h|@0.5\nsize:1000|d")
        .unwrap();
    // The second of them would leave what the sum can be, and a part of a line is not counted.
    client
        .send(b"size:2000000000000000000|h\nsize:1:3000000000000000000|h")
        .unwrap();
    client
        .send(b"size:-2000000000000000000|h|@0.5\nspent.seconds:-0.5|c")
        .unwrap();
    let document = after(&sandbox, 4);
    let of = |name| series(&document, name, &json!({})).clone();
    assert_eq!(of("spent_seconds")["exact"], "5");
    let size = &of("size")["value"];
    assert_eq!(
        [&size["count"], &size["exact"]],
        [&json!(5), &json!("2000000000000001001.5")]
    );
    assert_eq!(rejected(&document, "value"), 3);
}

#[test]
fn what_cannot_be_counted_is_counted_by_its_reason_and_told() {
    let sandbox = Sandbox::new();
    let (server, client) = unix(&sandbox);
    for line in [
        "\u{1b}[31mnothing",
        "a:1|c|x",
        "users:42|s",
        "a:-1|c",
        ":1|c",
        "a:1|c|#k:1,k:2",
        "good:1|g",
        "a:1|c|#k:1,k:2,#l",
        "a[k=1:1|c",
        "_e{1,3}:5|c",
        "_sc|a|0|m:5|c",
        "commit_failed:1|g",
        "commit.success.total:9|c|#k:1",
        "deespec.statsd.rejected:1|c",
        "a:9007199254740993|c",
    ] {
        // The lines around it count all the same.
        client
            .send(format!("good:1|c\n{line}\ngood:1|c").as_bytes())
            .unwrap();
    }
    client.send(&[b'a'; 70_000]).unwrap();
    let document = after(&sandbox, 16);
    assert_eq!(value(&document, "good", &json!({})), 30);
    for (reason, number) in [
        ("line", 2),
        ("type", 3),
        ("value", 2),
        ("name", 1),
        ("labels", 3),
        ("kind", 1),
        ("size", 1),
        ("store", 0),
        ("dropped", 0),
        ("reserved", 3),
        ("limit", 0),
    ] {
        assert_eq!(rejected(&document, reason), number, "{reason}");
    }
    let told = ends("it is told", || server.said("WARN: Rejected from statsd "));
    assert!(told.starts_with("number=1 reason=line"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told:?}");
}

#[test]
fn the_tags_of_every_dialect_are_labels_and_each_value_may_have_its_type() {
    let sandbox = Sandbox::new();
    let (_server, client) = unix(&sandbox);
    for line in [
        "hits:1|c|#a:b,c:d",
        "hits:1|c|#a:b,#c:d",
        "hits,a=b,c=d:1|c",
        "hits#a=b,c=d:1|c",
        "hits[a=b,c=d]:1|c:2|c",
        "hits,a=b:1|c|@0.5:1|c|#c:d",
    ] {
        client.send(line.as_bytes()).unwrap();
    }
    client.send(b"both:3|c:5|ms").unwrap();
    let document = after(&sandbox, 7);
    assert_eq!(value(&document, "hits", &json!({"a": "b", "c": "d"})), 10);
    assert_eq!(value(&document, "both", &json!({})), 3);
    let both = &series(&document, "both_seconds", &json!({}))["value"];
    assert_eq!(both["count"], 1);
}

#[test]
fn no_datagram_makes_a_counter_begin_again_or_a_gate_pass() {
    let sandbox = Sandbox::new();
    assert_eq!(
        code(&sandbox.output(&["inc", "commit_failed", "--by", "5"])),
        0
    );
    let (_server, client) = unix(&sandbox);
    // A packed line of the largest counts, twice: together they would be more than 2^64.
    let largest = vec!["9007199254740992"; 1500].join(":");
    let line = format!("jobs:{largest}|c");
    for datagram in [
        "jobs:1|c",
        &line,
        &line,
        "sizes:1|h|@1e-15:2|h|@1e-15",
        "jobs:1|c",
    ] {
        client.send(datagram.as_bytes()).unwrap();
    }
    client
        .send(b"commit_success:1000000|c\ncommit_failed,a=b:1|c")
        .unwrap();
    let document = after(&sandbox, 6);
    assert_eq!(value(&document, "jobs", &json!({})), 2);
    assert_eq!(
        [
            rejected(&document, "value"),
            rejected(&document, "reserved")
        ],
        [3, 2]
    );
    assert_eq!(code(&sandbox.output(&["doctor", "--check-thresholds"])), 1);
}

#[test]
fn no_datagram_makes_a_sum_begin_again_or_a_gauge_infinite() {
    let sandbox = Sandbox::new();
    let (_server, client) = unix(&sandbox);
    client.send(b"wait:250|ms\ndepth:1e308|g").unwrap();
    // The first is more than a sum can hold at once, and of the others but one has room, whatever its sign.
    for line in [
        "wait:1e13|ms",
        "wait:4e12|ms",
        "wait:-4e12|ms",
        "wait:4e12|ms",
        "wait:1e3|ms|@1e-15",
    ] {
        client.send(line.as_bytes()).unwrap();
    }
    client.send(b"depth:+1e308|g").unwrap();
    client.send(b"depth:-1e308|g").unwrap();
    let document = after(&sandbox, 8);
    let wait = &series(&document, "wait_seconds", &json!({}))["value"];
    assert_eq!(
        [&wait["count"], &wait["sum"]],
        [&json!(2), &json!(4_000_000_000.25)]
    );
    assert_eq!(series(&document, "depth", &json!({}))["value"], 0.0);
    assert_eq!(rejected(&document, "value"), 5);
}

#[test]
fn new_series_are_bounded_over_starts_and_what_is_known_counts_on() {
    let sandbox = Sandbox::new();
    let start = || {
        let limits = [
            "--statsd",
            "unix:statsd.sock",
            "--statsd-series",
            "5",
            "--statsd-cells",
            "100",
        ];
        let server = Server::start(&sandbox, &limits);
        let client = UnixDatagram::unbound().unwrap();
        client.connect(sandbox.path("statsd.sock")).unwrap();
        (server, client)
    };
    let (mut server, client) = start();
    for name in 0..8 {
        client
            .send(format!("name{name}:1|c\nname0:1|c").as_bytes())
            .unwrap();
    }
    let document = after(&sandbox, 8);
    assert_eq!(value(&document, "name0", &json!({})), 9);
    assert_eq!(rejected(&document, "limit"), 3);
    server.signal(Signal::TERM);
    assert!(server.child.wait().unwrap().success());
    let (_server, client) = start();
    client.send(b"name9:1|c\nname4:1|c").unwrap();
    let document = after(&sandbox, 9);
    assert_eq!(rejected(&document, "limit"), 4);
    assert_eq!(value(&document, "name4", &json!({})), 2);
    assert_eq!(
        value(&document, "deespec_statsd_series_total", &json!({})),
        5
    );
}

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
fn too_many_label_sets_go_to_the_overflow_series_and_none_is_lost() {
    let sandbox = Sandbox::new();
    let (_server, client) = unix(&sandbox);
    for user in 0..2100 {
        client
            .send(format!("logins:1|c|#user:{user}").as_bytes())
            .unwrap();
    }
    let document = after(&sandbox, 2100);
    let all = document["series"].as_array().unwrap().iter();
    let logins = all.filter(|series| series["name"] == "logins");
    let counted: u64 = logins.map(|series| series["value"].as_u64().unwrap()).sum();
    assert_eq!(counted, 2100);
    let beyond = json!({"deespec_overflow": "true"});
    assert_eq!(value(&document, "logins", &beyond), 100);
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
