//! The corpus: how many messages, from which seed, to whom.

use chrono::{DateTime, Utc};

use crate::compose::compose;
use crate::random::{Purpose, Random};

/// How many messages the benches sync.
pub const BENCH_COUNT: u64 = 20_000;
/// The seed of the benches' corpus.
pub const BENCH_SEED: u64 = 1;

/// 2019-03-04 06:00 UTC, when the first message arrived, in seconds since 1970.
const FIRST: i64 = 1_551_679_200;
/// Six years, in seconds: the last message arrived so long after the first.
const SPAN: u64 = 189_345_600;

/// A mailbox of `count` messages that follow from `seed`.
#[derive(Clone, Debug)]
pub struct Corpus {
    pub(crate) seed: u64,
    pub(crate) count: u64,
    pub(crate) recipient: String,
}

/// A message as it lies on the server.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its number in the corpus, from 0; also its order of arrival.
    pub index: u64,
    /// Its source, with CRLF line ends.
    pub raw: Vec<u8>,
    /// When it arrived (INTERNALDATE).
    pub received_at: DateTime<Utc>,
    /// Its flags.
    pub flags: Flags,
}

/// The system flags of a message (RFC 9051 section 2.3.2) that the corpus uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// `\Seen`
    pub seen: bool,
    /// `\Answered`
    pub answered: bool,
    /// `\Flagged`
    pub flagged: bool,
}

impl Corpus {
    /// The corpus of a seed. Its dates depend on `count` (they are spread over six years), its words do not.
    #[must_use]
    pub fn new(seed: u64, count: u64) -> Self {
        Self {
            seed,
            count,
            recipient: "pat@postroom.example".to_owned(),
        }
    }

    /// The same corpus, written to another address. The benches' corpus keeps the default, so that its bytes stay the same.
    #[must_use]
    pub fn addressed_to(mut self, address: &str) -> Self {
        address.clone_into(&mut self.recipient);
        self
    }

    /// How many messages there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Message number `index`, written anew at each call.
    #[must_use]
    pub fn message(&self, index: u64) -> Mail {
        Mail {
            index,
            raw: compose(self, index),
            received_at: self.received_at(index),
            flags: self.flags(index),
        }
    }

    /// All messages in their order of arrival, one at a time.
    pub fn messages(&self) -> impl Iterator<Item = Mail> + '_ {
        (0..self.count).map(|index| self.message(index))
    }

    /// When a message arrived: each has its own slot of the six years, so that arrival follows the number.
    pub(crate) fn received_at(&self, index: u64) -> DateTime<Utc> {
        let slot = (SPAN / self.count.max(1)).max(1);
        let jitter = Random::stream(self.seed, Purpose::Date, index).below(slot);
        DateTime::from_timestamp(FIRST + (index * slot + jitter) as i64, 0).unwrap_or_default()
    }

    /// Old mail is read, new mail less so.
    fn flags(&self, index: u64) -> Flags {
        let mut random = Random::stream(self.seed, Purpose::Date, !index);
        let age = 1000 - (index * 1000 / self.count.max(1)).min(1000);
        let seen = random.chance(600 + age * 38 / 100);
        Flags {
            seen,
            answered: seen && random.chance(180),
            flagged: random.chance(40),
        }
    }
}
