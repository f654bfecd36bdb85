//! Refused sign-ins: a password needs the person, a token may only be old.

use std::time::Duration;

use postroom_events::{
    AccountId, AccountState, AuthenticationMethod, Event, EventMetadata, GrantId, TokenRefreshed, WhoCanAct,
};
use postroom_store::{
    accounts::{self, StateChange},
    credentials, events,
    grants::{self, NewGrant, NewTokens},
};
use postroom_test_support::{TestUser, eventually};
use secrecy::SecretString;

use crate::{
    first_sync::deliver,
    rig::{PATIENCE, Rig, Running, World, announce, mail},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_asks_the_person_once_and_connecting_again_keeps_everything() {
    let rig = Rig::new(World::Embedded).await;
    let mut user = rig.testbed.create_user("password").unwrap();
    rig.testbed
        .seed(&user, "INBOX", vec![mail(1), mail(2)])
        .await
        .unwrap();
    let running = rig.start().await;
    let id = rig.connect(&running, &user).await;
    rig.synced(id).await;
    let before = rig.messages(id).await;
    rig.testbed.set_password(&mut user, "another one").await.unwrap();
    rig.testbed.doveadm(&["kick", &user.address]).await.unwrap();
    eventually(PATIENCE, "the person to be asked", async || {
        rig.row(id).await.state == AccountState::NeedsReauthorization
    })
    .await;
    let row = rig.row(id).await;
    assert_eq!(row.state_cause.as_deref(), Some("password_refused"));
    assert_eq!(row.state_who_can_act, WhoCanAct::User);
    deliver(&rig.testbed, &user, 3).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = |event: &Event| matches!(event, Event::ReauthorizationRequired(_));
    assert_eq!(
        rig.told(id.0).await.iter().filter(|event| asked(event)).count(),
        1,
        "no storm"
    );

    connect_again(&rig, &running, id, &user).await;
    let inbox = rig.folder(id, "INBOX").await.id;
    eventually(PATIENCE, "the mail that came meanwhile", async || {
        rig.received_in(id, inbox).await == 1
    })
    .await;
    let after = rig.messages(id).await;
    assert!(before.iter().all(|old| after.iter().any(|new| new.id == old.id)));
    assert_eq!(after.len(), 3);
}

async fn connect_again(rig: &Rig, running: &Running, id: AccountId, user: &TestUser) {
    let tx = running.parts.store.begin("test.again").await.unwrap();
    let password = SecretString::from(user.password.clone());
    let method = AuthenticationMethod::Password;
    let credential = credentials::add_password(&tx, &rig.keys, rig.tenant_id, method, &password)
        .await
        .unwrap();
    accounts::set_credential(&tx, id, 1, credential).await.unwrap();
    let change = StateChange {
        account_id: id,
        credential_generation: Some(2),
        from: &[AccountState::NeedsReauthorization],
        to: AccountState::Connected,
        cause: None,
        who_can_act: WhoCanAct::Nobody,
    };
    let metadata = EventMetadata::started_by("account-manager", rig.tenant_id);
    assert!(accounts::change_state(&tx, &metadata, change).await.unwrap());
    tx.wake_account(id);
    tx.commit().await.unwrap();
}

fn tokens(access: &str) -> NewTokens {
    NewTokens {
        access_token: SecretString::from(access.to_owned()),
        expires_at: None,
        refresh_token: Some(SecretString::from("never used here")),
        scopes: "mail".into(),
        refresh_due_at: None,
    }
}

async fn connect_oauth(rig: &Rig, running: &Running, user: &TestUser, access: &str) -> (AccountId, GrantId) {
    let tx = running.parts.store.begin("test.oauth").await.unwrap();
    let new = NewGrant {
        tenant_id: rig.tenant_id,
        provider_id: "testbed".into(),
        subject: user.address.clone(),
        identity_address: Some(user.address.clone()),
        tokens: tokens(access),
    };
    let grant_id = grants::add(&tx, &rig.keys, new).await.unwrap();
    let credential_id = credentials::add_grant(&tx, rig.tenant_id, grant_id)
        .await
        .unwrap();
    let account = rig.account(user, rig.testbed.imap.tls_port, credential_id);
    let id = accounts::create(&tx, account).await.unwrap().id;
    announce(&tx, rig.tenant_id, id).await;
    tx.commit().await.unwrap();
    (id, grant_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_told_once_and_the_next_one_is_taken() {
    for world in [World::Embedded, World::Distributed] {
        let rig = Rig::new(world).await;
        let user = rig.testbed.create_user("oauth").unwrap();
        rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
        let running = rig.start().await;
        let (id, grant_id) = connect_oauth(&rig, &running, &user, "not-a-token-any-more").await;
        let rejected = async || {
            let told = rig.told(grant_id.0).await;
            told.iter()
                .filter(|event| matches!(event, Event::TokenRejected(event) if event.token_version == 1 && event.account_id == id))
                .count()
        };
        eventually(PATIENCE, "TokenRejected", async || rejected().await == 1).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(rejected().await, 1, "no storm");
        assert_eq!(
            rig.row(id).await.state,
            AccountState::Syncing,
            "nobody has to act"
        );

        refresh(&rig, &running, &user, grant_id).await;
        rig.synced(id).await;
        assert_eq!(rig.messages(id).await.len(), 1);
    }
}

/// As token-refresher does it.
async fn refresh(rig: &Rig, running: &Running, user: &TestUser, grant_id: GrantId) {
    let client = &rig.testbed.openid_address.web_client.id;
    let fresh = rig.testbed.openid().mint(user, client).await.unwrap();
    let tx = running.parts.store.begin("test.refresh").await.unwrap();
    let grant = grants::find(tx.db(), rig.tenant_id, grant_id).await.unwrap();
    let version = grants::store_tokens(&tx, &rig.keys, &grant, &tokens(&fresh.access_token))
        .await
        .unwrap();
    let event = TokenRefreshed {
        grant_id,
        token_version: version,
        expires_at: None,
    };
    let metadata = EventMetadata::started_by("token-refresher", rig.tenant_id);
    events::append(&tx, &metadata, vec![event.into()]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_renewed_is_seen_as_long_as_it_is_so() {
    let rig = Rig::new(World::Embedded).await;
    let user = rig.testbed.create_user("oauth-away").unwrap();
    rig.testbed.seed(&user, "INBOX", vec![mail(1)]).await.unwrap();
    let running = rig.start().await;
    let (id, grant_id) = connect_oauth(&rig, &running, &user, "not-a-token-any-more").await;
    eventually(PATIENCE, "the account to say so", async || {
        rig.row(id).await.state == AccountState::Unreachable
    })
    .await;
    let row = rig.row(id).await;
    assert_eq!(row.state_cause.as_deref(), Some("token_not_renewed"));
    assert_eq!(row.state_who_can_act, WhoCanAct::Nobody);
    refresh(&rig, &running, &user, grant_id).await;
    rig.synced(id).await;
    eventually(PATIENCE, "the account to be well", async || {
        let row = rig.row(id).await;
        (row.state != AccountState::Unreachable && row.state_cause.is_none())
            .then_some(())
            .ok_or(row.state)
    })
    .await;
    let told = rig.told(id.0).await;
    let lost = told
        .iter()
        .filter(|event| matches!(event, Event::AccountUnreachable(_)));
    assert_eq!(lost.count(), 1, "{told:?}");
}
