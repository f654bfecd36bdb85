//! Making the provider fail, for one user or one application.

use anyhow::Result;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::TestUser;
use crate::openid::admin::OpenId;

/// How the provider fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultMode {
    /// 429 with `Retry-After`: two seconds unless [`Fault::retry_after`] says otherwise.
    #[serde(rename = "429")]
    TooManyRequests,
    /// 500.
    #[serde(rename = "500")]
    ServerError,
    /// 503, with `Retry-After` only if [`Fault::retry_after`] says so.
    #[serde(rename = "503")]
    Unavailable,
    /// 400 `invalid_grant`, AADSTS700082: the refresh token is dead.
    InvalidGrant,
    /// 401 `invalid_client`, AADSTS7000222: the application's secret is over.
    InvalidClient,
    /// 400 `interaction_required`, AADSTS50076: the person has to prove more.
    InteractionRequired,
    /// 400 `invalid_grant` with suberror `consent_required`, AADSTS65001.
    ConsentRequired,
    /// 400 `slow_down`, while a device waits for its person.
    SlowDown,
    /// 400 `expired_token`, AADSTS70020: a device's code is over.
    ExpiredToken,
    /// 200 with a page of HTML, as a captive portal answers.
    Html,
    /// No answer for two minutes, then the connection ends.
    Hang,
    /// The connection is reset at once.
    Reset,
    /// The right answer, after [`Fault::delay`].
    Slow,
    /// The provider does what it was asked, rotates the refresh token too, and the answer is lost.
    DropAfter,
}

/// A fault to set. Without further words it strikes the next call of the token endpoint.
#[derive(Clone, Debug)]
pub struct Fault {
    body: Value,
}

/// A fault that was set.
#[derive(Clone, Debug)]
pub struct PendingFault {
    openid: OpenId,
    id: u64,
}

#[derive(Deserialize)]
struct FaultState {
    id: u64,
    hits: u64,
}

impl Fault {
    /// A fault that strikes calls made with the user's tokens and codes. At the authorize endpoint it strikes calls
    /// whose `login_hint` is the user.
    #[must_use]
    pub fn for_user(mode: FaultMode, user: &TestUser) -> Self {
        Self {
            body: json!({ "mode": mode, "user": user.address }),
        }
    }

    /// A fault that strikes calls of one application; make one for the test with [`OpenId::create_client`].
    #[must_use]
    pub fn for_client(mode: FaultMode, client_id: &str) -> Self {
        Self {
            body: json!({ "mode": mode, "client_id": client_id }),
        }
    }

    /// Strikes so many calls, not just one.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        self.with("times", json!(times))
    }

    /// Strikes until it is removed.
    #[must_use]
    pub fn until_removed(self) -> Self {
        self.with("times", json!(-1))
    }

    /// Strikes another endpoint than `token`: `authorize`, `device`, `introspect`, `revoke`, `userinfo`.
    #[must_use]
    pub fn endpoint(self, endpoint: &str) -> Self {
        self.with("endpoint", json!(endpoint))
    }

    /// Strikes only this grant type: `authorization_code`, `refresh_token`.
    #[must_use]
    pub fn grant_type(self, grant_type: &str) -> Self {
        self.with("grant_type", json!(grant_type))
    }

    /// Waits before it strikes.
    #[must_use]
    pub fn delay(self, delay: std::time::Duration) -> Self {
        self.with("delay_ms", json!(delay.as_millis() as u64))
    }

    /// Seconds in `Retry-After`.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        self.with("retry_after", json!(seconds))
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.body[name] = value;
        self
    }
}

impl OpenId {
    /// Sets a fault.
    ///
    /// # Errors
    /// If the provider does not answer.
    pub async fn set_fault(&self, fault: Fault) -> Result<PendingFault> {
        let state: FaultState = serde_json::from_value(self.post("/faults", &fault.body).await?)?;
        Ok(PendingFault {
            openid: self.clone(),
            id: state.id,
        })
    }
}

impl PendingFault {
    /// How many calls it has struck.
    ///
    /// # Errors
    /// If the fault was removed, or the provider does not answer.
    pub async fn hits(&self) -> Result<u64> {
        let state = self
            .openid
            .call(Method::GET, &format!("/faults?id={}", self.id), None)
            .await?;
        Ok(serde_json::from_value::<FaultState>(state)?.hits)
    }

    /// Ends it.
    ///
    /// # Errors
    /// If the provider does not answer.
    pub async fn remove(self) -> Result<()> {
        self.openid
            .call(Method::DELETE, &format!("/faults?id={}", self.id), None)
            .await
            .map(drop)
    }
}
