//! One conversation with a server: commands out, responses in, each attributed.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use imap_proto::{Response, Status};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::answer::{Completion, Ending, answer, ending, outcome_text};
use super::body::BodyPlace;
use super::capability::Capabilities;
use super::error::{ImapError, ImapErrorKind};
use super::guard::{Guard, LimitExceeded};
use super::limits::ImapLimits;
use super::notices::FolderWatch;
use super::server_text::ServerText;
use crate::net::{Endpoint, MailStream};

/// A command that has been sent and not yet been answered to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag {
    number: u32,
    /// The command, without arguments.
    pub(super) command: &'static str,
}

impl Tag {
    pub(super) fn is(&self, text: &str) -> bool {
        text.strip_prefix('P').and_then(|digits| digits.parse().ok()) == Some(self.number)
    }
}

/// What one response was, after its handler has seen it.
pub(super) enum Event {
    /// An untagged response.
    Untagged,
    /// `+`: the server waits for more of the command. Its text.
    Continue(String),
    /// A command is done: its tag and how it ended.
    Done(String, Result<Completion, (Ending, ServerText)>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    /// A write was begun and not ended, or the stream failed: nothing can be trusted any more.
    Broken,
}

/// The conversation. It knows which commands are under way and what the server said by the way.
pub(super) struct Wire {
    client: async_imap::Client<Guard<MailStream>>,
    pub(super) endpoint: Endpoint,
    pub(super) limits: ImapLimits,
    next_tag: u32,
    outstanding: u32,
    health: Health,
    bye: Option<ServerText>,
    /// What the server tells of the selected folder by the way.
    pub(super) watch: FolderWatch,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(stream: MailStream, early: Bytes, endpoint: Endpoint, limits: ImapLimits) -> Self {
        Self {
            client: async_imap::Client::new(Guard::new(stream, early, &limits)),
            endpoint,
            limits,
            next_tag: 1,
            outstanding: 0,
            health: Health::Good,
            bye: None,
            watch: FolderWatch::default(),
        }
    }

    pub(super) fn fail(&self, kind: ImapErrorKind) -> ImapError {
        ImapError::new(&self.endpoint, kind)
    }

    /// Sends a command while none is under way. `bodies` is how many bytes of message bodies it may bring besides
    /// the usual answer.
    pub(super) async fn send(
        &mut self,
        name: &'static str,
        arguments: &str,
        bodies: u64,
    ) -> Result<Tag, ImapError> {
        if self.outstanding > 0 {
            self.health = Health::Broken;
            return Err(self.fail(ImapErrorKind::Interrupted));
        }
        self.client
            .get_mut()
            .set_allowance(self.limits.answer.saturating_add(bodies));
        self.put(name, arguments).await
    }

    /// Sends a further command behind those under way.
    pub(super) async fn send_behind(
        &mut self,
        name: &'static str,
        arguments: &str,
        bodies: u64,
    ) -> Result<Tag, ImapError> {
        if self.outstanding == 0 {
            return self.send(name, arguments, bodies).await;
        }
        let guard = self.client.get_mut();
        guard.set_allowance(guard.allowance().saturating_add(bodies));
        self.put(name, arguments).await
    }

    async fn put(&mut self, name: &'static str, arguments: &str) -> Result<Tag, ImapError> {
        // The one place through which every command goes: whatever a caller forgot to check ends here.
        if arguments.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(self.fail(ImapErrorKind::Argument {
                what: "argument of a command",
            }));
        }
        let tag = Tag {
            number: self.next_tag,
            command: name,
        };
        let space = if arguments.is_empty() { "" } else { " " };
        // In one write, so that it travels in one packet; wiped, because it may hold a password.
        let mut line = Zeroizing::new(String::with_capacity(arguments.len() + name.len() + 16));
        line.push_str(&format!("P{} {name}{space}", tag.number));
        line.push_str(arguments);
        line.push_str("\r\n");
        self.next_tag = self.next_tag.wrapping_add(1);
        self.outstanding += 1;
        self.write(name, line.as_bytes()).await?;
        Ok(tag)
    }

    /// Writes bytes that belong to the command under way: a literal, an answer to a challenge, `DONE`.
    pub(super) async fn write(&mut self, name: &'static str, bytes: &[u8]) -> Result<(), ImapError> {
        if self.health == Health::Broken {
            return Err(self.fail(ImapErrorKind::Interrupted));
        }
        // Set back at the end only: whoever drops this future in the middle leaves half a command behind.
        self.health = Health::Broken;
        let wait = self.limits.response_time;
        let stream = self.client.get_mut();
        for piece in bytes.chunks(256 * 1024) {
            match timeout(wait, stream.write_all(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(self.ended(name)),
                Err(_) => {
                    return Err(self.fail(ImapErrorKind::TimedOut {
                        command: name,
                        after: wait,
                    }));
                }
            }
        }
        match timeout(wait, self.client.get_mut().flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.ended(name)),
            Err(_) => {
                return Err(self.fail(ImapErrorKind::TimedOut {
                    command: name,
                    after: wait,
                }));
            }
        }
        self.health = Health::Good;
        Ok(())
    }

    /// Reads one response. `read` sees it when it is untagged and says whether it was what it waited for; what it did
    /// not wait for is kept as a notice. The bytes are the body of a message, if the response has one.
    ///
    /// Dropping the future loses nothing: the next call goes on where it was.
    pub(super) async fn receive(
        &mut self,
        name: &'static str,
        wait: Duration,
        read: impl FnOnce(&Response<'_>) -> bool,
    ) -> Result<(Event, Option<Bytes>), ImapError> {
        if self.health == Health::Broken {
            return Err(self.fail(ImapErrorKind::Interrupted));
        }
        // The parser has panicked on odd input before; a panic must cost this session and no other.
        let reading = AssertUnwindSafe(self.client.read_response()).catch_unwind();
        let response = match timeout(wait, reading).await {
            Ok(Ok(Ok(Some(response)))) => response,
            Ok(Ok(Ok(None))) => return Err(self.ended(name)),
            Ok(Ok(Err(error))) => return Err(self.read_failure(name, &error)),
            Ok(Err(_panic)) => {
                return Err(self.broken(ImapErrorKind::Protocol {
                    what: "the parser gave up".into(),
                }));
            }
            Err(_) => {
                return Err(self.broken(ImapErrorKind::TimedOut {
                    command: name,
                    after: wait,
                }));
            }
        };
        let parsed = response.parsed();
        let event = match parsed {
            Response::Done { tag, status, outcome } => {
                self.outstanding = self.outstanding.saturating_sub(1);
                Event::Done(tag.0.clone(), ending(status, outcome))
            }
            Response::Continue(outcome) => Event::Continue(outcome_text(outcome)),
            untagged => {
                if let Response::Data {
                    status: Status::Bye,
                    outcome,
                } = untagged
                {
                    self.bye = Some(answer(outcome));
                }
                let wanted = read(untagged);
                self.watch.note(untagged, wanted);
                Event::Untagged
            }
        };
        let body = BodyPlace::of(parsed).and_then(|place| {
            let start = response.borrow_owner().as_ptr() as usize;
            place.take(start, || response.into_owner())
        });
        Ok((event, body))
    }

    /// Reads to the end of a command.
    pub(super) async fn finish(
        &mut self,
        tag: &Tag,
        wait: Duration,
        mut read: impl FnMut(&Response<'_>) -> bool,
    ) -> Result<Completion, ImapError> {
        loop {
            match self.receive(tag.command, wait, &mut read).await?.0 {
                Event::Untagged => {}
                // A server that asks for more of a command that has no more waits for ever.
                Event::Continue(_) => {
                    let what = format!("a continuation request in {}", tag.command);
                    return Err(self.broken(ImapErrorKind::Protocol { what }));
                }
                Event::Done(text, ending) => return self.completed(tag, &text, ending),
            }
        }
    }

    /// Checks that a final answer is that of `tag`.
    pub(super) fn completed(
        &mut self,
        tag: &Tag,
        text: &str,
        ending: Result<Completion, (Ending, ServerText)>,
    ) -> Result<Completion, ImapError> {
        if !tag.is(text) {
            return Err(self.broken(ImapErrorKind::Protocol {
                what: "an answer to no command".into(),
            }));
        }
        ending.map_err(|(ending, answer)| match (ending, self.bye.take()) {
            (_, Some(answer)) => self.fail(ImapErrorKind::Bye { answer }),
            (Ending::No, None) => self.fail(ImapErrorKind::No {
                command: tag.command,
                answer,
            }),
            (Ending::Bad, None) => self.fail(ImapErrorKind::Bad {
                command: tag.command,
                answer,
            }),
        })
    }

    /// A whole command whose untagged answers `read` looks at.
    pub(super) async fn run(
        &mut self,
        name: &'static str,
        arguments: &str,
        read: impl FnMut(&Response<'_>) -> bool,
    ) -> Result<Completion, ImapError> {
        let tag = self.send(name, arguments, 0).await?;
        self.finish(&tag, self.limits.slow_response_time, read).await
    }

    /// Asks what the server offers.
    pub(super) async fn capabilities(&mut self) -> Result<Capabilities, ImapError> {
        let mut offered = Capabilities::default();
        self.run("CAPABILITY", "", |response| match response {
            Response::Capabilities(names) => {
                offered = Capabilities::read(names);
                true
            }
            _ => false,
        })
        .await?;
        Ok(offered)
    }

    /// Ends the use of this conversation and says why.
    pub(super) fn broken(&mut self, kind: ImapErrorKind) -> ImapError {
        self.health = Health::Broken;
        self.fail(kind)
    }

    fn ended(&mut self, name: &'static str) -> ImapError {
        let kind = match self.bye.take() {
            Some(answer) => ImapErrorKind::Bye { answer },
            None => ImapErrorKind::Lost { command: name },
        };
        self.broken(kind)
    }

    /// The error's own text is never used: async-imap puts the whole answer into it, mail included.
    fn read_failure(&mut self, name: &'static str, error: &std::io::Error) -> ImapError {
        if let Some(limit) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<LimitExceeded>())
        {
            return self.broken(ImapErrorKind::LimitExceeded(*limit));
        }
        match error.kind() {
            std::io::ErrorKind::Other => {
                let what = format!("the answer to {name} is not IMAP");
                self.broken(ImapErrorKind::Protocol { what })
            }
            _ => self.ended(name),
        }
    }

    /// Closes the connection in order: TLS's close notice and TCP's end.
    pub(super) async fn shut_down(&mut self) {
        self.health = Health::Broken;
        // Nobody waits for the other side: it may be gone.
        let _closed = timeout(Duration::from_secs(2), self.client.get_mut().shutdown()).await;
    }
}
