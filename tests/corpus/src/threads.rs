//! Who answers whom. Messages are taken in blocks; within a block some belong to one of its conversations, and the first of a
//! conversation is its root. A message's place follows from its own number, so that nothing need be remembered.

use crate::random::{Purpose, Random};

const BLOCK: u64 = 256;
const CONVERSATIONS: u64 = 24;
/// Messages of a thousand that belong to a conversation.
const SHARE: u64 = 425;
/// References that mail programs keep when they shorten the field: the first and the latest.
const MOST_REFERENCES: usize = 20;

/// Where a message stands in its conversation.
pub(crate) struct Place {
    /// Its ancestors, the root first; empty for a root and for a message in no conversation.
    pub(crate) ancestors: Vec<u64>,
    /// The message itself.
    pub(crate) index: u64,
}

impl Place {
    pub(crate) fn of(seed: u64, index: u64) -> Self {
        let Some(own) = conversation(seed, index) else {
            return Self {
                ancestors: Vec::new(),
                index,
            };
        };
        let first = index / BLOCK * BLOCK;
        let members: Vec<u64> = (first..=index)
            .filter(|member| conversation(seed, *member) == Some(own))
            .collect();
        let mut ancestors = Vec::new();
        let mut at = members.len() - 1;
        while at > 0 {
            at = answered(seed, members[at], at);
            ancestors.push(members[at]);
        }
        ancestors.reverse();
        if ancestors.len() > MOST_REFERENCES {
            ancestors.drain(1..=ancestors.len() - MOST_REFERENCES);
        }
        Self { ancestors, index }
    }

    /// The first message of the conversation; the message itself when it answers none.
    pub(crate) fn root(&self) -> u64 {
        self.ancestors.first().copied().unwrap_or(self.index)
    }

    /// The message that this one answers.
    pub(crate) fn parent(&self) -> Option<u64> {
        self.ancestors.last().copied()
    }
}

/// The conversation of its block that a message belongs to. Low numbers are long conversations.
fn conversation(seed: u64, index: u64) -> Option<u64> {
    let mut random = Random::stream(seed, Purpose::Reply, index);
    if !random.chance(SHARE) {
        return None;
    }
    (0..3).map(|_| random.below(CONVERSATIONS)).min()
}

/// Which of the conversation's earlier members (0 is its root) the member at `at` answers: mostly the latest.
fn answered(seed: u64, index: u64, at: usize) -> usize {
    let mut random = Random::stream(seed, Purpose::Reply, !index);
    if random.chance(700) {
        at - 1
    } else {
        random.below(at as u64) as usize
    }
}
