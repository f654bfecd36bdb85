//! How busy a lane is, and when whoever waits has his turn. Pure: times are given.

use std::time::{Duration, Instant};

/// What a mail takes before anything is known of the server: too little, so that nobody is sent away for nothing.
const FIRST_GUESS: Duration = Duration::from_millis(20);
/// A mail that takes longer says more about itself than about the next ones: a server that hung for a minute and is well
/// again must not keep everybody away.
const SLOWEST: Duration = Duration::from_secs(1);
/// Nobody is sent away for longer: the lane may be free again by then.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Why nobody needs to try for a while.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) until: Instant,
    /// Stable snake_case code.
    pub(crate) cause: &'static str,
    /// A sentence, or the server's words.
    pub(crate) words: String,
}

/// Come again after this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Later {
    pub(crate) wait: Duration,
    /// Stable snake_case code.
    pub(crate) cause: &'static str,
    /// A sentence, or the server's words.
    pub(crate) words: Option<String>,
}

#[derive(Debug)]
pub(super) struct Book {
    size: u32,
    pub(super) waiting: u32,
    /// When each turn began that is not over.
    running: Vec<Instant>,
    /// How long a turn takes, the last ones counting most.
    mean: Duration,
    /// When whoever is sent away next has his turn.
    next_turn: Option<Instant>,
    trouble: Option<Trouble>,
    /// Ways in that failed in a row.
    failures: u32,
}

impl Book {
    pub(super) fn new(size: u32) -> Self {
        Self {
            size,
            waiting: 0,
            running: Vec::new(),
            mean: FIRST_GUESS,
            next_turn: None,
            trouble: None,
            failures: 0,
        }
    }

    /// Whether a turn can be expected within `patience`.
    pub(super) fn may_wait(&mut self, now: Instant, patience: Duration) -> Result<(), Later> {
        self.no_trouble(now)?;
        let hangs = |began: &Instant| now.duration_since(*began) > patience;
        let all_hang = self.running.len() >= self.size as usize && self.running.iter().all(hangs);
        if all_hang || self.mean * self.waiting / self.size > patience {
            return Err(self.later(now, now + patience));
        }
        Ok(())
    }

    /// Begins a turn, unless there is trouble since one waits for it.
    pub(super) fn begin(&mut self, now: Instant) -> Result<(), Later> {
        self.no_trouble(now)?;
        self.running.push(now);
        Ok(())
    }

    pub(super) fn end(&mut self, began: Instant, now: Instant) {
        if let Some(at) = self.running.iter().position(|running| *running == began) {
            self.running.swap_remove(at);
        }
        let took = now.duration_since(began).min(SLOWEST);
        self.mean = (self.mean * 3 + took) / 4;
    }

    pub(super) fn trouble(&mut self, trouble: impl FnOnce(u32) -> Trouble) {
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some(trouble(self.failures));
    }

    pub(super) fn calm(&mut self) {
        self.trouble = None;
        self.failures = 0;
    }

    /// Whether forgetting this book would forget something: turns that were given, and how long the trouble lasts already.
    pub(super) fn has_news(&self, now: Instant) -> bool {
        let given = self.next_turn.is_some_and(|turn| turn > now);
        let troubled = |trouble: &Trouble| trouble.until + LONGEST_WAIT > now;
        given || self.trouble.as_ref().is_some_and(troubled)
    }

    fn no_trouble(&mut self, now: Instant) -> Result<(), Later> {
        match self.trouble.clone().filter(|trouble| trouble.until > now) {
            None => Ok(()),
            Some(trouble) => Err(Later {
                cause: trouble.cause,
                words: Some(trouble.words),
                ..self.later(now, trouble.until)
            }),
        }
    }

    /// The next free turn, not before `earliest`: one after the other, so that nobody is called in vain.
    pub(super) fn later(&mut self, now: Instant, earliest: Instant) -> Later {
        let turn = self.next_turn.map_or(earliest, |turn| turn.max(earliest));
        let turn = turn.min(now + LONGEST_WAIT);
        self.next_turn = Some(turn + self.mean / self.size);
        Later {
            wait: turn.duration_since(now),
            cause: "waits_for_its_turn",
            words: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(2);

    fn second(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_fast_server_keeps_many_waiting_and_a_slow_one_few() {
        let now = Instant::now();
        let mut book = Book::new(1);
        for _ in 0..20 {
            book.end(now, now + Duration::from_millis(10));
        }
        book.waiting = 100;
        assert!(book.may_wait(now, PATIENCE).is_ok(), "{book:?}");
        for _ in 0..20 {
            book.end(now, now + second(1));
        }
        book.waiting = 3;
        assert!(book.may_wait(now, PATIENCE).is_err(), "{book:?}");
    }

    #[test]
    fn whoever_is_sent_away_comes_one_after_the_other() {
        let now = Instant::now();
        let mut book = Book::new(2);
        let waits: Vec<_> = (0..3).map(|_| book.later(now, now + PATIENCE).wait).collect();
        assert_eq!(
            waits,
            [PATIENCE, PATIENCE + FIRST_GUESS / 2, PATIENCE + FIRST_GUESS]
        );
        for _ in 0..100_000 {
            book.later(now, now);
        }
        assert_eq!(book.later(now, now).wait, LONGEST_WAIT);
        assert!(book.has_news(now) && !book.has_news(now + LONGEST_WAIT * 2));
    }

    #[test]
    fn nobody_waits_for_a_connection_that_hangs() {
        let now = Instant::now();
        let mut book = Book::new(1);
        book.begin(now).unwrap();
        assert!(book.may_wait(now + second(1), PATIENCE).is_ok());
        assert!(book.may_wait(now + second(3), PATIENCE).is_err());
        book.end(now, now + second(60));
        assert!(book.may_wait(now + second(60), PATIENCE).is_ok());
    }

    #[test]
    fn trouble_keeps_everybody_away_until_it_is_over_also_those_who_wait_already() {
        let now = Instant::now();
        let mut book = Book::new(1);
        for failures in 1..3 {
            book.trouble(|count| {
                assert_eq!(count, failures);
                Trouble {
                    until: now + second(10),
                    cause: "timed_out",
                    words: "No answer.".into(),
                }
            });
        }
        let later = book.may_wait(now, PATIENCE).unwrap_err();
        assert_eq!((later.wait, later.cause), (second(10), "timed_out"));
        assert!(book.begin(now).is_err());
        assert!(book.begin(now + second(10)).is_ok());
        book.calm();
        assert!(book.may_wait(now, PATIENCE).is_ok());
    }
}
