//! What is pushed: of a text, of stdin, of a store.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use super::{Pushed, failed};
use crate::support::{Sandbox, code, series, stderr};

#[test]
fn a_text_is_pushed_by_what_is_more_of_it() {
    let pushed = Pushed::new();
    for (jobs, all) in [(5, 5), (5, 5), (7, 7), (2, 9)] {
        pushed.page(jobs);
        pushed.pushes(&["page.prom"]);
        assert_eq!(pushed.jobs(), all);
    }
    let output = pushed.push(&["page.prom"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said,
        format!("Nothing to push: {} has it all\n", pushed.url)
    );
}

#[test]
fn whatever_leads_to_a_text_and_a_server_it_is_counted_once() {
    let pushed = Pushed::new();
    pushed.page(5);
    pushed.pushes(&["page.prom"]);
    let whole = pushed.sandbox.path("page.prom");
    std::os::unix::fs::symlink("page.prom", pushed.sandbox.path("link.prom")).unwrap();
    std::fs::create_dir(pushed.sandbox.path("folder")).unwrap();
    std::os::unix::fs::symlink("..", pushed.sandbox.path("folder/up")).unwrap();
    for path in [
        "./page.prom",
        "folder/../page.prom",
        "folder/up/page.prom",
        "link.prom",
        whole.to_str().unwrap(),
    ] {
        assert_eq!(pushed.pushes(&[path])["pushes"], 0, "{path}");
    }
    let port = pushed.server.address.port();
    for url in [
        format!("HTTP://127.0.0.1:{port}/"),
        format!("http://127.0.0.1:0{port}//"),
        format!("http://127.0.0.1:{port}/api/v1/push"),
    ] {
        let output = pushed.command(&url, &["page.prom"]).output().unwrap();
        assert_eq!(code(&output), 0, "{url}: {}", stderr(&output));
    }
    assert_eq!(pushed.jobs(), 5);
    // What an earlier build has kept, under another name of the file and another spelling.
    let kept = std::fs::read_to_string(pushed.state()).unwrap();
    let capital = kept.replace("http://127.0.0.1:", "HTTP://127.0.0.1:0");
    assert_ne!(kept, capital);
    std::fs::write(pushed.sandbox.path("kept"), capital).unwrap();
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(pushed.sandbox.path("kept"), mode).unwrap();
    let told = pushed.pushes(&["page.prom", "--state", "kept"]);
    assert_eq!(told["pushes"], 0, "{told}");
    let output = pushed
        .command(&format!("http://localhost:{port}"), &["link.prom"])
        .output();
    assert_eq!(code(&output.unwrap()), 0);
    assert_eq!(pushed.jobs(), 10, "another name is another server");
}

#[test]
fn every_kind_arrives_as_it_is() {
    let pushed = Pushed::new();
    let text = "# TYPE jobs counter\njobs_total 3\n# TYPE depth gauge\ndepth 2.5\n# TYPE build info\nbuild_info{v=\"1\"} 1\n\
                # TYPE wait_seconds histogram\nwait_seconds_bucket{le=\"1\"} 2\nwait_seconds_bucket{le=\"+Inf\"} 3\n\
                wait_seconds_count 3\nwait_seconds_sum 4.5\n# TYPE cpu counter\ncpu_total 0.5\n\
                # TYPE size summary\nsize{quantile=\"0.5\"} 1\nsize_count 2\nsize_sum 7.1\n\
                # TYPE state stateset\nstate{state=\"on\"} 1\n# EOF\n";
    pushed.write(text);
    let told = pushed.pushes(&["page.prom"]);
    assert_eq!(told["counts"], 8);
    assert_eq!(told["passed_over"].as_array().unwrap().len(), 1, "{told}");
    pushed.write(&text.replace(" 2.5", " -1"));
    pushed.pushes(&["page.prom"]);
    let shown = pushed.sandbox.json(&["show", "--json"]);
    assert_eq!(series(&shown, "depth", &json!({}))["value"], -1.0);
    assert_eq!(series(&shown, "build_info", &json!({"v": "1"}))["value"], 1);
    assert_eq!(series(&shown, "cpu_total", &json!({}))["exact"], "0.5");
    let size = &series(&shown, "size", &json!({}))["value"];
    assert_eq!(*size, json!({"count": 2, "sum": 7.1, "exact": "7.1"}));
    let wait = series(&shown, "wait_seconds", &json!({}));
    assert_eq!(
        (&wait["value"]["count"], &wait["value"]["sum"]),
        (&json!(3), &json!(4.5))
    );
}

#[test]
fn one_metric_that_is_refused_keeps_no_other_out() {
    let pushed = Pushed::new();
    pushed.sandbox.ok(&["set", "depth", "1"]);
    let many: String = (0..9)
        .map(|n| format!("# TYPE a{n}_total counter\na{n}_total {n}\n"))
        .collect();
    let depth = "# TYPE depth histogram\ndepth_bucket{le=\"1\"} 1\ndepth_bucket{le=\"+Inf\"} 1\ndepth_sum 1\ndepth_count 1\n";
    pushed.write(&format!(
        "{many}{depth}# TYPE jobs_total counter\njobs_total 3\n"
    ));
    for _ in 0..2 {
        failed(
            &pushed.push(&["page.prom"]),
            &["refuses a part of it", "depth"],
        );
        assert_eq!(pushed.jobs(), 3);
        assert_eq!(pushed.sandbox.value("a8_total", &json!({})), 8);
    }
}

#[test]
fn a_sum_that_is_kept_there_with_fewer_digits_is_told() {
    let pushed = Pushed::new();
    pushed.write(
        "# TYPE a histogram\na_bucket{le=\"1024\"} 2\na_bucket{le=\"1e6\"} 2\na_bucket{le=\"+Inf\"} 2\na_sum 324.3\na_count 2\n",
    );
    let told = pushed.pushes(&["page.prom"]);
    let noted = told["noted"][0].as_str().unwrap();
    assert!(noted.contains("324.3 of a is kept as 324"), "{told}");
}

#[test]
fn stdin_is_told_apart_by_the_file_that_keeps_its_state() {
    let pushed = Pushed::new();
    let push = |arguments: &[&str], text: &str| {
        let mut command = pushed.command(&pushed.url, arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that has failed already reads nothing.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        child.wait_with_output().unwrap()
    };
    failed(&push(&["-"], ""), &["--state FILE"]);
    for (jobs, all) in [(3, 3), (4, 4)] {
        let text = format!("# TYPE jobs_total counter\njobs_total {jobs}\n");
        let output = push(&["-", "--state", "kept"], &text);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(pushed.jobs(), all);
    }
    failed(
        &push(&["-", "--state", "kept"], "no text"),
        &["stdin: line 1"],
    );
}

#[test]
fn a_store_is_pushed_over_its_epochs() {
    let (pushed, source) = (Pushed::new(), Sandbox::new());
    let push = || {
        let mut command = source.deespec(&["push", &pushed.url, "--json"]);
        let output = command.env("DEESPEC_TOKEN", super::TOKEN).output().unwrap();
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    source.ok(&["inc", "jobs_total", "--by", "3"]);
    source.ok(&["observe", "wait_seconds", "0.25", "1.5"]);
    assert_eq!(push()["counts"], 5);
    source.ok(&["inc", "jobs_total", "--by", "2"]);
    source.ok(&["rotate"]);
    source.ok(&["inc", "jobs_total"]);
    source.ok(&["observe", "wait_seconds", "2"]);
    assert_eq!(push()["counts"], 4);
    source.ok(&["rotate"]);
    assert_eq!(push()["counts"], 0);
    source.ok(&["remove", "jobs_total"]);
    source.ok(&["inc", "jobs_total", "--by", "20"]);
    push();
    assert_eq!(pushed.jobs(), 26);
    let shown = pushed.sandbox.json(&["show", "--json"]);
    let wait = series(&shown, "wait_seconds", &json!({}));
    assert_eq!(
        (&wait["value"]["count"], &wait["value"]["sum"]),
        (&json!(3), &json!(3.75))
    );
}

#[test]
fn a_store_is_not_pushed_to_itself() {
    let pushed = Pushed::new();
    pushed.sandbox.ok(&["inc", "jobs_total", "--by", "3"]);
    failed(&pushed.push(&[]), &["what the store itself has counted"]);
    assert_eq!(pushed.jobs(), 3);
    // Nor is what it has exposed.
    for form in ["openmetrics", "prometheus"] {
        let text = pushed.sandbox.ok(&["export", form]);
        pushed.write(&text);
        failed(
            &pushed.push(&["page.prom", "--state", form]),
            &["what the store itself has counted"],
        );
        assert_eq!(pushed.jobs(), 3);
    }
}
