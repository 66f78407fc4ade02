//! The dashboard: files in the program, so that the page loads nothing from elsewhere.
//!
//! `main.js` puts together `model.js` (what is followed), `charts.js`, `table.js` and `format.js`. What is
//! written by others lies in `vendor/`, with its licence.

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
const FILES: [(&str, &str, &str); 10] = [
    ("/", HTML, include_str!("index.html")),
    ("/page/style.css", CSS, include_str!("style.css")),
    ("/page/icon.svg", SVG, include_str!("icon.svg")),
    ("/page/main.js", SCRIPT, include_str!("main.js")),
    ("/page/model.js", SCRIPT, include_str!("model.js")),
    ("/page/charts.js", SCRIPT, include_str!("charts.js")),
    ("/page/table.js", SCRIPT, include_str!("table.js")),
    ("/page/format.js", SCRIPT, include_str!("format.js")),
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
