//! The API, held against its own description.

use serde_json::{Value, json};

use crate::support::Sandbox;

use super::{Answer, Server, TOKEN};

/// The description, and what it says of an answer.
pub(super) struct Described(Value);

impl Described {
    pub(super) fn of(server: &Server) -> Self {
        Self(server.get("/api/v1/openapi.json").json())
    }

    /// Fails unless the answer is one that is described for this operation.
    pub(super) fn check(&self, method: &str, path: &str, answer: &Answer) {
        let responses = &self.0["paths"][path][method]["responses"];
        let response = &responses[answer.status.to_string()];
        assert!(
            response.is_object(),
            "{method} {path} {}: {}",
            answer.status,
            answer.body
        );
        let response = match response["$ref"].as_str() {
            Some(reference) => {
                &self.0[reference.split('/').nth(1).unwrap()]["responses"]["Refusal"]
            }
            None => response,
        };
        let Some(content) = response["content"].as_object() else {
            panic!("{method} {path} has no content");
        };
        let kind = answer.header("content-type");
        let kind = kind.split(';').next().unwrap();
        let described = content
            .get(kind)
            .unwrap_or_else(|| panic!("{path}: {kind}"));
        let Some(schema) = described.get("schema") else {
            return;
        };
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<String> = validator
            .iter_errors(&answer.json())
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(
            wrong.is_empty(),
            "{method} {path}: {wrong:?} in {}",
            answer.body
        );
    }
}

fn filled() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "jobs_total", "-l", "queue=mail", "--by", "3"]);
    sandbox.ok(&["set", "depth", "NaN"]);
    sandbox.ok(&["set", "level", "-0.5"]);
    sandbox.ok(&[
        "observe",
        "wait_seconds",
        "0.1",
        "2",
        "--unit",
        "seconds",
        "--help-text",
        "Waiting.",
    ]);
    sandbox.ok(&["set", "build_info", "1", "-l", "version=1"]);
    sandbox.ok(&["declare", "gauge", "workers", "--per-process", "max"]);
    sandbox.ok(&["snapshot"]);
    sandbox
}

#[test]
fn every_operation_answers_as_it_is_described() {
    let sandbox = filled();
    let server = Server::start(&sandbox, &[]);
    let described = Described::of(&server);
    let mut checked = Vec::new();
    for (path, operations) in described.0["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            // These two do not end; `live.rs` has them.
            if path.ends_with("/live") || path.ends_with("/ws") {
                continue;
            }
            let name = server.get("/api/v1/snapshots").json()["snapshots"][0]["name"].clone();
            let asked = path.replace("{name}", name.as_str().unwrap());
            let answer = match method.as_str() {
                "post" if path.ends_with("/push") => {
                    server.post("/api/v1/push?writer=w&sequence=1", TOKEN, Some("# EOF\n"))
                }
                "get" => server.get(&asked),
                "post" => server.post(&asked, TOKEN, None),
                other => panic!("{other}"),
            };
            assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            described.check(method, path, &answer);
            checked.push(path.clone());
        }
    }
    assert_eq!(checked.len(), 12, "{checked:?}");
    for (path, query) in [
        ("/api/v1/view", "?store=none"),
        ("/api/v1/series", "?store=none"),
        ("/api/v1/gate", "?store=none"),
        ("/api/v1/snapshots", "?store=none"),
        ("/api/v1/snapshots/{name}", ""),
    ] {
        let answer = server.get(&format!("{path}{query}").replace("{name}", "..%2Fmetrics.json"));
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        described.check("get", path, &answer);
    }
    let answer = server.post("/api/v1/push?writer=w&sequence=2", TOKEN, Some("a 1\n"));
    described.check("post", "/api/v1/push", &answer);
    let answer = server.post("/api/v1/rotate", "wrong", None);
    described.check("post", "/api/v1/rotate", &answer);
}

#[test]
fn series_are_found_by_their_names_and_labels() {
    let sandbox = filled();
    let server = Server::start(&sandbox, &[]);
    let names = |query: &str| -> Vec<String> {
        let found = server.get(&format!("/api/v1/series?{query}")).json();
        let series = found["series"].as_array().unwrap().iter();
        series
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names("name=level"), ["level"]);
    assert_eq!(names("search=mail"), ["jobs_total"]);
    assert_eq!(names("search=nothing"), Vec::<String>::new());
    assert_eq!(names("limit=2"), ["cas_conflicts", "commit_failed"]);
    let one = server.get("/api/v1/series?name=wait_seconds").json();
    assert_eq!(one["found"], 1);
    let one = &one["series"][0];
    assert_eq!(
        [&one["unit"], &one["help"]],
        [&json!("seconds"), &json!("Waiting.")]
    );
    assert_eq!(one["total"]["count"], 2);
    let wrong = server.get("/api/v1/series?colour=red");
    assert_eq!(wrong.status, 400, "{}", wrong.body);
}

#[test]
fn a_rotation_is_one_with_its_reason_and_its_snapshot() {
    let sandbox = filled();
    let server = Server::start(&sandbox, &[]);
    let body = json!({"reason": "nightly", "keep_counters": false}).to_string();
    let rotated = server.post("/api/v1/rotate", TOKEN, Some(&body)).json();
    assert_eq!(
        [&rotated["closed_epoch"], &rotated["epoch"]],
        [&json!(1), &json!(2)]
    );
    let closed = server.get(&format!(
        "/api/v1/snapshots/{}",
        rotated["snapshot"].as_str().unwrap()
    ));
    assert_eq!(closed.json()["epoch"], 1);
    let epochs = std::fs::read_to_string(sandbox.path("store/live/epochs.jsonl")).unwrap();
    assert!(epochs.contains("nightly"), "{epochs}");
    let view = server.get("/api/v1/view").json();
    assert_eq!(view["stores"][0]["view"]["epoch"], 2);
    // A total goes on where a value begins anew.
    let jobs = server.get("/api/v1/series?name=jobs_total").json();
    assert_eq!(
        [&jobs["series"][0]["value"], &jobs["series"][0]["total"]],
        [&json!(0), &json!(3)]
    );
}

#[test]
fn with_several_stores_one_must_be_named_to_change_it() {
    let sandbox = Sandbox::new();
    let stores = ["one", "two"].map(|name| sandbox.path(name).display().to_string());
    let server = Server::start(&sandbox, &["--store", &stores[0], "--store", &stores[1]]);
    let answer = server.post("/api/v1/snapshot", TOKEN, None);
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(
        server
            .post("/api/v1/snapshot?store=two", TOKEN, None)
            .status,
        200
    );
    let snapshots = server.get("/api/v1/snapshots").json();
    assert_eq!(
        [&snapshots["found"], &snapshots["snapshots"][0]["store"]],
        [&json!(1), &json!("two")]
    );
    assert_eq!(
        server.get("/api/v1/view?store=one").json()["stores"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        server.get("/api/v1/view").json()["stores"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn the_gate_says_what_the_doctor_says() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["inc", "commit_success", "--by", "80"]);
    sandbox.ok(&["inc", "commit_failed", "--by", "20"]);
    let server = Server::start(&sandbox, &[]);
    let said = server.get("/api/v1/gate").json()["stores"][0]["gate"]["thresholds"].clone();
    let output = sandbox.output(&["doctor", "--check-thresholds", "--json"]);
    let doctor: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["passed"], false);
    assert_eq!(said["failed_checks"], doctor["thresholds"]["failed_checks"]);
    // Limits that are changed count from the next question on.
    std::fs::write(
        sandbox.path("store/thresholds.json"),
        r#"{"success_rate_threshold": 50.0}"#,
    )
    .unwrap();
    assert_eq!(
        server.get("/api/v1/gate").json()["stores"][0]["gate"]["thresholds"]["passed"],
        true
    );
    // So do rules, which come before thresholds.
    std::fs::write(
        sandbox.path("store/gate.toml"),
        "schema = \"deespec.gate/1\"\n[[rule]]\nid = \"rate\"\nkind = \"ratio\"\nfail = 0.95\n\
         metric = { good = \"commit_success\", bad = \"commit_failed\" }\n",
    )
    .unwrap();
    let answer = server.get("/api/v1/gate").json();
    let gate = &answer["stores"][0]["gate"];
    assert_eq!(gate["thresholds"]["passed"], false);
    assert_eq!(gate["gate"]["rules"][0]["verdict"], "fail");
    assert_eq!(gate["gate"]["rules"][0]["config_at"], "gate.toml:2");
}

#[test]
fn every_error_is_json_and_nothing_that_is_not_known_is_passed_over() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let send = |method: &str, path: &str, headers: &str, body: &str| {
        let (address, length) = (server.address, body.len());
        server.raw(
            format!(
                "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
                 Connection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
            )
            .as_bytes(),
        )
    };
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (method, path, headers, body) in [
        ("POST", "/api/v1/push?sequence=1", "", "# EOF\n"),
        ("POST", "/api/v1/push?writer=a&sequence=abc", "", "# EOF\n"),
        ("POST", "/api/v1/push?writer=a", "", "# EOF\n"),
        ("GET", "/api/v1/series?limit=abc", "", ""),
        ("GET", "/api/v1/series?limt=1", "", ""),
        ("GET", "/api/v1/view?store=a&store=b", "", ""),
        ("GET", "/api/v1/ws", "", ""),
        ("GET", "/api/v1/snapshots/%ff", "", ""),
        ("POST", "/api/v1/rotate", json, r#"{"reson":"x"}"#),
        ("POST", "/api/v1/rotate", "", r#"{"reson":"x"}"#),
        ("POST", "/api/v1/rotate", form, r#"{"reson":"x"}"#),
        ("POST", "/api/v1/rotate", form, "reason=x"),
        ("POST", "/api/v1/rotate", "", "null"),
        ("POST", "/api/v1/snapshot", json, r#"{"reason":"x"}"#),
        ("GET", "/api/v1/nothing", "", ""),
        ("DELETE", "/api/v1/view", "", ""),
        ("PUT", "/metrics", "", ""),
    ] {
        let answer = send(method, path, headers, body);
        let (head, told) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 4"),
            "{method} {path} {body}: {answer}"
        );
        let told: Value = serde_json::from_str(told)
            .unwrap_or_else(|error| panic!("{method} {path} {body}: {error}: {answer}"));
        assert!(!told["error"].as_str().unwrap().is_empty(), "{path}");
    }
    assert_eq!(sandbox.json(&["show", "--json"])["epoch"], 1);
    // What is known is done, whatever the body is said to be.
    let done = send("POST", "/api/v1/rotate", form, r#"{"reason":"x"}"#);
    assert!(done.starts_with("HTTP/1.1 200"), "{done}");
    assert_eq!(sandbox.json(&["show", "--json"])["epoch"], 2);
}
