"""Delivery: issues, the states they went through and the results of cycles, recomputed from Linear's raw tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from sophia_assets_tests.warehouse.models.days import local_day
from sophia_assets_tests.warehouse.models.loaded_company import Tables
from sophia_assets_tests.warehouse.models.planting import Planting

OPEN_TYPES = {"triage", "backlog", "unstarted", "started"}
TO_DO = {"unstarted", "started"}
START = datetime(2025, 3, 3, 9, tzinfo=UTC)


def issue_accounts(company: Tables) -> pd.DataFrame:
    labels = company.raw("linear.labels")
    customers = labels[labels["parent_name"] == "Customer"]
    companies = company.raw("hubspot.companies").rename(columns={"company_id": "account_id"})
    named = customers.merge(companies, on="name")[["label_id", "account_id"]]
    return company.raw("linear.issue_labels").merge(named, on="label_id")[["issue_id", "account_id"]]


def bugs(company: Tables) -> set[str]:
    labels = company.raw("linear.issue_labels")
    return set(labels.loc[labels["label_name"] == "Bug", "issue_id"])


def test_issues_are_those_of_linear_with_their_account_days_and_durations(company: Tables) -> None:
    raw = company.raw("linear.issues")
    raw = raw[~raw["trashed"].fillna(False).astype(bool)].set_index("issue_id").sort_index()
    made = company.mart("marts.issues").set_index("issue_id").sort_index()
    assert list(made.index) == list(raw.index)
    accounts = issue_accounts(company).set_index("issue_id")["account_id"]
    assert accounts.index.is_unique, "in the simulated company an issue is about one customer at most"
    assert made["account_id"].dropna().to_dict() == {k: v for k, v in accounts.to_dict().items() if k in raw.index}
    assert made["accounts"].sum() == made["account_id"].notna().sum() > 0
    names = company.raw("hubspot.companies").set_index("company_id")["name"]
    assert made["account"].dropna().to_dict() == made["account_id"].dropna().map(names).to_dict()
    teams = company.raw("linear.teams").set_index("team_id")["name"]
    pd.testing.assert_series_equal(made["team"], raw["team_id"].map(teams), check_names=False)
    assert set(made.index[made["is_bug"]]) == bugs(company) & set(raw.index)
    pd.testing.assert_series_equal(made["is_open"], raw["state_type"].isin(OPEN_TYPES), check_names=False)
    for day, moment in (("created_on", "created_at"), ("started_on", "started_at"), ("completed_on", "completed_at")):
        pd.testing.assert_series_equal(made[day], local_day(raw[moment]), check_names=False)
    for days, begin in (("cycle_days", "started_at"), ("lead_days", "created_at")):
        expected = (raw["completed_at"].dt.floor("s") - raw[begin].dt.floor("s")).dt.total_seconds() / 86400
        pd.testing.assert_series_equal(made[days], expected, check_names=False, atol=1e-9)


def versions_of(company: Tables) -> pd.DataFrame:
    """The states of issues as their history tells them, one move after the other."""
    issues = company.raw("linear.issues").set_index("issue_id")
    rows: list[dict[str, Any]] = []
    for issue_id, moves in company.raw("linear.issue_history").groupby("issue_id"):
        issue = issues.loc[str(issue_id)]
        ordered = moves.sort_values("changed_at").to_dict(orient="records")
        if pd.notna(ordered[0]["from_state_id"]) and issue["created_at"] < ordered[0]["changed_at"]:
            ordered.insert(0, {"changed_at": issue["created_at"], "to_state_id": ordered[0]["from_state_id"]})
        ends = [move["changed_at"] for move in ordered[1:]]
        ends.append(issue["archived_at"] if issue["trashed"] else pd.NaT)
        rows += [
            {"issue_id": issue_id, "state_id": move["to_state_id"], "valid_from": move["changed_at"], "valid_to": end}
            for move, end in zip(ordered, ends, strict=True)
        ]
    return pd.DataFrame(rows).astype({"valid_from": "datetime64[us]", "valid_to": "datetime64[us]"})


def test_issue_states_are_the_moves_that_linear_tells(company: Tables) -> None:
    states = company.raw("linear.workflow_states").set_index("state_id")
    expected = versions_of(company)
    expected["state"] = expected["state_id"].map(states["name"])
    expected["state_type"] = expected["state_id"].map(states["type"])
    keys = ["issue_id", "valid_from"]
    expected = expected.drop(columns="state_id").sort_values(keys).reset_index(drop=True)
    made = company.mart("marts.issue_states").sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(made[expected.columns], expected, check_dtype=False)
    assert set(made.loc[made["is_bug"], "issue_id"]) == bugs(company)


def test_the_current_version_of_each_issue_is_what_the_issue_says_now(company: Tables) -> None:
    now = company.mart("marts.issue_states").query("valid_to.isna()").set_index("issue_id").sort_index()
    issues = company.mart("marts.issues").set_index("issue_id").sort_index()
    for column in ("state", "state_type", "is_open", "is_bug", "team"):
        pd.testing.assert_series_equal(now[column], issues[column])
    done = now["state_type"] == "completed"
    for column in ("completed_on", "cycle_days", "lead_days"):
        pd.testing.assert_series_equal(now.loc[done, column], issues.loc[done, column])
        assert now.loc[~done, column].isna().all()


def test_an_issue_that_was_completed_before_and_opened_again_was_completed_then(planting: Planting) -> None:
    planting.rows(
        "linear.workflow_states",
        *({"state_id": f"s-{name}", "name": name, "type": name} for name in ("started", "completed")),
    )
    done, again = START + timedelta(days=3), START + timedelta(days=10)
    plant_issue(planting, 1, started_at=START, completed_at=again, state_id="s-completed", state_type="completed")
    path = [(done, "started", "completed"), (done + timedelta(days=1), "completed", "started")]
    path.append((again, "started", "completed"))
    planting.rows(
        "linear.issue_history",
        *(
            {
                "history_id": f"h{place}",
                "issue_id": "issue-1",
                "changed_at": moment,
                "from_state_id": f"s-{before}",
                "to_state_id": f"s-{after}",
            }
            for place, (moment, before, after) in enumerate(path)
        ),
    )
    made = planting.model("marts.issue_states").sort_values("valid_from")
    assert made["cycle_days"].fillna(-1).tolist() == [-1, 3, -1, 10]


def test_cycle_results_follow_from_the_states_of_the_teams_issues(company: Tables) -> None:
    states = company.mart("marts.issue_states").merge(company.raw("linear.issues")[["issue_id", "team_id"]])
    newest = company.raw("linear.issues")["updated_at"].max()
    cycles = company.raw("linear.cycles")
    cycles = cycles[cycles["starts_at"] <= newest].set_index("cycle_id")
    made = company.mart("marts.cycle_results").set_index("cycle_id")
    assert set(made.index) == set(cycles.index)
    assert made["is_over"].any() and not made["is_over"].all()
    for cycle_id, cycle in cycles.iterrows():
        starts, ends = cycle["starts_at"], cycle["ends_at"]
        of_team = states[states["team_id"] == cycle["team_id"]]
        to_do = of_team[of_team["state_type"].isin(TO_DO)]
        holds_at_start = (to_do["valid_from"] <= starts) & ~(to_do["valid_to"] <= starts)
        planned = set(to_do.loc[holds_at_start, "issue_id"])
        within = (to_do["valid_from"] > starts) & (to_do["valid_from"] < ends)
        holds_at_end = (to_do["valid_from"] < ends) & ~(to_do["valid_to"] < ends)
        done = of_team[of_team["state_type"] == "completed"]
        done = done[(done["valid_from"] >= starts) & (done["valid_from"] < ends)]
        completed = set(done["issue_id"])
        row = made.loc[str(cycle_id)]
        assert row["planned"] == len(planned)
        assert row["added"] == len(set(to_do.loc[within, "issue_id"]) - planned)
        assert row["completed"] == len(completed)
        assert row["completed_planned"] == len(completed & planned)
        assert row["carried_over"] == to_do.loc[holds_at_end, "issue_id"].nunique()
        assert row["points"] == done.drop_duplicates("issue_id")["estimate"].sum()
        assert round(row["per_week"], 6) == round(len(completed) / ((ends - starts) / timedelta(days=7)), 6)
        assert row["is_over"] == pd.notna(cycle["completed_at"])


def plant_issue(planting: Planting, number: int, **fields: Any) -> str:
    issue_id = f"issue-{number}"
    base: dict[str, Any] = {"issue_id": issue_id, "identifier": f"ENG-{number}", "title": "Made", "state_id": "s-todo"}
    base |= {"state_name": "Todo", "state_type": "unstarted", "created_at": START, "updated_at": START}
    planting.rows("linear.issues", {**base, **fields})
    return issue_id


def plant_labels(planting: Planting) -> None:
    planting.rows(
        "hubspot.companies",
        {"company_id": "1", "name": "Acme", "updated_at": START},
        {"company_id": "2", "name": "Bolt", "updated_at": START},
    )
    planting.rows(
        "linear.labels",
        {"label_id": "l-1", "name": "Acme", "parent_id": "g", "parent_name": "Customer"},
        {"label_id": "l-2", "name": "Bolt", "parent_id": "g", "parent_name": "Customer"},
        {"label_id": "l-3", "name": "Acme"},
        {"label_id": "l-4", "name": "Gone Ltd", "parent_id": "g", "parent_name": "Customer"},
    )


def test_an_issue_without_team_state_priority_or_label_has_a_row(planting: Planting) -> None:
    plant_issue(planting, 1, state_name=None, state_type=None)
    row = planting.model("marts.issues").iloc[0]
    assert (row["team"], row["state"], row["priority"], row["accounts"]) == ("No team", "Unknown", 0, 0)
    assert row["is_open"] and not row["is_bug"]
    assert pd.isna(row["account"]) and pd.isna(row["project"]) and pd.isna(row["cycle_days"])


def test_an_issue_belongs_to_an_account_only_by_one_label_of_the_customer_group(planting: Planting) -> None:
    plant_labels(planting)
    labelled = {1: ["l-1"], 2: ["l-1", "l-2"], 3: ["l-3"], 4: ["l-4"]}
    for number, labels in labelled.items():
        issue_id = plant_issue(planting, number)
        planting.rows(
            "linear.issue_labels", *({"issue_id": issue_id, "label_id": label, "label_name": "x"} for label in labels)
        )
    tables = planting.models()
    made = tables.mart("marts.issues").sort_values("identifier")
    assert made["accounts"].tolist() == [1, 2, 0, 0]
    assert made["account"].fillna("").tolist() == ["Acme", "", "", ""]
    assert len(tables.mart("staging.issue_accounts")) == 3


def test_what_was_thrown_away_or_deleted_is_no_issue_any_more_but_was_one(planting: Planting) -> None:
    thrown = START + timedelta(days=5)
    plant_issue(planting, 1, trashed=True, archived_at=thrown)
    plant_issue(planting, 2)
    planting.gone("linear.issues", ("issue-2",))
    plant_issue(planting, 3, archived_at=thrown, state_type="completed", completed_at=thrown)
    tables = planting.models()
    assert tables.mart("marts.issues")["identifier"].tolist() == ["ENG-3"]
    states = tables.mart("marts.issue_states").set_index("issue_id")["valid_to"]
    assert states["issue-1"] == thrown.replace(tzinfo=None)
    assert pd.notna(states["issue-2"]) and pd.isna(states["issue-3"])


def test_an_issue_without_history_has_always_been_in_its_present_state(planting: Planting) -> None:
    plant_issue(planting, 1)
    row = planting.model("marts.issue_states").iloc[0]
    assert (row["state"], row["valid_from"]) == ("Todo", pd.Timestamp(START.replace(tzinfo=None)))
    assert pd.isna(row["valid_to"]) and pd.isna(row["days"])


def test_moves_within_one_moment_leave_the_state_in_which_they_end(planting: Planting) -> None:
    planting.rows(
        "linear.workflow_states",
        *({"state_id": f"s-{name}", "name": name, "type": name} for name in ("backlog", "unstarted", "started")),
    )
    plant_issue(planting, 1, state_id="s-started", state_name="started", state_type="started")
    moment = START + timedelta(days=2)
    path = [("h2", "s-unstarted", "s-started"), ("h1", "s-backlog", "s-unstarted")]
    planting.rows(
        "linear.issue_history",
        *(
            {"history_id": key, "issue_id": "issue-1", "changed_at": moment, "from_state_id": a, "to_state_id": b}
            for key, a, b in path
        ),
    )
    made = planting.model("marts.issue_states").sort_values("valid_from")
    assert made["state"].tolist()[-1] == "started"
    assert len(made) == 2, "the state before the moves and the one after them"


def test_a_cycle_of_no_team_and_one_that_has_not_begun(planting: Planting) -> None:
    plant_issue(planting, 1, team_id="t-1")
    day = timedelta(days=1)
    planting.rows(
        "linear.cycles",
        {"cycle_id": "c-1", "number": 1, "starts_at": START - day, "ends_at": START + 13 * day},
        {"cycle_id": "c-2", "team_id": "t-1", "number": 2, "starts_at": START + day, "ends_at": START + 15 * day},
    )
    made = planting.model("marts.cycle_results")
    assert made["cycle_id"].tolist() == ["c-1"], "nothing is known yet of the time when the other begins"
    assert made.iloc[0]["team"] == "No team"
    assert made.iloc[0][["planned", "added", "completed", "carried_over", "points"]].tolist() == [0] * 5
