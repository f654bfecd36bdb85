//! Everything that was written and said.

use std::{fs, path::Path, process::Command};

use postroom_e2e::{Mode, Stack};

/// All of it.
#[derive(Default)]
pub(super) struct Haystack(pub(super) Vec<Straw>);

/// One file, answer or trace.
pub(super) struct Straw {
    pub(super) place: String,
    pub(super) bytes: Vec<u8>,
}

impl Haystack {
    pub(super) fn add(&mut self, place: &str, bytes: Vec<u8>) {
        self.0.push(Straw {
            place: place.to_owned(),
            bytes,
        });
    }

    /// Whether something is said in a place whose name holds `place`.
    pub(super) fn holds(&self, place: &str, words: &[u8]) -> bool {
        let mut places = self.0.iter().filter(|straw| straw.place.contains(place));
        places.any(|straw| contains(&straw.bytes, words))
    }

    /// The event log with how each event was handled, accounts, submissions, dead letters.
    pub(super) async fn add_api(&mut self, stack: &Stack) {
        let events = stack.events("").await.unwrap();
        assert!(events.len() > 20, "{}", events.len());
        for event in &events {
            let path = format!("/v1/events/{}", event["id"].as_str().unwrap());
            self.add("an event", stack.api.bytes(&path).await.unwrap());
        }
        for path in ["/v1/accounts", "/v1/dead-letters", "/v1/providers", "/metrics"] {
            self.add(path, stack.api.bytes(path).await.unwrap());
        }
    }

    /// Logs, what was printed, the data directory: every file.
    pub(super) fn add_files(&mut self, stack: &Stack) {
        self.add_directory(stack.directory());
    }

    fn add_directory(&mut self, directory: &Path) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.add_directory(&path);
                continue;
            }
            let kind = if path.display().to_string().contains(".sqlite") {
                "database "
            } else {
                ""
            };
            let bytes = fs::read(&path).unwrap();
            self.add(&format!("{kind}{}", path.display()), bytes);
        }
    }

    /// The tables of PostgreSQL; SQLite's are among the files.
    pub(super) fn add_database(&mut self, stack: &Stack) {
        if stack.mode == Mode::Embedded {
            return;
        }
        let url = stack.variable("POSTROOM_DATABASE_URL").unwrap();
        let dump = Command::new("pg_dump")
            .args(["--data-only", "--inserts", url])
            .output()
            .unwrap();
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        self.add("the database", dump.stdout);
    }
}

/// Whether `bytes` holds `words`.
pub(super) fn contains(bytes: &[u8], words: &[u8]) -> bool {
    memchr::memmem::find(bytes, words).is_some()
}
