//! Raw mail: many compressed messages in one object, so that a batch of mail is one file sync or one S3 request.
//!
//! A pack belongs to one account. Each message in it is a zstd frame of its own, so that one message is read by one
//! range request and moved into another pack without being compressed again. An object is durable before the rows
//! that name it are committed; a crash in between leaves an object without rows, which [`crate::erasure`] collects.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path as ObjectPath, prefix::PrefixStore,
};
use postroom_events::{AccountId, PackId};
use sea_orm::{ActiveValue::Set, EntityTrait};
use sha2::{Digest, Sha256};
use url::Url;
use zstd::{bulk, zstd_safe};

use crate::{Message, StoreError, Submission, Tx, entities::pack};

/// A pack is at most so large, unless a single message is larger.
pub const MAX_PACK_BYTES: usize = 8 * 1024 * 1024;
/// zstd's fastest regular level: 48 microseconds for a mail of mean size, to 0.6 of it.
const COMPRESSION_LEVEL: i32 = 1;
/// No message that Postroom stores is larger: what decompresses to more is damaged or hostile.
const MAX_MESSAGE_BYTES: u64 = 512 * 1024 * 1024;

/// Where a message lies within its pack, and what it must come out as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// First byte of the frame in the object.
    pub offset: u64,
    /// Bytes of the frame, compressed.
    pub length: u64,
    /// Bytes of the message.
    pub size: u64,
    /// SHA-256 of the message.
    pub digest: [u8; 32],
}

/// A frame named by the row of a message or submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFrame {
    account_id: AccountId,
    pack_id: PackId,
    offset: u64,
    length: u64,
    size: u64,
    digest: Option<Vec<u8>>,
}

impl From<&Message> for StoredFrame {
    fn from(row: &Message) -> Self {
        Self {
            account_id: row.account_id,
            pack_id: row.pack_id,
            offset: row.pack_offset.unsigned_abs(),
            length: row.pack_length.unsigned_abs(),
            size: row.size.unsigned_abs(),
            digest: Some(row.digest.clone()),
        }
    }
}

impl From<&Submission> for StoredFrame {
    fn from(row: &Submission) -> Self {
        Self {
            account_id: row.account_id,
            pack_id: row.pack_id,
            offset: row.pack_offset.unsigned_abs(),
            length: row.pack_length.unsigned_abs(),
            size: row.size.unsigned_abs(),
            // The frame's own checksum stands in.
            digest: None,
        }
    }
}

/// Collects messages for one pack. Compressing is work for the processor: run it off the asynchronous threads.
pub struct PackBuilder {
    bytes: Vec<u8>,
    compressor: bulk::Compressor<'static>,
}

impl std::fmt::Debug for PackBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackBuilder")
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl PackBuilder {
    /// An empty pack.
    ///
    /// # Errors
    /// When zstd cannot be set up.
    pub fn new() -> Result<Self, StoreError> {
        let mut compressor = bulk::Compressor::new(COMPRESSION_LEVEL).map_err(compression)?;
        compressor
            .set_parameter(zstd_safe::CParameter::ChecksumFlag(true))
            .map_err(compression)?;
        Ok(Self {
            bytes: Vec::new(),
            compressor,
        })
    }

    /// Whether a message of that many bytes still fits. An empty pack takes a message of any size.
    pub fn has_room_for(&self, size: usize) -> bool {
        self.bytes.is_empty() || self.bytes.len() + zstd_safe::compress_bound(size) <= MAX_PACK_BYTES
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Compresses a message and adds it.
    ///
    /// # Errors
    /// When zstd refuses.
    pub fn add(&mut self, raw: &[u8]) -> Result<Frame, StoreError> {
        let compressed = self.compressor.compress(raw).map_err(compression)?;
        let frame = Frame {
            offset: self.bytes.len() as u64,
            length: compressed.len() as u64,
            size: raw.len() as u64,
            digest: Sha256::digest(raw).into(),
        };
        self.bytes.extend_from_slice(&compressed);
        Ok(frame)
    }
}

/// A pack that is durable, and that no row names yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredPack {
    /// Its id.
    pub id: PackId,
    /// The account it belongs to.
    pub account_id: AccountId,
    /// Bytes of the object.
    pub size: u64,
}

impl StoredPack {
    /// Inserts its row, in the transaction that inserts the rows of its messages.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn insert(&self, tx: &Tx) -> Result<(), StoreError> {
        let row = pack::ActiveModel {
            id: Set(self.id),
            account_id: Set(self.account_id),
            size: Set(self.size.cast_signed()),
            created_at: Set(tx.store().clock().now()),
        };
        pack::Entity::insert(row).exec_without_returning(tx.db()).await?;
        Ok(())
    }
}

/// The object store with the packs. Clones share it.
#[derive(Debug, Clone)]
pub struct Packs {
    objects: Arc<dyn ObjectStore>,
}

impl Packs {
    /// Packs in a directory, which is made if it is missing and is its owner's alone.
    ///
    /// # Errors
    /// When the directory cannot be made or used.
    pub fn in_directory(directory: &Path) -> Result<Self, StoreError> {
        make_private_directory(directory).map_err(|error| {
            StoreError::Configuration(format!(
                "the directory for mail, {}, cannot be made: {error}. Check who owns the directory above it.",
                directory.display()
            ))
        })?;
        // Files and their directories are synced before a put returns.
        let objects = LocalFileSystem::new_with_prefix(directory)?.with_fsync(true);
        Ok(Self {
            objects: Arc::new(objects),
        })
    }

    /// Packs in an S3-compatible bucket, `s3://BUCKET/PREFIX`. Keys, region and endpoint come from the usual variables
    /// (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`).
    ///
    /// # Errors
    /// When the URL or the variables do not fit.
    pub fn in_bucket(url: &Url) -> Result<Self, StoreError> {
        let bucket = AmazonS3Builder::from_env().with_url(url.as_str()).build()?;
        let prefix = ObjectPath::from_url_path(url.path()).map_err(object_store::Error::from)?;
        Ok(Self {
            objects: Arc::new(PrefixStore::new(bucket, prefix)),
        })
    }

    /// Packs where `location` says: an `s3://` URL, or a directory.
    ///
    /// # Errors
    /// As [`Packs::in_bucket`] and [`Packs::in_directory`].
    pub fn open(location: &str) -> Result<Self, StoreError> {
        match Url::parse(location) {
            Ok(url) if url.scheme() == "s3" => Self::in_bucket(&url),
            Ok(url) if url.scheme() == "file" => Self::in_directory(Path::new(url.path())),
            _ => Self::in_directory(Path::new(location)),
        }
    }

    /// Stores a pack. When this returns, it is durable.
    ///
    /// # Errors
    /// When the object store refuses or cannot be reached.
    pub async fn put(&self, account_id: AccountId, pack: PackBuilder) -> Result<StoredPack, StoreError> {
        self.put_bytes(account_id, pack.bytes.into()).await
    }

    pub(crate) async fn put_bytes(
        &self,
        account_id: AccountId,
        bytes: Bytes,
    ) -> Result<StoredPack, StoreError> {
        let id = PackId::generate();
        let size = bytes.len() as u64;
        self.objects
            .put(&key(account_id, id), PutPayload::from_bytes(bytes))
            .await?;
        Ok(StoredPack { id, account_id, size })
    }

    /// Reads one message.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it does not come out as what was stored; otherwise when the object store refuses or
    /// cannot be reached.
    pub async fn read(&self, frame: impl Into<StoredFrame>) -> Result<Bytes, StoreError> {
        let frame = frame.into();
        let range = frame.offset..frame.offset.saturating_add(frame.length);
        let compressed = self
            .objects
            .get_range(&key(frame.account_id, frame.pack_id), range)
            .await?;
        tokio::task::spawn_blocking(move || unpack(&compressed, &frame))
            .await
            .map_err(|error| damaged(error.to_string()))?
    }

    /// Reads a whole pack, as it is.
    pub(crate) async fn read_pack(&self, account_id: AccountId, id: PackId) -> Result<Bytes, StoreError> {
        Ok(self.objects.get(&key(account_id, id)).await?.bytes().await?)
    }

    /// Deletes a pack that no row names (any more). One that is gone already is fine.
    ///
    /// # Errors
    /// When the object store refuses or cannot be reached.
    pub async fn delete(&self, account_id: AccountId, id: PackId) -> Result<(), StoreError> {
        self.delete_object(&key(account_id, id)).await
    }

    pub(crate) async fn delete_object(&self, path: &ObjectPath) -> Result<(), StoreError> {
        match self.objects.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes every pack of an account.
    pub(crate) async fn delete_account(&self, account_id: AccountId) -> Result<u64, StoreError> {
        let mut objects = self.objects.list(Some(&ObjectPath::from(account_id.to_string())));
        let mut deleted = 0;
        while let Some(object) = objects.try_next().await? {
            self.delete_object(&object.location).await?;
            deleted += 1;
        }
        Ok(deleted)
    }

    /// Every object there is.
    pub(crate) fn list(&self) -> BoxStream<'static, Result<ObjectMeta, StoreError>> {
        self.objects.list(None).map_err(StoreError::from).boxed()
    }
}

fn key(account_id: AccountId, id: PackId) -> ObjectPath {
    ObjectPath::from_iter([account_id.to_string(), id.to_string()])
}

/// The account and pack that an object's key names; `None` for what is no pack.
pub(crate) fn parse_key(path: &ObjectPath) -> Option<(AccountId, PackId)> {
    let mut parts = path.parts();
    let account_id = parts.next()?.as_ref().parse().ok()?;
    let pack_id = parts.next()?.as_ref().parse().ok()?;
    parts.next().is_none().then_some((account_id, pack_id))
}

fn unpack(compressed: &[u8], frame: &StoredFrame) -> Result<Bytes, StoreError> {
    if frame.size > MAX_MESSAGE_BYTES {
        return Err(damaged(format!(
            "its row says {} bytes, which is over the limit",
            frame.size
        )));
    }
    let size = usize::try_from(frame.size).map_err(|error| damaged(error.to_string()))?;
    let raw = bulk::decompress(compressed, size).map_err(|error| damaged(error.to_string()))?;
    if raw.len() != size {
        return Err(damaged(format!("it has {} bytes instead of {size}", raw.len())));
    }
    if let Some(digest) = &frame.digest
        && Sha256::digest(&raw).as_slice() != digest
    {
        return Err(damaged("its digest does not fit".into()));
    }
    Ok(raw.into())
}

fn damaged(reason: String) -> StoreError {
    StoreError::Damaged {
        what: "message",
        reason,
    }
}

fn compression(error: std::io::Error) -> StoreError {
    StoreError::Configuration(format!("a message could not be compressed: {error}"))
}

fn make_private_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}
