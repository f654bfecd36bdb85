//! Paragraphs as HTML: the light kind that a person's mail program writes, and the heavy kind of newsletters.

use crate::charset::Charset;
use crate::language::Language;
use crate::text::wrap;

/// About how many bytes of [`letter`] come from ten bytes of text.
pub(crate) const LETTER_PER_TEN: u64 = 12;
/// About how many bytes of [`newsletter`] come from ten bytes of text.
pub(crate) const NEWSLETTER_PER_TEN: u64 = 23;

/// A letter as a mail program writes it, with pictures by their content ids, and what it answers below.
pub(crate) fn letter(
    paragraphs: &[String],
    quote: Option<&str>,
    pictures: &[String],
    language: Language,
    charset: Charset,
) -> String {
    let mut out = head(charset, "p { margin: 0 0 0.8em; }");
    for paragraph in paragraphs {
        out.push_str("<p class=\"MsoNormal\">");
        escaped(paragraph, language, &mut out);
        out.push_str("</p>\r\n");
    }
    for picture in pictures {
        out.push_str(&format!(
            "<p><img src=\"cid:{picture}\" alt=\"\" width=\"640\"></p>\r\n"
        ));
    }
    if let Some(quote) = quote {
        out.push_str("<blockquote type=\"cite\">");
        escaped(quote, language, &mut out);
        out.push_str("</blockquote>\r\n");
    }
    out.push_str("</body></html>\r\n");
    out
}

/// A newsletter: a table a paragraph, styles on every cell, a heading and a link to read on.
pub(crate) fn newsletter(paragraphs: &[String], language: Language, charset: Charset, host: &str) -> String {
    let style = "body { background: #f4f4f4; margin: 0; padding: 0; }\r\n\
        .wrap { width: 600px; margin: 0 auto; background: #ffffff; }\r\n\
        .lead { font-size: 22px; color: #20435c; }\r\n\
        @media only screen and (max-width: 600px) { .wrap { width: 100% !important; } .lead { font-size: 18px; } }";
    let mut out = head(charset, style);
    for (number, paragraph) in paragraphs.iter().enumerate() {
        out.push_str(
            "<table role=\"presentation\" class=\"wrap\" width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\">\r\n\
             <tr><td class=\"lead\" style=\"padding: 24px 32px 8px; font-family: Arial, sans-serif; line-height: 28px\">",
        );
        escaped(&heading(paragraph, language), language, &mut out);
        out.push_str("</td></tr>\r\n<tr><td style=\"padding: 0 32px 16px; font-family: Arial, sans-serif; font-size: 14px\">\r\n");
        escaped(paragraph, language, &mut out);
        out.push_str(&format!(
            "</td></tr>\r\n<tr><td align=\"center\"><a style=\"color: #1a73e8\" \
             href=\"https://www.{host}/read?item={number}&amp;source=mail\">&raquo;</a></td></tr></table>\r\n"
        ));
    }
    out.push_str(&format!(
        "<img src=\"https://track.{host}/open.gif\" width=\"1\" height=\"1\" alt=\"\"></body></html>\r\n"
    ));
    out
}

fn head(charset: Charset, style: &str) -> String {
    format!(
        "<!DOCTYPE html>\r\n<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset={}\">\r\n\
         <style type=\"text/css\">{style}</style></head>\r\n<body>\r\n",
        charset.label()
    )
}

/// The paragraph's first words.
fn heading(paragraph: &str, language: Language) -> String {
    if language.has_spaces() {
        paragraph.split(' ').take(5).collect::<Vec<_>>().join(" ")
    } else {
        paragraph.chars().take(12).collect()
    }
}

fn escaped(text: &str, language: Language, out: &mut String) {
    if text.contains(['&', '<', '>']) {
        let text = text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        wrap(&text, language, "", out);
    } else {
        wrap(text, language, "", out);
    }
}
