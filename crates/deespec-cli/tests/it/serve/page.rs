//! The page: what it is made of comes from this server, and says what it is.

use std::collections::BTreeSet;

use crate::support::Sandbox;

use super::Server;

/// What the page may weigh before it is compressed, in bytes.
const WEIGHT: usize = 128 * 1024;

/// The values of all attributes `src` and `href`, and of all imports, in a text.
fn wanted(text: &str) -> BTreeSet<String> {
    let quoted = ["src=\"", "href=\"", "from \""];
    let all = quoted.iter().flat_map(|start| text.split(start).skip(1));
    all.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect()
}

#[test]
fn all_that_the_page_asks_for_is_served_from_here() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let mut left: Vec<_> = wanted(&page.body).into_iter().collect();
    let (mut seen, mut weight) = (BTreeSet::new(), page.body.len());
    while let Some(path) = left.pop() {
        let path = path
            .strip_prefix("./")
            .map_or(path.clone(), |name| format!("/page/{name}"));
        if path.starts_with('#') || !seen.insert(path.clone()) {
            continue;
        }
        assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
        let part = server.get(&path);
        assert_eq!(part.status, 200, "{path}");
        if let Some(name) = path.strip_prefix("/page/") {
            weight += part.body.len();
            let kind = match name.rsplit_once('.').map(|(_, ending)| ending) {
                Some("js") => "text/javascript; charset=utf-8",
                Some("css") => "text/css; charset=utf-8",
                _ => "image/svg+xml",
            };
            assert_eq!(part.header("content-type"), kind, "{path}");
            left.extend(
                wanted(&part.body)
                    .into_iter()
                    .filter(|next| next.starts_with("./")),
            );
        }
    }
    for part in [
        "/page/main.js",
        "/page/latency.js",
        "/page/history.js",
        "/page/quantiles.js",
        "/page/uPlot.js",
        "/page/style.css",
    ] {
        assert!(seen.contains(part), "{part} is not asked for: {seen:?}");
    }
    assert!(weight < WEIGHT, "the page weighs {weight} bytes");
}

#[test]
fn the_page_may_load_nothing_from_elsewhere_and_runs_no_script_of_its_text() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let page = server.get("/");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("script-src 'self' 'unsafe"), "{policy}");
    assert!(!page.body.contains("<script>"), "a script within the text");
    assert!(!page.body.contains("style=\""), "a style within the text");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}
