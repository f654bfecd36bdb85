//! Tokens of an identity provider as they are kept.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_oauth::Tokens;
use postroom_retry::clock;
use postroom_store::grants::NewTokens;

/// Tokens that were given at `now`.
pub(crate) fn new_tokens(tokens: Tokens, now: DateTime<Utc>) -> NewTokens {
    NewTokens {
        access_token: tokens.access_token,
        expires_at: Some(clock::plus(now, tokens.expires_in)),
        refresh_token: tokens.refresh_token,
        scopes: tokens.scopes.join(" "),
        refresh_due_at: Some(clock::plus(now, refresh_after(tokens.expires_in))),
    }
}

/// Well before the end, whatever its length: token-refresher plans every later refresh by its own rule.
fn refresh_after(lifetime: Duration) -> Duration {
    lifetime.saturating_sub((lifetime / 4).min(Duration::from_secs(600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refresh_comes_before_the_end() {
        let after = |seconds| refresh_after(Duration::from_secs(seconds)).as_secs();
        assert_eq!((after(3600), after(60), after(0)), (3000, 45, 0));
    }
}
