//! Proving the way in by really signing in, to both servers at the same time and within a time limit.

use std::time::Duration;

use postroom_events::TenantId;
use postroom_mail::{
    imap::ImapSession,
    sasl::SignIn,
    smtp::{SmtpErrorKind, SmtpSession},
};
use postroom_providers::Provider;
use secrecy::SecretString;
use tokio::time::timeout;

use super::{
    draft::ConnectDraft,
    problems::{self, Field, Half},
};
use crate::{
    attempts::Whose,
    http::problem::{FieldProblem, Problem},
    state::AppState,
};

/// What an account signs in with while it is proved.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Secret<'s> {
    Password(&'s SecretString),
    AccessToken(&'s SecretString),
}

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// IMAP and SMTP.
    Both,
    /// IMAP; the provider has switched sending off for this mailbox.
    ReceivesOnly {
        /// Stable code of the cause.
        cause: &'static str,
    },
}

/// Signs in to both servers. Gives all that failed, never only the first. Whoever failed too often has to wait: mail
/// servers lock mailboxes, and nobody is to try passwords through us.
pub(crate) async fn prove(
    state: &AppState,
    tenant_id: TenantId,
    draft: &ConnectDraft,
    secret: Secret<'_>,
) -> Result<Proof, Problem> {
    let whose = [Whose::Mailbox(&draft.address), Whose::Person(&draft.user_ref)];
    state.failed_proofs().check(tenant_id, whose).map_err(too_many)?;
    let proved = sign_in_to_both(state, draft, secret).await;
    proved.map_err(|problems| {
        state.failed_proofs().note(tenant_id, whose);
        Problem::fields(problems)
    })
}

fn too_many(wait: Duration) -> Problem {
    // Whole seconds, rounded up: who comes back then is let through.
    let seconds = wait.as_secs() + 1;
    let sentence = format!(
        "Signing in failed too often within a short time. Check what you entered, and try again in {seconds} seconds."
    );
    Problem::new(
        axum::http::StatusCode::TOO_MANY_REQUESTS,
        "too_many_attempts",
        sentence,
    )
    .with("retry_after", seconds)
}

async fn sign_in_to_both(
    state: &AppState,
    draft: &ConnectDraft,
    secret: Secret<'_>,
) -> Result<Proof, Vec<FieldProblem>> {
    let limit = state.settings().proof_time;
    let provider = state.providers().by_id(&draft.provider_id);
    let (imap, smtp) = tokio::join!(
        within(limit, Half::Imap, prove_imap(state, draft, secret, provider)),
        within(limit, Half::Smtp, prove_smtp(state, draft, secret, provider)),
    );
    match (imap, smtp) {
        (Ok(()), Ok(proof)) => Ok(proof),
        (imap, smtp) => Err(imap.err().into_iter().chain(smtp.err()).collect()),
    }
}

async fn within<T>(
    limit: Duration,
    half: Half,
    proving: impl Future<Output = Result<T, FieldProblem>>,
) -> Result<T, FieldProblem> {
    timeout(limit, proving).await.unwrap_or_else(|_| {
        let sentence = format!(
            "The server took longer than {} seconds to let us in. Check the server name and the port, or try again later.",
            limit.as_secs()
        );
        Err(half.problem(Field::Host, "timed_out", &sentence))
    })
}

async fn prove_imap(
    state: &AppState,
    draft: &ConnectDraft,
    secret: Secret<'_>,
    provider: Option<&Provider>,
) -> Result<(), FieldProblem> {
    let sign_in = sign_in(draft.imap_login(), secret);
    let session = ImapSession::connect(state.connector(), &draft.imap, &sign_in)
        .await
        .map_err(|error| problems::of_imap(&error, draft, provider))?;
    session.logout().await;
    Ok(())
}

async fn prove_smtp(
    state: &AppState,
    draft: &ConnectDraft,
    secret: Secret<'_>,
    provider: Option<&Provider>,
) -> Result<Proof, FieldProblem> {
    let sign_in = sign_in(draft.smtp_login(state.providers()), secret);
    let ehlo_name = &state.settings().ehlo_name;
    match SmtpSession::connect(state.connector(), &draft.smtp, ehlo_name, &sign_in).await {
        Ok(session) => {
            session.quit().await;
            Ok(Proof::Both)
        }
        // Microsoft: a policy of the mailbox, no fault of what was entered. It receives, and says that it cannot send.
        Err(error) if matches!(error.kind, SmtpErrorKind::SmtpAuthDisabled { .. }) => {
            Ok(Proof::ReceivesOnly {
                cause: "smtp_auth_disabled",
            })
        }
        Err(error) => Err(problems::of_smtp(&error, draft, provider)),
    }
}

fn sign_in(login: String, secret: Secret<'_>) -> SignIn {
    match secret {
        Secret::Password(password) => SignIn::Password {
            login,
            secret: password.clone(),
        },
        Secret::AccessToken(token) => SignIn::OAuth {
            login,
            access_token: token.clone(),
        },
    }
}
