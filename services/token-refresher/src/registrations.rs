//! Warns before a client secret or a certificate of the operator ends: in the log and in metrics every day, and by an event
//! once a day to each tenant that has accounts there, however many refreshers look.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use postroom_events::{ClientSecretExpiring, EventMetadata, RegistrationId, TenantId};
use postroom_store::{StoreError, events, grants};
use postroom_telemetry::names;
use tokio_util::sync::CancellationToken;

use crate::{Refresher, refresher::SERVICE};

/// How long before the end it is said.
const AHEAD: TimeDelta = TimeDelta::days(30);

/// Looks at the ends of what registrations sign in with.
#[derive(Debug)]
pub(crate) struct Registrations {
    refresher: Refresher,
}

impl Registrations {
    pub(crate) fn new(refresher: Refresher) -> Self {
        Self { refresher }
    }

    /// Looks at once and then every day, until `shutdown` is cancelled.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "The ends of OAuth registrations could not be told");
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(self.refresher.settings().registrations_look_every) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let store = self.refresher.store();
        let now = store.now(store.read()).await?;
        for (registration, ends_at) in self.refresher.identity().credential_ends() {
            let (id, left) = (registration.id.as_str(), ends_at - now);
            metrics::gauge!(names::REGISTRATION_SECONDS_LEFT, "registration" => id.to_owned())
                .set(left.num_seconds() as f64);
            if left > AHEAD {
                continue;
            }
            tracing::warn!(
                registration = id,
                expires_at = %ends_at,
                days_left = left.num_days(),
                "What an OAuth registration signs in with ends soon: make a new one at the provider, as docs/oauth.md says"
            );
            for tenant_id in grants::tenants_at(store.read(), id).await? {
                self.tell(tenant_id, id, ends_at, now).await?;
            }
        }
        Ok(())
    }

    /// Tells a tenant, unless it was told today. The event is appended first: of two refreshers, the second one waits there
    /// for the first, sees its event, and takes its own back.
    async fn tell(
        &self,
        tenant_id: TenantId,
        registration: &str,
        ends_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let registration_id = RegistrationId::of_name(registration);
        let event = ClientSecretExpiring {
            registration_id,
            expires_at: ends_at,
            registration: registration.to_owned(),
        };
        let today = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        let tx = self.refresher.store().begin("registrations.tell").await?;
        let metadata = EventMetadata::started_by(SERVICE, tenant_id);
        events::append(&tx, &metadata, vec![event.into()]).await?;
        let kind = ClientSecretExpiring::TYPE;
        if events::count_since(&tx, tenant_id, registration_id.0, kind, today).await? > 1 {
            return Ok(()); // told already: nothing is committed
        }
        tx.commit().await
    }
}
