//! `POST /accounts/{id}/settings`: folders to sync, sender name, signature.

use axum::{
    extract::{Path, State},
    response::Response,
};
use postroom_store::{Account, Folder, StoreError, folders};

use super::{
    account::{Shown, render_shown},
    add::Problems,
    folder_list::{FolderLine, in_order},
    form::SentForm,
    render,
};
use crate::{
    accounts::{self, AccountSettings, MAX_SIGNATURE},
    http::request::Correlation,
    state::AppState,
};

/// The form, as stored or as last entered.
#[derive(Debug)]
pub(super) struct SettingsForm {
    pub(super) sender_name: String,
    pub(super) signature: String,
    pub(super) max_signature: usize,
    pub(super) folders: Vec<FolderChoice>,
    pub(super) problems: Problems,
}

/// A folder with its box.
#[derive(Debug)]
pub(super) struct FolderChoice {
    pub(super) line: FolderLine,
    /// The field's name.
    pub(super) field: String,
    pub(super) synced: bool,
}

impl SettingsForm {
    /// As stored.
    pub(super) async fn stored(state: &AppState, account: &Account) -> Result<Self, StoreError> {
        let known = folders::of_account(state.store().read(), account.id).await?;
        Ok(Self {
            sender_name: account.sender_name.clone(),
            signature: account.signature.clone(),
            max_signature: MAX_SIGNATURE,
            folders: in_order(&known)
                .into_iter()
                .map(|(line, folder)| FolderChoice {
                    line,
                    field: field_of(folder),
                    synced: folder.synced,
                })
                .collect(),
            problems: Problems::default(),
        })
    }

    fn entered(self, entered: &AccountSettings, problems: Problems) -> Self {
        let folders = self.folders.into_iter().map(|choice| FolderChoice {
            synced: entered.chosen.contains(&choice.line.id)
                || (choice.synced && !entered.left_out.contains(&choice.line.id)),
            ..choice
        });
        Self {
            sender_name: entered.sender_name.clone(),
            signature: entered.signature.clone(),
            folders: folders.collect(),
            problems,
            ..self
        }
    }
}

fn field_of(folder: &Folder) -> String {
    format!("f_{}", folder.id)
}

/// What was entered. A folder that the form did not show stays as it is.
fn read(form: &SentForm, known: &[Folder]) -> AccountSettings {
    let mut settings = AccountSettings {
        sender_name: form.text("sender_name"),
        signature: form.text("signature"),
        ..AccountSettings::default()
    };
    for folder in known {
        match form.text(&field_of(folder)).as_str() {
            "1" => settings.chosen.push(folder.id),
            "0" => settings.left_out.push(folder.id),
            _ => {}
        }
    }
    settings
}

pub(super) async fn submit(
    State(state): State<AppState>,
    Path(id): Path<String>,
    correlation: Correlation,
    form: SentForm,
) -> Response {
    let person = &form.person;
    let account = match person.account(&state, &id).await {
        Ok(account) => account,
        Err(response) => return response,
    };
    let known = match folders::of_account(state.store().read(), account.id).await {
        Ok(known) => known,
        Err(error) => return render::store_error(&state, person, error),
    };
    let entered = read(&form, &known);
    let metadata = correlation.metadata(account.tenant_id);
    let Err(problem) = accounts::change_settings(state.store(), &metadata, &account, &entered).await else {
        return render::go(&format!("/accounts/{}?done=saved", account.id));
    };
    let stored = match SettingsForm::stored(&state, &account).await {
        Ok(stored) => stored,
        Err(error) => return render::store_error(&state, person, error),
    };
    let shown = Shown {
        entered: None,
        problems: Problems::default(),
        done: None,
        settings: stored.entered(&entered, Problems::of(&problem)),
    };
    render_shown(&state, person, problem.status(), account, shown).await
}
