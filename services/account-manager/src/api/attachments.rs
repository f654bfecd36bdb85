//! `GET /v1/messages/{id}/attachments/{number}`: one attachment, decoded from the one stored raw copy.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use postroom_mail::mime::attachment;
use postroom_store::messages;

use crate::{
    download::answer,
    http::{
        extract::{ApiTenant, parse_id},
        problem::Problem,
    },
    state::AppState,
};

pub(super) async fn download(
    State(state): State<AppState>,
    tenant: ApiTenant,
    Path((id, number)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = parse_id(&id, "id")?;
    let number: usize = number.parse().map_err(|_| {
        Problem::bad_request("invalid_number", "The number of an attachment counts from 0.").at("number")
    })?;
    let row = messages::find_owned(state.store().read(), tenant.0, None, id).await?;
    let raw = state.packs().read(&row).await?;
    let found = tokio::task::spawn_blocking(move || {
        attachment(&raw, number).map(|found| found.map(|found| (found.info, found.content.into_owned())))
    })
    .await
    .map_err(|error| {
        tracing::error!(message.id = %id, %error, "Taking an attachment out panicked");
        Problem::internal()
    })?;
    match found {
        Ok(Some((info, content))) => Ok(answer(&info, content)),
        Ok(None) => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "attachment_not_found",
            format!("The message has no attachment {number}. GET /v1/messages/{id} lists what it has."),
        )),
        Err(error) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "message_not_understood",
            format!("The message cannot be taken apart ({error}). Read its raw source instead."),
        )),
    }
}
