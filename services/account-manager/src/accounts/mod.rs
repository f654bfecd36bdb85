//! What API and pages both do with an account that exists: show it, pause it, resume it, disconnect it, change its settings.

mod explain;
mod lifecycle;
mod settings;
mod view;

pub(crate) use explain::{NextStep, ways_to_say};
pub(crate) use lifecycle::{disconnect, pause, refuse_disconnected, resume};
pub(crate) use settings::{AccountSettings, MAX_SIGNATURE, change_settings};
pub(crate) use view::{AccountView, show, show_all};
