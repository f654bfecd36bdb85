//! Numbers that look like chance and are the same for ever: SplitMix64, written out here so that no crate's next version can change
//! them. Integers only, because the last bit of a `powf` differs between machines.

/// What a stream of numbers is for. Streams of one message do not touch one another, so that a reply can quote its parent's
/// opening without writing the whole parent.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Message = 1,
    Opening = 2,
    Conversation = 3,
    Reply = 4,
    Identity = 5,
    Date = 6,
    Person = 7,
    Lexicon = 8,
    Subject = 9,
}

/// One stream of numbers.
pub(crate) struct Random(u64);

impl Random {
    /// The stream for one purpose of one thing (a message, a conversation, a person) under a seed.
    pub(crate) fn stream(seed: u64, purpose: Purpose, index: u64) -> Self {
        Self(mix(mix(seed ^ mix(purpose as u64)) ^ index))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 up to and not including `bound`; 0 when `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both possible.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in `per_mille` of a thousand calls.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// Any item, each as likely.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// An item, the earlier ones of the list more likely.
    pub(crate) fn pick_early<T: Copy>(&mut self, items: &[T]) -> T {
        let (one, other) = (self.below(items.len() as u64), self.below(items.len() as u64));
        items[one.min(other) as usize]
    }

    /// An item by its weight. The weights are small whole numbers whose sum is not 0.
    pub(crate) fn pick_weighted<T: Copy>(&mut self, items: &[(T, u64)]) -> T {
        let mut left = self.below(items.iter().map(|(_, weight)| weight).sum());
        for &(item, weight) in items {
            if left < weight {
                return item;
            }
            left -= weight;
        }
        items[items.len() - 1].0
    }

    /// `length` bytes without any pattern, like the inside of a compressed file.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
