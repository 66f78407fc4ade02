//! What the kernel has thrown away because a socket was full. It tells whoever has the socket, also where there is no `/proc`.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// Of `<linux/socket.h>`; the crate of the C library has it for some targets only.
const SO_MEMINFO: libc::c_int = 55;
/// What is told: nine numbers, of which the last one counts the drops.
const NUMBERS: usize = 9;

/// How many datagrams the kernel has thrown away that were sent to this socket, modulo 2^32.
///
/// # Errors
///
/// Where the kernel does not tell.
pub fn socket_drops(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut numbers = [0_u32; NUMBERS];
    let bytes = size_of_val(&numbers) as libc::socklen_t;
    let mut written = bytes;
    // SAFETY: the descriptor is open for as long as `socket` is borrowed. The kernel writes at most `written` bytes
    // into `numbers`, whose length that is, and puts how many it wrote into `written`; both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            numbers.as_mut_ptr().cast(),
            std::ptr::from_mut(&mut written),
        )
    };
    match result {
        0 if written == bytes => Ok(numbers[NUMBERS - 1]),
        // An older kernel, which knows fewer of them.
        0 => Err(io::ErrorKind::Unsupported.into()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn what_a_full_socket_loses_is_told() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(socket_drops(socket.as_fd()).unwrap(), 0);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent = 100_u32;
        for _ in 0..sent {
            let datagram = [b'x'; 60_000];
            let to = socket.local_addr().unwrap();
            assert_eq!(sender.send_to(&datagram, to).unwrap(), datagram.len());
        }
        socket.set_nonblocking(true).unwrap();
        let received = std::iter::from_fn(|| socket.recv(&mut [0; 65_536]).ok());
        let received = u32::try_from(received.count()).unwrap();
        assert!(received < sent);
        assert_eq!(socket_drops(socket.as_fd()).unwrap(), sent - received);
        let file = tempfile::tempfile().unwrap();
        assert!(socket_drops(file.as_fd()).is_err());
    }
}
