//! What can only send a datagram counts too: statsd clients over real sockets.

mod bounds;
mod life;

use std::os::unix::net::UnixDatagram;

use serde_json::{Value, json};

use crate::support::{Sandbox, ends, series, value};

use super::Server;

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
fn what_was_declared_with_a_wide_sum_is_added_to_and_never_set() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["declare", "gauge", "queued", "--wide-sum"]);
    let bounds = ["--buckets", "1e3,1e9"];
    sandbox.ok(&[&["declare", "histogram", "load", "--wide-sum"][..], &bounds].concat());
    let (_server, client) = unix(&sandbox);
    client
        .send(b"queued:+1000000000000.5|g\nqueued:-0.25|g\nqueued:5|g\nqueued:+1:7|g")
        .unwrap();
    client
        .send(b"load:1000000000000:0.001|h\nload:2|h|@0.5")
        .unwrap();
    // Each alone fits, and not both.
    client
        .send(b"queued:+3000000000000000000:+3000000000000000000|g\nload:3000000000000000000:3000000000000000000|h")
        .unwrap();
    let document = after(&sandbox, 3);
    let of = |name| series(&document, name, &json!({})).clone();
    let queued = of("queued");
    let told = [&queued["type"], &queued["exact"]];
    assert_eq!(told, [&json!("gauge"), &json!("1000000000000.25")]);
    let load = &of("load")["value"];
    assert_eq!(
        [&load["count"], &load["exact"]],
        [&json!(4), &json!("1000000000004.001")]
    );
    assert_eq!(rejected(&document, "kind"), 2);
    assert_eq!(rejected(&document, "value"), 2);
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
fn what_is_left_of_sampled_counts_belongs_to_the_series_however_its_tags_are_written() {
    let sandbox = Sandbox::new();
    let (_server, client) = unix(&sandbox);
    // Each of these is 3⅓, and each one alone would be 3.
    for line in [
        "seen:1|c|@0.3|#a:1,b:2",
        "seen:1|c|@0.3|#b:2,a:1",
        "seen,a=1,b=2:1|c|@0.3",
        "seen[b=2,a=1]:1|c|@0.3",
        "seen,a=1:1|c|@0.3|#b:2",
        "seen:1|c|@0.3|##a:1,#b:2",
    ] {
        client.send(line.as_bytes()).unwrap();
    }
    // A timing and a histogram of the same name are one series; another label makes another one.
    for line in [
        "wait:2000|ms|@0.3",
        "wait_seconds:2|h|@0.3",
        "wait.seconds:2|d|@0.3",
        "seen:1|c|@0.3|#a:1",
    ] {
        client.send(line.as_bytes()).unwrap();
    }
    let document = after(&sandbox, 10);
    assert_eq!(value(&document, "seen", &json!({"a": "1", "b": "2"})), 20);
    assert_eq!(value(&document, "seen", &json!({"a": "1"})), 3);
    let wait = &series(&document, "wait_seconds", &json!({}))["value"];
    assert_eq!([&wait["count"], &wait["sum"]], [&json!(10), &json!(20.0)]);
}
