//! Small helpers for the statements that are written by hand. Both databases understand `$1`.

use sea_orm::{ConnectionTrait, Statement, Value};

use crate::{Backend, database::backend_of};

/// A statement with its values.
pub(crate) fn statement(
    db: &impl ConnectionTrait,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(db.get_database_backend(), sql, values)
}

/// `($1,$2),($3,$4)` for so many rows of so many columns, from the numbered placeholder on.
pub(crate) fn rows(first: usize, rows: usize, columns: usize) -> String {
    let mut text = String::with_capacity(rows * columns * 5);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                text.push(',');
            }
            text.push('$');
            text.push_str(&(first + row * columns + column).to_string());
        }
        text.push(')');
    }
    text
}

/// `$1,$2,$3` for so many values, from the numbered placeholder on.
pub(crate) fn list(first: usize, values: usize) -> String {
    let placeholders: Vec<_> = (first..first + values).map(|n| format!("${n}")).collect();
    placeholders.join(",")
}

/// What lets several workers take different rows at once. SQLite has one writer and needs nothing.
pub(crate) fn skip_locked(db: &impl ConnectionTrait) -> &'static str {
    match backend_of(db) {
        Backend::Postgres => "for update skip locked",
        Backend::Sqlite => "",
    }
}

/// How many rows of that many bytes go into one statement.
///
/// PostgreSQL: what fits one TLS record. The driver leaves Nagle's algorithm on, and whatever needs a second record waits
/// some 40 ms for the first one's acknowledgement; statements of 12 KB need none and cost a tenth of that.
pub(crate) fn rows_per_statement(db: &impl ConnectionTrait, bytes: usize) -> usize {
    match backend_of(db) {
        Backend::Postgres => (12_000 / bytes.max(1)).clamp(1, 500),
        Backend::Sqlite => 500,
    }
}
