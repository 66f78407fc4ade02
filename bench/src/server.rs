//! Servers that answer over HTTP: `deespec serve` and those of others. Each is a process on a free port of
//! this machine, which ends with its owner; the kernel tells what it takes of a core and of the memory.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::Result;
use crate::place::Bench;

/// How long a server may take to begin, and to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Who pushes must know it.
pub(crate) const TOKEN: &str = "a-token-that-only-benchmarks-know";
/// Stands before the address at which a server of ours listens.
const LISTENS: &str = "address=http://";
/// Enough for the clients that follow changes, all of which have the address of this machine.
const CLIENTS: [&str; 4] = ["--live-clients", "200", "--connections", "300"];

/// A process that serves. Dropping ends it.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// `deespec serve` with the store at this path.
    pub(crate) fn ours(bench: &Bench, store: &Path) -> Result<Self> {
        let mut command = bench.deespec(store)?;
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.args(CLIENTS).env("DEESPEC_TOKEN", TOKEN);
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let said = process.stderr.take().ok_or("a server without a pipe")?;
        let mut said = BufReader::new(said);
        let mut line = String::new();
        while said.read_line(&mut line)? > 0 && !line.contains(LISTENS) {}
        // Whoever writes to a closed pipe dies of it.
        std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
        let address = line.split_once(LISTENS).map(|(_, address)| address.trim());
        Self::of(process, address.unwrap_or(&line))
    }

    /// A server of others, which listens at this address once it can be connected to.
    pub(crate) fn theirs(mut command: Command, address: SocketAddr) -> Result<Self> {
        command.stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let name = command.get_program().to_string_lossy().into_owned();
        let mut server = Self {
            process: command.spawn()?,
            address,
        };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.process.try_wait()? {
                return Err(format!("{name} ended at once: {status}").into());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{name} does not answer").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// A process that has said where it listens.
    pub(crate) fn of(process: Child, address: &str) -> Result<Self> {
        let mut server = Self {
            process,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        // Dropped where it is none, so that the process ends.
        server.address = address
            .parse()
            .map_err(|_| format!("a server that says `{address}`, which is no address"))?;
        Ok(server)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Bytes of memory that it holds now.
    pub(crate) fn memory(&self) -> Result<f64> {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path)?;
        let held = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        let kibibytes: f64 = held.ok_or("the kernel tells no memory")?.trim().parse()?;
        Ok(kibibytes * 1024.0)
    }

    /// Seconds of a core that it has taken so far, by a clock that sees less than a tick.
    pub(crate) fn cpu(&self) -> Result<f64> {
        let clock = clock_getcpuclockid(Pid::from_raw(self.process.id().try_into()?))?;
        Ok(Duration::from(clock.now()?).as_secs_f64())
    }
}

/// Percent of a core that each of the servers takes in the same time.
pub(crate) fn shares<const N: usize>(servers: [&Server; N], time: Duration) -> Result<[f64; N]> {
    let mut before = [0.0; N];
    for (cpu, server) in before.iter_mut().zip(servers) {
        *cpu = server.cpu()?;
    }
    let begun = Instant::now();
    std::thread::sleep(time);
    let passed = begun.elapsed().as_secs_f64();
    let mut shares = [0.0; N];
    for ((share, before), server) in shares.iter_mut().zip(before).zip(servers) {
        *share = 100.0 * (server.cpu()? - before) / passed;
    }
    Ok(shares)
}

/// An address of this machine that nobody listens on now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
