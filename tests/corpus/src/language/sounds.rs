//! What the words of a language are made of: its commonest real words, and the letters from which the others are put together. In
//! each list the common pieces come first; the lexicon prefers them.

use super::Language;

/// The material of one language. For languages without letters `heads` are the characters and `middles`, `tails` are empty.
pub(crate) struct Sounds {
    /// Real words, commonest first: they head the frequency table.
    pub(crate) common: &'static str,
    pub(crate) heads: &'static str,
    pub(crate) middles: &'static str,
    pub(crate) tails: &'static str,
    pub(crate) endings: &'static str,
    /// How many different words its lexicon holds.
    pub(crate) words: usize,
}

impl Sounds {
    pub(crate) fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::German => &GERMAN,
            Language::French => &FRENCH,
            Language::Spanish => &SPANISH,
            Language::Polish => &POLISH,
            Language::Russian => &RUSSIAN,
            Language::Japanese => &JAPANESE,
            Language::Chinese => &CHINESE,
        }
    }
}

static ENGLISH: Sounds = Sounds {
    common: "the to and of a in is for you that it on we with this be have are as at your if not will from or can by an \
        our please all do has was but they me up so what us there thanks any which get one about time just know out would \
        when more new like no also need order see been some how want them work use offer meeting invoice price delivery \
        customer contract project team update question answer report schedule week today tomorrow document",
    heads: "s t c p m b r d f h w l n st g pr tr cl br gr sp ch sh th fl pl cr dr bl j v k wh sc str sw qu y sl gl kn",
    middles: "e a i o u e a ea i ou ai oo ee ie y io oa ey",
    tails: "n r s t l d ck m nd st p ng nt x ss rt ll rd sh mp ct g th b f lt w",
    endings: "s ed ing er ly tion al ment y able ness ive or ous ent ity",
    words: 36_000,
};

static GERMAN: Sounds = Sounds {
    common: "die der und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat \
        dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis mehr \
        durch man sein wurde wir Ihnen Sie bitte Grüße Angebot Rechnung Auftrag Lieferung Vertrag Kunde Frage Termin \
        morgen heute können möchten vielen Dank freundlichen",
    heads: "b g h w s k sch st r l m n f v d t z p br gr tr kr pf fr schl bl fl kl str zw schw qu j",
    middles: "e a i o u ei ie au ä ü ö eu ah eh äu",
    tails: "n r t s l ch nd ng ck st rt m f tz ß ss ll mm b g cht rk nk pf",
    endings: "en er ung e lich keit heit isch te ten es ern schaft bar los ungen",
    words: 30_000,
};

static FRENCH: Sounds = Sounds {
    common: "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec nous vous \
        votre être ou cette mais comme été aussi leur bien même sans merci bonjour fait tout peut nos vos ces très après \
        facture commande offre livraison contrat client réunion prix délai équipe question réponse demain semaine \
        veuillez cordialement",
    heads: "p c d m l r s t b f v g n j ch pr tr pl gr qu br cr fl bl dr",
    middles: "e a i o u é ou ai è eu au oi ê an en on in ui ô",
    tails: "r n t s l c nt x sse lle tte m nne gne que",
    endings: "ment tion er é ée s eur euse ant aux able ique ir ais ité ance",
    words: 24_000,
};

static SPANISH: Sounds = Sounds {
    common: "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin \
        sobre este ya entre cuando todo esta ser son dos también fue había muy hasta desde nos gracias saludos factura \
        pedido oferta entrega contrato cliente reunión precio plazo equipo pregunta respuesta mañana semana estimado \
        adjunto",
    heads: "c p d m t s r l n b v g f h tr pr ll ch j qu gr br cl pl bl fr",
    middles: "a e o i u ie ue á é í ó ú ia io",
    tails: "n s r l d z ñ",
    endings: "ción mente ar ado a os as ando idad ero ía able iendo o ista",
    words: 20_000,
};

static POLISH: Sounds = Sounds {
    common: "w i na z do się nie że o jest to za po od jak przez a dla tym ale są co czy lub oraz przy być tylko tej może \
        ich jego już także które który ze proszę dziękuję faktura zamówienie oferta dostawa umowa klient spotkanie cena \
        termin zespół pytanie odpowiedź jutro tydzień pozdrawiam",
    heads: "p w k z s m d n t b r g l cz sz prz st ch rz c j kr tr dz ś ż zw sp",
    middles: "a i e o y u ie ia ą ę ó io",
    tails: "n k s t ł m r c cz sz ść ch j ś l",
    endings: "y a ie ów ość anie owy ego ać ami nie ną ach em owi",
    words: 20_000,
};

static RUSSIAN: Sounds = Sounds {
    common: "и в не на с что по это как к но из у за от о же для вы мы он так все при бы до или был если уже только его \
        ещё нет вас нам ваш наш будет может чтобы спасибо пожалуйста счёт заказ предложение доставка договор клиент \
        встреча цена срок вопрос ответ завтра неделя документ уважением",
    heads: "п в с к н т м р д б л г з х ст пр ч ш ж тр кр вс ф ц",
    middles: "о е а и у я ы ё ю",
    tails: "н т л р с к в м й д ть сть ль",
    endings: "ый ого ение ать ость ия ов ами ться ная ие ский ом ах ить",
    words: 24_000,
};

static JAPANESE: Sounds = Sounds {
    common: "の は を に が と で も です ます から まで こと この その ある する いる ください お願いします 株式会社 様 \
        より ました ません という について により ため もの など ご連絡 お世話になっております 請求書 注文 会議 契約",
    heads: "日 本 人 大 年 出 中 学 生 会 社 事 自 分 前 後 間 時 行 見 国 来 上 下 私 地 方 目 手 新 場 員 部 意 動 力 外 東 西 南 北 高 小 \
        長 家 電 話 車 駅 道 店 品 料 金 物 水 火 木 土 空 海 山 川 花 友 先 今 何 名 所 世 界 心 体 買 売 書 読 聞 語 教 室 朝 昼 夜 週 月 半 \
        毎 通 信 文 章 送 受 取 確 認 連 絡 報 告 計 画 予 定 資 議 参 加 変 更 注 請 求 支 払 契 約 担 当 技 術 開 発 情 管 理 作 業 完 了 始 \
        終 算 価 格 製 質 問 題 解 決 利 用 登 録",
    middles: "ア イ ウ エ オ カ キ ク コ サ シ ス セ ソ タ チ ツ テ ト ナ ニ ネ ノ ハ ヒ フ ヘ ホ マ ミ ム メ モ ラ リ ル レ ロ ン ー ガ グ ゴ ジ \
        ズ ダ デ ド バ ビ ブ ベ ボ パ ピ プ ポ",
    tails: "",
    endings: "る す い く む れる した して ない った えば",
    words: 12_000,
};

static CHINESE: Sounds = Sounds {
    common: "的 了 是 在 我 有 和 就 不 人 都 一 上 也 很 到 说 要 去 你 会 着 没有 看 好 自己 这 请 您 我们 公司 合同 发票 订单 \
        会议 价格 交货 客户 谢谢 问题 回复",
    heads: "一 是 在 不 了 有 和 人 这 中 大 为 上 个 国 我 以 要 他 时 来 用 们 生 到 作 地 于 出 就 分 对 成 会 可 主 发 年 动 同 工 也 能 下 过 \
        子 说 产 种 面 而 方 后 多 定 行 学 法 所 民 得 经 十 三 之 进 着 等 部 度 家 电 力 里 如 水 化 高 自 二 理 起 小 物 现 实 加 量 都 两 体 \
        制 机 当 使 点 从 业 本 去 把 性 好 应 开 它 合 还 因 由 其 些 然 前 外 天 政 四 日 那 社 义 事 平 形 相 全 表 间 样 与 关 各 重 新 线 内 \
        数 正 心 反 你 明 看 原 又 么 利 比 或 但 质 气 第 向 道 命 此 变 条 只 没 结 解 问 意 建 月 公 无 系",
    middles: "",
    tails: "",
    endings: "",
    words: 12_000,
};
