//! The last messages, for those who are behind: bounded by their number and by their bytes, whoever reads them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::message::Message;

/// Messages that are kept for whoever comes back.
const KEPT: usize = 1024;
/// Bytes of them; the last one is kept however long it is.
const KEPT_BYTES: usize = 16 << 20;

#[derive(Default)]
pub(super) struct Log {
    kept: VecDeque<Arc<Message>>,
    bytes: usize,
    /// The number of the last message.
    number: u64,
    /// Why nothing more comes.
    pub(super) ended: Option<String>,
}

/// What there is for one who has heard all up to a number.
pub(super) enum Next {
    Message(Arc<Message>),
    /// So many have been told since, and the next one is not kept any more.
    Missed(u64),
    Nothing,
    Ended(String),
}

impl Log {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn push(&mut self, message: Message) {
        self.number += 1;
        self.bytes += message.bytes();
        self.kept.push_back(Arc::new(message));
        while self.kept.len() > KEPT || (self.bytes > KEPT_BYTES && self.kept.len() > 1) {
            let oldest = self.kept.pop_front();
            self.bytes -= oldest.map_or(0, |oldest| oldest.bytes());
        }
    }

    /// The numbers go on, so that nobody takes a later message for an earlier one.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    /// What comes after the message with this number; a client that is more than `queue` behind has missed it.
    pub(super) fn after(&self, heard: u64, queue: u64) -> Next {
        let behind = self.number - heard;
        if behind == 0 {
            return match &self.ended {
                Some(reason) => Next::Ended(reason.clone()),
                None => Next::Nothing,
            };
        }
        let at = (self.kept.len() as u64).checked_sub(behind);
        let kept = at.and_then(|at| self.kept.get(usize::try_from(at).ok()?));
        match kept.filter(|_| behind <= queue) {
            Some(message) => Next::Message(Arc::clone(message)),
            None => Next::Missed(behind),
        }
    }

    /// The number of a message, where it and all after it are kept.
    pub(super) fn find(&self, id: &str) -> Option<u64> {
        let at = self.kept.iter().position(|message| message.id == id)?;
        let after = self.kept.len() - 1 - at;
        Some(self.number - after as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Event;
    use super::*;

    fn message(id: u64, bytes: usize) -> Message {
        Message::new(id.to_string(), Event::Changes, "x".repeat(bytes))
    }

    #[test]
    fn messages_are_kept_by_number_and_by_bytes() {
        let mut log = Log::default();
        for id in 1..=2000 {
            log.push(message(id, 1));
        }
        assert_eq!(log.kept.len(), KEPT);
        assert!(matches!(log.after(0, u64::MAX), Next::Missed(2000)));
        assert!(matches!(log.after(2000, 256), Next::Nothing));
        assert_eq!(log.find("1999"), Some(1999));
        assert_eq!(log.find("1"), None);
        for (heard, next) in [(1999, "2000"), (1744, "1745")] {
            match log.after(heard, 256) {
                Next::Message(message) => assert_eq!(message.id, next),
                _ => panic!("{heard}"),
            }
        }
        assert!(matches!(log.after(1743, 256), Next::Missed(257)));
        for id in 2001..=2100 {
            log.push(message(id, 1 << 20));
        }
        assert!(
            log.bytes <= KEPT_BYTES && log.kept.len() == KEPT_BYTES >> 21,
            "{}",
            log.bytes
        );
        log.push(message(2101, KEPT_BYTES));
        assert_eq!((log.kept.len(), log.find("2101")), (1, Some(2101)));
        log.clear();
        assert!(matches!(log.after(2100, 256), Next::Missed(1)));
        log.ended = Some("it ends".to_owned());
        assert!(matches!(log.after(2101, 256), Next::Ended(reason) if reason == "it ends"));
    }
}
