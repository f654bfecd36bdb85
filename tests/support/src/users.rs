//! People with a mailbox, one per test.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};

use crate::Testbed;
use crate::names::unique;

/// Names of recipients that Postfix treats in a special way: a user called so would get no mail.
const SPECIAL: [&str; 7] = [
    "reject", "tempfail", "quota", "toomany", "hangup", "bounce", "defer",
];

/// A user that Dovecot, Postfix and the OpenID provider know.
#[derive(Clone, Debug)]
pub struct TestUser {
    /// The address, which is also the user name everywhere.
    pub address: String,
    /// The password, of the mail servers and of the provider's login page.
    pub password: String,
    /// The name the provider tells in its ID token.
    pub full_name: String,
}

impl Testbed {
    /// Makes a user whose address begins with `prefix` and whom no other test has.
    ///
    /// It is one small file, written at once: there is no lock and no server to tell.
    ///
    /// # Errors
    /// If `prefix` is not made of lower-case letters, digits and hyphens (at most 40), or if the file cannot be
    /// written, which takes root's rights.
    pub fn create_user(&self, prefix: &str) -> Result<TestUser> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(
            (1..=40).contains(&prefix.len()) && prefix.chars().all(plain) && !prefix.starts_with('-'),
            "a user's prefix is 1 to 40 lower-case letters, digits and hyphens, not {prefix:?}"
        );
        ensure!(
            !SPECIAL.contains(&prefix.split('-').next().unwrap_or_default()),
            "Postfix refuses mail to {prefix:?} on purpose: choose another prefix"
        );
        let user = TestUser {
            address: format!("{prefix}-{}@{}", unique(), self.domain),
            password: format!("pw-{}", unique()),
            full_name: format!("Test {prefix}"),
        };
        self.write_user(&user)?;
        Ok(user)
    }

    /// Gives a user another password. Once this returns, Dovecot and the provider's login page ask for the new one;
    /// what is signed in stays signed in.
    ///
    /// # Errors
    /// If the user's file cannot be written.
    pub async fn set_password(&self, user: &mut TestUser, password: &str) -> Result<()> {
        ensure!(
            !password.contains([':', '\n', '\r']),
            "a password in a passwd line holds no colon or line end"
        );
        let file = self.users_dir.join(&user.address);
        let before = fs::metadata(&file)?.modified()?;
        user.password = password.to_owned();
        self.write_user(user)?;
        // Dovecot looks at a user's file once a second, and reads it again when its size or its time in whole
        // seconds has changed.
        fs::File::options()
            .write(true)
            .open(&file)?
            .set_modified(before + Duration::from_secs(2))?;
        tokio::time::sleep(Duration::from_millis(1100)).await;
        Ok(())
    }

    fn write_user(&self, user: &TestUser) -> Result<()> {
        let home = self.mail_dir.join(&user.address);
        let TestUser {
            address,
            password,
            full_name,
        } = user;
        let line = format!(
            "{address}:{{PLAIN}}{password}:8:8:{full_name}:{}::\n",
            home.display()
        );
        write_whole(&self.users_dir.join(address), &line)
            .with_context(|| format!("cannot write the user {address}; tests that make users run as root"))
    }
}

/// Writes a file so that a reader sees the old one or the new one, whole.
fn write_whole(file: &Path, text: &str) -> Result<()> {
    let draft = file.with_file_name(format!(".{}", unique()));
    fs::write(&draft, text)?;
    fs::rename(&draft, file)?;
    Ok(())
}

/// Seconds since 1970, for names that sort by time.
pub(crate) fn seconds_since_1970() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}
