//! What no datagram can do, whatever is in it.

use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use serde_json::json;

use super::{after, rejected, unix};
use crate::serve::Server;
use crate::support::{Sandbox, code, series, value};

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
