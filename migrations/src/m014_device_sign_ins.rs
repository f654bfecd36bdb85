//! Sign-ins on another device that somebody waits for: what is shown of them. The code itself is in the process that waits.

crate::dialect::step!(
    "m014_device_sign_ins",
    "
create table device_sign_ins (
    id @uuid primary key,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    account_id @uuid references accounts (id) on delete cascade,
    cause text,
    sentence text,
    expires_at @time not null
)
;
create index device_sign_ins_by_end on device_sign_ins (tenant_id, expires_at)
"
);
