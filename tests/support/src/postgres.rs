//! Databases of the testbed's PostgreSQL, one per test.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use url::Url;

use crate::Testbed;
use crate::command::run;
use crate::names::unique;

/// An empty database that is dropped when this value is.
#[derive(Debug)]
pub struct FreshDatabase {
    server_url: String,
    name: String,
    url: String,
}

impl Testbed {
    /// Makes an empty database that no other test has.
    ///
    /// # Errors
    /// If PostgreSQL refuses.
    pub async fn fresh_database(&self) -> Result<FreshDatabase> {
        FreshDatabase::create(&self.postgres_url).await
    }
}

impl FreshDatabase {
    pub(crate) async fn create(server_url: &str) -> Result<Self> {
        let name = format!("postroom_test_{}", unique());
        // template1 cannot be copied while another test copies it; template0 always can.
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
        run("psql", psql_args(server_url, &sql), "psql: CREATE DATABASE").await?;
        let mut url = Url::parse(server_url).context("the testbed's PostgreSQL URL")?;
        url.set_path(&name);
        Ok(Self {
            server_url: server_url.to_owned(),
            name,
            url: url.into(),
        })
    }

    /// `postgres://USER:PASSWORD@HOST:PORT/NAME`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs one SQL statement and returns its rows as psql prints them: columns separated by `|`, a row a line.
    ///
    /// # Errors
    /// If PostgreSQL refuses.
    pub async fn query(&self, sql: &str) -> Result<String> {
        run("psql", psql_args(&self.url, sql), "psql").await
    }
}

impl Drop for FreshDatabase {
    /// Drops the database, whoever is still connected. What cannot be dropped stays until `cargo xtask testbed down`.
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = Command::new("psql")
            .args(psql_args(&self.server_url, &sql))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// No password prompt, no start-up file, quiet, bare rows.
fn psql_args<'a>(url: &'a str, sql: &'a str) -> [&'a str; 6] {
    ["-wqXAt", "-v", "ON_ERROR_STOP=1", url, "-c", sql]
}
