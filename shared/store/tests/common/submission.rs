//! A submission for the tests of the store, and one attempt after the other.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_events::{
    AccountId, EventEnvelope, EventMetadata, SendRequested, SubmissionId, SubmissionState, WorkerId,
};
use postroom_store::{
    Account, Store, StoreError, Submission,
    packs::PackBuilder,
    submissions::{self, Attempt, Begun, Ending, NewSubmission, RecipientResult, Started, Written},
};

use super::{account, keys, packs, tenant};

pub const LONG: Duration = Duration::from_secs(60);
pub const SHORT: Duration = Duration::from_millis(200);

pub struct Mail {
    pub store: Store,
    pub account_id: AccountId,
    pub id: SubmissionId,
    pub request: EventEnvelope,
    _packs: tempfile::TempDir,
}

impl Mail {
    /// Of an account of its own.
    pub async fn new(store: &Store, recipients: &[&str]) -> Self {
        let tenant_id = tenant(store).await;
        let account = account(store, &keys(), tenant_id, "ada@example.test").await;
        Self::from(store, &account, "1@example.test", recipients).await
    }

    pub async fn from(store: &Store, account: &Account, message_id: &str, recipients: &[&str]) -> Self {
        let tenant_id = account.tenant_id;
        let (directory, packs) = packs();
        let mut builder = PackBuilder::new().unwrap();
        let frame = builder.add(b"Subject: hello\r\n\r\nHello.\r\n").unwrap();
        let pack = packs.put(account.id, builder).await.unwrap();
        let tx = store.begin("test.submit").await.unwrap();
        let new = NewSubmission {
            id: SubmissionId::generate(),
            tenant_id,
            account_id: account.id,
            idempotency_key: None,
            request_digest: [0; 32],
            message_id_header: message_id.into(),
            envelope_from: account.address.clone(),
            subject: "hello".into(),
            pack: &pack,
            frame,
            recipients: recipients.iter().map(|to| (*to).to_owned()).collect(),
            give_up_after: LONG,
        };
        let id = submissions::create(&tx, new).await.unwrap().id;
        let event = SendRequested {
            account_id: account.id,
            submission_id: id,
        };
        let metadata = EventMetadata::started_by("test", tenant_id);
        let written = postroom_store::events::append(&tx, &metadata, vec![event.into()]);
        let request = written.await.unwrap().remove(0);
        tx.commit().await.unwrap();
        Self {
            store: store.clone(),
            account_id: account.id,
            id,
            request,
            _packs: directory,
        }
    }

    pub async fn begin(&self, worker: WorkerId, hold: Duration) -> Begun {
        let tx = self.store.begin("test.begin").await.unwrap();
        let begun = submissions::begin_attempt(&tx, self.id, self.request.id, worker, hold)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        begun
    }

    pub async fn started(&self, worker: WorkerId, hold: Duration) -> Started {
        match self.begin(worker, hold).await {
            Begun::Started(started) => *started,
            other => panic!("{other:?}"),
        }
    }

    pub async fn mark(&self, attempt: &Attempt, results: &[RecipientResult]) -> Result<(), StoreError> {
        let tx = self.store.begin("test.mark").await.unwrap();
        submissions::mark_uncertain(&tx, attempt, results).await?;
        tx.commit().await
    }

    pub async fn finish(&self, attempt: &Attempt, ending: &Ending) -> Result<Written, StoreError> {
        let tx = self.store.begin("test.finish").await.unwrap();
        let written = submissions::finish_attempt(&tx, attempt, ending).await?;
        tx.commit().await?;
        Ok(written)
    }

    pub async fn row(&self) -> Submission {
        submissions::find(self.store.read(), self.id).await.unwrap()
    }

    pub async fn states(&self) -> Vec<SubmissionState> {
        let rows = submissions::recipients(self.store.read(), self.id).await.unwrap();
        rows.into_iter().map(|row| row.state).collect()
    }
}

pub fn to(number: i32, state: SubmissionState) -> RecipientResult {
    RecipientResult {
        number,
        state,
        smtp_code: Some(250),
        enhanced_code: Some("2.0.0".into()),
        server_reply: Some("250 2.0.0 ok".into()),
    }
}

pub fn ending(
    state: SubmissionState,
    next: Option<DateTime<Utc>>,
    recipients: Vec<RecipientResult>,
) -> Ending {
    Ending {
        state,
        cause: None,
        server_reply: None,
        next_attempt_at: next,
        outcome: state.as_str(),
        recipients,
    }
}
