#!/usr/bin/env python3
"""Writes the messages of this directory and expected.json: what Python's email package reads in them.

Run it only to add a case; the tests read the files and need no Python. Nothing here may depend on the day or on chance.
"""
import hashlib, json, pathlib
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

HERE = pathlib.Path(__file__).parent
CRLF = policy.SMTP
cases = {}


def base(subject, **headers):
    message = EmailMessage(policy=CRLF)
    message["From"] = headers.pop("From", "Ann Example <ann@x.example>")
    message["To"] = headers.pop("To", "Bob <bob@y.example>")
    message["Subject"] = subject
    message["Message-ID"] = f"<{len(cases)}@x.example>"
    message["Date"] = "Tue, 01 Jul 2025 10:00:00 +0200"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    return message


def fixed_boundaries(message):
    for number, part in enumerate(p for p in message.walk() if p.is_multipart() and p.get_content_maintype() == "multipart"):
        part.set_boundary(f"=_golden_{number}_=")
    return message


def add(name, message):
    raw = message if isinstance(message, bytes) else fixed_boundaries(message).as_bytes()
    cases[name] = raw


def simple(name, subject, text, **kw):
    message = base(subject)
    message.set_content(text, **kw)
    add(name, message)


simple("ascii", "Plain words", "Hello\nthere\n")
simple("utf8_quoted_printable", "Grüße aus Köln", "Schöne Grüße\naus Köln = 50° N\n", charset="utf-8", cte="quoted-printable")
simple("utf8_base64", "Emoji 😀 and שלום", "😀 emoji and right-to-left שלום עולם\n" * 5, charset="utf-8", cte="base64")
simple("utf8_8bit", "8bit", "ünïcödé\n", charset="utf-8", cte="8bit")
simple("latin1", "Latin", "Où est le café?\n", charset="iso-8859-1", cte="quoted-printable")
simple("windows1251", "Кириллица", "Привет, мир\n", charset="windows-1251", cte="base64")
simple("koi8r", "KOI8", "Привет из Москвы\n", charset="koi8-r", cte="8bit")
simple("iso2022jp", "日本語の件名", "日本語の本文です。\n", charset="iso-2022-jp", cte="7bit")
simple("shift_jis", "SJIS", "日本語のテキスト\n", charset="shift_jis", cte="base64")
simple("gb18030", "中文", "你好，世界\n", charset="gb18030", cte="base64")
simple("big5", "Big5", "繁體中文\n", charset="big5", cte="base64")
simple("euckr", "EUC", "안녕하세요\n", charset="euc-kr", cte="base64")
simple("empty_body", "Nothing", "")
simple("long_lines", "Long", ("word " * 500 + "\n") * 3)

message = base("Alternative")
message.set_content("The text\n")
message.add_alternative("<html><body><p>The <b>HTML</b></p></body></html>\n", subtype="html")
add("alternative", message)

message = base("Inline image")
message.set_content("See the picture\n")
message.add_alternative('<p>See <img src="cid:pic@x"></p>\n', subtype="html")
message.get_payload()[1].add_related(b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "image", "png", cid="<pic@x>", filename="pic.png", disposition="inline")
message.add_attachment(b"%PDF-1.4 " + bytes(range(256)) * 20, maintype="application", subtype="pdf", filename="report.pdf")
add("inline_and_attachment", message)

message = base("Names")
message.set_content("Files\n")
for name in ["plain name.txt", "Übersicht für Juli.pdf", "日本語.bin", "semi;colon \"quoted\".dat", "long " + "n" * 150 + ".bin"]:
    message.add_attachment(name.encode() * 10, maintype="application", subtype="octet-stream", filename=name)
message.add_attachment("text file\n", filename="notes.txt")
add("attachment_names", message)

inner = base("Inner subject")
inner.set_content("Inner text\n")
message = base("Forwarded")
message.set_content("See below\n")
message.add_attachment(inner)
add("attached_message", message)

message = base("Invitation")
message.set_content("Please come\n")
message.add_alternative("<p>Please come</p>\n", subtype="html")
message.add_alternative("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", subtype="calendar", params={"method": "REQUEST"})
add("invitation", message)

message = base(
    "Addresses",
    From='"Example, Ann (Sales)" <ann@x.example>',
    To='=?utf-8?q?J=C3=B6rg?= <j@x.example>, plain@y.example, "Quoted \\"Name\\"" <q@y.example>, Team: a@z.example, B <b@z.example>;',
    Cc="=?iso-8859-1?Q?Andr=E9?= Pirard <pirard@y.example>",
    Reply_To="desk@x.example",
    In_Reply_To="<parent@x.example>",
    References=" ".join(f"<{number}.reference.of.some.length@x.example>" for number in range(30)),
)
message.set_content("Addresses\n")
add("addresses", message)

add("no_mime", b"From: ann@x.example\r\nTo: bob@y.example\r\nSubject: Old\r\nDate: Tue, 1 Jul 2025 08:00:00 GMT\r\n\r\nNo MIME at all\r\n")
add("line_feeds_only", cases["inline_and_attachment"].replace(b"\r\n", b"\n"))
add("no_closing_boundary", cases["alternative"].replace(b"--=_golden_0_=--", b""))
add("folded_subject", b"From: ann@x.example\r\nSubject: =?utf-8?q?one_?=\r\n =?utf-8?q?two_=C3=BC?=\r\n three\r\n\tfour\r\n\r\nx\r\n")
add("rfc2231", b"From: ann@x.example\r\nSubject: 2231\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''%C3%9Cber;\r\n filename*1*=%20sicht;\r\n filename*2=.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n")
add("signed", b"From: ann@x.example\r\nSubject: Signed\r\nContent-Type: multipart/signed; boundary=s; protocol=\"application/pkcs7-signature\"\r\n\r\n--s\r\nContent-Type: text/plain\r\n\r\nsigned words\r\n--s\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\nContent-Disposition: attachment; filename=smime.p7s\r\nContent-Transfer-Encoding: base64\r\n\r\nMAAA\r\n--s--\r\n")


def addresses(message, name):
    return [[a.display_name, a.addr_spec] for field in message.get_all(name, []) for a in field.addresses]


def ids(message, name):
    return [part.strip("<>") for part in str(message.get(name, "")).split()]


def expect(raw):
    message = message_from_bytes(raw, policy=policy.default)
    bodies = [message.get_body((kind,)) for kind in ("plain", "html")]
    leaves = [part for part in message.walk() if not part.is_multipart()]
    inside = {id(p) for part in message.walk() if part.get_content_type() == "message/rfc822" for p in part.walk() if p is not part}
    parts = [p for p in message.walk() if id(p) not in inside and (p in leaves or p.get_content_type() == "message/rfc822")]
    attachments = []
    for part in parts:
        if any(part is body for body in bodies):
            continue
        if part.get_content_type() == "message/rfc822":
            attachments.append({"name": part.get_filename(), "type": "message/rfc822", "subject": str(part.get_payload(0)["subject"])})
            continue
        content = part.get_payload(decode=True)
        attachments.append({"name": part.get_filename(), "type": part.get_content_type(), "size": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    text, html = (body.get_content().replace("\r\n", "\n") if body is not None else None for body in bodies)
    date = message["date"]
    return {
        "subject": str(message["subject"]),
        "from": addresses(message, "from"), "to": addresses(message, "to"), "cc": addresses(message, "cc"),
        "reply_to": addresses(message, "reply-to"),
        "message_id": (ids(message, "message-id") or [None])[0],
        "in_reply_to": (ids(message, "in-reply-to") or [None])[0],
        "references": ids(message, "references"),
        "date": int(parsedate_to_datetime(str(date)).timestamp()) if date else None,
        "text": text, "html": html, "attachments": attachments,
    }


expected = {}
for name, raw in cases.items():
    (HERE / f"{name}.eml").write_bytes(raw)
    expected[name] = expect(raw)
(HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
