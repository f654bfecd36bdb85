//! Grants that are dead: everybody who signs in with one is told, once, why and who can act.

use chrono::TimeDelta;
use postroom_events::{AccountState, Event, EventMetadata, GrantState, WhoCanAct};
use postroom_store::{
    accounts::{self, StateChange},
    grants::{self, NewTokens},
};
use postroom_test_support::{Fault, FaultMode, Revoke, eventually};
use secrecy::SecretString;

use crate::rig::{PATIENCE, Rig};

crate::in_both_worlds!(
    a_revoked_grant_asks_everybody_who_signs_in_with_it,
    a_cause_of_the_provider_reaches_the_person,
    a_person_who_signs_in_meanwhile_is_not_asked_again,
    a_grant_without_a_refresh_token_asks_the_person,
);

fn asked(event: &Event) -> bool {
    matches!(event, Event::ReauthorizationRequired(_))
}

async fn a_revoked_grant_asks_everybody_who_signs_in_with_it(rig: Rig) {
    let user = rig.user("revoked").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let second = rig
        .connect_to(&running, connected.grant, "second@example.test")
        .await;
    let paused = rig
        .connect_to(&running, connected.grant, "paused@example.test")
        .await;
    let gone = rig
        .connect_to(&running, connected.grant, "gone@example.test")
        .await;
    let tx = rig.store.begin("test.states").await.unwrap();
    accounts::set_paused(&tx, paused, true).await.unwrap();
    let pause = StateChange {
        account_id: paused,
        credential_generation: None,
        from: &[AccountState::Syncing],
        to: AccountState::Paused,
        cause: Some("paused_by_user"),
        who_can_act: WhoCanAct::User,
    };
    let metadata = EventMetadata::started_by("account-manager", rig.tenant_id);
    accounts::change_state(&tx, &metadata, pause).await.unwrap();
    accounts::set_disconnected(&tx, gone, false).await.unwrap();
    tx.commit().await.unwrap();

    rig.testbed.openid().revoke(&user, Revoke::All).await.unwrap();
    let event = rig.reject(&running, connected, 1).await;
    rig.handled(event).await;
    for account in [connected.account, second] {
        let row = rig.account(account).await;
        assert_eq!(row.state, AccountState::NeedsReauthorization);
        assert_eq!(row.state_cause.as_deref(), Some("sign_in_again"));
        assert_eq!(row.state_who_can_act, WhoCanAct::User);
        let told = rig.told(account.0).await;
        let required: Vec<_> = told
            .iter()
            .filter_map(|(envelope, event)| match event {
                Event::ReauthorizationRequired(required) => Some((envelope, required)),
                _ => None,
            })
            .collect();
        let [(envelope, required)] = required[..] else {
            panic!("{told:?}")
        };
        assert_eq!(envelope.causation_id, Some(event));
        assert_eq!(
            (
                required.cause.as_str(),
                required.who_can_act,
                required.token_version
            ),
            ("sign_in_again", WhoCanAct::User, Some(1))
        );
    }
    assert_eq!(rig.count(paused.0, asked).await, 1);
    assert_eq!(rig.account(paused).await.state, AccountState::Paused);
    assert_eq!(rig.count(gone.0, asked).await, 0);
    let grant = rig.grant(connected.grant).await;
    assert_eq!(
        (grant.state, grant.state_cause.as_deref()),
        (GrantState::NeedsReauthorization, Some("sign_in_again"))
    );
    assert_eq!(grant.refresh_due_at, None);

    let late = rig.reject(&running, connected, 1).await;
    rig.handled(late).await;
    let outcomes = postroom_store::handled::outcomes(rig.store.read(), late)
        .await
        .unwrap();
    let answers = outcomes[0].answers.as_array().unwrap();
    assert!(answers.is_empty(), "a dead grant is left in peace: {answers:?}");
}

async fn a_cause_of_the_provider_reaches_the_person(rig: Rig) {
    let running = rig.start().await;
    for (mode, cause) in [
        (FaultMode::InvalidGrant, "grant_expired"),
        (FaultMode::InteractionRequired, "more_proof_required"),
        (FaultMode::ConsentRequired, "consent_required"),
    ] {
        let user = rig.user("cause").await;
        let connected = rig.connect(&running, &user).await;
        let fault = Fault::for_user(mode, &user);
        rig.testbed.openid().set_fault(fault).await.unwrap();
        let event = rig.reject(&running, connected, 1).await;
        rig.handled(event).await;
        let row = rig.account(connected.account).await;
        assert_eq!(
            (row.state, row.state_cause.as_deref()),
            (AccountState::NeedsReauthorization, Some(cause))
        );
        assert_eq!(rig.count(connected.account.0, asked).await, 1);
    }
}

/// The refusal is on its way while account-manager stores the tokens of a new sign-in.
async fn a_person_who_signs_in_meanwhile_is_not_asked_again(rig: Rig) {
    let user = rig.user("meanwhile").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let slowly =
        Fault::for_user(FaultMode::InvalidGrant, &user).delay(std::time::Duration::from_millis(1200));
    let fault = rig.testbed.openid().set_fault(slowly).await.unwrap();
    let event = rig.reject(&running, connected, 1).await;
    eventually(PATIENCE, "the request", async || fault.hits().await.unwrap() == 1).await;

    let minted = rig.mint(&user).await;
    let tokens = NewTokens {
        access_token: SecretString::from(minted.access_token),
        expires_at: Some(rig.now().await + TimeDelta::hours(1)),
        refresh_token: Some(SecretString::from(minted.refresh_token)),
        scopes: minted.scope,
        refresh_due_at: None,
    };
    let tx = rig.store.begin("test.again").await.unwrap();
    let before = rig.grant(connected.grant).await;
    grants::store_tokens(&tx, &rig.keys, &before, &tokens)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    rig.handled(event).await;
    let grant = rig.grant(connected.grant).await;
    assert_eq!((grant.state, grant.token_version), (GrantState::Active, 2));
    assert_eq!(rig.account(connected.account).await.state, AccountState::Syncing);
    assert_eq!(rig.count(connected.account.0, asked).await, 0);
}

async fn a_grant_without_a_refresh_token_asks_the_person(rig: Rig) {
    let user = rig.user("shortlived").await;
    let running = rig.start().await;
    let minted = rig.mint(&user).await;
    let new = grants::NewGrant {
        tenant_id: rig.tenant_id,
        provider_id: crate::rig::REGISTRATION.into(),
        subject: user.address.clone(),
        identity_address: None,
        tokens: NewTokens {
            access_token: SecretString::from(minted.access_token),
            expires_at: None,
            refresh_token: None,
            scopes: minted.scope,
            refresh_due_at: None,
        },
    };
    let tx = rig.store.begin("test.grant").await.unwrap();
    let grant = grants::add(&tx, &rig.keys, new).await.unwrap();
    tx.commit().await.unwrap();
    let account = rig.connect_to(&running, grant, &user.address).await;
    let connected = crate::rig::Connected { account, grant };
    let event = rig.reject(&running, connected, 1).await;
    rig.handled(event).await;
    let row = rig.account(account).await;
    assert_eq!(row.state_cause.as_deref(), Some("grant_expired"));
    assert_eq!(rig.refreshes(&user).await, 0);
}
