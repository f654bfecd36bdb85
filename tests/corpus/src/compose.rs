//! Writes one message: draws its size and sort, writes the header, then fills the body up to the size.

use crate::attachment;
use crate::charset::Charset;
use crate::corpus::Corpus;
use crate::envelope::{Envelope, message_id, topic, written_at};
use crate::html;
use crate::kind::Kind;
use crate::language::Language;
use crate::part::Part;
use crate::people::Person;
use crate::random::{Purpose, Random};
use crate::sizes;
use crate::text::{Writer, plain, wrap};
use crate::threads::Place;

/// The source of message `index`.
pub(crate) fn compose(corpus: &Corpus, index: u64) -> Vec<u8> {
    let mut random = Random::stream(corpus.seed, Purpose::Message, index);
    let place = Place::of(corpus.seed, index);
    let language = Language::of_conversation(corpus.seed, place.root());
    let size = sizes::draw(&mut random);
    let kind = Kind::draw(size, place.parent().is_some(), &mut random);
    let charset = random.pick_weighted(language.charsets());
    let sender = Person::in_conversation(
        corpus.seed,
        language,
        place.root(),
        place.ancestors.len() as u64 % 4,
    );
    let envelope = Envelope {
        corpus,
        place: &place,
        language,
        charset,
        kind,
        sender: &sender,
        size,
    };
    let mut raw = envelope.write(&mut random).into_bytes();
    let left = size.saturating_sub(raw.len() as u64).max(150);
    let mut composer = Composer {
        corpus,
        place: &place,
        language,
        charset,
        sender: &sender,
        random,
    };
    composer.body(kind, left).write(&mut raw);
    raw
}

/// The first paragraph of a message, known without writing the rest of it, for answers to quote.
fn opening(seed: u64, language: Language, index: u64) -> String {
    let mut random = Random::stream(seed, Purpose::Opening, index);
    let characters = random.between(60, 300);
    Writer::new(language, &mut random).paragraph(characters)
}

/// The text of a message, and what it quotes, in a charset that holds both.
struct Letter {
    paragraphs: Vec<String>,
    quote: Option<String>,
    charset: Charset,
    language: Language,
    signature: String,
}

impl Letter {
    fn plain(&self) -> String {
        let mut text = plain(&self.paragraphs, self.language);
        if let Some(quote) = &self.quote {
            wrap(quote, self.language, "> ", &mut text);
            text.push_str("\r\n");
        }
        if !self.signature.is_empty() {
            text.push_str(&format!("-- \r\n{}\r\n", self.signature));
        }
        text
    }

    fn html(&self, pictures: &[String]) -> String {
        html::letter(
            &self.paragraphs,
            self.quote.as_deref(),
            pictures,
            self.language,
            self.charset,
        )
    }
}

struct Composer<'a> {
    corpus: &'a Corpus,
    place: &'a Place,
    language: Language,
    charset: Charset,
    sender: &'a Person,
    random: Random,
}

impl Composer<'_> {
    fn body(&mut self, kind: Kind, bytes: u64) -> Part {
        match kind {
            Kind::Note => self.note(bytes),
            Kind::Alternative => self.alternative(bytes, &[]),
            Kind::Newsletter | Kind::Notification => self.bulk(kind, bytes),
            Kind::Related => self.related(bytes),
            Kind::Attachment => self.with_files(bytes),
            Kind::Report => {
                let letter = self.note(bytes / 12);
                let table = attachment::table(&mut self.writer(), bytes - bytes / 12);
                Part::multipart("mixed", vec![letter, table], &mut self.random)
            }
            Kind::Forward => {
                let letter = self.note((bytes / 6).min(2_000));
                let inner = self.forwarded(bytes - (bytes / 6).min(2_000));
                Part::multipart("mixed", vec![letter, inner], &mut self.random)
            }
            Kind::Invitation => self.invitation(bytes),
        }
    }

    fn writer(&mut self) -> Writer<'_> {
        Writer::new(self.language, &mut self.random)
    }

    /// Text of about so many bytes, the message's opening first.
    fn letter(&mut self, bytes: u64) -> Letter {
        let seed = self.corpus.seed;
        let first = opening(seed, self.language, self.place.index);
        let quote = self
            .place
            .parent()
            .map(|parent| opening(seed, self.language, parent));
        let spent = first.len() + quote.as_ref().map_or(0, String::len);
        let mut paragraphs = vec![first];
        if bytes > spent as u64 + 80 {
            let more = self.writer().paragraphs(bytes - spent as u64);
            paragraphs.extend(more);
        }
        let signature = if self.random.chance(600) {
            self.sender.name.clone()
        } else {
            String::new()
        };
        let fits = paragraphs
            .iter()
            .chain(&quote)
            .chain([&signature])
            .all(|text| self.charset.holds(text));
        let charset = if fits { self.charset } else { Charset::Utf8 };
        Letter {
            paragraphs,
            quote,
            charset,
            language: self.language,
            signature,
        }
    }

    fn note(&mut self, bytes: u64) -> Part {
        let letter = self.letter(bytes);
        let kind = if self.random.chance(250) {
            "text/plain; format=flowed"
        } else {
            "text/plain"
        };
        Part::text(kind, &letter.plain(), letter.charset, &mut self.random)
    }

    fn alternative(&mut self, bytes: u64, pictures: &[String]) -> Part {
        let letter = self.letter(bytes.saturating_sub(450) * 10 / (10 + html::LETTER_PER_TEN));
        let parts = vec![
            Part::text("text/plain", &letter.plain(), letter.charset, &mut self.random),
            Part::text(
                "text/html",
                &letter.html(pictures),
                letter.charset,
                &mut self.random,
            ),
        ];
        Part::multipart("alternative", parts, &mut self.random)
    }

    fn bulk(&mut self, kind: Kind, bytes: u64) -> Part {
        let html_only = kind == Kind::Notification || self.random.chance(300);
        let per_ten = html::NEWSLETTER_PER_TEN + if html_only { 0 } else { 10 };
        let letter = self.letter(bytes.saturating_sub(800) * 10 / per_ten);
        let html = html::newsletter(
            &letter.paragraphs,
            self.language,
            letter.charset,
            self.sender.domain(),
        );
        let html = Part::text("text/html", &html, letter.charset, &mut self.random);
        if html_only {
            return html;
        }
        let text = Part::text("text/plain", &letter.plain(), letter.charset, &mut self.random);
        Part::multipart("alternative", vec![text, html], &mut self.random)
    }

    fn related(&mut self, bytes: u64) -> Part {
        let count = if bytes < 30_000 {
            1
        } else {
            self.random.between(1, 4)
        };
        let ids: Vec<String> = (0..count)
            .map(|number| {
                format!(
                    "picture{number}.{:08x}@postroom.example",
                    self.random.next() as u32
                )
            })
            .collect();
        let text = if bytes < 30_000 {
            bytes * 6 / 10
        } else {
            (bytes / 4).min(30_000)
        };
        let mut parts = vec![self.alternative(text, &ids)];
        for id in &ids {
            parts.push(attachment::picture(id, (bytes - text) / count, &mut self.random));
        }
        Part::multipart("related; type=\"multipart/alternative\"", parts, &mut self.random)
    }

    fn with_files(&mut self, bytes: u64) -> Part {
        let text = (bytes / 4).min(self.random.between(1_500, 24_000));
        let letter = if self.random.chance(500) {
            self.note(text)
        } else {
            self.alternative(text, &[])
        };
        let mut parts = vec![letter];
        let files = if bytes < 30_000 {
            1
        } else {
            self.random.between(1, 3)
        };
        for _ in 0..files {
            parts.push(attachment::file(&mut self.writer(), (bytes - text) / files));
        }
        Part::multipart("mixed", parts, &mut self.random)
    }

    /// A message inside the message (RFC 2046 section 5.2.1), unknown to the mailbox otherwise.
    fn forwarded(&mut self, bytes: u64) -> Part {
        let id = self.random.next();
        let author = Person::in_conversation(id, self.language, 0, 0);
        let subject = self.charset.header_text(&topic(id, self.language, 0), true);
        let date = written_at(self.corpus.received_at(self.place.index), &mut self.random);
        let mut raw = format!(
            "From: {}\r\nTo: {}\r\nSubject: {subject}\r\nDate: {date}\r\nMessage-ID: {}\r\nMIME-Version: 1.0\r\n",
            author.mailbox(self.charset, true),
            self.sender.mailbox(self.charset, true),
            message_id(id, 0),
        )
        .into_bytes();
        let inner = if bytes < 10_000 {
            self.note(bytes)
        } else {
            self.with_files(bytes)
        };
        inner.write(&mut raw);
        Part::raw(
            "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n".to_owned(),
            raw,
        )
    }

    fn invitation(&mut self, bytes: u64) -> Part {
        let letter = self.letter(bytes.saturating_sub(1_000) * 10 / (10 + html::LETTER_PER_TEN));
        let day = self.corpus.received_at(self.place.index).format("%Y%m%d");
        let (id, organiser) = (self.random.next(), &self.sender.address);
        let calendar = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Corpus//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:{id:016x}\r\n\
             DTSTAMP:{day}T080000Z\r\nDTSTART:{day}T140000Z\r\nDTEND:{day}T150000Z\r\nORGANIZER:mailto:{organiser}\r\n\
             ATTENDEE;RSVP=TRUE:mailto:{}\r\nSUMMARY:Meeting {:x}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
            self.corpus.recipient,
            id & 0xffff
        );
        let parts = vec![
            Part::text("text/plain", &letter.plain(), letter.charset, &mut self.random),
            Part::text("text/html", &letter.html(&[]), letter.charset, &mut self.random),
            Part::text(
                "text/calendar; method=REQUEST",
                &calendar,
                Charset::Utf8,
                &mut self.random,
            ),
        ];
        Part::multipart("alternative", parts, &mut self.random)
    }
}
