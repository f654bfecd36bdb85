//! Reading a file in the format of the Mozilla ISPDB (`clientConfig`, version 1.1; draft-ietf-mailmaint-autoconfig).
//!
//! The file comes from a stranger. Entities of its own are never expanded (a DOCTYPE is a refusal), nesting, servers
//! and texts are bounded, and what is not needed is not looked at.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Deeper than any such file.
const MAX_DEPTH: usize = 32;
/// How many servers of one protocol are read.
const MAX_SERVERS: usize = 16;
/// The longest text of one field, in bytes.
const MAX_TEXT: usize = 512;

/// The servers of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    pub(crate) imap: Vec<ServerEntry>,
    pub(crate) smtp: Vec<ServerEntry>,
}

/// One server as the file has it, not yet understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerEntry {
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) socket: String,
    pub(crate) username: String,
    pub(crate) authentication: Vec<String>,
}

/// A file that is not one. Each stands behind "its file".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FileFault {
    #[error("is not well-formed XML")]
    NotWellFormed,
    #[error("declares a document type, as web pages do and configurations never")]
    DocumentType,
    #[error("is nested too deeply")]
    TooDeep,
    #[error("is XML but no mail configuration")]
    NotAConfiguration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Root,
    Provider,
    Server(Kind),
    Field(Field),
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Imap,
    Smtp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Host,
    Port,
    Socket,
    Username,
    Authentication,
}

/// Reads the IMAP and SMTP servers of a file.
pub(crate) fn read(document: &str) -> Result<ConfigFile, FileFault> {
    let mut reader = Reader::from_str(document.trim_start_matches('\u{feff}'));
    let mut state = State::default();
    loop {
        match reader.read_event().map_err(|_| FileFault::NotWellFormed)? {
            Event::Start(start) => state.open(&start)?,
            Event::End(_) => state.close(),
            // An empty element has no text, and no child that could matter.
            Event::Empty(start) => {
                state.open(&start)?;
                state.close();
            }
            Event::Text(text) => state.add(&text.decode().map_err(|_| FileFault::NotWellFormed)?),
            Event::CData(text) => state.add(&text.decode().map_err(|_| FileFault::NotWellFormed)?),
            Event::GeneralRef(reference) => state.add(&resolve(&reference)),
            Event::DocType(_) => return Err(FileFault::DocumentType),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof if state.path.is_empty() && state.seen_root => return Ok(state.file),
            Event::Eof if state.path.is_empty() => return Err(FileFault::NotAConfiguration),
            Event::Eof => return Err(FileFault::NotWellFormed),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    file: ConfigFile,
    path: Vec<Element>,
    seen_root: bool,
    server: ServerEntry,
    text: String,
}

impl State {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), FileFault> {
        if self.path.len() == MAX_DEPTH {
            return Err(FileFault::TooDeep);
        }
        let element = element(self.path.last().copied(), start)?;
        match element {
            Element::Root => self.seen_root = true,
            Element::Server(_) => self.server = ServerEntry::default(),
            Element::Field(_) => self.text.clear(),
            Element::Provider | Element::Other => {}
        }
        self.path.push(element);
        Ok(())
    }

    fn add(&mut self, text: &str) {
        if matches!(self.path.last(), Some(Element::Field(_))) {
            let room = MAX_TEXT.saturating_sub(self.text.len());
            self.text.extend(text.chars().take(room));
        }
    }

    fn close(&mut self) {
        match self.path.pop() {
            Some(Element::Field(field)) => {
                let text = std::mem::take(&mut self.text).trim().to_owned();
                match field {
                    Field::Host => self.server.host = text,
                    Field::Port => self.server.port = text,
                    Field::Socket => self.server.socket = text,
                    Field::Username => self.server.username = text,
                    Field::Authentication if self.server.authentication.len() < MAX_SERVERS => {
                        self.server.authentication.push(text);
                    }
                    Field::Authentication => {}
                }
            }
            Some(Element::Server(kind)) => {
                let servers = match kind {
                    Kind::Imap => &mut self.file.imap,
                    Kind::Smtp => &mut self.file.smtp,
                };
                if servers.len() < MAX_SERVERS {
                    servers.push(std::mem::take(&mut self.server));
                }
            }
            Some(Element::Root | Element::Provider | Element::Other) | None => {}
        }
    }
}

/// What an element means where it stands.
fn element(parent: Option<Element>, start: &BytesStart<'_>) -> Result<Element, FileFault> {
    let name = start.local_name();
    let field = |field| Element::Field(field);
    Ok(match (parent, name.as_ref()) {
        (None, b"clientConfig") => Element::Root,
        (None, _) => return Err(FileFault::NotAConfiguration),
        (Some(Element::Root), b"emailProvider") => Element::Provider,
        (Some(Element::Provider), b"incomingServer") if has_type(start, b"imap") => {
            Element::Server(Kind::Imap)
        }
        (Some(Element::Provider), b"outgoingServer") if has_type(start, b"smtp") => {
            Element::Server(Kind::Smtp)
        }
        (Some(Element::Server(_)), b"hostname") => field(Field::Host),
        (Some(Element::Server(_)), b"port") => field(Field::Port),
        (Some(Element::Server(_)), b"socketType") => field(Field::Socket),
        (Some(Element::Server(_)), b"username") => field(Field::Username),
        (Some(Element::Server(_)), b"authentication") => field(Field::Authentication),
        _ => Element::Other,
    })
}

fn has_type(start: &BytesStart<'_>, wanted: &[u8]) -> bool {
    match start.try_get_attribute("type") {
        Ok(Some(attribute)) => attribute.value.eq_ignore_ascii_case(wanted),
        _ => false,
    }
}

/// The five entities of XML and characters by number; anything else becomes a character that no field can hold.
fn resolve(reference: &BytesRef<'_>) -> String {
    let unknown = || char::REPLACEMENT_CHARACTER.to_string();
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return c.to_string();
    }
    let name = reference.decode().unwrap_or_default();
    resolve_xml_entity(&name).map_or_else(unknown, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(servers: &str) -> String {
        format!(
            "<clientConfig version=\"1.1\"><emailProvider id=\"x\">{servers}</emailProvider></clientConfig>"
        )
    }

    #[test]
    fn servers_come_in_order_and_everything_else_is_passed_over() {
        let file = read(&format!(
            "\u{feff}<?xml version=\"1.0\"?>\n<!-- <incomingServer type=\"imap\"/> -->{}",
            wrap(
                "<displayName>A &amp; B</displayName>\
                 <incomingServer type=\"pop3\"><hostname>pop.x.example</hostname></incomingServer>\
                 <incomingServer type=\"imap\">\n <hostname> imap.x.example\n</hostname><port>993</port>\
                   <socketType>SSL</socketType><username>%EMAILADDRESS%</username>\
                   <authentication>OAuth2</authentication><authentication>password-cleartext</authentication>\
                   <pop3><hostname>wrong.x.example</hostname></pop3></incomingServer>\
                 <incomingServer type=\"IMAP\"><hostname><![CDATA[two]]>&#46;x&#x2e;example</hostname></incomingServer>\
                 <outgoingServer type=\"smtp\"><hostname>smtp.x.example</hostname><username/></outgoingServer>"
            )
        ))
        .unwrap();
        assert_eq!(file.imap.len(), 2);
        assert_eq!(file.imap[0].host, "imap.x.example");
        assert_eq!(file.imap[0].authentication, ["OAuth2", "password-cleartext"]);
        assert_eq!(file.imap[1].host, "two.x.example");
        assert_eq!(file.smtp[0].host, "smtp.x.example");
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let deep = format!("<clientConfig>{}", "<a>".repeat(40));
        for (document, fault) in [
            ("", FileFault::NotAConfiguration),
            ("not xml at all", FileFault::NotAConfiguration),
            ("<html><body>parked</body></html>", FileFault::NotAConfiguration),
            ("<!DOCTYPE html><html></html>", FileFault::DocumentType),
            (
                "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><clientConfig>&b;</clientConfig>",
                FileFault::DocumentType,
            ),
            (
                "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><clientConfig/>",
                FileFault::DocumentType,
            ),
            ("<clientConfig>", FileFault::NotWellFormed),
            ("<clientConfig></clientconfig>", FileFault::NotWellFormed),
            ("<clientConfig><a></b></clientConfig>", FileFault::NotWellFormed),
            (deep.as_str(), FileFault::TooDeep),
        ] {
            assert_eq!(read(document), Err(fault), "{document:.60}");
        }
    }

    #[test]
    fn entities_of_its_own_never_become_text() {
        let file = read(&wrap(
            "<incomingServer type=\"imap\"><hostname>a&evil;b</hostname></incomingServer>",
        ))
        .unwrap();
        assert_eq!(file.imap[0].host, "a\u{fffd}b");
    }

    #[test]
    fn servers_and_texts_are_bounded() {
        let one = format!(
            "<incomingServer type=\"imap\"><hostname>{}</hostname></incomingServer>",
            "ü".repeat(10_000)
        );
        let file = read(&wrap(&one.repeat(100))).unwrap();
        assert_eq!(file.imap.len(), MAX_SERVERS);
        assert!(file.imap[0].host.len() <= 2 * MAX_TEXT);
    }
}
