"""Figures on demand: the day's own facts again where there are any, and any other metric, period, filter, breakdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sophia_assets.home import Home
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.computation import compute_facts
from sophia_assets.metrics.facts import Fact, FactSet, Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.on_demand import Unmeasurable, dimensions_of, measure, measure_series
from sophia_assets.metrics.periods import period_for, series_periods
from sophia_assets.warehouse.models import load_models
from sophia_assets.warehouse.reading import Reading
from sophia_assets_tests.finished_home import FIRST_DAY, services_of

_ODD_TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["'; DROP TABLE marts.accounts; --", "O'Brien", "\\", "\\'", "''", "%s", "?", "$1", "a\0b", "\n"]),
)


@pytest.fixture(scope="module")
def reading(finished_home: Home) -> Iterator[Reading]:
    services = services_of(finished_home)
    yield services.readings.current("executive")
    services.close()


@pytest.fixture(scope="module")
def facts(reading: Reading) -> FactSet:
    return compute_facts(reading, reading.catalog, load_models(), reading.context)


def _metric(reading: Reading, name: str) -> Metric:
    return reading.catalog.metrics[name]


def _filter(dimension: str, *ids: str, is_excluded: bool = False) -> Filter:
    return Filter(dimension, ids, ids, is_excluded)


def _comparable(fact: Fact) -> Fact:
    """Without what tells the query from another one, and the course, which the day's facts add to one of them."""
    return replace(fact, query_hash="", trend=None, trend_display=None, trend_slope=None)


def _values(found: list[Fact]) -> dict[str, float]:
    return {next(iter(fact.entity_ids.values())): fact.value for fact in found}


def test_every_fact_of_a_day_is_measured_alike_on_demand(reading: Reading, facts: FactSet) -> None:
    measured: list[Fact] = []
    for metric in reading.catalog.metrics.values():
        for key in metric.periods:
            measured += measure(reading, metric, *period_for(key, reading.day))
        for grain in metric.series:
            measured += measure_series(reading, metric, series_periods(grain, reading.day))
        for dimension, key in metric.breakdowns.items():
            measured += measure(reading, metric, *period_for(key, reading.day), dimension=dimension)
    assert len(measured) > 1000
    assert {fact.id: _comparable(fact) for fact in measured} == {fact.id: _comparable(fact) for fact in facts}


def test_without_a_period_it_is_the_metrics_own_first_one(reading: Reading, facts: FactSet) -> None:
    for metric in reading.catalog.metrics.values():
        if metric.periods:
            expected = facts.total(metric.name, metric.periods[0])
            assert [_comparable(fact) for fact in measure(reading, metric)] == (
                [_comparable(expected)] if expected else []
            )
        for dimension, key in metric.breakdowns.items():
            ids = [fact.id for fact in measure(reading, metric, dimension=dimension)]
            assert ids == [fact.id for fact in facts.by(metric.name, key, dimension)]


def test_every_metric_can_be_had_by_each_of_its_dimensions(reading: Reading) -> None:
    for metric in reading.catalog.metrics.values():
        for dimension in dimensions_of(reading.catalog, metric):
            ranks = [fact.rank for fact in measure(reading, metric, dimension=dimension, limit=3)]
            assert ranks == [1, 2, 3][: len(ranks)]


def test_a_value_narrowed_to_an_entity_is_that_of_the_breakdown(reading: Reading) -> None:
    for name, dimension in [
        ("mrr", "account"),
        ("pipeline_value", "stage"),
        ("open_bugs", "team"),
        ("talk_share", "owner"),
    ]:
        metric = _metric(reading, name)
        for of_breakdown in measure(reading, metric, dimension=dimension, limit=4):
            ids = of_breakdown.entity_ids
            (narrowed,) = measure(reading, metric, filters=[Filter(dimension, (ids[dimension],), ("It",))])
            assert (narrowed.value, narrowed.display, narrowed.delta_display, narrowed.direction) == (
                of_breakdown.value,
                of_breakdown.display,
                of_breakdown.delta_display,
                of_breakdown.direction,
            )
            assert (narrowed.dimensions, narrowed.entity_ids) == ({dimension: "It"}, {dimension: ids[dimension]})
            assert narrowed.id != of_breakdown.id


def test_what_is_left_out_and_what_is_kept_make_up_the_whole(reading: Reading) -> None:
    metric = _metric(reading, "mrr")
    (whole,) = measure(reading, metric)
    some = tuple(_values(measure(reading, metric, dimension="account", limit=5)))
    (kept,) = measure(reading, metric, filters=[_filter("account", *some)])
    (left,) = measure(reading, metric, filters=[_filter("account", *some, is_excluded=True)])
    assert Decimal(str(kept.value)) + Decimal(str(left.value)) == Decimal(str(whole.value))
    assert left.dimensions["account"].startswith("all but ")


def test_rows_of_no_entity_stay_where_others_are_left_out(reading: Reading) -> None:
    metric = _metric(reading, "open_issues")
    (whole,) = measure(reading, metric)
    by_account = _values(measure(reading, metric, dimension="account"))
    assert sum(by_account.values()) < whole.value
    first = next(iter(by_account))
    (left,) = measure(reading, metric, filters=[_filter("account", first, is_excluded=True)])
    assert left.value == whole.value - by_account[first]


def test_several_filters_hold_together(reading: Reading) -> None:
    metric = _metric(reading, "pipeline_value")
    owner = next(iter(_values(measure(reading, metric, dimension="owner"))))
    by_stage = _values(measure(reading, metric, dimension="stage", filters=[_filter("owner", owner)]))
    for stage, value in by_stage.items():
        (both,) = measure(reading, metric, filters=[_filter("stage", stage), _filter("owner", owner)])
        assert both.value == value


def test_a_filter_that_names_nothing_counts_nothing(reading: Reading) -> None:
    metric = _metric(reading, "mrr")
    (nothing,) = measure(reading, metric, filters=[_filter("account")])
    (everything,) = measure(reading, metric, filters=[_filter("account", is_excluded=True)])
    assert (nothing.value, nothing.display) == (0.0, "$0")
    assert everything.value == measure(reading, metric)[0].value
    assert measure(reading, _metric(reading, "satisfaction_score"), filters=[_filter("account", "nobody")]) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=_ODD_TEXTS)
def test_no_text_in_a_filter_is_taken_for_sql(reading: Reading, text: str) -> None:
    metric = _metric(reading, "mrr")
    (kept,) = measure(reading, metric, filters=[_filter("account", text)])
    (left,) = measure(reading, metric, filters=[_filter("account", text, is_excluded=True)])
    assert kept.value == 0
    assert left.value == measure(reading, metric)[0].value


def test_an_entity_of_a_narrowed_breakdown_is_called_by_its_own_name(reading: Reading) -> None:
    metric = _metric(reading, "mrr")
    every = {fact.entity_ids["account"]: fact for fact in measure(reading, metric, dimension="account", limit=3)}
    some = [_filter("account", *every), _filter("plan", "enterprise")]
    for fact in measure(reading, metric, dimension="account", filters=some):
        entity_id = fact.entity_ids["account"]
        assert fact.dimensions == {"account": every[entity_id].subject, "plan": "enterprise"}
        assert (fact.subject, next(iter(fact.entity_ids))) == (every[entity_id].subject, "account")


def test_shares_are_of_what_the_filters_leave(reading: Reading) -> None:
    metric = _metric(reading, "pipeline_value")
    owner = next(iter(_values(measure(reading, metric, dimension="owner"))))
    stages = measure(reading, metric, dimension="stage", filters=[_filter("owner", owner)])
    assert sum(fact.share or 0 for fact in stages) == pytest.approx(1)


def test_a_ratio_is_had_by_what_both_its_parts_are_known_by(reading: Reading) -> None:
    ratio, mrr, customers = (_metric(reading, name) for name in ("revenue_per_customer", "mrr", "active_customers"))
    above, below = (_values(measure(reading, part, dimension="plan")) for part in (mrr, customers))
    found = measure(reading, ratio, dimension="plan")
    assert len(found) > 1
    for fact in found:
        plan = fact.entity_ids["plan"]
        assert fact.value == pytest.approx(above[plan] / below[plan])
        (narrowed,) = measure(reading, ratio, filters=[_filter("plan", plan)])
        assert narrowed.display == fact.display
    with pytest.raises(Unmeasurable, match=r"not known by account\. It is known of the whole company only"):
        measure(reading, _metric(reading, "actions_per_account"), dimension="account")


def test_a_ratio_over_an_opening_stock_is_narrowed_in_both_its_parts(reading: Reading) -> None:
    churn = _metric(reading, "revenue_churn_rate")
    period = Period("month.2026-06", date(2026, 6, 1), date(2026, 6, 30), "June 2026")
    lost = measure(reading, _metric(reading, "churned_mrr"), period, dimension="account")
    stood = Period("x", date(2026, 5, 31), date(2026, 5, 31), "May 31")
    for fact in lost[:3]:
        narrowed = [_filter("account", fact.entity_ids["account"])]
        (before,) = measure(reading, _metric(reading, "mrr"), stood, filters=narrowed)
        (rate,) = measure(reading, churn, period, filters=narrowed)
        assert rate.value == pytest.approx(fact.value / before.value)


def test_a_principals_condition_holds_for_values_shares_and_both_parts_of_a_ratio(reading: Reading) -> None:
    metric = _metric(reading, "mrr")
    mine = tuple(_values(measure(reading, metric, dimension="account", limit=3)))
    listed = ", ".join(f"'{each}'" for each in mine)
    condition = f"t.account_id IN (SELECT account_id FROM marts.accounts WHERE account_id IN ({listed}))"
    found = measure(reading, metric, dimension="account", condition=condition)
    assert {fact.entity_ids["account"] for fact in found if fact.value} == set(mine)
    assert sum(fact.share or 0 for fact in found) == pytest.approx(1)
    for name in ("mrr", "revenue_per_customer", "active_customers"):
        (conditioned,) = measure(reading, _metric(reading, name), condition=condition)
        (filtered,) = measure(reading, _metric(reading, name), filters=[_filter("account", *mine)])
        assert conditioned.value == filtered.value
        assert conditioned.id != filtered.id


def test_a_condition_that_could_be_met_by_more_than_its_rows_stays_one_operand(reading: Reading) -> None:
    (nothing,) = measure(
        reading, _metric(reading, "mrr"), filters=[_filter("account", "nobody")], condition="FALSE OR TRUE"
    )
    assert nothing.value == 0


def test_a_table_that_does_not_say_whose_its_rows_are_gives_nothing_under_a_condition(reading: Reading) -> None:
    refused = []
    for metric in reading.catalog.metrics.values():
        columns = [load_models()[table].columns for table in reading.catalog.tables_of(metric)]
        if all("account_id" in each for each in columns):
            continue
        refused.append(metric.name)
        with pytest.raises(Unmeasurable, match="your access is limited by"):
            measure(reading, metric, condition="t.account_id = 'x'")
        with pytest.raises(Unmeasurable, match="your access is limited by"):
            measure_series(reading, metric, series_periods("month", reading.day), condition="t.account_id = 'x'")
    assert {"sales_activities", "cycle_completion", "rows_held"} <= set(refused)


def test_the_smallest_come_first_where_they_are_asked_for_and_keep_their_rank(reading: Reading) -> None:
    metric = _metric(reading, "customer_health")
    every = measure(reading, metric, dimension="account")
    lowest = measure(reading, metric, dimension="account", limit=3, order="smallest")
    assert lowest == every[::-1][:3]
    assert lowest[0].rank == len(every)
    assert [measure(reading, metric, dimension="account", limit=limit) for limit in (0, -1)] == [[], []]


def test_any_two_periods_can_be_compared(reading: Reading) -> None:
    metric = _metric(reading, "bookings")
    june = Period("month.2026-06", date(2026, 6, 1), date(2026, 6, 30), "June 2026")
    last_june = Period("month.2025-06", date(2025, 6, 1), date(2025, 6, 30), "June 2025")
    (fact,) = measure(reading, metric, june, last_june)
    alone = [measure(reading, metric, period)[0] for period in (june, last_june)]
    assert (fact.value, fact.previous) == (alone[0].value, alone[1].value)
    assert fact.delta == pytest.approx(alone[0].value - alone[1].value)
    assert (fact.previous_period, fact.target) == (last_june, None)


def test_days_add_up_to_their_month(reading: Reading) -> None:
    metric = _metric(reading, "product_actions")
    days = [date(2026, 9, 1) + timedelta(days=number) for number in range(30)]
    points = measure_series(reading, metric, [Period(f"day.{day}", day, day, f"{day}") for day in days])
    (month,) = measure(reading, metric, Period("month.2026-09", days[0], days[-1], "September 2026"))
    assert [fact.period.start for fact in points] == days
    assert sum(fact.value for fact in points) == month.value


def test_ids_of_what_differs_differ_and_of_what_is_the_same_are_the_same(reading: Reading) -> None:
    metric = _metric(reading, "bookings")
    quarter, before = period_for("qtd", reading.day)
    odd = replace(quarter, end=quarter.end - timedelta(days=1))
    asked = [
        measure(reading, metric, quarter, before),
        measure(reading, metric, quarter, None),
        measure(reading, metric, quarter, replace(before, start=before.start + timedelta(days=1))),
        measure(reading, metric, odd, before),
        measure(reading, metric, odd, None),
        measure(reading, metric, quarter, before, filters=[_filter("owner", "a")]),
        measure(reading, metric, quarter, before, filters=[_filter("owner", "b")]),
        measure(reading, metric, quarter, before, filters=[_filter("owner", "a", is_excluded=True)]),
        measure(reading, metric, quarter, before, filters=[_filter("account", "a")]),
        measure(reading, metric, quarter, before, condition="t.account_id = 'a'"),
    ]
    ids = [fact.id for found in asked for fact in found]
    assert len(set(ids)) == len(ids) == len(asked)
    one_way = [_filter("owner", "a", "b"), _filter("account", "c")]
    other_way = [_filter("account", "c"), _filter("owner", "b", "a")]
    assert measure(reading, metric, filters=one_way)[0].id == measure(reading, metric, filters=other_way)[0].id


def test_periods_that_are_called_the_same_are_told_apart(reading: Reading) -> None:
    metric = _metric(reading, "bookings")
    now = Period("it's; --", date(2026, 6, 1), date(2026, 6, 30), "June")
    (fact,) = measure(reading, metric, now, replace(now, start=date(2026, 5, 1), end=date(2026, 5, 31)))
    may, june = (
        measure(reading, metric, Period("m", date(2026, month, 1), date(2026, month, last), "m"))[0]
        for month, last in ((5, 31), (6, 30))
    )
    assert (fact.value, fact.previous) == (june.value, may.value)


def _day(day: date) -> Period:
    return Period("as_of", day, day, f"on {day}")


def test_what_cannot_be_known_is_refused_with_the_reason(reading: Reading) -> None:
    future = reading.day + timedelta(days=1)
    before = FIRST_DAY - timedelta(days=1)
    cases = [
        (
            "bookings",
            Period("old", before - timedelta(days=30), before, "April 2025"),
            "the data begins on May 1, 2025",
        ),
        ("mrr", _day(before), "the data begins on May 1, 2025"),
        ("mrr", _day(future), "the data ends on"),
        ("bookings", Period("next", future, future + timedelta(days=6), "next week"), "the data ends on"),
        ("feature_uses", _day(date(2026, 6, 1)), "Uses of features is known since"),
        ("revenue_churn_rate", Period("first", FIRST_DAY, date(2025, 5, 31), "May 2025"), "as it stood before"),
        ("bookings", Period("back", date(2026, 6, 2), date(2026, 6, 1), "nothing"), "ends before it begins"),
    ]
    for name, period, reason in cases:
        with pytest.raises(Unmeasurable, match=reason):
            measure(reading, _metric(reading, name), period)
    with pytest.raises(Unmeasurable, match=r"Monthly recurring revenue is not known by team\. It is known by account"):
        measure(reading, _metric(reading, "mrr"), filters=[_filter("team", "x")])
    with pytest.raises(Unmeasurable, match="no good data"):
        measure(reading, _metric(reading, "mrr").model_copy(update={"name": "mine"}))


def test_half_known_periods_carry_a_caveat(reading: Reading) -> None:
    bookings, rate = _metric(reading, "bookings"), _metric(reading, "win_rate")
    start, end = FIRST_DAY - timedelta(days=30), reading.day + timedelta(days=30)
    (both,) = measure(reading, bookings, Period("all", start, end, "all time"))
    assert [caveat.split(",")[0] for caveat in both.caveats] == [
        "The data begins on May 1",
        "The data ends on November 20",
    ]
    june = Period("month.2026-06", date(2026, 6, 1), date(2026, 6, 30), "June 2026")
    (fact,) = measure(reading, bookings, june, Period("old", start, FIRST_DAY, "that time"))
    assert (fact.previous, fact.caveats) == (None, ("Too little is known of that time to compare it to.",))
    week = Period("week.2026-06-01", date(2026, 6, 1), date(2026, 6, 7), "a week")
    (short,) = measure(reading, rate, week)
    assert short.caveats == ("Win rate is meant for a month and more.",)


def test_a_series_leaves_out_what_is_not_known_and_refuses_where_nothing_is(reading: Reading) -> None:
    metric = _metric(reading, "bookings")
    months = [
        Period(f"month.2025-0{month}", date(2025, month, 1), date(2025, month, 28), f"{month}")
        for month in (3, 4, 5, 6)
    ]
    assert [fact.period.label for fact in measure_series(reading, metric, months)] == ["5", "6"]
    with pytest.raises(Unmeasurable, match="the data begins"):
        measure_series(reading, metric, months[:2])
    assert measure_series(reading, metric, []) == []
