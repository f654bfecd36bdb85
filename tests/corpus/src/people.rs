//! The people who write to the mailbox: 600 of them, some far more often than others.

use crate::charset::Charset;
use crate::language::Language;
use crate::random::{Purpose, Random};

const PEOPLE: u64 = 600;

/// Someone with a mail address. Domains end in `.example` (RFC 2606): no mail can reach anyone.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) address: String,
}

impl Person {
    /// The `slot`-th participant of a conversation; slot 0 is who started it.
    pub(crate) fn in_conversation(seed: u64, language: Language, root: u64, slot: u64) -> Self {
        let mut random = Random::stream(seed, Purpose::Person, root);
        let mut number = 0;
        for _ in 0..=slot {
            number = random.below(PEOPLE).min(random.below(PEOPLE));
        }
        Self::numbered(language, number)
    }

    fn numbered(language: Language, number: u64) -> Self {
        let mut random = Random::stream(0, Purpose::Person, number * 8 + language as u64);
        let names = Names::of(language);
        let (given, given_ascii) = random.pick(names.given);
        let (family, family_ascii) = random.pick(names.family);
        let domain = format!(
            "{}{}.example",
            random.pick(&FIRST_HALVES),
            random.pick(&SECOND_HALVES)
        );
        let local = match random.below(4) {
            0 => format!("{given_ascii}.{family_ascii}"),
            1 => format!("{}{family_ascii}", &given_ascii[..1]),
            2 => format!("{given_ascii}{number}"),
            _ => format!(
                "{family_ascii}-{}",
                random.pick(&["sales", "office", "it", "service"])
            ),
        };
        let name = if names.family_first {
            format!("{family} {given}")
        } else {
            format!("{given} {family}")
        };
        Self {
            name,
            address: format!("{local}@{domain}"),
        }
    }

    /// `name <address>` for an address header.
    pub(crate) fn mailbox(&self, charset: Charset, quoted: bool) -> String {
        format!("{} <{}>", charset.header_text(&self.name, quoted), self.address)
    }

    /// The domain of the address.
    pub(crate) fn domain(&self) -> &str {
        self.address.split_once('@').map_or("", |(_, domain)| domain)
    }
}

type Name = (&'static str, &'static str);

struct Names {
    given: &'static [Name],
    family: &'static [Name],
    family_first: bool,
}

const FIRST_HALVES: [&str; 28] = [
    "north", "blue", "iron", "vera", "alto", "nova", "terra", "kern", "lumen", "delta", "corvo", "silva",
    "marin", "polar", "quart", "ober", "grand", "sol", "tele", "inter", "omni", "fab", "agri", "medi",
    "auto", "hydro", "micro", "euro",
];
const SECOND_HALVES: [&str; 26] = [
    "wind", "works", "trade", "soft", "tek", "haus", "line", "form", "data", "press", "mark", "stone",
    "field", "bank", "log", "net", "parts", "lab", "craft", "port", "via", "plan", "store", "pack", "druck",
    "con",
];

impl Names {
    fn of(language: Language) -> Self {
        let (given, family): (&[Name], &[Name]) = match language {
            Language::English => (
                &[
                    ("Alice", "alice"),
                    ("Brian", "brian"),
                    ("Carol", "carol"),
                    ("Derek", "derek"),
                    ("Emma", "emma"),
                    ("Frank", "frank"),
                    ("Grace", "grace"),
                    ("Henry", "henry"),
                    ("Siobhan", "siobhan"),
                    ("Owen", "owen"),
                ],
                &[
                    ("Adams", "adams"),
                    ("Baker", "baker"),
                    ("Clarke", "clarke"),
                    ("Dawson", "dawson"),
                    ("Evans", "evans"),
                    ("Foster", "foster"),
                    ("Hughes", "hughes"),
                    ("Patel", "patel"),
                    ("Reid", "reid"),
                    ("Walsh", "walsh"),
                ],
            ),
            Language::German => (
                &[
                    ("Jürgen", "juergen"),
                    ("Zoë", "zoe"),
                    ("Käthe", "kaethe"),
                    ("Stefan", "stefan"),
                    ("Anja", "anja"),
                    ("Götz", "goetz"),
                    ("Heike", "heike"),
                    ("Jörg", "joerg"),
                ],
                &[
                    ("Müller", "mueller"),
                    ("Schäfer", "schaefer"),
                    ("Weiß", "weiss"),
                    ("Krüger", "krueger"),
                    ("Vogel", "vogel"),
                    ("Böhm", "boehm"),
                    ("Lorenz", "lorenz"),
                    ("Jäger", "jaeger"),
                ],
            ),
            Language::French => (
                &[
                    ("Hélène", "helene"),
                    ("François", "francois"),
                    ("Zoé", "zoe"),
                    ("Luc", "luc"),
                    ("Agnès", "agnes"),
                    ("Benoît", "benoit"),
                    ("Noëlle", "noelle"),
                ],
                &[
                    ("Lefèvre", "lefevre"),
                    ("Girard", "girard"),
                    ("Béranger", "beranger"),
                    ("Moreau", "moreau"),
                    ("Hébert", "hebert"),
                    ("Dupont", "dupont"),
                ],
            ),
            Language::Spanish => (
                &[
                    ("José", "jose"),
                    ("María", "maria"),
                    ("Íñigo", "inigo"),
                    ("Lucía", "lucia"),
                    ("Andrés", "andres"),
                    ("Pilar", "pilar"),
                ],
                &[
                    ("Núñez", "nunez"),
                    ("García", "garcia"),
                    ("Peña", "pena"),
                    ("Ibáñez", "ibanez"),
                    ("Ortega", "ortega"),
                ],
            ),
            Language::Polish => (
                &[
                    ("Łukasz", "lukasz"),
                    ("Agnieszka", "agnieszka"),
                    ("Grażyna", "grazyna"),
                    ("Paweł", "pawel"),
                    ("Małgorzata", "malgorzata"),
                ],
                &[
                    ("Wójcik", "wojcik"),
                    ("Kamiński", "kaminski"),
                    ("Zając", "zajac"),
                    ("Dąbrowski", "dabrowski"),
                    ("Nowak", "nowak"),
                ],
            ),
            Language::Russian => (
                &[
                    ("Иван", "ivan"),
                    ("Анна", "anna"),
                    ("Сергей", "sergey"),
                    ("Ольга", "olga"),
                    ("Дмитрий", "dmitry"),
                ],
                &[
                    ("Петренко", "petrenko"),
                    ("Соколов", "sokolov"),
                    ("Волк", "volk"),
                    ("Кузнец", "kuznets"),
                    ("Морозов", "morozov"),
                ],
            ),
            Language::Japanese => (
                &[
                    ("太郎", "taro"),
                    ("花子", "hanako"),
                    ("健一", "kenichi"),
                    ("直美", "naomi"),
                    ("大輔", "daisuke"),
                ],
                &[
                    ("山田", "yamada"),
                    ("佐藤", "sato"),
                    ("鈴木", "suzuki"),
                    ("高橋", "takahashi"),
                    ("田中", "tanaka"),
                ],
            ),
            Language::Chinese => (
                &[
                    ("伟", "wei"),
                    ("芳", "fang"),
                    ("小明", "xiaoming"),
                    ("丽华", "lihua"),
                    ("建国", "jianguo"),
                ],
                &[
                    ("王", "wang"),
                    ("李", "li"),
                    ("张", "zhang"),
                    ("刘", "liu"),
                    ("陈", "chen"),
                ],
            ),
        };
        Self {
            given,
            family,
            family_first: !language.has_spaces(),
        }
    }
}
