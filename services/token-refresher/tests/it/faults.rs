//! A provider that is busy, broken or silent; and what only the operator can mend.

use std::time::{Duration, Instant};

use postroom_events::{AccountState, Event, GrantState};
use postroom_store::{dead_letters, retries};
use postroom_test_support::{Fault, FaultMode, Rotation, Settings, TestUser, eventually};

use crate::rig::{Connected, PATIENCE, Rig, Running};

crate::in_both_worlds!(
    retry_after_is_obeyed_by_whoever_asks,
    faults_of_the_provider_pass_and_nobody_has_to_act,
    a_provider_that_hangs_is_left_in_time_and_asked_again,
    what_the_operator_must_mend_is_nobodys_state,
    a_registration_that_is_gone_is_the_operators,
    an_endless_fault_is_given_up_and_asking_begins_anew_when_it_is_needed,
);

async fn connected(rig: &Rig, prefix: &str) -> (Running, TestUser, Connected) {
    let user = rig.user(prefix).await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    (running, user, connected)
}

async fn fault(rig: &Rig, fault: Fault) -> postroom_test_support::PendingFault {
    rig.testbed.openid().set_fault(fault).await.unwrap()
}

async fn retry_after_is_obeyed_by_whoever_asks(rig: Rig) {
    let (running, user, connected) = connected(&rig, "busy").await;
    let busy = Fault::for_user(FaultMode::TooManyRequests, &user).retry_after(8);
    fault(&rig, busy).await;
    let began = Instant::now();
    let first = rig.reject(&running, connected, 1).await;
    rig.is_tried_again(first).await;
    let second = rig.reject(&running, connected, 1).await;
    rig.handled(second).await;
    assert_eq!(
        rig.refreshes(&user).await,
        1,
        "the second one leaves it to the first"
    );
    rig.reaches(connected.grant, 2).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(8), "{took:?}");
    assert_eq!(rig.refreshes(&user).await, 2);
    assert_eq!(rig.account(connected.account).await.state, AccountState::Syncing);
}

async fn faults_of_the_provider_pass_and_nobody_has_to_act(rig: Rig) {
    let (running, user, connected) = connected(&rig, "broken").await;
    for (number, mode) in [FaultMode::ServerError, FaultMode::Html, FaultMode::Reset]
        .into_iter()
        .enumerate()
    {
        let version = number as i64 + 1;
        let struck = fault(&rig, Fault::for_user(mode, &user)).await;
        let event = rig.reject(&running, connected, version).await;
        rig.reaches(connected.grant, version + 1).await;
        rig.handled(event).await;
        assert_eq!(struck.hits().await.unwrap(), 1, "{mode:?}");
        assert_eq!(rig.verdicts(event).await, ["retry", "done"], "{mode:?}");
    }
    let grant = rig.grant(connected.grant).await;
    assert_eq!((grant.refresh_failures, grant.state), (0, GrantState::Active));
    let told = rig.told(connected.account.0).await;
    assert_eq!(told.len(), 1, "nothing but AccountConnected: {told:?}");
}

async fn a_provider_that_hangs_is_left_in_time_and_asked_again(rig: Rig) {
    let (running, user, connected) = connected(&rig, "hang").await;
    fault(&rig, Fault::for_user(FaultMode::Hang, &user)).await;
    let event = rig.reject(&running, connected, 1).await;
    let began = Instant::now();
    eventually(PATIENCE, "the request to be given up", async || {
        rig.verdicts(event).await == ["retry"]
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    rig.reaches(connected.grant, 2).await;
    assert_eq!(rig.refreshes(&user).await, 2);
}

async fn what_the_operator_must_mend_is_nobodys_state(rig: Rig) {
    let (running, user, connected) = connected(&rig, "operator").await;
    fault(
        &rig,
        Fault::for_user(FaultMode::InvalidClient, &user).until_removed(),
    )
    .await;
    let event = rig.reject(&running, connected, 1).await;
    rig.is_tried_again(event).await;
    assert!(retries::planned(rig.store.read(), event).await.unwrap());
    let grant = rig.grant(connected.grant).await;
    assert_eq!(grant.state, GrantState::Active);
    let wait = grant.refresh_held_until.unwrap() - rig.now().await;
    assert!(wait > chrono::TimeDelta::seconds(60), "slowly: {wait}");
    assert_eq!(rig.account(connected.account).await.state, AccountState::Syncing);
    let outcomes = postroom_store::handled::outcomes(rig.store.read(), event)
        .await
        .unwrap();
    let said = outcomes[0].error.as_deref().unwrap();
    assert!(said.contains("client secret"), "{said}");
    let asked = |event: &Event| matches!(event, Event::ReauthorizationRequired(_));
    assert_eq!(rig.count(connected.account.0, asked).await, 0);
}

async fn a_registration_that_is_gone_is_the_operators(rig: Rig) {
    std::fs::write(rig.oauth_file(), "").unwrap();
    let lenient = Settings {
        rotation: Some(Rotation::Lenient),
        ..Settings::default()
    };
    let (running, user, connected) = connected(&rig, "unregistered").await;
    rig.testbed.openid().configure(&user, lenient).await.unwrap();
    let event = rig.reject(&running, connected, 1).await;
    rig.is_tried_again(event).await;
    let outcomes = postroom_store::handled::outcomes(rig.store.read(), event)
        .await
        .unwrap();
    let said = outcomes[0].error.as_deref().unwrap();
    assert!(
        said.contains("'testbed'") && said.contains("POSTROOM_OAUTH_FILE"),
        "{said}"
    );
    assert_eq!(rig.refreshes(&user).await, 0);
    let grant = rig.grant(connected.grant).await;
    assert!(
        grant.refresh_unanswered_since.is_none(),
        "the provider was not asked"
    );
}

async fn an_endless_fault_is_given_up_and_asking_begins_anew_when_it_is_needed(rig: Rig) {
    let (running, user, connected) = connected(&rig, "endless").await;
    let endless = fault(
        &rig,
        Fault::for_user(FaultMode::Unavailable, &user).until_removed(),
    )
    .await;
    let event = rig.reject(&running, connected, 1).await;
    rig.is_tried_again(event).await;
    rig.has_been_tried_for(event, Duration::from_secs(3 * 24 * 3600 + 60))
        .await;
    let letter = eventually(PATIENCE, "it to be given up", async || {
        let letters = dead_letters::open(rig.store.read(), None, 10).await.unwrap();
        letters.into_iter().next()
    })
    .await;
    assert!(letter.reason.contains("is busy"), "{}", letter.reason);
    assert_eq!(rig.grant(connected.grant).await.state, GrantState::Active);
    endless.remove().await.unwrap();
    rig.reject(&running, connected, 1).await;
    rig.reaches(connected.grant, 2).await;
}
