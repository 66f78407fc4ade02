//! The dashboard: files in the program, so that the page loads nothing from elsewhere.
//!
//! `main.js` puts together `model.js` (what is followed) and one file for each part of the page: `figures.js`,
//! `cards.js`, `latency.js`, `history.js`, `table.js`. These share `charts.js`, `quantiles.js`, `format.js` and
//! `dom.js`. What is written by others lies in `vendor/`, with its licence.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse as _;
use axum::routing::get;

use crate::App;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Path, type and content.
const FILES: [(&str, &str, &str); 18] = [
    ("/", HTML, include_str!("index.html")),
    ("/page/icon.svg", SVG, include_str!("icon.svg")),
    ("/page/style.css", CSS, include_str!("style.css")),
    ("/page/parts.css", CSS, include_str!("parts.css")),
    ("/page/theme.js", SCRIPT, include_str!("theme.js")),
    ("/page/main.js", SCRIPT, include_str!("main.js")),
    ("/page/model.js", SCRIPT, include_str!("model.js")),
    ("/page/figures.js", SCRIPT, include_str!("figures.js")),
    ("/page/cards.js", SCRIPT, include_str!("cards.js")),
    ("/page/latency.js", SCRIPT, include_str!("latency.js")),
    ("/page/history.js", SCRIPT, include_str!("history.js")),
    ("/page/table.js", SCRIPT, include_str!("table.js")),
    ("/page/charts.js", SCRIPT, include_str!("charts.js")),
    ("/page/quantiles.js", SCRIPT, include_str!("quantiles.js")),
    ("/page/format.js", SCRIPT, include_str!("format.js")),
    ("/page/dom.js", SCRIPT, include_str!("dom.js")),
    ("/page/uPlot.js", SCRIPT, include_str!("vendor/uPlot.js")),
    ("/page/uPlot.css", CSS, include_str!("vendor/uPlot.css")),
];

pub(crate) fn routes() -> Router<App> {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, content)| {
            router.route(
                path,
                get(move || async move { ([(CONTENT_TYPE, kind)], content).into_response() }),
            )
        })
}
