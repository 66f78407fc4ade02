//! Pushes from several connections at once, of which each always waits for an answer. The client is as small as it can be,
//! since it shares the cores with the server: one thread and one kept connection a writer, and an answer is looked at as
//! little as possible.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::server::PATIENCE;

/// Where the head of an answer ends.
const END: &[u8] = b"\r\n\r\n";

/// What each of them sends, one time after the other.
pub(crate) struct Pushes<'a> {
    pub(crate) server: SocketAddr,
    /// The path for a writer and the number of its push.
    pub(crate) path: &'a (dyn Fn(usize, u64) -> String + Sync),
    pub(crate) token: &'a str,
    pub(crate) body: &'a str,
}

/// What was pushed in a time.
pub(crate) struct Pushed {
    pub(crate) acknowledged: u64,
    pub(crate) rate: f64,
}

impl Pushes<'_> {
    /// So many connections push until the time is over, from this number on.
    pub(crate) fn run(&self, connections: usize, first: u64, time: Duration) -> Result<Pushed> {
        let ended = AtomicBool::new(false);
        let streams: Vec<TcpStream> = (0..connections)
            .map(|_| self.connect())
            .collect::<std::io::Result<_>>()?;
        let begun = Instant::now();
        let acknowledged = std::thread::scope(|scope| -> Result<u64> {
            let ended = &ended;
            let one = |(writer, stream)| {
                let work = move || self.one(stream, writer, first, ended);
                scope.spawn(move || work().map_err(|error| error.to_string()))
            };
            let writers: Vec<_> = streams.into_iter().enumerate().map(one).collect();
            std::thread::sleep(time);
            ended.store(true, Ordering::Relaxed);
            let mut sum = 0;
            for writer in writers {
                sum += writer.join().map_err(|_| "a thread panicked")??;
            }
            Ok(sum)
        })?;
        Ok(Pushed {
            acknowledged,
            rate: acknowledged as f64 / begun.elapsed().as_secs_f64(),
        })
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// The life of one writer: how many of its pushes were acknowledged.
    fn one(
        &self,
        mut stream: TcpStream,
        writer: usize,
        first: u64,
        ended: &AtomicBool,
    ) -> Result<u64> {
        let mut answer = Vec::new();
        let mut acknowledged = 0;
        while !ended.load(Ordering::Relaxed) {
            let request = format!(
                "POST {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}",
                (self.path)(writer, first + acknowledged),
                self.server,
                self.token,
                self.body.len(),
                self.body
            );
            stream.write_all(request.as_bytes())?;
            whole(&mut stream, &mut answer)?;
            if !answer.starts_with(b"HTTP/1.1 20") {
                let said = String::from_utf8_lossy(&answer);
                return Err(format!("a push is answered: {}", said.trim()).into());
            }
            acknowledged += 1;
        }
        Ok(acknowledged)
    }
}

/// Reads one answer, whose head says how long it is.
fn whole(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<()> {
    answer.clear();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(std::io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        if length(answer)?.is_some_and(|length| answer.len() >= length) {
            return Ok(());
        }
    }
}

/// How long an answer is of which this is the beginning; `None` where that is still to come.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = answer.windows(END.len()).position(|bytes| bytes == END) else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(answer.get(..head).unwrap_or_default()).to_ascii_lowercase();
    let body = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let body = body.ok_or("an answer that does not say how long it is")?;
    Ok(Some(head + END.len() + body.trim().parse::<usize>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_its_head_says() {
        let of = |text: &str| length(text.as_bytes());
        assert_eq!(of("HTTP/1.1 200 OK\r\nContent-Le").unwrap(), None);
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(of(head).unwrap(), Some(head.len() + 7));
        assert!(of("HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
