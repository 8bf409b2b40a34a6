"""Linear's files in a folder of exports: the native layout, and Linear's own CSV."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import LinearData
from sophia_assets.sandbox.exports import load_exports
from sophia_assets.sandbox.standins.linear.nodes import build_graph

NATIVE = {
    "linear/teams.csv": "team_id,key,name\nt1,ENG,Engineering\n",
    "linear/states.csv": "state_id,team_id,name,type,position\ns1,t1,Todo,unstarted,1\ns2,t1,Done,completed,2\n",
    "linear/users.csv": "user_id,name,email,active\nu1,Una Maker,una@b.example,no\n",
    "linear/labels.csv": "label_id,name,parent_id\nl1,Customer,\nl2,Acme,l1\n",
    "linear/projects.csv": "project_id,name,state_type,progress,target_date\np1,Speed,started,0.5,2026-04-01\n",
    "linear/cycles.csv": "cycle_id,team_id,number,starts_at\nc1,t1,7,2026-01-05\n",
    "linear/issues.csv": (
        "issue_id,identifier,team_id,state_id,title,priority,estimate,label_ids,project_id,cycle_id,assignee_id,"
        "created_at,updated_at,completed_at,archived_at,due_date\n"
        "i1,ENG-12,t1,s2,It broke,1,3,l1 l2,p1,c1,u1,2026-01-02T09:00:00Z,2026-01-09T09:00:00Z,2026-01-09T08:00:00Z,,\n"
        "i2,ENG-13,t1,s1,It is slow,0,,,,,,2026-01-03T09:00:00Z,,,2026-01-20T09:00:00Z,2026-03-01\n"
    ),
    "linear/issue_history.csv": "issue_id,to_state_id,from_state_id,changed_at\ni1,s2,s1,2026-01-09T08:00:00Z\n",
}

OWN = (
    '"ID","Team","Title","Description","Status","Estimate","Priority","Project ID","Project","Creator","Assignee",'
    '"Labels","Cycle Number","Cycle Name","Cycle Start","Cycle End","Created","Updated","Started","Completed",'
    '"Canceled","Archived","Due Date","Parent issue","UUID"\n'
    '"ENG-1","Engineering","It broke","Badly, and often","Done","3","Urgent","p-1","Speed","una@b.example","Otto",'
    '"Bug, Acme","4","Four","Mon Jan 05 2026 00:00:00 GMT+0000 (GMT)","Mon Jan 19 2026 00:00:00 GMT+0000 (GMT)",'
    '"Fri Jan 02 2026 10:00:00 GMT+0100 (CET)","2026-01-09T09:00:00.000Z","2026-01-05T09:00:00.000Z",'
    '"2026-01-09T08:00:00.000Z","","","2026-02-01","","11111111-0000-4000-8000-000000000001"\n'
    '"ENG-2","Engineering","A part of it","","Waiting","","No priority","","","","","","","","","",'
    '"2026-01-03T09:00:00.000Z","","","","","2026-01-20T09:00:00.000Z","","ENG-1",""\n'
)


def load(folder: Path, files: dict[str, str]) -> LinearData:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    found = load_exports(folder, timezone="UTC").linear
    assert found
    # What is loaded can be served.
    build_graph(found)
    return found


def test_the_native_layout_is_read_as_it_is_written(tmp_path: Path) -> None:
    found = load(tmp_path, NATIVE)
    issue = found.issues[0]

    assert (issue.id, issue.number, issue.state_id, issue.priority, issue.estimate) == ("i1", 12, "s2", 1, 3.0)
    assert (issue.label_ids, issue.project_id, issue.cycle_id, issue.assignee_id) == (["l1", "l2"], "p1", "c1", "u1")
    assert [(move.from_state_id, move.to_state_id) for move in issue.history] == [("s1", "s2")]
    assert found.issues[1].archived_at == datetime(2026, 1, 20, 9, tzinfo=UTC)
    assert found.issues[1].due_date == date(2026, 3, 1)
    assert [(label.name, label.parent_id) for label in found.labels] == [("Customer", None), ("Acme", "l1")]
    assert (found.cycles[0].number, found.projects[0].progress, found.users[0].active) == (7, 0.5, False)


def test_a_history_spans_what_happened_and_not_what_is_planned(tmp_path: Path) -> None:
    load(tmp_path, NATIVE)
    found = load_exports(tmp_path, timezone="UTC")

    assert (found.first_day, found.last_day) == (date(2026, 1, 2), date(2026, 1, 20))


def test_issues_alone_make_their_teams_states_and_moves(tmp_path: Path) -> None:
    found = load(
        tmp_path, {"linear/issues.csv": NATIVE["linear/issues.csv"].replace("s2", "Done").replace("s1", "Todo")}
    )

    assert [(team.id, team.key) for team in found.teams] == [("t1", "T1")]
    assert [(state.name, state.type) for state in found.states] == [("Done", "completed"), ("Todo", "unstarted")]
    assert [(move.from_state_id, move.to_state_id) for move in found.issues[0].history] == [
        (None, "Todo"), ("Todo", "Done"),
    ]  # fmt: skip


def test_an_issue_without_a_team_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"linear/issues.csv has no column team_id"):
        load(tmp_path, {"linear/issues.csv": "issue_id,state_id,created_at\ni1,s1,2026-01-02\n"})


@pytest.mark.parametrize("name", ["Export Fri Jan 30 2026.csv", "linear/export.csv", "linear/issues.csv"])
def test_linears_own_export_is_recognised_by_its_header(name: str, tmp_path: Path) -> None:
    found = load(tmp_path, {name: OWN})
    first, second = found.issues

    assert [(team.key, team.name) for team in found.teams] == [("ENG", "Engineering")]
    assert (first.id, first.number, first.priority, first.estimate, first.project_id) == (
        "11111111-0000-4000-8000-000000000001", 1, 1, 3.0, "p-1",
    )  # fmt: skip
    assert first.created_at == datetime(2026, 1, 2, 9, tzinfo=UTC)
    assert {label.name for label in found.labels if label.id in first.label_ids} == {"Bug", "Acme"}
    assert {user.name: user.email for user in found.users} == {"una@b.example": "una@b.example", "Otto": ""}
    assert (found.cycles[0].number, found.cycles[0].name) == (4, "Four")
    assert found.cycles[0].ends_at == datetime(2026, 1, 19, tzinfo=UTC)
    assert {state.name: state.type for state in found.states} == {"Done": "completed", "Waiting": "unstarted"}
    assert (second.parent_id, second.priority, second.label_ids) == (first.id, 0, [])
    assert second.archived_at == datetime(2026, 1, 20, 9, tzinfo=UTC)


def test_linears_own_export_gives_the_same_ids_every_time(tmp_path: Path) -> None:
    one = load(tmp_path / "one", {"a.csv": OWN})
    other = load(tmp_path / "other", {"b.csv": OWN})

    assert [issue.id for issue in one.issues] == [issue.id for issue in other.issues]
    assert [label.id for label in one.labels] == [label.id for label in other.labels]


def test_an_export_of_few_columns_is_enough(tmp_path: Path) -> None:
    found = load(tmp_path, {"export.csv": "ID,Team,Title,Status,Created\nENG-1,Engineering,It broke,Todo,2026-01-02\n"})

    assert [(issue.number, issue.title) for issue in found.issues] == [(1, "It broke")]
