use super::*;

fn parse(text: &str) -> Result<Document, DocumentError> {
    Document::parse(text.as_bytes(), Path::new("m.json"))
}

fn document() -> Document {
    let labels = LabelSet::from_iter([("branch", "a \"b\"\n")]);
    Document {
        transactions: TransactionCounts {
            success: 142,
            failed: 3,
            conflicts: 7,
            recoveries: 2,
        },
        last_update: Some("2026-11-23T07:08:09Z".into()),
        epoch: Some(4),
        epoch_started: Some("2026-11-23T00:00:00Z".into()),
        store_id: Some(StoreId([1, 2])),
        kind: Some(DocumentKind::Rotation),
        taken_at: Some("2026-11-23T07:08:09.123456789Z".into()),
        series: vec![
            Series {
                name: "a".into(),
                labels: LabelSet::default(),
                value: Value::Counter(1),
            },
            Series {
                name: "a".into(),
                labels,
                value: Value::Counter(u64::MAX),
            },
        ],
        partial: Vec::new(),
    }
}

#[test]
fn no_line_of_a_document_is_a_command_to_a_runner_and_it_means_the_same() {
    let mut document = document();
    let texts = ["#", "####", "##vso[task.x]", "::error::x", "a ###[error]"];
    let of = |text: &str| Series {
        name: "a".into(),
        labels: LabelSet::from_iter([("text", text)]),
        value: Value::Counter(1),
    };
    document.series = texts.map(of).into();
    document.partial = vec!["##vso[task.y]".into()];
    let text = document.to_json();
    assert!(!text.contains("##"), "{text}");
    for line in text.lines() {
        let begins = line.trim_start().chars().next().unwrap();
        assert!("{}[]\"".contains(begins), "{line}");
    }
    assert!(render::is_untouched(text.as_bytes()));
    assert_eq!(parse(&text).unwrap(), document);
}

#[test]
fn a_series_that_would_disagree_with_what_every_store_has_is_refused() {
    let classic = r#"{"count":0,"sum":0,"buckets":[],"classic":[1],"steps_per_one":1}"#;
    for (name, kind, labels, value, part) in [
        (
            "commit_failed",
            "gauge",
            r#"{"a":"b"}"#,
            "1",
            "commit_failed is a counter",
        ),
        (
            "cas_conflicts",
            "histogram",
            r#"{"a":"b"}"#,
            classic,
            "cas_conflicts is a counter",
        ),
        ("commit_failed", "counter", "{}", "1", "top level"),
        ("a", "histogram", r#"{"le":"1"}"#, classic, "label le"),
        (
            "deespec_overflow_total",
            "gauge",
            "{}",
            "1",
            "beyond a limit",
        ),
    ] {
        let text = format!(
            r#"{{"commit_success":1,"series":[{{"name":"{name}","type":"{kind}","labels":{labels},"value":{value}}}]}}"#
        );
        let error = parse(&text).unwrap_err().to_string();
        assert!(
            error.starts_with("m.json") && error.contains(part),
            "{error}"
        );
    }
    let lawful = r#"{"commit_success":1,"series":[
        {"name":"commit_failed","type":"counter","labels":{"a":"b"},"value":2},
        {"name":"a","type":"counter","labels":{"le":"1"},"value":2}]}"#;
    assert_eq!(parse(lawful).unwrap().series.len(), 2);
}

#[test]
fn a_document_has_exactly_this_form() {
    let text = render(&document());
    assert_eq!(
        text,
        r#"{
  "commit_success": 142,
  "commit_failed": 3,
  "cas_conflicts": 7,
  "recovery_count": 2,
  "last_update": "2026-11-23T07:08:09Z",
  "schema_version": 1,
  "epoch": 4,
  "epoch_started": "2026-11-23T00:00:00Z",
  "store_id": "00000000000000010000000000000002",
  "kind": "rotation",
  "taken_at": "2026-11-23T07:08:09.123456789Z",
  "series": [
    {"name":"a","type":"counter","labels":{},"value":1},
    {"name":"a","type":"counter","labels":{"branch":"a \"b\"\n"},"value":18446744073709551615}
  ],
  "check": "crc32:CHECK"
}
"#
        .replace("CHECK", &text[text.len() - 12..text.len() - 4])
    );
    assert_eq!(parse(&text).unwrap(), document());
}

#[test]
fn every_changed_byte_of_a_document_is_noticed() {
    let text = render(&document());
    assert!(is_untouched(text.as_bytes()));
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(!is_untouched(&bytes), "byte {at}");
        assert!(!is_untouched(&text.as_bytes()[..at]), "cut at {at}");
    }
}

#[test]
fn the_legacy_form_is_read_as_version_1() {
    for text in [
        r#"{"commit_success": 5, "last_update": "x"}"#,
        r#"{"commit_success": 5, "schema_version": 0, "more": [1]}"#,
        "\u{feff}{\"commit_success\": 5, \"schema_version\": null}",
    ] {
        let document = parse(text).unwrap();
        assert_eq!(document.transactions.success, 5, "{text}");
        assert_eq!((document.store_id, document.epoch), (None, None));
    }
}

#[test]
fn a_newer_version_is_refused_whatever_else_it_holds() {
    let error = parse(r#"{"schema_version": 7, "commit_success": {"now": "an object"}}"#);
    let error = error.unwrap_err().to_string();
    assert_eq!(
        error,
        "m.json has schema version 7, the highest supported is 2"
    );
}

#[test]
fn what_is_not_lawful_is_refused() {
    for bad in [
        "",
        "{",
        "[]",
        "{}",
        "null",
        r#"{"commit_success": -1}"#,
        r#"{"commit_success": 1.5}"#,
        r#"{"commit_success": "1"}"#,
        r#"{"commit_success": 18446744073709551616}"#,
        r#"{"commit_success": 1, "commit_success": 2}"#,
        r#"{"commit_success": 1} trailing"#,
        r#"{"commit_success": 1, "schema_version": "1"}"#,
        r#"{"commit_success": 1, "store_id": "zz"}"#,
        r#"{"commit_success": 1, "series": [{"name": "a b", "type": "counter", "value": 1}]}"#,
        r#"{"commit_success": 1, "series": [{"name": "a", "type": "summary", "value": 1}]}"#,
        r#"{"commit_success": 1, "series": [{"name": "a", "type": "counter", "labels": {"__x": ""}, "value": 1}]}"#,
        r#"{"commit_success": 1, "series": [{"name": "commit_success", "type": "counter", "value": 1}]}"#,
        r#"{"commit_success": 1, "series": [{"name": "a", "type": "counter", "value": 1}, {"name": "a", "type": "counter", "value": 1}]}"#,
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(Document::parse(b"\xff\xfe{}", Path::new("x")).is_err());
    assert!(parse(&"[".repeat(100_000)).is_err());
}
