//! What happens while somebody looks: counts, epochs, verdicts, servers that go and come back.

use std::io::{Read as _, Write as _};

use deespec::Store;
use rustix::process::Signal;
use serde_json::json;

use crate::serve::Server;
use crate::support::Sandbox;

use super::{PATIENCE, Page, data};

#[test]
fn what_another_process_counts_appears_by_itself() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "417"]);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    page.shows("#transactions", "417");
    sandbox.ok(&["inc", "commit_success", "--by", "58"]);
    sandbox.ok(&["inc", "commit_failed", "--by", "25"]);
    page.shows("#transactions", "475");
    page.shows("#transactions", "25");
    page.shows("#rate", "95.00");
    sandbox.ok(&["inc", "jobs_total", "-l", "queue=mail", "--by", "733"]);
    page.has_row(&["jobs_total", "mail", "733"]);
    sandbox.ok(&["set", "queue_depth", "12.5"]);
    page.has_row(&["queue_depth", "gauge", "12.5"]);
    sandbox.ok(&["observe", "parts", "0.25", "0.75"]);
    page.has_row(&["parts", "histogram", "2", "0.5"]);
    sandbox.ok(&["remove", "jobs_total", "-l", "queue=mail"]);
    page.until(
        "the removed series is gone",
        "return !document.querySelector('#series tbody').textContent.includes('jobs_total')",
        &[],
    );
    page.is_innocent();
}

#[test]
fn whoever_types_is_not_disturbed_by_what_is_counted() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total", "--by", "417"]);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    page.fill("#search", "jobs");
    page.until(
        "only what was searched is there",
        "return document.querySelectorAll('#series tbody tr').length === 1",
        &[],
    );
    sandbox.ok(&["inc", "jobs_total"]);
    sandbox.ok(&["inc", "commit_success", "--by", "999"]);
    page.has_row(&["jobs_total", "418"]);
    page.shows("#transactions", "999");
    let state = "const field = document.querySelector('#search');
        return [field.value, document.activeElement === field, document.querySelectorAll('#series tbody tr').length]";
    assert_eq!(page.execute(state, &[]), json!(["jobs", true, 1]));
}

#[test]
fn a_server_that_ended_is_told_and_the_page_comes_back_with_the_right_counts() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "417"]);
    let mut server = Server::start(&sandbox, &[]);
    let address = server.address.to_string();
    let page = Page::open(&server);
    page.shows("#transactions", "417");
    for (signal, counts) in [(Signal::KILL, "418"), (Signal::TERM, "419")] {
        server.signal(signal);
        page.until(
            "the page says that it is cut off",
            "const link = document.querySelector('#link');
             return ['lost', 'connecting'].includes(link.dataset.state)
               && !link.textContent.trim().toLowerCase().startsWith('live')",
            &[],
        );
        drop(server);
        // Nobody tells the page of this one.
        sandbox.ok(&["inc", "commit_success"]);
        server = Server::run(sandbox.deespec(&["serve", "--listen", &address]));
        page.is_live();
        page.shows("#transactions", counts);
    }
    sandbox.ok(&["inc", "commit_success", "--by", "100"]);
    page.shows("#transactions", "519");
}

/// Answers whoever asks for anything that there is too much to do, until it was asked for this path.
fn refuse(address: &str, path: &str) {
    let listener = std::net::TcpListener::bind(address).unwrap();
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).unwrap_or_default();
        let answer =
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes());
        if String::from_utf8_lossy(&head[..length]).starts_with(&format!("GET {path} ")) {
            return;
        }
    }
}

#[test]
fn the_page_tries_again_where_a_server_had_too_much_to_do() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "417"]);
    let server = Server::start(&sandbox, &[]);
    let address = server.address.to_string();
    let page = Page::open(&server);
    drop(server);
    refuse(&address, "/api/v1/live");
    sandbox.ok(&["inc", "commit_success"]);
    let _server = Server::run(sandbox.deespec(&["serve", "--listen", &address]));
    page.is_live();
    page.shows("#transactions", "418");
}

#[test]
fn a_rotation_begins_at_0_and_its_epoch_is_told() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "417"]);
    sandbox.ok(&["inc", "jobs_total", "--by", "733"]);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    let is_told = "return new RegExp(`epoch\\\\s+${arguments[0]}\\\\b`, 'i')
        .test(document.querySelector('main').innerText)";
    page.until("epoch 1", is_told, &[json!(1)]);
    page.shows("#transactions", "417");
    sandbox.ok(&["rotate"]);
    page.until("epoch 2", is_told, &[json!(2)]);
    page.has_row(&["commit_success", "counter", "0"]);
    page.has_row(&["jobs_total", "counter", "0"]);
    sandbox.ok(&["inc", "commit_success", "--by", "58"]);
    page.shows("#transactions", "58");
    page.is_innocent();
}

#[test]
fn the_quantiles_of_a_histogram_move_with_what_is_observed() {
    let sandbox = Sandbox::new();
    let store = Store::open(sandbox.path("store")).unwrap();
    let histogram = store
        .histogram_with("run_seconds", &[("job", "tests")])
        .unwrap();
    histogram.observe_many(0.1, 100);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    let median = |unit: &str, low: f64, high: f64| {
        page.until(
            &format!("the median is between {low} and {high} {unit}"),
            "const [unit, low, high] = arguments;
             const text = document.querySelector('#latency').innerText;
             const found = text.match(/p50\\s+([\\d.]+)\\s*(\\S+)/);
             return text.includes('run_seconds') && text.includes('tests') && found !== null
               && found[2] === unit && Number(found[1]) >= low && Number(found[1]) <= high",
            &[json!(unit), json!(low), json!(high)],
        );
    };
    // A bucket is 9 % wide.
    median("ms", 91.0, 109.0);
    histogram.observe_many(10.0, 1000);
    median("s", 9.1, 10.9);
    page.is_innocent();
}

#[test]
fn the_verdict_is_there_with_the_reason_of_each_rule() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "89"]);
    sandbox.ok(&["inc", "commit_failed", "--by", "11"]);
    sandbox.ok(&["inc", "cas_conflicts", "--by", "85"]);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    let is_said = |verdict: &str, rules: usize| {
        let gate = server.get("/api/v1/gate").json();
        let judged = &gate["stores"][0]["gate"]["thresholds"];
        assert_eq!(judged["verdict"], verdict, "{judged}");
        page.shows("#verdict", verdict);
        let reasons = judged["details"].as_array().unwrap();
        assert_eq!(reasons.len(), rules, "{judged}");
        for reason in reasons {
            page.until(
                &format!("{reason}"),
                "return document.querySelector('#verdict').innerText.includes(arguments[0])",
                &[reason["message"].clone()],
            );
        }
    };
    is_said("fail", 3);
    sandbox.ok(&["inc", "commit_success", "--by", "900"]);
    is_said("warn", 3);
    // The rules of a gate.toml, as soon as there is one.
    sandbox.ok(&["init", "--gate"]);
    is_said("warn", 5);
    sandbox.ok(&["rotate"]);
    sandbox.ok(&["inc", "commit_success", "--by", "10"]);
    is_said("pass", 5);
    page.is_innocent();
}

#[test]
fn what_cannot_be_read_is_told_among_the_health() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("store");
    let store = Store::open(&path).unwrap();
    let mark = "this-one-is-damaged";
    for value in [mark, "this-one-is-whole"] {
        store
            .counter_with("jobs_total", &[("queue", value)])
            .unwrap()
            .inc();
    }
    drop(store);
    let segment = path.join("live/segment-0000");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes
        .windows(mark.len())
        .position(|part| part == mark.as_bytes());
    bytes[at.unwrap()] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let server = Server::start(&sandbox, &[]);
    let view = server.get("/api/v1/view").json();
    let problem = &view["stores"][0]["health"]["problems"][0];
    assert!(problem.as_str().unwrap().contains("segment-0000"), "{view}");
    let page = Page::open(&server);
    page.until(
        "the problem is told",
        "return document.querySelector('#health').innerText.includes(arguments[0])",
        std::slice::from_ref(problem),
    );
    page.has_row(&["jobs_total", "this-one-is-whole", "1"]);
    page.is_innocent();
}

#[test]
fn of_several_stores_one_is_chosen() {
    let sandbox = Sandbox::new();
    let [north, south] = ["north", "south"].map(|name| sandbox.path(name).display().to_string());
    sandbox.ok(&["--store", &north, "inc", "commit_success", "--by", "417"]);
    sandbox.ok(&["--store", &south, "inc", "commit_success", "--by", "733"]);
    let server = Server::start(&sandbox, &["--store", &north, "--store", &south]);
    let page = Page::open(&server);
    page.shows("#transactions", "417");
    page.click("#store option[value=south]");
    page.shows("#transactions", "733");
    page.until(
        "the health of that store",
        "return document.querySelector('#health').innerText.includes(arguments[0])",
        &[json!(south)],
    );
    sandbox.ok(&["--store", &north, "inc", "commit_success"]);
    sandbox.ok(&["--store", &south, "inc", "commit_success"]);
    page.shows("#transactions", "734");
    page.click("#store option[value=north]");
    page.shows("#transactions", "418");
    page.is_innocent();
}

#[test]
fn with_one_store_nothing_has_to_be_chosen() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    let is_seen = page.execute(
        "return document.querySelector('#store').checkVisibility()",
        &[],
    );
    assert_eq!(is_seen, json!(false));
}

#[test]
fn the_history_of_any_series_is_there_and_grows_with_the_snapshots() {
    let sandbox = Sandbox::new();
    data::day(&sandbox.path("store"), 4);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    let says = |text: &str| {
        page.until(
            text,
            "const history = document.querySelector('#history');
             const labels = [...history.querySelectorAll('[role=img]')].map((chart) => chart.getAttribute('aria-label'));
             return [history.innerText, ...labels].some((said) => said.includes(arguments[0]))",
            &[json!(text)],
        );
    };
    says("24 snapshots");
    says("success rate");
    page.click("#past option:nth-child(2)");
    says("recoveries");
    // Of a series of the table.
    page.fill("#search", "run_seconds");
    page.until(
        "one row",
        "return document.querySelectorAll('#series tbody tr').length === 1",
        &[],
    );
    page.click("#series tbody button");
    says("p99");
    page.until(
        "it is chosen",
        "return document.querySelector('#past').selectedOptions[0].textContent.includes('run_seconds')",
        &[],
    );
    // A snapshot that is taken while somebody looks, and the end of an epoch.
    sandbox.ok(&["rotate"]);
    says("25 snapshots");
    page.is_innocent();
}

#[test]
fn what_was_counted_in_all_epochs_stands_beside_what_it_is_of() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "417"]);
    sandbox.ok(&["inc", "cas_conflicts", "--by", "31"]);
    sandbox.ok(&["rotate"]);
    sandbox.ok(&["inc", "commit_success", "--by", "58"]);
    sandbox.ok(&["inc", "cas_conflicts", "--by", "7"]);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    for counts in [["Succeeded", "58", "475"], ["Conflicts", "7", "38"]] {
        page.until(
            &format!("{counts:?}"),
            "const words = (tile) => tile.innerText.split(/\\s+/);
             return [...document.querySelectorAll('#transactions > *')]
               .some((tile) => arguments[0].every((word) => words(tile).includes(word)))",
            &[json!(counts)],
        );
    }
}
