//! The event log, the outbox, what was handled, what is tried again, what was given up, and the embedded bus's queues.
//!
//! `event_log` has time in its key, so that PostgreSQL partitions it by time; the default partition takes what no
//! other partition covers.

use sea_orm_migration::{
    MigrationName, MigrationTrait, SchemaManager, async_trait,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

use crate::dialect;

#[derive(Debug)]
pub(crate) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m006_events"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (partitioned, default_partition) = match manager.get_connection().get_database_backend() {
            DbBackend::Postgres => (
                "partition by range (time)",
                "create table event_log_default partition of event_log default\n;\n",
            ),
            _ => ("", ""),
        };
        dialect::run(
            manager,
            &format!("{EVENT_LOG} {partitioned}\n;\n{default_partition}{REST}"),
        )
        .await
    }
}

const EVENT_LOG: &str = "
create table event_log (
    time @time not null,
    id @uuid not null,
    type text not null,
    source text not null,
    subject @uuid not null,
    sequence bigint not null,
    tenant_id @uuid not null,
    correlation_id @uuid not null,
    causation_id @uuid,
    traceparent text,
    data @json not null,
    primary key (time, id)
)";

const REST: &str = "
create index event_log_by_subject on event_log (subject, sequence)
;
create index event_log_by_correlation on event_log (correlation_id)
;
create index event_log_by_id on event_log (id)
;
create index event_log_by_tenant on event_log (tenant_id, time)
;
create table event_sequences (
    subject @uuid primary key,
    last_sequence bigint not null
)
;
create table event_outbox (
    position @serial,
    event_id @uuid not null,
    envelope @json not null,
    claimed_by @uuid,
    claimed_until @time,
    created_at @time not null
)
;
create table queued_deliveries (
    position @serial,
    queue text not null,
    event_id @uuid not null,
    replay_id @uuid not null,
    envelope @json not null,
    attempt integer not null,
    delivery_count integer not null default 0,
    claimed_by @uuid,
    created_at @time not null
)
;
create index queued_deliveries_by_queue on queued_deliveries (queue, position)
;
create table processed_events (
    consumer text not null,
    event_id @uuid not null,
    replay_id @uuid not null,
    processed_at @time not null,
    primary key (event_id, consumer, replay_id)
)
;
create index processed_events_by_time on processed_events (processed_at)
;
create table handling_outcomes (
    id @uuid primary key,
    consumer text not null,
    event_id @uuid not null,
    replay_id @uuid not null,
    attempt integer not null,
    verdict text not null,
    error_class text,
    error text,
    answers @json not null,
    caused @json not null,
    started_at @time not null,
    finished_at @time not null
)
;
create index handling_outcomes_by_event on handling_outcomes (event_id, consumer)
;
create index handling_outcomes_by_time on handling_outcomes (finished_at)
;
create table scheduled_retries (
    consumer text not null,
    event_id @uuid not null,
    replay_id @uuid not null,
    attempt integer not null,
    envelope @json not null,
    reason text not null,
    next_attempt_at @time not null,
    claimed_by @uuid,
    claimed_until @time,
    primary key (event_id, consumer, replay_id)
)
;
create index scheduled_retries_due on scheduled_retries (next_attempt_at)
;
create table dead_letters (
    id @uuid primary key,
    consumer text not null,
    event_id @uuid,
    replay_id @uuid,
    event_type text,
    tenant_id @uuid,
    subject @uuid,
    body @bytes not null,
    reason text not null,
    attempts integer not null,
    created_at @time not null,
    settled_at @time,
    settled_as text
)
;
create index dead_letters_open on dead_letters (created_at) where settled_at is null
";
