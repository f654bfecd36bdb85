//! Accounts, how they sign in, and sign-ins that are under way.
//!
//! An account points at a credential; a credential holds a sealed password or points at a grant; many credentials may
//! point at one grant.
//!
//! A grant's `refresh_holder` is the event that sees its refresh through, and before `refresh_held_until` no other may try;
//! since `refresh_unanswered_since` a refresh with the present refresh token is without an answer.

crate::dialect::step!(
    "m002_accounts",
    "
create table grants (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    provider_id text not null,
    subject text not null,
    identity_address text,
    scopes text not null,
    state text not null,
    state_cause text,
    sealed_refresh_token @bytes,
    sealed_access_token @bytes,
    access_expires_at @time,
    token_version bigint not null,
    refresh_due_at @time,
    refresh_failures integer not null default 0,
    refresh_holder @uuid,
    refresh_held_until @time,
    refresh_unanswered_since @time,
    announced_token_version bigint not null default 0,
    created_at @time not null,
    updated_at @time not null
)
;
create index grants_due on grants (refresh_due_at)
    where refresh_due_at is not null and announced_token_version < token_version
;
create table credentials (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    method text not null,
    sealed_password @bytes,
    grant_id @uuid references grants (id),
    created_at @time not null,
    erased_at @time
)
;
create index credentials_by_grant on credentials (grant_id) where grant_id is not null
;
create table accounts (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    user_ref text not null,
    address text not null,
    sender_name text not null default '',
    provider_id text not null,
    imap_host text not null,
    imap_port integer not null,
    imap_tls text not null,
    smtp_host text not null,
    smtp_port integer not null,
    smtp_tls text not null,
    login text not null,
    mailbox text,
    credential_id @uuid references credentials (id),
    credential_generation bigint not null,
    state text not null,
    state_cause text,
    state_who_can_act text not null,
    state_changed_at @time not null,
    send_condition text not null,
    send_cause text,
    paused @bool not null default false,
    messages_total bigint not null default 0,
    messages_done bigint not null default 0,
    backfilled_at @time,
    last_success_at @time,
    created_at @time not null,
    disconnected_at @time,
    purge_requested_at @time
)
;
create unique index accounts_by_address on accounts (tenant_id, user_ref, address) where disconnected_at is null
;
create index accounts_by_credential on accounts (credential_id) where credential_id is not null
;
create table authorization_requests (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    user_ref text not null,
    web_session_id @uuid not null,
    provider_id text not null,
    account_id @uuid references accounts (id) on delete cascade,
    state_digest @bytes not null unique,
    sealed_pkce_verifier @bytes not null,
    nonce text not null,
    redirect_uri text not null,
    draft @json not null,
    created_at @time not null,
    expires_at @time not null,
    used_at @time
)
;
create index authorization_requests_by_end on authorization_requests (expires_at)
"
);
