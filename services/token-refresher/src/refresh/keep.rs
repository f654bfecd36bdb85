//! Putting new tokens on disk, whatever happens meanwhile to whoever waits for it.

use std::sync::Arc;

use postroom_crypto::KeyRing;
use postroom_events::{EventEnvelope, EventMetadata, GrantState, TokenRefreshed};
use postroom_oauth::Tokens;
use postroom_retry::{Jitter, clock::plus, policies::INFRASTRUCTURE};
use postroom_runtime::{HandledEvent, HandlerError};
use postroom_store::{
    Grant, Store, StoreError, events,
    grants::{self, NewTokens},
    refreshes::HeldGrant,
};
use secrecy::{ExposeSecret, SecretString};
use tracing::{Instrument, Span};

use crate::{Refresher, release, schedule};

/// Stores new tokens. Gives the outcome, as in metrics.
///
/// In a task of its own: once the provider has replaced the refresh token, this is the only copy of the new one, and it
/// must reach the disk even if the handler is given up meanwhile, as while the database is away.
pub(super) async fn keep(
    refresher: &Refresher,
    delivery: &HandledEvent,
    held: Box<HeldGrant>,
    tokens: Tokens,
) -> Result<&'static str, HandlerError> {
    let new = NewTokensOf {
        store: refresher.store().clone(),
        keys: Arc::clone(refresher.keys()),
        metadata: delivery.metadata(),
        grant: held.grant,
        tokens,
    };
    let storing = tokio::spawn(new.store().instrument(Span::current()));
    match storing.await.map_err(HandlerError::retry)? {
        Kept::Stored(written) => {
            delivery.has_caused(&written);
            Ok("refreshed")
        }
        Kept::Outdated => Ok("outdated"),
        Kept::Revoked { grant, refresh_token } => {
            // Nobody needs it; what the provider has just given must not live on there.
            if let Err(trouble) = release::give_back(refresher, delivery, &grant, &refresh_token).await {
                tracing::warn!(grant.id = %grant.id, cause = trouble.code, "A grant that was disconnected during its refresh could not be given back");
            }
            Ok("outdated")
        }
    }
}

/// What became of new tokens.
enum Kept {
    /// They are on disk, and these events with them.
    Stored(Vec<EventEnvelope>),
    /// The person has signed in again meanwhile: theirs are newer.
    Outdated,
    /// The grant was revoked meanwhile.
    Revoked {
        grant: Box<Grant>,
        refresh_token: SecretString,
    },
}

struct NewTokensOf {
    store: Store,
    keys: Arc<KeyRing>,
    metadata: EventMetadata,
    grant: Grant,
    tokens: Tokens,
}

impl NewTokensOf {
    /// Tries until the database says yes or no.
    async fn store(self) -> Kept {
        let mut tries = 0_u32;
        loop {
            let stored = match self.store_once().await {
                Err(StoreError::Outdated { .. }) => self.compare().await,
                stored => stored.map(Kept::Stored),
            };
            match stored {
                Ok(kept) => return kept,
                Err(error) => {
                    tracing::warn!(grant.id = %self.grant.id, %error, "New tokens wait for the database");
                }
            }
            tries = tries.saturating_add(1);
            let wait = INFRASTRUCTURE.next_delay(tries, Jitter::random());
            tokio::time::sleep(wait.unwrap_or(INFRASTRUCTURE.max_interval)).await;
        }
    }

    /// Tokens and event in one transaction: nobody hears of tokens that are not on disk.
    async fn store_once(&self) -> Result<Vec<EventEnvelope>, StoreError> {
        let tx = self.store.begin("refreshes.store_tokens").await?;
        // By the database's clock, as the scheduler reads it: a wrong clock here shifts nothing.
        let now = self.store.now(tx.db()).await?;
        let tokens = self.new_tokens(now);
        let token_version = grants::store_tokens(&tx, &self.keys, &self.grant, &tokens).await?;
        let event = TokenRefreshed {
            grant_id: self.grant.id,
            token_version,
            expires_at: tokens.expires_at,
        };
        let written = events::append(&tx, &self.metadata, vec![event.into()]).await?;
        tx.commit().await?;
        tracing::info!(grant.id = %self.grant.id, token_version, "Refreshed a grant");
        Ok(written)
    }

    fn new_tokens(&self, now: chrono::DateTime<chrono::Utc>) -> NewTokens {
        let Tokens {
            access_token,
            expires_in,
            refresh_token,
            scopes,
            ..
        } = self.tokens.clone();
        let jitter = Jitter::of(self.grant.id.0.as_u64_pair().1 ^ self.grant.token_version.unsigned_abs());
        NewTokens {
            access_token,
            expires_at: Some(plus(now, expires_in)),
            refresh_token,
            scopes: if scopes.is_empty() {
                self.grant.scopes.clone()
            } else {
                scopes.join(" ")
            },
            refresh_due_at: Some(plus(now, schedule::refresh_after(expires_in, jitter))),
        }
    }

    /// The grant is not what it was. Perhaps by our own hand: a commit whose confirmation was lost.
    async fn compare(&self) -> Result<Kept, StoreError> {
        let grant = grants::find(self.store.read(), self.grant.tenant_id, self.grant.id).await?;
        if grant.state == GrantState::Revoked {
            return Ok(match self.tokens.refresh_token.clone() {
                Some(refresh_token) => Kept::Revoked {
                    grant: Box::new(grant),
                    refresh_token,
                },
                None => Kept::Outdated,
            });
        }
        let stored = grants::open_access_token(&self.keys, &grant)?;
        let ours = self.tokens.access_token.expose_secret();
        if stored.is_some_and(|stored| stored.expose_secret() == ours) {
            return Ok(Kept::Stored(Vec::new()));
        }
        tracing::info!(grant.id = %grant.id, "The grant has got newer tokens during its refresh");
        Ok(Kept::Outdated)
    }
}
