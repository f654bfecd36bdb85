//! SMTP replies (RFC 5321 section 4.2, RFC 3463): pure functions from bytes to meaning.

use std::fmt;
use std::time::Duration;

/// Longest reply line in bytes. RFC 5321 allows 512; servers that print a policy there need more.
pub(super) const MAX_LINE: usize = 4 * 1024;
/// Most lines of one reply. The longest real EHLO has about 25.
const MAX_LINES: usize = 200;
/// Longest line that is kept, in characters; it may be shown to people.
const MAX_KEPT: usize = 1_000;
/// No server's wish makes us wait longer.
const MAX_RETRY_HINT: Duration = Duration::from_secs(24 * 60 * 60);

/// What the first digit of a reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyClass {
    /// 2xx: done.
    Positive,
    /// 3xx: go on.
    Intermediate,
    /// 4xx: not now.
    Transient,
    /// 5xx: no.
    Permanent,
}

/// A status code of RFC 3463 such as `5.1.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnhancedCode {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The case within the subject.
    pub detail: u16,
}

/// One reply of a server, of one or more lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpReply {
    code: u16,
    lines: Vec<String>,
}

/// Why bytes are not an SMTP reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReplyError {
    #[error("a reply line does not begin with a reply code: {0:?}")]
    NoCode(String),
    #[error("the lines of one reply carry different codes")]
    MixedCodes,
    #[error("a reply has more than {MAX_LINES} lines")]
    TooManyLines,
}

/// Puts the lines of one reply together.
#[derive(Debug, Default)]
pub(super) struct ReplyBuilder {
    code: Option<u16>,
    lines: Vec<String>,
}

impl ReplyBuilder {
    /// Takes one line without its line end; gives the reply once it is complete.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<Option<SmtpReply>, ReplyError> {
        let (code, last, text) = read_line(line).ok_or_else(|| ReplyError::NoCode(readable(line)))?;
        if *self.code.get_or_insert(code) != code {
            return Err(ReplyError::MixedCodes);
        }
        if self.lines.len() == MAX_LINES {
            return Err(ReplyError::TooManyLines);
        }
        self.lines.push(readable(text));
        Ok(last.then(|| SmtpReply {
            code,
            lines: std::mem::take(&mut self.lines),
        }))
    }
}

/// Code, whether it is the last line, and the text.
fn read_line(line: &[u8]) -> Option<(u16, bool, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    let digits_fit = matches!(code, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9']);
    let code = std::str::from_utf8(code)
        .ok()
        .filter(|_| digits_fit)?
        .parse()
        .ok()?;
    match rest {
        [] => Some((code, true, rest)),
        [b' ', text @ ..] => Some((code, true, text)),
        [b'-', text @ ..] => Some((code, false, text)),
        _ => None,
    }
}

/// A server's words as text that can be shown: no control characters, no endless lines.
fn readable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_KEPT)
        .collect::<String>()
        .trim()
        .to_owned()
}

impl SmtpReply {
    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The lines without their codes, cleaned of control characters and shortened to 1,000 characters each.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What the first digit says.
    pub fn class(&self) -> ReplyClass {
        match self.code {
            ..300 => ReplyClass::Positive,
            300..400 => ReplyClass::Intermediate,
            400..500 => ReplyClass::Transient,
            _ => ReplyClass::Permanent,
        }
    }

    /// The enhanced status code, if the reply begins with one that agrees with its class (RFC 2034 section 4).
    pub fn enhanced(&self) -> Option<EnhancedCode> {
        let word = self.lines.first()?.split_ascii_whitespace().next()?;
        let mut numbers = word.split('.');
        let mut next = |digits: usize| {
            let part = numbers.next().filter(|part| (1..=digits).contains(&part.len()))?;
            part.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| part.parse::<u16>().ok())?
        };
        let (class, subject, detail) = (next(1)?, next(3)?, next(3)?);
        let class = u8::try_from(class)
            .ok()
            .filter(|class| u16::from(*class) == self.code / 100)?;
        numbers.next().is_none().then_some(EnhancedCode {
            class,
            subject,
            detail,
        })
    }

    /// The server's words in one line, without reply code.
    pub fn text(&self) -> String {
        self.lines.join(" ").trim().to_owned()
    }

    /// How long the server asks to wait, where it says so in words: Microsoft's `Suggested Backoff Time: 20000
    /// milliseconds`, greylisting's `try again in 5 minutes`. At most a day.
    pub fn retry_hint(&self) -> Option<Duration> {
        let text = self.text().to_ascii_lowercase();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        words.windows(3).find_map(|window| {
            let [before, number, unit] = window else {
                return None;
            };
            let introduces = ["in", "for", "after", "time:", "wait", "within"].contains(before);
            let number: u64 = number.parse().ok().filter(|_| introduces)?;
            let millis = if unit.starts_with("millisecond") {
                1
            } else if unit.starts_with("sec") {
                1_000
            } else if unit.starts_with("min") {
                60_000
            } else if unit.starts_with("hour") {
                3_600_000
            } else {
                return None;
            };
            Some(Duration::from_millis(number.saturating_mul(millis)).min(MAX_RETRY_HINT))
        })
    }

    /// Takes out each line that repeats the beginning of a secret: a server's words may be shown and logged, and some
    /// servers echo what they do not like.
    pub(super) fn withhold(&mut self, secret: &str) {
        let beginning = secret.get(..secret.floor_char_boundary(16)).unwrap_or(secret);
        if beginning.len() < 4 {
            return;
        }
        for line in self.lines.iter_mut().filter(|line| line.contains(beginning)) {
            *line = "(repeats the credential, so it is not shown)".to_owned();
        }
    }

    #[cfg(test)]
    pub(super) fn made(code: u16, text: &str) -> Self {
        Self {
            code,
            lines: vec![text.to_owned()],
        }
    }
}

impl fmt::Display for SmtpReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Result<SmtpReply, ReplyError> {
        let mut builder = ReplyBuilder::default();
        for line in lines {
            if let Some(reply) = builder.push(line.as_bytes())? {
                return Ok(reply);
            }
        }
        panic!("incomplete reply");
    }

    #[test]
    fn replies_of_one_and_of_many_lines() {
        let reply = read(&["250-mx.example", "250-SIZE 1000", "250 AUTH PLAIN"]).unwrap();
        assert_eq!(
            (reply.code(), reply.lines().len(), reply.class()),
            (250, 3, ReplyClass::Positive)
        );
        assert_eq!(read(&["354"]).unwrap().class(), ReplyClass::Intermediate);
        assert_eq!(read(&["421 bye"]).unwrap().class(), ReplyClass::Transient);
        assert_eq!(read(&["550 no"]).unwrap().to_string(), "550 no");
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for line in [
            "",
            "25",
            "* OK IMAP4rev1 ready",
            "+OK POP3",
            "HTTP/1.1 400 Bad Request",
            "650 x",
            "2500 x",
            "199 x",
        ] {
            assert!(matches!(read(&[line]), Err(ReplyError::NoCode(_))), "{line}");
        }
        assert_eq!(read(&["250-a", "550 b"]), Err(ReplyError::MixedCodes));
        assert_eq!(read(&vec!["250-again"; 10_000]), Err(ReplyError::TooManyLines));
    }

    #[test]
    fn enhanced_codes_must_agree_with_the_reply() {
        let enhanced = |line| read(&[line]).unwrap().enhanced().map(|code| code.to_string());
        assert_eq!(enhanced("550 5.1.1 no such user").as_deref(), Some("5.1.1"));
        assert_eq!(enhanced("535 5.7.139 disabled").as_deref(), Some("5.7.139"));
        assert_eq!(enhanced("550 4.1.1 which?"), None);
        assert_eq!(enhanced("250 2.0.0.1 x"), None);
        assert_eq!(enhanced("220 1.2 x"), None);
        assert_eq!(enhanced("250 ok"), None);
    }

    #[test]
    fn wishes_to_wait_are_heard() {
        let hint = |line| read(&[line]).unwrap().retry_hint().map(|wait| wait.as_millis());
        assert_eq!(
            hint("451 4.7.500 Request is throttled. Suggested Backoff Time: 20000 milliseconds"),
            Some(20_000)
        );
        assert_eq!(
            hint("450 4.2.0 Greylisted, please try again in 5 minutes"),
            Some(300_000)
        );
        assert_eq!(hint("450 wait for 99999999999999999999 seconds"), None);
        assert_eq!(hint("450 wait for 9999999 hours"), Some(86_400_000));
        assert_eq!(hint("452 too many recipients"), None);
    }

    #[test]
    fn an_echoed_secret_is_withheld() {
        let mut reply = read(&["535-5.7.8 refused", "535 you said hunter2-hunter2-hunter2"]).unwrap();
        reply.withhold("hunter2-hunter2-hunter2");
        assert_eq!(
            reply.text(),
            "5.7.8 refused (repeats the credential, so it is not shown)"
        );
    }

    #[test]
    fn words_are_fit_to_be_shown() {
        let reply = read(&["550 \u{1b}[31mred\u{7}\0"]).unwrap();
        assert_eq!(reply.text(), "[31mred");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_reply_or_an_error(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some(reply)) = ReplyBuilder::default().push(&line) {
                prop_assert!((200..600).contains(&reply.code()));
                reply.retry_hint();
                reply.enhanced();
            }
        }
    }
}
