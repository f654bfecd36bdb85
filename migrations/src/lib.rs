//! The steps that make the database what this version expects: one file per step, the same steps on SQLite and
//! PostgreSQL.
//!
//! A step is SQL with the type words of [`dialect`], so that an operator reads here exactly what the database holds.
//! A step that has landed is never changed; what follows is a new step.

pub mod dialect;
mod m001_tenants_and_people;
mod m002_accounts;
mod m003_mail;
mod m004_submissions;
mod m005_leases_and_work;
mod m006_events;
mod m007_sending;
mod m008_housekeeping;
mod m009_behind_the_pause;
mod m010_signature;
mod m011_unread;
mod m012_admin_approvals;
mod m013_connect_links;
mod m014_device_sign_ins;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::{MigrationTrait, async_trait};

/// Every step, in order.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m001_tenants_and_people::Step),
            Box::new(m002_accounts::Step),
            Box::new(m003_mail::Step),
            Box::new(m004_submissions::Step),
            Box::new(m005_leases_and_work::Step),
            Box::new(m006_events::Step),
            Box::new(m007_sending::Step),
            Box::new(m008_housekeeping::Step),
            Box::new(m009_behind_the_pause::Step),
            Box::new(m010_signature::Step),
            Box::new(m011_unread::Step),
            Box::new(m012_admin_approvals::Step),
            Box::new(m013_connect_links::Step),
            Box::new(m014_device_sign_ins::Step),
        ]
    }
}
