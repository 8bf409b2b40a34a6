"""A briefing by e-mail: plain text and HTML, headers that nothing can be put into, and no password in the clear."""

from __future__ import annotations

import copy
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sophia_assets.delivery.deliver import deliver
from sophia_assets.delivery.log import DeliveryLog
from sophia_assets.delivery.mail import MailChannel
from sophia_assets.delivery.sending import Patience
from sophia_assets.settings.delivery import MailServer
from sophia_assets_tests.delivery.parts import Json, Waits, mailed
from sophia_assets_tests.sandbox.small_company import Served


def headers(message: Json) -> dict[str, str]:
    return {name.lower(): value for name, value in message["headers"]}


def test_it_comes_as_text_and_as_html_with_its_evidence(
    sandbox: Served, filed: Json, log: DeliveryLog, mail: MailChannel
) -> None:
    assert deliver(filed, [mail], log)[0].status == "sent"
    message = mailed(sandbox)[-1]
    assert message["to"] == ["ada@example.com", "grace@example.com"] and message["from"] == "sophia@example.com"
    assert message["subject"] == "Meridian Software: executive briefing, Friday, 20 March 2026"
    assert headers(message)["content-type"].startswith("multipart/alternative")
    assert headers(message)["auto-submitted"] == "auto-generated"
    assert message["message_id"].endswith("@example.com>")
    flat = " ".join(message["text"].split())
    for section in filed["sections"]:
        for sentence in section["sentences"]:
            assert sentence["text"] in flat
    assert "Evidence" in message["html"] and "hubspot/deals" in message["html"]
    assert max(map(len, message["text"].splitlines())) <= 90


def test_the_html_needs_no_style_sheet_no_script_and_no_address(
    sandbox: Served, filed: Json, log: DeliveryLog, mail: MailChannel
) -> None:
    deliver(filed, [mail], log)
    tags: set[str] = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            assert not {name for name, _ in attrs} & {"src", "href", "class", "onclick"}

    Tags().feed(mailed(sandbox)[-1]["html"])
    assert not tags & {"style", "script", "link", "img", "svg", "details", "a"} and "p" in tags


@pytest.mark.parametrize(
    "attack",
    [
        "x\r\nBcc: all@example.com",
        "x\nSubject: other",
        "=?utf-8?q?x=0ABcc:_a=40b?=",
        "\u2028Bcc: a@b",
        "Ünïcödé 株式会社 😀",
    ],
)
def test_no_header_can_be_put_into_it(
    sandbox: Served, filed: Json, log: DeliveryLog, mail: MailChannel, attack: str
) -> None:
    deliver({**filed, "company": attack}, [mail], log)
    message = mailed(sandbox)[-1]
    assert "bcc" not in headers(message) and len([name for name, _ in message["headers"] if name == "Subject"]) == 1
    assert message["to"] == ["ada@example.com", "grace@example.com"]


def test_what_people_typed_is_text_in_the_html(
    sandbox: Served, filed: Json, log: DeliveryLog, mail: MailChannel
) -> None:
    content: Json = copy.deepcopy(filed)
    content["bottom_line"] = "<script>alert(1)</script><img src=x>"
    content["sections"][0]["sentences"][0]["text"] = "</li></ul><a href='https://evil.example'>x</a>"
    deliver(content, [mail], log)
    html = mailed(sandbox)[-1]["html"]
    assert "<script" not in html and "<img" not in html and "<a " not in html and "&lt;script&gt;" in html


def test_a_wrong_password_is_told_with_what_to_do(filed: Json, log: DeliveryLog, mail: MailChannel) -> None:
    waits = Waits()
    wrong = replace(mail, server=replace(mail.server, password="not-it"))
    outcome = deliver(filed, [wrong], log, wait=waits)[0]
    assert outcome.status == "failed" and waits == []
    assert "refuses the user or the password (535)" in outcome.line and "not-it" not in outcome.line


@contextmanager
def talking(replies: dict[str, str]) -> Iterator[MailServer]:
    """A mail server on loopback that answers each verb as told, and 250 to the others."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                verb = line.strip().split(b" ")[0].decode().upper()
                answer = replies.get(verb, "354 go on" if verb == "DATA" else "250 fine")
                if answer == "hang up":
                    return
                self.wfile.write(f"{answer}\r\n".encode())
                if verb == "QUIT":
                    return
                if verb == "DATA" and answer.startswith("354"):
                    while self.rfile.readline() not in (b".\r\n", b""):
                        continue
                    self.wfile.write(f"{replies.get('.', '250 kept')}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address, daemon_threads = True, True

    with Server(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield MailServer("127.0.0.1", server.server_address[1], is_tls=False)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("replies", "status", "told", "tries"),
    [
        ({}, "sent", "sent", 1),
        ({"RCPT": "550 nobody of that name: secret words"}, "failed", "refuses every address (550)", 1),
        ({"RCPT": "450 later"}, "failed", "refuses every address (450)", 3),
        ({"MAIL": "553 not you"}, "failed", "answers 553", 1),
        ({".": "552 too big"}, "failed", "answers 552", 1),
        ({".": "451 later"}, "failed", "answers 451", 3),
        ({"DATA": "hang up"}, "failed", "not known to have arrived", 3),
        ({"EHLO": "hang up"}, "failed", "not known to have arrived", 3),
    ],
)
def test_what_a_mail_server_says_is_told_by_its_code(
    filed: Json, log: DeliveryLog, mail: MailChannel, replies: dict[str, str], status: str, told: str, tries: int
) -> None:
    waits = Waits()
    with talking(replies) as server:
        outcome = deliver(filed, [replace(mail, server=server)], log, wait=waits, patience=Patience(tries=3))[0]
    assert (outcome.status, len(waits) + 1) == (status, tries)
    assert told in outcome.line and "secret words" not in outcome.line


def test_an_address_that_is_refused_keeps_nobody_else_from_reading(
    filed: Json, log: DeliveryLog, mail: MailChannel
) -> None:
    refusals = iter(["550 no"])

    class Once(dict[str, str]):
        def get(self, verb: str, default: str | None = None) -> str:  # type: ignore[override]
            return next(refusals, "250 fine") if verb == "RCPT" else str(default)

    with talking(Once()) as server:
        outcome = deliver(filed, [replace(mail, server=server)], log)[0]
    assert outcome.status == "sent" and "1 of 2 addresses refused" in outcome.line


def test_nothing_is_sent_to_another_machine_unencrypted(
    filed: Json, log: DeliveryLog, mail: MailChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with talking({}) as server, monkeypatch.context() as patch:
        patch.setattr("sophia_assets.delivery.mail._LOOPBACK", ())
        outcome = deliver(filed, [replace(mail, server=server)], log)[0]
    assert outcome.status == "failed" and "offers no encryption" in outcome.line


def test_a_server_that_speaks_no_tls_is_not_trusted_with_it(filed: Json, log: DeliveryLog, mail: MailChannel) -> None:
    with talking({}) as server:
        outcome = deliver(filed, [replace(mail, server=replace(server, is_tls=True))], log, wait=Waits())[0]
    assert outcome.status == "failed" and "cannot be trusted" in outcome.line
