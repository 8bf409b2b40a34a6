"""What each kind of answer says, from facts only, and what is cited for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest

from sophia_assets.assistant.interface import Answer, Intent, Reading, answer_as_json
from sophia_assets.home import Home
from sophia_assets.insight.figures import find_figures
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.drill_down import Evidence
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.periods import period_for
from sophia_assets_tests.assistant.desk import Desk, desk_at, somebody
from sophia_assets_tests.finished_home import LAST_DAY


@pytest.fixture(scope="module")
def desk(finished_home: Home) -> Iterator[Desk]:
    with desk_at(finished_home) as made:
        yield made


def _shown(answer: Answer) -> set[str]:
    return {each.display for each in answer.citations}


class TestAValue:
    def test_is_told_with_its_period_its_move_and_what_it_is_held_against(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.VALUE, ("bookings",)), use_briefing=False)
        pattern = r"Bookings are \$\S+ so far this quarter, (up|down) \S+% from \$\S+ at the same point last quarter\."
        assert re.fullmatch(pattern, answer.response)
        assert answer.echo["period"]["start"] == "2026-10-01" and answer.echo["compared_to"]["start"] == "2026-07-01"
        assert answer.echo["metrics"][0]["label"] == "Bookings"

    def test_of_a_percentage_moves_in_points(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.VALUE, ("win_rate",)), use_briefing=False)
        assert re.search(r"(up|down) \S+ points? from \S+% at the same point", answer.response)

    @pytest.mark.parametrize("key", ["qtd.prev", "quarter.2025-q4.to.2025-11-20"])
    def test_held_against_another_year_does_not_call_it_the_last_quarter(self, desk: Desk, key: str) -> None:
        now = period_for("qtd", LAST_DAY)[0]
        year_ago = Period(key, date(2025, 10, 1), date(2025, 11, 20), "the same point of Q4 2025")
        answer = desk.answer(Reading(Intent.VALUE, ("bookings",), period=now, compared_to=year_ago))
        assert "at the same point of Q4 2025" in answer.response and "last quarter" not in answer.response

    def test_of_a_month_that_runs_says_that_it_does(self, desk: Desk) -> None:
        period = Period("month.2026-11", date(2026, 11, 1), LAST_DAY, "November 2026 to date")
        answer = desk.answer(Reading(Intent.VALUE, ("bookings",), period=period))
        assert "so far in November 2026" in answer.response
        assert "The current period is counted up to 20 November 2026." in answer.caveats

    @pytest.mark.parametrize(
        ("key", "start", "end", "said", "before"),
        [
            ("week.2026-11-16", date(2026, 11, 16), LAST_DAY, "so far in the week of", ("2026-11-09", "2026-11-13")),
            ("month.2026-11", date(2026, 11, 1), LAST_DAY, "so far in November", ("2026-10-01", "2026-10-20")),
            ("month.2026-10", date(2026, 10, 1), date(2026, 10, 31), "in October", ("2026-09-01", "2026-09-30")),
            ("last_45d", date(2026, 10, 7), LAST_DAY, "in the last 45 days", ("2026-08-23", "2026-10-06")),
            ("half.2026-h1", date(2026, 1, 1), date(2026, 6, 30), "from 1 January", ("2025-07-01", "2025-12-31")),
            ("day.2026-11-20", LAST_DAY, LAST_DAY, "on 20 November", ("2026-11-19", "2026-11-19")),
        ],
    )
    def test_is_held_against_as_many_days_of_the_time_before(
        self, desk: Desk, key: str, start: date, end: date, said: str, before: tuple[str, str]
    ) -> None:
        answer = desk.answer(Reading(Intent.VALUE, ("calls",), period=Period(key, start, end, "then")))
        assert said in answer.response
        compared = answer.echo["compared_to"]
        assert (compared["start"], compared["end"]) == before

    def test_of_any_two_days_is_held_against_nothing(self, desk: Desk) -> None:
        period = Period("range.2026-10-03.2026-10-19", date(2026, 10, 3), date(2026, 10, 19), "then")
        answer = desk.answer(Reading(Intent.VALUE, ("calls",), period=period))
        assert "compared_to" not in answer.echo and "from 3 October 2026 to 19 October 2026." in answer.response

    def test_of_a_time_that_is_over_is_told_in_the_past(self, desk: Desk) -> None:
        period = Period("month.2026-10", date(2026, 10, 1), date(2026, 10, 31), "October 2026")
        answer = desk.answer(Reading(Intent.VALUE, ("bookings",), period=period))
        assert answer.response.startswith("Bookings were ") and "in October 2026" in answer.response

    def test_of_one_account_is_about_it_and_tells_its_part_of_all(self, desk: Desk) -> None:
        account = desk.customer()
        answer = desk.answer(Reading(Intent.VALUE, ("mrr",), filters=(account,)))
        assert f"Monthly recurring revenue for {account.names[0]} is " in answer.response
        assert any(" in all." in each for each in answer.insights)

    def test_of_nobody_abstains(self, desk: Desk) -> None:
        nobody = Filter("account", ("no-such-account",), ("Nobody Ltd",))
        answer = desk.answer(Reading(Intent.VALUE, ("satisfaction_score",), filters=(nobody,)))
        assert answer.status == "abstained" and not answer.results and not answer.citations

    def test_before_the_data_begins_abstains_with_the_reason(self, desk: Desk) -> None:
        long_ago = Period("month.2020-01", date(2020, 1, 1), date(2020, 1, 31), "January 2020")
        answer = desk.answer(Reading(Intent.VALUE, ("bookings",), period=long_ago))
        assert answer.status == "abstained" and "begins on" in answer.response


class TestAComparison:
    def test_of_metrics_states_each_and_whether_they_moved_the_same_way(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.COMPARISON, ("bookings", "satisfaction_score")))
        assert "Bookings are" in answer.response and "Customer satisfaction is" in answer.response
        assert any("same way" in each or each.startswith(("Both", "All")) for each in answer.insights)
        assert any("do not say that one moves the other" in each for each in answer.caveats)
        assert len(answer.results) == 2

    def test_of_accounts_says_who_is_higher_and_by_how_much(self, desk: Desk) -> None:
        one, other = desk.customer(0), desk.customer(1)
        both = Filter("account", (*one.ids, *other.ids), (*one.names, *other.names))
        answer = desk.answer(Reading(Intent.COMPARISON, ("mrr",), filters=(both,)))
        first, second = answer.results
        gap = float(str(first["number"])) - float(str(second["number"]))
        assert {first["account"], second["account"]} == {one.names[0], other.names[0]}
        assert gap >= 0 and any(f"is ${gap:,.0f} higher than" in each or "level" in each for each in answer.insights)

    def test_of_times_tells_the_move(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.COMPARISON, ("bookings",)))
        assert re.match(r"Bookings (rose|fell) \$\S+ to \$\S+ so far this quarter, from ", answer.response)


class TestARanking:
    def test_names_the_first_and_what_the_others_come_to(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.RANKING, ("mrr",), dimension="account", limit=3))
        numbers = [float(str(row["number"])) for row in answer.results]
        assert numbers == sorted(numbers, reverse=True) and len(numbers) == 3
        assert answer.response.startswith("The top 3 accounts by monthly recurring revenue are ")
        assert any("the others come to" in each for each in answer.insights)

    def test_of_the_smallest_begins_with_the_smallest(self, desk: Desk) -> None:
        answer = desk.answer(
            Reading(Intent.RANKING, ("customer_health",), dimension="account", limit=3, order="smallest")
        )
        numbers = [float(str(row["number"])) for row in answer.results]
        assert numbers == sorted(numbers) and "lowest 3" in answer.response

    def test_of_one_names_it_alone(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.RANKING, ("bookings",), dimension="owner", limit=1))
        assert " has the highest bookings so far this quarter: $" in answer.response

    def test_of_what_is_only_known_of_the_company_abstains(self, desk: Desk) -> None:
        assert desk.answer(Reading(Intent.RANKING, ("active_accounts",))).status == "abstained"


class TestABreakdown:
    def test_gives_every_entity_a_row_and_tells_the_largest(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.BREAKDOWN, ("bookings",), dimension="industry"))
        total = desk.answer(Reading(Intent.VALUE, ("bookings",)), use_briefing=False).results[0]
        assert answer.response.startswith("Bookings by industry so far this quarter: ")
        numbers = [float(str(row["number"])) for row in answer.results]
        assert sum(numbers) == pytest.approx(float(str(total["number"])))


class TestATrend:
    def test_tells_first_last_high_and_low_and_gives_a_row_a_point(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.TREND, ("mrr",), grain="month"))
        numbers = {str(row["value"]): float(str(row["number"])) for row in answer.results}
        assert len(answer.results) == 12
        assert max(numbers, key=lambda each: numbers[each]) in answer.response
        assert min(numbers, key=lambda each: numbers[each]) in answer.response

    def test_is_the_trend_that_the_days_facts_have(self, desk: Desk) -> None:
        fact = desk.services.compute_facts(LAST_DAY).total("mrr", "as_of")
        answer = desk.answer(Reading(Intent.TREND, ("mrr",), grain="month"))
        assert fact is not None and fact.trend_display is not None and fact.trend_display in answer.response

    def test_of_few_points_says_that_none_can_be_told(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.TREND, ("bookings",), grain="quarter"))
        assert "trend" not in answer.response and any("no trend can be told" in each for each in answer.caveats)
        assert "So far in Q4 2026 it is $" in answer.response


class TestAnExplanation:
    def test_tells_where_the_move_lies_and_never_a_cause(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.EXPLANATION, ("bookings",)))
        assert "the largest part of the move is " in answer.response
        assert not re.search(r"(?i)\b(because|due to|caused by|driven|thanks to)\b", answer.response)
        assert "This says where the move lies, not what caused it." in answer.caveats

    def test_takes_the_move_apart_exactly(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.EXPLANATION, ("bookings",), dimension="owner"))
        facts = desk.services.compute_facts(LAST_DAY)
        whole = facts.total("bookings", "qtd")
        assert whole is not None and whole.delta is not None
        parts = {fact.subject: fact.delta or 0.0 for fact in facts.by("bookings", "qtd", "owner")}
        assert sum(parts.values()) == pytest.approx(whole.delta)
        told = [row for row in answer.results if row["by"] == "owner"]
        same_way = [row for row in told if row["direction"] == whole.direction]
        assert same_way[0]["name"] == max(
            (name for name, delta in parts.items() if delta * whole.delta > 0), key=lambda name: abs(parts[name])
        )


class TestAnOverview:
    def test_of_the_company_is_that_of_the_newest_briefing(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.OVERVIEW))
        content = desk.services.publisher.archive.read()
        assert answer.response == content["bottom_line"] and "briefing of 2026-11-20" in answer.answered_from

    def test_without_a_briefing_states_the_headlines(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.OVERVIEW), use_briefing=False)
        assert answer.answered_from == "data" and answer.response.startswith("Bookings are ")

    def test_of_an_account_tells_what_it_pays_and_when_somebody_last_spoke_with_it(self, desk: Desk) -> None:
        account = desk.customer()
        answer = desk.answer(Reading(Intent.OVERVIEW, filters=(account,)))
        assert account.names[0] in answer.response and "last contact was on" in answer.response
        assert {"Monthly recurring revenue", "Customer health"} <= {str(row["metric"]) for row in answer.results}

    def test_of_an_account_keeps_to_what_a_role_may_see(self, desk: Desk) -> None:
        account = desk.customer()
        answer = desk.answer(Reading(Intent.OVERVIEW, filters=(account,)), somebody("sales_leader"))
        assert answer.status == "answered"
        metrics = load_catalog().metrics
        confidential = {metric.label for metric in metrics.values() if metric.sensitivity != "internal"}
        assert not confidential & {str(row["metric"]) for row in answer.results}
        assert "renews" not in str(answer_as_json(answer))


class TestQuotes:
    def test_stand_letter_by_letter_in_their_records(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.QUOTES))
        assert answer.status == "answered" and answer.results
        texts = {str(row["text"]) for row in desk.rows("SELECT text FROM gong.transcripts")}
        texts |= {str(row["text"]) for row in desk.rows("SELECT text FROM slack.messages")}
        assert all(any(str(row["quote"]) in text for text in texts) for row in answer.results)
        assert all(row["said_by"] in ("the customer", "our side") for row in answer.results)

    def test_are_not_for_those_who_see_no_customers(self, desk: Desk) -> None:
        assert desk.answer(Reading(Intent.QUOTES), somebody("engineering_leader")).status == "denied"

    def test_about_what_nobody_said_abstain(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.QUOTES, search=("xylophone",)))
        assert answer.status == "abstained"


class TestThePlatformItself:
    @pytest.mark.parametrize("name", sorted(load_catalog().metrics))
    def test_every_metric_is_defined_in_words(self, desk: Desk, name: str) -> None:
        metric = load_catalog().metrics[name]
        answer = desk.answer(Reading(Intent.DEFINITION, (name,)))
        assert answer.response.startswith(f"{metric.label}: {metric.description}")
        assert "owned by the" in answer.response and "  " not in answer.response

    def test_freshness_has_a_row_for_each_system(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.FRESHNESS))
        assert {row["system"] for row in answer.results} >= {"HubSpot", "Gong", "Slack"}
        assert "The data reaches to the end of 20 November 2026." in answer.response

    def test_freshness_tells_what_is_not_read(self, desk: Desk) -> None:
        standing = desk.lookout.look(desk.data)
        broken = replace(
            standing,
            systems=tuple(
                replace(each, circuit="open since 09:00") if each.system == "gong" else each
                for each in standing.systems
            ),
        )
        answer = desk.answer(Reading(Intent.FRESHNESS), standing=broken)
        assert "Gong is not being read at the moment" in answer.response
        calls = desk.answer(Reading(Intent.VALUE, ("calls",)), standing=broken)
        assert any("Gong is not being read" in each for each in calls.caveats)

    def test_help_names_the_areas_of_the_role_alone(self, desk: Desk) -> None:
        answer = desk.answer(Reading(Intent.HELP), somebody("engineering_leader"))
        assert "delivery" in answer.response and "recurring revenue" not in answer.response


ANSWERED = [
    Reading(Intent.VALUE, ("bookings",)),
    Reading(Intent.VALUE, ("satisfaction_score",)),
    Reading(Intent.COMPARISON, ("bookings", "pipeline_value")),
    Reading(Intent.RANKING, ("bookings",), dimension="owner", limit=4),
    Reading(Intent.BREAKDOWN, ("pipeline_value",), dimension="stage"),
    Reading(Intent.TREND, ("bookings",), grain="month"),
    Reading(Intent.EXPLANATION, ("mrr",)),
    Reading(Intent.OVERVIEW, ("bookings", "mrr")),
]


@pytest.mark.parametrize("reading", ANSWERED, ids=lambda each: f"{each.intent}-{each.metrics[0]}")
class TestEveryAnswer:
    def test_shows_no_figure_that_is_not_cited_and_rounded_by_the_facts(self, desk: Desk, reading: Reading) -> None:
        answer = desk.answer(reading, use_briefing=False)
        asked = desk.asked(reading, use_briefing=False)
        from sophia_assets.assistant.answers.answering import _KINDS

        facts = _KINDS[reading.intent](asked).facts.values()
        known = {
            shown
            for fact in facts
            for shown in (
                *(fact.display, fact.previous_display, fact.delta_display, fact.change_display, fact.share_display),
                *(fact.target_display, fact.run_rate_display, fact.trend_display),
            )
            if shown
        }
        text = answer.response
        for shown in sorted(known, key=len, reverse=True):
            text = text.replace(shown, "")
        left = [figure.text for figure in find_figures(text) if figure.unit in ("usd", "percent", "points")]
        assert not left

    def test_cites_each_fact_with_evidence_that_finds_its_rows(self, desk: Desk, reading: Reading) -> None:
        answer = desk.answer(reading)
        assert answer.citations
        for each in answer.citations:
            assert each.sources and each.query_hash and each.display
            if not each.id.startswith("derived."):
                assert Evidence.from_parameters(dict(each.evidence)).metric in load_catalog().metrics

    def test_says_the_same_twice(self, desk: Desk, reading: Reading) -> None:
        assert desk.answer(reading) == desk.answer(reading)


class TestTheNewestBriefing:
    def test_is_the_source_of_what_it_has_published(self, desk: Desk) -> None:
        briefing = desk.briefing(somebody())
        assert briefing is not None
        answer = desk.answer(Reading(Intent.COMPARISON, ("bookings",)))
        fact = briefing.find("bookings", "qtd")
        assert fact is not None and fact.display in answer.response
        assert answer.answered_from == "briefing of 2026-11-20"

    def test_agrees_with_the_data_in_every_fact_that_can_be_asked(self, desk: Desk) -> None:
        briefing = desk.briefing(somebody())
        assert briefing is not None
        for fact in briefing.facts.values():
            if fact.dimensions or "." in fact.period.key:
                continue
            reading = Reading(Intent.VALUE, (fact.metric,), period=fact.period, compared_to=fact.previous_period)
            from_data = desk.answer(reading, use_briefing=False).results[0]
            assert (from_data["value"], from_data.get("previous")) == (fact.display, fact.previous_display)
