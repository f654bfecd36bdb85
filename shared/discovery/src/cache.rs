//! Answers that are remembered for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postroom_retry::Clock;

use crate::discovered::Discovered;
use crate::error::DiscoveryError;

type Answer = Result<Discovered, DiscoveryError>;

/// The last answers, by address: at most so many, each until its time is over.
#[derive(Debug)]
pub(crate) struct Cache {
    clock: Arc<dyn Clock>,
    limit: usize,
    keep_found: Duration,
    keep_missing: Duration,
    answers: Mutex<HashMap<String, (Instant, Answer)>>,
}

impl Cache {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        limit: usize,
        keep_found: Duration,
        keep_missing: Duration,
    ) -> Self {
        Self {
            clock,
            limit,
            keep_found,
            keep_missing,
            answers: Mutex::default(),
        }
    }

    pub(crate) fn get(&self, address: &str) -> Option<Answer> {
        let now = self.clock.monotonic();
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, answer) = answers.get(address)?;
        (*until > now).then(|| answer.clone())
    }

    pub(crate) fn put(&self, address: &str, answer: &Answer) {
        let keep = match answer {
            Ok(_) => self.keep_found,
            Err(error) if error.is_temporary() => return,
            Err(_) => self.keep_missing,
        };
        if self.limit == 0 {
            return;
        }
        let now = self.clock.monotonic();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= self.limit && !answers.contains_key(address) {
            answers.retain(|_, (until, _)| *until > now);
        }
        if answers.len() >= self.limit && !answers.contains_key(address) {
            // Still full: whoever would have gone next goes now.
            let next = answers.iter().min_by_key(|(_, (until, _))| *until);
            if let Some(next) = next.map(|(address, _)| address.clone()) {
                answers.remove(&next);
            }
        }
        answers.insert(address.to_owned(), (now + keep, answer.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use postroom_retry::ManualClock;

    fn missing(temporary: bool) -> Answer {
        Err(DiscoveryError::NotFound {
            domain: "x.example".to_owned(),
            tried: Vec::new(),
            no_such_domain: false,
            temporary,
        })
    }

    #[test]
    fn answers_are_kept_for_their_time_and_never_too_many() {
        let clock = ManualClock::new(chrono::DateTime::UNIX_EPOCH);
        let cache = Cache::new(
            Arc::new(clock.clone()),
            3,
            Duration::from_secs(3600),
            Duration::from_secs(60),
        );
        cache.put("temporary", &missing(true));
        assert!(cache.get("temporary").is_none());
        cache.put("a", &missing(false));
        clock.advance(Duration::from_secs(59));
        assert_eq!(cache.get("a"), Some(missing(false)));
        cache.put("b", &missing(false));
        cache.put("c", &missing(false));
        cache.put("d", &missing(false));
        assert!(cache.get("a").is_none(), "it would have gone next");
        assert!(["b", "c", "d"].iter().all(|address| cache.get(address).is_some()));
        clock.advance(Duration::from_secs(60));
        assert!(cache.get("d").is_none(), "over");
        assert_eq!(cache.answers.lock().unwrap().len(), 3);
    }
}
