//! What a folder is for.

use imap_proto::NameAttribute;

/// What a folder is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FolderRole {
    /// Where new mail arrives.
    Inbox,
    /// Copies of what was sent.
    Sent,
    /// What is being written.
    Drafts,
    /// What was deleted.
    Trash,
    /// Unwanted mail.
    Junk,
    /// What was put away.
    Archive,
    /// Everything (Gmail's All Mail): its messages are in other folders too.
    All,
    /// A view of what is marked: its messages are in other folders too.
    Flagged,
}

impl FolderRole {
    /// The name under which a role is stored and shown in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Sent => "sent",
            Self::Drafts => "drafts",
            Self::Trash => "trash",
            Self::Junk => "junk",
            Self::Archive => "archive",
            Self::All => "all",
            Self::Flagged => "flagged",
        }
    }

    /// The role that a server gives (RFC 6154), in any case: Dovecot passes on `\drafts` as it was configured.
    pub(super) fn from_attribute(attribute: &NameAttribute<'_>) -> Option<Self> {
        match attribute {
            NameAttribute::Sent => Some(Self::Sent),
            NameAttribute::Drafts => Some(Self::Drafts),
            NameAttribute::Trash => Some(Self::Trash),
            NameAttribute::Junk => Some(Self::Junk),
            NameAttribute::Archive => Some(Self::Archive),
            NameAttribute::All => Some(Self::All),
            NameAttribute::Flagged => Some(Self::Flagged),
            // Gmail and Apple had names of their own before there was a standard.
            NameAttribute::Extension(name) if name.eq_ignore_ascii_case("\\Spam") => Some(Self::Junk),
            NameAttribute::Extension(name) if name.eq_ignore_ascii_case("\\AllMail") => Some(Self::All),
            _ => None,
        }
    }

    /// The role that a folder's last name suggests, in the languages of our users' providers.
    pub(super) fn guess(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        GUESSES
            .iter()
            .find(|(_, names)| names.contains(&name.as_str()))
            .map(|(role, _)| *role)
    }
}

const GUESSES: [(FolderRole, &[&str]); 5] = [
    (
        FolderRole::Sent,
        &[
            "sent",
            "sent items",
            "sent messages",
            "sent mail",
            "gesendet",
            "gesendete elemente",
            "gesendete objekte",
            "gesendete nachrichten",
            "verzonden",
            "verzonden items",
            "verzonden berichten",
            "envoyés",
            "éléments envoyés",
            "messages envoyés",
            "enviados",
            "elementos enviados",
            "itens enviados",
            "inviata",
            "posta inviata",
            "inviati",
            "wysłane",
            "elementy wysłane",
            "skickat",
            "skickade objekt",
            "sendt",
            "sendte elementer",
            "sendt post",
            "отправленные",
            "odeslaná pošta",
            "odeslané",
            "lähetetyt",
            "gönderilmiş öğeler",
            "已发送",
            "送信済み",
            "送信済みアイテム",
        ],
    ),
    (
        FolderRole::Drafts,
        &[
            "drafts",
            "draft",
            "entwürfe",
            "entwurf",
            "concepten",
            "brouillons",
            "borradores",
            "rascunhos",
            "bozze",
            "wersje robocze",
            "kopie robocze",
            "robocze",
            "utkast",
            "kladder",
            "черновики",
            "koncepty",
            "luonnokset",
            "taslaklar",
            "草稿",
            "草稿箱",
            "下書き",
        ],
    ),
    (
        FolderRole::Trash,
        &[
            "trash",
            "deleted items",
            "deleted messages",
            "deleted",
            "bin",
            "papierkorb",
            "gelöschte elemente",
            "gelöschte objekte",
            "gelöscht",
            "prullenbak",
            "verwijderde items",
            "verwijderd",
            "corbeille",
            "éléments supprimés",
            "papelera",
            "elementos eliminados",
            "lixeira",
            "itens excluídos",
            "cestino",
            "posta eliminata",
            "kosz",
            "elementy usunięte",
            "papperskorg",
            "borttagna objekt",
            "papirkurv",
            "slettet post",
            "slettede elementer",
            "удаленные",
            "корзина",
            "koš",
            "odstraněná pošta",
            "roskakori",
            "poistetut",
            "çöp kutusu",
            "silinmiş öğeler",
            "已删除",
            "垃圾箱",
            "ゴミ箱",
            "削除済みアイテム",
        ],
    ),
    (
        FolderRole::Junk,
        &[
            "junk",
            "spam",
            "junk e-mail",
            "junk email",
            "junk mail",
            "bulk mail",
            "bulk",
            "spamverdacht",
            "unerwünscht",
            "ongewenste e-mail",
            "ongewenst",
            "courrier indésirable",
            "indésirables",
            "pourriel",
            "correo no deseado",
            "lixo eletrônico",
            "posta indesiderata",
            "wiadomości-śmieci",
            "skräppost",
            "søppelpost",
            "uønsket post",
            "спам",
            "nevyžádaná pošta",
            "roskaposti",
            "önemsiz",
            "垃圾邮件",
            "迷惑メール",
        ],
    ),
    (
        FolderRole::Archive,
        &[
            "archive",
            "archives",
            "archiv",
            "archief",
            "archivo",
            "arquivo",
            "arquivo morto",
            "archivio",
            "archiwum",
            "arkiv",
            "архив",
            "archív",
            "arkisto",
            "arşiv",
            "归档",
            "アーカイブ",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_several_languages_are_known_in_any_case() {
        for (name, role) in [
            ("Sent Items", FolderRole::Sent),
            ("GESENDET", FolderRole::Sent),
            ("Entwürfe", FolderRole::Drafts),
            ("Prullenbak", FolderRole::Trash),
            ("Courrier indésirable", FolderRole::Junk),
            ("Archive", FolderRole::Archive),
        ] {
            assert_eq!(FolderRole::guess(name), Some(role), "{name}");
        }
        assert_eq!(FolderRole::guess("Sent to the printer"), None);
    }
}
