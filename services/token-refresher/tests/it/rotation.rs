//! Refresh tokens that are replaced at every refresh, and answers that get lost.

use std::time::Duration;

use postroom_events::{AccountState, EventId, GrantState, WhoCanAct};
use postroom_store::refreshes::{self, Hold, RefreshRequest};
use postroom_test_support::{Fault, FaultMode, Rotation, Settings, TestUser, eventually};

use crate::{
    provider,
    rig::{Connected, PATIENCE, Rig},
};

crate::in_both_worlds!(
    a_lost_answer_is_asked_for_again_where_old_tokens_work,
    a_lost_answer_is_asked_for_again_and_named_where_they_do_not,
    a_killed_refresher_loses_nothing_where_old_tokens_work,
    a_refresher_that_died_before_it_stored_is_named_as_the_cause,
    a_refresher_that_died_before_it_asked_costs_nothing,
);

async fn rotates(rig: &Rig, user: &TestUser, rotation: Rotation) {
    let settings = Settings {
        rotation: Some(rotation),
        ..Settings::default()
    };
    rig.testbed.openid().configure(user, settings).await.unwrap();
}

async fn a_lost_answer_is_asked_for_again_where_old_tokens_work(rig: Rig) {
    let user = rig.user("lost-lenient").await;
    rotates(&rig, &user, Rotation::Lenient).await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let lost = Fault::for_user(FaultMode::DropAfter, &user);
    rig.testbed.openid().set_fault(lost).await.unwrap();
    let event = rig.reject(&running, connected, 1).await;
    rig.reaches(connected.grant, 2).await;
    rig.handled(event).await;
    assert_eq!(rig.verdicts(event).await, ["retry", "done"]);
    let grant = rig.grant(connected.grant).await;
    assert_eq!(grant.refresh_unanswered_since, None);
}

async fn a_lost_answer_is_asked_for_again_and_named_where_they_do_not(rig: Rig) {
    let user = rig.user("lost-strict").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let lost = Fault::for_user(FaultMode::DropAfter, &user);
    rig.testbed.openid().set_fault(lost).await.unwrap();
    let event = rig.reject(&running, connected, 1).await;
    rig.handled(event).await;
    assert_eq!(rig.refreshes(&user).await, 2, "the old token is tried once more");
    is_lost(&rig, connected).await;
}

async fn is_lost(rig: &Rig, connected: Connected) {
    let row = rig.account(connected.account).await;
    assert_eq!(
        (row.state, row.state_cause.as_deref(), row.state_who_can_act),
        (
            AccountState::NeedsReauthorization,
            Some("rotation_lost"),
            WhoCanAct::User
        )
    );
    let grant = rig.grant(connected.grant).await;
    assert!(
        grant.refresh_unanswered_since.is_some(),
        "when it was lost can still be told"
    );
}

async fn a_killed_refresher_loses_nothing_where_old_tokens_work(rig: Rig) {
    let user = rig.user("killed").await;
    rotates(&rig, &user, Rotation::Lenient).await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let slow = Fault::for_user(FaultMode::Slow, &user).delay(Duration::from_millis(1000));
    let fault = rig.testbed.openid().set_fault(slow).await.unwrap();
    let event = rig.reject(&running, connected, 1).await;
    eventually(PATIENCE, "the request", async || fault.hits().await.unwrap() == 1).await;
    running.kill().await;
    let grant = rig.grant(connected.grant).await;
    assert_eq!((grant.token_version, grant.refresh_holder), (1, Some(event)));

    let _running = rig.start().await;
    rig.reaches(connected.grant, 2).await;
    rig.handled(event).await;
    assert_eq!(rig.account(connected.account).await.state, AccountState::Syncing);
}

/// As after a crash between the provider's answer and our commit: the token was replaced, and nobody knows the new one.
async fn a_refresher_that_died_before_it_stored_is_named_as_the_cause(rig: Rig) {
    let user = rig.user("crash-strict").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let (_, refresh_token) = rig.tokens(connected.grant).await;
    held_by_the_dead(&rig, connected).await;
    provider::refresh(&rig, &refresh_token).await.unwrap();
    let event = rig.reject(&running, connected, 1).await;
    rig.handled(event).await;
    is_lost(&rig, connected).await;
    assert_eq!(
        rig.grant(connected.grant).await.state,
        GrantState::NeedsReauthorization
    );
}

async fn a_refresher_that_died_before_it_asked_costs_nothing(rig: Rig) {
    let user = rig.user("crash-early").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    held_by_the_dead(&rig, connected).await;
    let event = rig.reject(&running, connected, 1).await;
    rig.handled(event).await;
    let grant = rig.grant(connected.grant).await;
    assert_eq!((grant.token_version, grant.refresh_unanswered_since), (2, None));
}

/// Leaves the grant as a process leaves it that dies in the middle, after its time has run out.
async fn held_by_the_dead(rig: &Rig, connected: Connected) {
    let request = RefreshRequest {
        tenant_id: rig.tenant_id,
        grant_id: connected.grant,
        token_version: 1,
        by: EventId::generate(),
    };
    let hold = refreshes::hold(&rig.store, &request, Duration::from_millis(1))
        .await
        .unwrap();
    assert!(matches!(hold, Hold::Held(_)), "{hold:?}");
    tokio::time::sleep(Duration::from_millis(20)).await;
}
