//! The header of a message: who, to whom, when, about what, in answer to what, and the lines that servers leave behind.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Duration, FixedOffset, Utc};

use crate::charset::Charset;
use crate::corpus::Corpus;
use crate::kind::Kind;
use crate::language::Language;
use crate::people::Person;
use crate::random::{Purpose, Random};
use crate::text::Writer;
use crate::threads::Place;

/// Messages smaller than this come from servers that add little.
const TERSE: u64 = 2_600;
/// Minutes east of Greenwich where the writers live.
const OFFSETS: [i32; 8] = [0, 60, 120, -300, -480, 540, 480, 180];
const PROGRAMS: [&str; 5] = [
    "Microsoft Outlook 16.0",
    "Apple Mail (2.3774.500.171.1.1)",
    "Mozilla Thunderbird 115.8",
    "Roundcube Webmail/1.6.6",
    "KMail 5.24",
];

/// What a header is written from.
pub(crate) struct Envelope<'a> {
    pub(crate) corpus: &'a Corpus,
    pub(crate) place: &'a Place,
    pub(crate) language: Language,
    pub(crate) charset: Charset,
    pub(crate) kind: Kind,
    pub(crate) sender: &'a Person,
    /// Bytes that the whole message is to have.
    pub(crate) size: u64,
}

/// The Message-ID of a message, which its answers name, with its angle brackets.
pub(crate) fn message_id(seed: u64, index: u64) -> String {
    let mut random = Random::stream(seed, Purpose::Identity, index);
    let host = random.pick(&["mx", "mail", "smtp-out", "app", "relay"]);
    format!(
        "<{:016x}.{index}@{host}{}.example>",
        random.next(),
        random.below(40)
    )
}

/// What a conversation is about.
pub(crate) fn topic(seed: u64, language: Language, root: u64) -> String {
    let mut random = Random::stream(seed, Purpose::Subject, root);
    Writer::new(language, &mut random).title()
}

impl Envelope<'_> {
    /// The header fields, up to those about the content. Each line ends with CRLF.
    pub(crate) fn write(&self, random: &mut Random) -> String {
        let quoted = random.chance(500);
        let received = self.corpus.received_at(self.place.index);
        let mut head = self.trace(received, random);
        let mut field = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
        field("From", &self.sender.mailbox(self.charset, quoted));
        field("To", &self.corpus.recipient);
        if self.place.parent().is_some() || random.chance(150) {
            let root = self.place.root();
            let others = (1..=random.between(1, 3))
                .map(|slot| Person::in_conversation(self.corpus.seed, self.language, root, slot));
            let list: Vec<String> = others
                .map(|person| person.mailbox(self.charset, quoted))
                .collect();
            field("Cc", &list.join(",\r\n "));
        }
        field(
            "Subject",
            &self.charset.header_text(&self.subject(random), quoted),
        );
        field("Date", &written_at(received, random));
        field("Message-ID", &message_id(self.corpus.seed, self.place.index));
        if let Some(parent) = self.place.parent() {
            field("In-Reply-To", &message_id(self.corpus.seed, parent));
            let ids = self
                .place
                .ancestors
                .iter()
                .map(|ancestor| message_id(self.corpus.seed, *ancestor));
            field("References", &ids.collect::<Vec<_>>().join("\r\n "));
        }
        if self.kind.is_bulk() {
            let host = self.sender.domain();
            field("List-Id", &format!("<news.{host}>"));
            field(
                "List-Unsubscribe",
                &format!("<https://www.{host}/leave/{:x}>", random.next()),
            );
            field("Precedence", "bulk");
            field("Reply-To", &format!("<answers@{host}>"));
        } else {
            field("X-Mailer", random.pick(&PROGRAMS));
        }
        field("MIME-Version", "1.0");
        head
    }

    fn subject(&self, random: &mut Random) -> String {
        let topic = topic(self.corpus.seed, self.language, self.place.root());
        match self.kind {
            _ if self.place.parent().is_some() => {
                format!(
                    "{}{topic}",
                    random.pick_weighted(&[("Re: ", 80), ("AW: ", 12), ("RE: ", 8)])
                )
            }
            Kind::Forward => format!("Fwd: {topic}"),
            Kind::Newsletter if random.chance(120) => format!("🎉 {topic}"),
            _ => topic,
        }
    }

    /// The lines that servers add on the way.
    fn trace(&self, received: DateTime<Utc>, random: &mut Random) -> String {
        let host = self.sender.domain();
        let date = received.format("%a, %d %b %Y %H:%M:%S +0000");
        let mut trace = format!("Return-Path: <{}>\r\n", self.sender.address);
        let hops = if self.size < TERSE {
            1
        } else {
            random.between(2, 4)
        };
        for hop in 0..hops {
            let (id, octet) = (random.next() as u32, random.between(1, 254));
            trace.push_str(&format!(
                "Received: from out{hop}.{host} (out{hop}.{host} [192.0.2.{octet}])\r\n\tby mx{hop}.postroom.example (Postfix) \
                 with ESMTPS id {id:08X}\r\n\tfor <{}>; {date}\r\n",
                self.corpus.recipient
            ));
        }
        if self.size >= TERSE && random.chance(800) {
            trace.push_str(&signature(host, random));
        }
        trace
    }
}

/// A DKIM-Signature field (RFC 6376) that nobody will check.
fn signature(host: &str, random: &mut Random) -> String {
    let (body, text) = (
        BASE64_STANDARD.encode(random.bytes(32)),
        BASE64_STANDARD.encode(random.bytes(256)),
    );
    let mut field = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={host}; s=s1;\r\n\th=from:to:subject:date:message-id:mime-version;\r\n\t\
         bh={body};\r\n\tb="
    );
    let mut rest = text.as_str();
    while rest.len() > 70 {
        let (line, after) = rest.split_at(70);
        field.push_str(line);
        field.push_str("\r\n\t ");
        rest = after;
    }
    field.push_str(rest);
    field.push_str("\r\n");
    field
}

/// The Date field: a little before the arrival, in the writer's own time.
pub(crate) fn written_at(received: DateTime<Utc>, random: &mut Random) -> String {
    let written = received - Duration::seconds(random.between(1, 90) as i64);
    let offset = FixedOffset::east_opt(random.pick(&OFFSETS) * 60);
    match offset {
        Some(offset) => written
            .with_timezone(&offset)
            .format("%a, %d %b %Y %H:%M:%S %z")
            .to_string(),
        None => written.format("%a, %d %b %Y %H:%M:%S +0000").to_string(),
    }
}
