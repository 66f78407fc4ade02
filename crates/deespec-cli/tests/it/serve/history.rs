//! What series were over time, by the API.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::Sandbox;

use super::api::Described;
use super::{Answer, Server, TOKEN};

const PATH: &str = "/api/v1/history";

/// A store with three epochs of two snapshots each: what was counted, one more each time.
fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    for number in 1..=3 {
        let by = number.to_string();
        sandbox.ok(&["inc", "jobs_total", "-l", "queue=mail", "--by", &by]);
        if number > 1 {
            sandbox.ok(&["observe", "wait_seconds", "0.5", "--unit", "seconds"]);
        }
        sandbox.ok(&["snapshot"]);
        sandbox.ok(&["inc", "jobs_total", "-l", "queue=mail"]);
        sandbox.ok(&["rotate"]);
    }
    sandbox.ok(&["set", "depth", "NaN"]);
    sandbox
}

fn ask(server: &Server, described: &Described, query: &str) -> Answer {
    let answer = server.get(&format!("{PATH}{query}"));
    described.check("get", PATH, &answer);
    answer
}

fn snapshots(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = fs::read_dir(sandbox.path("store/snapshots")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths
}

#[test]
fn a_history_has_a_value_of_each_series_at_each_snapshot() {
    let sandbox = filled();
    let server = Server::start(&sandbox, &[]);
    let described = Described::of(&server);
    let query = "?series=wait_seconds&series=jobs_total%7Bqueue%3D%22mail%22%7D&series=depth";
    let told = ask(&server, &described, query).json();
    assert_eq!(
        [&told["found"], &told["store"]],
        [&json!(6), &json!("store")]
    );
    let of_points = |name: &str| -> Vec<Value> {
        let points = told["points"].as_array().unwrap().iter();
        points.map(|point| point[name].clone()).collect()
    };
    assert_eq!(of_points("epoch"), [1, 1, 2, 2, 3, 3]);
    let [taken, closed] = ["snapshot", "rotation"];
    assert_eq!(
        of_points("kind"),
        [taken, closed, taken, closed, taken, closed]
    );
    assert_eq!(
        [&told["from"], &told["to"]],
        [&of_points("at")[0], &of_points("at")[5]]
    );
    let series = told["series"].as_array().unwrap();
    let named: Vec<_> = series
        .iter()
        .map(|one| [&one["name"], &one["type"], &one["unit"]])
        .collect();
    assert_eq!(
        json!(named),
        json!([
            ["wait_seconds", "histogram", "seconds"],
            ["jobs_total", "counter", ""],
            ["depth", "gauge", ""],
        ])
    );
    assert_eq!(series[1]["labels"], json!({"queue": "mail"}));
    assert_eq!(series[1]["values"], json!([1, 2, 2, 3, 3, 4]));
    let waits = &series[0]["values"];
    assert_eq!(waits[1], Value::Null);
    assert_eq!(
        [&waits[2]["count"], &waits[2]["sum"]],
        [&json!(1), &json!(0.5)]
    );
    let median = waits[2]["p50"].as_f64().unwrap();
    assert!((0.4..0.6).contains(&median), "{median}");
    // Only what no snapshot has is nothing; the store has it.
    assert_eq!(
        series[2]["values"],
        json!([null, null, null, null, null, null])
    );
    assert_eq!(told["unreadable"], json!([]));

    // What is new is there with the next question, and a gauge that is no number is a text.
    assert_eq!(server.post("/api/v1/snapshot", TOKEN, None).status, 200);
    let told = ask(&server, &described, query).json();
    assert_eq!(told["found"], 7);
    assert_eq!(told["series"][2]["values"][6], "NaN");
}

#[test]
fn a_history_is_of_the_time_and_as_fine_as_was_asked_for() {
    let sandbox = filled();
    let server = Server::start(&sandbox, &[]);
    let described = Described::of(&server);
    let all = ask(&server, &described, "").json();
    let at = |index: usize| all["points"][index]["at"].clone();
    let told = ask(
        &server,
        &described,
        &format!("?from={}&to={}", at(1), at(3)),
    )
    .json();
    assert_eq!(
        told["points"].as_array().unwrap()[..],
        all["points"].as_array().unwrap()[1..4]
    );
    assert_eq!(told["series"], json!([]));
    let told = ask(&server, &described, "?from=2100-01-01T00:00:00Z").json();
    assert_eq!(told["found"], 0);
    assert_eq!(
        [&told["from"], &told["to"]],
        [&json!(4_102_444_800.0), &Value::Null]
    );
    let told = ask(&server, &described, "?points=4&series=commit_success").json();
    assert_eq!(told["found"], 6);
    let shown: Vec<_> = told["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| &point["kind"])
        .collect();
    assert_eq!(shown, ["rotation"; 3]);
    assert_eq!(told["series"][0]["values"], json!([0, 0, 0]));
}

#[test]
fn what_cannot_be_answered_is_refused_with_the_reason() {
    let sandbox = filled();
    let server = Server::start(&sandbox, &[]);
    let described = Described::of(&server);
    let many = "series=a&".repeat(101);
    for (query, status, reason) in [
        (
            "?series=nothing_total",
            404,
            "no snapshot has the series nothing_total",
        ),
        ("?series=jobs_total", 404, "jobs_total, and neither"),
        (
            "?series=jobs_total%7Bqueue%3D%22x%22%7D",
            404,
            "jobs_total{queue=\"x\"}",
        ),
        ("?store=none", 404, "there is no store of that name"),
        ("?series=jobs%20total", 400, "names no series"),
        (
            "?series=jobs_total%7Bqueue%3D~%22m.*%22%7D",
            400,
            "names no series",
        ),
        ("?series=", 400, "names no series"),
        ("?from=yesterday", 400, "is no time"),
        ("?to=-1", 400, "is no time"),
        ("?points=0", 400, "points is a number from 1 to 10000"),
        ("?points=10001", 400, "points is a number"),
        ("?points=1&points=2", 400, "points stands twice"),
        ("?colour=red", 400, "\"colour\" is unknown"),
        (&format!("?{many}"), 400, "at most 100 series"),
    ] {
        let answer = ask(&server, &described, query);
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
        let told = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(told.contains(reason), "{query}: {told}");
    }
}

#[test]
fn snapshots_that_cannot_be_read_are_named_and_the_others_shown() {
    let sandbox = filled();
    let server = Server::start(&sandbox, &[]);
    let described = Described::of(&server);
    assert_eq!(ask(&server, &described, "").json()["found"], 6);
    let paths = snapshots(&sandbox);
    fs::write(&paths[2], "{").unwrap();
    fs::remove_file(&paths[4]).unwrap();
    let told = ask(&server, &described, "?series=commit_success").json();
    assert_eq!(told["found"], 4);
    assert_eq!(told["series"][0]["values"], json!([0, 0, 0, 0]));
    let name = paths[2].file_name().unwrap().to_str().unwrap();
    assert_eq!(told["unreadable"][0]["name"], name);
    let reason = told["unreadable"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("is not a metrics document"), "{reason}");
    // The list of names shows what is there.
    assert_eq!(server.get("/api/v1/snapshots").json()["found"], 5);
}

#[test]
fn of_several_stores_one_must_be_named() {
    let sandbox = Sandbox::new();
    let stores = ["one", "two"].map(|name| sandbox.path(name).display().to_string());
    let server = Server::start(&sandbox, &["--store", &stores[0], "--store", &stores[1]]);
    let described = Described::of(&server);
    assert_eq!(ask(&server, &described, "").status, 400);
    let told = ask(&server, &described, "?store=two&series=commit_success").json();
    assert_eq!([&told["store"], &told["found"]], [&json!("two"), &json!(0)]);
    assert_eq!(told["series"][0]["type"], "counter");
}
