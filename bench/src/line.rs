//! One row of the first table: a figure, what it is compared with, and the verdict.

use std::fmt;

use serde_json::{Value, json};

use crate::figure::{Figure, HowMany};
use crate::measure::Pair;

/// One row of the first table.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) how_many: Option<HowMany>,
    pub(crate) reached: Option<Figure>,
    /// What the ratio is taken against, in words and as a figure.
    pub(crate) compared: Option<(String, Figure)>,
    pub(crate) ratio: Option<f64>,
    pub(crate) at_most: Option<f64>,
    pub(crate) verdict: Verdict,
}

pub(crate) enum Verdict {
    Ok,
    Missed,
    /// No limit of ours: a figure that helps to judge the row above.
    Control,
    Skipped(String),
    Failed(String),
}

impl Line {
    /// A figure that may be at most so many times another that was measured in the same rounds.
    pub(crate) fn ratio(
        what: impl Into<String>,
        reached: Figure,
        name: impl Into<String>,
        other: Figure,
        ratio: f64,
        at_most: f64,
    ) -> Self {
        Self {
            what: what.into(),
            how_many: None,
            reached: Some(reached),
            compared: Some((name.into(), other)),
            ratio: Some(ratio),
            at_most: Some(at_most),
            verdict: if ratio <= at_most {
                Verdict::Ok
            } else {
                Verdict::Missed
            },
        }
    }

    /// A time that may be at most so many times another: the ratio of rounds in turns.
    pub(crate) fn pair(
        what: impl Into<String>,
        name: impl Into<String>,
        pair: &Pair,
        at_most: f64,
    ) -> Self {
        let [ours, theirs] = [pair.ours, pair.theirs].map(Figure::Nanoseconds);
        Self::ratio(what, ours, name, theirs, pair.ratio, at_most)
    }

    /// Bytes of which there may be at most so many. A time has no such limit: what another machine reaches,
    /// or this one while others use it, says nothing of the program.
    pub(crate) fn size(what: impl Into<String>, bytes: f64, at_most: f64) -> Self {
        let (reached, limit) = (Figure::Bytes(bytes), Figure::Bytes(at_most));
        Self::ratio(what, reached, "limit", limit, bytes / at_most, 1.0)
    }

    /// Bytes of which there may be none, for which there is no ratio.
    pub(crate) fn nothing(what: impl Into<String>, bytes: f64) -> Self {
        let verdict = if bytes <= 0.0 {
            Verdict::Ok
        } else {
            Verdict::Missed
        };
        Self {
            reached: Some(Figure::Bytes(bytes)),
            compared: Some(("limit".to_owned(), Figure::Bytes(0.0))),
            ..Self::without_figures(what.into(), verdict)
        }
    }

    /// A figure of its own, which helps to judge those beside it.
    pub(crate) fn alone(what: impl Into<String>, reached: Figure) -> Self {
        Self {
            reached: Some(reached),
            ..Self::without_figures(what.into(), Verdict::Control)
        }
    }

    /// A figure beside another, without a limit.
    pub(crate) fn control(
        what: impl Into<String>,
        reached: Figure,
        name: impl Into<String>,
        other: Figure,
        ratio: f64,
    ) -> Self {
        let line = Self::ratio(what, reached, name, other, ratio, f64::INFINITY);
        Self {
            at_most: None,
            verdict: Verdict::Control,
            ..line
        }
    }

    /// Two times beside each other, without a limit.
    pub(crate) fn control_pair(
        what: impl Into<String>,
        name: impl Into<String>,
        pair: &Pair,
    ) -> Self {
        let [ours, theirs] = [pair.ours, pair.theirs].map(Figure::Nanoseconds);
        Self::control(what, ours, name, theirs, pair.ratio)
    }

    /// The same row, of so many things.
    pub(crate) fn of(self, how_many: HowMany) -> Self {
        Self {
            how_many: Some(how_many),
            ..self
        }
    }

    pub(crate) fn skipped(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::without_figures(what.into(), Verdict::Skipped(reason.into()))
    }

    pub(crate) fn failed(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::without_figures(what.into(), Verdict::Failed(reason.into()))
    }

    fn without_figures(what: String, verdict: Verdict) -> Self {
        Self {
            what,
            how_many: None,
            reached: None,
            compared: None,
            ratio: None,
            at_most: None,
            verdict,
        }
    }

    pub(crate) fn was_possible(&self) -> bool {
        !matches!(self.verdict, Verdict::Failed(_))
    }

    pub(crate) fn document(&self) -> Value {
        json!({
            "what": self.what,
            "how_many": self.how_many.map(HowMany::document),
            "reached": self.reached.map(Figure::document),
            "compared_with": self.compared.as_ref().map(|(name, _)| name),
            "compared": self.compared.as_ref().map(|(_, figure)| figure.document()),
            "ratio": self.ratio,
            "at_most": self.at_most,
            "verdict": self.verdict.to_string(),
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Missed => f.write_str("MISSED"),
            Self::Control => f.write_str("control"),
            Self::Skipped(reason) => write!(f, "skipped: {reason}"),
            Self::Failed(reason) => write!(f, "FAILED: {reason}"),
        }
    }
}
