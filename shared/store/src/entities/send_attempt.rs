//! One attempt to send a submission.

use chrono::{DateTime, Utc};
use postroom_events::{SubmissionId, WorkerId};
use sea_orm::entity::prelude::*;

/// One attempt to send a submission.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "send_attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub submission_id: SubmissionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i32,
    pub holder: WorkerId,
    pub phase: String,
    pub outcome: Option<String>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
