"""A Slack workspace small enough to know by heart."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sophia_assets.sandbox.company_data import CompanyData, SlackChannel, SlackData, SlackMessage, SlackUser

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
BOT = "U0SOPHIABOT"
GENERAL, DEALS, LOBBY, CLOSED = "C0GENERAL", "C1DEALROOM", "C2THELOBBY", "C3OLDROOMS"


def ts(moment: datetime, counter: int = 100) -> str:
    """A message's id for a moment of whole seconds."""
    return f"{int(moment.timestamp())}.{counter:06d}"


def make_message(number: int, moment: datetime | None = None, *, text: str | None = None) -> SlackMessage:
    """Message `number`: posted `number` hours after START, by Una or Ida."""
    posted = moment or START + timedelta(hours=number)
    return SlackMessage(
        ts(posted), "U1UNASELLER" if number % 2 else "U2IDALEADER", text or f"Message {number} <@U1UNASELLER> & more"
    )


def make_thread(
    parent: SlackMessage, replies: int, *, after: timedelta = timedelta(minutes=5), first: int = 0
) -> list[SlackMessage]:
    """Replies to a message, the first one `after` it, a second apart."""
    parent.thread_ts = parent.ts
    begun = datetime.fromtimestamp(int(parent.ts.split(".")[0]), UTC) + after
    return [
        SlackMessage(
            ts(begun + timedelta(seconds=number), 200), "U2IDALEADER", f"Reply {first + number}", thread_ts=parent.ts
        )
        for number in range(replies)
    ]


def make_channel(identifier: str, messages: list[SlackMessage], *, is_member: bool = True) -> SlackChannel:
    """A public channel of Una's, made a day before START."""
    made = START - timedelta(days=1)
    ordered = sorted(messages, key=lambda message: message.ts)
    return SlackChannel(
        identifier,
        identifier[2:].lower(),
        made,
        "U1UNASELLER",
        made,
        topic="All there is",
        is_member=is_member,
        member_ids=["U1UNASELLER", "U2IDALEADER"],
        messages=ordered,
    )


def workspace(*channels: SlackChannel) -> SlackData:
    """A workspace of Una, Ida who has left, and a bot."""
    users = [
        SlackUser("U1UNASELLER", "una", "Una Seller", "una@sandbox.example", "Seller", START, "Una", "Europe/Berlin"),
        SlackUser("U2IDALEADER", "ida", "Ida Lead", None, "", START, is_deleted=True),
        SlackUser(BOT, "sophia", "Sophia", None, "", START, is_bot=True),
    ]
    return SlackData("T0SMALLCO", "Small Company", "small", users, list(channels))


def small_slack(messages: int = 60) -> SlackData:
    """General with threads, an edit and reactions; a private channel; one the bot is not in; an archived one.

    Every tenth message of general has three replies within a day; the fifth gets one 21 days later.
    """
    listed = [make_message(number) for number in range(messages)]
    replies = [reply for parent in listed[::10] for reply in make_thread(parent, 3, after=timedelta(hours=20))]
    if messages > 5:
        replies += make_thread(listed[5], 1, after=timedelta(days=21))
        listed[1].edited_ts = ts(START + timedelta(hours=2))
        listed[2].reactions = {"tada": ["U1UNASELLER", "U2IDALEADER"], "eyes": ["U2IDALEADER"]}
        listed[3].subtype, listed[3].bot_id, listed[3].user_id = "bot_message", "B0ALERTING", None
    private = make_channel(DEALS, [make_message(number) for number in (1, 7, 200)])
    private.is_private = True
    archived = make_channel(CLOSED, [make_message(4)])
    archived.is_archived, archived.updated = True, START + timedelta(days=9)
    return workspace(
        make_channel(GENERAL, [*listed, *replies]),
        private,
        make_channel(LOBBY, [make_message(2)], is_member=False),
        archived,
    )


def slack_company(data: SlackData | None = None) -> CompanyData:
    """A company of the same half year as the small one that has nothing but Slack."""
    return CompanyData("Small Company", date(2026, 1, 1), date(2026, 6, 30), slack=data or small_slack())
