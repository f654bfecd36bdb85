//! Signing in by token; refused tokens and passwords.

use std::time::Duration;

use postroom_events::{
    AccountState, AuthenticationMethod, AuthenticationMethodChanged, Event, SubmissionState as State,
    TokenRefreshed, WhoCanAct,
};
use postroom_store::{
    accounts::{self, StateChange},
    credentials, grants,
};
use postroom_test_support::eventually;
use secrecy::SecretString;

use crate::rig::{BOTH, PATIENCE, Rig, World, mail, tokens};

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_lets_us_in() {
    let rig = Rig::new(World::Embedded).await;
    let (from, to) = (
        rig.testbed.create_user("oauth").unwrap(),
        rig.testbed.create_user("to").unwrap(),
    );
    let client = rig.testbed.openid_address.web_client.id.clone();
    let minted = rig.testbed.openid().mint(&from, &client).await.unwrap();
    let (id, _) = rig.connect_oauth(&from, &minted.access_token).await;
    let running = rig.start().await;
    let submission = rig.submit(id, &[&to.address], &mail(&from, "token")).await;
    let row = rig.finished(submission).await;
    assert_eq!((row.state, row.attempt), (State::Sent, 1), "{row:?}");
    rig.inbox(&to, 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_told_once_and_the_next_one_is_taken() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("oauth").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let client = rig.testbed.openid_address.web_client.id.clone();
        let (id, grant_id) = rig.connect_oauth(&from, "not-a-token-any-more").await;
        let running = rig.start().await;
        let mut waiting = Vec::new();
        for name in ["one", "two", "three"] {
            waiting.push(rig.submit(id, &[&to.address], &mail(&from, name)).await);
        }
        for submission in &waiting {
            rig.becomes(*submission, "it to wait for a token", |row| {
                row.cause.as_deref() == Some("token_refused")
            })
            .await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let told = rig.told(grant_id.0).await;
        let [Event::TokenRejected(rejected)] = told.as_slice() else {
            panic!("no storm: {told:?}");
        };
        assert_eq!((rejected.token_version, rejected.account_id), (1, id));

        let fresh = rig.testbed.openid().mint(&from, &client).await.unwrap();
        let tx = rig.store.begin("test.refresh").await.unwrap();
        let grant = grants::find(tx.db(), rig.tenant_id, grant_id).await.unwrap();
        let token_version = grants::store_tokens(&tx, &rig.keys, &grant, &tokens(&fresh.access_token))
            .await
            .unwrap();
        let event = TokenRefreshed {
            grant_id,
            token_version,
            expires_at: None,
        };
        rig.announce(&tx, event.into()).await;
        tx.commit().await.unwrap();
        for submission in waiting {
            assert_eq!(rig.finished(submission).await.state, State::Sent);
        }
        rig.inbox(&to, 3).await;
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_asks_the_person_once_and_mail_goes_when_they_have_connected_again() {
    for world in BOTH {
        let rig = Rig::new(world).await;
        let (from, to) = (
            rig.testbed.create_user("password").unwrap(),
            rig.testbed.create_user("to").unwrap(),
        );
        let port = rig.testbed.submission.tls_port;
        let id = rig.connect_at(&from, port, "a wrong one").await;
        set_state(&rig, id, AccountState::Syncing, AccountState::Connected).await;
        let before = rig.names(id.0).await.len();
        let running = rig.start().await;
        let mut waiting = Vec::new();
        for name in ["one", "two", "three"] {
            waiting.push(rig.submit(id, &[&to.address], &mail(&from, name)).await);
        }
        eventually(PATIENCE, "the person to be asked", async || {
            rig.row(id).await.state == AccountState::NeedsReauthorization
        })
        .await;
        let row = rig.row(id).await;
        assert_eq!(row.state_cause.as_deref(), Some("password_refused"));
        assert_eq!(row.state_who_can_act, WhoCanAct::User);
        tokio::time::sleep(Duration::from_secs(3)).await;
        let names = rig.names(id.0).await.split_off(before);
        let asked = names
            .iter()
            .filter(|name| *name == "account.reauthorization_required");
        assert_eq!(asked.count(), 1, "{names:?}");
        let attempts = async || {
            let mut all = 0;
            for submission in &waiting {
                all += rig.submission(*submission).await.attempt;
            }
            all
        };
        assert_eq!(attempts().await, 1, "one of them has tried, for all");

        connect_again(&rig, id, &from.password).await;
        for submission in &waiting {
            assert_eq!(rig.finished(*submission).await.state, State::Sent);
        }
        rig.inbox(&to, 3).await;
        running.stop().await;
    }
}

async fn set_state(rig: &Rig, id: postroom_events::AccountId, from: AccountState, to: AccountState) {
    let tx = rig.store.begin("test.state").await.unwrap();
    let metadata = postroom_events::EventMetadata::started_by("account-manager", rig.tenant_id);
    let change = StateChange {
        account_id: id,
        credential_generation: None,
        from: &[from],
        to,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    assert!(accounts::change_state(&tx, &metadata, change).await.unwrap());
    tx.commit().await.unwrap();
}

/// As account-manager does it.
async fn connect_again(rig: &Rig, id: postroom_events::AccountId, password: &str) {
    let before = rig.row(id).await;
    let tx = rig.store.begin("test.again").await.unwrap();
    let method = AuthenticationMethod::Password;
    let password = SecretString::from(password.to_owned());
    let credential = credentials::add_password(&tx, &rig.keys, rig.tenant_id, method, &password)
        .await
        .unwrap();
    let credential_generation = accounts::set_credential(&tx, id, before.credential_generation, credential)
        .await
        .unwrap();
    let event = AuthenticationMethodChanged {
        account_id: id,
        credential_generation,
        method,
        grant_id: None,
        previous_credential_id: before.credential_id,
    };
    rig.announce(&tx, event.into()).await;
    let metadata = postroom_events::EventMetadata::started_by("account-manager", rig.tenant_id);
    let change = StateChange {
        account_id: id,
        credential_generation: None,
        from: &[AccountState::NeedsReauthorization],
        to: AccountState::Connected,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    accounts::change_state(&tx, &metadata, change).await.unwrap();
    tx.commit().await.unwrap();
}
