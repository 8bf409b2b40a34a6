"""The simulated company's Linear: issues that move believably, and echo the customers they are about."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from sophia_assets.sandbox.company_data import LinearEntity
from sophia_assets_tests.sandbox.simulated_company import EARLIER_DAYS, LAST, Simulated, cutoff, simulated

STEADY = (
    "id", "created_at", "number", "team_id", "title", "description", "priority", "estimate", "assignee_id",
    "creator_id", "project_id", "parent_id", "label_ids", "due_date",
)  # fmt: skip


def state_types(found: Simulated) -> dict[str, str]:
    return {state.id: state.type for state in found.linear.states}


def entities(found: Simulated) -> list[LinearEntity]:
    linear = found.linear
    groups: list[list[Any]] = [linear.teams, linear.states, linear.users, linear.labels, linear.projects]
    return [entity for group in [*groups, linear.cycles, linear.issues] for entity in group]


@pytest.mark.parametrize("earlier", EARLIER_DAYS)
def test_an_earlier_day_shows_exactly_how_far_the_issues_were_then(earlier: date) -> None:
    then, now, end = simulated(as_of=earlier), simulated(), cutoff(earlier)
    later = [issue for issue in now.linear.issues if issue.created_at < end]
    assert [issue.id for issue in then.linear.issues] == [issue.id for issue in later]
    for old, new in zip(then.linear.issues, later, strict=True):
        assert [getattr(old, name) for name in STEADY] == [getattr(new, name) for name in STEADY]
        assert old.history == [change for change in new.history if change.created_at < end]
        assert (old.archived_at is None) == (new.archived_at is None or new.archived_at >= end)
        assert old.updated_at <= new.updated_at
        if new.updated_at < end:
            assert old.updated_at == new.updated_at and old.cycle_id == new.cycle_id


@pytest.mark.parametrize("earlier", EARLIER_DAYS)
def test_an_earlier_day_shows_the_labels_projects_and_cycles_of_then(earlier: date) -> None:
    then, now, end = simulated(as_of=earlier), simulated(), cutoff(earlier)
    assert then.linear.labels == [label for label in now.linear.labels if label.created_at < end]
    assert {p.id for p in then.linear.projects} == {p.id for p in now.linear.projects if p.created_at < end}
    assert {c.id for c in then.linear.cycles} == {c.id for c in now.linear.cycles if c.created_at < end}
    finished = {project.id: project for project in now.linear.projects}
    for project in then.linear.projects:
        assert (project.name, project.start_date, project.target_date) == (
            finished[project.id].name, finished[project.id].start_date, finished[project.id].target_date,
        )  # fmt: skip


def test_the_state_of_an_issue_is_that_of_its_last_move() -> None:
    found = simulated()
    types = state_types(found)
    teams = {state.id: state.team_id for state in found.linear.states}
    for issue in found.linear.issues:
        moves = issue.history
        assert moves[0].from_state_id is None and moves[0].created_at == issue.created_at
        assert all(a.to_state_id == b.from_state_id and a.created_at < b.created_at for a, b in pairwise(moves))
        assert issue.state_id == moves[-1].to_state_id and teams[issue.state_id] == issue.team_id
        kind, ended = types[issue.state_id], moves[-1].created_at
        assert issue.completed_at == (ended if kind == "completed" else None)
        assert issue.canceled_at == (ended if kind in ("canceled", "duplicate") else None)
        starts = [move.created_at for move in moves if types[move.to_state_id] == "started"]
        assert issue.started_at == (starts[0] if starts else None)
        assert issue.updated_at >= ended


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_the_volumes_are_those_of_four_teams(seed: int) -> None:
    linear = simulated(seed).linear
    assert len(linear.teams) == 4 and 22 <= len(linear.users) <= 28
    assert 3_800 <= len(linear.issues) <= 4_500
    assert 17_500 <= sum(len(issue.history) for issue in linear.issues) <= 22_000


@pytest.mark.long
@pytest.mark.parametrize(("scale", "least", "most"), [(0.2, 0.15, 0.3), (3.0, 2.6, 3.4)])
def test_issues_scale_with_the_company(scale: float, least: float, most: float) -> None:
    day = date(2024, 12, 1)
    assert least < len(simulated(5, day, scale).linear.issues) / len(simulated(5, day).linear.issues) < most


def test_ids_are_unique_and_numbers_count_up_within_a_team() -> None:
    found = simulated()
    ids = [entity.id for entity in entities(found)]
    ids += [change.id for issue in found.linear.issues for change in issue.history]
    assert len(set(ids)) == len(ids)
    for team in found.linear.teams:
        numbers = [issue.number for issue in found.linear.issues if issue.team_id == team.id]
        assert numbers == list(range(1, len(numbers) + 1))


def test_everything_refers_to_something_that_exists() -> None:
    linear = simulated().linear
    known = {entity.id for entity in entities(simulated())}
    for issue in linear.issues:
        refers = {issue.team_id, issue.assignee_id, issue.creator_id, issue.project_id, issue.cycle_id, issue.parent_id}
        assert (refers | set(issue.label_ids)) - {None} <= known
        assert {change.actor_id for change in issue.history} <= known
    assert {project.lead_id for project in linear.projects} <= known


def test_a_label_of_the_group_customer_names_a_real_account() -> None:
    found = simulated()
    group = next(label.id for label in found.linear.labels if label.name == "Customer")
    names = [label.name for label in found.linear.labels if label.parent_id == group]
    assert len(names) > 100 and len(set(names)) == len(names)
    assert set(names) <= set(found.accounts.values())
    assert {"Bug", "Feature"} <= {label.name for label in found.linear.labels if label.parent_id is None}


def test_members_are_known_to_the_chat_by_the_same_address() -> None:
    found = simulated()
    assert {user.email for user in found.linear.users} <= {user.email for user in found.slack.users}


@pytest.mark.parametrize("day", [*EARLIER_DAYS, LAST])
def test_nothing_is_stamped_after_the_end_of_the_last_day(day: date) -> None:
    found, end = simulated(as_of=day), cutoff(day)
    for entity in entities(found):
        assert entity.created_at <= entity.updated_at < end
        assert entity.archived_at is None or entity.archived_at < end
    for issue in found.linear.issues:
        assert max(change.created_at for change in issue.history) < end
    for cycle in found.linear.cycles:
        assert (cycle.completed_at is None) == (cycle.ends_at >= end)
    assert all(0.0 <= cycle.progress <= 1.0 for cycle in found.linear.cycles)
    assert all(0.0 <= project.progress <= 1.0 for project in found.linear.projects)


def test_cycles_follow_each_other_for_two_weeks_each() -> None:
    linear = simulated().linear
    for team in linear.teams:
        cycles = [cycle for cycle in linear.cycles if cycle.team_id == team.id]
        assert [cycle.number for cycle in cycles] == list(range(1, len(cycles) + 1))
        assert all(a.ends_at == b.starts_at for a, b in pairwise(cycles))
        assert all(abs(c.ends_at - c.starts_at - timedelta(days=14)) <= timedelta(hours=1) for c in cycles)


def test_teams_differ_in_their_pace() -> None:
    linear = simulated().linear
    pace: dict[str, list[float]] = {team.key: [] for team in linear.teams}
    keys = {team.id: team.key for team in linear.teams}
    for issue in linear.issues:
        if issue.completed_at and issue.started_at:
            pace[keys[issue.team_id]].append((issue.completed_at - issue.created_at) / timedelta(days=1))
    medians = {key: median(days) for key, days in pace.items()}
    assert medians["PLAT"] > 1.2 * medians["FLOW"]
    assert all(4 < days < 30 for days in medians.values())
    assert len(pace["FLOW"]) > 1.2 * len(pace["APPS"])


def test_archiving_comes_after_the_last_touch_and_does_not_count_as_one() -> None:
    archived = [issue for issue in simulated().linear.issues if issue.archived_at is not None]
    assert len(archived) > 1_500
    assert all(issue.archived_at is not None and issue.archived_at > issue.updated_at for issue in archived)
    assert any(issue.trashed for issue in archived)


def test_some_bugs_are_reopened() -> None:
    found = simulated()
    types = state_types(found)
    reopened = [
        i for i in found.linear.issues if any(types.get(str(c.from_state_id)) == "completed" for c in i.history)
    ]
    assert 40 < len(reopened) < 300


@pytest.mark.parametrize("seed", [1, 2, 42])
def test_bugs_of_an_account_rise_before_it_is_at_risk(seed: int) -> None:
    found = simulated(seed)
    labels = {label.id: label.name for label in found.linear.labels}
    filed: dict[str, list[datetime]] = {}
    for issue in found.linear.issues:
        names = {labels[id_] for id_ in issue.label_ids}
        for name in names if "Bug" in names else ():
            filed.setdefault(name, []).append(issue.created_at)
    usual = rising = 0
    for story in found.stories("account_at_risk"):
        since = date.fromisoformat(story.detail["echoes"]["linear"]["bugs_rise_from"])
        assert since < story.visible_from
        days = [moment.date() for moment in filed.get(story.subject_name, [])]
        rising += sum(since <= day < since + timedelta(days=45) for day in days)
        usual += sum(since - timedelta(days=45) <= day < since for day in days)
    assert rising > 4 * max(usual, len(found.stories("account_at_risk")) // 2)


def test_titles_are_filled_in_and_varied() -> None:
    titles = Counter(issue.title for issue in simulated().linear.issues)
    assert not any(re.search(r"[{}]", title) for title in titles)
    assert len(titles) > 1_200
