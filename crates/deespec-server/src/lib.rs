//! What a store shows over HTTP: what Prometheus scrapes, an API in JSON, and changes as they happen.
//!
//! This is the only asynchronous code. It reads stores through the library and prints nothing; what
//! is to be said, the caller says ([`Events`]). What it serves is durable first: a view is read, the store
//! is flushed, and only then the view is shown.
//!
//! The rooms, from the outside in: `listen` (sockets) → `connection` (limits of one connection) → `guard` (who
//! may ask) → `scrape`, `api`, `live` → `stores` (blocking work beside the runtime).

mod api;
mod config;
mod connection;
mod error;
mod flight;
mod guard;
mod listen;
mod live;
mod lost;
mod page;
mod peer;
mod scrape;
mod statsd;
mod stores;
mod waiting;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::routing::get;

pub use config::{Config, Ended, Events, Judge, Limits, Look, Missing, New, Served, Statsd, Token};
pub use error::Error;
pub use guard::may_listen;
pub use statsd::may_count;

use guard::Guard;
use live::Hub;
use statsd::Listeners;
use stores::Stores;

/// What every answer is made from.
#[derive(Clone)]
struct App {
    stores: Arc<Stores>,
    hub: Arc<Hub>,
    guard: Arc<Guard>,
    judge: Judge,
    limits: Limits,
}

/// Serves until the process is told to end by SIGINT or SIGTERM, or, with [`Config::once`], until one scrape
/// was answered.
///
/// # Errors
///
/// When the address cannot be listened on, or must not be without a token.
pub fn serve(config: Config) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("deespec-serve")
        .build()
        .map_err(Error::Runtime)?;
    let outcome = runtime.block_on(run(config));
    // Whoever still reads a store must not keep the process from ending.
    runtime.shutdown_background();
    outcome
}

async fn run(mut config: Config) -> Result<(), Error> {
    let listener = listen::listener(&config)?;
    let address = listener.local_addr().map_err(|source| Error::Listen {
        address: config.listen,
        source,
    })?;
    let guard = Arc::new(Guard::new(&config, address)?);
    let mut signals = connection::Signals::new().map_err(Error::Runtime)?;
    let missing = config.missing.take();
    let has_waited = missing.is_some();
    if let Some(missing) = missing {
        listen::say_ready();
        config.events.listening(address);
        let guard = Arc::clone(&guard);
        let found = waiting::wait(&listener, missing, guard, config.limits, &mut signals);
        match found.await {
            Some(stores) => config.stores = stores,
            None => {
                listen::say_stopping();
                return Ok(());
            }
        }
    }
    // Last to end: whoever reads the store until then sees what was counted.
    let listeners = Listeners::start(&config, &config.events)?;
    let listeners = Arc::new(Mutex::new(Some(listeners)));
    let stores = Arc::new(Stores::new(config.stores));
    let counting = Arc::clone(&listeners);
    // Whoever sends to a lost store is refused by its socket.
    let stop = move || end(&counting);
    let watch = lost::Watch::start(&stores, &config.events, stop).map_err(Error::Runtime)?;
    let app = App {
        hub: Hub::start(Arc::clone(&stores), config.limits),
        stores,
        guard,
        judge: config.judge,
        limits: config.limits,
    };
    let once = config.once.then(connection::Once::new);
    if !has_waited {
        listen::say_ready();
        config.events.listening(address);
    }
    let (hub, ending) = (Arc::clone(&app.hub), Arc::clone(&app.stores));
    let farewell = async move || {
        listen::say_stopping();
        // One deadline for all that still waits for a lock, the last publication of each store too.
        let until = Instant::now() + connection::FAREWELL;
        for served in ending.iter() {
            served.store.stop_waiting_at(until);
        }
        hub.end();
        hub.ended().await;
    };
    let (limits, router) = (app.limits, router(app, once.clone()));
    connection::accept(listener, router, limits, signals, once, farewell).await;
    drop(watch);
    end(&listeners);
    Ok(())
}

fn end(listeners: &Mutex<Option<Listeners>>) {
    let mut listeners = listeners.lock().unwrap_or_else(PoisonError::into_inner);
    drop(listeners.take());
}

/// What is not a scrape, which is compressed once for all who ask.
fn compressed() -> tower_http::compression::CompressionLayer {
    let layer = tower_http::compression::CompressionLayer::new();
    layer.quality(tower_http::CompressionLevel::Fastest)
}

fn router(app: App, once: Option<connection::Once>) -> Router {
    let scrape = get(scrape::scrape);
    let scrape = match once {
        Some(once) => scrape.layer(axum::middleware::from_fn_with_state(
            once,
            connection::count,
        )),
        None => scrape,
    };
    let brief = Router::new()
        .route("/metrics", scrape)
        .route("/-/healthy", get(scrape::healthy))
        .route("/-/ready", get(scrape::ready))
        .nest("/api/v1", api::routes())
        .merge(page::routes())
        // Before it is compressed, and again where no such route answers.
        .layer(axum::middleware::from_fn(error::in_our_form))
        .layer(compressed())
        .layer(tower_http::timeout::TimeoutLayer::with_status_code(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            app.limits.answer,
        ));
    Router::new()
        .merge(brief)
        // These last as long as their reader stays.
        .nest("/api/v1", live::routes())
        .fallback(guard::nothing_there)
        .layer(axum::extract::DefaultBodyLimit::max(app.limits.body_bytes))
        .layer(axum::middleware::from_fn(connection::reserved))
        .layer(axum::middleware::from_fn(error::in_our_form))
        .layer(axum::middleware::from_fn_with_state(
            app.clone(),
            guard::check,
        ))
        .layer(axum::middleware::from_fn(connection::turns))
        .with_state(app)
}
