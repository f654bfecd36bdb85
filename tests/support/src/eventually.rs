//! Waiting for something that happens elsewhere, in its own time.

use std::fmt::Display;
use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long to rest between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// What a look can give: `true`, `Some` and `Ok` end the wait; `false`, `None` and `Err` let it go on.
pub trait Awaited {
    /// What is there when the wait is over.
    type Value;
    /// The value, or what was seen instead.
    fn seen(self) -> Result<Self::Value, String>;
}

impl Awaited for bool {
    type Value = ();
    fn seen(self) -> Result<(), String> {
        if self {
            Ok(())
        } else {
            Err("it was not so".to_owned())
        }
    }
}

impl<T> Awaited for Option<T> {
    type Value = T;
    fn seen(self) -> Result<T, String> {
        self.ok_or_else(|| "there was nothing".to_owned())
    }
}

impl<T, E: Display> Awaited for Result<T, E> {
    type Value = T;
    fn seen(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Looks again and again until `look` sees what is awaited, and returns it.
///
/// `what` completes the sentence "waited 5s for ...".
///
/// # Panics
/// When `timeout` is over: with `what`, and with what the last look saw.
#[track_caller]
pub fn eventually<F, L>(
    timeout: Duration,
    what: &str,
    mut look: F,
) -> impl Future<Output = <L::Output as Awaited>::Value>
where
    F: FnMut() -> L,
    L: Future,
    L::Output: Awaited,
{
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + timeout;
        loop {
            match look().await.seen() {
                Ok(value) => return value,
                Err(last) if Instant::now() >= deadline => {
                    panic!("{caller}: waited {timeout:?} for {what}; at the last look: {last}")
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}
