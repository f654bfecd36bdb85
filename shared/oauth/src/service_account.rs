//! Google's service accounts: we vouch, with a signature, that we act for one mailbox (domain-wide delegation; RFC 7523
//! section 2.1; <https://developers.google.com/identity/protocols/oauth2/service-account>).

use std::path::Path;

use chrono::{DateTime, Utc};
use postroom_events::WhoCanAct;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::causes::{
    CLIENT_REFUSED, CONSENT_DECLINED, DELEGATION_MISSING, MAILBOX_UNKNOWN, SERVICE_KEY_REFUSED,
};
use crate::failure::HttpFailure;
use crate::http_client::{self, IdentityHttp};
use crate::jwt::{self, Algorithm, SigningKey, Unsigned};
use crate::token_error::TokenError;
use crate::tokens::TokenAnswer;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A service account and its key.
#[derive(Debug)]
pub(crate) struct ServiceAccount {
    email: String,
    key: SigningKey,
    key_id: String,
    token_url: Url,
}

/// The JSON key as Google gives it; it holds more that we do not need.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: String,
    private_key_id: String,
    token_uri: Url,
}

impl ServiceAccount {
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let refuse = |problem: &str| format!("`service_account_key`: {}: {problem}", path.display());
        let json = jwt::read_file("service_account_key", path)?;
        let file: KeyFile = serde_json::from_slice(&json).map_err(|error| {
            refuse(&format!(
                "it is not a JSON key of a service account, see line {}",
                error.line()
            ))
        })?;
        if file.kind != "service_account" {
            return Err(refuse("it is the key of something else than a service account"));
        }
        Ok(Self {
            key: SigningKey::from_pem(file.private_key.as_bytes()).map_err(refuse)?,
            email: file.client_email,
            key_id: file.private_key_id,
            token_url: file.token_uri,
        })
    }

    /// Where tokens are asked for.
    pub(crate) fn token_url(&self) -> &Url {
        &self.token_url
    }

    /// Asks for a token that opens `mailbox`.
    pub(crate) async fn ask(
        &self,
        http: &IdentityHttp,
        mailbox: &str,
        scopes: &[String],
    ) -> Result<TokenAnswer, HttpFailure> {
        let assertion = self.assertion(mailbox, scopes, http.clock().now())?;
        let fields = [
            ("grant_type", GRANT_TYPE),
            ("assertion", assertion.expose_secret()),
        ];
        let answer = http.request(http_client::form(&self.token_url, &fields)?).await?;
        http_client::json(&answer)
    }

    fn assertion(
        &self,
        mailbox: &str,
        scopes: &[String],
        now: DateTime<Utc>,
    ) -> Result<SecretString, Unsigned> {
        let (begin, end) = jwt::times(now);
        let claims = json!({
            "iss": self.email, "sub": mailbox, "scope": scopes.join(" "), "aud": self.token_url.as_str(),
            "iat": begin, "exp": end
        });
        self.key.sign(Algorithm::Rs256, ("kid", &self.key_id), &claims)
    }
}

/// What a refusal means where nobody signed in: the organization has not delegated, or our key is no good.
pub(crate) fn about_a_service_account(mut error: TokenError) -> TokenError {
    error.cause = match error.cause {
        CONSENT_DECLINED => DELEGATION_MISSING,
        CLIENT_REFUSED => SERVICE_KEY_REFUSED,
        MAILBOX_UNKNOWN => MAILBOX_UNKNOWN,
        other if other.who_acts == WhoCanAct::User => SERVICE_KEY_REFUSED,
        other => other,
    };
    error
}
