//! The corpus is the same for ever: figures are compared over years.

use postroom_corpus::{BENCH_COUNT, BENCH_SEED, Corpus};
use sha2::{Digest, Sha256};

/// SHA-256 over the first 1,000 messages of the benches' corpus. If this test fails, the change to the generator makes all earlier
/// figures incomparable: take it back.
const GOLDEN: &str = "750c75a63bd2ba359c64099bc39c002f28589fbc864ed995c523d7795068d925";

#[test]
fn the_first_thousand_messages_never_change() {
    let mut digest = Sha256::new();
    for mail in Corpus::new(BENCH_SEED, BENCH_COUNT).messages().take(1_000) {
        digest.update(&mail.raw);
        digest.update(mail.received_at.timestamp().to_be_bytes());
        digest.update([
            u8::from(mail.flags.seen),
            u8::from(mail.flags.answered),
            u8::from(mail.flags.flagged),
        ]);
    }
    let hex: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, GOLDEN);
}

#[test]
fn a_message_does_not_depend_on_those_written_before() {
    let corpus = Corpus::new(BENCH_SEED, BENCH_COUNT);
    let in_order: Vec<_> = corpus.messages().take(40).map(|mail| mail.raw).collect();
    for index in (0..40).rev() {
        assert_eq!(
            corpus.message(index).raw,
            in_order[index as usize],
            "message {index}"
        );
    }
}

#[test]
fn another_seed_gives_other_mail() {
    let raw = |seed| Corpus::new(seed, BENCH_COUNT).message(5).raw;
    assert_ne!(raw(1), raw(2));
}
