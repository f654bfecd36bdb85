//! What a link of a CRM is bound to beside the person, and the browser that came in by it: one address, and where the person
//! goes afterwards.

crate::dialect::step!(
    "m013_connect_links",
    "
alter table sign_in_links add column expected_address text
;
alter table sign_in_links add column return_url text
;
alter table web_sessions add column expected_address text
;
alter table web_sessions add column return_url text
"
);
