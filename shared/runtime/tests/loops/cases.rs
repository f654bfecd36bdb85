//! What holds in both worlds.

use std::time::Duration;

use postroom_events::{EventEnvelope, ReplayId};
use postroom_store::{handled, retries};
use postroom_test_support::eventually;
use uuid::Uuid;

use crate::{
    scripted::{CONSUMER, Script, Scripted},
    world::{PATIENCE, World},
};

/// Waits until the consumer has handled the event for good.
async fn is_done(world: &World, envelope: &EventEnvelope) {
    let key = (envelope.id, ReplayId::FIRST_RUN);
    let done = || async {
        handled::already(world.store.read(), CONSUMER, &[key])
            .await
            .unwrap()
            .contains(&key)
    };
    eventually(PATIENCE, "the event to be handled for good", done).await;
}

pub(crate) async fn an_event_is_handled_once_and_what_it_causes_names_it(mut world: World) {
    let handler = Scripted::default();
    world.run(&handler);
    let committed = world.commit(0, 300).await;
    for envelope in &committed {
        is_done(&world, envelope).await;
    }
    let expected: Vec<_> = (0..300).map(|n| (n, 1)).collect();
    assert_eq!(handler.applied(), expected, "in order, each once");
    let caused = world.caused_by(&committed[7]).await;
    assert_eq!(caused.len(), 1);
    assert_eq!(caused[0].correlation_id, committed[7].correlation_id);
    assert_eq!(
        (caused[0].source.as_str(), caused[0].sequence),
        (CONSUMER.name(), 2)
    );
    let outcomes = handled::outcomes(world.store.read(), committed[7].id)
        .await
        .unwrap();
    assert_eq!(outcomes.len(), 1);
    let outcome = &outcomes[0];
    assert_eq!(
        (
            outcome.verdict.as_str(),
            outcome.attempt,
            outcome.error.as_deref()
        ),
        ("done", 1, None)
    );
    assert_eq!(outcome.caused, serde_json::json!([caused[0].id]));
    assert_eq!(
        outcome.answers,
        serde_json::json!([{"call": "test.call", "class": "accepted", "code": "250"}])
    );
    world.stop().await;
}

pub(crate) async fn a_second_delivery_changes_nothing(mut world: World) {
    let handler = Scripted::default();
    world.run(&handler);
    let committed = world.commit(1, 2).await;
    is_done(&world, &committed[0]).await;
    for _ in 0..3 {
        world.deliver(&committed[0], ReplayId::FIRST_RUN).await;
    }
    let last = world.commit(2, 3).await; // comes after them in the queue
    is_done(&world, &last[0]).await;
    assert_eq!(handler.applied(), [(1, 1), (2, 1)]);
    assert_eq!(world.caused_by(&committed[0]).await.len(), 1);
}

pub(crate) async fn two_loops_that_get_the_same_event_apply_it_once(mut world: World) {
    let handler = Scripted::new([(1, Script::Slow(Duration::from_millis(400)))]);
    let options = postroom_runtime::LoopOptions {
        max_batch: 1,
        prefetch: 1,
        ..crate::world::OPTIONS
    };
    for _ in 0..2 {
        world.run_with(&handler, options);
    }
    let envelope = world.commit(1, 2).await.remove(0);
    world.deliver(&envelope, ReplayId::FIRST_RUN).await;
    world.deliver(&envelope, ReplayId::FIRST_RUN).await;
    is_done(&world, &envelope).await;
    let last = world.commit(2, 3).await;
    is_done(&world, &last[0]).await;
    assert_eq!(
        world.caused_by(&envelope).await.len(),
        1,
        "applied once, however often it was tried"
    );
    assert!(world.dead_letters().await.is_empty());
}

pub(crate) async fn a_retry_comes_at_its_time_to_its_consumer(mut world: World) {
    let wait = Duration::from_millis(2_200);
    let handler = Scripted::new([(1, Script::RetryAfter(wait, 2))]);
    world.run(&handler);
    let committed = world.commit(1, 3).await;
    is_done(&world, &committed[1]).await;
    assert!(
        retries::planned(world.store.read(), committed[0].id)
            .await
            .unwrap()
    );
    is_done(&world, &committed[0]).await;
    let seen: Vec<_> = handler
        .seen()
        .into_iter()
        .filter(|seen| seen.number == 1)
        .collect();
    assert_eq!(
        seen.iter().map(|seen| seen.attempt).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    for pair in seen.windows(2) {
        let waited = pair[1].at - pair[0].at;
        assert!(waited >= wait, "not before its time, but after {waited:?}");
        assert!(
            waited < wait + Duration::from_secs(3),
            "soon after its time, but after {waited:?}"
        );
    }
    assert_eq!(
        world.caused_by(&committed[0]).await.len(),
        3,
        "what it wrote before it asked for a retry stays"
    );
    let planned = || async {
        !retries::planned(world.store.read(), committed[0].id)
            .await
            .unwrap()
    };
    eventually(PATIENCE, "the retry to be forgotten", planned).await;
}

pub(crate) async fn what_fails_for_good_is_given_up_and_its_neighbours_stay(mut world: World) {
    let handler = Scripted::new([(3, Script::FailsForGood)]);
    let committed = world.commit(0, 6).await;
    world.run(&handler);
    for envelope in &committed {
        is_done(&world, envelope).await;
    }
    for (number, envelope) in committed.iter().enumerate() {
        let expected = usize::from(number != 3);
        assert_eq!(
            world.caused_by(envelope).await.len(),
            expected,
            "what event {number} caused"
        );
    }
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].event_id, letters[0].attempts),
        (Some(committed[3].id), 1)
    );
    assert_eq!(letters[0].reason, "there is no such thing");
    assert_eq!(letters[0].tenant_id, Some(world.tenant));
}

pub(crate) async fn what_is_out_of_attempts_is_given_up(mut world: World) {
    let handler = Scripted::new([(1, Script::FailsForNow)]);
    world.run(&handler);
    let committed = world.commit(1, 2).await;
    is_done(&world, &committed[0]).await;
    assert_eq!(handler.applied(), [(1, 1), (1, 2), (1, 3)]);
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "Given up after 3 attempts: the weather is bad");
    assert_eq!(letters[0].attempts, 3);
    assert!(world.caused_by(&committed[0]).await.is_empty());
    let verdicts: Vec<_> = handled::outcomes(world.store.read(), committed[0].id)
        .await
        .unwrap();
    let verdicts: Vec<_> = verdicts
        .iter()
        .map(|outcome| (outcome.attempt, outcome.verdict.as_str()))
        .collect();
    assert_eq!(verdicts, [(1, "retry"), (2, "retry"), (3, "dead_letter")]);
}

pub(crate) async fn a_handler_that_panics_fails_its_own_event(mut world: World) {
    let handler = Scripted::new([(1, Script::Panics)]);
    let committed = world.commit(0, 3).await;
    world.run(&handler);
    for envelope in &committed {
        is_done(&world, envelope).await;
        assert_eq!(world.caused_by(envelope).await.len(), 1);
    }
    handler.has_seen(1, 2).await;
    assert!(world.dead_letters().await.is_empty());
}

pub(crate) async fn what_was_done_outside_is_handed_to_the_transaction(mut world: World) {
    let handler = Scripted::new([(1, Script::FailsOutside)]);
    world.run(&handler);
    let committed = world.commit(1, 3).await;
    let begun = tokio::time::Instant::now();
    is_done(&world, &committed[0]).await;
    assert!(
        begun.elapsed() >= Duration::from_millis(1500),
        "as long as the server asked us to wait"
    );
    let mut seen: Vec<_> = handler
        .seen()
        .iter()
        .map(|seen| (seen.number, seen.attempt, seen.acted))
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [(1, 2, 1001), (2, 1, 1002)],
        "nothing was applied when nothing was done"
    );
    let outcomes = handled::outcomes(world.store.read(), committed[0].id)
        .await
        .unwrap();
    assert_eq!(outcomes[0].error_class.as_deref(), Some("acting"));
    assert_eq!(outcomes[0].answers[0]["code"], "421");
}

pub(crate) async fn a_handler_that_takes_too_long_is_tried_again(mut world: World) {
    let handler = Scripted::new([(1, Script::HangsOutside)]);
    world.run(&handler);
    let committed = world.commit(1, 2).await;
    is_done(&world, &committed[0]).await;
    assert_eq!(handler.applied(), [(1, 2)]);
}

pub(crate) async fn an_event_of_a_newer_build_waits_and_a_broken_one_is_given_up(mut world: World) {
    let handler = Scripted::default();
    world.run(&handler);
    let committed = world.commit(1, 2).await;
    let of_type = |event_type: &str, data: serde_json::Value| EventEnvelope {
        id: postroom_events::EventId::generate(),
        event_type: event_type.to_owned(),
        data,
        ..committed[0].clone()
    };
    let newer = of_type("postroom.account.connected.v9", committed[0].data.clone());
    let broken = of_type(
        "postroom.account.connected.v1",
        serde_json::json!({"account_id": 7}),
    );
    world.deliver(&newer, ReplayId::FIRST_RUN).await;
    world.deliver(&broken, ReplayId::FIRST_RUN).await;
    is_done(&world, &broken).await;
    is_done(&world, &newer).await;
    let letters = world.dead_letters().await;
    let attempts = |id| {
        letters
            .iter()
            .find(|letter| letter.event_id == Some(id))
            .unwrap()
            .attempts
    };
    assert_eq!(
        attempts(newer.id),
        3,
        "its readers may be rolled out in the meantime"
    );
    assert_eq!(attempts(broken.id), 1, "it will never be whole");
}

pub(crate) async fn a_replay_is_handled_again_and_a_second_one_is_not(mut world: World) {
    let handler = Scripted::default();
    world.run(&handler);
    let committed = world.commit(1, 2).await;
    is_done(&world, &committed[0]).await;
    let replay = ReplayId(Uuid::now_v7());
    world.deliver(&committed[0], replay).await;
    world.deliver(&committed[0], replay).await;
    let last = world.commit(2, 3).await;
    is_done(&world, &last[0]).await;
    assert_eq!(handler.applied(), [(1, 1), (1, 1), (2, 1)]);
}
