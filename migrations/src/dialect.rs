//! Type words that stand for what each database calls the same thing.
//!
//! | word | PostgreSQL | SQLite |
//! |---|---|---|
//! | `@uuid` | `uuid` | `blob` (16 bytes) |
//! | `@time` | `timestamptz` | `text` (RFC 3339, UTC, so that text order is time order) |
//! | `@bytes` | `bytea` | `blob` |
//! | `@json` | `jsonb` | `text` |
//! | `@bool` | `boolean` | `boolean` |
//! | `@serial` | `bigint generated always as identity primary key` | `integer primary key autoincrement` |

use sea_orm_migration::{
    SchemaManager,
    sea_orm::{ConnectionTrait, DbBackend, DbErr},
};

const WORDS: &[(&str, &str, &str)] = &[
    ("@uuid", "uuid", "blob"),
    ("@time", "timestamptz", "text"),
    ("@bytes", "bytea", "blob"),
    ("@json", "jsonb", "text"),
    ("@bool", "boolean", "boolean"),
    (
        "@serial",
        "bigint generated always as identity primary key",
        "integer primary key autoincrement",
    ),
];

/// SQL for one database, from SQL with type words.
pub fn translate(backend: DbBackend, sql: &str) -> String {
    WORDS
        .iter()
        .fold(sql.to_owned(), |sql, (word, postgres, sqlite)| {
            sql.replace(
                word,
                if backend == DbBackend::Postgres {
                    postgres
                } else {
                    sqlite
                },
            )
        })
}

/// Runs statements that are separated by a line with a lone `;`.
pub(crate) async fn run(manager: &SchemaManager<'_>, sql: &str) -> Result<(), DbErr> {
    let connection = manager.get_connection();
    let translated = translate(connection.get_database_backend(), sql);
    for statement in translated
        .split("\n;\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
    {
        connection
            .execute_unprepared(statement.trim_end_matches(';'))
            .await?;
    }
    Ok(())
}

/// Declares one step: its forward SQL.
macro_rules! step {
    ($name:literal, $sql:expr) => {
        use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait, sea_orm::DbErr};

        #[derive(Debug)]
        pub(crate) struct Step;

        impl MigrationName for Step {
            fn name(&self) -> &str {
                $name
            }
        }

        #[async_trait::async_trait]
        impl MigrationTrait for Step {
            async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
                crate::dialect::run(manager, $sql).await
            }
        }
    };
}
pub(crate) use step;
