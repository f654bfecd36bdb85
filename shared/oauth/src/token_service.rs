//! Access tokens handed in by a service of the operator's, for those who hold the grants themselves.
//!
//! ```text
//! POST <token_service_url>
//! Authorization: Bearer <token_service_secret>
//! {"registration": "crm", "tenant_id": "...", "account_id": "..." or null, "address": "ada@example.org"}
//!
//! 200 {"access_token": "...", "expires_in": 3600}
//! ```
//! It is a POST, so that no address stands in a log of URLs. `docs/oauth.md` says what each status means.

use std::time::Duration;

use postroom_events::{AccountId, TenantId};
use reqwest::StatusCode;
use secrecy::{SecretString, zeroize::Zeroize};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::causes::{
    ANSWER_NOT_UNDERSTOOD, Cause, NOT_CONNECTED_THERE, TOKEN_SERVICE_REFUSES, TOKEN_SERVICE_UNFIT,
};
use crate::failure::HttpFailure;
use crate::http_client::IdentityHttp;
use crate::obtain::Mailbox;
use crate::token_error::TokenError;
use crate::tokens::Tokens;

/// The service, as one registration reaches it.
#[derive(Debug)]
pub(crate) struct TokenService {
    registration: String,
    url: Url,
    secret: SecretString,
}

#[derive(Serialize)]
struct Question<'a> {
    registration: &'a str,
    tenant_id: TenantId,
    account_id: Option<AccountId>,
    address: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

impl TokenService {
    pub(crate) fn new(registration: &str, url: Url, secret: SecretString) -> Self {
        Self {
            registration: registration.to_owned(),
            url,
            secret,
        }
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Asks for a token that opens `mailbox`.
    pub(crate) async fn ask(
        &self,
        http: &IdentityHttp,
        mailbox: Mailbox<'_>,
        name: &str,
    ) -> Result<Tokens, TokenError> {
        let question = Question {
            registration: &self.registration,
            tenant_id: mailbox.tenant_id,
            account_id: mailbox.account_id,
            address: mailbox.address,
        };
        let answer = http.post_json(&self.url, &question, &self.secret).await;
        let mut answer: Answer = answer.map_err(|failure| explain(failure, name))?;
        let tokens = Tokens::access_alone(&answer.access_token, Duration::from_secs(answer.expires_in));
        answer.access_token.zeroize();
        tokens
            .filter(|tokens| !tokens.expires_in.is_zero())
            .ok_or_else(|| TokenError::new(ANSWER_NOT_UNDERSTOOD, name))
    }
}

/// It is not a token endpoint: its status alone counts.
fn explain(failure: HttpFailure, name: &str) -> TokenError {
    let HttpFailure::Refused {
        status, retry_after, ..
    } = failure
    else {
        return TokenError::from_http(failure, name);
    };
    match of_status(status) {
        Some(cause) => TokenError::new(cause, name),
        None => TokenError::from_http(
            HttpFailure::Refused {
                status,
                retry_after,
                answer: Default::default(),
            },
            name,
        ),
    }
}

/// `None`: it passes.
fn of_status(status: StatusCode) -> Option<Cause> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(TOKEN_SERVICE_REFUSES),
        StatusCode::NOT_FOUND | StatusCode::GONE => Some(NOT_CONNECTED_THERE),
        StatusCode::TOO_MANY_REQUESTS => None,
        status if status.is_server_error() => None,
        _ => Some(TOKEN_SERVICE_UNFIT),
    }
}
