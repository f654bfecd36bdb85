//! Accounts, their states and their secrets.
#![allow(clippy::unwrap_used)] // helpers of the tests below

mod common;

use common::{account, keys, on_both, tenant};
use postroom_events::{AccountState, EventMetadata, WhoCanAct};
use postroom_store::{
    StoreError,
    accounts::{self, StateChange},
    credentials::{self, SignInMaterial},
};
use secrecy::ExposeSecret;

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
