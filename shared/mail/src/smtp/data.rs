//! A message as it goes over the wire after DATA (RFC 5321 section 4.5.2).

/// Turns a message, piece by piece, into its wire form: every line ends in CRLF, whether it ended in CRLF, a bare LF
/// or a bare CR before (what one server takes for a line end and another does not is how a second mail is smuggled
/// in, CVE-2023-51764), and a dot at the start of a line is doubled.
#[derive(Debug)]
pub(super) struct DataEncoder {
    line_start: bool,
    /// The last byte was a CR whose line end has been written already.
    after_cr: bool,
}

/// The end of a message. Its first two bytes end the last line if that is still open.
pub(super) const FINAL_DOT: &[u8] = b".\r\n";

impl DataEncoder {
    pub(super) fn new() -> Self {
        Self {
            line_start: true,
            after_cr: false,
        }
    }

    /// Appends the wire form of the next piece to `wire`.
    pub(super) fn encode(&mut self, mut piece: &[u8], wire: &mut Vec<u8>) {
        wire.reserve(piece.len() + piece.len() / 64 + 2);
        if !piece.is_empty() && std::mem::take(&mut self.after_cr) && piece[0] == b'\n' {
            piece = &piece[1..];
        }
        while !piece.is_empty() {
            if self.line_start && piece.first() == Some(&b'.') {
                wire.push(b'.');
            }
            let Some(at) = memchr::memchr2(b'\r', b'\n', piece) else {
                wire.extend_from_slice(piece);
                self.line_start = false;
                return;
            };
            wire.extend_from_slice(&piece[..at]);
            wire.extend_from_slice(b"\r\n");
            self.line_start = true;
            let is_cr = piece[at] == b'\r';
            let is_pair = is_cr && piece.get(at + 1) == Some(&b'\n');
            piece = &piece[at + 1 + usize::from(is_pair)..];
            self.after_cr = is_cr && !is_pair && piece.is_empty();
        }
    }

    /// Appends the line end the message may lack, and the final dot.
    pub(super) fn finish(self, wire: &mut Vec<u8>) {
        if !self.line_start {
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(FINAL_DOT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wire(pieces: &[&[u8]]) -> Vec<u8> {
        let mut encoder = DataEncoder::new();
        let mut wire = Vec::new();
        for piece in pieces {
            encoder.encode(piece, &mut wire);
        }
        encoder.finish(&mut wire);
        wire
    }

    #[test]
    fn dots_are_doubled_and_lines_are_ended() {
        assert_eq!(wire(&[b"a\r\n.\r\n..b\r\n"]), b"a\r\n..\r\n...b\r\n.\r\n");
        assert_eq!(wire(&[b".a"]), b"..a\r\n.\r\n");
        assert_eq!(wire(&[b""]), b".\r\n");
        assert_eq!(wire(&[b"a.b."]), b"a.b.\r\n.\r\n");
    }

    #[test]
    fn no_line_end_can_smuggle() {
        for end in ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\r", "\r.\n", "\r\n.\n"] {
            let smuggled = format!("a{end}MAIL FROM:<x@y>\r\n");
            let wire = wire(&[smuggled.as_bytes()]);
            assert_eq!(
                String::from_utf8(wire).unwrap(),
                "a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n",
                "{end:?}"
            );
        }
    }

    /// The slow and obvious way to say the same.
    fn expected(message: &[u8]) -> Vec<u8> {
        let text: String = message.iter().map(|&byte| char::from(byte)).collect();
        let mut lines: Vec<String> = text
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .split('\n')
            .map(str::to_owned)
            .collect();
        if lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        let mut wire = Vec::new();
        for line in lines {
            if line.starts_with('.') {
                wire.push(b'.');
            }
            wire.extend(line.chars().map(|c| u8::try_from(u32::from(c)).unwrap()));
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        wire
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_the_end_comes_once(
            pieces in proptest::collection::vec("[a.\r\n\\x80]{0,12}", 0..8)
        ) {
            let slices: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            let wire = wire(&slices);
            prop_assert_eq!(&wire, &expected(pieces.concat().as_bytes()));
            let whole = String::from_utf8_lossy(&wire).into_owned();
            let framed = format!("\r\n{whole}");
            prop_assert_eq!(framed.matches("\r\n.\r\n").count(), 1);
            prop_assert_eq!(whole.matches('\n').count(), whole.matches("\r\n").count());
            prop_assert_eq!(whole.matches('\r').count(), whole.matches("\r\n").count());
        }
    }
}
