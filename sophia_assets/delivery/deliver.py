"""Delivering one filed briefing through its channels, each once, and saying of each in one line what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sophia_assets.delivery.log import Claim, DeliveryLog
from sophia_assets.delivery.mail_page import mail_page
from sophia_assets.delivery.message import Message, message_of
from sophia_assets.delivery.sending import Channel, Patience, Refusal, Sent, TryAgain
from sophia_assets.errors import ControlStoreUnavailable
from sophia_assets.insight.kinds import KINDS
from sophia_assets.telemetry.logs import get_logger

_log = get_logger(__name__)
NAMES: Mapping[str, str] = {"slack": "Slack", "email": "E-mail"}
Status = Literal["sent", "updated", "already_sent", "busy", "failed", "uncertain", "off", "no_address"]


@dataclass(frozen=True)
class Outcome:
    """What became of a delivery. `line` says it plainly, with what to do where something is to be done."""

    channel: str
    role: str
    status: Status
    line: str

    @property
    def is_problem(self) -> bool:
        """Whether somebody has to do something."""
        return self.status in ("failed", "uncertain")


def deliver(
    content: Mapping[str, Any],
    channels: Sequence[Channel],
    log: DeliveryLog,
    *,
    patience: Patience | None = None,
    wait: Callable[[float], None] = time.sleep,
    again: bool = False,
) -> list[Outcome]:
    """Delivers a briefing, given as its stored JSON, through `channels`; what goes wrong is told and never raised.

    Raises SophiaError where `content` is no briefing.
    """
    message = message_of(content)
    return [_Delivery(channel, message, content, log, patience or Patience(), wait).done(again) for channel in channels]


@dataclass
class _Delivery:
    channel: Channel
    message: Message
    content: Mapping[str, Any]
    log: DeliveryLog
    patience: Patience
    wait: Callable[[float], None]

    def done(self, again: bool) -> Outcome:
        try:
            claim = self.log.claim(self.channel.name, self.channel.place, self.message, again=again)
        except ControlStoreUnavailable as error:
            return self._outcome("failed", f"not sent, since nobody could say whether it was sent before: {error}")
        if claim.standing == "sent":
            return self._outcome("already_sent", f"this version was sent on {claim.sent_at:%Y-%m-%d at %H:%M} UTC")
        if claim.standing == "busy":
            return self._outcome("busy", "another process is sending it now")
        try:
            sent = self._sent(claim)
        except (TryAgain, Refusal) as error:
            return self._failed(claim, error)
        self.log.sent(claim, sent.receipt, sent.note)
        note = f", but {sent.note}" if sent.note else ""
        if claim.is_update:
            return self._outcome("updated", f"sent as an update of what was sent before{note}")
        return self._outcome("sent", f"sent{note}")

    def _sent(self, claim: Claim) -> Sent:
        """Sends it, after a few tries; where it may have arrived already, the channel is asked for it first."""
        message = self.message.updated() if claim.is_update else self.message
        where = whole(message)
        page, uncertain, pause = mail_page(message, self.content, where), claim.is_uncertain, self.patience.first
        for attempt in range(1, self.patience.tries + 1):
            try:
                if uncertain and self.channel.can_look and (found := self.channel.find(claim.message_key)):
                    return found
                uncertain = False
                return self.channel.send(message, page, where, claim.message_key)
            except TryAgain as error:
                # A look that failed leaves it as uncertain as it was.
                uncertain = uncertain or error.may_have_arrived
                seconds = pause if error.seconds is None else error.seconds
                if attempt == self.patience.tries or seconds > self.patience.longest:
                    error.may_have_arrived = uncertain
                    raise
                self.wait(seconds)
                pause = min(pause * 2, self.patience.longest)
            except Refusal as error:
                if uncertain:
                    raise TryAgain(error.message, error.remedy or "", may_have_arrived=True) from error
                raise
        raise AssertionError("the last try returns or raises")

    def _failed(self, claim: Claim, error: TryAgain | Refusal) -> Outcome:
        uncertain = isinstance(error, TryAgain) and error.may_have_arrived and self.channel.can_look
        self.log.failed(claim, str(error), is_uncertain=uncertain)
        if uncertain:
            told = f"it may have arrived, and is not sent again before that can be looked up: {error}"
            return self._outcome("uncertain", told)
        known = "not known to have arrived" if isinstance(error, TryAgain) and error.may_have_arrived else "not sent"
        return self._outcome("failed", f"{known}: {error}")

    def _outcome(self, status: Status, what: str) -> Outcome:
        outcome = Outcome(
            self.channel.name, self.message.role, status, f"{_named(self.channel.name, self.message)}: {what}"
        )
        if outcome.is_problem:
            _log.error("%s", outcome.line)
        return outcome


def _named(channel: str, message: Message) -> str:
    return f"{NAMES.get(channel, channel)}, {message.title.lower()} of {message.day} for {message.role}"


def whole(message: Message) -> str:
    """Where the whole briefing is, for whoever reads its short form."""
    kind = KINDS[message.kind]
    folder = "/".join(part for part in ("briefings", kind.folder, message.day.isoformat()) if part)
    return (
        f"The whole briefing with its charts and evidence is filed as {folder}; "
        f"`sophia briefing show --date {message.day}` prints it."
    )
