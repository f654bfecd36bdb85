//! Approvals that are asked of an administrator: one for an account, until it is given, used up or too old.
//!
//! The token of the link is kept as it is: it leads to the provider's own page and shows nothing. What the provider must send
//! back is kept as a digest.

crate::dialect::step!(
    "m012_admin_approvals",
    "
create table admin_approvals (
    account_id @uuid primary key references accounts (id) on delete cascade,
    tenant_id @uuid not null references tenants (id) on delete cascade,
    provider_id text not null,
    token text not null unique,
    state_digest @bytes,
    expires_at @time not null
)
;
create index admin_approvals_by_state on admin_approvals (state_digest) where state_digest is not null
"
);
