//! The benches' corpus is what it claims to be, measured with a parser that knows nothing of the generator.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of a test: the lints know only functions marked as tests"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mail_parser::{HeaderValue, MessageParser, MimeHeaders, PartType};
use postroom_corpus::{BENCH_COUNT, BENCH_SEED, Corpus, Mail};

#[derive(Default)]
struct Measured {
    sizes: Vec<usize>,
    text_characters: usize,
    words: HashMap<String, u32>,
    charsets: BTreeMap<String, u64>,
    transfers: BTreeMap<String, u64>,
    structures: BTreeMap<String, u64>,
    answers: u64,
    ids: HashSet<String>,
    encoded_subjects: u64,
    flags: BTreeMap<&'static str, u64>,
    years: BTreeSet<String>,
    senders: HashSet<String>,
}

impl Measured {
    fn take(&mut self, mail: &Mail) {
        assert_lines(mail);
        let message = MessageParser::default()
            .parse(&mail.raw)
            .expect("the parser reads every message");
        self.sizes.push(mail.raw.len());
        let id = message
            .message_id()
            .expect("every message has a Message-ID")
            .to_owned();
        if let HeaderValue::Text(parent) = message.in_reply_to() {
            assert!(
                self.ids.contains(parent.as_ref()),
                "message {} answers one not yet seen",
                mail.index
            );
            self.answers += 1;
            assert!(
                !message.references().is_empty(),
                "message {} has no References",
                mail.index
            );
        }
        assert!(self.ids.insert(id), "message {} repeats a Message-ID", mail.index);
        let subject = message.subject().expect("every message has a subject");
        self.encoded_subjects += u64::from(!subject.is_ascii());
        let from = message
            .from()
            .and_then(|from| from.first())
            .expect("every message has a sender");
        assert!(
            from.name().is_some(),
            "the sender of message {} has no name",
            mail.index
        );
        self.senders
            .insert(from.address().expect("every sender has an address").to_owned());
        self.take_parts(&message);
        for (name, set) in [
            ("seen", mail.flags.seen),
            ("answered", mail.flags.answered),
            ("flagged", mail.flags.flagged),
        ] {
            *self.flags.entry(name).or_default() += u64::from(set);
        }
        self.years.insert(mail.received_at.format("%Y").to_string());
        let date = message.date().expect("every message has a date").to_timestamp();
        let delay = mail.received_at.timestamp() - date;
        assert!(
            (1..=90).contains(&delay),
            "message {} took {delay} s to arrive",
            mail.index
        );
    }

    fn take_parts(&mut self, message: &mail_parser::Message<'_>) {
        for part in &message.parts {
            if let Some(kind) = part.content_type() {
                let name = format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default());
                *self.structures.entry(name).or_default() += 1;
            }
            if let Some(transfer) = part.content_transfer_encoding() {
                *self.transfers.entry(transfer.to_ascii_lowercase()).or_default() += 1;
            }
            let (PartType::Text(text) | PartType::Html(text)) = &part.body else {
                continue;
            };
            let charset = part
                .content_type()
                .and_then(|kind| kind.attribute("charset"))
                .unwrap_or_default();
            *self.charsets.entry(charset.to_ascii_lowercase()).or_default() += 1;
            assert!(!text.contains('\u{fffd}'), "a part in {charset} does not decode");
            // Characters, not bytes: of a text part they are at most its bytes, in any charset.
            self.text_characters += text.chars().count();
            if matches!(part.body, PartType::Text(_)) {
                self.count_words(text);
            }
        }
        for nested in message.parts.iter().filter_map(|part| part.message()) {
            self.take_parts(nested);
        }
    }

    /// Words of languages that put spaces between them; letters alone, so that numbers and page addresses do not count.
    fn count_words(&mut self, text: &str) {
        let spaced = |letter: char| letter.is_alphabetic() && u32::from(letter) < 0x0600;
        for word in text.split_whitespace() {
            let word = word.trim_matches(|letter: char| letter.is_ascii_punctuation());
            if !word.is_empty() && word.chars().all(spaced) {
                match self.words.get_mut(word) {
                    Some(count) => *count += 1,
                    None => drop(self.words.insert(word.to_owned(), 1)),
                }
            }
        }
    }
}

fn assert_lines(mail: &Mail) {
    assert!(
        mail.raw.ends_with(b"\r\n"),
        "message {} does not end with CRLF",
        mail.index
    );
    for line in mail.raw.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or_else(|| {
            assert!(line.is_empty(), "message {} has a bare line feed", mail.index);
            line
        });
        assert!(
            line.len() <= 998 && !line.contains(&b'\r') && !line.contains(&0),
            "message {} has a bad line",
            mail.index
        );
    }
}

fn assert_between(what: &str, value: f64, low: f64, high: f64) {
    println!("{what}: {value:.3} (from {low} to {high})");
    assert!(
        (low..=high).contains(&value),
        "{what} is {value}, not from {low} to {high}"
    );
}

#[test]
fn twenty_thousand_messages_are_as_the_benches_need_them() {
    let mut measured = Measured::default();
    for mail in Corpus::new(BENCH_SEED, BENCH_COUNT).messages() {
        measured.take(&mail);
    }
    let total: usize = measured.sizes.iter().sum();
    measured.sizes.sort_unstable();
    let count = measured.sizes.len();
    let share = |number: u64| number as f64 / count as f64;
    assert_eq!(count, 20_000);
    assert_between("mean size in KB", total as f64 / count as f64 / 1e3, 18.5, 19.5);
    assert_between(
        "median size in KB",
        measured.sizes[count / 2] as f64 / 1e3,
        5.7,
        6.3,
    );
    assert_between(
        "99th percentile in KB",
        measured.sizes[count * 99 / 100] as f64 / 1e3,
        275.0,
        305.0,
    );
    assert_between("largest in MB", measured.sizes[count - 1] as f64 / 1e6, 3.0, 4.5);
    assert_between(
        "share of text and HTML",
        measured.text_characters as f64 / total as f64,
        0.34,
        0.6,
    );
    assert_between("distinct words", measured.words.len() as f64, 50_000.0, 400_000.0);
    assert_words_are_natural(&measured.words);
    assert_between("answers", share(measured.answers), 0.32, 0.36);
    assert_between(
        "subjects beyond ASCII",
        share(measured.encoded_subjects),
        0.25,
        0.6,
    );
    assert_between("seen", share(measured.flags["seen"]), 0.7, 0.9);
    assert_between("answered", share(measured.flags["answered"]), 0.1, 0.2);
    assert_between("flagged", share(measured.flags["flagged"]), 0.03, 0.05);
    assert_between("years", measured.years.len() as f64, 6.0, 8.0);
    assert_between("senders", measured.senders.len() as f64, 500.0, 10_000.0);
    println!(
        "{:#?}\n{:#?}\n{:#?}",
        measured.charsets, measured.transfers, measured.structures
    );
    for charset in [
        "utf-8",
        "us-ascii",
        "iso-8859-1",
        "iso-8859-15",
        "windows-1252",
        "iso-8859-2",
        "koi8-r",
        "windows-1251",
        "iso-2022-jp",
        "shift_jis",
        "gb18030",
    ] {
        let parts = measured.charsets.get(charset).copied().unwrap_or_default();
        assert_between(&format!("text parts in {charset}"), parts as f64, 50.0, 30_000.0);
    }
    for transfer in ["7bit", "8bit", "quoted-printable", "base64"] {
        let parts = measured.transfers.get(transfer).copied().unwrap_or_default();
        assert_between(&format!("parts in {transfer}"), parts as f64, 2_000.0, 30_000.0);
    }
    for structure in [
        "multipart/alternative",
        "multipart/mixed",
        "multipart/related",
        "text/calendar",
        "text/csv",
        "message/rfc822",
        "application/pdf",
        "image/png",
    ] {
        let parts = measured.structures.get(structure).copied().unwrap_or_default();
        assert_between(&format!("parts {structure}"), parts as f64, 50.0, 20_000.0);
    }
}

/// In natural text the commonest word is a few in a hundred, the tenth about a third of it, and half of all words are rare.
fn assert_words_are_natural(words: &HashMap<String, u32>) {
    let mut counts: Vec<u32> = words.values().copied().collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    assert_between("words in all, in millions", total / 1e6, 3.0, 30.0);
    assert_between(
        "share of the commonest word in %",
        f64::from(counts[0]) / total * 100.0,
        1.0,
        6.0,
    );
    assert_between(
        "the commonest to the hundredth",
        f64::from(counts[0]) / f64::from(counts[99]),
        8.0,
        60.0,
    );
    assert_between(
        "the thousandth to the ten-thousandth",
        f64::from(counts[999]) / f64::from(counts[9999]),
        5.0,
        30.0,
    );
}
