"""A briefing as an e-mail: plain text and HTML with its style inside each element, sent through one mail server."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from textwrap import wrap

from sophia_assets.delivery.message import Message
from sophia_assets.delivery.sending import Refusal, Sent, TryAgain
from sophia_assets.settings.delivery import SMTP_URL, MailServer

CHANNEL = "email"
_SECONDS = 20.0
_WIDTH = 76
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def plain_text(message: Message, whole: str) -> str:
    """The briefing as lines that any mail program shows."""
    lines = [message.subject, "", *_wrapped(message.bottom_line), ""]
    if message.since:
        lines += [message.since_title, "", *_listed(message.since), ""]
    for part in message.parts:
        lines += [part.title, "-" * len(part.title), *_listed(part.sentences), ""]
    lines += _wrapped(f"Confidence: {message.confidence}. {message.reason}")
    if message.unanswered:
        lines += _wrapped(f"Not answered: {', '.join(message.unanswered)}.")
    lines += _wrapped(message.disclaimer)
    return "\n".join([*lines, "", *_wrapped(whole)]) + "\n"


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    return wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _listed(texts: tuple[str, ...]) -> list[str]:
    return [line for text in texts for line in _wrapped(text, "- ", "  ")]


def email_of(
    message: Message, html: str, whole: str, sender: str, recipients: tuple[str, ...], key: str
) -> EmailMessage:
    """The message with its headers; `key` makes the id by which mail servers know a second copy."""
    mail = EmailMessage(policy=policy.SMTP)
    # Broken up, what begins an encoded word is not decoded by whoever reads it.
    mail["Subject"] = message.subject.replace("=?", "= ?")
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(plain_text(message, whole))
    mail.add_alternative(html, subtype="html")
    return mail


@dataclass(frozen=True)
class MailChannel:
    """Sends to a role's addresses through a mail server.

    Nobody can ask a mailbox what arrived. Whether a message was taken is known but for the moment between its last
    byte and the server's answer; after a stop just there it is sent again, under the same Message-ID, by which most
    mail systems drop the second copy: a briefing that never came is worse than one that came twice.
    """

    server: MailServer
    sender: str
    recipients: tuple[str, ...]
    context: ssl.SSLContext | None = None
    name: str = CHANNEL
    can_look: bool = False

    @property
    def place(self) -> str:
        return ",".join(sorted(self.recipients))

    def look(self) -> str:
        """Connects and logs in, and sends nothing; a line about it. Raises TryAgain, Refusal."""
        with self._explained(), self._connected():
            return f"the mail server {self.server.host} answers{' and takes the login' if self.server.user else ''}"

    def find(self, key: str) -> Sent | None:
        """A mailbox cannot be asked."""
        return None

    def send(self, message: Message, html: str, whole: str, key: str) -> Sent:
        """Sends once. Raises TryAgain where it may work a little later, Refusal where it will not."""
        mail = email_of(message, html, whole, self.sender, self.recipients, key)
        with self._explained(), self._connected() as connection:
            refused = connection.send_message(mail, self.sender, list(self.recipients))
        note = f"{len(refused)} of {len(self.recipients)} addresses refused" if refused else ""
        return Sent(str(mail["Message-ID"]), note)

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server, context = self.server, self.context or ssl.create_default_context()
        connection: smtplib.SMTP
        if server.is_tls:
            connection = smtplib.SMTP_SSL(server.host, server.port, timeout=_SECONDS, context=context)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=_SECONDS)
        try:
            connection.ehlo()
            if not server.is_tls and connection.has_extn("starttls"):
                connection.starttls(context=context)
                connection.ehlo()
            elif not server.is_tls and server.host not in _LOOPBACK:
                raise Refusal(
                    "the mail server offers no encryption, so neither the password nor the briefing is sent to it",
                    f"Use a server that does, and set {SMTP_URL} to it",
                )
            if server.user:
                connection.login(server.user, server.password)
            yield connection
        finally:
            # How it says good-bye changes nothing of what it has taken.
            with suppress(smtplib.SMTPException, OSError):
                connection.quit()
            connection.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Says in one line what went wrong; what the server says is not repeated but for its code."""
        try:
            yield
        except smtplib.SMTPAuthenticationError as error:
            raise Refusal(
                f"the mail server refuses the user or the password ({error.smtp_code})", f"Check {SMTP_URL}"
            ) from error
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            told = f"the mail server refuses every address ({', '.join(map(str, codes))})"
            if max(codes) < 500:
                raise TryAgain(told, "Deliver again later") from error
            raise Refusal(told, "Check SOPHIA_DELIVERY_EMAIL_TO, and that the server may send there") from error
        except smtplib.SMTPNotSupportedError as error:
            raise Refusal("the mail server takes no user and password", f"Leave them out of {SMTP_URL}") from error
        except smtplib.SMTPResponseException as error:
            told = f"the mail server answers {error.smtp_code}"
            if error.smtp_code < 500:
                raise TryAgain(told, "Deliver again later") from error
            remedy = "Check SOPHIA_DELIVERY_EMAIL_FROM, and the server's own log"
            raise Refusal(told, remedy) from error
        except ssl.SSLError as error:
            remedy = (
                f"Check the server's certificate and the host in {SMTP_URL}; smtps:// is for TLS from the first byte"
            )
            raise Refusal(f"the mail server cannot be trusted ({type(error).__name__})", remedy) from error
        except (smtplib.SMTPException, OSError) as error:
            told = "the mail server did not answer in time" if isinstance(error, TimeoutError) else (
                f"the mail server cannot be reached ({type(error).__name__})"
            )  # fmt: skip
            remedy = f"Check {SMTP_URL}, and that the server runs"
            raise TryAgain(told, remedy, may_have_arrived=not isinstance(error, ConnectionRefusedError)) from error
