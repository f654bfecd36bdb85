//! Files in mail: documents and pictures that do not compress, and tables that do.

use std::fmt::Write;

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::part::Part;
use crate::random::Random;
use crate::text::Writer;
use crate::transfer::base64_lines;

/// A picture of one pixel. Programs that show pictures stop reading at its end, so what follows may be anything.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A format of files: media type, ending, first octets.
type Format = (&'static str, &'static str, &'static [u8]);

const PDF: Format = ("application/pdf", "pdf", b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n");
const TEXT_DOCUMENT: Format = (
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "docx",
    b"PK\x03\x04\x14\0\x06\0",
);
const SPREADSHEET: Format = (
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xlsx",
    b"PK\x03\x04\x14\0\x06\0",
);
const PHOTOGRAPH: Format = ("image/jpeg", "jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0");
const ARCHIVE: Format = ("application/zip", "zip", b"PK\x03\x04\x0a\0\0\0");
const UNKNOWN: Format = ("application/octet-stream", "bin", b"");

/// What people attach, with weights.
const FORMATS: [(Format, u64); 6] = [
    (PDF, 45),
    (TEXT_DOCUMENT, 15),
    (SPREADSHEET, 12),
    (PHOTOGRAPH, 15),
    (ARCHIVE, 8),
    (UNKNOWN, 5),
];

/// Octets that fill so many bytes of a message once they are base64 in lines.
fn octets_for(wire_bytes: u64) -> usize {
    (wire_bytes * 57 / 78) as usize
}

/// A file of about so many bytes on the wire, with a name in the writer's language.
pub(crate) fn file(writer: &mut Writer<'_>, wire_bytes: u64) -> Part {
    let (kind, ending, magic) = writer.random.pick_weighted(&FORMATS);
    let name = format!("{}-{}.{ending}", writer.thing(), writer.random.between(1, 999));
    let head = format!(
        "Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n {}\r\n",
        file_name(&name)
    );
    Part::raw(
        head,
        base64_lines(&[magic, &writer.random.bytes(octets_for(wire_bytes))].concat()),
    )
}

/// A picture that HTML of the same message shows by `cid:`.
pub(crate) fn picture(content_id: &str, wire_bytes: u64, random: &mut Random) -> Part {
    let head = format!(
        "Content-Type: image/png; name=\"image.png\"\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <{content_id}>\r\n\
         Content-Disposition: inline; filename=\"image.png\"\r\n"
    );
    let pixel = BASE64_STANDARD.decode(PIXEL).unwrap_or_default();
    Part::raw(
        head,
        base64_lines(&[pixel, random.bytes(octets_for(wire_bytes))].concat()),
    )
}

/// A table of about so many bytes as a text file, in UTF-8 and readable as it is.
pub(crate) fn table(writer: &mut Writer<'_>, wire_bytes: u64) -> Part {
    let mut rows = String::with_capacity(wire_bytes as usize + 200);
    while (rows.len() as u64) < wire_bytes {
        let (year, month, day) = (
            writer.random.between(2019, 2025),
            writer.random.between(1, 12),
            writer.random.between(1, 28),
        );
        // Writing to a String cannot fail.
        let _ = write!(
            rows,
            "{year}-{month:02}-{day:02};{:06};",
            writer.random.below(1_000_000)
        );
        rows.push_str(&writer.paragraph(40));
        let _ = write!(
            rows,
            ";{}.{:02}\r\n",
            writer.random.below(90_000),
            writer.random.below(100)
        );
    }
    let head = format!(
        "Content-Type: text/csv; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nContent-Disposition: attachment;\r\n {}\r\n",
        file_name(&format!("{}.csv", writer.thing()))
    );
    Part::raw(head, rows.into_bytes())
}

/// The `filename` parameter: quoted when it is ASCII, else after RFC 2231.
fn file_name(name: &str) -> String {
    if name.is_ascii() {
        return format!("filename=\"{name}\"");
    }
    let mut encoded = String::from("filename*=utf-8''");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
