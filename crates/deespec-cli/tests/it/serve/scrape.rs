//! What a scraper gets.

use crate::support::Sandbox;

use super::Server;

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

#[test]
fn a_scraper_gets_the_format_that_it_asks_for() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total", "-l", "queue=mail", "--by", "3"]);
    let server = Server::start(&sandbox, &[]);
    let plain = server.get("/metrics");
    assert_eq!(
        plain.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert!(
        plain.body.contains("jobs_total{queue=\"mail\"} 3\n"),
        "{}",
        plain.body
    );
    let open = server.get_with("/metrics", &[("Accept", OPEN_METRICS)]);
    assert!(
        open.header("content-type")
            .starts_with("application/openmetrics-text; version=1.0.0")
    );
    assert!(open.body.ends_with("# EOF\n"), "{}", open.body);
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let protobuf = server.get_with("/metrics", &[("Accept", protobuf)]);
    assert!(
        protobuf
            .header("content-type")
            .starts_with("application/vnd.google.protobuf")
    );
    assert!(protobuf.body.contains("jobs_total"));
    assert!(plain.header("vary").contains("Accept"));
}

#[test]
fn a_long_answer_is_compressed_for_whoever_wants_that() {
    let sandbox = Sandbox::new();
    for number in 0..20 {
        sandbox.ok(&["inc", "jobs_total", "-l", &format!("queue=queue-{number}")]);
    }
    let server = Server::start(&sandbox, &[]);
    let request = |encoding: &str| {
        let address = server.address;
        server.raw(
            format!(
                "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
                 Accept-Encoding: {encoding}\r\n\r\n"
            )
            .as_bytes(),
        )
    };
    let (plain, packed) = (request("identity"), request("gzip"));
    assert!(packed.contains("content-encoding: gzip\r\n"), "{packed}");
    assert!(!plain.contains("content-encoding"), "{plain}");
    assert!(
        packed.len() < plain.len(),
        "{} and {}",
        packed.len(),
        plain.len()
    );
    // The client of the tests asks for it and unpacks it.
    let unpacked = server.get("/metrics");
    assert!(
        unpacked.body.contains("queue=\"queue-19\""),
        "{}",
        unpacked.body
    );
}

#[test]
fn several_stores_are_one_exposition_with_a_label() {
    let sandbox = Sandbox::new();
    let stores = ["one", "two"].map(|name| sandbox.path(name).display().to_string());
    sandbox.ok(&["inc", "jobs_total", "--by", "3", "--store", &stores[0]]);
    sandbox.ok(&["inc", "jobs_total", "--by", "4", "--store", &stores[1]]);
    let server = Server::start(&sandbox, &["--store", &stores[0], "--store", &stores[1]]);
    let scraped = server.get("/metrics").body;
    for line in [
        "jobs_total{store=\"one\"} 3\n",
        "jobs_total{store=\"two\"} 4\n",
        "commit_success_total{store=\"one\"} 0\n",
    ] {
        assert!(scraped.contains(line), "{line} is not in {scraped}");
    }
    assert_eq!(
        scraped.matches("# TYPE jobs_total counter").count(),
        1,
        "{scraped}"
    );
}

#[test]
fn what_is_counted_meanwhile_is_in_the_next_scrape() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    for count in 1..=5 {
        sandbox.ok(&["inc", "jobs_total"]);
        let scraped = server.get("/metrics").body;
        assert!(
            scraped.contains(&format!("jobs_total {count}\n")),
            "{scraped}"
        );
    }
    // A rotation begins the epoch at 0, and what is scraped goes on.
    sandbox.ok(&["rotate"]);
    assert!(server.get("/metrics").body.contains("jobs_total 5\n"));
}

#[test]
fn with_once_the_server_ends_after_one_scrape() {
    let sandbox = Sandbox::new();
    let mut server = Server::start(&sandbox, &["--once"]);
    assert_eq!(server.get("/-/ready").body, "ready\n");
    assert_eq!(server.get("/metrics").status, 200);
    assert!(server.child.wait().unwrap().success());
}
