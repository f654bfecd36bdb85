//! Rubbish in. Ten thousand inputs, the same ones every time.

use std::time::{Duration, Instant};

use postroom_discovery::{MailAddress, servers_named_in};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::world::ispdb_entries;

const INPUTS: usize = 10_000;
/// How long one input may take. It takes far below a millisecond; a hang takes for ever.
const ONE: Duration = Duration::from_secs(2);
const ALL: Duration = Duration::from_secs(120);

/// Pieces that parsers stumble over.
const XML: [&str; 24] = [
    "<",
    ">",
    "&",
    "&amp;",
    "&#0;",
    "&#x110000;",
    "&evil;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version=\"9\"?>",
    "<!DOCTYPE x [<!ENTITY a \"&a;&a;\">]>",
    "<clientConfig>",
    "</clientConfig>",
    "<emailProvider>",
    "<incomingServer type=\"imap\">",
    "</incomingServer>",
    "<hostname>",
    "type='imap' type='imap'",
    "\u{0}",
    "\u{feff}",
    "xmlns:x=\"y\"",
    "\u{202e}",
];
const ADDRESSES: [&str; 24] = [
    "@",
    "@@",
    ".",
    "..",
    "[",
    "]",
    "xn--",
    "xn--a-ecp.ru",
    "。",
    "．",
    "１２７",
    "0x7f",
    "\u{0}",
    "\r\n",
    " ",
    "\u{ad}",
    "\u{200b}",
    "\u{202e}",
    "ß",
    "İ",
    "٠",
    "𝔵",
    "ada",
    "example.com",
];

#[test]
fn ten_thousand_inputs_neither_panic_nor_hang() {
    let entries: Vec<String> = ispdb_entries()
        .into_iter()
        .map(|(_, document)| document)
        .collect();
    let seed = 0x00c0_ffee;
    let mut rng = StdRng::seed_from_u64(seed);
    let begun = Instant::now();
    let (mut files_read, mut addresses_read) = (0, 0);
    for number in 0..INPUTS {
        let one = Instant::now();
        if number % 2 == 0 {
            let base = &entries[rng.random_range(0..entries.len())];
            let document = mutated(base, &XML, &mut rng);
            files_read += usize::from(servers_named_in(&document).is_some());
        } else {
            let base = ["ada@example.com", "jörg@bücher.example", "a@b.c", ""][rng.random_range(0..4)];
            let address = mutated(base, &ADDRESSES, &mut rng);
            if let Ok(read) = MailAddress::parse(&address) {
                addresses_read += 1;
                assert!(
                    read.domain().as_str().is_ascii() && read.domain().as_str().contains('.'),
                    "{address:?}"
                );
                assert!(!address.contains(['\r', '\n', '\0']), "{address:?}");
            }
        }
        assert!(
            one.elapsed() < ONE,
            "input {number} of seed {seed:#x} took {:?}",
            one.elapsed()
        );
    }
    assert!(begun.elapsed() < ALL, "{:?}", begun.elapsed());
    // Not everything was thrown away at the door: the fuzz has reached what lies behind.
    assert!(
        files_read > INPUTS / 100 && addresses_read > INPUTS / 100,
        "{files_read}, {addresses_read}"
    );
    assert!(
        files_read < INPUTS / 2 && addresses_read < INPUTS / 2,
        "{files_read}, {addresses_read}"
    );
}

#[test]
fn inputs_made_to_grow_are_dull() {
    let many = |piece: &str, times: usize| piece.repeat(times);
    for document in [
        many("<a>", 80_000),
        format!("<clientConfig>{}", many("<a/>", 60_000)),
        format!("<clientConfig>{}</clientConfig>", many("&amp;", 50_000)),
        format!("<clientConfig {}>", many("a='b' ", 40_000)),
        format!(
            "<clientConfig><emailProvider>{}",
            many(
                "<incomingServer type=\"imap\"><hostname>a</hostname></incomingServer>",
                3_000
            )
        ),
        many("&", 250_000),
        many("<!--", 60_000),
        many("<![CDATA[", 25_000),
        many("]]>", 80_000),
    ] {
        let begun = Instant::now();
        let _ = servers_named_in(&document);
        assert!(begun.elapsed() < ONE, "{:.20}: {:?}", document, begun.elapsed());
    }
    for address in [
        many("@", 300),
        many("ａ", 100),
        format!("a@{}", many("xn--", 70)),
        format!("a@{}", many("a.", 100_000)),
    ] {
        let begun = Instant::now();
        let _ = MailAddress::parse(&address);
        assert!(begun.elapsed() < ONE);
    }
}

/// One to eight changes: a piece put in, a stretch taken out, said twice, or a character changed.
fn mutated(base: &str, pieces: &[&str], rng: &mut StdRng) -> String {
    let mut text: Vec<char> = base.chars().collect();
    for _ in 0..rng.random_range(1..=8) {
        let at = rng.random_range(0..=text.len());
        let to = rng.random_range(at..=text.len().min(at + 40));
        match rng.random_range(0..4) {
            0 => {
                let piece = pieces[rng.random_range(0..pieces.len())];
                text.splice(at..at, piece.chars());
            }
            1 => {
                text.drain(at..to);
            }
            2 => {
                let twice: Vec<char> = text[at..to].to_vec();
                text.splice(at..at, twice);
            }
            _ => {
                if let Some(c) = text.get_mut(at) {
                    *c = char::from_u32(rng.random_range(0..0x3000)).unwrap_or('x');
                }
            }
        }
    }
    text.into_iter().collect()
}
