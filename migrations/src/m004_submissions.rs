//! Outgoing mail: what was asked for, each recipient, each attempt.

crate::dialect::step!(
    "m004_submissions",
    "
create table submissions (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    account_id @uuid not null references accounts (id) on delete cascade,
    idempotency_key text,
    request_digest @bytes not null,
    message_id_header text not null,
    envelope_from text not null,
    subject text not null,
    pack_id @uuid not null references packs (id),
    pack_offset bigint not null,
    pack_length bigint not null,
    size bigint not null,
    state text not null,
    cause text,
    server_reply text,
    attempt integer not null default 0,
    phase text not null,
    holder @uuid,
    held_until @time,
    next_attempt_at @time,
    give_up_at @time not null,
    sent_copy text not null,
    created_at @time not null,
    finished_at @time
)
;
create unique index submissions_by_key on submissions (tenant_id, idempotency_key) where idempotency_key is not null
;
create index submissions_by_account on submissions (account_id, created_at)
;
create index submissions_by_pack on submissions (pack_id)
;
create table submission_recipients (
    submission_id @uuid not null references submissions (id) on delete cascade,
    number integer not null,
    address text not null,
    state text not null,
    smtp_code integer,
    enhanced_code text,
    server_reply text,
    updated_at @time not null,
    primary key (submission_id, number)
)
;
create table send_attempts (
    submission_id @uuid not null references submissions (id) on delete cascade,
    attempt integer not null,
    holder @uuid not null,
    phase text not null,
    outcome text,
    started_at @time not null,
    finished_at @time,
    primary key (submission_id, attempt)
)
"
);
