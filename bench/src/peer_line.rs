//! One row of the second table: the same work done by DeeSpec and by a peer, or why not.

use serde_json::{Value, json};

use crate::figure::{Figure, HowMany};
use crate::measure::Pair;

/// What was measured of DeeSpec and of a peer.
pub(crate) struct Figures {
    pub(crate) ours: Figure,
    pub(crate) theirs: Figure,
    /// The peer's figure by ours, where ours is not zero.
    pub(crate) ratio: Option<f64>,
}

/// One row of the second table.
pub(crate) struct PeerLine {
    pub(crate) peer: &'static str,
    pub(crate) what: String,
    pub(crate) how_many: Option<HowMany>,
    pub(crate) figures: Result<Figures, String>,
    possible: bool,
}

impl PeerLine {
    /// The same work done by DeeSpec and by the peer, in this run.
    pub(crate) fn new(
        peer: &'static str,
        what: impl Into<String>,
        ours: Figure,
        theirs: Figure,
    ) -> Self {
        let ratio = (ours.value() > 0.0).then(|| theirs.value() / ours.value());
        Self::with_ratio(peer, what, ours, theirs, ratio)
    }

    /// The same work in nanoseconds, measured in turns.
    pub(crate) fn pair(peer: &'static str, what: impl Into<String>, pair: &Pair) -> Self {
        let [ours, theirs] = [pair.ours, pair.theirs].map(Figure::Nanoseconds);
        Self::with_ratio(peer, what, ours, theirs, Some(1.0 / pair.ratio))
    }

    /// The same work, so often a second, measured in turns.
    pub(crate) fn rates(peer: &'static str, what: impl Into<String>, pair: &Pair) -> Self {
        let [ours, theirs] = [pair.ours, pair.theirs].map(Figure::PerSecond);
        Self::with_ratio(peer, what, ours, theirs, Some(1.0 / pair.ratio))
    }

    fn with_ratio(
        peer: &'static str,
        what: impl Into<String>,
        ours: Figure,
        theirs: Figure,
        ratio: Option<f64>,
    ) -> Self {
        let figures = Figures {
            ours,
            theirs,
            ratio,
        };
        Self {
            peer,
            what: what.into(),
            how_many: None,
            figures: Ok(figures),
            possible: true,
        }
    }

    /// The same row, of so many things.
    pub(crate) fn of(self, how_many: HowMany) -> Self {
        Self {
            how_many: Some(how_many),
            ..self
        }
    }

    /// What this row needs is not there.
    pub(crate) fn skipped(peer: &'static str, what: impl Into<String>, reason: &str) -> Self {
        Self {
            peer,
            what: what.into(),
            how_many: None,
            figures: Err(format!("skipped: {reason}")),
            possible: true,
        }
    }

    /// The peer is there, yet the measurement went wrong.
    pub(crate) fn failed(peer: &'static str, what: impl Into<String>, reason: &str) -> Self {
        Self {
            figures: Err(format!("FAILED: {reason}")),
            possible: false,
            ..Self::skipped(peer, what, reason)
        }
    }

    pub(crate) fn was_possible(&self) -> bool {
        self.possible
    }

    pub(crate) fn document(&self) -> Value {
        let how_many = self.how_many.map(HowMany::document);
        match &self.figures {
            Ok(figures) => {
                json!({
                    "peer": self.peer,
                    "what": self.what,
                    "how_many": how_many,
                    "deespec": figures.ours.document(),
                    "reached": figures.theirs.document(),
                    "ratio": figures.ratio,
                })
            }
            Err(reason) => json!({
                "peer": self.peer,
                "what": self.what,
                "how_many": how_many,
                "not_measured": reason,
            }),
        }
    }
}
