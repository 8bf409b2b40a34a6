"""Where briefings go is a setting per role, checked before anything is sent."""

from __future__ import annotations

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings.delivery import MailServer, mail_server, read_delivery


def test_nothing_set_is_nowhere_to_go() -> None:
    found = read_delivery({"SOPHIA_DELIVERY_SLACK_CHANNEL": "", "OTHER": "x"})
    assert (found.slack_channels, found.email_to, found.email_from, found.smtp_url) == ({}, {}, "", "")


def test_what_names_no_role_is_the_executives_and_nobody_elses() -> None:
    found = read_delivery(
        {
            "SOPHIA_DELIVERY_SLACK_CHANNEL": "#leaders",
            "SOPHIA_DELIVERY_EMAIL_TO": "ada@example.com, grace@example.com,ada@example.com",
            "SOPHIA_DELIVERY_SALES_LEADER_EMAIL_TO": "sam@example.com",
        }
    )
    assert found.slack_channels == {"executive": "#leaders"}
    assert found.email_to == {
        "executive": ("ada@example.com", "grace@example.com"),
        "sales_leader": ("sam@example.com",),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_CHANNEL", "general"),
        ("SLACK_CHANNEL", "#Gen eral"),
        ("EMAIL_TO", "ada"),
        ("EMAIL_TO", "ada@example.com\nBcc: all@example.com"),
        ("EMAIL_TO", "Ada <ada@example.com>"),
        ("EMAIL_TO", "a@b, ,c@@d"),
        ("EMAIL_FROM", "a..b@example.com"),
        ("INTERN_EMAIL_TO", "ada@example.com"),
        ("SMTP_URL", "http://mail.example.com"),
        ("SMTP_URL", "smtp://"),
        ("SMTP_URL", "smtp://user:secret@mail.example.com:port"),
        ("SMTP_URL", "smtp://user:secret@mail.example.com/path"),
    ],
)
def test_what_is_wrong_is_named_in_one_line_without_a_secret(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SOPHIA_DELIVERY_{name}") as refused:
        read_delivery({f"SOPHIA_DELIVERY_{name}": value})
    assert "secret" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", MailServer("mail.example.com", 587, False)),
        ("smtps://mail.example.com", MailServer("mail.example.com", 465, True)),
        ("smtp://u%40x:p%2Fw@mail.example.com:25", MailServer("mail.example.com", 25, False, "u@x", "p/w")),
        ("smtps://[::1]:1465", MailServer("::1", 1465, True)),
    ],
)
def test_a_mail_server_is_one_address(url: str, server: MailServer) -> None:
    assert mail_server(url) == server
    assert "p/w" not in repr(mail_server(url))
