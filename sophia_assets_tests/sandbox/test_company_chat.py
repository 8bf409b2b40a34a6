"""The simulated company's Slack: who is in it, how much is said, and that it echoes what happens elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from math import ceil
from zoneinfo import ZoneInfo

import pytest

from sophia_assets.sandbox.company_data import SlackChannel, SlackMessage
from sophia_assets_tests.sandbox.simulated_company import EARLIER_DAYS, LAST, ZONE, Simulated, cutoff, simulated

pytestmark = [pytest.mark.long, pytest.mark.takes(25)]


def channel(found: Simulated, name: str) -> SlackChannel:
    return next(channel for channel in found.slack.channels if channel.name == name)


def moment(ts: str) -> datetime:
    return datetime.fromtimestamp(float(ts), UTC)


def is_reply(message: SlackMessage) -> bool:
    return message.thread_ts not in (None, message.ts)


@pytest.mark.parametrize("earlier", EARLIER_DAYS)
def test_an_earlier_day_shows_exactly_what_had_been_said_by_then(earlier: date) -> None:
    then, now, end = simulated(as_of=earlier), simulated(), cutoff(earlier)
    assert [c.id for c in then.slack.channels] == [c.id for c in now.slack.channels]
    for old, new in zip(then.slack.channels, now.slack.channels, strict=True):
        said = [message for message in new.messages if moment(message.ts) < end]
        answered = {message.thread_ts for message in said if is_reply(message)}
        assert [message.ts for message in old.messages] == [message.ts for message in said]
        for before, after in zip(old.messages, said, strict=True):
            thread = after.thread_ts if is_reply(after) or after.ts in answered else None
            assert (before.user_id, before.thread_ts, before.reactions) == (after.user_id, thread, after.reactions)
            if after.edited_ts is None or moment(after.edited_ts) < end:
                assert (before.text, before.edited_ts) == (after.text, after.edited_ts)
            else:
                assert after.text.startswith(before.text)


@pytest.mark.parametrize("earlier", EARLIER_DAYS)
def test_an_earlier_day_shows_who_was_in_the_workspace_then(earlier: date) -> None:
    then, now = simulated(as_of=earlier).slack.users, {user.id: user for user in simulated().slack.users}
    for user in then:
        assert user == now[user.id] or (not user.is_deleted and now[user.id].updated >= cutoff(earlier))
    assert {user.id for user in now.values() if user.updated < cutoff(earlier)} <= {user.id for user in then}


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_a_first_load_stays_within_its_budget_of_requests(seed: int) -> None:
    readable = [channel for channel in simulated(seed).slack.channels if channel.is_member]
    pages = threads = messages = 0
    for found in readable:
        pages += max(1, ceil(sum(not is_reply(message) for message in found.messages) / 200))
        replies = Counter(message.thread_ts for message in found.messages if is_reply(message))
        threads, messages = threads + len(replies), messages + len(found.messages)
        assert max(replies.values(), default=0) < 200
    assert 4_200 <= messages <= 5_500
    assert pages <= 35 and 15 <= threads <= 35


@pytest.mark.parametrize(("scale", "least", "most"), [(0.2, 0.1, 0.4), (3.0, 2.2, 3.6)])
def test_what_is_said_scales_with_the_company(scale: float, least: float, most: float) -> None:
    day = date(2024, 12, 1)
    sizes = [sum(len(c.messages) for c in simulated(5, day, s).slack.channels) for s in (1.0, scale)]
    assert least < sizes[1] / sizes[0] < most


def test_the_workspace_has_the_kinds_of_channels_and_people_a_real_one_has() -> None:
    slack = simulated().slack
    assert [c.name for c in slack.channels if c.is_private] == ["leadership"]
    assert [c.name for c in slack.channels if c.is_archived] == ["proj-new-console"]
    assert [c.name for c in slack.channels if not c.is_member] == ["people-team"]
    assert 40 <= len(slack.users) <= 50
    assert sum(user.is_bot for user in slack.users) == 2
    assert sum(user.is_deleted for user in slack.users) >= 1


def test_nothing_is_said_in_a_channel_after_it_is_archived() -> None:
    closed = channel(simulated(), "proj-new-console")
    assert closed.messages and moment(closed.messages[-1].ts) < closed.updated


def test_every_seller_of_the_crm_is_in_the_workspace_under_the_same_address() -> None:
    found = simulated()
    people = {user.email: user for user in found.slack.users}
    for owner in found.hubspot.owners:
        assert people[owner.email].real_name == f"{owner.first_name} {owner.last_name}"
        assert people[owner.email].is_deleted == owner.archived
    assert {user.email for user in found.gong.users} <= set(people)


def test_a_ts_is_unique_and_ascends_within_its_channel() -> None:
    for found in simulated().slack.channels:
        assert all(float(a.ts) < float(b.ts) for a, b in pairwise(found.messages))
        assert all(re.fullmatch(r"\d{10}\.\d{6}", message.ts) for message in found.messages)
        assert len({message.ts for message in found.messages}) == len(found.messages)


def test_every_reply_follows_a_message_that_started_its_thread() -> None:
    late = 0
    for found in simulated().slack.channels:
        by_ts = {message.ts: message for message in found.messages}
        for reply in filter(is_reply, found.messages):
            parent = by_ts[str(reply.thread_ts)]
            assert parent.thread_ts == parent.ts and moment(parent.ts) < moment(reply.ts)
            late += moment(reply.ts) - moment(parent.ts) > timedelta(days=20)
    assert late >= 15


def test_everybody_who_speaks_or_reacts_or_is_named_exists() -> None:
    slack = simulated().slack
    users = {user.id for user in slack.users}
    for message in (message for found in slack.channels for message in found.messages):
        named = set(re.findall(r"<@(\w+)>", message.text))
        assert (named | {m for members in message.reactions.values() for m in members}) <= users
        assert (message.user_id in users) or (message.user_id is None and message.bot_id)
        assert not re.search(r"[{}]", message.text), "an unfilled slot"


@pytest.mark.parametrize("day", [*EARLIER_DAYS, LAST])
def test_nothing_is_said_or_edited_after_the_end_of_the_last_day(day: date) -> None:
    for found in simulated(as_of=day).slack.channels:
        for message in found.messages:
            assert moment(message.ts) < cutoff(day)
            assert message.edited_ts is None or moment(message.ts) < moment(message.edited_ts) < cutoff(day)


def test_people_talk_in_the_office_hours_of_their_time_zone() -> None:
    for zone in (ZONE, "Asia/Tokyo"):
        spoken = [m for c in simulated(as_of=date(2024, 12, 1), timezone=zone).slack.channels for m in c.messages]
        local = [moment(message.ts).astimezone(ZoneInfo(zone)) for message in spoken]
        assert all(8 <= at.hour < 21 and at.weekday() < 5 for at in local)


def test_an_account_at_risk_is_escalated_and_its_end_is_told_in_the_same_thread() -> None:
    found = simulated()
    messages = channel(found, "customer-escalations").messages
    threads = {m.ts: m for m in messages if m.thread_ts == m.ts}
    told = 0
    for story in found.stories("account_at_risk"):
        name = story.subject_name.split(",")[0].replace("&", "&amp;")
        assert any(name in m.text and moment(m.ts).date() < story.visible_to for m in messages)
        if str(story.detail["renewal_date"]) < "2025-12-20":
            ends = [m for m in messages if name in m.text and re.search("stays|renewed|did not renew|is gone", m.text)]
            told += any(m.thread_ts in threads for m in ends)
    assert told >= 0.7 * sum(str(s.detail["renewal_date"]) < "2025-12-20" for s in found.stories("account_at_risk"))


def test_a_big_win_is_celebrated_with_its_name_and_amount() -> None:
    found = simulated()
    deals = channel(found, "sales-deals").messages
    for story in found.stories("big_win"):
        account = story.subject_name.rpartition(" - ")[0].replace("&", "&amp;")
        heard = [m for m in deals if f"${story.detail['amount']:,}" in m.text and account in m.text]
        assert heard and heard[0].reactions


def test_customers_who_leave_or_do_not_pay_are_talked_about() -> None:
    found = simulated()
    for kind, name in (("churn", "leadership"), ("overdue_payment", "customer-escalations")):
        for story in found.stories(kind):
            account = story.subject_name.split(",")[0].replace("&", "&amp;")
            assert any(account in message.text for message in channel(found, name).messages)


def test_the_issues_that_people_name_exist_and_were_filed_before() -> None:
    found = simulated()
    keys = {team.id: team.key for team in found.linear.teams}
    filed = {f"{keys[issue.team_id]}-{issue.number}": issue.created_at.date() for issue in found.linear.issues}
    named = 0
    for message in (message for c in found.slack.channels for message in c.messages):
        for identifier in re.findall(r"\b(?:PLAT|FLOW|INTG|APPS)-\d+", message.text):
            assert filed[identifier] <= moment(message.ts).date()
            named += 1
    assert named > 300
