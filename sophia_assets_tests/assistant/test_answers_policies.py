"""Who may see what is decided before anything is read: roles, rows, briefings, names."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sophia_assets.access.principal import RowScope
from sophia_assets.access.roles import ROLES, may_see
from sophia_assets.assistant.interface import Answer, Intent, Reading, answer_as_json
from sophia_assets.home import Home
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.filters import Filter
from sophia_assets_tests.assistant.desk import Desk, desk_at, somebody


@pytest.fixture(scope="module")
def desk(finished_home: Home) -> Iterator[Desk]:
    with desk_at(finished_home) as made:
        yield made


@pytest.fixture(scope="module")
def industries(desk: Desk) -> list[str]:
    found = desk.rows("SELECT DISTINCT industry FROM marts.accounts WHERE status = 'customer' ORDER BY industry")
    return [str(row["industry"]) for row in found]


def _text(answer: Answer) -> str:
    return json.dumps(answer_as_json(answer), ensure_ascii=False)


@pytest.mark.parametrize("role", sorted(ROLES))
def test_what_a_role_does_not_see_is_denied_in_the_same_words_whatever_it_is(desk: Desk, role: str) -> None:
    said = set()
    for name in load_catalog().metrics:
        if not may_see(role, name):
            for intent in (Intent.VALUE, Intent.DEFINITION):
                answer = desk.answer(Reading(intent, (name,)), somebody(role))
                assert (answer.status, answer.results, answer.citations, answer.echo) == ("denied", (), (), {})
                said.add(answer.response)
    assert len(said) <= 1


def test_a_denial_is_the_same_for_an_account_that_exists_and_one_that_does_not(desk: Desk) -> None:
    there, nowhere = desk.customer(), Filter("account", ("0",), ("Nobody Ltd",))
    answers = [
        desk.answer(Reading(Intent.VALUE, ("mrr",), filters=(each,)), somebody("sales_leader"))
        for each in (there, nowhere)
    ]
    assert answers[0] == answers[1] and answers[0].status == "denied"


def test_one_denied_metric_denies_a_comparison(desk: Desk) -> None:
    reading = Reading(Intent.COMPARISON, ("bookings", "mrr"))
    assert desk.answer(reading, somebody("sales_leader")).status == "denied"


@pytest.mark.parametrize("role", ["sales_leader", "engineering_leader", "analyst", "auditor"])
def test_an_overview_names_nothing_that_the_role_may_not_see(desk: Desk, role: str) -> None:
    answer = desk.answer(Reading(Intent.OVERVIEW), somebody(role))
    hidden = {metric.label for name, metric in load_catalog().metrics.items() if not may_see(role, name)}
    labels = {each.label.split(":")[0].removesuffix(", before") for each in answer.citations}
    assert not labels & hidden
    assert not hidden & {str(row.get("metric")) for row in answer.results}


class TestWhoeverIsLimitedToAccounts:
    @pytest.fixture
    def rows(self, industries: list[str]) -> RowScope:
        return RowScope({"industry": frozenset({industries[0]})})

    def test_gets_the_figures_of_these_accounts_alone(self, desk: Desk, rows: RowScope, industries: list[str]) -> None:
        answer = desk.answer(Reading(Intent.VALUE, ("mrr",)), somebody(rows=rows))
        truth = desk.rows(f"SELECT SUM(mrr) AS mrr FROM marts.accounts WHERE industry = '{industries[0]}'")[0]["mrr"]
        assert float(str(answer.results[0]["number"])) == pytest.approx(float(str(truth)))
        assert "Only the accounts that you may see are counted." in answer.caveats

    def test_never_reads_a_briefing(self, desk: Desk, rows: RowScope) -> None:
        for reading in (
            Reading(Intent.VALUE, ("bookings",)),
            Reading(Intent.OVERVIEW),
            Reading(Intent.EXPLANATION, ("bookings",)),
        ):
            answer = desk.answer(reading, somebody(rows=rows))
            assert answer.answered_from == "data" and "briefing of" not in _text(answer)

    @pytest.mark.parametrize(
        "reading",
        [
            Reading(Intent.RANKING, ("mrr",), dimension="account", limit=50),
            Reading(Intent.BREAKDOWN, ("bookings",), dimension="deal"),
            Reading(Intent.BREAKDOWN, ("customer_health",), dimension="account"),
            Reading(Intent.EXPLANATION, ("mrr",)),
            Reading(Intent.EXPLANATION, ("bookings",), dimension="deal"),
            Reading(Intent.QUOTES),
            Reading(Intent.OVERVIEW),
        ],
        ids=lambda each: str(each.intent),
    )
    def test_is_told_no_name_of_another(
        self, desk: Desk, rows: RowScope, industries: list[str], reading: Reading
    ) -> None:
        text = _text(desk.answer(reading, somebody(rows=rows)))
        others = desk.rows(f"SELECT account FROM marts.accounts WHERE industry <> '{industries[0]}'")
        names = {str(row["account"]) for row in others}
        own = {
            str(row["account"])
            for row in desk.rows(f"SELECT account FROM marts.accounts WHERE industry = '{industries[0]}'")
        }
        assert not [name for name in names - own if name in text]

    def test_learns_nothing_of_an_account_outside(self, desk: Desk, rows: RowScope, industries: list[str]) -> None:
        row = desk.rows(
            f"SELECT account_id, account FROM marts.accounts WHERE industry <> '{industries[0]}' "
            "AND status = 'customer' ORDER BY mrr DESC LIMIT 1"
        )[0]
        outside = Filter("account", (str(row["account_id"]),), ("That one",))
        nobody = Filter("account", ("0",), ("That one",))
        for intent, metrics in (
            (Intent.VALUE, ("mrr",)),
            (Intent.OVERVIEW, ()),
            (Intent.TREND, ("mrr",)),
            (Intent.QUOTES, ()),
        ):
            answers = [
                desk.answer(Reading(intent, metrics, filters=(each,)), somebody(rows=rows))
                for each in (outside, nobody)
            ]
            assert answers[0].status == answers[1].status == "abstained"
            assert answers[0].response == answers[1].response

    def test_is_denied_what_cannot_be_told_apart_by_account(self, desk: Desk, rows: RowScope) -> None:
        assert desk.answer(Reading(Intent.VALUE, ("rows_held",)), somebody(rows=rows)).status == "denied"
        assert desk.answer(Reading(Intent.VALUE, ("sales_activities",)), somebody(rows=rows)).status == "denied"

    def test_who_may_see_no_account_at_all_is_told_no_figure_of_any(self, desk: Desk) -> None:
        nothing = RowScope({"account": frozenset()})
        answer = desk.answer(Reading(Intent.RANKING, ("mrr",), dimension="account"), somebody(rows=nothing))
        assert answer.status == "abstained"
