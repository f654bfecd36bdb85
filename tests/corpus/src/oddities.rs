//! Mail as the real world damages it, one example each. Written by hand, because what is odd about a message should be plain to
//! read.

/// One odd message.
#[derive(Clone, Debug)]
pub struct Oddity {
    /// What is odd about it, as an identifier.
    pub name: &'static str,
    /// Its source. Unless its line ends are what is odd, they are CRLF.
    pub raw: Vec<u8>,
}

/// The header of those oddities whose header is in order.
const HEAD: &str = "From: Odd Sender <odd@strange.example>\nTo: pat@postroom.example\nDate: Tue, 14 Jan 2025 10:00:00 +0100\n\
    MIME-Version: 1.0\n";

/// All of them, each with its own name and, where it has one, its own Message-ID.
#[must_use]
pub fn oddities() -> Vec<Oddity> {
    let mut all: Vec<Oddity> = TEXTS.iter().map(|(name, text)| odd(name, text)).collect();
    all.extend(raw_octets());
    all.extend(generated());
    all
}

/// A message from its text: the header in order, a Message-ID, then the text, which begins with the rest of the header.
fn odd(name: &'static str, text: &str) -> Oddity {
    let source = format!("{HEAD}Message-ID: <{name}@strange.example>\n{text}");
    Oddity {
        name,
        raw: source.replace('\n', "\r\n").into_bytes(),
    }
}

const TEXTS: [(&str, &str); 17] = [
    (
        "boundary_never_closed",
        "Subject: The boundary never closes\nContent-Type: multipart/mixed; boundary=\"edge\"\n\n--edge\n\
        Content-Type: text/plain\n\nThe only part, and then nothing more.\n",
    ),
    (
        "boundary_missing",
        "Subject: No boundary is named\nContent-Type: multipart/alternative\n\n--edge\nContent-Type: text/plain\n\n\
        Whose boundary is this?\n--edge--\n",
    ),
    (
        "parts_none",
        "Subject: A multipart without parts\nContent-Type: multipart/mixed; boundary=\"edge\"\n\n--edge--\n",
    ),
    ("empty_body", "Subject: Nothing to say\n\n"),
    (
        "nested_messages",
        "Subject: Fwd: Fwd: a message in a message in a message\nContent-Type: message/rfc822\n\n\
        From: second@strange.example\nSubject: Fwd: inner\nMessage-ID: <second@strange.example>\nContent-Type: message/rfc822\n\n\
        From: third@strange.example\nSubject: inner\nMessage-ID: <third@strange.example>\n\nThe kernel.\n",
    ),
    (
        "calendar_invitation",
        "Subject: Invitation: yearly review\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\n\n\
        BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:review-1@strange.example\nDTSTAMP:20250114T090000Z\n\
        DTSTART:20250120T090000Z\nDTEND:20250120T100000Z\nORGANIZER:mailto:odd@strange.example\nSUMMARY:Yearly review\n\
        END:VEVENT\nEND:VCALENDAR\n",
    ),
    (
        "delivery_status",
        "Subject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\nContent-Type: multipart/report; \
        report-type=delivery-status;\n boundary=\"edge\"\n\n--edge\n\nYour message could not be delivered to nobody@strange.example.\n\
        --edge\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.strange.example\n\n\
        Final-Recipient: rfc822; nobody@strange.example\nAction: failed\nStatus: 5.1.1\n\
        Diagnostic-Code: smtp; 550 5.1.1 User unknown\n\n--edge\nContent-Type: message/rfc822-headers\n\n\
        From: pat@postroom.example\nTo: nobody@strange.example\nSubject: Offer\nMessage-ID: <offer-1@postroom.example>\n\n--edge--\n",
    ),
    (
        "automatic_reply",
        "Subject: Out of office\nAuto-Submitted: auto-replied\nIn-Reply-To: <offer-1@postroom.example>\n\n\
        I am away until Monday.\n",
    ),
    (
        "emoji_subject",
        "Subject: =?UTF-8?B?8J+agCDwn5GN8J+PvSDwn4ej8J+HtyBsYXVuY2gg8J+Rqe+4j+KAjfCfkrs=?=\n\
        Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n8J+agPCfkY3wn4+9Cg==\n",
    ),
    (
        "encoded_words_broken",
        "Subject: =?utf-8?B?SGFsZiBhIHdvc?= =?no-such-charset?Q?a=ZZb?= =?utf-8?Q?open\n\nBroken words above.\n",
    ),
    (
        "charset_unknown",
        "Subject: A charset nobody knows\nContent-Type: text/plain; charset=x-klingon\n\nPlain enough to read.\n",
    ),
    (
        "base64_damaged",
        "Subject: Damaged base64\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\n\
        VGhpcyB0ZXh0*IGJyZWFrcyBvZmY=\n!!!! and is then followed by words\n",
    ),
    (
        "file_name_climbs",
        "Subject: A file name that climbs\nContent-Type: application/octet-stream\n\
        Content-Disposition: attachment; filename=\"../../../etc/cron.d/evil\"\nContent-Transfer-Encoding: base64\n\nZXZpbA==\n",
    ),
    (
        "sender_in_disguise",
        "Sender: =?utf-8?Q?boss=40postroom.example=00=0A?= <odd@strange.example>\nSubject: Urgent transfer\n\n\
        The name before the address holds a NUL and a line end.\n",
    ),
    (
        "script_in_html",
        "Subject: <script>alert(1)</script>\nContent-Type: text/html; charset=utf-8\n\n\
        <p onclick=\"alert(1)\">Click</p><script>alert(2)</script><img src=x onerror=alert(3)>\
        <a href=\"javascript:alert(4)\">link</a><img src=\"https://track.strange.example/open.gif\">\n",
    ),
    (
        "fields_doubled",
        "Subject: First subject\nSubject: Second subject\nFrom: other@strange.example\n\
        Date: yesterday, about noon\n\nTwo of everything.\n",
    ),
    (
        "references_circular",
        "Subject: Re: Myself\nIn-Reply-To: <references_circular@strange.example>\n\
        References: <references_circular@strange.example> not-an-id <> <<two>>\n\nI answer myself.\n",
    ),
];

/// Those that are not text.
fn raw_octets() -> [Oddity; 4] {
    let crlf = |text: &str| text.replace('\n', "\r\n").into_bytes();
    [
        Oddity {
            name: "header_raw_latin1",
            raw: [
                crlf("From: J"),
                b"\xfcrgen M\xfcller <juergen@strange.example>\r\nSubject: Gr\xfc\xdfe aus K\xf6ln\r\n".to_vec(),
                crlf("Message-ID: <header_raw_latin1@strange.example>\nDate: Tue, 14 Jan 2025 10:00:00 +0100\n\nPlain body.\n"),
            ]
            .concat(),
        },
        Oddity {
            name: "charset_wrong",
            raw: [
                crlf(HEAD),
                crlf("Message-ID: <charset_wrong@strange.example>\nSubject: Says ASCII, is not\nContent-Type: text/plain; charset=us-ascii\n\n"),
                b"caf\xe9 \xe2\x82\xac \xff\xfe\r\n".to_vec(),
            ]
            .concat(),
        },
        Oddity { name: "line_ends_bare", raw: format!("{HEAD}Message-ID: <line_ends_bare@strange.example>\nSubject: Bare line feeds\n\nOne\nTwo\rThree\n").into_bytes() },
        Oddity { name: "header_missing", raw: b"\r\nThere is no header at all, only this.\r\n".to_vec() },
    ]
}

/// Those whose oddity is a size, and the one that lacks what [`odd`] always gives.
fn generated() -> [Oddity; 3] {
    let long = format!(
        "Subject: A line of 5,000 characters\n\n{}\nand a short one\n",
        "long ".repeat(1_000)
    );
    let deep: String = (0..60)
        .map(|depth| format!("Content-Type: multipart/mixed; boundary=\"b{depth}\"\n\n--b{depth}\n"))
        .chain(["Content-Type: text/plain\n\nAt the bottom.\n".to_owned()])
        .collect();
    let nameless = format!("{HEAD}Subject: No Message-ID\n\nNobody can answer this by reference.\n");
    [
        odd("line_too_long", &long),
        odd("parts_deep", &format!("Subject: Sixty levels deep\n{deep}")),
        Oddity {
            name: "message_id_missing",
            raw: nameless.replace('\n', "\r\n").into_bytes(),
        },
    ]
}
