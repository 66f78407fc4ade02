//! What the page is made of comes from its server, and soon.

use serde_json::json;

use crate::serve::Server;
use crate::support::Sandbox;

use super::Page;

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["run", "--name", "tests", "--", "true"]);
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    let asked = page.requests();
    for part in [
        "",
        "page/style.css",
        "page/main.js",
        "page/uPlot.js",
        "api/v1/live",
    ] {
        let url = format!("{}{part}", page.url);
        assert!(asked.contains(&url), "{url} is not asked for: {asked:?}");
    }
    for url in asked {
        assert!(url.starts_with(&page.url), "{url} is not of {}", page.url);
    }
    let elsewhere = page.execute(
        "return performance.getEntriesByType('resource').map((one) => one.name)
           .filter((url) => new URL(url).origin !== location.origin)",
        &[],
    );
    assert_eq!(elsewhere, json!([]));
}

#[test]
fn the_policy_holds_in_a_browser() {
    let sandbox = Sandbox::new();
    let server = Server::start(&sandbox, &[]);
    let page = Page::open(&server);
    page.is_innocent();
    // Somebody who did get text into the page as elements could do no more with it than this.
    page.execute(
        "document.querySelector('main').insertAdjacentHTML('beforeend',
           '<img src=x onerror=\"window.__harm = 1\"><img src=//127.0.0.1:9/x>')",
        &[],
    );
    page.until("it is refused", "return window.__refused.length >= 2", &[]);
    assert_eq!(
        page.execute("return window.__harm ?? null", &[]),
        json!(null)
    );
}
