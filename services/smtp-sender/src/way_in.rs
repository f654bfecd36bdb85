//! The way in: the credential as it is now, a connection, and what a refused sign-in means.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_events::WhoCanAct;
use postroom_mail::{
    net::{Endpoint, HostName},
    sasl::SignIn,
    smtp::{SmtpError, SmtpErrorKind, SmtpSession, SmtpTimeOuts},
};
use postroom_retry::{Jitter, policies};
use postroom_store::{
    Account, StoreError,
    credentials::{self, SignInMaterial},
};
use postroom_telemetry::names;

use crate::{
    consequence::Consequence,
    fate::{Refusal, Said, Wait},
    lanes::{KeptSession, Lane, SignedInAs, Trouble},
    refused::TokenUsed,
    sender::Sender,
};

/// A lane is closed no longer by a failed way in: it may be another one by then.
const LONGEST_TROUBLE: Duration = Duration::from_secs(60);
/// After a refused password the account's row keeps everybody away; this is for those who have read it before.
const UNTIL_THE_ROW_SAYS_SO: Duration = Duration::from_secs(10);

/// What to sign in with, and where.
#[derive(Debug)]
pub(crate) struct Credential {
    sign_in: SignIn,
    token: Option<TokenUsed>,
    pub(crate) token_ends_at: Option<DateTime<Utc>>,
    pub(crate) as_whom: SignedInAs,
}

/// A sign-in that failed: what it means for the mail, and for the account.
#[derive(Debug)]
pub(crate) struct NotIn {
    pub(crate) refusal: Refusal,
    pub(crate) consequence: Option<Consequence>,
}

impl Sender {
    /// The credential of an account as it is now. What cannot work is not tried: then it is said what to wait for.
    pub(crate) async fn credential(
        &self,
        account: &Account,
        lane: &Lane,
    ) -> Result<Result<Credential, &'static str>, StoreError> {
        // Of a shared mailbox, too, the person signs in: it has no SMTP of its own.
        let login = self
            .providers
            .smtp_login(&account.provider_id, &account.login, &account.address)
            .to_owned();
        let as_whom = SignedInAs {
            endpoint: endpoint(account)?,
            login: login.clone(),
            credential_generation: account.credential_generation,
        };
        match credentials::load(self.store.read(), &self.keys, account).await? {
            SignInMaterial::Nothing { .. } => Ok(Err("sign_in_needed")),
            SignInMaterial::Password { password: secret } => Ok(Ok(Credential {
                sign_in: SignIn::Password { login, secret },
                token: None,
                token_ends_at: None,
                as_whom,
            })),
            SignInMaterial::AccessToken {
                access_token,
                grant_id,
                token_version,
                expires_at,
            } => {
                let token = TokenUsed {
                    grant_id,
                    version: token_version,
                };
                if expires_at.is_some_and(|ends| ends <= self.now()) {
                    return Ok(Err("token_expired"));
                }
                if lane.refused().is_old_news(token, self.monotonic()) {
                    return Ok(Err("token_refused"));
                }
                Ok(Ok(Credential {
                    sign_in: SignIn::OAuth { login, access_token },
                    token: Some(token),
                    token_ends_at: expires_at,
                    as_whom,
                }))
            }
        }
    }

    /// Connects and signs in.
    pub(crate) async fn connect(&self, credential: &Credential, lane: &Lane) -> Result<KeptSession, NotIn> {
        let endpoint = &credential.as_whom.endpoint;
        let connected = SmtpSession::connect(&self.connector, endpoint, &self.ehlo_name, &credential.sign_in);
        match Box::pin(connected).await {
            Ok(mut smtp) => {
                count("accepted");
                lane.is_well();
                smtp.set_time_outs(SmtpTimeOuts {
                    acceptance: self.settings.acceptance,
                    ..SmtpTimeOuts::with_command(self.connector.read_time_out())
                });
                Ok(KeptSession {
                    smtp,
                    as_whom: credential.as_whom.clone(),
                    token_ends_at: credential.token_ends_at,
                    mails: 0,
                    opened: self.monotonic(),
                })
            }
            Err(error) => {
                let not_in = self.not_in(&error, credential, lane);
                let refused = not_in.consequence.is_some();
                count(if refused { "refused" } else { "failed" });
                tracing::info!(
                    cause = error.code(),
                    refused,
                    "The way to the sending server failed"
                );
                Err(not_in)
            }
        }
    }

    /// What a failed way in means, and for how long nobody else tries it.
    fn not_in(&self, error: &SmtpError, credential: &Credential, lane: &Lane) -> NotIn {
        let (cause, consequence, wait) = match (&error.kind, credential.token) {
            (SmtpErrorKind::CredentialsRefused { .. }, Some(token)) => {
                let enough = lane.refused().note(token, self.monotonic());
                let (consequence, wait) = if enough {
                    // The mailbox can still be read with them, so it is not the sign-in as a whole.
                    let blocked = Consequence::SendingBlocked {
                        cause: "token_refused",
                        who_can_act: WhoCanAct::User,
                    };
                    (blocked, self.settings.look_again_latest)
                } else {
                    (
                        Consequence::TokenRejected(token),
                        self.settings.look_again_soonest,
                    )
                };
                ("token_refused", Some(consequence), Wait::Exactly(wait))
            }
            (SmtpErrorKind::CredentialsRefused { .. } | SmtpErrorKind::Credential(_), None) => {
                let cause = "password_refused";
                // Then the account's row says so, unless the person has given another password meanwhile.
                let wait = Wait::Exactly(self.settings.look_again_soonest);
                (cause, Some(Consequence::PersonNeeded { cause }), wait)
            }
            (SmtpErrorKind::SmtpAuthDisabled { .. }, _) => {
                let cause = "smtp_auth_disabled";
                let blocked = Consequence::SendingBlocked {
                    cause,
                    who_can_act: WhoCanAct::Administrator,
                };
                let wait = Wait::Exactly(policies::MAILBOX_REFUSED.initial);
                (cause, Some(blocked), wait)
            }
            _ => (error.code(), None, Wait::ByPolicy(error.retry_hint())),
        };
        lane.is_in_trouble(|failures, now| Trouble {
            until: now + self.trouble_time(failures, wait, consequence),
            cause,
            words: error.to_string(),
        });
        let said = match error.reply() {
            Some(reply) => Said::by_server(reply),
            None => Said::sentence(error.to_string()),
        };
        NotIn {
            refusal: Refusal::for_now(cause, said, wait),
            consequence,
        }
    }

    fn trouble_time(&self, failures: u32, wait: Wait, consequence: Option<Consequence>) -> Duration {
        let time = match (consequence, wait) {
            (Some(Consequence::PersonNeeded { .. }), _) => UNTIL_THE_ROW_SAYS_SO,
            (_, Wait::Exactly(time)) => time,
            (_, Wait::ByPolicy(asked)) => {
                let own = policies::RECONNECT.next_delay(failures, Jitter::random());
                own.unwrap_or(LONGEST_TROUBLE).max(asked.unwrap_or_default())
            }
        };
        time.min(LONGEST_TROUBLE)
    }
}

fn count(outcome: &'static str) {
    metrics::counter!(names::SIGN_INS, "protocol" => "smtp", "outcome" => outcome).increment(1);
}

/// Where the account's mail is sent. It was checked when the account was connected.
fn endpoint(account: &Account) -> Result<Endpoint, StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        what: "address of an SMTP server",
        reason,
    };
    let host = HostName::parse(&account.smtp_host).map_err(|error| damaged(error.to_string()))?;
    let port = u16::try_from(account.smtp_port).map_err(|error| damaged(error.to_string()))?;
    match account.smtp_tls.as_str() {
        "implicit" => Ok(Endpoint::implicit(host, port)),
        "starttls" => Ok(Endpoint::start_tls(host, port)),
        other => Err(damaged(format!("its TLS mode is {other}"))),
    }
}
