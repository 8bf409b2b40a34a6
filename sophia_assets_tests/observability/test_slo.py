"""How well the platform served, recomputed from what was written down."""

from __future__ import annotations

import bisect
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import inf, isclose
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from sophia_assets.access.principal import Principal
from sophia_assets.cli import main
from sophia_assets.control.schema import published
from sophia_assets.home import Home
from sophia_assets.observability.objectives import LEAST_EVENTS, QUESTION_LATENCY, Judged, judged_seconds
from sophia_assets.observability.slo import ServiceReport, quantile, read_service, slower_than
from sophia_assets.observability.slo_wording import budget_text, kept_text, value_text
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.telemetry import series
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import Point
from sophia_assets_tests.finished_home import services_of

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)  # a Monday


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """A platform that has not done anything yet."""
    home = Home(tmp_path)
    home.prepare()
    made = services_of(home)
    yield made
    made.close()


def tell(services: Services, *points: Point, days_ago: int = 0) -> None:
    """Writes points down as of a day."""
    with services.control.transaction() as connection:
        write(connection, points, NOW - timedelta(days=days_ago))


def found(report: ServiceReport, name: str, subject: str = "") -> Judged:
    """One finding."""
    (only,) = (each for each in report.findings if (each.objective.name, each.subject) == (name, subject))
    return only


def test_without_any_traffic_nothing_is_known_and_nothing_is_kept_or_missed(services: Services) -> None:
    report = read_service(services, days=30, now=NOW)
    assert {each.value for each in report.findings} == {None}
    assert {each.is_met for each in report.findings} == {None}
    assert {each.budget_used for each in report.findings} == {None}
    assert not report.missed and report.users.total == 0
    assert {each.subject for each in report.findings if each.objective.name == "availability"} == set(registry.SYSTEMS)


def test_availability_counts_failed_reads_and_those_that_an_open_circuit_held_back(services: Services) -> None:
    tell(services, series.FETCHES.add(95, source="gong"), series.FETCHES.add(200, source="slack"), days_ago=3)
    tell(services, series.FETCH_ERRORS.add(1, source="gong", kind="connection"), days_ago=2)
    tell(services, series.CIRCUIT_DENIALS.add(5, name="gong"), series.CIRCUIT_DENIALS.add(7, name="openai"))
    report = read_service(services, days=30, now=NOW)
    gong, slack = found(report, "availability", "gong"), found(report, "availability", "slack")
    assert gong.value == 0.94 and gong.count == 100 and gong.is_met is False
    assert gong.budget_used is not None and isclose(gong.budget_used, 1.2) and "5 held back" in gong.note
    assert (slack.value, slack.is_met, slack.budget_used) == (1.0, True, 0.0)
    assert found(report, "availability", "hubspot").value is None


def test_exactly_the_objective_is_kept(services: Services) -> None:
    tell(services, series.FETCHES.add(100, source="gong"), series.FETCH_ERRORS.add(5, source="gong", kind="quota"))
    gong = found(read_service(services, days=1, now=NOW), "availability", "gong")
    assert gong.is_met is True and gong.budget_used == 1.0


def test_only_days_of_the_span_count(services: Services) -> None:
    for ago, failed in ((0, 0), (6, 0), (7, 10)):
        tell(services, series.FETCHES.add(10, source="gong"), days_ago=ago)
        tell(services, series.FETCH_ERRORS.add(failed, source="gong", kind="source"), days_ago=ago)
    assert found(read_service(services, days=7, now=NOW), "availability", "gong").value == 1.0
    assert found(read_service(services, days=8, now=NOW), "availability", "gong").count == 30
    assert found(read_service(services, days=8, now=NOW), "availability", "gong").value == pytest.approx(2 / 3)


def test_questions_are_told_by_how_they_ended_and_how_long_they_took(services: Services) -> None:
    chance = random.Random(7)
    waits = [chance.lognormvariate(-1.0, 1.2) for _ in range(2_000)]
    channels = ("page", "api", "mcp")
    observed = [series.QUESTION_SECONDS.observe(wait, channel=chance.choice(channels)) for wait in waits]
    counts = {"answered": 1500, "abstained": 300, "clarify": 170, "denied": 20, "failed": 10}
    points = [series.QUESTIONS.add(number, channel="page", status=status) for status, number in counts.items()]
    tell(services, *points, *observed)
    report = read_service(services, days=1, now=NOW)
    for name, share in (("answered", 0.75), ("abstained", 0.15), ("clarified", 0.085), ("question_errors", 0.005)):
        assert found(report, name).value == pytest.approx(share) and found(report, name).count == 2000
    assert found(report, "question_errors").budget_used == pytest.approx(0.5)
    bounds = series.QUESTION_SECONDS.buckets
    for name, share in (("question_median", 0.5), ("question_latency", 0.95)):
        exact = sorted(waits)[int(share * len(waits)) - 1]
        place = bisect.bisect_left(bounds, exact)
        measured = found(report, name).value
        assert measured is not None and (bounds[place - 1] if place else 0.0) <= measured <= bounds[place]
    latency = found(report, "question_latency")
    slower = sum(wait > 3.0 for wait in waits) / len(waits)
    assert latency.budget_used == pytest.approx(slower / 0.05) and latency.count == 2000
    assert latency.is_met == (slower <= 0.05)


def test_caches_checks_models_and_principles_are_told(services: Services) -> None:
    tell(
        services,
        series.CACHE_REQUESTS.add(72, cache="answer", outcome="hit"),
        series.CACHE_REQUESTS.add(28, cache="answer", outcome="miss"),
        series.CACHE_REQUESTS.add(10, cache="facts", outcome="miss"),
        series.VALIDATIONS.add(400, source="gong"),
        series.VALIDATION_FAILURES.add(2, source="gong", table="calls", severity="error"),
        series.VALIDATION_FAILURES.add(50, source="gong", table="calls", severity="warn"),
        *(series.LLM_SECONDS.observe(wait, provider="openai", model="m") for wait in (1.0, 2.0, 4.0, 25.0) * 5),
        series.LLM_SECONDS.observe(0.3, provider="offline", model="offline"),
        series.LLM_COST.add(1.25, provider="openai", model="m"),
        series.PRINCIPLES.add(9, principle="accurate", outcome="passed"),
        series.PRINCIPLES.add(1, principle="accurate", outcome="dropped"),
        series.PRINCIPLES.add(9, principle="privacy", outcome="passed"),
        series.PRINCIPLES.add(1, principle="privacy", outcome="none"),
    )
    report = read_service(services, days=2, now=NOW)
    cached, facts = found(report, "cache_hits", "answer"), found(report, "cache_hits", "facts")
    assert cached.value == 0.72 and cached.is_met is True and cached.budget_used == pytest.approx(0.28 / 0.3)
    assert (facts.value, facts.is_met, found(report, "cache_hits", "model_answer").value) == (0.0, None, None)
    assert found(report, "validation_errors").value == 0.005
    model = found(report, "model_latency", "openai")
    assert model.count == 20 and model.value == pytest.approx(20 + (30 - 20) * 0.8) and model.is_met is False
    cost = found(report, "model_cost")
    assert (cost.value, cost.count, cost.objective.target, cost.budget_used) == (1.25, 20, 10.0, 0.125)
    accurate, privacy = found(report, "compliance", "accurate"), found(report, "compliance", "privacy")
    assert (accurate.value, accurate.is_met, accurate.budget_used) == (1.0, None, None), "ten reviews are too few"
    assert (privacy.value, privacy.is_met, privacy.budget_used) == (0.9, False, None), "one is too many"
    assert found(report, "compliance", "actionable").is_met is None


def test_what_is_held_by_a_recorder_counts(services: Services) -> None:
    services.recorder.record(series.FETCHES.add(source="gong"))
    assert found(read_service(services, days=1), "availability", "gong").count == 1


def test_briefings_are_in_time_on_working_days_since_the_first_one(services: Services) -> None:
    rows = [
        (date(2026, 11, 15), datetime(2026, 11, 16, 5, 59, tzinfo=UTC)),  # Monday, in time: the first ever
        (date(2026, 11, 16), datetime(2026, 11, 17, 6, 30, tzinfo=UTC)),  # to the second
        (date(2026, 11, 17), datetime(2026, 11, 18, 6, 31, tzinfo=UTC)),  # late
        (date(2026, 11, 20), datetime(2026, 11, 21, 9, 0, tzinfo=UTC)),  # a Saturday: nothing was due
        (date(2026, 11, 22), datetime(2026, 11, 23, 6, 5, tzinfo=UTC)),
    ]
    with services.control.transaction() as connection:
        for day, at in rows:
            row = {"kind": "daily_briefing", "day": day.isoformat(), "role": "executive", "digest": "x"}
            connection.execute(published.insert().values({**row, "published_at": at}))
            connection.execute(published.insert().values({**row, "role": "analyst", "published_at": NOW}))
    report = read_service(services, days=30, now=NOW)
    punctual = found(report, "punctuality")
    # Due on the 16th to 20th and the 23rd; in time on the 16th, 17th and 23rd, late on the 18th.
    assert (punctual.value, punctual.count, punctual.is_met) == (0.5, 6, None) and report.notes
    assert punctual.note == "1 late; 6 of at least 20: too few to judge"
    before = read_service(services, days=1, now=NOW.replace(hour=6, minute=29))
    assert found(before, "punctuality").value is None


def test_users_are_counted_once_a_week_and_once_in_all(services: Services) -> None:
    ada, bob = (Principal(name, "executive", "page") for name in ("ada", "bob"))
    for principal in (ada, ada, bob):
        services.audit.record(principal, "ask", "bookings", "allowed", {})
    services.audit.record(Principal("eve", "executive", "page"), "ask", "bookings", "denied", {})
    services.audit.record(Principal("op", "executive", "operator"), "audit.read", "audit", "allowed", {})
    report = read_service(services, days=7)
    year, week, _ = datetime.now(UTC).isocalendar()
    assert report.users.total == 2 and report.users.weeks == ((f"{year}-W{week:02}", 2),)


_BOUNDS = (0.1, 0.5, 1.0, 2.0, 5.0, inf)


@given(st.lists(st.floats(0.0, 20.0), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_percentile_lies_in_the_bucket_of_the_exact_one(values: list[float], share: float) -> None:
    buckets = dict.fromkeys(_BOUNDS, 0.0)
    for value in values:
        buckets[_BOUNDS[bisect.bisect_left(_BOUNDS, value)]] += 1
    rank = share * len(values)
    exact = sorted(values)[min(len(values) - 1, max(0, -int(-rank // 1) - 1))]
    place = bisect.bisect_left(_BOUNDS, exact)
    measured = quantile(buckets, share)
    assert measured is not None
    low, high = (_BOUNDS[place - 1] if place else 0.0), min(_BOUNDS[place], 5.0)
    assert low - 1e-9 <= measured <= max(low, high) + 1e-9
    assert slower_than(buckets, 2.0) == pytest.approx(sum(value > 2.0 for value in values) / len(values))


def test_a_percentile_beyond_the_last_bound_is_said_to_be_longer(services: Services) -> None:
    tell(services, *[series.QUESTION_SECONDS.observe(60.0, channel="page") for _ in range(20)])
    latency = found(read_service(services, days=1, now=NOW), "question_latency")
    assert latency.value == 10.0 and latency.note == "longer than 10 s" and latency.is_met is False
    assert quantile({}, 0.5) is None and quantile({inf: 0.0}, 0.5) is None


def _asked(services: Services, days: int) -> list[tuple[str, Any]]:
    """What a report asks the control store: the statements with their values."""
    asked: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        read_service(services, days=days, now=NOW)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return asked


def test_a_year_is_asked_for_as_often_as_a_day(services: Services) -> None:
    for ago in range(0, 365, 30):
        tell(services, series.FETCHES.add(source="gong"), days_ago=ago)
    read_service(services, days=1, now=NOW)
    assert len(_asked(services, 365)) == len(_asked(services, 1)) < 10


def test_figures_are_found_by_their_day_and_not_by_reading_all(services: Services) -> None:
    [(statement, values)] = [each for each in _asked(services, 30) if "FROM measures" in each[0]]
    with services.control.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(values)).all()
    assert any("SEARCH measures" in row[-1] and "day>? AND day<?" in row[-1] for row in plan), plan


def _sophia(home: Path, *words: str) -> Any:
    return CliRunner().invoke(main, ["slo", *words], env={"SOPHIA_HOME": str(home)}, prog_name="sophia")


def test_the_command_prints_a_table_and_stable_json(services: Services, tmp_path: Path) -> None:
    failed = series.FETCH_ERRORS.add(10, source="gong", kind="source")
    services.recorder.record(series.FETCHES.add(30, source="gong"), failed)
    services.recorder.flush()
    shown = _sophia(tmp_path)
    assert shown.exit_code == 0, shown.output
    assert (
        "Availability: Gong" in shown.stdout
        and "66.67 %" in shown.stdout
        and "1 of 1 that were judged not kept." in shown.stdout
    )
    assert max(map(len, shown.stdout.splitlines())) <= 110
    told = json.loads(_sophia(tmp_path, "--json", "--days", "2").stdout)
    assert list(told) == ["from", "to", "objectives", "active_users", "missed", "not_known", "notes"]
    (gong,) = (each for each in told["objectives"] if each["subject"] == "gong")
    assert gong | {"value": 0.67} == {
        "name": "availability",
        "subject": "gong",
        "label": "Availability",
        "unit": "share",
        "value": 0.67,
        "count": 30,
        "target": 0.95,
        "direction": "at_least",
        "is_met": False,
        "note": "",
        "budget_used": 6.666667,
    }


def test_what_rests_on_too_few_events_is_shown_and_not_judged(services: Services, tmp_path: Path) -> None:
    few = LEAST_EVENTS - 1
    tell(services, series.FETCHES.add(few, source="gong"), series.FETCHES.add(few + 1, source="slack"))
    tell(services, series.FETCH_ERRORS.add(9, source="gong", kind="source"))
    tell(services, *[series.QUESTION_SECONDS.observe(9.0, channel="page") for _ in range(2)])
    tell(services, series.QUESTIONS.add(2, channel="page", status="failed"))
    report = read_service(services, days=30, now=NOW)
    gong, slack = found(report, "availability", "gong"), found(report, "availability", "slack")
    assert gong.value == pytest.approx(10 / 19) and not report.missed
    assert gong.is_met is None and gong.budget_used is None
    assert gong.note == "19 of at least 20: too few to judge" and slack.is_met is True and not slack.note
    errors, latency = found(report, "question_errors"), found(report, "question_latency")
    assert (errors.value, errors.is_met, latency.is_met) == (1.0, None, None) and latency.value is not None
    assert (kept_text(errors), kept_text(slack), budget_text(errors)) == ("too few", "yes", "\u2013")


@pytest.mark.parametrize(
    ("value", "width", "told"),
    [
        (3.94, 2.5, "about 4 s"),
        (3.4, 2.5, "about 3.4 s"),
        (0.1834, 0.15, "about 200 ms"),
        (0.0432, 0.05, "about 40 ms"),
        (0.01, 0.1, "about 10 ms"),
        (27.9, 10.0, "about 30 s"),
        (2.2, 1.0, "about 2 s"),
    ],
)
def test_a_percentile_is_told_as_exactly_as_its_bucket_allows(value: float, width: float, told: str) -> None:
    assert value_text(judged_seconds(QUESTION_LATENCY, value, 100, 0.1, width=width)) == told


def test_a_target_of_all_is_told_without_a_sign_and_a_time_without_traffic_in_one_sentence(
    services: Services, tmp_path: Path
) -> None:
    shown = _sophia(tmp_path).stdout
    assert shown.splitlines()[-1] == "Nothing was measured in this time." and "not known: nothing" not in shown
    assert "\u2265 100 %" not in shown and " 100 %" in shown and "None of those" not in shown


@pytest.mark.parametrize("days", ["0", "-1", "401", "many", "1.5"])
def test_a_span_that_cannot_be_is_refused(days: str, tmp_path: Path) -> None:
    refused = _sophia(tmp_path, "--days", days)
    assert refused.exit_code == 2 and "Traceback" not in refused.output
