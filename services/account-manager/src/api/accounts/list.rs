//! `GET /v1/accounts`: the accounts of a tenant, oldest first, without disconnected ones.

use axum::{Json, extract::State};
use postroom_events::AccountId;
use postroom_store::accounts as rows;
use serde::Deserialize;

use crate::{
    accounts::{AccountView, show_all},
    http::{
        extract::{ApiQuery, ApiTenant, parse_id},
        problem::Problem,
    },
    paging::{Page, limit},
    state::AppState,
};

/// The query of the URL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ListQuery {
    user_ref: Option<String>,
    after: Option<String>,
    limit: Option<u64>,
}

pub(in crate::api) async fn list(
    State(state): State<AppState>,
    tenant: ApiTenant,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<Json<Page<AccountView>>, Problem> {
    let after = query
        .after
        .as_deref()
        .map(|after| parse_id::<AccountId>(after, "after"))
        .transpose()?;
    let limit = limit(query.limit);
    let db = state.store().read();
    let accounts = rows::list_owned(db, tenant.0, query.user_ref.as_deref(), after, limit).await?;
    let next = (accounts.len() as u64 == limit)
        .then(|| accounts.last().map(|account| account.id.to_string()))
        .flatten();
    Ok(Json(Page {
        items: show_all(&state, accounts).await?,
        next,
    }))
}
