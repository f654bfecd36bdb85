//! The rules for each field that a person or program enters.

use postroom_events::AuthenticationMethod;
use postroom_mail::smtp::check_address;
use postroom_providers::{Provider, ProviderCatalogue};

use super::draft::some_text;
use crate::http::problem::FieldProblem;

/// RFC 5321, section 4.5.3.1.3: a path has at most 256 bytes, brackets included.
const MAX_ADDRESS: usize = 254;
const MAX_NAME: usize = 200;
const MAX_LOGIN: usize = 254;
const MAX_PASSWORD: usize = 1000;

/// What no line of a protocol or a header may hold.
fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

pub(crate) fn check_mailbox(entered: &str) -> Result<String, FieldProblem> {
    // Only blanks at the ends are forgiven: a line break is never a slip of the pen.
    let address = entered.trim_matches(' ');
    let refused = |why: String| {
        let detail = format!("The email address cannot be used: {why}. Correct it and try again.");
        FieldProblem::new("address", "invalid_address", detail)
    };
    if address.len() > MAX_ADDRESS {
        return Err(refused(format!("it is longer than {MAX_ADDRESS} characters")));
    }
    check_address(address).map_err(|error| refused(error.to_string()))?;
    Ok(match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_lowercase()),
        None => address.to_owned(),
    })
}

/// The CRM's id of a person: printable and short.
pub(crate) fn check_user_ref(user_ref: &str) -> Result<String, FieldProblem> {
    let refused = |why: &str| {
        let detail = format!(
            "The user_ref {why}. Send the CRM's own id of the person, at most {MAX_NAME} characters."
        );
        FieldProblem::new("user_ref", "invalid_user_ref", detail)
    };
    if user_ref.trim().is_empty() {
        return Err(refused("is missing"));
    }
    if user_ref.chars().count() > MAX_NAME {
        return Err(refused("is too long"));
    }
    if has_control(user_ref) {
        return Err(refused("holds a line break or another control character"));
    }
    Ok(user_ref.to_owned())
}

/// The name shown beside the address in outgoing mail; may be empty.
pub(crate) fn check_sender_name(name: &str) -> Result<String, FieldProblem> {
    let refused = |why: String| {
        let detail = format!("The sender name {why}. Enter the name that recipients are to see.");
        FieldProblem::new("sender_name", "invalid_sender_name", detail)
    };
    let length = name.chars().count();
    if length > MAX_NAME {
        return Err(refused(format!(
            "has {length} characters; at most {MAX_NAME} are allowed"
        )));
    }
    if has_control(name) {
        return Err(refused(
            "holds a line break or another control character".to_owned(),
        ));
    }
    Ok(name.trim().to_owned())
}

/// A password is sent as it is; what cannot be sent is refused here.
pub(crate) fn check_password(password: &str) -> Result<(), FieldProblem> {
    let refused =
        |code: &'static str, why: &str| FieldProblem::new("password", code, format!("{why} Enter it again."));
    if password.is_empty() {
        return Err(refused("password_missing", "The password is missing."));
    }
    if password.len() > MAX_PASSWORD {
        return Err(refused(
            "invalid_password",
            "The password is longer than any mail server takes.",
        ));
    }
    if has_control(password) {
        return Err(refused(
            "invalid_password",
            "The password holds a line break or another control character.",
        ));
    }
    Ok(())
}

/// The person who signs in for a shared mailbox; only OAuth 2.0 knows the difference.
pub(super) fn check_signs_in_as(
    entered: &str,
    method: AuthenticationMethod,
) -> Result<Option<String>, FieldProblem> {
    if entered.trim().is_empty() {
        return Ok(None);
    }
    let refused = |detail: &str| FieldProblem::new("signs_in_as", "invalid_signs_in_as", detail);
    if method != AuthenticationMethod::OAuth2 {
        return Err(refused(
            "signs_in_as is for OAuth 2.0 alone. With a password, name the person in login.",
        ));
    }
    let address = check_mailbox(entered).map_err(|_| {
        refused("signs_in_as is not an email address. Name the person who has access to the shared mailbox.")
    })?;
    Ok(Some(address))
}

pub(super) fn check_login(
    login: &str,
    preset: Option<&Provider>,
    address: Option<&str>,
) -> Result<String, FieldProblem> {
    let refused = |why: &str| {
        let detail = format!("The user name {why}. Enter the name that you sign in to the mailbox with.");
        FieldProblem::new("login", "invalid_login", detail)
    };
    if has_control(login) {
        return Err(refused("holds a line break or another control character"));
    }
    if login.chars().count() > MAX_LOGIN {
        return Err(refused("is too long"));
    }
    let proposed = || {
        let address = address.unwrap_or_default();
        preset
            .map_or(address, |provider| provider.username.of(address))
            .to_owned()
    };
    Ok(some_text(login.to_owned()).unwrap_or_else(proposed))
}

/// The provider that was named; else that of the address's domain; else, for a domain of one's own, that of the server.
pub(super) fn find_provider<'c>(
    catalogue: &'c ProviderCatalogue,
    named: &str,
    address: Option<&str>,
    imap_host: &str,
) -> Result<Option<&'c Provider>, FieldProblem> {
    match named.trim() {
        "" => Ok(address
            .and_then(|address| catalogue.by_address(address))
            .or_else(|| catalogue.by_imap_host(imap_host))),
        named => catalogue.by_id(named).map(Some).ok_or_else(|| {
            let shown: String = named.chars().filter(|c| !c.is_control()).take(40).collect();
            let detail =
                format!("No provider is known as '{shown}'. Leave it out, or name one of GET /v1/providers.");
            FieldProblem::new("provider", "unknown_provider", detail)
        }),
    }
}

/// A provider that takes no password at all says so before anybody types one.
pub(super) fn not_offered(provider: &Provider, method: AuthenticationMethod) -> Option<FieldProblem> {
    use AuthenticationMethod::{AppPassword, OAuth2, Password};
    let takes_passwords = provider
        .sign_in
        .iter()
        .any(|offered| matches!(offered, Password | AppPassword));
    let fits = method == OAuth2 || takes_passwords;
    (!fits).then(|| {
        let hint = provider.sign_in_hint.clone().unwrap_or_else(|| {
            format!(
                "{} accepts no passwords from mail programs. Connect with OAuth 2.0.",
                provider.name
            )
        });
        FieldProblem::new("method", "method_not_offered", hint)
    })
}
