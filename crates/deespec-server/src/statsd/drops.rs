//! What the kernel threw away because a socket of ours was full: it tells that in a table of all sockets.

use std::io;
use std::net::UdpSocket;

use rustix::fs::fstat;

/// What has been seen of one socket's losses.
pub(super) struct Drops {
    inode: u64,
    table: &'static str,
    seen: u32,
}

impl Drops {
    pub(super) fn of(socket: &UdpSocket) -> io::Result<Self> {
        let table = match socket.local_addr()?.is_ipv4() {
            true => "/proc/net/udp",
            false => "/proc/net/udp6",
        };
        Ok(Self {
            inode: fstat(socket)?.st_ino,
            table,
            seen: 0,
        })
    }

    /// How many datagrams were lost since the last time; none where the kernel does not tell.
    pub(super) fn since(&mut self) -> u64 {
        let table = std::fs::read_to_string(self.table).unwrap_or_default();
        let Some(now) = drops(&table, self.inode) else {
            return 0;
        };
        let new = now.wrapping_sub(self.seen);
        self.seen = now;
        u64::from(new)
    }
}

/// The last column of the socket's line.
fn drops(table: &str, inode: u64) -> Option<u32> {
    let inode = inode.to_string();
    table.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_ascii_whitespace().collect();
        (columns.get(9) == Some(&inode.as_str())).then(|| columns.get(12)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_kernel_is_read() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                     \x20 455: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 31337 2 ffff8881 0\n\
                     \x20 456: 0100007F:1FBE 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 31338 2 ffff8882 4711\n";
        assert_eq!(drops(table, 31337), Some(0));
        assert_eq!(drops(table, 31338), Some(4711));
        assert_eq!(drops(table, 2), None);
        assert_eq!(drops("", 31337), None);
        assert_eq!(drops("0 0 0 0 0 0 0 0 0 31337", 31337), None);
    }
}
