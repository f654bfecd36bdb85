//! What a test asks or does beside the store's own functions.

use postroom_migrations::dialect;
use postroom_store::{ConnectionTrait, Store, Tx};
use sea_orm::{Statement, Value};

fn statement(store: &Store, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    let backend = store.read().get_database_backend();
    Statement::from_sql_and_values(backend, dialect::translate(backend, text), values)
}

/// Runs a statement, written with the type words of the migrations.
pub async fn run(store: &Store, text: &str, values: impl IntoIterator<Item = Value>) {
    let tx = store.begin("test.run").await.unwrap();
    run_in(&tx, text, values).await;
    tx.commit().await.unwrap();
}

/// As [`run`], in a transaction that stays open.
pub async fn run_in(tx: &Tx, text: &str, values: impl IntoIterator<Item = Value>) {
    let statement = statement(tx.store(), text, values);
    tx.db().execute_raw(statement).await.unwrap();
}

/// How many rows `table`, with a condition if there is one, has.
pub async fn count(store: &Store, table: &str, values: impl IntoIterator<Item = Value>) -> i64 {
    let statement = statement(store, &format!("select count(*) as n from {table}"), values);
    let row = store.read().query_one_raw(statement).await.unwrap().unwrap();
    row.try_get("", "n").unwrap()
}

/// The texts that a query with one column `text` gives.
pub async fn texts(store: &Store, query: &str) -> Vec<String> {
    let rows = store.read().query_all_raw(statement(store, query, [])).await;
    let rows = rows.unwrap();
    rows.iter().map(|row| row.try_get("", "text").unwrap()).collect()
}
