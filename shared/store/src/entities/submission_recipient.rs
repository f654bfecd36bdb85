//! A recipient of a submission.

use chrono::{DateTime, Utc};
use postroom_events::{SubmissionId, SubmissionState};
use sea_orm::entity::prelude::*;

/// A recipient of a submission.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "submission_recipients")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub submission_id: SubmissionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    pub address: String,
    pub state: SubmissionState,
    pub smtp_code: Option<i32>,
    pub enhanced_code: Option<String>,
    pub server_reply: Option<String>,
    pub updated_at: DateTime<Utc>,
}

/// Joins are written where they are used.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
