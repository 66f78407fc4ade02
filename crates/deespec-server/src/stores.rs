//! The stores, and work on them beside the runtime: reading takes locks and flushing waits for a disk.

use std::sync::Arc;

use axum::http::StatusCode;
use deespec::{Store, View};

use crate::config::Served;
use crate::error::Refusal;

/// The label that tells several stores apart.
pub(crate) const LABEL: &str = "store";

pub(crate) struct Stores(Vec<Served>);

impl Stores {
    pub(crate) fn new(stores: Vec<Served>) -> Self {
        Self(stores)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Served> {
        self.0.iter()
    }

    /// The stores of this name, or all of them.
    pub(crate) fn named(&self, name: Option<&str>) -> Result<Vec<&Served>, Refusal> {
        let found = self
            .iter()
            .filter(|served| name.is_none_or(|name| served.name == name));
        let found: Vec<&Served> = found.collect();
        match found.is_empty() {
            false => Ok(found),
            true => {
                let names: Vec<&str> = self.iter().map(|served| served.name.as_str()).collect();
                let reason = format!("there is no store of that name, but {}", names.join(", "));
                Err(Refusal::new(StatusCode::NOT_FOUND, reason))
            }
        }
    }

    /// The one store that is meant: that of this name, or the only one.
    pub(crate) fn only(&self, name: Option<&str>) -> Result<&Served, Refusal> {
        match self.named(name)?.as_slice() {
            [one] => Ok(one),
            _ => {
                let reason = "there are several stores; say which one with ?store=NAME";
                Err(Refusal::new(StatusCode::BAD_REQUEST, reason))
            }
        }
    }

    /// What all stores count, durable: one store as it is, several with their names as a label.
    pub(crate) fn together(&self) -> Result<View, Refusal> {
        let views = self
            .iter()
            .map(|served| Ok((served.name.clone(), durable(&served.store)?)));
        let mut views: Vec<(String, View)> = views.collect::<Result<_, Refusal>>()?;
        let view = match views.as_slice() {
            [_] => views.pop().map(|(_, view)| view),
            _ => View::together(LABEL, views),
        };
        let none = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "there is no store");
        view.ok_or_else(none)
    }
}

/// What a store counts, read before everything that was counted is made durable: so what is shown does not go
/// back when the power fails.
pub(crate) fn durable(store: &Store) -> Result<View, Refusal> {
    let view = store.view()?;
    store.flush()?;
    Ok(view)
}

/// Does something with the stores on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    stores: &Arc<Stores>,
    work: impl FnOnce(&Stores) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let stores = Arc::clone(stores);
    let done = tokio::task::spawn_blocking(move || work(&stores)).await;
    done.unwrap_or_else(|_| {
        let reason = "the server ends";
        Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason))
    })
}
