//! Why one half of an account could not be proved: the field it belongs to, a stable code, a sentence with the next step.

use postroom_mail::{
    imap::{ImapError, ImapErrorKind},
    net::{ConnectError, ConnectErrorKind, TlsFailure},
    smtp::{SmtpError, SmtpErrorKind},
};
use postroom_providers::Provider;

use super::draft::ConnectDraft;
use crate::http::problem::FieldProblem;

/// The half of an account that was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Imap,
    Smtp,
}

impl Half {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Smtp => "smtp",
        }
    }

    const fn purpose(self) -> &'static str {
        match self {
            Self::Imap => "Receiving mail (IMAP)",
            Self::Smtp => "Sending mail (SMTP)",
        }
    }

    /// A problem of this half. `field` without a half in front stands for itself.
    pub(super) fn problem(self, field: Field, code: &str, sentence: &str) -> FieldProblem {
        FieldProblem::new(
            field.path(self),
            format!("{}_{code}", self.name()),
            format!("{} does not work: {sentence}", self.purpose()),
        )
    }
}

/// The field of the form that a person has to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Host,
    Port,
    Tls,
    /// The password, or the way to sign in where there is none.
    Credential,
    Login,
}

impl Field {
    fn path(self, half: Half) -> String {
        let half = half.name();
        match self {
            Self::Host => format!("{half}.host"),
            Self::Port => format!("{half}.port"),
            Self::Tls => format!("{half}.tls"),
            Self::Credential => "password".to_owned(),
            Self::Login => "login".to_owned(),
        }
    }
}

/// Why IMAP was not proved.
pub(super) fn of_imap(error: &ImapError, draft: &ConnectDraft, provider: Option<&Provider>) -> FieldProblem {
    let (field, code) = match &error.kind {
        ImapErrorKind::Connect(error) => of_connection(error),
        ImapErrorKind::StartTlsNotOffered => (Field::Tls, "no_tls"),
        ImapErrorKind::CredentialsRefused { .. } => {
            return refused(Half::Imap, &error.to_string(), draft, provider);
        }
        ImapErrorKind::AuthNotOffered { .. } => (Field::Credential, "sign_in_not_offered"),
        ImapErrorKind::Credential(_) => (Field::Login, "credential_unusable"),
        ImapErrorKind::NotImap { .. } => (Field::Port, "not_a_mail_server"),
        ImapErrorKind::TimedOut { .. } => (Field::Host, "timed_out"),
        ImapErrorKind::Lost { .. } => (Field::Port, "connection_lost"),
        ImapErrorKind::MailboxUnavailable { .. } => (Field::Login, "mailbox_unavailable"),
        ImapErrorKind::TemporarilyUnavailable { .. } | ImapErrorKind::Bye { .. } => {
            (Field::Host, "temporarily_unavailable")
        }
        ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. } => (Field::Host, "refused"),
        _ => (Field::Host, "protocol_broken"),
    };
    Half::Imap.problem(field, code, &error.to_string())
}

/// Why SMTP was not proved.
pub(super) fn of_smtp(error: &SmtpError, draft: &ConnectDraft, provider: Option<&Provider>) -> FieldProblem {
    let (field, code) = match &error.kind {
        SmtpErrorKind::Connect(error) => of_connection(error),
        SmtpErrorKind::StartTlsNotOffered => (Field::Tls, "no_tls"),
        SmtpErrorKind::CredentialsRefused { .. } => {
            return refused(Half::Smtp, &error.to_string(), draft, provider);
        }
        SmtpErrorKind::AuthNotOffered { .. } => (Field::Credential, "sign_in_not_offered"),
        SmtpErrorKind::SmtpAuthDisabled { .. } => (Field::Credential, "auth_disabled"),
        SmtpErrorKind::Credential(_) => (Field::Login, "credential_unusable"),
        SmtpErrorKind::NotSmtp { .. } => (Field::Port, "not_a_mail_server"),
        SmtpErrorKind::TimedOut { .. } => (Field::Host, "timed_out"),
        SmtpErrorKind::Lost { .. } => (Field::Port, "connection_lost"),
        SmtpErrorKind::TemporarilyUnavailable { .. } => (Field::Host, "temporarily_unavailable"),
        SmtpErrorKind::Refused { .. } => (Field::Host, "refused"),
        SmtpErrorKind::Protocol { .. } => (Field::Host, "protocol_broken"),
    };
    Half::Smtp.problem(field, code, &error.to_string())
}

fn of_connection(error: &ConnectError) -> (Field, &'static str) {
    match &error.kind {
        ConnectErrorKind::NameNotFound => (Field::Host, "unknown_host"),
        ConnectErrorKind::NameServiceFailed => (Field::Host, "name_service_failed"),
        ConnectErrorKind::DeniedByPolicy { .. } => (Field::Host, "host_not_allowed"),
        ConnectErrorKind::Refused => (Field::Port, "connection_refused"),
        ConnectErrorKind::TimedOut { .. } => (Field::Host, "timed_out"),
        ConnectErrorKind::Network(_) => (Field::Host, "network_failed"),
        ConnectErrorKind::Tls(failure) => match failure {
            TlsFailure::Expired => (Field::Host, "certificate_expired"),
            TlsFailure::NotYetValid => (Field::Host, "certificate_not_yet_valid"),
            TlsFailure::WrongName { .. } => (Field::Host, "certificate_wrong_name"),
            TlsFailure::UnknownIssuer => (Field::Host, "certificate_not_trusted"),
            TlsFailure::Revoked => (Field::Host, "certificate_revoked"),
            TlsFailure::NotTls => (Field::Tls, "no_tls"),
            TlsFailure::ClosedDuringHandshake => (Field::Port, "closed_during_handshake"),
            TlsFailure::InjectedBeforeTls => (Field::Tls, "injected_before_tls"),
            TlsFailure::Other(_) => (Field::Host, "tls_failed"),
        },
    }
}

/// A refused password where the provider wants an app password says so, with the provider's own help page.
fn refused(half: Half, sentence: &str, draft: &ConnectDraft, provider: Option<&Provider>) -> FieldProblem {
    use postroom_events::AuthenticationMethod::{AppPassword, OAuth2, Password};
    let code = match draft.method {
        OAuth2 => "token_refused",
        Password | AppPassword => "password_refused",
    };
    let mut problem = half.problem(Field::Credential, code, sentence);
    let Some(provider) = provider.filter(|_| draft.method != OAuth2) else {
        return problem;
    };
    if let Some(hint) = &provider.sign_in_hint {
        problem.detail = format!("{} {hint}", problem.detail);
    }
    let help = provider
        .app_password_help
        .as_ref()
        .or(provider.enable_imap_help.as_ref());
    problem.help_url = help.map(ToString::to_string);
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_which_half_it_is() {
        let problem = Half::Smtp.problem(Field::Tls, "no_tls", "Why.");
        assert_eq!(
            (problem.field.as_str(), problem.code.as_ref()),
            ("smtp.tls", "smtp_no_tls")
        );
        assert_eq!(problem.detail, "Sending mail (SMTP) does not work: Why.");
        assert_eq!(Half::Imap.problem(Field::Credential, "x", "y").field, "password");
    }
}
