//! Grants: due once, refreshed by one at a time, never over newer tokens.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use common::{account, keys, on_both, tenant};
use postroom_crypto::KeyRing;
use postroom_events::{EventId, GrantId, GrantState, TenantId};
use postroom_retry::{Clock, ManualClock, SystemClock};
use postroom_store::{
    EventDelivery, Store, StoreConfig, StoreError, accounts, credentials,
    grants::{self, NewGrant, NewTokens},
    refreshes::{self, Answer, HeldGrant, Hold, RefreshRequest},
};
use postroom_test_support::Testbed;
use secrecy::{ExposeSecret, SecretString};

const MINUTE: Duration = Duration::from_secs(60);

fn tokens(number: u32, refresh: bool, due: chrono::DateTime<chrono::Utc>) -> NewTokens {
    NewTokens {
        access_token: SecretString::from(format!("access {number}")),
        expires_at: None,
        refresh_token: refresh.then(|| SecretString::from(format!("refresh {number}"))),
        scopes: "imap smtp".into(),
        refresh_due_at: Some(due),
    }
}

#[derive(Clone, Copy)]
struct Due {
    tenant_id: TenantId,
    id: GrantId,
}

/// A grant that has been due for a second.
async fn due_grant(store: &Store, keys: &KeyRing, tenant_id: TenantId) -> Due {
    let due = store.now(store.read()).await.unwrap() - TimeDelta::seconds(1);
    let tx = store.begin("test.grant").await.unwrap();
    let new = NewGrant {
        tenant_id,
        provider_id: "test".into(),
        subject: "alice".into(),
        identity_address: None,
        tokens: tokens(1, true, due),
    };
    let id = grants::add(&tx, keys, new).await.unwrap();
    tx.commit().await.unwrap();
    Due { tenant_id, id }
}

async fn take_due(store: &Store) -> Vec<GrantId> {
    let tx = store.begin("test.due").await.unwrap();
    let due = refreshes::take_due(&tx, 10).await.unwrap();
    tx.commit().await.unwrap();
    due.into_iter().map(|grant| grant.id).collect()
}

async fn hold(store: &Store, due: Due, version: i64, by: EventId, time: Duration) -> Hold {
    let request = RefreshRequest {
        tenant_id: due.tenant_id,
        grant_id: due.id,
        token_version: version,
        by,
    };
    refreshes::hold(store, &request, time).await.unwrap()
}

async fn held(store: &Store, due: Due, version: i64, by: EventId, time: Duration) -> HeldGrant {
    match hold(store, due, version, by, time).await {
        Hold::Held(held) => *held,
        other => panic!("{other:?}"),
    }
}

async fn failed(store: &Store, held: &HeldGrant, answer: Answer, wait: TimeDelta) -> bool {
    let not_before = store.now(store.read()).await.unwrap() + wait;
    let tx = store.begin("test.failed").await.unwrap();
    let noted = refreshes::failed(&tx, held, answer, not_before).await.unwrap();
    tx.commit().await.unwrap();
    noted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_grant_is_announced_once_for_each_version() {
    on_both(|store| async move {
        let due = due_grant(&store, &keys(), tenant(&store).await).await;
        assert!(refreshes::next_due(store.read()).await.unwrap().is_some());
        assert_eq!(take_due(&store).await, [due.id]);
        assert_eq!(take_due(&store).await, []);
        assert!(refreshes::next_due(store.read()).await.unwrap().is_none());
        let now = store.now(store.read()).await.unwrap();
        let tx = store.begin("test.again").await.unwrap();
        refreshes::set_due(&tx, &[due.id], now).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(take_due(&store).await, [due.id]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refresh_at_a_time_and_never_over_newer_tokens() {
    on_both(|store| async move {
        let keys = keys();
        let tenant_id = tenant(&store).await;
        let due = due_grant(&store, &keys, tenant_id).await;
        let (first, second) = (EventId::generate(), EventId::generate());
        let taken = held(&store, due, 1, first, MINUTE).await;
        for by in [first, second] {
            let busy = hold(&store, due, 1, by, MINUTE).await;
            assert!(matches!(busy, Hold::Busy { by, .. } if by == first), "{busy:?}");
        }
        let now = store.clock().now();
        let tx = store.begin("test.refreshed").await.unwrap();
        let version = grants::store_tokens(&tx, &keys, &taken.grant, &tokens(2, false, now))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(version, 2);

        let tx = store.begin("test.late").await.unwrap();
        let late = grants::store_tokens(&tx, &keys, &taken.grant, &tokens(3, false, now)).await;
        assert!(matches!(late, Err(StoreError::Outdated { .. })), "{late:?}");
        assert!(
            !refreshes::declare_dead(&tx, &taken, "sign_in_again")
                .await
                .unwrap()
        );
        drop(tx);
        let old = hold(&store, due, 1, second, MINUTE).await;
        assert!(matches!(old, Hold::MovedOn), "{old:?}");
        let foreign = Due {
            tenant_id: TenantId::generate(),
            ..due
        };
        let refused = hold(&store, foreign, 2, second, MINUTE).await;
        assert!(matches!(refused, Hold::NotActive), "{refused:?}");
        let grant = grants::find(store.read(), tenant_id, due.id).await.unwrap();
        let access = grants::open_access_token(&keys, &grant).unwrap().unwrap();
        let refresh = grants::open_refresh_token(&keys, &grant).unwrap().unwrap();
        assert_eq!(
            (access.expose_secret(), refresh.expose_secret()),
            ("access 2", "refresh 1"),
            "the old one stays"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_forgets_its_tokens_and_takes_no_others() {
    on_both(|store| async move {
        let keys = keys();
        let tenant_id = tenant(&store).await;
        let due = due_grant(&store, &keys, tenant_id).await;
        let taken = held(&store, due, 1, EventId::generate(), MINUTE).await;
        let tx = store.begin("test.revoked").await.unwrap();
        assert!(
            grants::end(&tx, &taken.grant, GrantState::Revoked, "disconnected")
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        let tx = store.begin("test.late").await.unwrap();
        let late =
            grants::store_tokens(&tx, &keys, &taken.grant, &tokens(2, true, store.clock().now())).await;
        assert!(matches!(late, Err(StoreError::Outdated { .. })), "{late:?}");
        drop(tx);
        let grant = grants::find(store.read(), tenant_id, due.id).await.unwrap();
        assert!(grant.sealed_access_token.is_none() && grant.sealed_refresh_token.is_none());
        let ended = hold(&store, due, 1, EventId::generate(), MINUTE).await;
        assert!(matches!(ended, Hold::NotActive), "{ended:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_waits_until_the_next_try_and_may_take_over_then() {
    on_both(|store| async move {
        let due = due_grant(&store, &keys(), tenant(&store).await).await;
        let (first, second) = (EventId::generate(), EventId::generate());
        let taken = held(&store, due, 1, first, MINUTE).await;
        assert!(failed(&store, &taken, Answer::Seen, TimeDelta::milliseconds(300)).await);
        let busy = hold(&store, due, 1, second, MINUTE).await;
        assert!(matches!(busy, Hold::Busy { by, .. } if by == first), "{busy:?}");
        tokio::time::sleep(Duration::from_millis(400)).await;
        let over = held(&store, due, 1, second, MINUTE).await;
        assert_eq!(over.grant.refresh_failures, 1);
        assert!(
            !failed(&store, &taken, Answer::Seen, TimeDelta::minutes(5)).await,
            "it is another's now"
        );
        let tx = store.begin("test.dead").await.unwrap();
        assert!(!refreshes::declare_dead(&tx, &taken, "x").await.unwrap());
        assert!(refreshes::declare_dead(&tx, &over, "x").await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost_is_remembered_until_new_tokens_come() {
    on_both(|store| async move {
        let keys = keys();
        let due = due_grant(&store, &keys, tenant(&store).await).await;
        let event = EventId::generate();
        let brief = Duration::from_millis(1);
        let again = async || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            held(&store, due, 1, event, brief).await
        };
        let first = again().await;
        assert!(!first.has_unanswered_refresh());
        assert!(failed(&store, &first, Answer::Seen, TimeDelta::zero()).await);
        let second = again().await;
        assert!(!second.has_unanswered_refresh(), "it was answered");
        // a crash: nobody notes anything
        let third = again().await;
        assert!(third.has_unanswered_refresh());
        assert!(failed(&store, &third, Answer::Seen, TimeDelta::zero()).await);
        let fourth = again().await;
        assert!(fourth.has_unanswered_refresh(), "one answer is still missing");

        let tx = store.begin("test.refreshed").await.unwrap();
        let now = store.clock().now();
        grants::store_tokens(&tx, &keys, &fourth.grant, &tokens(2, true, now))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let after = held(&store, due, 2, event, brief).await;
        assert!(!after.has_unanswered_refresh());
        assert!(failed(&store, &after, Answer::Lost, TimeDelta::zero()).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(held(&store, due, 2, event, brief).await.has_unanswered_refresh());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_in_use_while_a_connected_account_is_not_paused() {
    on_both(|store| async move {
        let keys = keys();
        let tenant_id = tenant(&store).await;
        let (used, unused) = (
            due_grant(&store, &keys, tenant_id).await,
            due_grant(&store, &keys, tenant_id).await,
        );
        let account = account(&store, &keys, tenant_id, "a@example.test").await;
        let tx = store.begin("test.use").await.unwrap();
        let credential_id = credentials::add_grant(&tx, tenant_id, used.id).await.unwrap();
        accounts::set_credential(&tx, account.id, 1, credential_id)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let in_use = async || {
            refreshes::in_use(store.read(), &[used.id, unused.id])
                .await
                .unwrap()
        };
        assert_eq!(in_use().await.into_iter().collect::<Vec<_>>(), [used.id]);
        assert!(credentials::is_used(store.read(), credential_id).await.unwrap());
        let previous = account.credential_id.unwrap();
        assert!(!credentials::is_used(store.read(), previous).await.unwrap());

        let tx = store.begin("test.pause").await.unwrap();
        accounts::set_paused(&tx, account.id, true).await.unwrap();
        tx.commit().await.unwrap();
        assert!(in_use().await.is_empty());
        let tx = store.begin("test.disconnect").await.unwrap();
        accounts::set_paused(&tx, account.id, false).await.unwrap();
        accounts::set_disconnected(&tx, account.id, false).await.unwrap();
        tx.commit().await.unwrap();
        assert!(in_use().await.is_empty());
        assert!(!credentials::is_used(store.read(), credential_id).await.unwrap());
    })
    .await;
}

/// Many workers share PostgreSQL, and each has a clock of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_clock_is_wrong_by_an_hour_neither_hurries_nor_steals() {
    let database = Testbed::load().unwrap().fresh_database().await.unwrap();
    let open = async |skew: TimeDelta| {
        let config = StoreConfig {
            url: database.url().to_owned(),
            delivery: EventDelivery::Queues,
            max_connections: 4,
        };
        let clock = ManualClock::new(SystemClock.now() + skew);
        Store::open(&config, Arc::new(clock)).await.unwrap()
    };
    let right = open(TimeDelta::zero()).await;
    right.migrate().await.unwrap();
    let due = due_grant(&right, &keys(), tenant(&right).await).await;
    let in_half_an_hour = right.now(right.read()).await.unwrap() + TimeDelta::minutes(30);
    let tx = right.begin("test.due").await.unwrap();
    refreshes::set_due(&tx, &[due.id], in_half_an_hour).await.unwrap();
    tx.commit().await.unwrap();
    held(&right, due, 1, EventId::generate(), MINUTE).await;
    for skew in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
        let wrong = open(skew).await;
        assert_eq!(take_due(&wrong).await, []);
        let busy = hold(&wrong, due, 1, EventId::generate(), MINUTE).await;
        assert!(matches!(busy, Hold::Busy { .. }), "{skew}: {busy:?}");
    }
}
