//! Tenants, their API keys, one-time links into the pages, signed-in browsers.

crate::dialect::step!(
    "m001_tenants_and_people",
    "
create table tenants (
    id @uuid primary key,
    name text not null,
    created_at @time not null
)
;
create table api_keys (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    name text not null,
    digest @bytes not null unique,
    created_at @time not null,
    revoked_at @time
)
;
create table sign_in_links (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    user_ref text not null,
    digest @bytes not null unique,
    draft @json,
    created_at @time not null,
    expires_at @time not null,
    used_at @time
)
;
create table web_sessions (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    user_ref text not null,
    digest @bytes not null unique,
    csrf_token text not null,
    created_at @time not null,
    expires_at @time not null
)
;
create index web_sessions_by_end on web_sessions (expires_at)
"
);
