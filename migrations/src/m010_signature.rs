//! What a person puts below their mail.

crate::dialect::step!(
    "m010_signature",
    "
alter table accounts add column signature text not null default ''
"
);
