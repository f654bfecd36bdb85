//! Which grants are due for a refresh, and the one refresh of a grant at a time.
//!
//! A refresh belongs to the event that asked for it: the grant's row names that event, and until when no other may try.
//! That event comes again until the refresh has succeeded, was refused for good or given up, so whatever else asks for
//! the same refresh in the meantime has nothing to do. All times here are judged by the database's clock.

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use postroom_events::{EventId, GrantId, GrantState, TenantId};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    Grant, Store, StoreError, Tx,
    entities::{account, credential, grant},
    grants, sql,
};

/// Grants whose refresh is due and has not been announced for their token version, soonest first; marks them as
/// announced. With the events of the same transaction, each is announced once per version.
///
/// # Errors
/// When the database refuses.
pub async fn take_due(tx: &Tx, limit: u64) -> Result<Vec<Grant>, StoreError> {
    let now = tx.store().now(tx.db()).await?;
    let text = format!(
        "update grants set announced_token_version = token_version where id in (select id from grants \
         where refresh_due_at <= $1 and announced_token_version < token_version and state = $2 \
         order by refresh_due_at limit $3 {}) returning id",
        sql::skip_locked(tx.db())
    );
    let values = [now.into(), GrantState::Active.into(), (limit as i64).into()];
    let rows = tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?;
    let ids = rows
        .iter()
        .map(|row| row.try_get::<GrantId>("", "id"))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(grant::Entity::find()
        .filter(grant::Column::Id.is_in(ids))
        .order_by_asc(grant::Column::RefreshDueAt)
        .all(tx.db())
        .await?)
}

/// When the next refresh is due, if one is.
///
/// # Errors
/// When the database refuses.
pub async fn next_due(db: &impl ConnectionTrait) -> Result<Option<DateTime<Utc>>, StoreError> {
    let due: Option<Option<DateTime<Utc>>> = grant::Entity::find()
        .filter(grant::Column::RefreshDueAt.is_not_null())
        .filter(grant::Column::State.eq(GrantState::Active))
        .filter(Expr::col(grant::Column::AnnouncedTokenVersion).lt(Expr::col(grant::Column::TokenVersion)))
        .order_by_asc(grant::Column::RefreshDueAt)
        .select_only()
        .column(grant::Column::RefreshDueAt)
        .into_tuple()
        .one(db)
        .await?;
    Ok(due.flatten())
}

/// Which of these grants a connected account that is not paused signs in with.
///
/// # Errors
/// When the database refuses.
pub async fn in_use(db: &impl ConnectionTrait, ids: &[GrantId]) -> Result<HashSet<GrantId>, StoreError> {
    let used = account::Entity::find()
        .select_only()
        .column(account::Column::CredentialId)
        .filter(account::Column::DisconnectedAt.is_null())
        .filter(account::Column::Paused.eq(false))
        .filter(account::Column::CredentialId.is_not_null());
    let ids: Vec<Option<GrantId>> = credential::Entity::find()
        .select_only()
        .column(credential::Column::GrantId)
        .distinct()
        .filter(credential::Column::GrantId.is_in(ids.iter().copied()))
        .filter(credential::Column::Id.in_subquery(used.into_query()))
        .into_tuple()
        .all(db)
        .await?;
    Ok(ids.into_iter().flatten().collect())
}

/// Makes these grants due at another time, and to be announced then.
///
/// # Errors
/// When the database refuses.
pub async fn set_due(tx: &Tx, ids: &[GrantId], at: DateTime<Utc>) -> Result<(), StoreError> {
    grant::Entity::update_many()
        .col_expr(grant::Column::RefreshDueAt, Expr::value(at))
        .col_expr(
            grant::Column::AnnouncedTokenVersion,
            Expr::col(grant::Column::TokenVersion).sub(1),
        )
        .filter(grant::Column::Id.is_in(ids.iter().copied()))
        .filter(grant::Column::State.eq(GrantState::Active))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Who asks for the refresh of which tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshRequest {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The grant.
    pub grant_id: GrantId,
    /// The version of the tokens that are to be replaced.
    pub token_version: i64,
    /// The event that asks, and comes again until the refresh is over.
    pub by: EventId,
}

/// A grant that is held for one refresh.
#[derive(Debug, Clone)]
pub struct HeldGrant {
    /// The grant as it was when it was taken.
    pub grant: Grant,
    by: EventId,
}

impl HeldGrant {
    /// Whether an earlier refresh with the same refresh token got no answer, by a crash or a fault of the network: the
    /// provider may have replaced the token then.
    pub fn has_unanswered_refresh(&self) -> bool {
        self.grant.refresh_unanswered_since.is_some()
    }
}

/// How holding a grant for its refresh ended.
#[derive(Debug)]
pub enum Hold {
    /// It is held: refresh it before the time is over.
    Held(Box<HeldGrant>),
    /// An event refreshes it at the moment, or waits for its next try; nobody may try before then.
    Busy {
        /// The end of the wait.
        until: DateTime<Utc>,
        /// The event that sees the refresh through.
        by: EventId,
    },
    /// Its tokens are newer than the version that was named: nothing is to be done.
    MovedOn,
    /// It is not active (any more), or gone.
    NotActive,
}

/// Holds an active grant for one refresh, if its tokens are still of that version.
///
/// # Errors
/// When the database refuses.
pub async fn hold(store: &Store, request: &RefreshRequest, time: Duration) -> Result<Hold, StoreError> {
    let tx = store.begin("refreshes.hold").await?;
    // Locked, so that of two that come at once the second one sees the first.
    let Some(grant) = grant::Entity::find_by_id(request.grant_id)
        .filter(grant::Column::TenantId.eq(request.tenant_id))
        .lock_exclusive()
        .one(tx.db())
        .await?
    else {
        return Ok(Hold::NotActive);
    };
    let now = store.now(tx.db()).await?;
    if let Some(refused) = refused(&grant, request.token_version, now) {
        return Ok(refused);
    }
    let since = grant.refresh_unanswered_since.unwrap_or(now);
    grant::Entity::update_many()
        .col_expr(grant::Column::RefreshHolder, Expr::value(request.by))
        .col_expr(grant::Column::RefreshHeldUntil, Expr::value(now + time))
        .col_expr(grant::Column::RefreshUnansweredSince, Expr::value(since))
        .filter(grant::Column::Id.eq(grant.id))
        .exec(tx.db())
        .await?;
    tx.commit().await?;
    Ok(Hold::Held(Box::new(HeldGrant {
        grant,
        by: request.by,
    })))
}

/// Why a grant cannot be held now, if it cannot.
fn refused(grant: &Grant, token_version: i64, now: DateTime<Utc>) -> Option<Hold> {
    if grant.state != GrantState::Active {
        return Some(Hold::NotActive);
    }
    if grant.token_version != token_version {
        return Some(Hold::MovedOn);
    }
    let (until, by) = grant.refresh_held_until.zip(grant.refresh_holder)?;
    (until > now).then_some(Hold::Busy { until, by })
}

/// Whether it is known what a provider did with a refresh that brought no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It said no, or was not asked.
    Seen,
    /// It may have done what it was asked.
    Lost,
}

/// Notes that a refresh failed. The same event tries again, and no other before `not_before`. Gives whether the grant was
/// still held: not when somebody else has taken it over, or its tokens have changed.
///
/// # Errors
/// When the database refuses.
pub async fn failed(
    tx: &Tx,
    held: &HeldGrant,
    answer: Answer,
    not_before: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let mut update = grant::Entity::update_many()
        .col_expr(grant::Column::RefreshHeldUntil, Expr::value(not_before))
        .col_expr(
            grant::Column::RefreshFailures,
            Expr::col(grant::Column::RefreshFailures).add(1),
        )
        .filter(grant::Column::Id.eq(held.grant.id))
        .filter(grant::Column::TokenVersion.eq(held.grant.token_version))
        .filter(grant::Column::State.eq(GrantState::Active))
        .filter(grant::Column::RefreshHolder.eq(held.by));
    if answer == Answer::Seen {
        // An earlier refresh may still be without an answer.
        let before = held.grant.refresh_unanswered_since;
        update = update.col_expr(grant::Column::RefreshUnansweredSince, Expr::value(before));
    }
    Ok(update.exec(tx.db()).await?.rows_affected == 1)
}

/// Declares a held grant dead until the person signs in again. Gives whether it was changed: not when somebody else has
/// taken it over, or its tokens have changed - then it may live.
///
/// # Errors
/// When the database refuses.
pub async fn declare_dead(tx: &Tx, held: &HeldGrant, cause: &str) -> Result<bool, StoreError> {
    let ended = grants::ending(tx, &held.grant, GrantState::NeedsReauthorization, cause)
        .filter(grant::Column::State.eq(GrantState::Active))
        .filter(grant::Column::RefreshHolder.eq(held.by))
        .exec(tx.db())
        .await?;
    Ok(ended.rows_affected == 1)
}
