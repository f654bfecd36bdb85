//! Sending: which event asked for a submission, so that its retry can be brought forward; and the two questions that are
//! asked all the time, what a worker holds and what of an account is not finished.

crate::dialect::step!(
    "m007_sending",
    "
alter table submissions add column request_event_id @uuid
;
create index submissions_held on submissions (holder) where holder is not null
;
create index submissions_open on submissions (account_id) where finished_at is null
"
);
