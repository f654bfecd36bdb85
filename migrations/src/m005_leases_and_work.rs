//! Who owns a mailbox, and what its owner has been asked to do.

crate::dialect::step!(
    "m005_leases_and_work",
    "
create table workers (
    id @uuid primary key,
    service text not null,
    started_at @time not null,
    seen_at @time not null
)
;
create table account_leases (
    account_id @uuid primary key references accounts (id) on delete cascade,
    holder @uuid,
    fencing bigint not null,
    acquired_at @time,
    expires_at @time,
    next_holder @uuid
)
;
create index account_leases_by_holder on account_leases (holder)
;
create index account_leases_by_end on account_leases (expires_at)
;
create table lease_history (
    account_id @uuid not null,
    fencing bigint not null,
    holder @uuid not null,
    acquired_at @time not null,
    ended_at @time,
    primary key (account_id, fencing)
)
;
create table account_work (
    id @uuid primary key,
    account_id @uuid not null references accounts (id) on delete cascade,
    kind text not null,
    detail @json not null,
    cause_event_id @uuid,
    correlation_id @uuid not null,
    attempt integer not null default 0,
    next_attempt_at @time not null,
    created_at @time not null
)
;
create index account_work_due on account_work (account_id, next_attempt_at)
"
);
