"""What the simulated company's Slack says about deals, customers, competitors, issues and releases."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from datetime import date
from functools import partial

from sophia_assets.sandbox.company.delivery import Delivery, Ticket
from sophia_assets.sandbox.company.finance import LARGE_MRR
from sophia_assets.sandbox.company.history import DEALS, ESCALATIONS, FEEDBACK, LEADERSHIP, History, works
from sophia_assets.sandbox.company.model import Account, Deal, Note
from sophia_assets.sandbox.company.staff import Colleague
from sophia_assets.sandbox.company.talk import Talk
from sophia_assets.sandbox.company.workspace import Workspace
from sophia_assets.sandbox.company_data import SlackData, SlackMessage

_LARGE_WIN, _LARGE_DEAL, _BAD_LOSS = 60_000, 30_000, 20_000
_OFTEN, _MONTH_DAYS, _QUIET_DAYS = 8, 30, 45
_LATE_AFTER_DAYS, _STANDSTILL_SEEN_AFTER_DAYS = 8, 21
_WEDNESDAY, _THURSDAY = 3, 4


def slack(history: History, staff: list[Colleague], delivery: Delivery) -> SlackData:
    """The workspace at the end of the last day, with everything that was said by then."""
    chat = _Chat(Talk(history, Workspace(history, staff), delivery), delivery)
    for day in history.days:
        chat.live(day)
    return chat.talk.workspace.slack()


class _Chat:
    """Who is waiting for what; `_tellers` has what is done about each kind of note in the journal."""

    def __init__(self, talk: Talk, delivery: Delivery) -> None:
        self.talk, self._delivery = talk, delivery
        self._troubles: dict[Account, tuple[Note, SlackMessage | None]] = {}
        self._unpaid: dict[Account, tuple[SlackMessage, bool]] = {}
        self._mentions: dict[str, deque[int]] = defaultdict(deque)
        self._discussed: dict[str, int] = {}
        self._waiting: list[Note] = []
        staff = talk.workspace.staff
        self._seller = {person.owner.id: person.chat_id for person in staff if person.owner is not None}
        self._tellers: dict[str, Callable[[Note, Account], None]] = {
            "opened": self._opened, "won": self._won, "lost": self._lost, "pushed": self._pushed,
            "at_risk": self._at_risk, "complaint": self._complaint, "renewal": self._renewal, "left": self._left,
            "expansion": self._expansion, "contraction": self._contraction,
            "withholding": self._withholding, "settled": self._settled, "competitor": self._competitor,
        }  # fmt: skip

    def live(self, day: int) -> None:
        """Tell one day; what happens on a day off is told on the next business day."""
        talk = self.talk
        self._waiting += talk.history.notes(day)
        if not works(day):
            return
        talk.begin(day)
        notes, self._waiting = self._waiting, []
        for note in notes:
            if note.kind == "standstill":
                self._standstill(note)
            elif note.account is not None and note.kind in self._tellers:
                self._tellers[note.kind](note, note.account)
        for ticket in self._delivery.filed.get(day, []):
            self._filed(ticket)
        self._release(day)
        talk.everyday()
        talk.end()

    def _opened(self, note: Note, account: Account) -> None:
        if note.amount >= _LARGE_DEAL and self._by_chance(0.5):
            self._about_deal("opened", note)

    def _won(self, note: Note, account: Account) -> None:
        large = note.amount >= _LARGE_WIN
        if large or self._by_chance(0.72):
            message = self._about_deal("won_large" if large else "won", note)
            self.talk.react(DEALS, message, "won", self.talk.stream.randint(6, 14) if large else 3)

    def _lost(self, note: Note, account: Account) -> None:
        if self._by_chance(0.65 if note.amount >= _BAD_LOSS else 0.05):
            message = self._about_deal("lost", note, reason=note.name)
            self.talk.react(DEALS, message, "sad", self.talk.stream.randint(0, 3))

    def _pushed(self, note: Note, account: Account) -> None:
        scripted = note.deal is not None and note.deal.scripted
        if scripted or (note.amount >= _LARGE_DEAL and self._by_chance(0.6)):
            self._about_deal("pushed", note, close=_date(note.until))

    def _about_deal(self, kind: str, note: Note, **known: str) -> SlackMessage:
        deal = note.deal
        assert deal is not None
        seller = self._seller[deal.owner.id]
        known |= {"deal": deal.name, "account": deal.account.short_name, "topic": _topic(deal)}
        congratulated = kind.startswith("won") and self._by_chance(0.5)
        amount = _money(note.amount) if note.amount else "amount still open"
        return self.talk.happens(DEALS, kind, user=None if congratulated else seller, amount=amount, **known)

    def _at_risk(self, note: Note, account: Account) -> None:
        self._troubles[account] = (note, None)

    def _complaint(self, note: Note, account: Account) -> None:
        """The first complaint of an unhappy customer opens a thread, later ones go into it."""
        trouble, thread = self._troubles.get(account, (None, None))
        if trouble is None:
            return
        if thread is not None:
            self.talk.reply(ESCALATIONS, thread, "complaint", account=account.short_name)
            return
        seller, days = self._seller[account.owner.id], trouble.until - self.talk.day
        known = {"account": account.short_name, "amount": _money(trouble.amount), "count": str(max(1, days // 7))}
        message = self.talk.happens(ESCALATIONS, "at_risk", user=seller, **known)
        if self.talk.may_open_thread():
            self._troubles[account] = (trouble, message)
            latest, count = max(2, days - 8), self.talk.stream.randint(3, 7)
            when = [self.talk.day + self.talk.stream.randint(1, latest) for _ in range(count)]
            self.talk.replies(ESCALATIONS, message, "at_risk_replies", when, account=account.short_name)

    def _renewal(self, note: Note, account: Account) -> None:
        if account in self._troubles and note.day >= self._troubles[account][0].until:
            self._outcome(account, "stays")

    def _left(self, note: Note, account: Account) -> None:
        large = note.amount >= LARGE_MRR
        known = {"account": account.short_name, "amount": _money(note.amount)}
        if account in self._troubles:
            self._outcome(account, "gone")
        elif large:
            self.talk.happens(ESCALATIONS, "left", user=self._seller[account.owner.id], **known)
        self.talk.happens(LEADERSHIP if large else DEALS, "left" if large else "left_small", **known)

    def _outcome(self, account: Account, kind: str) -> None:
        """The end of an escalation, weeks after it began, where it was discussed."""
        _, thread = self._troubles.pop(account)
        if thread is not None:
            self.talk.reply(ESCALATIONS, thread, kind, account=account.short_name)
        else:
            self.talk.happens(ESCALATIONS, kind, account=account.short_name)

    def _expansion(self, note: Note, account: Account) -> None:
        self._about_seats("expansion", "won", note, account)

    def _contraction(self, note: Note, account: Account) -> None:
        self._about_seats("contraction", "sad", note, account)

    def _about_seats(self, kind: str, mood: str, note: Note, account: Account) -> None:
        seller, amount = self._seller[account.owner.id], _money(note.amount)
        message = self.talk.happens(DEALS, kind, user=seller, account=account.short_name, amount=amount)
        self.talk.react(DEALS, message, mood, 2)

    def _withholding(self, note: Note, account: Account) -> None:
        self.talk.later(note.until + _LATE_AFTER_DAYS, partial(self._late, note, account))

    def _late(self, note: Note, account: Account) -> None:
        talk, known = self.talk, {"account": account.short_name, "amount": _money(note.amount)}
        message = talk.happens(ESCALATIONS, "late", close=_date(note.until), **known)
        threaded = talk.may_open_thread()
        self._unpaid[account] = (message, threaded)
        if threaded:
            when = [talk.day + talk.stream.randint(1, 50) for _ in range(talk.stream.randint(3, 6))]
            talk.replies(ESCALATIONS, message, "late_replies", when)

    def _settled(self, note: Note, account: Account) -> None:
        message, threaded = self._unpaid.pop(account, (None, False))
        known = {"account": account.short_name, "amount": _money(note.amount)}
        if message is not None and threaded:
            self.talk.reply(ESCALATIONS, message, "settled", **known)
        else:
            self.talk.happens(ESCALATIONS, "settled", **known)

    def _competitor(self, note: Note, account: Account) -> None:
        """A mention is worth a line now and then; very many within a month are worth a discussion."""
        talk, mentions = self.talk, self._mentions[note.name]
        mentions.append(note.day)
        while mentions[0] <= note.day - _MONTH_DAYS:
            mentions.popleft()
        known = {"account": account.short_name, "competitor": note.name}
        often = len(mentions) >= _OFTEN * max(1.0, talk.history.world.scale)
        if often and talk.day > self._discussed.get(note.name, 0) + _QUIET_DAYS:
            self._discussed[note.name] = talk.day
            message = talk.happens(DEALS, "competitor_often", count=str(len(mentions)), **known)
            if talk.may_open_thread():
                when = [talk.day + talk.stream.randint(1, 26) for _ in range(talk.stream.randint(3, 5))]
                talk.replies(DEALS, message, "competitor_replies", when)
        elif self._by_chance(0.6):
            talk.happens(FEEDBACK, "competitor", user=self._seller[account.owner.id], **known)

    def _standstill(self, note: Note) -> None:
        for room in (LEADERSHIP, DEALS):
            ask = partial(self.talk.happens, room, "standstill", stage=note.name)
            self.talk.later(note.day + _STANDSTILL_SEEN_AFTER_DAYS, ask)

    def _filed(self, ticket: Ticket) -> None:
        """Customers' bugs are told to support, the urgent ones to the engineers; so is the fix of what was told."""
        talk, account = self.talk, ticket.account
        if ticket.kind != "Bug" or account is None:
            return
        known = {"issue": ticket.identifier, "title": ticket.title, "account": account.short_name}
        rooms = []
        if ticket.severe or self._by_chance(0.16):
            talk.happens("support", "bug_support", **known)
            rooms.append("support")
        if ticket.priority == 1:
            talk.announces("engineering", "bug", "helpdesk", ticket.second + 240, **known)
            rooms.append("engineering")
        if ticket.done_on is not None and rooms and self._by_chance(0.6):
            talk.later(ticket.done_on, partial(talk.happens, rooms[-1], "fixed", **known))

    def _release(self, day: int) -> None:
        """Every Thursday a release, announced the day before; now and then a repair early in the week."""
        talk, weekday = self.talk, day % 7
        if weekday == _WEDNESDAY:
            talk.announces("releases", "candidate", "release-bot", 14 * 3600, version=_version(day + 1))
        elif weekday == _THURSDAY:
            message = talk.announces("releases", "release", "release-bot", 15 * 3600, version=_version(day))
            talk.react("releases", message, "won", talk.stream.randint(0, 4))
            if self._by_chance(0.07) and talk.may_open_thread():
                when = [day + talk.stream.randint(1, 5) for _ in range(talk.stream.randint(2, 4))]
                talk.replies("releases", message, "release_replies", when)
        elif self._by_chance(0.05):
            version = _version(day - (day - _THURSDAY) % 7, patch=1)
            talk.announces("releases", "hotfix", "release-bot", 11 * 3600, version=version)

    def _by_chance(self, share: float) -> bool:
        return self.talk.stream.random() < share


def _topic(deal: Deal) -> str:
    return deal.name.rpartition(" - ")[2]


def _money(amount: int) -> str:
    return f"${amount:,}"


def _date(day: int) -> str:
    return f"{date.fromordinal(day):%d %B}"


def _version(day: int, patch: int = 0) -> str:
    year, week, _ = date.fromordinal(day).isocalendar()
    return f"{year % 100}.{week}.{patch}"
