//! What tests ask: rows, what was said, how it was handled, what the provider saw.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use postroom_events::{AccountId, Consumer, Event, EventEnvelope, EventId, GrantId, ReplayId};
use postroom_store::{
    Account, Grant, accounts, events, grants,
    handled::{self, NewOutcome},
};
use postroom_test_support::{TestUser, eventually};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::rig::{PATIENCE, Rig};

impl Rig {
    pub(crate) async fn now(&self) -> DateTime<Utc> {
        self.store.now(self.store.read()).await.unwrap()
    }

    pub(crate) async fn grant(&self, id: GrantId) -> Grant {
        grants::find(self.store.read(), self.tenant_id, id).await.unwrap()
    }

    pub(crate) async fn account(&self, id: AccountId) -> Account {
        accounts::find(self.store.read(), id).await.unwrap()
    }

    /// The grant's tokens as they are stored.
    pub(crate) async fn tokens(&self, id: GrantId) -> (String, String) {
        let grant = self.grant(id).await;
        let access = grants::open_access_token(&self.keys, &grant).unwrap().unwrap();
        let refresh = grants::open_refresh_token(&self.keys, &grant).unwrap().unwrap();
        (
            access.expose_secret().to_owned(),
            refresh.expose_secret().to_owned(),
        )
    }

    /// Waits until the grant has tokens of that version.
    pub(crate) async fn reaches(&self, id: GrantId, version: i64) -> Grant {
        eventually(PATIENCE, &format!("token version {version}"), async || {
            let grant = self.grant(id).await;
            (grant.token_version >= version)
                .then_some(grant.clone())
                .ok_or_else(|| {
                    let (state, cause) = (grant.state, grant.state_cause);
                    let version = grant.token_version;
                    format!("version {version}, {state}, {cause:?}")
                })
        })
        .await
    }

    /// What was said about an account or grant, oldest first.
    pub(crate) async fn told(&self, subject: Uuid) -> Vec<(EventEnvelope, Event)> {
        let filter = events::EventFilter {
            subject: Some(subject),
            limit: 1000,
            ..events::EventFilter::default()
        };
        let envelopes = events::list(self.store.read(), &filter).await.unwrap();
        envelopes
            .into_iter()
            .map(|envelope| (envelope.clone(), envelope.event().unwrap()))
            .collect()
    }

    /// How often something was said about an account or grant.
    pub(crate) async fn count(&self, subject: Uuid, wanted: impl Fn(&Event) -> bool) -> usize {
        self.told(subject)
            .await
            .iter()
            .filter(|(_, event)| wanted(event))
            .count()
    }

    /// Waits until an event was handled for good.
    pub(crate) async fn handled(&self, id: EventId) {
        eventually(PATIENCE, "the event to be handled", async || {
            let verdicts = self.verdicts(id).await;
            verdicts
                .iter()
                .any(|verdict| verdict == "done")
                .then_some(())
                .ok_or(format!("{verdicts:?}"))
        })
        .await;
    }

    /// How an event was handled, attempt by attempt.
    pub(crate) async fn verdicts(&self, id: EventId) -> Vec<String> {
        let outcomes = handled::outcomes(self.store.read(), id).await.unwrap();
        outcomes.into_iter().map(|outcome| outcome.verdict).collect()
    }

    /// How often the user's tokens were refreshed, well or not.
    pub(crate) async fn refreshes(&self, user: &TestUser) -> u64 {
        let counts = self.testbed.openid().counts(user).await.unwrap();
        counts.token.by_grant.get("refresh_token").copied().unwrap_or(0)
    }

    /// Waits until the first attempt of an event has ended, and it is to be tried again.
    pub(crate) async fn is_tried_again(&self, id: EventId) {
        eventually(PATIENCE, "a first attempt", async || {
            let verdicts = self.verdicts(id).await;
            (verdicts == ["retry"])
                .then_some(())
                .ok_or(format!("{verdicts:?}"))
        })
        .await;
    }

    /// Makes an event look as if it had been tried for so long already.
    pub(crate) async fn has_been_tried_for(&self, id: EventId, long: Duration) {
        let began = self.now().await - TimeDelta::from_std(long).unwrap();
        let outcome = NewOutcome {
            consumer: Consumer::TokenRefresher,
            event_id: id,
            replay_id: ReplayId::FIRST_RUN,
            attempt: 1,
            verdict: "retry",
            error_class: None,
            error: None,
            answers: serde_json::Value::Null,
            caused: Vec::new(),
            started_at: began,
            finished_at: began,
        };
        let tx = self.store.begin("test.long_ago").await.unwrap();
        handled::record_outcomes(&tx, vec![outcome]).await.unwrap();
        tx.commit().await.unwrap();
    }
}
