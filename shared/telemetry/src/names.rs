//! Names of all metrics: `metrics::counter!(names::EVENTS_HANDLED, "consumer" => .., ..)`.
//!
//! A label takes a handful of values that the program or its configuration knows (a consumer, an event type, an
//! outcome, a provider id), never an account, tenant, address or host that somebody typed: each new value is
//! memory here and in Prometheus for good.

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric, as documents and Prometheus describe it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

macro_rules! metric_names {
    ($(#[doc = $help:literal] $kind:ident $constant:ident = $name:literal [$($label:literal),*];)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// Every metric.
        pub const ALL: &[Metric] = &[
            $(Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help.trim_ascii() },)*
        ];
    };
}

metric_names! {
    /// Deliveries settled by a consumer; outcome: done, repeated, retry, dead_letter.
    Counter EVENTS_HANDLED = "postroom_events_handled_total" ["consumer", "type", "outcome"];
    /// Seconds that a handler took for one delivery.
    Histogram EVENT_HANDLING_SECONDS = "postroom_event_handling_seconds" ["consumer"];
    /// Seconds from the commit of an event to the end of its handling.
    Histogram EVENT_AGE_SECONDS = "postroom_event_age_seconds" ["consumer"];
    /// Events published by the relay; outcome: confirmed, returned, refused.
    Counter EVENTS_PUBLISHED = "postroom_events_published_total" ["outcome"];
    /// Connections to the broker that were opened; link: publish, consume.
    Counter BUS_CONNECTS = "postroom_bus_connects_total" ["link"];
    /// Events that the broker confirmed.
    Counter BUS_PUBLISHED = "postroom_bus_published_total" [];
    /// Events that the broker did not confirm; they are published again.
    Counter BUS_PUBLISH_FAILURES = "postroom_bus_publish_failures_total" [];
    /// Events that no queue took; the queues were declared again.
    Counter BUS_UNROUTABLE = "postroom_bus_unroutable_total" [];
    /// Events that are committed and not yet published.
    Gauge OUTBOX_WAITING = "postroom_outbox_waiting" [];
    /// Deliveries waiting for their retry.
    Gauge RETRIES_WAITING = "postroom_retries_waiting" ["consumer"];
    /// Dead letters that a person has to look at.
    Gauge DEAD_LETTERS = "postroom_dead_letters" ["consumer"];
    /// Accounts by state.
    Gauge ACCOUNTS = "postroom_accounts" ["state"];
    /// Accounts that this worker holds.
    Gauge LEASES_HELD = "postroom_leases_held" [];
    /// Grants refreshed; outcome: refreshed, transient, operator, reauthorization, outdated.
    Counter TOKEN_REFRESHES = "postroom_token_refreshes_total" ["provider", "outcome"];
    /// Seconds until what a registration signs in with ends: a client secret or a certificate.
    Gauge REGISTRATION_SECONDS_LEFT = "postroom_oauth_registration_seconds_left" ["registration"];
    /// Seconds that a token endpoint took to answer.
    Histogram TOKEN_ENDPOINT_SECONDS = "postroom_token_endpoint_seconds" ["provider"];
    /// Sign-ins to mail servers; protocol: imap, smtp; outcome: accepted, refused, failed.
    Counter SIGN_INS = "postroom_sign_ins_total" ["protocol", "outcome"];
    /// IMAP sessions that are open.
    Gauge IMAP_SESSIONS = "postroom_imap_sessions" [];
    /// Bytes of raw mail fetched.
    Counter FETCHED_BYTES = "postroom_fetched_bytes_total" [];
    /// Messages stored; kind: backfill, new.
    Counter MESSAGES_STORED = "postroom_messages_stored_total" ["kind"];
    /// Seconds of one committed step of a sync; step: backfill, changes, scan.
    Histogram SYNC_STEP_SECONDS = "postroom_sync_step_seconds" ["step"];
    /// Send attempts that ended; outcome: sent, deferred, failed, uncertain.
    Counter SEND_ATTEMPTS = "postroom_send_attempts_total" ["outcome"];
    /// Seconds from the request to send until the server took the mail.
    Histogram SEND_SECONDS = "postroom_send_seconds" [];
    /// HTTP requests; route is the pattern, not the path.
    Counter HTTP_REQUESTS = "postroom_http_requests_total" ["route", "method", "status"];
    /// Seconds that an HTTP request took.
    Histogram HTTP_REQUEST_SECONDS = "postroom_http_request_seconds" ["route"];
}

/// Hands the help texts to the recorder.
pub(crate) fn describe_all() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        let unique: HashSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(unique.len(), ALL.len());
        for Metric {
            name,
            kind,
            labels,
            help,
        } in ALL
        {
            assert!(name.starts_with("postroom_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), *kind == Kind::Histogram, "{name}");
            assert!(help.ends_with('.'), "{name}");
            for label in *labels {
                assert!(
                    !label.contains("account") && !label.contains("tenant"),
                    "{name}: {label}"
                );
            }
        }
    }
}
