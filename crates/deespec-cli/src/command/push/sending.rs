//! Sending one push until it is known what became of it.

use deespec_client::{Answer, Attempts, Client};
use serde::Deserialize;

use crate::exit::Failure;

use super::address::Address;
use super::state::Pending;

/// More of a message is not shown.
const MESSAGE_CHARACTERS: usize = 500;

/// Sends pushes, within one deadline for all.
pub(super) struct Sender {
    client: Client,
    token: String,
    attempts: Attempts,
}

/// What became of a push.
pub(super) enum Verdict {
    /// It is counted, now or by an earlier attempt, and durable. What is kept there otherwise than it was sent.
    Counted(Vec<String>),
    /// Nothing of it is counted, for this reason, and never will be as it is.
    Refused(String),
}

#[derive(Deserialize)]
struct Counted {
    #[serde(rename = "counted")]
    _now: bool,
    sequence: u64,
    /// An older server does not say it.
    #[serde(default)]
    noted: Vec<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Sender {
    pub(super) fn new(client: Client, token: String, attempts: Attempts) -> Self {
        Self {
            client,
            token,
            attempts,
        }
    }

    /// Sends a push, and again as long as there is no answer.
    pub(super) fn send(
        &mut self,
        address: &Address,
        writer: &str,
        push: &Pending,
    ) -> Result<Verdict, Failure> {
        let target = address.of(writer, push.sequence)?;
        let authorization = format!("Bearer {}", self.token);
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "text/plain; charset=utf-8"),
        ];
        let shown = address.shown();
        let mut last = "there was no time for it".to_owned();
        while let Some(within) = self.attempts.attempt() {
            let answer = self
                .client
                .post(&target, &headers, push.text.as_bytes(), within);
            let asked = match answer {
                Ok(answer) if may_pass(answer.status) => {
                    last = format!("it answers {}", said(&answer));
                    answer.retry_after
                }
                Ok(answer) => {
                    self.attempts.succeeded();
                    return judged(&answer, push, &shown);
                }
                Err(fault) if fault.may_pass() => {
                    last = fault.to_string();
                    None
                }
                Err(fault) => {
                    let message = format!("cannot push to {shown}: {fault}");
                    return Err(Failure::new(message).hint(
                        "nothing was sent; --ca-file names the authority of a certificate that browsers do not know",
                    ));
                }
            };
            match self.attempts.pause(asked) {
                Some(pause) => std::thread::sleep(pause),
                None => break,
            }
        }
        Err(
            Failure::new(format!("{shown} has not acknowledged it: {last}")).hint(
                "nothing is lost, and nothing counts twice: the next push sends the same again",
            ),
        )
    }
}

/// Whether the same may be answered otherwise a moment later.
fn may_pass(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// What an answer means that stays the same.
fn judged(answer: &Answer, push: &Pending, shown: &str) -> Result<Verdict, Failure> {
    let said = said(answer);
    match answer.status {
        200 => match serde_json::from_slice::<Counted>(&answer.body) {
            Ok(counted) if counted.sequence == push.sequence => Ok(Verdict::Counted(counted.noted)),
            // A proxy that has a page for everything must not be taken for an acknowledgement.
            _ => Err(Failure::new(format!("what answers at {shown} is no `deespec serve`"))
                .hint("give the URL of the server; what is not acknowledged is sent there by the next push")),
        },
        400 | 413 | 415 => Ok(Verdict::Refused(said)),
        409 => Err(Failure::new(format!("{shown} answers 409, a conflict: {said}")).hint(
            "somebody else pushes with a copy of {state}, or an older one was put back; with --anew now it goes on \
             from here under a new name, and what is not acknowledged is not counted; with --anew acknowledged that \
             is sent once more, and may count twice",
        )),
        401 | 403 => Err(Failure::new(format!("{shown} refuses the token: {said}"))
            .hint("give the token of that server with --token-file FILE or DEESPEC_TOKEN")),
        status @ 300..=399 => Err(Failure::new(format!(
            "{shown} answers {status}, a redirect, which is not followed"
        ))
        .hint("give the URL at which the server itself answers")),
        status => Err(Failure::new(format!("{shown} answers {status}: {said}"))
            .hint("give the URL of a `deespec serve`, and ?store=NAME where it has several stores")),
    }
}

/// What an answer says, for people.
fn said(answer: &Answer) -> String {
    let text = match serde_json::from_slice::<Refusal>(&answer.body) {
        Ok(refusal) => refusal.error,
        Err(_) => String::from_utf8_lossy(&answer.body).into_owned(),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(MESSAGE_CHARACTERS).collect();
    match text.is_empty() {
        true => format!("{}", answer.status),
        false => text,
    }
}
