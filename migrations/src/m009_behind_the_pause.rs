//! What a paused account comes back to, with its cause and who can end it. Until now a resumed account had forgotten that a
//! person has to sign in again; of those that are paused already, the grant says so.

crate::dialect::step!(
    "m009_behind_the_pause",
    "
alter table accounts add column resumes_to text
;
alter table accounts add column resumes_cause text
;
alter table accounts add column resumes_who_can_act text
;
update accounts set
    resumes_to = case when backfilled_at is null then 'syncing' else 'connected' end,
    resumes_who_can_act = 'nobody'
where state = 'paused'
;
update accounts set
    resumes_to = 'needs_reauthorization',
    resumes_cause = (select grants.state_cause from credentials join grants on grants.id = credentials.grant_id
        where credentials.id = accounts.credential_id),
    resumes_who_can_act = 'user'
where state = 'paused' and credential_id in
    (select credentials.id from credentials join grants on grants.id = credentials.grant_id
        where grants.state <> 'active')
"
);
