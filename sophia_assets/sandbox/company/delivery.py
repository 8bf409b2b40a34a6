"""The issues of the simulated company's Linear: who reports what, and how it moves through the workflow.

An issue's whole life is planned on the day it is filed; what of it lies behind the last day is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from random import Random
from typing import Any

from sophia_assets.sandbox.company.board import (
    BACKLOG,
    CANCELED,
    DONE,
    DUPLICATE,
    PROGRESS,
    REVIEW,
    TODO,
    TRIAGE,
    Board,
    Progress,
    Team,
)
from sophia_assets.sandbox.company.history import BUGS_BEFORE_TROUBLE, History, work_day_from, works
from sophia_assets.sandbox.company.model import Account
from sophia_assets.sandbox.company.staff import Colleague, uuid
from sophia_assets.sandbox.company.streams import between, poisson
from sophia_assets.sandbox.company.world import texts
from sophia_assets.sandbox.company_data import LinearData, LinearIssue, LinearStateChange

_BUGS_INTO_TROUBLE = 38
_PER_DAY, _TROUBLE_BUGS_PER_DAY = 10.4, 0.26
_KIND_SHARES = (0.38, 0.27, 0.2, 0.15)
_CUSTOMER_SHARE = {"Bug": 0.5, "Feature": 0.3}
_OPENS_S, _CLOSES_S = 8 * 3600, 18 * 3600 + 1800
_PRIORITIES = (1, 2, 2, 2, 3, 3, 3, 3, 4, 0)

Move = tuple[int, int, int, str | None, str]
"""Day, second of the day, state, actor, id of the history entry."""


@dataclass(eq=False)
class Ticket:
    """An issue as planned; `moves` reach beyond the last day. Days are ordinals."""

    id: str
    number: int
    team: int
    key: str
    title: str
    kind: str
    account: Account | None
    filed: int
    second: int
    priority: int
    severe: bool = False
    moves: list[Move] = field(default_factory=list)
    touched: tuple[int, int] | None = None
    archived: tuple[int, int] | None = None
    trashed: bool = False
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def identifier(self) -> str:
        """What people call it, such as FLOW-123."""
        return f"{self.key}-{self.number}"

    @property
    def done_on(self) -> int | None:
        """The day of its last completion, which may lie behind the last day."""
        return self.moves[-1][0] if self.moves[-1][2] == DONE else None


@dataclass
class Delivery:
    """What other systems refer to: the tickets filed on each day, in order."""

    board: Board
    filed: dict[int, list[Ticket]]


def plan(history: History, staff: list[Colleague]) -> Delivery:
    """Every ticket filed up to the end of the last day, planned to its end."""
    board = Board(history, staff)
    troubled = _troubles(history)
    numbers = [0] * len(board.teams)
    filed: dict[int, list[Ticket]] = {}
    parents: dict[int, Ticket] = {}
    for day in history.days:
        if not works(day):
            continue
        stream = history.world.streams.of("issues", day)
        orders = _orders(stream, history, day, troubled.get(day, []))
        moments = sorted(int(_OPENS_S + stream.random() * (_CLOSES_S - _OPENS_S)) for _ in orders)
        reporters = [person for person in board.members if person.works_on(day)] or list(board.members)
        # In a small company a team may be nobody, and others do its work.
        active = [[p for p in team.people if p.works_on(day)] or reporters for team in board.teams]
        today = filed[day] = []
        for second, (index, kind, account, severe) in zip(moments, orders, strict=True):
            numbers[index] += 1
            ticket = _ticket(stream, board, (index, numbers[index]), kind, account, severe, day, second)
            _assign(stream, board, ticket, active[index], reporters, parents)
            today.append(ticket)
    return Delivery(board, filed)


def linear(delivery: Delivery) -> LinearData:
    """The organization as it stands at the end of the last day."""
    board, world = delivery.board, delivery.board.history.world
    progress: dict[str, Progress] = {}
    issues = []
    for tickets in delivery.filed.values():
        for ticket in tickets:
            issue = _shown(board, ticket)
            issues.append(issue)
            for group in (issue.project_id, issue.cycle_id):
                if group is not None:
                    progress.setdefault(group, Progress()).count(issue)
    name = world.profile["name"]
    return LinearData(
        organization=name,
        url_key=world.profile["domain"].partition(".")[0],
        teams=board.linear_teams(),
        states=board.linear_states(),
        users=board.linear_users(),
        labels=board.linear_labels(),
        projects=board.linear_projects(progress),
        cycles=board.linear_cycles(progress),
        issues=issues,
    )


def _troubles(history: History) -> dict[int, list[Account]]:
    """On which days which accounts run into bugs: from before they grow unhappy until their patience is gone."""
    found: dict[int, list[Account]] = {}
    for note in history.foreseen:
        if note.kind == "at_risk" and note.account is not None:
            for day in range(note.day - BUGS_BEFORE_TROUBLE, min(note.until, note.day + _BUGS_INTO_TROUBLE)):
                found.setdefault(day, []).append(note.account)
    return found


def _orders(
    stream: Random, history: History, day: int, troubled: list[Account]
) -> list[tuple[int, str, Account | None, bool]]:
    """Team, kind, customer and severity of what is filed today."""
    bank = texts("issues")["teams"]
    shares = [entry["share"] for entry in bank]
    quiet = {id(account) for account in troubled}
    customers = [account for account in history.customers[day] if id(account) not in quiet]
    orders: list[tuple[int, str, Account | None, bool]] = []
    for _ in range(poisson(stream, _PER_DAY * history.world.scale)):
        team = stream.choices(range(len(bank)), shares)[0]
        kind = stream.choices(("Bug", "Feature", "Improvement", "Chore"), _KIND_SHARES)[0]
        named = customers and stream.random() < _CUSTOMER_SHARE.get(kind, 0.0)
        orders.append((team, kind, stream.choice(customers) if named else None, False))
    for account in troubled:
        for _ in range(poisson(stream, _TROUBLE_BUGS_PER_DAY)):
            orders.append((stream.randrange(len(bank)), "Bug", account, True))
    return orders


def _ticket(
    stream: Random,
    board: Board,
    place: tuple[int, int],
    kind: str,
    account: Account | None,
    severe: bool,
    day: int,
    second: int,
) -> Ticket:
    bank, team = texts("issues"), board.teams[place[0]]
    template = stream.choice(bank["severe" if severe else kind.lower()])
    short = account.short_name if account else ""
    title = template.format(area=stream.choice(team.areas), count=stream.choice((2, 3, 4, 5, 20, 50)), account=short)
    priority = stream.choice((1, 1, 2)) if severe else stream.choice(_PRIORITIES)
    ticket = Ticket(uuid(stream), place[1], place[0], team.key, title, kind, account, day, second, priority, severe)
    ticket.fields["description"] = bank["reported"].format(account=short) if account else stream.choice(bank["plain"])
    ticket.fields["label_ids"] = [board.label_ids[kind]]
    if account is not None:
        ticket.fields["label_ids"].append(board.customer_label(account, day))
    return ticket


def _assign(
    stream: Random,
    board: Board,
    ticket: Ticket,
    team: list[Colleague],
    reporters: list[Colleague],
    parents: dict[int, Ticket],
) -> None:
    """Who works on it, what it belongs to, and its way through the workflow."""
    creator, assignee = stream.choice(reporters), stream.choice(team)
    fields, draw = ticket.fields, stream.random
    fields["creator_id"] = creator.delivery_id
    fields["assignee_id"] = assignee.delivery_id if draw() < 0.9 else None
    fields["estimate"] = stream.choice((None, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 5.0, 8.0))
    project = board.teams[ticket.team].project_on(ticket.filed)
    if draw() < 0.45 and ticket.kind != "Bug" and project is not None:
        fields["project_id"] = project.id
        parent = parents.get(ticket.team)
        if draw() < 0.12 and parent is not None and parent.fields.get("project_id") == project.id:
            fields["parent_id"] = parent.id
        elif ticket.kind == "Feature":
            parents[ticket.team] = ticket
    if ticket.priority == 1 or draw() < 0.06:
        fields["due_date"] = date.fromordinal(work_day_from(ticket.filed + stream.randint(3, 21)))
    _plan_moves(stream, ticket, board.teams[ticket.team], creator.delivery_id, assignee.delivery_id)
    if draw() < 0.25:
        day = work_day_from(ticket.filed + 1 + int(draw() * 20))
        ticket.touched = (day, int(_OPENS_S + draw() * (_CLOSES_S - _OPENS_S)))
    closed, wait = ticket.moves[-1], 90 + int(draw() * 60)
    ticket.trashed = draw() < 0.003
    if ticket.trashed:
        ticket.archived = (closed[0] + 3, closed[1])
    elif closed[2] >= DONE:
        ticket.archived = (closed[0] + wait, 4 * 3600 + ticket.second % 3600)


def _plan_moves(stream: Random, ticket: Ticket, team: Team, creator: str, assignee: str) -> None:
    """The states it passes; about one in ten waits in the backlog for ever."""
    draw, moves = stream.random, ticket.moves
    urgent = ticket.priority == 1
    first = TRIAGE if ticket.kind == "Bug" else BACKLOG
    moves.append((ticket.filed, ticket.second, first, creator, uuid(stream)))
    fate = draw()
    if fate < 0.07:
        return
    pace = team.pace * (0.35 if urgent else 0.7 if ticket.kind == "Bug" else 1.0)
    day, second = ticket.filed, ticket.second

    def move(state: int, median_days: float, actor: str) -> None:
        nonlocal day, second
        days = int(between(stream, median_days * pace, 0.8, 0.0, 120.0))
        earlier = second if days == 0 else _OPENS_S
        day = day if days == 0 else work_day_from(day + days)
        second = min(_CLOSES_S + 3600, earlier + 240 + int(draw() * max(600, _CLOSES_S - earlier)))
        second = max(second, earlier + 1)
        moves.append((day, second, state, actor, uuid(stream)))

    if fate < 0.14:
        move(CANCELED if fate < 0.11 else DUPLICATE, 9.0, creator)
        return
    if first == TRIAGE and draw() < 0.3:
        move(BACKLOG, 1.5, assignee)
    move(TODO, 2.0 if first == TRIAGE else 11.0, assignee)
    move(PROGRESS, 3.2, assignee)
    while draw() < 0.82:
        move(REVIEW, 3.0, assignee)
        if draw() > 0.12:
            break
        move(PROGRESS, 0.8, assignee)
    move(DONE, 1.4, assignee)
    if ticket.kind == "Bug" and draw() < 0.08:
        move(PROGRESS, 6.0, creator)
        move(REVIEW, 2.0, assignee)
        move(DONE, 1.2, assignee)


def _shown(board: Board, ticket: Ticket) -> LinearIssue:
    """The issue as it stands at the end of the last day."""
    last, team = board.history.last, board.teams[ticket.team]
    created = board.moment(ticket.filed, ticket.second)
    history: list[LinearStateChange] = []
    state, updated, since = ticket.moves[0][2], created, ticket.filed
    started: datetime | None = None
    completed: datetime | None = None
    canceled: datetime | None = None
    before: str | None = None
    for day, second, state_after, actor, id_ in ticket.moves:
        if day > last:
            break
        state, since, updated = state_after, day, board.moment(day, second)
        history.append(LinearStateChange(id_, updated, before, team.states[state], actor))
        before = team.states[state]
        started = started or (updated if state in (PROGRESS, REVIEW) else None)
        completed = updated if state == DONE else None
        canceled = updated if state in (CANCELED, DUPLICATE) else None
    cycle = None
    if started is not None:
        number = board.cycle_of(ticket.team, since if state >= DONE else last)
        cycle = board.cycle_id(ticket.team, number)
        if state < DONE:
            updated = max(updated, board.cycle_began(ticket.team, number))
    if ticket.touched is not None and ticket.touched[0] <= last:
        updated = max(updated, board.moment(*ticket.touched))
    archived = ticket.archived if ticket.archived is not None and ticket.archived[0] <= last else None
    return LinearIssue(
        ticket.id,
        created,
        updated,
        board.moment(*archived) if archived else None,
        number=ticket.number,
        team_id=team.id,
        title=ticket.title,
        state_id=team.states[state],
        priority=ticket.priority,
        cycle_id=cycle,
        started_at=started,
        completed_at=completed,
        canceled_at=canceled,
        trashed=ticket.trashed and archived is not None,
        history=history,
        **ticket.fields,
    )
