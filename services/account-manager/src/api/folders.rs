//! `GET /v1/accounts/{id}/folders`

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use postroom_events::{AccountId, FolderId};
use postroom_store::{Folder, accounts, folders};
use serde::Serialize;

use crate::{
    http::{
        extract::{ApiId, ApiTenant},
        problem::Problem,
    },
    paging::Page,
    state::AppState,
};

/// A folder as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct FolderView {
    id: FolderId,
    name: String,
    delimiter: Option<String>,
    role: Option<String>,
    selectable: bool,
    synced: bool,
    messages_on_server: i64,
    backfill_completed_at: Option<DateTime<Utc>>,
    last_scan_at: Option<DateTime<Utc>>,
}

impl From<Folder> for FolderView {
    fn from(folder: Folder) -> Self {
        Self {
            id: folder.id,
            name: folder.name,
            delimiter: folder.delimiter,
            role: folder.role,
            selectable: folder.selectable,
            synced: folder.synced,
            messages_on_server: folder.messages_on_server,
            backfill_completed_at: folder.backfill_completed_at,
            last_scan_at: folder.last_scan_at,
        }
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiId(id): ApiId<AccountId>,
) -> Result<Json<Page<FolderView>>, Problem> {
    let db = state.store().read();
    let account = accounts::find_owned(db, tenant.0, None, id).await?;
    let folders = folders::of_account(db, account.id).await?;
    Ok(Json(Page {
        items: folders.into_iter().map(FolderView::from).collect(),
        next: None,
    }))
}
