//! Who may try a submission: one worker at a time, for as long as its claim lasts by the database's clock.
//!
//! A claim is short and renewed, so that a worker that died is noticed soon, and a server that is slow to answer is no
//! reason to take its mail over. Before the final dot leaves, the claim is written down as uncertain: from then on nobody
//! tries the mail again by himself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use postroom_events::WorkerId;

use super::Attempt;
use crate::{Store, StoreError, Submission, sql};

/// How far a submission is: the column `phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nobody tries it at the moment.
    Waiting,
    /// An attempt is under way; the server has not got the final dot, so it cannot deliver it.
    HandingOver,
    /// An attempt is under way, and the final dot may have left.
    Uncertain,
    /// Nothing more is tried.
    Done,
}

impl Phase {
    /// Its name as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::HandingOver => "handing_over",
            Self::Uncertain => "uncertain",
            Self::Done => "done",
        }
    }
}

/// What may be done with a submission now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing more: it is finished.
    Finished,
    /// Nothing before this time.
    Waits(DateTime<Utc>),
    /// Somebody tries it, and renews the claim before this time as long as he lives.
    Held(DateTime<Utc>),
    /// It may be tried; also when whoever tried it is gone and certainly had not let the final dot go.
    Free,
    /// Whoever tried it is gone, and the final dot may have left: it may not be tried again.
    LeftUncertain,
}

/// What may be done with a submission at that time.
pub fn standing(row: &Submission, now: DateTime<Utc>) -> Standing {
    if row.finished_at.is_some() {
        return Standing::Finished;
    }
    if row.phase == Phase::HandingOver.as_str() || row.phase == Phase::Uncertain.as_str() {
        return match row.held_until {
            Some(until) if until > now => Standing::Held(until),
            _ if row.phase == Phase::Uncertain.as_str() => Standing::LeftUncertain,
            _ => Standing::Free,
        };
    }
    match row.next_attempt_at {
        Some(at) if at > now => Standing::Waits(at),
        _ => Standing::Free,
    }
}

/// Renews the claims of a worker that have not run out, all by one statement. Gives those that were renewed: the time
/// counts from before this was called.
///
/// # Errors
/// When the database refuses.
pub async fn renew_claims(
    store: &Store,
    holder: WorkerId,
    hold: Duration,
) -> Result<Vec<Attempt>, StoreError> {
    use sea_orm::ConnectionTrait;
    let tx = store.begin("submissions.renew_claims").await?;
    let now = store.now(tx.db()).await?;
    let text = "update submissions set held_until = $1 where holder = $2 and held_until > $3 and finished_at is null \
                returning id, attempt";
    let values = [(now + hold).into(), holder.into(), now.into()];
    let mut renewed = Vec::new();
    for row in tx
        .db()
        .query_all_raw(sql::statement(tx.db(), text, values))
        .await?
    {
        renewed.push(Attempt {
            submission_id: row.try_get("", "id")?,
            number: row.try_get("", "attempt")?,
            holder,
        });
    }
    tx.commit().await?;
    Ok(renewed)
}
