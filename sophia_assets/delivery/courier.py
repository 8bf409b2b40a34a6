"""Takes a home's filed briefings to their readers: by the channels that flags switch on, to a role's own places."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from sophia_assets.control.flag_names import EMAIL_DELIVERY, SLACK_DELIVERY
from sophia_assets.delivery.deliver import NAMES, Outcome, deliver
from sophia_assets.delivery.log import DeliveryLog
from sophia_assets.delivery.mail import MailChannel
from sophia_assets.delivery.sending import Channel, Patience
from sophia_assets.delivery.slack import SlackChannel
from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.insight.kinds import DAILY, BriefingKind
from sophia_assets.settings.delivery import PREFIX, SMTP_EXAMPLE, SMTP_URL, mail_server
from sophia_assets.telemetry.labels import NO_CHANNEL
from sophia_assets.telemetry.series import DELIVERIES

if TYPE_CHECKING:
    from sophia_assets.services import Services

FLAGS: Mapping[str, str] = {"slack": SLACK_DELIVERY, "email": EMAIL_DELIVERY}
#: Who mail of the sandbox comes from where nobody has said.
_SANDBOX_SENDER = "sophia@sandbox.invalid"
#: A briefing may come so many days later than it is due and is news still: a long weekend.
_LATE_DAYS = 3


class Courier:
    """Delivers the briefings of one home."""

    def __init__(
        self, services: Services, *, patience: Patience | None = None, wait: Callable[[float], None] = time.sleep
    ) -> None:
        self._services, self._patience, self._wait = services, patience, wait

    def deliver(
        self, day: date, kind: BriefingKind = DAILY, role: str | None = None, *, again: bool = False
    ) -> list[Outcome]:
        """Delivers the editions of a day's briefing, or one role's; an outcome for each channel and edition.

        What goes wrong is told there, and never raised but for BriefingMissing where there is none.
        """
        archive = self._services.archive
        last = kind.last_day(day)
        roles = archive.editions(last, kind) if role is None else [role]
        if role is not None or not roles:
            archive.day_of(last, kind, *([role] if role else []))  # raises where there is none
        outcomes = []
        off = [name for name, flag in FLAGS.items() if not self._services.flags.is_on(flag)]
        for name in off:
            line = f"Nothing delivered by {NAMES[name]}: the flag {FLAGS[name]} is off"
            outcomes.append(Outcome(name, role or "", "off", line))
        log = DeliveryLog(self._services.control, vault=self._services.vault)
        for each in roles:
            try:
                content = archive.read(last, kind, each)
                found = list(self._channels(each, off))
                outcomes += [item for item in found if isinstance(item, Outcome)]
                channels = [item for item in found if not isinstance(item, Outcome)]
                outcomes += deliver(content, channels, log, patience=self._patience, wait=self._wait, again=again)
            except (SophiaError, ValueError) as error:
                outcomes.append(Outcome("", each, "failed", f"The edition for {each} was not delivered: {error}"))
        self._services.recorder.record(
            *(DELIVERIES.add(channel=each.channel or NO_CHANNEL, outcome=each.status) for each in outcomes)
        )
        return outcomes

    def why_not_by_itself(self, day: date, kind: BriefingKind = DAILY) -> str:
        """Why a briefing that was just written is not delivered unasked, empty where it is.

        A past one that is written anew, as a backfill does, would be news to nobody.
        """
        days = self._services.archive.days(kind)
        today = datetime.now(self._services.settings.tzinfo).date()
        if days and days[-1] == day and (today - day).days <= kind.days + _LATE_DAYS:
            return ""
        weekly = " --weekly" if kind.folder else ""
        return (
            f"Nothing delivered: {day} is past. `sophia briefing deliver --date {day}{weekly}` delivers it all the same"
        )

    def channels(self, role: str) -> list[Channel | Outcome]:
        """A role's channels that the flags switch on; an Outcome for one that its settings do not allow."""
        off = [name for name, flag in FLAGS.items() if not self._services.flags.is_on(flag)]
        return list(self._channels(role, off))

    def _channels(self, role: str, off: list[str]) -> Iterator[Channel | Outcome]:
        made: Mapping[str, Callable[[str], Channel | None]] = {"slack": self._slack, "email": self._email}
        for name, make in made.items():
            if name in off:
                continue
            try:
                channel = make(role)
            except SophiaError as error:
                yield Outcome(name, role, "failed", f"{NAMES[name]}, the edition for {role}: not sent: {error}")
                continue
            setting = {"slack": "SLACK_CHANNEL", "email": "EMAIL_TO"}[name]
            line = f"{NAMES[name]}: no place is set for {role} ({PREFIX}{role.upper()}_{setting})"
            yield channel or Outcome(name, role, "no_address", line)

    def _slack(self, role: str) -> Channel | None:
        channel = self._services.settings.delivery.slack_channels.get(role)
        if channel is None:
            return None
        found = self._services.connections.settings_of("slack")
        token, address = found.get("SLACK_BOT_TOKEN", ""), found.get("SLACK_BASE_URL") or "https://slack.com/api/"
        if not token:
            raise ConfigurationError(
                "SLACK_BOT_TOKEN is not set", remedy="Set it to the token of an app with chat:write"
            )
        return SlackChannel(channel, address, token)

    def _email(self, role: str) -> Channel | None:
        settings = self._services.settings.delivery
        recipients = settings.email_to.get(role)
        if not recipients:
            return None
        sandboxed = (self._services.connections.sandbox_env or {}).get(SMTP_URL, "")
        url = settings.smtp_url or sandboxed
        if not url:
            raise ConfigurationError(f"{SMTP_URL} is not set", remedy=f"Write it as {SMTP_EXAMPLE}")
        sender = settings.email_from or (_SANDBOX_SENDER if url == sandboxed else "")
        if not sender:
            raise ConfigurationError(
                f"{PREFIX}EMAIL_FROM is not set", remedy="Set it to the address that mail comes from"
            )
        return MailChannel(mail_server(url), sender, recipients)
