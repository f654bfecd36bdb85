//! The numbers by which IMAP names messages, and sets of them.

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// A message's number within one folder and one UIDVALIDITY; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Uid(NonZeroU32);

impl Uid {
    /// The number as a UID; `None` for zero.
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number that says whether UIDs still mean what they meant. Zero is not allowed by the standard but is sent by
/// some servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UidValidity(pub u32);

impl fmt::Display for UidValidity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A modification sequence (RFC 7162): grows with every change in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ModSeq(pub u64);

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of UIDs, kept as ascending ranges; its text is a sequence set (RFC 3501 section 9). It may be open at its
/// end (`100:*`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
    open_from: Option<u32>,
}

impl UidSet {
    /// Every message of the folder (`1:*`).
    pub fn all() -> Self {
        Self {
            ranges: Vec::new(),
            open_from: Some(1),
        }
    }

    /// Every message from `first` on (`first:*`). A server answers this with the last message even when its UID is
    /// lower; such answers are dropped.
    pub fn starting_at(first: Uid) -> Self {
        Self {
            ranges: Vec::new(),
            open_from: Some(first.get()),
        }
    }

    /// One message.
    pub fn one(uid: Uid) -> Self {
        Self::range(uid..=uid)
    }

    /// All UIDs of a range; empty when its end is before its beginning.
    pub fn range(range: RangeInclusive<Uid>) -> Self {
        let ranges = if range.is_empty() {
            Vec::new()
        } else {
            vec![(range.start().get(), range.end().get())]
        };
        Self {
            ranges,
            open_from: None,
        }
    }

    /// Whether no message can be in it.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.open_from.is_none()
    }

    /// Whether it ends in `*`.
    pub fn is_open(&self) -> bool {
        self.open_from.is_some()
    }

    /// How many UIDs it holds; `None` when it is open at its end.
    pub fn len(&self) -> Option<u64> {
        match self.open_from {
            Some(_) => None,
            None => Some(
                self.ranges
                    .iter()
                    .map(|(first, last)| u64::from(last - first) + 1)
                    .sum(),
            ),
        }
    }

    /// Whether `uid` is in it.
    pub fn contains(&self, uid: Uid) -> bool {
        let uid = uid.get();
        if self.open_from.is_some_and(|first| uid >= first) {
            return true;
        }
        let after = self.ranges.partition_point(|(first, _)| *first <= uid);
        after > 0 && self.ranges[after - 1].1 >= uid
    }

    /// The same UIDs in sets whose text has about `max_text` bytes at most: servers cut long commands (RFC 2683
    /// section 3.2.1.5 advises 1,000 bytes to clients and 8,000 to servers).
    pub fn split(&self, max_text: usize) -> Vec<UidSet> {
        let mut sets = Vec::new();
        let mut current = UidSet::default();
        let mut text = 0;
        for (first, last) in &self.ranges {
            let length = range_text(*first, *last).len() + 1;
            if text + length > max_text && !current.ranges.is_empty() {
                sets.push(std::mem::take(&mut current));
                text = 0;
            }
            current.ranges.push((*first, *last));
            text += length;
        }
        current.open_from = self.open_from;
        if !current.is_empty() {
            sets.push(current);
        }
        sets
    }

    /// The UIDs one by one, ascending; what lies in the open end is left out.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges
            .iter()
            .flat_map(|(first, last)| *first..=*last)
            .filter_map(Uid::new)
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> Self {
        let sorted: BTreeSet<Uid> = uids.into_iter().collect();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for uid in sorted {
            let uid = uid.get();
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == uid => *last = uid,
                _ => ranges.push((uid, uid)),
            }
        }
        Self {
            ranges,
            open_from: None,
        }
    }
}

fn range_text(first: u32, last: u32) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}:{last}")
    }
}

impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts: Vec<String> = self
            .ranges
            .iter()
            .map(|(first, last)| range_text(*first, *last))
            .collect();
        texts.extend(self.open_from.map(|first| format!("{first}:*")));
        f.write_str(&texts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uid(number: u32) -> Uid {
        Uid::new(number).unwrap()
    }

    #[test]
    fn neighbours_become_a_range() {
        let set: UidSet = [9, 1, 2, 3, 7, 2].map(uid).into_iter().collect();
        assert_eq!(set.to_string(), "1:3,7,9");
        assert_eq!(set.len(), Some(5));
        assert!(
            set.contains(uid(2)) && !set.contains(uid(4)) && set.contains(uid(9)) && !set.contains(uid(10))
        );
    }

    #[test]
    fn an_open_set_holds_what_is_above_its_beginning_only() {
        let set = UidSet::starting_at(uid(100));
        assert_eq!(set.to_string(), "100:*");
        assert!(!set.contains(uid(99)) && set.contains(uid(u32::MAX)));
        assert_eq!(UidSet::all().to_string(), "1:*");
        assert_eq!(set.split(10), vec![set]);
    }

    #[test]
    fn an_inverted_range_is_empty() {
        assert!(UidSet::range(uid(5)..=uid(4)).is_empty());
    }

    proptest! {
        #[test]
        fn a_set_holds_its_uids_and_no_others(numbers in prop::collection::btree_set(1u32..400, 0..80)) {
            let set: UidSet = numbers.iter().copied().map(uid).collect();
            prop_assert_eq!(set.len(), Some(numbers.len() as u64));
            for number in 1..400 {
                prop_assert_eq!(set.contains(uid(number)), numbers.contains(&number));
            }
            let parts = set.split(30);
            prop_assert!(parts.iter().all(|part| part.to_string().len() <= 30));
            let joined: UidSet = parts.iter().flat_map(UidSet::iter).collect();
            prop_assert_eq!(joined, set);
        }
    }
}
