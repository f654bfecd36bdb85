//! Running text: sentences and paragraphs of a language, wrapped as mail programs wrap them.

use std::fmt::Write;

use crate::language::Language;
use crate::lexicon::{Lexicon, capitalised};
use crate::random::Random;

/// Columns at which text is wrapped; half as many characters where one fills two columns.
const COLUMNS: usize = 74;

/// Someone writing in a language.
pub(crate) struct Writer<'a> {
    pub(crate) language: Language,
    lexicon: &'static Lexicon,
    pub(crate) random: &'a mut Random,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(language: Language, random: &'a mut Random) -> Self {
        Self {
            language,
            lexicon: Lexicon::of(language),
            random,
        }
    }

    /// Paragraphs of about so many bytes on the wire together; at least one sentence.
    pub(crate) fn paragraphs(&mut self, wire_bytes: u64) -> Vec<String> {
        let mut left = wire_bytes * 100 / self.language.wire_bytes_per_hundred_characters();
        let mut paragraphs = Vec::new();
        loop {
            let most = left.min(self.random.between(120, 720));
            let paragraph = self.paragraph(most);
            left = left.saturating_sub(paragraph.chars().count() as u64 + 6);
            paragraphs.push(paragraph);
            if left < 40 {
                return paragraphs;
            }
        }
    }

    /// One paragraph of sentences, up to about so many characters.
    pub(crate) fn paragraph(&mut self, characters: u64) -> String {
        let mut text = String::new();
        let (mut used, mut counted) = (0, 0);
        loop {
            self.sentence(characters - used, &mut text);
            used += text[counted..].chars().count() as u64;
            counted = text.len();
            if used + 30 >= characters {
                return text;
            }
            if self.language.has_spaces() {
                text.push(' ');
            }
        }
    }

    /// Some words without a full stop: a subject or a heading.
    pub(crate) fn title(&mut self) -> String {
        let mut title = capitalised(self.lexicon.word(self.random));
        for _ in 0..self.random.between(2, 7) {
            if self.language.has_spaces() {
                title.push(' ');
            }
            title.push_str(self.lexicon.word(self.random));
        }
        match self.random.below(20) {
            0 => title.push_str(&format!(" #{}", self.random.between(1000, 999_999))),
            1 => title.push_str(&format!(" ({}%)", self.random.between(5, 70))),
            2 => title.push_str(" €"),
            3 => title.push_str(" – "),
            _ => {}
        }
        title.trim_end().to_owned()
    }

    /// A name for a thing: a file, a product, a place in a path.
    pub(crate) fn thing(&mut self) -> String {
        self.lexicon.rare_word(self.random).to_owned()
    }

    /// An ASCII name for a thing, whatever the language: for addresses of pages and identifiers.
    pub(crate) fn slug(&mut self) -> String {
        Lexicon::of(Language::English).rare_word(self.random).to_owned()
    }

    fn sentence(&mut self, characters: u64, out: &mut String) {
        let spaces = self.language.has_spaces();
        let letters_a_word = if spaces { 6 } else { 2 };
        let words = self.random.between(4, 24).min(characters / letters_a_word).max(2);
        for number in 0..words {
            if number > 0 && spaces {
                out.push(' ');
            }
            if self.random.below(45) == 0 {
                self.fact(out);
            } else if number == 0 {
                out.push_str(&capitalised(self.lexicon.word(self.random)));
            } else {
                out.push_str(self.lexicon.word(self.random));
            }
            if number + 1 < words && self.random.below(11) == 0 {
                out.push_str(if spaces { "," } else { "、" });
            }
        }
        out.push_str(match (spaces, self.random.below(14)) {
            (true, 0) => "?",
            (true, 1) => "!",
            (true, _) => ".",
            (false, 0) => "？",
            (false, _) => "。",
        });
    }

    /// What texts hold beside words: amounts, dates, references, addresses of pages.
    fn fact(&mut self, out: &mut String) {
        let random = &mut *self.random;
        // Writing to a String cannot fail.
        let _ = match random.below(8) {
            0 => write!(
                out,
                "{}.{:02}.{}",
                random.between(1, 28),
                random.between(1, 12),
                random.between(2019, 2025)
            ),
            1 => write!(out, "{}:{:02}", random.between(7, 19), random.below(60)),
            2 => write!(out, "{},{:02} €", random.between(9, 99_999), random.below(100)),
            3 => write!(out, "${}.{:02}", random.between(9, 99_999), random.below(100)),
            4 => write!(out, "INV-{}", random.between(10_000, 9_999_999)),
            5 => write!(out, "{}", random.between(2, 5000)),
            6 => write!(
                out,
                "+49 {} {}",
                random.between(30, 999),
                random.between(100_000, 99_999_999)
            ),
            _ => {
                let (path, id) = (self.slug(), self.random.below(1 << 40));
                write!(out, "https://www.{}.example/{path}/{id:x}", self.slug())
            }
        };
    }
}

/// Adds the paragraph to `out` in lines that begin with `prefix` and end with CRLF.
pub(crate) fn wrap(paragraph: &str, language: Language, prefix: &str, out: &mut String) {
    if !language.has_spaces() {
        let letters: Vec<char> = paragraph.chars().collect();
        for line in letters.chunks(COLUMNS / 2) {
            out.push_str(prefix);
            out.extend(line);
            out.push_str("\r\n");
        }
        return;
    }
    let mut column = 0;
    for word in paragraph.split(' ') {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > COLUMNS {
            out.push_str("\r\n");
            column = 0;
        }
        if column == 0 {
            out.push_str(prefix);
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push_str("\r\n");
}

/// The paragraphs as plain text, an empty line after each.
pub(crate) fn plain(paragraphs: &[String], language: Language) -> String {
    let mut out = String::with_capacity(paragraphs.iter().map(|paragraph| paragraph.len() + 64).sum());
    for paragraph in paragraphs {
        wrap(paragraph, language, "", &mut out);
        out.push_str("\r\n");
    }
    out
}
