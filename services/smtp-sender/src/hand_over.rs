//! Handing a mail over to its server: up to the final dot, and beyond it only when it is on disk that it may have left.

use std::time::Duration;

use bytes::Bytes;
use postroom_mail::smtp::{MessageBody, NotSent, Prepared, SmtpEnvelope};
use postroom_store::{
    StoreError,
    submissions::{self, RecipientResult, Started},
};
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, timeout_at},
};

use crate::{
    claims::Claim,
    conclude::is_open,
    consequence::Consequence,
    fate::{Fate, Refusal, Said, Wait},
    lanes::{KeptSession, Lane},
    sender::Sender,
    way_in::{Credential, NotIn},
};

/// When a mail is tried again that could not be read, or of which could not be written down how far it is.
const AFTER_OUR_OWN_FAULT: Duration = Duration::from_secs(10);

/// How handing over ended.
#[derive(Debug)]
pub(crate) enum Handed {
    /// What became of it, for each open recipient in order.
    Over(Vec<Fate>),
    /// The same for all of them, because it did not come to that.
    Not(NotIn),
    /// It was given up before the dot, and nobody is to blame.
    GivenUp(&'static str),
    /// The submission has moved past this attempt: somebody else sees to it.
    Outdated,
}

/// One handing over.
pub(crate) struct HandOver<'h> {
    pub(crate) sender: &'h Sender,
    pub(crate) lane: &'h Lane,
    pub(crate) credential: &'h Credential,
    pub(crate) started: &'h Started,
    pub(crate) claim: &'h Claim,
    deadline: Instant,
}

impl<'h> HandOver<'h> {
    pub(crate) fn new(
        sender: &'h Sender,
        lane: &'h Lane,
        credential: &'h Credential,
        started: &'h Started,
        claim: &'h Claim,
    ) -> Self {
        let size = started.submission.size.unsigned_abs();
        Self {
            sender,
            lane,
            credential,
            started,
            claim,
            deadline: Instant::now() + sender.settings.hand_over_limit(size),
        }
    }

    pub(crate) async fn run(&self) -> Handed {
        let submission = &self.started.submission;
        let open = self.started.recipients.iter().filter(|row| is_open(row));
        let addresses = open.map(|row| row.address.as_str());
        let envelope = match SmtpEnvelope::new(submission.envelope_from.as_str(), addresses) {
            Ok(envelope) => envelope,
            Err(error) => {
                let said = Said::sentence(format!("{error}."));
                return not(Refusal::for_good("address_unusable", said));
            }
        };
        let room = match self
            .before_the_dot(self.sender.room_for(submission.size.unsigned_abs()))
            .await
        {
            Ok(room) => room,
            Err(handed) => return handed,
        };
        let raw = match self.sender.packs.read(submission).await {
            Ok(raw) => raw,
            Err(error) => return unreadable(&error),
        };
        Box::pin(self.deliver(&envelope, (raw, room))).await
    }

    /// Over a connection that is open already if there is one. One that its server has closed meanwhile is no failure: a
    /// fresh one is opened then, once.
    async fn deliver(&self, envelope: &SmtpEnvelope, mail: (Bytes, Option<SemaphorePermit<'_>>)) -> Handed {
        let mut session = match self.session().await {
            Ok(session) => session,
            Err(handed) => return handed,
        };
        loop {
            let body = MessageBody::from_bytes(&mail.0);
            let begun = Box::pin(session.smtp.begin(envelope, body));
            match self.before_the_dot(begun).await {
                Err(handed) => return handed,
                Ok(Err(not_sent)) if session.mails > 0 && not_sent.error.is_some() => {
                    session = match self.fresh_session().await {
                        Ok(session) => session,
                        Err(handed) => return handed,
                    };
                }
                Ok(Err(not_sent)) => {
                    let fates = fates_of(&not_sent);
                    session.mails += 1;
                    self.lane.keep(session);
                    return Handed::Over(fates);
                }
                Ok(Ok(prepared)) => {
                    drop(mail); // the server has it, and its room is free
                    let handed = Box::pin(self.let_go(prepared)).await;
                    session.mails += 1;
                    self.lane.keep(session);
                    return handed;
                }
            }
        }
    }

    async fn session(&self) -> Result<KeptSession, Handed> {
        let settings = &self.sender.settings;
        let now = self.sender.now();
        let kept = self.lane.take_kept(&self.credential.as_whom, settings);
        match kept.filter(|kept| kept.token_ends_at.is_none_or(|ends| ends > now)) {
            Some(kept) => Ok(kept),
            None => self.fresh_session().await,
        }
    }

    async fn fresh_session(&self) -> Result<KeptSession, Handed> {
        let connecting = Box::pin(self.sender.connect(self.credential, self.lane));
        self.before_the_dot(connecting).await?.map_err(Handed::Not)
    }

    /// The last step: write down that the dot may have left, look once more whether the mail is still ours, let it go.
    async fn let_go(&self, prepared: Prepared<'_>) -> Handed {
        let fates = prepared.recipients().iter().map(|status| Fate::of(status, None));
        let results: Vec<_> = self
            .open_numbers()
            .zip(fates)
            .map(|(number, fate)| fate.before_the_dot(number))
            .collect();
        if self.sender.stopping.is_cancelled() {
            prepared.abandon().await;
            return Handed::GivenUp("this worker stops");
        }
        if self.claim.is_good() {
            if let Err(error) = self.mark(&results).await {
                prepared.abandon().await;
                return match error {
                    StoreError::Outdated { .. } => Handed::Outdated,
                    error => our_own_fault("database_unavailable", &error),
                };
            }
            if self.claim.is_good() {
                let statuses = Box::pin(prepared.finish()).await;
                return Handed::Over(statuses.iter().map(|status| Fate::of(status, None)).collect());
            }
        }
        prepared.abandon().await;
        Handed::GivenUp("its claim was running out")
    }

    async fn mark(&self, results: &[RecipientResult]) -> Result<(), StoreError> {
        let tx = self.sender.store.begin("submission.uncertain").await?;
        submissions::mark_uncertain(&tx, &self.started.attempt, results).await?;
        tx.commit().await
    }

    fn open_numbers(&self) -> impl Iterator<Item = i32> + '_ {
        let open = self.started.recipients.iter().filter(|row| is_open(row));
        open.map(|row| row.number)
    }

    /// Something that may be broken off at any time, because the dot has not left: at the stop of the process, and when it
    /// takes too long altogether, although each step is in time.
    async fn before_the_dot<T>(&self, step: impl Future<Output = T>) -> Result<T, Handed> {
        tokio::select! {
            () = self.sender.stopping.cancelled() => Err(Handed::GivenUp("this worker stops")),
            done = timeout_at(self.deadline, step) => done.map_err(|_| {
                let sentence = "Handing the mail over took longer than the sending server is given. It will be tried again.";
                not(Refusal::for_now("timed_out", Said::sentence(sentence), Wait::ByPolicy(None)))
            }),
        }
    }
}

fn fates_of(not_sent: &NotSent) -> Vec<Fate> {
    let broken = not_sent.error.as_ref();
    let statuses = not_sent.recipients.iter();
    statuses.map(|status| Fate::of(status, broken)).collect()
}

fn not(refusal: Refusal) -> Handed {
    Handed::Not(NotIn {
        refusal,
        consequence: None::<Consequence>,
    })
}

fn unreadable(error: &StoreError) -> Handed {
    match error {
        StoreError::Damaged { .. } => {
            tracing::error!(%error, "A mail cannot be sent because its stored copy is damaged");
            let sentence = "The stored mail is damaged, so it was not sent. Send it again.";
            not(Refusal::for_good("mail_damaged", Said::sentence(sentence)))
        }
        error => our_own_fault("mail_unavailable", error),
    }
}

fn our_own_fault(cause: &'static str, error: &StoreError) -> Handed {
    tracing::warn!(cause, %error, "A mail waits for this system itself");
    let sentence = "Postroom could not reach its own storage. It will be tried again.";
    not(Refusal::for_now(
        cause,
        Said::sentence(sentence),
        Wait::Exactly(AFTER_OUR_OWN_FAULT),
    ))
}
