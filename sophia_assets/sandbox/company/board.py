"""How the simulated company organizes delivery: teams, workflow states, labels, projects and cycles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from sophia_assets.sandbox.company.history import History, work_day_from
from sophia_assets.sandbox.company.model import Account
from sophia_assets.sandbox.company.staff import ENGINEERING, LEADERSHIP, PRODUCT, SUPPORT, Colleague, uuid
from sophia_assets.sandbox.company.streams import between
from sophia_assets.sandbox.company.world import texts
from sophia_assets.sandbox.company_data import (
    LinearCycle,
    LinearIssue,
    LinearLabel,
    LinearProject,
    LinearState,
    LinearTeam,
    LinearUser,
)

TRIAGE, BACKLOG, TODO, PROGRESS, REVIEW, DONE, CANCELED, DUPLICATE = range(8)
STATES = (
    ("Triage", "triage"), ("Backlog", "backlog"), ("Todo", "unstarted"), ("In Progress", "started"),
    ("In Review", "started"), ("Done", "completed"), ("Canceled", "canceled"), ("Duplicate", "duplicate"),
)  # fmt: skip
CUSTOMER_GROUP = "Customer"
KINDS = ("Bug", "Feature", "Improvement", "Chore")
_CYCLE_DAYS = 14
_PROJECT_EVERY_DAYS, _ANNOUNCED_BEFORE_DAYS = 92, 21
_EARLY_S = 6 * 3600


@dataclass
class Project:
    """A project as planned; what comes after the last day is not shown. Days are ordinals."""

    id: str
    name: str
    area: str
    team: int
    lead: Colleague
    announced: int
    starts: int
    target: int
    ends: int
    abandoned: bool


@dataclass
class Team:
    """A team with its people, the areas it looks after, and the ids of its workflow states in the order of STATES."""

    id: str
    key: str
    name: str
    description: str
    share: float
    pace: float
    areas: list[str]
    states: list[str]
    people: list[Colleague] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)

    def project_on(self, day: int) -> Project | None:
        """The newest project that is being worked on, if any."""
        return next((p for p in reversed(self.projects) if p.starts <= day < p.ends), None)


@dataclass
class Progress:
    """What became of the issues of one project or cycle by the end of the last day."""

    done: int = 0
    scope: int = 0
    touched: datetime | None = None

    def count(self, issue: LinearIssue) -> None:
        """Add an issue; one that was called off is not in scope."""
        if issue.canceled_at is None:
            self.scope += 1
        if issue.completed_at is not None:
            self.done += 1
            self.touched = max(self.touched or issue.completed_at, issue.completed_at)

    @property
    def share(self) -> float:
        """Done issues of those in scope, 0..1."""
        return round(self.done / self.scope, 4) if self.scope else 0.0


class Board:
    """The organization's frame: everything of its Linear except the issues."""

    def __init__(self, history: History, staff: list[Colleague]) -> None:
        self.history = history
        self.members = [
            person
            for person in staff
            if person.department in (ENGINEERING, PRODUCT, SUPPORT) or person.title == "Chief Technology Officer"
        ]
        stream = history.world.streams.of("board")
        self._bank = texts("issues")
        self.teams = [_team(stream, entry) for entry in self._bank["teams"]]
        engineers = [person for person in self.members if person.department == ENGINEERING]
        for index, person in enumerate(engineers):
            self.teams[index % len(self.teams)].people.append(person)
        self.label_ids = {name: uuid(stream) for name in (CUSTOMER_GROUP, *KINDS)}
        self._cycle_ids: dict[tuple[int, int], str] = {}
        self._customer_labels: dict[Account, tuple[str, int]] = {}
        for index, team in enumerate(self.teams):
            self._plan_projects(index, team)
        # Cycles run from Monday to Monday; half of the teams begin a week later than the others.
        self._first_monday = history.world.start - (history.world.start - 1) % 7

    def moment(self, day: int, second: int) -> datetime:
        """UTC moment `second` seconds after the local midnight that begins `day`."""
        return datetime.fromtimestamp(self.history.midnight(day) + second, UTC)

    def customer_label(self, account: Account, day: int) -> str:
        """The id of the account's label, made on the morning of `day` where there is none yet."""
        found = self._customer_labels.get(account)
        if found is None:
            label = uuid(self.history.world.streams.of("label", account.id))
            found = self._customer_labels[account] = (label, day)
        return found[0]

    def cycle_of(self, team: int, day: int) -> int:
        """The number of the team's cycle of `day`, from 1."""
        return (day - self._cycle_starts(team, 1)) // _CYCLE_DAYS + 1

    def cycle_id(self, team: int, number: int) -> str:
        """The id of a cycle of the team."""
        found = self._cycle_ids.get((team, number))
        if found is None:
            stream = self.history.world.streams.of("cycle", team, number)
            found = self._cycle_ids[team, number] = uuid(stream)
        return found

    def cycle_began(self, team: int, number: int) -> datetime:
        """The midnight at which the cycle begins."""
        return self.history.world.clock.midnight(self._cycle_starts(team, number))

    def _cycle_starts(self, team: int, number: int) -> int:
        return self._first_monday - 7 * (team % 2) + (number - 1) * _CYCLE_DAYS

    def _plan_projects(self, index: int, team: Team) -> None:
        history = self.history
        first = history.world.start - 40 + index * 17
        for count in range((history.last - first) // _PROJECT_EVERY_DAYS + 2):
            stream = history.world.streams.of("project", team.key, count)
            announced = max(history.world.start, first + count * _PROJECT_EVERY_DAYS)
            area = team.areas[(count + stream.randrange(2)) % len(team.areas)]
            starts = work_day_from(announced + _ANNOUNCED_BEFORE_DAYS)
            target = work_day_from(starts + stream.randint(56, 98))
            late = round(between(stream, 12, 0.9, 1, 60)) - 8
            abandoned = stream.random() < 0.1
            ends = work_day_from(starts + 45 if abandoned else target + late)
            name = stream.choice(self._bank["projects"]).format(area=area)
            product = [person for person in self.members if person.department == PRODUCT]
            lead = stream.choice([person for person in product if person.joined <= announced])
            if announced <= history.last:
                team.projects.append(
                    Project(uuid(stream), name, area, index, lead, announced, starts, target, ends, abandoned)
                )

    def linear_teams(self) -> list[LinearTeam]:
        """The teams, as old as the history."""
        born = self._born()
        return [LinearTeam(t.id, born, born, None, t.key, t.name, t.description) for t in self.teams]

    def linear_states(self) -> list[LinearState]:
        """Every team's workflow, in its order."""
        born = self._born()
        return [
            LinearState(team.states[index], born, born, None, team.id, name, kind, float(index))
            for team in self.teams
            for index, (name, kind) in enumerate(STATES)
        ]

    def linear_users(self) -> list[LinearUser]:
        """The members who have joined so far."""
        return [self._user(person) for person in self.members if person.joined <= self.history.last]

    def _user(self, person: Colleague) -> LinearUser:
        joined = self.moment(person.joined, _EARLY_S)
        gone = person.left is not None and person.left <= self.history.last
        updated = self.moment(person.left, _EARLY_S) if gone and person.left is not None else joined
        nick = person.email.partition("@")[0]
        admin = person.department == LEADERSHIP or person.title == "Engineering Manager"
        return LinearUser(person.delivery_id, joined, updated, None, person.name, nick, person.email, not gone, admin)

    def linear_labels(self) -> list[LinearLabel]:
        """The kinds of issues, and the group of customers with a label each."""
        born = self._born()
        own = [LinearLabel(id_, born, born, name=name) for name, id_ in self.label_ids.items()]
        group = self.label_ids[CUSTOMER_GROUP]
        customers = []
        for account, (id_, day) in self._customer_labels.items():
            made = self.moment(day, _EARLY_S)
            customers.append(LinearLabel(id_, made, made, name=account.name, parent_id=group))
        return own + customers

    def linear_projects(self, progress: dict[str, Progress]) -> list[LinearProject]:
        """The projects announced so far, as they stand at the end of the last day."""
        return [self._project(p, team, progress.get(p.id, Progress())) for team in self.teams for p in team.projects]

    def _project(self, project: Project, team: Team, progress: Progress) -> LinearProject:
        last = self.history.last
        started, ended = project.starts <= last, project.ends <= last
        status, state = ("In Progress", "started") if started else ("Planned", "planned")
        if ended:
            status, state = ("Canceled", "canceled") if project.abandoned else ("Completed", "completed")
        created = self.moment(project.announced, 10 * 3600)
        ends = self.moment(project.ends, 16 * 3600) if ended else None
        begins = self.moment(project.starts, 9 * 3600) if started else None
        touches = [moment for moment in (created, begins, ends, progress.touched) if moment is not None]
        return LinearProject(
            id=project.id,
            created_at=created,
            updated_at=max(touches),
            name=project.name,
            description=self._bank["project_text"].format(area=project.area),
            status=status,
            state_type=state,
            lead_id=project.lead.delivery_id,
            team_ids=[team.id],
            start_date=date.fromordinal(project.starts),
            target_date=date.fromordinal(project.target),
            started_at=begins,
            completed_at=ends if state == "completed" else None,
            canceled_at=ends if state == "canceled" else None,
            progress=1.0 if state == "completed" else progress.share,
        )

    def linear_cycles(self, progress: dict[str, Progress]) -> list[LinearCycle]:
        """Every team's cycles up to the one after the running one; each is made when the one before it begins."""
        return [
            self._cycle(index, team, number, progress.get(self.cycle_id(index, number), Progress()))
            for index, team in enumerate(self.teams)
            for number in range(1, self.cycle_of(index, self.history.last) + 2)
        ]

    def _cycle(self, index: int, team: Team, number: int, progress: Progress) -> LinearCycle:
        begins, ends = self.cycle_began(index, number), self.cycle_began(index, number + 1)
        created = self._born() if number <= 2 else self.cycle_began(index, number - 1)
        is_over = self._cycle_starts(index, number + 1) <= self.history.last
        touches = [moment for moment in (created, ends if is_over else None, progress.touched) if moment is not None]
        return LinearCycle(
            id=self.cycle_id(index, number),
            created_at=created,
            updated_at=max(touches),
            team_id=team.id,
            number=number,
            starts_at=begins,
            ends_at=ends,
            completed_at=ends if is_over else None,
            progress=progress.share,
        )

    def _born(self) -> datetime:
        return self.moment(self.history.world.start, _EARLY_S)


def _team(stream: Random, entry: dict[str, Any]) -> Team:
    return Team(uuid(stream), **entry, states=[uuid(stream) for _ in STATES])
