//! HTML to readable text and back. This is not a sanitiser: what is shown as HTML goes through one elsewhere.

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memchr2, memmem};

/// A tag longer than this with an open quote is read as ending at its first `>`.
const MAX_QUOTED_TAG: usize = 512;
const MAX_QUOTE_DEPTH: usize = 5;

/// Text of an HTML document: blocks on their own lines, list items with a dash, quotes behind `> `, links with
/// their address in brackets; scripts, styles and comments left out. Takes time linear in the length.
pub fn html_to_text(html: &str) -> String {
    convert(html, usize::MAX, true)
}

/// Like [`html_to_text`] without addresses of links, and stopping once there are `max` bytes of text.
pub(super) fn html_to_text_prefix(html: &str, max: usize) -> String {
    convert(html, max, false)
}

/// Plain text as an HTML fragment that looks the same.
pub fn text_to_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8 + 11);
    html.push_str("<div style=\"white-space:pre-wrap\">");
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\r' => {}
            c => html.push(c),
        }
    }
    html.push_str("</div>");
    html
}

fn convert(html: &str, max: usize, with_links: bool) -> String {
    let bytes = html.as_bytes();
    let mut writer = Writer::default();
    let mut link: Option<(String, usize)> = None;
    let mut head_is_open_ended = false;
    let mut at = 0;
    while at < bytes.len() && writer.text.len() < max {
        let next = memchr2(b'<', b'&', &bytes[at..]).map_or(bytes.len(), |offset| at + offset);
        writer.words(&html[at..next]);
        at = next;
        match bytes.get(at) {
            Some(b'&') => at += writer.entity(&html[at..]),
            Some(b'<') => {
                let Some(tag) = Tag::read(html, at) else {
                    writer.words("<");
                    at += 1;
                    continue;
                };
                at = tag.end;
                match tag.name.as_str() {
                    "script" | "style" | "title" | "template" if !tag.closing => {
                        at = after_closing(html, at, &tag.name).unwrap_or(html.len());
                    }
                    "head" if !tag.closing && !head_is_open_ended => match after_closing(html, at, "head") {
                        Some(end) => at = end,
                        None => head_is_open_ended = true,
                    },
                    "a" if with_links => {
                        if let Some((address, start)) = link.take() {
                            writer.link(&address, start);
                        }
                        link = tag.link().map(|address| (address, writer.text.len()));
                    }
                    name => writer.element(name, tag.closing),
                }
            }
            _ => {}
        }
    }
    writer.finish()
}

/// One tag or comment of the source.
struct Tag<'h> {
    /// In lower case; empty for a comment or declaration.
    name: String,
    closing: bool,
    attributes: &'h str,
    /// Offset just behind it.
    end: usize,
}

impl<'h> Tag<'h> {
    /// Reads what starts with `<` at `start`; `None` if that is just a character.
    fn read(html: &'h str, start: usize) -> Option<Self> {
        let rest = &html[start + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            let end = memmem::find(comment.as_bytes(), b"-->").map_or(html.len(), |at| start + 4 + at + 3);
            return Some(Self {
                name: String::new(),
                closing: false,
                attributes: "",
                end,
            });
        }
        let closing = rest.starts_with('/');
        let name_start = usize::from(closing);
        if !rest[name_start..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '!' || c == '?') {
            return None;
        }
        let length = tag_length(rest.as_bytes());
        let inside = &rest[name_start..length];
        let name_len = inside.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let name = inside[..name_len].to_ascii_lowercase();
        let end = (start + 1 + length + 1).min(html.len());
        Some(Self {
            name,
            closing,
            attributes: &inside[name_len..],
            end,
        })
    }

    /// The address of a link that a reader can follow.
    fn link(&self) -> Option<String> {
        let lower = self.attributes.to_ascii_lowercase();
        let value = self.attributes[lower.find("href")? + 4..]
            .trim_start()
            .strip_prefix('=')?
            .trim_start();
        let address = match value.as_bytes().first()? {
            quote @ (b'"' | b'\'') => value[1..].split(char::from(*quote)).next()?,
            _ => value.split_ascii_whitespace().next()?,
        };
        let scheme = address.get(..8).unwrap_or(address).to_ascii_lowercase();
        (scheme.starts_with("http://") || scheme.starts_with("https://"))
            .then(|| address.replace("&amp;", "&"))
    }
}

/// The distance to the `>` that ends a tag, quotes heeded within reason; the whole length if there is none.
fn tag_length(rest: &[u8]) -> usize {
    let mut quote = None;
    for (at, &byte) in rest.iter().take(MAX_QUOTED_TAG).enumerate() {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    memchr(b'>', rest).unwrap_or(rest.len())
}

/// The offset behind `</name...>` at or after `from`.
fn after_closing(html: &str, from: usize, name: &str) -> Option<usize> {
    let bytes = html.as_bytes();
    memmem::find_iter(&bytes[from..], b"</").find_map(|at| {
        let start = from + at + 2;
        let found = bytes.get(start..start + name.len())?;
        found
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| memchr(b'>', &bytes[start..]).map_or(html.len(), |end| start + end + 1))
    })
}

/// Builds the text: white space collapsed, lines broken where a browser would.
#[derive(Default)]
struct Writer {
    text: String,
    /// Line breaks owed before the next word.
    breaks: usize,
    space: bool,
    quotes: usize,
}

impl Writer {
    fn words(&mut self, source: &str) {
        for c in source.chars() {
            self.push(c);
        }
    }

    fn push(&mut self, c: char) {
        // Zero-width padding is how newsletters stretch their preview.
        let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' | '\u{34f}');
        if c.is_whitespace() || c.is_control() {
            self.space = true;
        } else if !invisible {
            self.begin_word();
            self.text.push(c);
        }
    }

    fn begin_word(&mut self) {
        if self.breaks > 0 || self.text.is_empty() {
            for _ in 0..self.breaks.min(2) {
                if !self.text.is_empty() {
                    self.text.push('\n');
                }
            }
            for _ in 0..self.quotes {
                self.text.push_str("> ");
            }
        } else if self.space {
            self.text.push(' ');
        }
        (self.breaks, self.space) = (0, false);
    }

    /// Writes the entity that `source` starts with; returns its length.
    fn entity(&mut self, source: &str) -> usize {
        let length = source
            .bytes()
            .take(32)
            .position(|byte| byte == b';')
            .map_or(1, |at| at + 1);
        let mut decoded = String::new();
        add_html_token(&mut decoded, &source.as_bytes()[..length], false);
        self.words(&decoded);
        length
    }

    fn element(&mut self, name: &str, closing: bool) {
        match name {
            "br" => self.breaks += 1,
            "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "ul" | "ol" | "table" | "pre" => {
                self.owe_breaks(2)
            }
            "div" | "tr" | "hr" | "section" | "article" | "header" | "footer" | "dt" | "dd" | "center" => {
                self.owe_breaks(1);
            }
            "li" => {
                self.owe_breaks(1);
                if !closing {
                    self.begin_word();
                    self.text.push_str("- ");
                }
            }
            "blockquote" => {
                self.owe_breaks(1);
                self.quotes = if closing {
                    self.quotes.saturating_sub(1)
                } else {
                    self.quotes + 1
                };
                self.quotes = self.quotes.min(MAX_QUOTE_DEPTH);
            }
            "td" | "th" | "option" => self.space = true,
            _ => {}
        }
    }

    fn owe_breaks(&mut self, count: usize) {
        self.breaks = self.breaks.max(count);
    }

    /// Adds the address behind a link's text, unless the text is the address.
    fn link(&mut self, address: &str, start: usize) {
        let shown = self.text.get(start..).unwrap_or_default().trim();
        if !shown.is_empty() && shown != address {
            self.text.push_str(" (");
            self.text.extend(address.chars().filter(|c| !c.is_control()));
            self.text.push(')');
        }
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blocks_lists_quotes_and_links() {
        let html = "<html><head><title>T</title><style>p{a>b}</style></head><body><p>Dear  <b>Ann</b>,</p>\
                    <ul><li>one<li>two &amp; three</ul>see <a href=\"https://x.example/?a=1&amp;b=2\">here</a>\
                    <blockquote>old<br>text</blockquote><script>if (a<b) {}</script>bye</body></html>";
        assert_eq!(
            html_to_text(html),
            "Dear Ann,\n\n- one\n- two & three\n\nsee here (https://x.example/?a=1&b=2)\n> old\n> text\nbye"
        );
    }

    #[test]
    fn damaged_html_still_reads() {
        assert_eq!(
            html_to_text("1 < 2 &undefined; &#65;&#x42; &"),
            "1 < 2 &undefined; AB &"
        );
        assert_eq!(html_to_text("a<img alt=\"x > y\">b<!-- c -->d<!-- e"), "abd");
        assert_eq!(html_to_text("<head>no end<p>text"), "no end\n\ntext");
        assert_eq!(html_to_text("a<style>never closed"), "a");
        assert_eq!(html_to_text("<a href='javascript:x'>t</a>"), "t");
        assert_eq!(html_to_text("x&#0;y&#1234567890;"), "x y\u{fffd}");
    }

    #[test]
    fn hostile_html_takes_linear_time() {
        for unit in [
            "<a \"",
            "<head>",
            "<style>",
            "&",
            "<",
            "<!--",
            "</",
            "<blockquote>",
        ] {
            let html = unit.repeat(1_000_000 / unit.len());
            let started = std::time::Instant::now();
            html_to_text(&html);
            assert!(
                started.elapsed().as_secs() < 5,
                "{unit:?} took {:?}",
                started.elapsed()
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_text_round_trips(text in "\\PC*") {
            html_to_text(&text);
            let words: Vec<String> = html_to_text(&text_to_html(&text)).split_whitespace().map(String::from).collect();
            let invisible = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{ad}' | '\u{34f}');
            let expected: String = text.chars().filter(|&c| !invisible(c)).collect();
            let expected: Vec<String> = expected.split_whitespace().map(String::from).collect();
            prop_assert_eq!(words, expected);
        }
    }
}
