//! The refresher against a real OpenID provider, on both databases and buses.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test says what went wrong by panicking

mod asking;
mod faults;
mod log;
mod obtained;
mod outage;
mod process;
mod provider;
mod reauthorization;
mod refreshing;
mod registrations;
mod release;
mod rig;
mod rotation;
mod secrets;

/// Writes each case once and runs it in both worlds.
macro_rules! in_both_worlds {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::rig::Rig::new(crate::rig::World::Embedded).await).await;
            })*
        }
        mod distributed {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::rig::Rig::new(crate::rig::World::Distributed).await).await;
            })*
        }
    };
}
pub(crate) use in_both_worlds;
