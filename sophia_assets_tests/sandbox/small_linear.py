"""A Linear small enough to know by heart, for tests of the stand-in and the connector."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from sophia_assets.sandbox.company_data import (
    LinearCycle,
    LinearData,
    LinearIssue,
    LinearLabel,
    LinearProject,
    LinearState,
    LinearStateChange,
    LinearTeam,
    LinearUser,
)

_START = datetime(2026, 1, 1, 9, tzinfo=UTC)
_TYPES = ("triage", "backlog", "unstarted", "started", "completed", "canceled", "duplicate")


def linear_id(kind: int, number: int) -> str:
    """The UUID of object `number` of a kind."""
    return f"00000000-0000-4000-8{kind:03d}-{number:012d}"


TEAM, USER, GONE, CUSTOMER, BUG, COMPANY, PROJECT, OLD_PROJECT, CYCLE, NEXT_CYCLE = (
    linear_id(0, number) for number in range(1, 11)
)  # fmt: skip


def state_id(name: str) -> str:
    """The state of that type."""
    return linear_id(1, _TYPES.index(name))


def make_issue(
    number: int, updated_at: datetime | None = None, *, moves: int = 2, archived_at: datetime | None = None
) -> LinearIssue:
    """Issue `number`: created `number` hours after the start, moved `moves` times, every third a customer's bug."""
    created = _START + timedelta(hours=number)
    path = ["unstarted", "started"] * moves
    history = [
        LinearStateChange(
            linear_id(3, number * 1000 + step),
            created + timedelta(minutes=step),
            state_id(path[step - 1]) if step else None,
            state_id(path[step]),
            USER,
        )
        for step in range(moves)
    ]
    return LinearIssue(
        id=linear_id(2, number),
        created_at=created,
        updated_at=updated_at or created + timedelta(days=2),
        archived_at=archived_at,
        number=number,
        team_id=TEAM,
        title=f"Issue {number}",
        description="It does not work.",
        state_id=state_id("started"),
        priority=number % 5,
        estimate=float(number % 4) or None,
        assignee_id=USER if number % 2 else None,
        creator_id=USER,
        project_id=PROJECT if number % 4 else None,
        cycle_id=(None, CYCLE, NEXT_CYCLE)[number % 3],
        parent_id=linear_id(2, 1) if number == 2 else None,
        label_ids=[COMPANY, BUG] if number % 3 == 0 else [],
        due_date=date(2026, 3, 1) if number % 5 == 0 else None,
        started_at=created + timedelta(minutes=1),
        history=history,
    )


def small_linear(issues: int = 120) -> LinearData:
    """One team, seven states, two users (one suspended), labels, two projects (one archived), two cycles, issues."""
    archived = _START + timedelta(days=30)
    return LinearData(
        organization="Small Company",
        url_key="small",
        teams=[LinearTeam(TEAM, _START, _START, key="ENG", name="Engineering", description="Builds it.")],
        states=[
            LinearState(state_id(kind), _START, _START, team_id=TEAM, name=kind.title(), type=kind, position=place)
            for place, kind in enumerate(_TYPES)
        ],
        users=[
            LinearUser(USER, _START, _START, name="Una Maker", display_name="una", email="una@sandbox.example"),
            LinearUser(GONE, _START, _START, name="Otto Gone", display_name="otto", email="", active=False),
        ],
        labels=[
            LinearLabel(CUSTOMER, _START, _START, name="Customer"),
            LinearLabel(COMPANY, _START, _START, name="Company 1", parent_id=CUSTOMER),
            LinearLabel(BUG, _START, _START, name="Bug", team_id=TEAM),
        ],
        projects=[
            LinearProject(
                PROJECT, _START, _START, name="Speed", lead_id=USER, team_ids=[TEAM],
                start_date=date(2026, 1, 5), target_date=date(2026, 4, 1), started_at=_START, progress=0.25,
            ),
            LinearProject(OLD_PROJECT, _START, _START, archived, name="Old", state_type="completed"),
        ],
        cycles=[
            LinearCycle(
                identifier, _START, _START, team_id=TEAM, number=number,
                starts_at=_START + timedelta(days=14 * (number - 1)), ends_at=_START + timedelta(days=14 * number),
            )
            for number, identifier in enumerate((CYCLE, NEXT_CYCLE), start=1)
        ],
        issues=[make_issue(number) for number in range(1, issues + 1)],
    )  # fmt: skip
