//! Collecting objects that no row names.

use std::{collections::HashSet, time::Duration};

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use postroom_events::PackId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::failures::Failures;
use crate::{
    Store, StoreError,
    entities::pack,
    packs::{self, Packs},
};

/// A younger object may belong to a transaction that is about to be committed.
pub const ORPHAN_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Objects per query.
const CHUNK: usize = 500;

/// Deletes packs that are older than [`ORPHAN_AGE`] and that no row names. Gives how many there were. Objects that are
/// no packs are left alone.
///
/// # Errors
/// When the database refuses, the objects cannot be listed, or the object store refuses several in a row.
pub async fn collect_orphans(store: &Store, packs: &Packs) -> Result<u64, StoreError> {
    let before = store.clock().now() - ORPHAN_AGE;
    let old = packs
        .list()
        .try_filter(move |object| std::future::ready(object.last_modified < before));
    let mut chunks = old.try_chunks(CHUNK).boxed();
    let mut failures = Failures::default();
    let mut collected = 0;
    while let Some(objects) = chunks.try_next().await.map_err(|error| error.1)? {
        collected += collect(store, packs, &objects, &mut failures).await?;
    }
    Ok(collected)
}

async fn collect(
    store: &Store,
    packs: &Packs,
    objects: &[ObjectMeta],
    failures: &mut Failures,
) -> Result<u64, StoreError> {
    let named: Vec<_> = objects
        .iter()
        .filter_map(|object| packs::parse_key(&object.location).map(|(_, id)| (id, object)))
        .collect();
    let known: HashSet<PackId> = pack::Entity::find()
        .filter(pack::Column::Id.is_in(named.iter().map(|(id, _)| *id)))
        .select_only()
        .column(pack::Column::Id)
        .into_tuple()
        .all(store.read())
        .await?
        .into_iter()
        .collect();
    let mut collected = 0;
    for (id, object) in named {
        if !known.contains(&id) {
            let result = packs.delete_object(&object.location).await;
            let deleted = failures.pass("delete an object that no row names", id.0, result)?;
            collected += u64::from(deleted.is_some());
        }
    }
    Ok(collected)
}
