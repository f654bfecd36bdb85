//! What the guard lets pass, and that the parser then reads it the same way.

use super::LimitExceeded;
use super::scanner::Scanner;
use crate::imap::ImapLimits;
use imap_proto::Response;
use proptest::prelude::*;

fn limits() -> ImapLimits {
    ImapLimits {
        line: 1000,
        literal: 500,
        parentheses: 20,
        answer: 100_000,
        ..ImapLimits::default()
    }
}

fn scan(text: &[u8]) -> Result<(), LimitExceeded> {
    let whole = Scanner::new(&limits()).scan(text);
    let mut scanner = Scanner::new(&limits());
    let piecewise = text.chunks(1).try_for_each(|chunk| scanner.scan(chunk));
    assert_eq!(whole, piecewise, "the verdict depends on how the bytes arrive");
    whole
}

#[test]
fn ordinary_answers_pass() {
    for text in [
        "* OK [CAPABILITY IMAP4rev1 SASL-IR] ready {now\r\n",
        "* CAPABILITY IMAP4rev1 IDLE\r\n",
        "+ idling\r\n",
        "+\r\n",
        "* 3 EXISTS\r\n* 2 EXPUNGE\r\n* VANISHED (EARLIER) 1:3\r\n",
        "* SEARCH 1 2 3\r\n",
        "* LIST (\\HasNoChildren) \"/\" {5}\r\na(((b\r\n",
        "* STATUS INBOX (MESSAGES 3 ) \r\n",
        "* 1 FETCH (UID 5 FLAGS (\\Seen $Junk) INTERNALDATE \" 1-Feb-2024 10:00:00 +0000\" RFC822.SIZE 9 MODSEQ (7) BODY[] {10}\r\n((({500}\r\n)\r\n",
        "* 1 FETCH (BODY[]<0> {3}\r\nabc UID 5)\r\n",
        "* 1 FETCH (BODY[HEADER.FIELDS (FROM TO)] \"a \\\"b\\\"\" UID 5 )\r\n",
        "* 1 FETCH (BODY[] NIL UID 5)\r\n",
        "* 1 fetch (body[] {0}\r\n)\r\n",
        "A1 NO [AUTHENTICATIONFAILED] wrong (really)\r\n",
    ] {
        assert_eq!(scan(text.as_bytes()), Ok(()), "{text:?}");
    }
}

#[test]
fn each_limit_ends_the_reading() {
    assert_eq!(scan(&b"x".repeat(1001)), Err(LimitExceeded::Line(1000)));
    let huge = b"* 1 FETCH (BODY[] {500000000}\r\n";
    assert_eq!(
        scan(huge),
        Err(LimitExceeded::Literal {
            announced: 500_000_000,
            limit: 500
        })
    );
    let endless = format!("* 1 FETCH (BODY[] {{{}}}\r\n", "9".repeat(100));
    assert_eq!(
        scan(endless.as_bytes()),
        Err(LimitExceeded::Literal {
            announced: u64::MAX,
            limit: 500
        })
    );
    let nested = format!("* LIST {}\r\n", "(".repeat(21));
    assert_eq!(scan(nested.as_bytes()), Err(LimitExceeded::Parentheses(20)));
    assert_eq!(scan(&b"* 1 EXISTS\r\n".repeat(9000)), Err(LimitExceeded::Answer));
    assert_eq!(
        scan(b"* LIST () \"/\" {5000}\r\n"),
        Err(LimitExceeded::Line(1000))
    );
}

#[test]
fn what_the_parser_would_read_differently_or_die_of_is_refused() {
    for text in [
        // Two inputs that make the parser panic.
        &b"* 1 FETCH (INTERNALDATE NIL)\r\n"[..],
        b"A1 OK [ALERT]\xc3\xa9\r\n",
        // Structures recurse.
        b"* 1 FETCH (BODYSTRUCTURE ((((",
        b"* 1 FETCH (BODY (\"a\"",
        b"* 1 FETCH (ENVELOPE (",
        // Bytes that the parser reads as an unknown value and not as a literal.
        b"* 1 FETCH (FOO x{50}\r\n",
        b"* 1 FETCH (FOO ({50}\r\n",
        b"* 1 FETCH (FOO (a BODY[] {50}\r\n",
        b"* 1 FETCH (FOO \"\\a X (\" BODY[] {50}\r\n",
        b"* 1 FETCH (FLAGS {5}\r\n",
        // A literal that the parser sees and a line reader does not.
        b"* NO [BADCHARSET ({20}\r\n",
        b"A1 NO [BADCHARSET ({20}\r\n",
        b"* SEARCH {5}\r\n",
        b"* OK a\0b\r\n",
    ] {
        assert!(
            matches!(scan(text), Err(LimitExceeded::Malformed(_))),
            "{:?}",
            String::from_utf8_lossy(text)
        );
    }
}

/// Pieces from which answers are made, so that random ones come near the dangerous places.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"* 1 FETCH ("[..],
        b"BODY[] ",
        b"BODY[]<0> ",
        b"{3}\r\n",
        b"{12}\r\n",
        b"abc",
        b" UID 5",
        b" ",
        b")",
        b"(",
        b"\r\n",
        b"* ",
        b"FLAGS (\\Seen)",
        b"\"",
        b"\\",
        b"FOO ",
        b"NIL",
        b"BODYSTRUCTURE ((",
        b"INTERNALDATE ",
        b"* OK ",
        b"[ALERT]",
        b"\xc3\xa9",
        b"A1 NO ",
        b"[BADCHARSET (",
        b"* LIST () \"/\" ",
        b"+ ",
        b"x",
        b"]",
        b"X-GM-LABELS (",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Answers that look like attributes of messages, most of them well formed up to the dangerous place.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let attribute = prop::sample::select(vec![
        &b"UID 5"[..],
        b"FLAGS (\\Seen x]y)",
        b"FLAGS (\"a)",
        b"INTERNALDATE \" 1-Feb-2024 10:20:30 +0000\"",
        b"RFC822.SIZE 7",
        b"MODSEQ (9)",
        b"BODY[] {3}\r\n(a)",
        b"BODY[]<0> {12}\r\n) BODY[] {9}",
        b"BODY[] {14}\r\n* 1 FETCH (X (",
        b"BODY[] NIL",
        b"BODY[HEADER] \"a\\\"b\"",
        b"BODY[WEIRD] {3}\r\nabc",
        b"EMAILID (M1)",
        b"X-GM-MSGID 12",
        b"X-GM-LABELS (\"a\" \\Sent)",
        b"X-GM-LABELS (^ \"a) FOO (\")",
        b"FOO \"\\a",
        b"FOO \"(\"",
        b"FOO (a b",
        b"FOO x{3}\r\nabc",
        b"FOO ({3}\r\nabc)",
        b"FOO NILx",
        b"FOO {3}\r\nabc",
        b"SAVEDATE NIL",
        b"X (\" y",
        b"Y \")",
    ]);
    let line = (
        prop::collection::vec(attribute, 1..6),
        prop::sample::select(vec![&b")\r\n"[..], b" )  \r\n", b"\r\n"]),
    )
        .prop_map(|(attributes, end)| [b"* 1 FETCH (", attributes.join(&b" "[..]).as_slice(), end].concat());
    prop::collection::vec(line, 1..4).prop_map(|lines| lines.concat())
}

/// Whatever passes is read by the parser without a panic, and both agree where each response ends. Returns how many
/// responses were read to their end.
fn read_by_both(text: &[u8]) -> Result<usize, TestCaseError> {
    let mut scanner = Scanner::new(&limits());
    let mut start = 0;
    let mut responses = 0;
    for (index, byte) in text.iter().enumerate() {
        if scanner.scan(&[*byte]).is_err() {
            break;
        }
        match Response::parse(&text[start..=index]) {
            Ok((rest, _)) => {
                prop_assert!(
                    scanner.at_start() && rest.is_empty(),
                    "the parser ends a response inside the guard's"
                );
                start = index + 1;
                responses += 1;
            }
            Err(error) if error.is_incomplete() => {
                prop_assert!(
                    !scanner.at_start(),
                    "the guard ends a response that goes on for the parser"
                );
            }
            Err(_) => break,
        }
    }
    Ok(responses)
}

#[test]
fn well_formed_messages_are_read_to_their_end() {
    let text = b"* 1 FETCH (UID 5 BODY[] {3}\r\n(a) FLAGS ())\r\n* 2 FETCH (BODY[] NIL UID 6)\r\n+ go\r\n";
    assert_eq!(read_by_both(text).unwrap(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn the_parser_agrees_with_the_guard_on_noise(text in pieces()) {
        read_by_both(&text)?;
    }

    #[test]
    fn the_parser_agrees_with_the_guard_on_messages(text in messages()) {
        read_by_both(&text)?;
    }
}
