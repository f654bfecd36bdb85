//! From raw bytes to what Postroom stores and shows.

use super::attachment::AttachmentInfo;
use super::decode::{decode_text, decode_transfer};
use super::headers::MessageHeaders;
use super::html::{html_to_text, html_to_text_prefix, text_to_html};
use super::snippet::snippet_of;
use super::structure::{Leaf, ParseError, Structure, take_apart};
use std::collections::HashSet;

/// How much of a text is looked at for a snippet: more each time as long as nothing readable came out (a
/// newsletter can open with 60 KB of styles).
const SNIPPET_STEPS: [usize; 3] = [4 * 1024, 64 * 1024, 512 * 1024];
/// How much plain text a snippet is made from, in bytes.
const SNIPPET_TEXT: usize = 2 * 1024;

/// What storing a message needs, and no more: nothing but the beginning of one text part is decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSummary {
    /// The header fields.
    pub headers: MessageHeaders,
    /// First words of the text.
    pub snippet: String,
    /// Whether there is an HTML body.
    pub html_present: bool,
    /// How many attachments there are, inline ones not counted.
    pub attachment_count: usize,
}

/// A message to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedMessage {
    /// The header fields.
    pub headers: MessageHeaders,
    /// The text; made from the HTML if there is no other.
    pub text: String,
    /// The HTML, **not sanitised**; `None` if the sender sent none.
    pub html: Option<String>,
    /// First words of the text.
    pub snippet: String,
    /// All that is not the body, inline images included; the index is what [`super::attachment`] takes.
    pub attachments: Vec<AttachmentInfo>,
}

/// Reads just what storing a message needs. Meant to be run for every message of a mailbox.
///
/// # Errors
/// [`ParseError`] if the bytes are no message or exceed a limit; quarantine it then.
pub fn parse_for_store(raw: &[u8]) -> Result<MessageSummary, ParseError> {
    let Structure { headers, leaves } = take_apart(raw)?;
    let bodies = body_leaves(&leaves);
    let others = leaves.iter().enumerate().filter(|(at, _)| !bodies.contains(at));
    let attachment_count = others
        .filter(|(_, leaf)| !AttachmentInfo::is_inline(leaf))
        .count();
    let html_present = bodies.iter().filter_map(|&at| leaves.get(at)).any(Leaf::is_html);
    Ok(MessageSummary {
        headers,
        snippet: quick_snippet(&leaves, &bodies),
        html_present,
        attachment_count,
    })
}

/// Reads all of a message but the content of its attachments.
///
/// # Errors
/// [`ParseError`] if the bytes are no message or exceed a limit.
pub fn parse_full(raw: &[u8]) -> Result<ParsedMessage, ParseError> {
    let Structure { headers, leaves } = take_apart(raw)?;
    let bodies = body_leaves(&leaves);
    let parts: Vec<&Leaf<'_>> = bodies.iter().filter_map(|&at| leaves.get(at)).collect();
    let (text, html) = body_of(&parts);
    let others = leaves.iter().enumerate().filter(|(at, _)| !bodies.contains(at));
    let attachments = others.map(|(_, leaf)| AttachmentInfo::of(leaf)).collect();
    Ok(ParsedMessage {
        headers,
        snippet: snippet_of(&text),
        text,
        html,
        attachments,
    })
}

/// Which leaves are the body: text that is not marked or named as a file. All else is an attachment.
pub(super) fn body_leaves(leaves: &[Leaf<'_>]) -> Vec<usize> {
    let alone = leaves.len() == 1;
    let is_body = |leaf: &Leaf<'_>| {
        let text =
            leaf.is_html() || leaf.is_plain() || (alone && leaf.headers.content_type.starts_with("text/"));
        text && !leaf.headers.is_attachment && (leaf.headers.name.is_none() || alone)
    };
    leaves
        .iter()
        .enumerate()
        .filter(|(_, leaf)| is_body(leaf))
        .map(|(at, _)| at)
        .collect()
}

/// Text and HTML of the body parts, in order. Of alternatives each side takes its own; a part that stands alone
/// belongs to both.
fn body_of(parts: &[&Leaf<'_>]) -> (String, Option<String>) {
    let alternatives = |html: bool| -> HashSet<usize> {
        parts
            .iter()
            .filter(|leaf| leaf.is_html() == html)
            .filter_map(|leaf| leaf.alternative)
            .collect()
    };
    let (with_text, with_html) = (alternatives(false), alternatives(true));
    let has_other =
        |leaf: &Leaf<'_>, among: &HashSet<usize>| leaf.alternative.is_some_and(|id| among.contains(&id));
    let html_present = parts.iter().any(|leaf| leaf.is_html());
    let (mut texts, mut htmls) = (Vec::new(), Vec::new());
    for leaf in parts {
        let content = leaf.text();
        if leaf.is_html() {
            if !has_other(leaf, &with_text) {
                texts.push(html_to_text(&content));
            }
            htmls.push(content);
        } else {
            if html_present && !has_other(leaf, &with_html) {
                htmls.push(text_to_html(&content));
            }
            texts.push(content);
        }
    }
    (texts.join("\n"), html_present.then(|| htmls.join("\n")))
}

/// The snippet from the first body part that yields one, plain text before HTML.
fn quick_snippet(leaves: &[Leaf<'_>], bodies: &[usize]) -> String {
    let parts = || bodies.iter().filter_map(|&at| leaves.get(at));
    let plain_first = parts()
        .filter(|leaf| !leaf.is_html())
        .chain(parts().filter(|leaf| leaf.is_html()));
    plain_first
        .map(snippet_of_part)
        .find(|snippet| !snippet.is_empty())
        .unwrap_or_default()
}

fn snippet_of_part(leaf: &Leaf<'_>) -> String {
    for step in SNIPPET_STEPS {
        let all = leaf.body.len() <= step;
        let beginning = leaf.body.get(..step).unwrap_or(leaf.body);
        let content = decode_transfer(leaf.headers.encoding, beginning);
        let text = decode_text(leaf.headers.charset.as_deref(), &content);
        let text = if leaf.is_html() {
            html_to_text_prefix(&text, SNIPPET_TEXT)
        } else {
            text
        };
        if all || text.trim().len() >= SNIPPET_TEXT {
            return snippet_of(&text);
        }
        let snippet = snippet_of(&text);
        if !snippet.is_empty() {
            return snippet;
        }
    }
    String::new()
}

impl Leaf<'_> {
    pub(super) fn is_html(&self) -> bool {
        self.headers.content_type == "text/html"
    }

    fn is_plain(&self) -> bool {
        self.headers.content_type == "text/plain"
    }

    fn text(&self) -> String {
        let content = decode_transfer(self.headers.encoding, self.body);
        decode_text(self.headers.charset.as_deref(), &content)
    }
}
