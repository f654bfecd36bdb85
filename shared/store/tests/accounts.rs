//! Accounts, their states and their secrets.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use std::time::Duration;

use common::{account, keys, on_both, tenant};
use postroom_events::{AccountState, EventMetadata, GrantState, WhoCanAct, WorkerId};
use postroom_store::{
    StoreError,
    accounts::{self, StateChange},
    credentials::{self, SignInMaterial},
    grants::{self, Hold, NewGrant, NewTokens},
};
use secrecy::{ExposeSecret, SecretString};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_its_owners_alone() {
    on_both(|store| async move {
        let (one, other) = (tenant(&store).await, tenant(&store).await);
        let account = account(&store, &keys(), one, "a@example.test").await;
        assert_eq!(
            accounts::find_owned(store.read(), one, Some("u1"), account.id)
                .await
                .unwrap(),
            account
        );
        for (tenant_id, user_ref) in [(other, None), (one, Some("u2")), (other, Some("u1"))] {
            let found = accounts::find_owned(store.read(), tenant_id, user_ref, account.id).await;
            assert!(matches!(found, Err(StoreError::NotFound { .. })), "{found:?}");
        }
        assert!(
            accounts::list_owned(store.read(), other, None, None, 10)
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_address_is_connected_once_per_person_until_it_is_disconnected() {
    on_both(|store| async move {
        let keys = keys();
        let tenant_id = tenant(&store).await;
        let first = account(&store, &keys, tenant_id, "a@example.test").await;
        let tx = store.begin("test.again").await.unwrap();
        let again = accounts::NewAccount {
            id: postroom_events::AccountId::generate(),
            tenant_id,
            user_ref: first.user_ref.clone(),
            address: first.address.clone(),
            sender_name: String::new(),
            provider_id: "custom".into(),
            imap: accounts::ServerAddress {
                host: "h".into(),
                port: 993,
                tls: "implicit".into(),
            },
            smtp: accounts::ServerAddress {
                host: "h".into(),
                port: 465,
                tls: "implicit".into(),
            },
            login: first.login.clone(),
            mailbox: None,
            credential_id: first.credential_id.unwrap(),
        };
        let refused = accounts::create(&tx, again).await;
        assert!(
            matches!(refused, Err(StoreError::AlreadyExists { .. })),
            "{refused:?}"
        );
        drop(tx);
        let tx = store.begin("test.disconnect").await.unwrap();
        accounts::set_disconnected(&tx, first.id, false).await.unwrap();
        tx.commit().await.unwrap();
        account(&store, &keys, tenant_id, "a@example.test").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observation_that_the_row_has_outgrown_changes_nothing() {
    on_both(|store| async move {
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys(), tenant_id, "a@example.test").await;
        let metadata = EventMetadata::started_by("test", tenant_id);
        let refused = |generation| StateChange {
            account_id: account.id,
            credential_generation: Some(generation),
            from: &[AccountState::Syncing, AccountState::Connected],
            to: AccountState::NeedsReauthorization,
            cause: Some("password_refused"),
            who_can_act: WhoCanAct::User,
        };
        let tx = store.begin("test.state").await.unwrap();
        assert!(
            !accounts::change_state(&tx, &metadata, refused(7)).await.unwrap(),
            "another generation"
        );
        assert!(accounts::change_state(&tx, &metadata, refused(1)).await.unwrap());
        assert!(
            !accounts::change_state(&tx, &metadata, refused(1)).await.unwrap(),
            "it says so already"
        );
        tx.commit().await.unwrap();
        let now = accounts::find(store.read(), account.id).await.unwrap();
        assert_eq!(
            (now.state, now.state_cause.as_deref()),
            (AccountState::NeedsReauthorization, Some("password_refused"))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_comes_back_as_it_was_and_is_gone_when_erased() {
    on_both(|store| async move {
        let keys = keys();
        let tenant_id = tenant(&store).await;
        let account = account(&store, &keys, tenant_id, "a@example.test").await;
        match credentials::load(store.read(), &keys, &account).await.unwrap() {
            SignInMaterial::Password { password } => assert_eq!(password.expose_secret(), "correct horse"),
            other => panic!("{other:?}"),
        }
        let tx = store.begin("test.erase").await.unwrap();
        credentials::erase(&tx, account.credential_id.unwrap())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let material = credentials::load(store.read(), &keys, &account).await.unwrap();
        assert!(matches!(material, SignInMaterial::Nothing { .. }), "{material:?}");
    })
    .await;
}

fn tokens(number: u32, refresh: bool, due: chrono::DateTime<chrono::Utc>) -> NewTokens {
    NewTokens {
        access_token: SecretString::from(format!("access {number}")),
        expires_at: None,
        refresh_token: refresh.then(|| SecretString::from(format!("refresh {number}"))),
        scopes: "imap smtp".into(),
        refresh_due_at: Some(due),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refresh_at_a_time_and_never_over_newer_tokens() {
    on_both(|store| async move {
        let keys = keys();
        let tenant_id = tenant(&store).await;
        let now = store.clock().now();
        let tx = store.begin("test.grant").await.unwrap();
        let new = NewGrant {
            tenant_id,
            provider_id: "test".into(),
            subject: "alice".into(),
            identity_address: None,
            tokens: tokens(1, true, now - chrono::TimeDelta::seconds(1)),
        };
        let id = grants::add(&tx, &keys, new).await.unwrap();
        tx.commit().await.unwrap();

        assert!(grants::next_due(store.read()).await.unwrap().is_some());
        let tx = store.begin("test.due").await.unwrap();
        assert_eq!(grants::take_due(&tx, 10).await.unwrap().len(), 1);
        assert_eq!(
            grants::take_due(&tx, 10).await.unwrap().len(),
            0,
            "announced once"
        );
        tx.commit().await.unwrap();
        assert!(grants::next_due(store.read()).await.unwrap().is_none());

        let minute = Duration::from_secs(60);
        let Hold::Held(held) = grants::hold(&store, id, 1, WorkerId::generate(), minute)
            .await
            .unwrap()
        else {
            panic!("it was free")
        };
        let second = grants::hold(&store, id, 1, WorkerId::generate(), minute)
            .await
            .unwrap();
        assert!(matches!(second, Hold::Busy(_)), "{second:?}");
        let tx = store.begin("test.refreshed").await.unwrap();
        let version = grants::store_tokens(&tx, &keys, &held, &tokens(2, false, now))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(version, 2);

        let tx = store.begin("test.late").await.unwrap();
        let late = grants::store_tokens(&tx, &keys, &held, &tokens(3, false, now)).await;
        assert!(matches!(late, Err(StoreError::Outdated { .. })), "{late:?}");
        drop(tx);
        let third = grants::hold(&store, id, 1, WorkerId::generate(), minute)
            .await
            .unwrap();
        assert!(matches!(third, Hold::MovedOn), "{third:?}");
        let grant = grants::find(store.read(), tenant_id, id).await.unwrap();
        let access = grants::open_access_token(&keys, &grant).unwrap().unwrap();
        let refresh = grants::open_refresh_token(&keys, &grant).unwrap().unwrap();
        assert_eq!(
            (access.expose_secret(), refresh.expose_secret()),
            ("access 2", "refresh 1"),
            "the old one stays"
        );

        let tx = store.begin("test.revoked").await.unwrap();
        assert!(
            grants::end(&tx, &grant, GrantState::Revoked, "disconnected")
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        let grant = grants::find(store.read(), tenant_id, id).await.unwrap();
        assert!(grant.sealed_access_token.is_none() && grant.sealed_refresh_token.is_none());
    })
    .await;
}
