//! The event loops in both worlds: embedded (SQLite and its queues) and distributed (PostgreSQL, RabbitMQ).

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test says what went wrong by panicking

mod cases;
mod collisions;
mod faults;
mod scripted;
mod world;

macro_rules! in_both_worlds {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::cases::$case(super::world::World::embedded().await).await;
            })*
        }
        mod distributed {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::cases::$case(super::world::World::distributed().await).await;
            })*
        }
    };
}

in_both_worlds!(
    an_event_is_handled_once_and_what_it_causes_names_it,
    a_second_delivery_changes_nothing,
    two_loops_that_get_the_same_event_apply_it_once,
    a_retry_comes_at_its_time_to_its_consumer,
    what_fails_for_good_is_given_up_and_its_neighbours_stay,
    what_is_out_of_attempts_is_given_up,
    a_handler_that_panics_fails_its_own_event,
    what_was_done_outside_is_handed_to_the_transaction,
    a_handler_that_takes_too_long_is_tried_again,
    an_event_of_a_newer_build_waits_and_a_broken_one_is_given_up,
    a_replay_is_handled_again_and_a_second_one_is_not,
);
