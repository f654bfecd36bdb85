//! Signing in on another device (RFC 8628): a terminal shows a code, and this process waits for the person.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use postroom_events::{DeviceSignInId, EventMetadata};
use postroom_oauth::{DeviceAuthorization, IdentityProvider};
use postroom_providers::OAuthRegistration;
use postroom_store::{Account, StoreError, device_sign_ins};
use serde::Serialize;
use tracing::Instrument;

use super::{Refusal, await_admin, finish::keep_or_give_back};
use crate::{connect::draft::ConnectDraft, http::problem::Problem, state::AppState};

/// Sign-ins of one tenant that are waited for at the same time.
const MOST: u64 = 50;

/// What is shown to the person.
#[derive(Debug, Serialize)]
pub(crate) struct Begun {
    id: DeviceSignInId,
    verification_uri: String,
    user_code: String,
    expires_at: DateTime<Utc>,
}

/// Begins one, and waits for it in a task of its own. A process that ends takes it along: it counts as expired then.
pub(crate) async fn begin_device(
    state: &AppState,
    metadata: &EventMetadata,
    draft: &ConnectDraft,
    registration: &OAuthRegistration,
) -> Result<Begun, Problem> {
    let provider = state.identity().get(&registration.id).await?;
    let provider = provider.ok_or_else(Problem::internal)?;
    let device = provider.begin_device().await?;
    let tx = state.store().begin("device_sign_in.begin").await?;
    let row = device_sign_ins::add(&tx, metadata.tenant_id, device.expires_in(), MOST).await?;
    tx.commit().await?;
    let row = row.ok_or_else(|| {
        Problem::new(
            axum::http::StatusCode::TOO_MANY_REQUESTS,
            "too_many_sign_ins",
            "Too many sign-ins on other devices are waited for. Finish some of them, or try again later.",
        )
    })?;
    let begun = Begun {
        id: row.id,
        verification_uri: device.verification_uri().to_owned(),
        user_code: device.user_code().to_owned(),
        expires_at: row.expires_at,
    };
    let waiting = Waiting {
        state: state.clone(),
        metadata: metadata.clone(),
        draft: draft.clone(),
        registration: registration.id.clone(),
        provider,
        device,
    };
    tokio::spawn(waiting.wait(row.id).in_current_span());
    Ok(begun)
}

/// A sign-in that is waited for.
struct Waiting {
    state: AppState,
    metadata: EventMetadata,
    draft: ConnectDraft,
    registration: String,
    provider: Arc<IdentityProvider>,
    device: DeviceAuthorization,
}

impl Waiting {
    async fn wait(self, id: DeviceSignInId) {
        let outcome = self.finish().await;
        if let Err(error) = self.tell(id, outcome).await {
            tracing::error!(%error, "What became of a sign-in on another device could not be written down");
        }
    }

    async fn finish(&self) -> Result<Account, Refusal> {
        let tokens = self.provider.finish_device(&self.device).await?;
        let (state, metadata, provider) = (&self.state, &self.metadata, Arc::clone(&self.provider));
        let kept =
            keep_or_give_back(state, metadata, &self.registration, &self.draft, provider, tokens).await;
        Ok(kept?.account)
    }

    async fn tell(&self, id: DeviceSignInId, outcome: Result<Account, Refusal>) -> Result<(), StoreError> {
        if let Err(Refusal {
            awaits: Some(cause), ..
        }) = &outcome
        {
            await_admin(
                &self.state,
                &self.metadata,
                &self.registration,
                &self.draft,
                **cause,
            )
            .await?;
        }
        let tx = self.state.store().begin("device_sign_in.end").await?;
        match outcome {
            Ok(account) => device_sign_ins::connected(&tx, id, account.id).await?,
            Err(refusal) => device_sign_ins::refused(&tx, id, &refusal.code, &refusal.sentence).await?,
        }
        tx.commit().await
    }
}
