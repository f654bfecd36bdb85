//! Getting in: the credential as it is now, a connection, a sign-in.

use postroom_events::GrantId;
use postroom_mail::{
    imap::{ImapError, ImapSession},
    net::{Endpoint, HostName},
    sasl::SignIn,
};
use postroom_store::{
    Account, StoreError,
    credentials::{self, SignInMaterial},
};
use postroom_telemetry::names;

use super::refused::Refused;
use crate::{Fetcher, step_error::StepError};

/// Which access token was used: a refusal names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenUsed {
    pub(crate) grant_id: GrantId,
    pub(crate) version: i64,
}

/// We are in.
pub(super) struct Entry {
    pub(super) session: ImapSession,
    pub(super) token: Option<TokenUsed>,
}

/// We are not in.
pub(super) enum NotIn {
    /// The grant needs the person, or the secret was erased.
    NothingToSignInWith { cause: String },
    /// The token is the one that was refused already; the next one is being fetched.
    WaitsForToken,
    /// The server refused the credential.
    Refused {
        error: ImapError,
        token: Option<TokenUsed>,
    },
    /// Anything else: the way to the server, or the server.
    Failed(ImapError),
}

/// Signs in with the credential as it is now.
pub(super) async fn enter(
    fetcher: &Fetcher,
    account: &Account,
    refused: &Refused,
) -> Result<Result<Entry, NotIn>, StepError> {
    let endpoint = endpoint(account)?;
    // With a shared mailbox, the mailbox is whom the token is used for.
    let login = account.mailbox.clone().unwrap_or_else(|| account.login.clone());
    let (sign_in, token) = match credentials::load(fetcher.store.read(), &fetcher.keys, account).await? {
        SignInMaterial::Password { password } => (
            SignIn::Password {
                login,
                secret: password,
            },
            None,
        ),
        SignInMaterial::AccessToken {
            access_token,
            grant_id,
            token_version,
            ..
        } => (
            SignIn::OAuth { login, access_token },
            Some(TokenUsed {
                grant_id,
                version: token_version,
            }),
        ),
        SignInMaterial::Nothing { cause } => return Ok(Err(NotIn::NothingToSignInWith { cause })),
    };
    if token.is_some_and(|token| refused.is_old_news(token, fetcher.store.clock().monotonic())) {
        return Ok(Err(NotIn::WaitsForToken));
    }
    let connected = {
        let _turn = fetcher
            .connecting
            .acquire()
            .await
            .map_err(|error| StepError::Crashed(error.to_string()))?;
        Box::pin(ImapSession::connect(&fetcher.connector, &endpoint, &sign_in)).await
    };
    Ok(match connected {
        Ok(mut session) => {
            count("accepted");
            match session.introduce("Postroom", env!("CARGO_PKG_VERSION")).await {
                Ok(()) => Ok(Entry { session, token }),
                Err(error) => Err(NotIn::Failed(error)),
            }
        }
        Err(error) if error.refuses_credential() => {
            count("refused");
            Err(NotIn::Refused { error, token })
        }
        Err(error) => {
            count("failed");
            Err(NotIn::Failed(error))
        }
    })
}

fn count(outcome: &'static str) {
    metrics::counter!(names::SIGN_INS, "protocol" => "imap", "outcome" => outcome).increment(1);
}

/// Where the account's mail is fetched. It was checked when the account was connected.
fn endpoint(account: &Account) -> Result<Endpoint, StepError> {
    let damaged = |reason: String| StoreError::Damaged {
        what: "address of an IMAP server",
        reason,
    };
    let host = HostName::parse(&account.imap_host).map_err(|error| damaged(error.to_string()))?;
    let port = u16::try_from(account.imap_port).map_err(|error| damaged(error.to_string()))?;
    match account.imap_tls.as_str() {
        "implicit" => Ok(Endpoint::implicit(host, port)),
        "starttls" => Ok(Endpoint::start_tls(host, port)),
        other => Err(damaged(format!("its TLS mode is {other}")).into()),
    }
}
