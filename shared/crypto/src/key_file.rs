//! The key file of an embedded installation.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::error::CryptoError;

/// A key file is a few lines; whatever is longer is something else.
const MAX_LENGTH: u64 = 64 * 1024;

/// Written above a new key, for the person who finds the file.
const COMMENT: &str = "\
# The key that seals the passwords and tokens in this directory's database. Without it they are lost:
# keep a copy apart from the database's backups. The first key seals, all of them open.\n";

/// The content of the key file, `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<SecretString>, CryptoError> {
    let failed = |cause| CryptoError::KeyFile {
        path: path.to_owned(),
        action: "read",
        cause,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    refuse_if_exposed(path, &file)?;
    let mut text = String::new();
    file.take(MAX_LENGTH).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text.into()))
}

/// Makes the key file with one `entry` and returns its content. If another process was quicker, its key counts.
///
/// The file appears at once and whole: it is written and synced under another name and then linked, so that a
/// crash leaves no half a key, and never replaces a key that something may already be sealed under.
pub(crate) fn create(path: &Path, entry: &SecretString) -> Result<SecretString, CryptoError> {
    let failed = |cause| CryptoError::KeyFile {
        path: path.to_owned(),
        action: "made",
        cause,
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let draft = directory.join(format!(".key-{}", Uuid::new_v4()));
    let linked = write_owner_only(&draft, entry).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => removed
            .and_then(|()| File::open(&directory)?.sync_all())
            .map_err(failed)?,
    }
    read(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
}

fn write_owner_only(path: &Path, entry: &SecretString) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(COMMENT.as_bytes())?;
    file.write_all(entry.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Asks the open file, not the path, so that it cannot be exchanged in between.
#[cfg(unix)]
fn refuse_if_exposed(path: &Path, file: &File) -> Result<(), CryptoError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = file.metadata().map_err(|cause| CryptoError::KeyFile {
        path: path.to_owned(),
        action: "read",
        cause,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(CryptoError::KeyFileExposed {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn refuse_if_exposed(_: &Path, _: &File) -> Result<(), CryptoError> {
    Ok(()) // the data directory's access list protects it there
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{KeyRing, SealContext};

    const CONTEXT: SealContext = SealContext {
        tenant: Uuid::nil(),
        table: "t",
        column: "c",
        row: Uuid::nil(),
    };

    #[test]
    fn it_is_made_once_for_its_owner_only_and_then_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let sealed = KeyRing::load_or_create(&path)
            .unwrap()
            .seal(&CONTEXT, &"hunter2".into())
            .unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let opened = KeyRing::load_or_create(&path)
            .unwrap()
            .open(&CONTEXT, &sealed)
            .unwrap();
        assert_eq!(opened.expose_secret(), "hunter2");
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "no draft is left behind"
        );
    }

    #[test]
    fn an_existing_key_is_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let first = KeyRing::generate_entry("first").unwrap();
        let second = KeyRing::generate_entry("second").unwrap();
        create(&path, &first).unwrap();
        let content = create(&path, &second).unwrap();
        assert_eq!(KeyRing::from_list(&content).unwrap().primary_id(), "first");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_helps() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        KeyRing::load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyRing::load_or_create(&path).unwrap_err().to_string();
            assert!(
                error.contains(&format!("chmod 600 {}", path.display())),
                "{error}"
            );
        }
    }

    #[test]
    fn a_directory_that_does_not_exist_is_named() {
        let error = KeyRing::load_or_create(Path::new("/nowhere/at/all/key"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nowhere/at/all/key") && error.contains("directory"),
            "{error}"
        );
    }

    #[test]
    fn an_empty_file_is_not_taken_for_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        write_owner_only(&path, &"".into()).unwrap();
        assert!(matches!(
            KeyRing::load_or_create(&path),
            Err(CryptoError::KeyList { position: 0, .. })
        ));
    }
}
