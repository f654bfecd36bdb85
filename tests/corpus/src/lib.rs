//! A mailbox that never was: deterministic, varied mail for benches, tests and the demo.
//!
//! The mail has the sizes, charsets, transfer encodings, threads and word frequencies of a real mailbox of several
//! years, and every byte follows from the seed, so that figures measured today can be set beside figures measured next
//! year. Invariant: the generator is fixed; `tests/determinism.rs` holds its digest. A change here makes every earlier
//! figure incomparable.
//!
//! Nothing is kept: [`Corpus::message`] writes message `i` from `(seed, i)` alone.

mod attachment;
mod charset;
mod compose;
mod corpus;
mod envelope;
mod html;
mod kind;
mod language;
mod lexicon;
mod maildir;
mod oddities;
mod part;
mod people;
mod random;
mod sizes;
mod text;
mod threads;
mod transfer;

pub use corpus::{BENCH_COUNT, BENCH_SEED, Corpus, Flags, Mail};
pub use maildir::{MaildirError, Ownership, Written, write_maildir};
pub use oddities::{Oddity, oddities};
