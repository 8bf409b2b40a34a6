"""A briefing reaches its readers once, a changed one as an update, and what goes wrong is told and breaks nothing."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets.delivery.deliver import deliver
from sophia_assets.delivery.log import LEASE, DeliveryLog
from sophia_assets.delivery.mail import MailChannel
from sophia_assets.delivery.message import message_of
from sophia_assets.delivery.sending import Channel, Patience
from sophia_assets.delivery.slack import SlackChannel
from sophia_assets.errors import SophiaError
from sophia_assets_tests.delivery.parts import Json, Waits, mailed, posted
from sophia_assets_tests.sandbox.small_company import Served


def changed(filed: Json) -> Json:
    """The briefing with another reason for its confidence."""
    other = copy.deepcopy(filed)
    other["confidence"]["reason"] = f"Another reason, given at {datetime.now(UTC).isoformat()}."
    return other


def test_each_version_goes_to_each_place_once(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel, mail: MailChannel
) -> None:
    before = len(posted(sandbox)), len(mailed(sandbox))
    statuses = [outcome.status for _ in range(3) for outcome in deliver(filed, [slack, mail], log)]
    assert statuses == ["sent", "sent", *["already_sent"] * 4]
    assert (len(posted(sandbox)), len(mailed(sandbox))) == (before[0] + 1, before[1] + 1)


def test_when_it_was_written_and_loaded_is_no_new_version(filed: Json, log: DeliveryLog, slack: SlackChannel) -> None:
    assert deliver(filed, [slack], log)[0].status == "sent"
    again = copy.deepcopy(filed)
    again["generated_at"] = datetime.now(UTC).isoformat()
    for entry in again["freshness"]:
        entry["last_loaded_at"] = datetime.now(UTC).isoformat()
    assert deliver(again, [slack], log)[0].status == "already_sent"


def test_a_changed_briefing_is_sent_as_an_update_and_what_holds_once_more_too(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel, mail: MailChannel
) -> None:
    other = changed(filed)
    statuses = [deliver(content, [slack, mail], log)[0].status for content in (filed, other, other, filed, filed)]
    assert statuses == ["sent", "updated", "already_sent", "updated", "already_sent"]
    assert ["(updated)" in message["subject"] for message in mailed(sandbox)[-3:]] == [False, True, True]
    assert len({message["message_id"] for message in mailed(sandbox)[-3:]}) == 3
    assert posted(sandbox)[-1]["blocks"][0]["text"]["text"].endswith("(updated)")


def test_another_day_role_or_place_is_another_delivery(filed: Json, log: DeliveryLog, slack: SlackChannel) -> None:
    deliver(filed, [slack], log)
    for change in ({"date": "2026-03-19"}, {"role": "analyst"}, {"kind": "weekly_business_review"}):
        assert deliver({**filed, **change}, [slack], log)[0].status == "sent"
    assert deliver(filed, [replace(slack, channel="#general")], log)[0].status == "sent"


def test_it_is_sent_again_where_that_is_asked_for(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    deliver(filed, [slack], log)
    count = len(posted(sandbox))
    assert deliver(filed, [slack], log, again=True)[0].status == "updated"
    assert len(posted(sandbox)) == count + 1


def test_of_many_at_once_one_sends(sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel) -> None:
    count = len(posted(sandbox))
    with ThreadPoolExecutor(8) as pool:
        outcomes = [each[0].status for each in pool.map(lambda _: deliver(filed, [slack], log), range(16))]
    assert outcomes.count("sent") == 1 and set(outcomes) <= {"sent", "busy", "already_sent"}
    assert len(posted(sandbox)) == count + 1


class Killed(BaseException):
    """Ends the process as it stands."""


class KilledLog(DeliveryLog):
    """Its process ends between sending and recording."""

    def sent(self, *_: object) -> None:
        raise Killed


def killed_after_sending(filed: Json, log: DeliveryLog, channel: Channel) -> None:
    with pytest.raises(Killed):
        deliver(filed, [channel], KilledLog(log._store, log._clock))


def later(log: DeliveryLog) -> DeliveryLog:
    """The same log when the killed sender is taken to be lost."""
    return DeliveryLog(log._store, lambda: datetime.now(UTC) + LEASE + timedelta(seconds=1))


def test_after_a_kill_slack_is_asked_first_and_nothing_is_posted_twice(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    named = replace(slack, channel="#general")
    for channel in (slack, named):
        killed_after_sending(filed, log, channel)
        count = len(posted(sandbox))
        assert deliver(filed, [channel], log)[0].status == "busy"
        assert deliver(filed, [channel], later(log))[0].status == "sent"
        assert deliver(filed, [channel], log)[0].status == "already_sent"
        assert len(posted(sandbox)) == count


def test_after_a_kill_mail_is_sent_again_under_the_same_id(
    sandbox: Served, filed: Json, log: DeliveryLog, mail: MailChannel
) -> None:
    killed_after_sending(filed, log, mail)
    assert deliver(filed, [mail], later(log))[0].status == "sent"
    first, second = mailed(sandbox)[-2:]
    assert first["message_id"] == second["message_id"] != ""


def test_a_sender_whose_process_has_ended_is_not_waited_for(
    filed: Json, log: DeliveryLog, slack: SlackChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = os.spawnlp(os.P_WAIT, "true", "true")
    assert ended == 0
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: child)
        killed_after_sending(filed, log, slack)
    assert deliver(filed, [slack], log)[0].status == "sent"


def test_where_slack_cannot_be_asked_it_is_not_posted_again_either(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    killed_after_sending(filed, log, slack)
    count = len(posted(sandbox))
    sandbox.app.faults.add("slack:missing_scope")
    outcome = deliver(filed, [slack], later(log), wait=Waits())[0]
    assert outcome.status == "uncertain" and "missing_scope" in outcome.line
    sandbox.app.faults.clear()
    assert deliver(filed, [slack], log)[0].status == "sent"
    assert len(posted(sandbox)) == count


def test_an_answer_that_got_lost_is_looked_up_before_anything_is_posted_again(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    count, waits = len(posted(sandbox)), Waits()
    sandbox.app.faults.add("slack:truncate")

    def heal(seconds: float) -> None:
        waits(seconds)
        sandbox.app.faults.clear()

    assert deliver(filed, [slack], log, wait=heal)[0].status == "sent"
    assert len(posted(sandbox)) == count + 1 and len(waits) == 1


def test_slack_that_is_down_is_asked_a_few_times_and_then_told_once(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel, mail: MailChannel
) -> None:
    sandbox.app.faults.add("slack:errors:1")
    waits = Waits()
    outcomes = deliver(filed, [slack, mail], log, wait=waits)
    assert [outcome.status for outcome in outcomes] == ["uncertain", "sent"]
    assert waits == [1.0, 2.0, 4.0] and "\n" not in outcomes[0].line
    sandbox.app.faults.clear()
    assert deliver(filed, [slack], log)[0].status == "sent"


def test_a_limit_is_waited_for_where_it_is_short(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    sandbox.app.faults.add("slack:rate_limit:1")

    def heal(seconds: float) -> None:
        waits(seconds)
        sandbox.app.faults.clear()

    waits = Waits()
    assert deliver(filed, [slack], log, wait=heal)[0].status == "sent"
    assert waits == [1.0]


def test_a_long_limit_is_told_and_not_slept_through(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    sandbox.app.faults.add("slack:rate_limit:300")
    waits = Waits()
    outcome = deliver(filed, [slack], log, wait=waits)[0]
    assert (outcome.status, list(waits)) == ("failed", [])
    assert "ratelimited" in outcome.line and "wait 300 s" in outcome.line


@pytest.mark.parametrize(
    ("broken", "code", "what_to_do"),
    [
        (lambda slack: replace(slack, channel="C2THELOBBY"), "not_in_channel", "/invite"),
        (lambda slack: replace(slack, channel="C9NOWHERE"), "channel_not_found", "Check the channel's id"),
        (lambda slack: replace(slack, channel="C3OLDROOMS"), "is_archived", "Unarchive"),
        (lambda slack: replace(slack, token="xoxb-wrong"), "invalid_auth", "SLACK_BOT_TOKEN"),
    ],
)
def test_what_slack_refuses_is_told_with_what_to_do_and_not_asked_again(
    filed: Json,
    log: DeliveryLog,
    slack: SlackChannel,
    broken: Callable[[SlackChannel], SlackChannel],
    code: str,
    what_to_do: str,
) -> None:
    waits = Waits()
    outcome = deliver(filed, [broken(slack)], log, wait=waits)[0]
    assert outcome.status == "failed" and waits == []
    assert f"Slack: {code}" in outcome.line and what_to_do in outcome.line and "xoxb" not in outcome.line


def test_a_failed_delivery_is_tried_anew_the_next_time(
    sandbox: Served, filed: Json, log: DeliveryLog, slack: SlackChannel
) -> None:
    sandbox.app.faults.add("slack:auth")
    assert deliver(filed, [slack], log)[0].status == "failed"
    sandbox.app.faults.clear()
    assert deliver(filed, [slack], log)[0].status == "sent"


def test_an_address_where_nobody_listens_is_told(filed: Json, log: DeliveryLog, mail: MailChannel) -> None:
    nobody = replace(mail, server=replace(mail.server, port=1, password="secret"))
    waits = Waits()
    outcome = deliver(filed, [nobody], log, wait=waits, patience=Patience(tries=2))[0]
    assert outcome.status == "failed" and "cannot be reached" in outcome.line and "secret" not in outcome.line
    assert waits == [1.0]


def test_without_the_control_store_nothing_is_sent(
    sandbox: Served, filed: Json, slack: SlackChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(posted(sandbox))
    away = DeliveryLog(ControlStore("postgresql://nobody:secret@127.0.0.1:1/none", wait_seconds=0.2))
    outcome = deliver(filed, [slack], away)[0]
    assert outcome.status == "failed" and "whether it was sent before" in outcome.line and "secret" not in outcome.line
    assert len(posted(sandbox)) == count


@pytest.mark.parametrize("broken", [{}, {"date": "soon"}, {"kind": "novel"}, {"sections": None}, {"bottom_line": 7}])
def test_what_is_no_briefing_is_refused_in_one_line(filed: Json, log: DeliveryLog, broken: Json) -> None:
    with pytest.raises(SophiaError, match="cannot be read"):
        deliver({**filed, **broken} if broken else {}, [], log)


def test_no_stored_text_begins_a_line_of_its_own(filed: Json) -> None:
    content = {**filed, "company": "Evil\r\nBcc: all@example.com\x00", "bottom_line": "One.\n\n# Two"}
    message = message_of(content)
    assert message.company == "Evil Bcc: all@example.com" and message.bottom_line == "One. # Two"
