//! INTERNALDATE: when a message arrived at its server.

use chrono::{DateTime, Utc};

const FORMAT: &str = "%d-%b-%Y %H:%M:%S %z";

/// Reads a date-time of RFC 3501 section 9. The day may have a leading space instead of a zero.
pub(super) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let date = DateTime::parse_from_str(text.trim(), FORMAT).ok()?;
    Some(date.with_timezone(&Utc))
}

/// A date-time as an argument of APPEND, without quotes.
pub(super) fn format(date: DateTime<Utc>) -> String {
    date.format(FORMAT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_as_servers_send_them() {
        for (text, expected) in [
            ("01-Feb-2024 10:20:30 +0000", "2024-02-01T10:20:30+00:00"),
            (" 1-Feb-2024 10:20:30 +0130", "2024-02-01T08:50:30+00:00"),
            ("17-Jul-1996 02:44:25 -0700", "1996-07-17T09:44:25+00:00"),
        ] {
            assert_eq!(parse(text).unwrap().to_rfc3339(), expected);
        }
        for text in ["", "yesterday", "32-Jan-2024 00:00:00 +0000", "01-Feb-2024"] {
            assert_eq!(parse(text), None);
        }
    }

    #[test]
    fn a_date_comes_back() {
        let date = parse("01-Feb-2024 10:20:30 +0000").unwrap();
        assert_eq!(format(date), "01-Feb-2024 10:20:30 +0000");
    }
}
