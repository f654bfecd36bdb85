//! Disconnected accounts and replaced credentials: erased here, given back to the provider.

use std::time::Duration;

use postroom_events::{
    AccountDisconnected, AccountId, AuthenticationMethod, AuthenticationMethodChanged, EventId, GrantState,
};
use postroom_store::{accounts, credentials};
use postroom_test_support::{Fault, FaultMode, TestUser, eventually};
use secrecy::SecretString;

use crate::{
    provider,
    rig::{PATIENCE, Rig, Running},
};

crate::in_both_worlds!(
    a_disconnected_account_gives_its_grant_back,
    a_grant_that_another_account_uses_stays,
    a_person_whose_other_account_lives_keeps_the_permission,
    a_provider_that_is_away_is_told_later,
    secrets_do_not_outlive_the_wait_for_a_provider,
    a_replaced_password_is_erased_and_the_new_grant_planned,
    a_replaced_grant_is_given_back,
    a_grant_that_is_disconnected_during_its_refresh_is_given_back_whole,
);

async fn disconnect(rig: &Rig, running: &Running, account_id: AccountId) -> EventId {
    let tx = running.parts.store.begin("test.disconnect").await.unwrap();
    accounts::set_disconnected(&tx, account_id, false).await.unwrap();
    tx.commit().await.unwrap();
    let event = AccountDisconnected {
        account_id,
        credential_generation: 2,
        purge: false,
    };
    rig.tell(running, event).await
}

async fn revocations(rig: &Rig, user: &TestUser) -> u64 {
    let counts = rig.testbed.openid().counts(user).await.unwrap();
    counts.by_endpoint.get("revoke").copied().unwrap_or(0)
}

async fn a_disconnected_account_gives_its_grant_back(rig: Rig) {
    let user = rig.user("disconnected").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let (_, refresh_token) = rig.tokens(connected.grant).await;
    let event = disconnect(&rig, &running, connected.account).await;
    rig.handled(event).await;
    let grant = rig.grant(connected.grant).await;
    assert_eq!(grant.state, GrantState::Revoked);
    assert!(grant.sealed_access_token.is_none() && grant.sealed_refresh_token.is_none());
    let credential_id = rig.account(connected.account).await.credential_id.unwrap();
    let credential = credentials::find(rig.store.read(), rig.tenant_id, credential_id)
        .await
        .unwrap();
    assert!(credential.erased_at.is_some());
    assert_eq!(revocations(&rig, &user).await, 1);
    let dead = provider::refresh(&rig, &refresh_token).await.unwrap_err();
    assert_eq!(dead.code(), "sign_in_again");
}

async fn a_grant_that_another_account_uses_stays(rig: Rig) {
    let user = rig.user("shared").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let other = rig
        .connect_to(&running, connected.grant, "other@example.test")
        .await;
    let first = disconnect(&rig, &running, connected.account).await;
    rig.handled(first).await;
    assert_eq!(rig.grant(connected.grant).await.state, GrantState::Active);
    assert_eq!(revocations(&rig, &user).await, 0);
    let second = disconnect(&rig, &running, other).await;
    rig.handled(second).await;
    assert_eq!(rig.grant(connected.grant).await.state, GrantState::Revoked);
    assert_eq!(revocations(&rig, &user).await, 1);
}

/// Some providers withdraw the whole permission with any token of it.
async fn a_person_whose_other_account_lives_keeps_the_permission(rig: Rig) {
    let user = rig.user("twice").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let second = rig.add_grant(&running, &user, None).await;
    let other = rig.connect_to(&running, second, "shared@example.test").await;
    let event = disconnect(&rig, &running, connected.account).await;
    rig.handled(event).await;
    let grant = rig.grant(connected.grant).await;
    assert_eq!(grant.state, GrantState::Revoked);
    assert!(grant.sealed_refresh_token.is_none(), "its tokens are erased here");
    assert_eq!(revocations(&rig, &user).await, 0);
    assert_eq!(rig.grant(second).await.state, GrantState::Active);
    let event = disconnect(&rig, &running, other).await;
    rig.handled(event).await;
    assert_eq!(revocations(&rig, &user).await, 1, "nobody lives on it any more");
}

async fn a_provider_that_is_away_is_told_later(rig: Rig) {
    let user = rig.user("away").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let away = Fault::for_user(FaultMode::Unavailable, &user).endpoint("revoke");
    rig.testbed.openid().set_fault(away).await.unwrap();
    let event = disconnect(&rig, &running, connected.account).await;
    rig.is_tried_again(event).await;
    assert!(
        rig.grant(connected.grant).await.sealed_refresh_token.is_some(),
        "it is needed once more"
    );
    rig.handled(event).await;
    assert_eq!(rig.grant(connected.grant).await.state, GrantState::Revoked);
    assert_eq!(revocations(&rig, &user).await, 2);
}

async fn secrets_do_not_outlive_the_wait_for_a_provider(rig: Rig) {
    let user = rig.user("away-long").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let away = Fault::for_user(FaultMode::Unavailable, &user)
        .endpoint("revoke")
        .until_removed();
    rig.testbed.openid().set_fault(away).await.unwrap();
    let event = disconnect(&rig, &running, connected.account).await;
    rig.is_tried_again(event).await;
    rig.has_been_tried_for(event, Duration::from_secs(45 * 60)).await;
    rig.handled(event).await;
    let grant = rig.grant(connected.grant).await;
    assert_eq!(grant.state, GrantState::Revoked);
    assert!(grant.sealed_refresh_token.is_none());
}

async fn a_replaced_password_is_erased_and_the_new_grant_planned(rig: Rig) {
    let user = rig.user("replaced").await;
    let running = rig.start().await;
    let connected = rig.connect_due(&running, &user, None).await;
    let tx = rig.store.begin("test.password").await.unwrap();
    let password = SecretString::from("correct horse".to_owned());
    let method = AuthenticationMethod::Password;
    let old = credentials::add_password(&tx, &rig.keys, rig.tenant_id, method, &password)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let changed = AuthenticationMethodChanged {
        account_id: connected.account,
        credential_generation: 2,
        method: AuthenticationMethod::OAuth2,
        grant_id: Some(connected.grant),
        previous_credential_id: Some(old),
    };
    let event = rig.tell(&running, changed).await;
    rig.handled(event).await;
    let credential = credentials::find(rig.store.read(), rig.tenant_id, old)
        .await
        .unwrap();
    assert!(credential.erased_at.is_some() && credential.sealed_password.is_none());
    assert!(rig.grant(connected.grant).await.refresh_due_at.is_some());
}

async fn a_replaced_grant_is_given_back(rig: Rig) {
    let user = rig.user("replaced-grant").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let old = rig.account(connected.account).await.credential_id.unwrap();
    let changed = |generation| AuthenticationMethodChanged {
        account_id: connected.account,
        credential_generation: generation,
        method: AuthenticationMethod::Password,
        grant_id: None,
        previous_credential_id: Some(old),
    };
    // Nothing is erased that the account still signs in with, whatever an event says.
    let early = rig.tell(&running, changed(1)).await;
    rig.handled(early).await;
    assert_eq!(rig.grant(connected.grant).await.state, GrantState::Active);

    let tx = rig.store.begin("test.change").await.unwrap();
    let password = SecretString::from("correct horse".to_owned());
    let method = AuthenticationMethod::Password;
    let new = credentials::add_password(&tx, &rig.keys, rig.tenant_id, method, &password)
        .await
        .unwrap();
    accounts::set_credential(&tx, connected.account, 1, new)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let event = rig.tell(&running, changed(2)).await;
    rig.handled(event).await;
    assert_eq!(rig.grant(connected.grant).await.state, GrantState::Revoked);
    assert_eq!(revocations(&rig, &user).await, 1);
}

/// The provider's answer to the refresh comes after the grant is gone here.
async fn a_grant_that_is_disconnected_during_its_refresh_is_given_back_whole(rig: Rig) {
    let user = rig.user("disconnected-late").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let slow = Fault::for_user(FaultMode::Slow, &user)
        .grant_type("refresh_token")
        .delay(Duration::from_millis(1000));
    let fault = rig.testbed.openid().set_fault(slow).await.unwrap();
    let refresh = rig.reject(&running, connected, 1).await;
    eventually(PATIENCE, "the request", async || fault.hits().await.unwrap() == 1).await;
    // As if the grant had been given back by a provider that lets the new token live.
    let tx = rig.store.begin("test.disconnect").await.unwrap();
    accounts::set_disconnected(&tx, connected.account, false)
        .await
        .unwrap();
    let grant = rig.grant(connected.grant).await;
    assert!(
        postroom_store::grants::end(&tx, &grant, GrantState::Revoked, "released")
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    rig.handled(refresh).await;
    let grant = rig.grant(connected.grant).await;
    assert_eq!((grant.state, grant.token_version), (GrantState::Revoked, 1));
    assert!(grant.sealed_refresh_token.is_none());
    assert_eq!(revocations(&rig, &user).await, 1, "of the token that came late");
}
