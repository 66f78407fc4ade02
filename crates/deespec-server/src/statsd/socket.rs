//! The sockets that statsd clients send to: UDP, and Unix datagrams with their file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::net::{Shutdown, UdpSocket};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::{
    FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, chownat, fchmod};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_recv_buffer_size_force};
use rustix::net::{SocketAddrUnix, bind};

use super::drops::Drops;
use crate::config::Statsd;

/// What may wait in a UDP socket, where the system allows as much.
const WAITING_BYTES: usize = 4 << 20;

pub(super) enum Socket {
    Udp {
        socket: UdpSocket,
        drops: Drops,
    },
    Unix {
        socket: UnixDatagram,
        file: SocketFile,
    },
}

impl Socket {
    /// Listens. The file of a Unix socket is for this user alone, or for the members of a group too.
    pub(super) fn open(address: &Statsd, group: Option<u32>) -> io::Result<Self> {
        match address {
            Statsd::Udp(address) => {
                let socket = UdpSocket::bind(address)?;
                socket.set_nonblocking(true)?;
                // Beyond its limit only for who may; less waits otherwise.
                if set_socket_recv_buffer_size_force(&socket, WAITING_BYTES).is_err() {
                    let _ = set_socket_recv_buffer_size(&socket, WAITING_BYTES);
                }
                let drops = Drops::default();
                Ok(Self::Udp { socket, drops })
            }
            Statsd::Unix(path) => {
                let socket = bind_file(path)?;
                let file = SocketFile::of(path)?;
                if let Some(group) = group {
                    file.share(group)?;
                }
                socket.set_nonblocking(true)?;
                Ok(Self::Unix { socket, file })
            }
        }
    }

    /// Where it listens in fact.
    pub(super) fn address(&self) -> io::Result<Statsd> {
        Ok(match self {
            Self::Udp { socket, .. } => Statsd::Udp(socket.local_addr()?),
            Self::Unix { file, .. } => Statsd::Unix(file.path.clone()),
        })
    }

    /// Takes the next datagram that is there already.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Udp { socket, .. } => socket.recv(buffer),
            Self::Unix { socket, .. } => socket.recv(buffer),
        }
    }

    /// How many datagrams were lost since the last time. A Unix socket loses none: its senders wait.
    pub(super) fn dropped(&mut self) -> u64 {
        match self {
            Self::Udp { socket, drops } => drops.since(socket),
            Self::Unix { .. } => 0,
        }
    }

    /// From now on nobody can send where senders are told so; what was sent before can still be received.
    pub(super) fn close(&self) {
        if let Self::Unix { socket, file } = self {
            file.remove();
            let _ = socket.shutdown(Shutdown::Read);
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Udp { socket, .. } => socket.as_fd(),
            Self::Unix { socket, .. } => socket.as_fd(),
        }
    }
}

/// The file by which a Unix socket is found; it goes with it.
pub(super) struct SocketFile {
    path: PathBuf,
    /// The file itself, whatever the path names later.
    file: File,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(flags.bits().cast_signed());
        let file = options.open(path)?;
        if !file.metadata()?.file_type().is_socket() {
            return Err(io::Error::other("somebody else has replaced it"));
        }
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Lets the members of a group send too.
    fn share(&self, group: u32) -> io::Result<()> {
        let group = Gid::from_raw(group);
        chownat(&self.file, "", None, Some(group), AtFlags::EMPTY_PATH)?;
        // What is opened for its path alone has no other name that follows no link.
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        fs::set_permissions(path, Permissions::from_mode(0o660))
    }

    /// Removes it, unless another one has its place by now.
    fn remove(&self) {
        let same = |file: &fs::Metadata, found: &fs::Metadata| {
            (file.dev(), file.ino()) == (found.dev(), found.ino())
        };
        if let (Ok(file), Ok(found)) = (self.file.metadata(), self.path.symlink_metadata())
            && same(&file, &found)
        {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A socket with a file of mode 0600 from its first moment. The file of a server that was killed gives way.
fn bind_file(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // Linux gives the file the mode of the socket.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    let address = SocketAddrUnix::new(path)?;
    match bind(&socket, &address) {
        Err(rustix::io::Errno::ADDRINUSE) => {
            // Two servers that begin at once must not remove each other's; the lock ends with the process.
            let folder = match path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            };
            let folder = File::open(folder)?;
            folder.try_lock()?;
            remove_stale(path)?;
            bind(&socket, &address)?;
        }
        bound => bound?,
    }
    Ok(socket)
}

/// Removes the file of a socket on which nobody listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    let exists = |reason| Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
    if !path.symlink_metadata()?.file_type().is_socket() {
        return exists("there is something else that is no socket");
    }
    match UnixDatagram::unbound()?.connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(()) => exists("another process listens there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.symlink_metadata().unwrap().mode() & 0o7777
    }

    fn open(path: &Path, group: Option<u32>) -> io::Result<Socket> {
        Socket::open(&Statsd::Unix(path.to_owned()), group)
    }

    #[test]
    fn the_file_is_its_owners_alone_or_a_groups_and_goes_with_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("statsd.sock");
        let socket = open(&path, None).unwrap();
        assert_eq!(mode(&path), 0o600);
        drop(socket);
        assert!(!path.exists());
        let group = folder.path().metadata().unwrap().gid();
        let socket = open(&path, Some(group)).unwrap();
        assert_eq!(mode(&path), 0o660);
        // Somebody else's, by now.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        drop(socket);
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn only_a_socket_on_which_nobody_listens_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("statsd.sock");
        // As a process that was killed leaves it.
        drop(UnixDatagram::bind(&path).unwrap());
        assert!(path.exists());
        let first = open(&path, None).unwrap();
        let refused = open(&path, None).err().unwrap();
        assert!(
            refused.to_string().contains("another process listens"),
            "{refused}"
        );
        drop(first);
        let target = folder.path().join("target");
        drop(UnixDatagram::bind(&target).unwrap());
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(open(&path, None).is_err());
        assert!(target.symlink_metadata().unwrap().file_type().is_socket());
        fs::remove_file(&path).unwrap();
        for make in [
            |path: &Path| fs::write(path, "text"),
            |path: &Path| fs::create_dir(path),
        ] {
            make(&path).unwrap();
            let refused = open(&path, None).err().unwrap();
            assert!(refused.to_string().contains("no socket"), "{refused}");
            assert!(path.exists());
            let _ = fs::remove_file(&path);
        }
    }
}
