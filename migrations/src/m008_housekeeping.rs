//! What housekeeping finds by: packs whose objects are to be deleted, and rows that have ended, by the time they did.
//!
//! A pack that was erased stands in `erased_packs` from the transaction that took its last row away until its object is
//! deleted, so that whoever is killed in between leaves a note.

crate::dialect::step!(
    "m008_housekeeping",
    "
create table erased_packs (
    id @uuid primary key,
    account_id @uuid not null,
    erased_at @time not null
)
;
create index dead_letters_settled on dead_letters (settled_at) where settled_at is not null
;
create index lease_history_by_end on lease_history (ended_at) where ended_at is not null
;
create index credentials_erased on credentials (erased_at) where erased_at is not null
;
create index grants_revoked on grants (updated_at) where state = 'revoked'
"
);
