//! Times and sizes as people read them.

use chrono::{DateTime, Utc};

/// A moment in words and in the form that machines read.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    pub(super) words: String,
    pub(super) machine: String,
}

/// A moment as seen from `now`: recent ones as a distance, older ones as a date.
pub(super) fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> Moment {
    let seconds = (now - at).num_seconds();
    let several = |number: i64, unit: &str| {
        let s = if number == 1 { "" } else { "s" };
        format!("{number} {unit}{s} ago")
    };
    let words = match seconds {
        ..0 => at.format("%-d %B %Y, %H:%M UTC").to_string(),
        0..60 => "just now".to_owned(),
        60..3600 => several(seconds / 60, "minute"),
        3600..86_400 => several(seconds / 3600, "hour"),
        _ => at.format("%-d %B %Y, %H:%M UTC").to_string(),
    };
    Moment {
        words,
        machine: at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    }
}

/// A moment for a list: of older ones the day alone.
pub(super) fn brief(at: DateTime<Utc>, now: DateTime<Utc>) -> Moment {
    let whole = moment(at, now);
    let recent = (0..86_400).contains(&(now - at).num_seconds());
    let words = if recent {
        whole.words
    } else {
        at.format("%-d %b %Y").to_string()
    };
    Moment { words, ..whole }
}

/// A size in bytes.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn moments_and_sizes_read_well() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let ago = |seconds| moment(now - TimeDelta::seconds(seconds), now).words;
        assert_eq!(ago(5), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(7_300), "2 hours ago");
        assert_eq!(ago(90_000), "20 September 2026, 13:13 UTC");
        assert_eq!(brief(now - TimeDelta::seconds(90_000), now).words, "20 Sep 2026");
        assert_eq!(brief(now - TimeDelta::seconds(60), now).words, "1 minute ago");
        assert_eq!(
            (size(12), size(2_500), size(3_750_000)),
            ("12 B".into(), "2 KB".into(), "3.7 MB".into())
        );
    }
}
