"""A CRM that nobody here made goes all the way to a briefing; its figures are those of pandas on the CSV files."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sophia_assets.home import CompanyIdentity
from sophia_assets.sources import registry
from sophia_assets_tests.end_to_end.reads import read_day
from sophia_assets_tests.end_to_end.shown_values import shown
from sophia_assets_tests.end_to_end.whole_runs import REPOSITORY, WholeRun, once_per_session, run_whole

FOLDER = REPOSITORY.parent / "shared" / "data" / "crm_opportunities"
DAY = "2017-12-31"
QUARTERS = ["2016Q4", "2017Q1", "2017Q2", "2017Q3", "2017Q4"]

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.takes(60),
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the public CRM's files are not at {FOLDER}"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    def build(home: Path) -> WholeRun:
        return run_whole(home, "--data", str(FOLDER), "--date", DAY)

    return once_per_session(tmp_path_factory, "real-crm", build)


@pytest.fixture(scope="module")
def facts(run: WholeRun) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    return run.facts()


@pytest.fixture(scope="module")
def deals() -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "sales_pipeline.csv", dtype={"close_value": "float64"})
    return frame.assign(quarter=pd.to_datetime(frame["close_date"]).dt.to_period("Q").astype(str))


def test_every_opportunity_is_in_the_warehouse_in_its_stage(run: WholeRun) -> None:
    counts = dict(run.query("SELECT stage_id, count(*) FROM hubspot.deals WHERE _deleted_at IS NULL GROUP BY 1"))
    assert counts == {"won": 4238, "lost": 2473, "engaging": 1589, "prospecting": 500}
    assert run.result["rows"]["hubspot.deals"] == 8800


def test_won_and_lost_deals_and_their_value_are_right_in_every_quarter(
    facts: dict[Any, dict[str, Any]], deals: pd.DataFrame
) -> None:
    series = sorted(period for metric, period, *_ in facts if metric == "deals_won" and period.startswith("quarter."))
    assert series == [f"quarter.{quarter[:4]}-q{quarter[5]}" for quarter in QUARTERS]
    for quarter, period in zip(QUARTERS, series, strict=True):
        closed = deals[deals["quarter"] == quarter]
        won, lost = closed[closed["deal_stage"] == "Won"], closed[closed["deal_stage"] == "Lost"]
        assert facts["deals_won", period, "", ""]["value"] == len(won)
        assert facts["deals_lost", period, "", ""]["value"] == len(lost)
        assert facts["bookings", period, "", ""]["value"] == won["close_value"].sum()
        if len(closed):
            rate = Fraction(len(won), len(closed))
            assert facts["win_rate", period, "", ""]["display"] == shown(rate, "percent")
            mean = Fraction(int(won["close_value"].sum()), len(won))
            assert facts["average_deal_size", period, "", ""]["display"] == shown(mean, "usd")
        else:
            assert ("win_rate", period, "", "") not in facts


def test_the_quarter_to_date_is_compared_to_the_quarter_before(
    facts: dict[Any, dict[str, Any]], deals: pd.DataFrame
) -> None:
    won = deals[deals["deal_stage"] == "Won"].groupby("quarter")["close_value"].agg(["sum", "count"])
    bookings, count = facts["bookings", "qtd", "", ""], facts["deals_won", "qtd", "", ""]
    assert (bookings["value"], bookings["previous"]) == (won.loc["2017Q4", "sum"], won.loc["2017Q3", "sum"])
    assert (count["value"], count["previous"]) == (won.loc["2017Q4", "count"], won.loc["2017Q3", "count"])


def test_open_deals_are_counted_by_stage_and_their_unknown_value_is_not_called_zero(
    facts: dict[Any, dict[str, Any]],
) -> None:
    assert facts["open_deals", "as_of", "", ""]["value"] == 1589 + 500
    assert facts["open_deals", "as_of", "stage", "engaging"]["value"] == 1589
    assert facts["open_deals", "as_of", "stage", "prospecting"]["value"] == 500
    # No open opportunity of this CRM has a value.
    assert ("pipeline_value", "as_of", "", "") not in facts


@pytest.mark.parametrize(("dimension", "column"), [("account", "account"), ("owner", "sales_agent")])
def test_the_quarter_s_top_accounts_and_owners_are_right_in_value_and_order(
    run: WholeRun, facts: dict[Any, dict[str, Any]], deals: pd.DataFrame, dimension: str, column: str
) -> None:
    won = deals[(deals["quarter"] == "2017Q4") & (deals["deal_stage"] == "Won")]
    values = won.groupby(column)["close_value"].sum()
    found = [fact for key, fact in facts.items() if key[:3] == ("bookings", "qtd", dimension)]
    ranked = [(fact["dimensions"][dimension], fact["value"]) for fact in sorted(found, key=lambda fact: fact["rank"])]
    assert len(values) > 25
    best = sorted(values.items(), key=lambda item: (-item[1], str(item[0])))
    assert [item for item in ranked if item[1] > 0] == best
    total = Fraction(int(won["close_value"].sum()))
    for fact in found[:10]:
        assert fact["share_display"] == shown(Fraction(int(fact["value"])) / total, "percent")


def test_the_briefing_tells_the_quarter_s_figures(run: WholeRun, deals: pd.DataFrame) -> None:
    closed = deals[deals["quarter"] == "2017Q4"]
    won = closed[closed["deal_stage"] == "Won"]
    leader = won.groupby("sales_agent")["close_value"].sum().sort_values(ascending=False)
    sentences = [s["text"] for section in run.briefing()["sections"] for s in section["sentences"]]
    text = " ".join(sentences)
    assert f"We booked {shown(Fraction(int(won['close_value'].sum())), 'usd')} so far this quarter" in text
    assert f"won {len(won):,} deals and lost {len(closed) - len(won):,}" in text
    assert f"a win rate of {shown(Fraction(len(won), len(closed)), 'percent')}" in text
    assert f"{leader.index[0]} brought in {shown(Fraction(int(leader.iloc[0])), 'usd')}" in text


def test_the_briefing_says_which_systems_are_not_connected(run: WholeRun) -> None:
    briefing = run.briefing()
    assert {source["system"] for source in briefing["excluded_sources"]} == set(registry.SYSTEMS) - {"hubspot"}
    text = run.text()
    assert "Gong is not connected" in text
    assert "Snowflake is not connected" in text


def test_a_first_run_for_a_past_day_knows_every_deal_of_that_day(
    tmp_path_factory: pytest.TempPathFactory, deals: pd.DataFrame
) -> None:
    day = "2017-06-30"
    company = CompanyIdentity("exports", data_dir=str(FOLDER), timezone="UTC")
    found = read_day(tmp_path_factory.mktemp("real-crm-in-june"), date.fromisoformat(day), company).facts()

    engaged, closed = deals["engage_date"] <= day, deals["close_date"] <= day
    still_open = (engaged & ~closed) | (deals["deal_stage"] == "Prospecting")
    won = deals[closed & (deals["close_date"] >= "2017-04-01") & (deals["deal_stage"] == "Won")]
    assert found["open_deals", "as_of", "", ""]["value"] == int(still_open.sum())
    assert found["deals_won", "qtd", "", ""]["value"] == len(won)
    assert Fraction(found["bookings", "qtd", "", ""]["value"]) == Fraction(won["close_value"].sum())
