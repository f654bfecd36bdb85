//! Refused access tokens: each is told once, and after a few fresh ones it is not the token.

use std::time::{Duration, Instant};

use postroom_events::GrantId;

/// A refused token is tried again after this time, in case that the server was wrong and nobody fetches another.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(300);
/// So many fresh tokens in a row are refused: it is not the token.
const ENOUGH: u32 = 3;

/// Which access token was used: a refusal names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenUsed {
    pub(crate) grant_id: GrantId,
    pub(crate) version: i64,
}

/// What was refused since the last successful sign-in.
#[derive(Debug, Default)]
pub(crate) struct RefusedTokens {
    last: Option<(TokenUsed, Instant)>,
    /// Different tokens of one grant that were refused in a row.
    count: u32,
}

impl RefusedTokens {
    /// Whether this very token was refused a short while ago.
    pub(crate) fn is_old_news(&self, token: TokenUsed, now: Instant) -> bool {
        self.last
            .is_some_and(|(last, at)| last == token && now.duration_since(at) < TRY_AGAIN_AFTER)
    }

    /// Whether a token was refused a short while ago.
    pub(crate) fn is_news(&self, now: Instant) -> bool {
        self.last
            .is_some_and(|(_, at)| now.duration_since(at) < TRY_AGAIN_AFTER)
    }

    /// Notes a refusal. Gives whether it is not the token, but something else.
    pub(crate) fn note(&mut self, token: TokenUsed, now: Instant) -> bool {
        self.count = match self.last {
            Some((last, _)) if last == token => self.count,
            Some((last, _)) if last.grant_id == token.grant_id => self.count + 1,
            _ => 1,
        };
        self.last = Some((token, now));
        self.count >= ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_tokens_are_tried_and_enough_of_them_are_enough() {
        let grant_id = GrantId::generate();
        let token = |version| TokenUsed { grant_id, version };
        let now = Instant::now();
        let mut refused = RefusedTokens::default();
        assert!(!refused.is_old_news(token(1), now));
        assert!(!refused.note(token(1), now));
        assert!(refused.is_old_news(token(1), now) && !refused.is_old_news(token(2), now));
        assert!(!refused.is_old_news(token(1), now + TRY_AGAIN_AFTER));
        assert!(
            !refused.note(token(1), now),
            "the same one again says nothing new"
        );
        assert!(!refused.note(token(2), now));
        assert!(refused.note(token(3), now));
        let other = TokenUsed {
            grant_id: GrantId::generate(),
            version: 9,
        };
        assert!(!refused.note(other, now), "another grant begins anew");
    }
}
