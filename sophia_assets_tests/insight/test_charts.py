"""The charts are always the same, in the same place; every point is a fact, and an empty one says why."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import pytest

from sophia_assets.insight.charts import LAYOUT, Chart, ChartPoint, build_charts
from sophia_assets.insight.rendering.svg import draw
from sophia_assets.metrics.facts import FactSet
from sophia_assets_tests.insight.sample_facts import DAY, IN_USE, make_fact, sample_facts


def chart(chart_id: str, facts: FactSet | None = None, day: date = DAY) -> Chart:
    found = build_charts(sample_facts() if facts is None else facts, {}, day=day)
    return next(chart for chart in found if chart.id == chart_id)


@pytest.mark.parametrize("systems", [IN_USE, ("hubspot",), ("gong", "redis"), ()])
def test_the_layout_is_the_same_whatever_is_connected(systems: tuple[str, ...]) -> None:
    charts = build_charts(sample_facts(systems), {"gong": "Gong is not connected."}, day=DAY)
    assert tuple(each.id for each in charts) == LAYOUT
    for each in charts:
        assert bool(each.points) != bool(each.missing)
        assert bool(each.points) == bool(each.note and each.unit)


def test_a_headline_metric_has_twelve_months_and_six_weeks_side_by_side() -> None:
    pairs = [each.rpartition("_by_") for each in LAYOUT[:-1]]
    assert [grain for _, _, grain in pairs] == ["month", "week"] * (len(pairs) // 2)
    assert all(month[0] == week[0] for month, week in zip(pairs[::2], pairs[1::2], strict=True))


def test_a_role_gets_the_charts_it_may_see_in_the_same_order() -> None:
    seen = [each.id for each in build_charts(sample_facts(), {}, "engineering_leader", DAY)]
    assert seen == [each for each in LAYOUT if each in seen] and seen
    assert not any(each.startswith(("bookings", "mrr", "pipeline")) for each in seen)


def test_an_empty_chart_says_which_system_is_missing() -> None:
    off = {"gong": "Gong is not connected."}
    charts = {each.id: each for each in build_charts(sample_facts(("hubspot",)), off, day=DAY)}
    assert charts["calls_by_week"].missing == "Gong is not connected."
    assert charts["satisfaction_by_month"].missing == "No data for these periods."


def test_every_period_has_its_place_and_a_gap_stays_one() -> None:
    facts = [fact for fact in sample_facts() if fact.id not in ("bookings.week.2026-02-16", "bookings.month.2025-07")]
    weeks = chart("bookings_by_week", FactSet(facts))
    assert [point.slot for point in weeks.points] == [0, 1, 3, 4, 5] and weeks.slots == 6
    assert weeks.note == (
        "US dollars a week; Monday to Sunday; the running week is left out; no data for 1 of 6 weeks."
    )
    svg = str(draw(chart("mrr_by_month", FactSet([fact for fact in facts if fact.id != "mrr.month.2025-09"]))))
    assert svg.count("<polyline") == 2


def test_the_running_month_is_marked_and_named() -> None:
    running = make_fact("bookings", "month.2026-03", 61_000)
    period = replace(running.period, end=DAY)
    bookings = chart("bookings_by_month", FactSet([*sample_facts(), replace(running, period=period)]))
    assert [point.is_partial for point in bookings.points] == [False] * 11 + [True]
    assert bookings.points[-1].label == "Mar so far"
    assert bookings.note == "US dollars a month; March is still running, up to 20 March."
    svg = str(draw(bookings))
    assert svg.count('class="col part"') == svg.count('class="col last"') == 1


def test_a_month_that_is_over_is_not_marked() -> None:
    bookings = chart("bookings_by_month", day=date(2026, 2, 28))
    assert not any(point.is_partial for point in bookings.points)
    assert bookings.note == "US dollars a month; up to February."


def test_columns_stand_on_zero() -> None:
    points = tuple(ChartPoint(f"{n} Mar", value, str(value), f"f{n}", n) for n, value in enumerate((90.0, 100.0)))
    svg = str(draw(Chart("c", "C", "columns", "count", points, note="n", slots=2)))
    heights = [float(height) for height in re.findall(r'class="col [a-z]*" .*?height="([0-9.]+)"', svg)]
    assert heights[0] / heights[1] == pytest.approx(0.9, abs=0.01)


def test_a_negative_value_hangs_below_the_line_instead_of_vanishing() -> None:
    points = tuple(ChartPoint(f"{n} Mar", value, str(value), f"f{n}", n) for n, value in enumerate((-50.0, 100.0)))
    svg = str(draw(Chart("c", "C", "columns", "usd", points, note="n", slots=2)))
    heights = [float(height) for height in re.findall(r'class="col [a-z]*" .*?height="([0-9.]+)"', svg)]
    assert heights[0] / heights[1] == pytest.approx(0.5, abs=0.02)


def test_a_score_is_drawn_on_its_own_scale_whose_ends_are_told() -> None:
    svg = str(draw(chart("satisfaction_by_month")))
    assert ">1</text>" in svg and ">5</text>" in svg
    assert "on a scale from 1 to 5" in chart("satisfaction_by_month").note


@pytest.mark.parametrize("values", [(0.0,), (0.0, 0.0), (7.0,), (1e12, 0.0), (-1.0, -2.0)])
@pytest.mark.parametrize("kind", ["columns", "line", "bars"])
def test_whatever_the_values_nothing_is_drawn_outside_the_picture(kind: str, values: tuple[float, ...]) -> None:
    points = tuple(ChartPoint("</title><script>", value, f"${value}", "f", n) for n, value in enumerate(values))
    svg = str(draw(Chart("c", "<b>", kind, "usd", points, note="&", slots=12)))  # type: ignore[arg-type]
    assert "<script" not in svg and "<b>" not in svg and "nan" not in svg
    numbers = re.findall(r' (?:x|y|width|height|cx|cy)="(-?[0-9.]+)"', svg)
    assert numbers and all(-1 <= float(number) <= 481 for number in numbers)


def test_breakdowns_beyond_the_limit_are_counted() -> None:
    template = sample_facts().by("pipeline_value", "as_of", "stage")[0]
    many = [
        replace(template, id=f"p{n}", dimensions={"stage": f"Stage {n}"}, value=100.0 - n, rank=n + 1)
        for n in range(11)
    ]
    bars = chart("pipeline_by_stage", FactSet(many), DAY + timedelta(days=0))
    assert len(bars.points) == 8 and bars.note.endswith("3 smaller ones left out.")
