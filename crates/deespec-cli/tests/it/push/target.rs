//! Where something is pushed to, and who may.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::{Pushed, failed};
use crate::serve::TOKEN;
use crate::support::{code, stderr};

#[test]
fn a_token_that_is_wrong_or_missing_or_known_to_others_pushes_nothing() {
    let pushed = Pushed::new();
    pushed.page(3);
    let with = |token: &str, arguments: &[&str]| {
        let mut command = pushed.command(&pushed.url, &["page.prom"]);
        command
            .args(arguments)
            .env("DEESPEC_TOKEN", token)
            .output()
            .unwrap()
    };
    failed(&with("", &[]), &["a push needs a token"]);
    failed(
        &with("a-token-of-somebody-else", &[]),
        &["refuses the token"],
    );
    let file = pushed.sandbox.path("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mode =
        |mode: u32| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o644);
    failed(
        &with("", &["--token-file", "token"]),
        &["others can use it too"],
    );
    assert_eq!(pushed.jobs(), 0);
    mode(0o600);
    let output = with("", &["--token-file", "token"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(pushed.jobs(), 3);
}

#[test]
fn plain_http_goes_nowhere_else_and_no_url_has_a_password() {
    let pushed = Pushed::new();
    pushed.page(3);
    for (url, reason) in [
        ("http://192.0.2.1:9464", "plain http"),
        ("http://example.org", "plain http"),
        ("https://me:secret@example.org", "a user or a password"),
        ("ftp://127.0.0.1", "neither https nor http"),
        ("127.0.0.1:9464", "no URL"),
        ("http://127.0.0.1:9464?token=secret", "only ?store=NAME"),
    ] {
        let output = pushed.command(url, &["page.prom"]).output().unwrap();
        failed(&output, &[reason]);
        assert!(!stderr(&output).contains("secret"), "{url}");
    }
    // Where a cloud tells its machines their secrets.
    let arguments = ["page.prom", "--timeout", "5"];
    let output = pushed
        .command("https://169.254.169.254", &arguments)
        .output()
        .unwrap();
    failed(&output, &["is one that nothing is sent to"]);
}

#[test]
fn no_redirect_is_followed_and_nobody_else_acknowledges() {
    let pushed = Pushed::new();
    pushed.page(3);
    let there = format!("location: {}/api/v1/push\r\n", pushed.url);
    for (status, head, body, reason) in [
        (
            "307 Temporary Redirect",
            there.as_str(),
            "",
            "which is not followed",
        ),
        (
            "200 OK",
            "",
            "<html>Welcome</html>",
            "is no `deespec serve`",
        ),
        (
            "200 OK",
            "",
            "{\"counted\":true,\"sequence\":999}",
            "is no `deespec serve`",
        ),
        (
            "404 Not Found",
            "",
            "{\"error\":\"there is no such place\"}",
            "404: there is no such place",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let length = body.len();
        let answer = format!("HTTP/1.1 {status}\r\n{head}content-length: {length}\r\n\r\n{body}");
        let server = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let length = client.read(&mut request).unwrap();
            client.write_all(answer.as_bytes()).unwrap();
            // Until it has gone: closing before would be a reset where not all was read.
            let _ = client.read_to_end(&mut Vec::new());
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let output = pushed.command(&url, &["page.prom"]).output().unwrap();
        failed(&output, &[reason]);
        let request = server.join().unwrap().to_ascii_lowercase();
        assert!(request.contains("user-agent: deespec/"), "{request}");
        assert!(!request.contains("accept-encoding"), "{request}");
    }
    assert_eq!(pushed.jobs(), 0);
}

#[test]
fn no_variable_leads_a_push_through_a_proxy() {
    let pushed = Pushed::new();
    pushed.page(3);
    let mut command = pushed.command(&pushed.url, &["page.prom", "--timeout", "20"]);
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        command.env(name, "http://127.0.0.1:1");
    }
    let output = command.output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(pushed.jobs(), 3);
}

#[test]
fn one_of_several_stores_is_named_in_the_url() {
    let pushed = Pushed::new();
    pushed.page(3);
    let output = pushed
        .command(&format!("{}?store=nowhere", pushed.url), &["page.prom"])
        .output()
        .unwrap();
    failed(&output, &["404: there is no store of that name"]);
    let output = pushed
        .command(&format!("{}?store=store", pushed.url), &["page.prom"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(pushed.jobs(), 3);
}
