//! The usual life: due, announced, refreshed once, told.

use std::time::Duration;

use chrono::TimeDelta;
use postroom_events::Event;
use postroom_store::{accounts, refreshes};
use postroom_test_support::{Fault, FaultMode, Settings, eventually};

use crate::rig::{PATIENCE, Rig, World, quick};

crate::in_both_worlds!(
    a_due_grant_is_announced_refreshed_and_told,
    a_rejected_token_is_replaced_and_an_older_ones_rejection_does_nothing,
    a_connected_grant_without_a_time_gets_one,
    a_paused_account_keeps_no_token_alive_and_a_rejection_wakes_it,
    many_ask_and_one_refreshes,
    it_stops_promptly_and_ends_what_it_began,
);

async fn a_due_grant_is_announced_refreshed_and_told(rig: Rig) {
    let user = rig.user("due").await;
    let lifetime = Settings {
        access_token_ttl: Some(1000),
        ..Settings::default()
    };
    rig.testbed.openid().configure(&user, lifetime).await.unwrap();
    let running = rig.start().await;
    let due = rig.now().await;
    let connected = rig.connect_due(&running, &user, Some(due)).await;
    let grant = rig.reaches(connected.grant, 2).await;

    let told = rig.told(connected.grant.0).await;
    let [
        (expiring, Event::TokenExpiring(announced)),
        (refreshed, Event::TokenRefreshed(fresh)),
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((announced.token_version, fresh.token_version), (1, 2));
    assert_eq!(refreshed.causation_id, Some(expiring.id));
    assert_eq!(refreshed.correlation_id, expiring.correlation_id);
    assert_eq!(fresh.expires_at, grant.access_expires_at);
    let lives = grant.access_expires_at.unwrap() - due;
    assert!(
        (TimeDelta::seconds(990)..TimeDelta::seconds(1030)).contains(&lives),
        "{lives}"
    );
    let next = grant.refresh_due_at.unwrap() - due;
    assert!(
        (TimeDelta::seconds(740)..TimeDelta::seconds(930)).contains(&next),
        "{next}"
    );
    rig.handled(expiring.id).await;
    let outcomes = postroom_store::handled::outcomes(rig.store.read(), expiring.id)
        .await
        .unwrap();
    assert_eq!(outcomes[0].answers[0]["call"], "token.refresh");
    let caused = serde_json::json!([refreshed.id]);
    assert_eq!(outcomes[0].caused, caused, "what act wrote is known, too");
    assert_eq!(rig.refreshes(&user).await, 1);
    assert!(grant.refresh_holder.is_none() && grant.refresh_unanswered_since.is_none());
}

async fn a_rejected_token_is_replaced_and_an_older_ones_rejection_does_nothing(rig: Rig) {
    let user = rig.user("rejected").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let before = rig.tokens(connected.grant).await;
    // Strict rotation: each refresh needs what the one before it has stored.
    for version in 1..=3 {
        let event = rig.reject(&running, connected, version).await;
        rig.reaches(connected.grant, version + 1).await;
        rig.handled(event).await;
    }
    let after = rig.tokens(connected.grant).await;
    assert!(before.0 != after.0 && before.1 != after.1);
    assert_eq!(rig.refreshes(&user).await, 3);
    let late = rig.reject(&running, connected, 2).await;
    rig.handled(late).await;
    assert_eq!(rig.refreshes(&user).await, 3, "it is about tokens that are gone");
    assert_eq!(rig.grant(connected.grant).await.token_version, 4);
}

async fn a_connected_grant_without_a_time_gets_one(rig: Rig) {
    let user = rig.user("unplanned").await;
    let running = rig.start().await;
    let connected = rig.connect_due(&running, &user, None).await;
    let due = eventually(PATIENCE, "a time", async || {
        rig.grant(connected.grant).await.refresh_due_at
    })
    .await;
    let wait = due - rig.now().await;
    assert!(
        (TimeDelta::minutes(40)..TimeDelta::minutes(55)).contains(&wait),
        "{wait}"
    );
}

async fn a_paused_account_keeps_no_token_alive_and_a_rejection_wakes_it(rig: Rig) {
    let user = rig.user("paused").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    pause(&rig, connected, true).await;
    let now = rig.now().await;
    let tx = rig.store.begin("test.due").await.unwrap();
    refreshes::set_due(&tx, &[connected.grant], now).await.unwrap();
    tx.commit().await.unwrap();
    eventually(PATIENCE, "it to be put off", async || {
        let due = rig.grant(connected.grant).await.refresh_due_at.unwrap();
        due > now + TimeDelta::hours(23)
    })
    .await;
    assert_eq!(rig.refreshes(&user).await, 0);

    pause(&rig, connected, false).await;
    rig.reject(&running, connected, 1).await;
    rig.reaches(connected.grant, 2).await;

    // As long as this is not much longer ago than a refresh token lives, it is refreshed all the same.
    pause(&rig, connected, true).await;
    running.stop().await;
    let eager = token_refresher::RefresherSettings {
        unused_refresh_every: Duration::from_millis(1),
        ..quick()
    };
    let _running = rig.start_with(eager).await;
    let now = rig.now().await;
    let tx = rig.store.begin("test.due").await.unwrap();
    refreshes::set_due(&tx, &[connected.grant], now).await.unwrap();
    tx.commit().await.unwrap();
    rig.reaches(connected.grant, 3).await;
}

async fn pause(rig: &Rig, connected: crate::rig::Connected, paused: bool) {
    let tx = rig.store.begin("test.pause").await.unwrap();
    accounts::set_paused(&tx, connected.account, paused)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Two processes where there may be two; several loops in each.
async fn many_ask_and_one_refreshes(rig: Rig) {
    let user = rig.user("many").await;
    let running = rig.start().await;
    let second = match rig.world {
        World::Distributed => Some(rig.start().await),
        World::Embedded => None,
    };
    let due = rig.now().await + TimeDelta::seconds(1);
    let connected = rig.connect_due(&running, &user, Some(due)).await;
    let other = rig
        .connect_to(&running, connected.grant, "shared@example.test")
        .await;
    let slow = Fault::for_user(FaultMode::Slow, &user)
        .delay(Duration::from_millis(1500))
        .until_removed();
    rig.testbed.openid().set_fault(slow).await.unwrap();
    let mut asked = Vec::new();
    for round in 0..10 {
        let account = if round % 2 == 0 { connected.account } else { other };
        let rejected = crate::rig::Connected { account, ..connected };
        asked.push(rig.reject(&running, rejected, 1).await);
    }
    rig.reaches(connected.grant, 2).await;
    for event in asked {
        rig.handled(event).await;
    }
    assert_eq!(rig.refreshes(&user).await, 1);
    let refreshed = |event: &Event| matches!(event, Event::TokenRefreshed(_));
    assert_eq!(rig.count(connected.grant.0, refreshed).await, 1);
    drop(second);
}

async fn it_stops_promptly_and_ends_what_it_began(rig: Rig) {
    let user = rig.user("stop").await;
    let running = rig.start().await;
    let connected = rig.connect(&running, &user).await;
    let slow = Fault::for_user(FaultMode::Slow, &user).delay(Duration::from_millis(1000));
    let fault = rig.testbed.openid().set_fault(slow).await.unwrap();
    rig.reject(&running, connected, 1).await;
    eventually(PATIENCE, "the request", async || fault.hits().await.unwrap() == 1).await;
    let took = running.stop().await;
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(
        rig.grant(connected.grant).await.token_version,
        2,
        "its answer was waited for"
    );
}
