//! The OpenID provider: changing what it does, and walking through its pages.

pub(crate) mod admin;
pub(crate) mod applications;
pub(crate) mod device;
pub(crate) mod faults;
pub(crate) mod pages;
