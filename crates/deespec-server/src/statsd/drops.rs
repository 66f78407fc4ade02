//! What the kernel threw away because a socket of ours was full.

use std::net::UdpSocket;
use std::os::fd::AsFd as _;

/// What has been seen of one socket's losses.
#[derive(Default)]
pub(super) struct Drops {
    seen: u32,
}

impl Drops {
    /// How many datagrams were lost since the last time; none where the kernel does not tell.
    pub(super) fn since(&mut self, socket: &UdpSocket) -> u64 {
        let Ok(now) = deespec::socket_drops(socket.as_fd()) else {
            return 0;
        };
        let new = now.wrapping_sub(self.seen);
        self.seen = now;
        u64::from(new)
    }
}
