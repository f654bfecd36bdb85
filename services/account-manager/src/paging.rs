//! Pages of a list: a limit, and where the next page begins.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::http::problem::Problem;

const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;

/// One page. `next` is what to pass on for the following one; absent on the last page.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// How many items to give, from what was asked for.
pub(crate) fn limit(asked: Option<u64>) -> u64 {
    asked.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

/// A full page may be followed by another.
pub(crate) fn page<R, T>(
    rows: Vec<R>,
    limit: u64,
    cursor: impl Fn(&R) -> String,
    item: impl FnMut(R) -> T,
) -> Page<T> {
    let next = (rows.len() as u64 == limit)
        .then(|| rows.last().map(cursor))
        .flatten();
    Page {
        items: rows.into_iter().map(item).collect(),
        next,
    }
}

/// A place in a list that is ordered by time and id.
pub(crate) fn time_cursor(time: DateTime<Utc>, id: Uuid) -> String {
    format!("{}_{id}", time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Reads a place that [`time_cursor`] wrote.
pub(crate) fn read_time_cursor<I: From<Uuid>>(
    text: &str,
    field: &str,
) -> Result<(DateTime<Utc>, I), Problem> {
    let read = || {
        let (time, id) = text.split_once('_')?;
        let time = DateTime::parse_from_rfc3339(time).ok()?.with_timezone(&Utc);
        Some((time, I::from(Uuid::parse_str(id).ok()?)))
    };
    read().ok_or_else(|| {
        Problem::bad_request(
            "invalid_cursor",
            format!("{field} is not a place in this list. Pass on `next` of the page before, unchanged."),
        )
        .at(field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives() {
        let time = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let id = Uuid::now_v7();
        let back: (_, Uuid) = read_time_cursor(&time_cursor(time, id), "before").unwrap();
        assert_eq!(back, (time, id));
        for wrong in ["", "x", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z_x"] {
            assert!(read_time_cursor::<Uuid>(wrong, "before").is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_full_page_names_the_next() {
        let numbers = |rows: Vec<u8>| page(rows, 2, u8::to_string, |n| n);
        assert_eq!(numbers(vec![1, 2]).next.as_deref(), Some("2"));
        assert_eq!(numbers(vec![1]).next, None);
        assert_eq!((limit(None), limit(Some(0)), limit(Some(9999))), (50, 1, 200));
    }
}
