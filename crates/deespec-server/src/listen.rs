//! The socket: one that systemd hands over, or our own; and what systemd is told.

use std::net::TcpListener;

use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::config::Config;
use crate::error::Error;

/// The socket that systemd hands over, else a new one.
pub(crate) fn listener(config: &Config) -> Result<tokio::net::TcpListener, Error> {
    let fail = |source| Error::Listen {
        address: config.listen,
        source,
    };
    let given = ListenFd::from_env().take_tcp_listener(0).map_err(fail)?;
    let listener = match given {
        Some(listener) => listener,
        None => TcpListener::bind(config.listen).map_err(fail)?,
    };
    listener.set_nonblocking(true).map_err(fail)?;
    tokio::net::TcpListener::from_std(listener).map_err(fail)
}

/// Tells systemd that requests are answered from now on. Where nobody listens, that is all the same.
pub(crate) fn say_ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

pub(crate) fn say_stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}
