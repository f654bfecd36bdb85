//! What a person decides about an account: which folders are fetched, and how they present themselves.

use postroom_events::{AccountSettingsChanged, EventMetadata, FolderId};
use postroom_store::{Account, Store, accounts, events, folders};

use super::lifecycle::refuse_disconnected;
use crate::{
    connect::fields::check_sender_name,
    http::problem::{FieldProblem, Problem},
};

/// A signature has at most so many characters.
pub(crate) const MAX_SIGNATURE: usize = 2000;

/// What was decided.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccountSettings {
    /// The name beside the address.
    pub(crate) sender_name: String,
    /// The text below a mail.
    pub(crate) signature: String,
    /// Folders to fetch.
    pub(crate) chosen: Vec<FolderId>,
    /// Folders not to fetch. One that is in neither list stays as it is.
    pub(crate) left_out: Vec<FolderId>,
}

/// Keeps what was decided, and tells it, in one transaction.
///
/// # Errors
/// A problem of a field, or the account was disconnected.
pub(crate) async fn change_settings(
    store: &Store,
    metadata: &EventMetadata,
    account: &Account,
    settings: &AccountSettings,
) -> Result<(), Problem> {
    refuse_disconnected(account)?;
    let (sender_name, signature) = checked(settings).map_err(Problem::fields)?;
    let tx = store.begin("account.settings").await?;
    accounts::set_presentation(&tx, account.id, &sender_name, &signature).await?;
    folders::choose(&tx, account.id, &settings.chosen, true).await?;
    folders::choose(&tx, account.id, &settings.left_out, false).await?;
    // Read after the write, which keeps a pause out that comes at the same time.
    let paused = accounts::find(tx.db(), account.id).await?.paused;
    let event = AccountSettingsChanged {
        account_id: account.id,
        paused,
    };
    events::append(&tx, metadata, vec![event.into()]).await?;
    tx.commit().await?;
    Ok(())
}

fn checked(settings: &AccountSettings) -> Result<(String, String), Vec<FieldProblem>> {
    match (
        check_sender_name(&settings.sender_name),
        check_signature(&settings.signature),
    ) {
        (Ok(sender_name), Ok(signature)) => Ok((sender_name, signature)),
        (name, signature) => Err([name.err(), signature.err()].into_iter().flatten().collect()),
    }
}

/// Plain text of several lines, with line feeds alone between them.
fn check_signature(entered: &str) -> Result<String, FieldProblem> {
    let text = entered.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_end();
    let refused = |why: String| {
        let detail = format!("The signature {why}. Shorten it or remove what does not belong there.");
        FieldProblem::new("signature", "invalid_signature", detail)
    };
    let length = text.chars().count();
    if length > MAX_SIGNATURE {
        return Err(refused(format!(
            "has {length} characters; at most {MAX_SIGNATURE} are allowed"
        )));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(refused("holds a control character".to_owned()));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_plain_text_of_some_lines() {
        assert_eq!(
            check_signature("Ada\r\n\tLondon\r\n\r\n").unwrap(),
            "Ada\n\tLondon"
        );
        for bad in [
            "a\0b".to_owned(),
            "\u{1b}[31m".into(),
            "x".repeat(MAX_SIGNATURE + 1),
        ] {
            assert_eq!(check_signature(&bad).unwrap_err().field, "signature");
        }
    }
}
