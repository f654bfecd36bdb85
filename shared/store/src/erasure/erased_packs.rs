//! Deleting the objects of erased packs.

use postroom_events::{AccountId, PackId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};

use super::failures::Failures;
use crate::{Store, StoreError, Tx, entities::erased_pack, packs::Packs};

/// Rows per statement.
const CHUNK: usize = 500;

/// Notes that the object of a pack is to be deleted, in the transaction that deletes the pack's row.
pub(super) async fn note(tx: &Tx, account_id: AccountId, id: PackId) -> Result<(), StoreError> {
    let row = erased_pack::ActiveModel {
        id: Set(id),
        account_id: Set(account_id),
        erased_at: Set(tx.store().clock().now()),
    };
    erased_pack::Entity::insert(row)
        .exec_without_returning(tx.db())
        .await?;
    Ok(())
}

/// Deletes the objects of erased packs, at most `limit` of them, whoever erased them. Gives how many.
///
/// # Errors
/// When the database refuses, or the object store refuses several in a row. The next run goes on.
pub async fn delete_erased_packs(store: &Store, packs: &Packs, limit: u64) -> Result<u64, StoreError> {
    let erased = erased_pack::Entity::find()
        .order_by(Expr::cust("random()"), Order::Asc)
        .limit(limit)
        .all(store.read())
        .await?;
    let mut failures = Failures::default();
    let mut deleted = Vec::with_capacity(erased.len());
    let mut outcome = Ok(());
    for pack in erased {
        let result = packs.delete(pack.account_id, pack.id).await;
        match failures.pass("delete an erased pack", pack.id.0, result) {
            Ok(Some(())) => deleted.push(pack.id),
            Ok(None) => {}
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    for chunk in deleted.chunks(CHUNK) {
        let tx = store.begin("erasure.packs_deleted").await?;
        erased_pack::Entity::delete_many()
            .filter(erased_pack::Column::Id.is_in(chunk.iter().copied()))
            .exec(tx.db())
            .await?;
        tx.commit().await?;
    }
    outcome.map(|()| deleted.len() as u64)
}
