//! A Maildir holds the corpus as it is.

use std::os::unix::fs::MetadataExt;

use postroom_corpus::{Corpus, oddities, write_maildir};

#[test]
fn a_maildir_holds_every_message_with_its_date_and_flags() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("user").join("Maildir");
    let corpus = Corpus::new(3, 50).addressed_to("someone@else.example");
    let written = write_maildir(&dir, &corpus, None).unwrap();
    assert_eq!(written.messages, 50);
    let mut names: Vec<String> = std::fs::read_dir(dir.join("cur"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names.len(), 50);
    for (name, mail) in names.iter().zip(corpus.messages()) {
        let path = dir.join("cur").join(name);
        assert_eq!(std::fs::read(&path).unwrap(), mail.raw, "{name}");
        assert_eq!(
            std::fs::metadata(&path).unwrap().mtime(),
            mail.received_at.timestamp(),
            "{name}"
        );
        assert_eq!(
            name.split(":2,").nth(1).unwrap().contains('S'),
            mail.flags.seen,
            "{name}"
        );
        assert!(String::from_utf8_lossy(&mail.raw).contains("To: someone@else.example\r\n"));
    }
    assert_eq!(std::fs::read_dir(dir.join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let error = write_maildir(&file.join("Maildir"), &Corpus::new(3, 1), None).unwrap_err();
    assert!(error.to_string().contains("Maildir"), "{error}");
}

#[test]
fn oddities_have_different_names_and_odd_content() {
    let all = oddities();
    let names: std::collections::BTreeSet<_> = all.iter().map(|odd| odd.name).collect();
    assert_eq!(names.len(), all.len());
    let raw = |name: &str| &all.iter().find(|odd| odd.name == name).unwrap().raw;
    assert!(
        raw("line_too_long")
            .split(|byte| *byte == b'\n')
            .any(|line| line.len() > 998)
    );
    assert!(
        !String::from_utf8_lossy(raw("message_id_missing"))
            .to_lowercase()
            .contains("message-id:")
    );
    assert!(std::str::from_utf8(raw("header_raw_latin1")).is_err());
    assert!(raw("empty_body").ends_with(b"\r\n\r\n"));
}
