//! Folders, messages, where they lie, and the packs that hold their raw bytes.
//!
//! A location is (folder, uidvalidity, uid). One message has many locations. Raw mail is in the object store: a pack
//! belongs to one account; each message in it is a compressed frame of its own.

crate::dialect::step!(
    "m003_mail",
    "
create table folders (
    id @uuid primary key,
    account_id @uuid not null references accounts (id) on delete cascade,
    name text not null,
    delimiter text,
    role text,
    selectable @bool not null,
    synced @bool not null default true,
    uid_validity bigint,
    uid_next bigint,
    first_uid_next bigint,
    highest_modseq bigint,
    backfill_below_uid bigint,
    backfill_completed_at @time,
    messages_on_server bigint not null default 0,
    last_scan_at @time,
    resets integer not null default 0,
    created_at @time not null,
    gone_at @time
)
;
create unique index folders_by_name on folders (account_id, name) where gone_at is null
;
create table packs (
    id @uuid primary key,
    account_id @uuid not null references accounts (id) on delete cascade,
    size bigint not null,
    created_at @time not null
)
;
create index packs_by_account on packs (account_id)
;
create table messages (
    id @uuid primary key,
    account_id @uuid not null references accounts (id) on delete cascade,
    identity @bytes not null,
    message_id_header text,
    in_reply_to text,
    references_header text,
    subject text not null,
    from_name text not null,
    from_address text not null,
    recipients @json not null,
    sent_at @time,
    received_at @time not null,
    size bigint not null,
    snippet text not null,
    has_attachments @bool not null,
    quarantine_cause text,
    pack_id @uuid not null references packs (id),
    pack_offset bigint not null,
    pack_length bigint not null,
    digest @bytes not null,
    created_at @time not null,
    erase_requested_at @time
)
;
create unique index messages_by_identity on messages (account_id, identity)
;
create index messages_by_time on messages (account_id, received_at, id)
;
create index messages_by_message_id on messages (account_id, message_id_header) where message_id_header is not null
;
create index messages_by_pack on messages (pack_id)
;
create index messages_to_erase on messages (erase_requested_at) where erase_requested_at is not null
;
create table locations (
    folder_id @uuid not null references folders (id) on delete cascade,
    uid_validity bigint not null,
    uid bigint not null,
    account_id @uuid not null,
    message_id @uuid not null references messages (id) on delete cascade,
    flags text not null,
    modseq bigint,
    linked_at @time not null,
    primary key (folder_id, uid_validity, uid)
)
;
create index locations_by_message on locations (message_id)
"
);
