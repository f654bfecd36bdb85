//! How many messages of a folder are unread is asked with every look at the inbox: so it is counted from an index that
//! holds nothing else.

crate::dialect::step!(
    "m011_unread",
    "
create index locations_unread on locations (folder_id) where flags not like '%!\\Seen%' escape '!'
"
);
