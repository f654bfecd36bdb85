//! `POST /v1/accounts/{id}/send`: take a mail for sending. It is composed, its bytes are durable, and rows and event are
//! committed before the answer; what becomes of it is told by events and by `GET /v1/submissions/{id}`.

mod outgoing;
mod raw;
mod request;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use postroom_events::{AccountId, EventMetadata, SendRequested, SubmissionId, SubmissionState};
use postroom_mail::mime::ComposedMessage;
use postroom_store::{
    Account, ConnectionTrait, StoreError, Submission, accounts as rows, events,
    packs::{Frame, PackBuilder},
    submissions::{self, NewSubmission},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::request::SendMail;
use crate::{
    accounts::refuse_disconnected,
    http::{
        extract::{ApiId, ApiJson, ApiTenant},
        problem::Problem,
        request::Correlation,
    },
    state::AppState,
};

const MAX_KEY: usize = 200;

/// The answer: accepted, not yet sent.
#[derive(Debug, Serialize)]
struct Accepted {
    submission_id: SubmissionId,
    message_id: String,
    state: SubmissionState,
}

pub(super) async fn send(
    State(state): State<AppState>,
    tenant: ApiTenant,
    correlation: Correlation,
    ApiId(id): ApiId<AccountId>,
    headers: HeaderMap,
    ApiJson(request): ApiJson<SendMail>,
) -> Result<Response, Problem> {
    let account = rows::find_owned(state.store().read(), tenant.0, None, id).await?;
    refuse_disconnected(&account)?;
    let key = idempotency_key(&headers)?;
    let asked = digest_of(&account, &request)?;
    if let Some(earlier) = earlier(state.store().read(), tenant, key.as_deref(), &asked).await? {
        return Ok(accepted(&earlier));
    }
    let now = state.store().clock().now();
    let max = state.settings().max_message_bytes;
    let from = account.clone();
    // Compressing 25 MB takes a while; others are not to wait for it.
    let prepared = tokio::task::spawn_blocking(move || prepare(&from, request, now, max))
        .await
        .map_err(|error| {
            tracing::error!(account.id = %id, %error, "Composing a mail panicked");
            Problem::internal()
        })??;
    let order = Order {
        key: key.clone(),
        asked,
    };
    let metadata = correlation.metadata(tenant.0);
    match keep(&state, &metadata, &account, order, prepared).await {
        Ok(submission) => Ok(accepted(&submission)),
        // The same request was sent twice at the same moment, and the other one was quicker.
        Err(StoreError::AlreadyExists { .. }) => {
            // Read in a transaction: it sees what is being committed along with it, and ends when that is on disk.
            let tx = state.store().begin("submission.repeated").await?;
            let found = earlier(tx.db(), tenant, key.as_deref(), &asked).await?;
            tx.commit().await?;
            found
                .map(|earlier| accepted(&earlier))
                .ok_or_else(Problem::internal)
        }
        Err(error) => Err(error.into()),
    }
}

/// What makes a repeated request the same one.
struct Order {
    key: Option<String>,
    asked: [u8; 32],
}

/// A mail that is ready to be kept.
struct Prepared {
    message: ComposedMessage,
    subject: String,
    pack: PackBuilder,
    frame: Frame,
}

fn prepare(
    account: &Account,
    request: SendMail,
    now: chrono::DateTime<chrono::Utc>,
    max: usize,
) -> Result<Prepared, Problem> {
    let subject = request.subject.clone();
    let (message, subject) = match request.raw.is_some() {
        true => raw::prepare(account, request, now)?,
        false => (outgoing::compose(account, request, now)?, subject),
    };
    if message.raw.len() > max {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "message_too_large",
            format!(
                "The message has {} bytes; at most {max} are taken. Send smaller attachments, or a link to them.",
                message.raw.len()
            ),
        ));
    }
    let mut pack = PackBuilder::new()?;
    let frame = pack.add(&message.raw)?;
    Ok(Prepared {
        message,
        subject,
        pack,
        frame,
    })
}

async fn keep(
    state: &AppState,
    metadata: &EventMetadata,
    account: &Account,
    order: Order,
    prepared: Prepared,
) -> Result<Submission, StoreError> {
    let Prepared {
        message,
        subject,
        pack,
        frame,
    } = prepared;
    let pack = state.packs().put(account.id, pack).await?;
    let id = SubmissionId::generate();
    let tx = state.store().begin("submission.create").await?;
    let new = NewSubmission {
        id,
        tenant_id: metadata.tenant_id,
        account_id: account.id,
        idempotency_key: order.key,
        request_digest: order.asked,
        message_id_header: message.message_id,
        envelope_from: account.address.clone(),
        subject,
        pack: &pack,
        frame,
        recipients: message.recipients,
        give_up_after: state.settings().give_up_after,
    };
    let submission = submissions::create(&tx, new).await?;
    let event = SendRequested {
        account_id: account.id,
        submission_id: id,
    };
    events::append(&tx, metadata, vec![event.into()]).await?;
    tx.commit().await?;
    Ok(submission)
}

/// The answer that this key got before; a key that was used for another request is refused.
async fn earlier(
    db: &impl ConnectionTrait,
    tenant: ApiTenant,
    key: Option<&str>,
    asked: &[u8; 32],
) -> Result<Option<Submission>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let found = submissions::find_by_key(db, tenant.0, key).await?;
    match found {
        Some(earlier) if earlier.request_digest != asked => Err(Problem::conflict(
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request. Use a new key for each mail, and the same key only to \
             repeat the same request.",
        )
        .at("Idempotency-Key")
        .with("submission_id", earlier.id.to_string())),
        found => Ok(found),
    }
}

fn accepted(submission: &Submission) -> Response {
    let location = format!("/v1/submissions/{}", submission.id);
    let body = Accepted {
        submission_id: submission.id,
        message_id: submission.message_id_header.clone(),
        state: submission.state,
    };
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(body)).into_response()
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY).contains(&key.len()))
        .map(|key| Some(key.to_owned()))
        .ok_or_else(|| {
            Problem::bad_request(
                "invalid_idempotency_key",
                format!(
                    "The Idempotency-Key must have 1 to {MAX_KEY} printable ASCII characters, such as a UUID."
                ),
            )
            .at("Idempotency-Key")
        })
}

/// The same for two requests that mean the same, however their JSON was laid out.
fn digest_of(account: &Account, request: &SendMail) -> Result<[u8; 32], Problem> {
    let mut digest = Sha256::new();
    digest.update(account.id.0.as_bytes());
    serde_json::to_writer(DigestWriter(&mut digest), request).map_err(|error| {
        tracing::error!(%error, "A request could not be written as JSON again");
        Problem::internal()
    })?;
    Ok(digest.finalize().into())
}

struct DigestWriter<'d>(&'d mut Sha256);

impl std::io::Write for DigestWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
