//! Modified UTF-7: how folder names travel in IMAP4rev1 (RFC 3501 section 5.1.3).

use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// Base64 with `,` for `/`, because `/` separates folders.
const ALPHABET: Alphabet =
    match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,") {
        Ok(alphabet) => alphabet,
        Err(_) => base64::alphabet::STANDARD,
    };
const BASE64: GeneralPurpose = GeneralPurpose::new(&ALPHABET, NO_PAD);

/// Encodes a name for the wire.
pub(super) fn encode(name: &str) -> String {
    let mut wire = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            unshift(&mut wire, &mut shifted);
            wire.push(c);
            if c == '&' {
                wire.push('-');
            }
        } else {
            let mut units = [0; 2];
            shifted.extend(
                c.encode_utf16(&mut units)
                    .iter()
                    .flat_map(|unit| unit.to_be_bytes()),
            );
        }
    }
    unshift(&mut wire, &mut shifted);
    wire
}

fn unshift(wire: &mut String, shifted: &mut Vec<u8>) {
    if !shifted.is_empty() {
        wire.push('&');
        BASE64.encode_string(&*shifted, wire);
        wire.push('-');
        shifted.clear();
    }
}

/// Decodes a name from the wire; `None` when it is not modified UTF-7.
pub(super) fn decode(wire: &str) -> Option<String> {
    let mut name = String::with_capacity(wire.len());
    let mut rest = wire;
    while let Some(at) = rest.find('&') {
        name.push_str(&rest[..at]);
        let (encoded, after) = rest[at + 1..].split_once('-')?;
        if encoded.is_empty() {
            name.push('&');
        } else {
            name.push_str(&decode_shifted(encoded)?);
        }
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

fn decode_shifted(encoded: &str) -> Option<String> {
    let bytes = BASE64.decode(encoded).ok()?;
    if bytes.len() % 2 != 0 {
        return None;
    }
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_as_servers_send_them() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Tom & Jerry", "Tom &- Jerry"),
            ("😀", "&2D3eAA-"),
            ("&", "&-"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_is_not_modified_utf7_is_not_guessed_at() {
        for wire in ["&", "a&b", "&A-", "&AP-", "&2D0-", "&***-"] {
            assert_eq!(decode(wire), None, "{wire}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "\\PC{0,40}") {
            let wire = encode(&name);
            prop_assert!(wire.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(decode(&wire), Some(name));
        }
    }
}
