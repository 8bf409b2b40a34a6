"""Questions as people type them are read rightly, and what the data cannot answer is not answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.assistant.interface import Intent, Reading
from sophia_assets.home import Home
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.services import Services
from sophia_assets_tests.assistant.expectations import DAY, Entry, Span, judge
from sophia_assets_tests.assistant.question_suite import Score, UnsoundEntry, load_entries, run
from sophia_assets_tests.finished_home import LAST_DAY, services_of

ENTRIES = load_entries()


@pytest.fixture(scope="module")
def score(finished_home: Home) -> Iterator[Score]:
    services = services_of(finished_home)
    try:
        yield run(services, ENTRIES)
    finally:
        services.close()


def _of(score: Score, part: str) -> Score:
    return Score(tuple(verdict for verdict in score.verdicts if verdict.entry.part == part))


def _told(score: Score) -> str:
    return "\n".join(map(str, score.misses))


@pytest.mark.parametrize("part", ["dev", "held_out"])
def test_nearly_all_covered_questions_are_read_rightly(score: Score, part: str) -> None:
    assert _of(score, part).right_share >= 0.98, _told(Score(tuple(_of(score, part).covered)))


@pytest.mark.parametrize("part", ["dev", "held_out"])
def test_what_the_data_cannot_answer_is_not_answered(score: Score, part: str) -> None:
    assert _of(score, part).abstained_share >= 0.95, _told(Score(tuple(_of(score, part).off_coverage)))


def test_no_figure_of_another_level_is_given(score: Score) -> None:
    assert not score.wrong_grain, _told(Score(tuple(score.wrong_grain)))


def test_the_suite_asks_for_every_metric_in_three_ways_and_for_every_intent() -> None:
    covered = [entry for entry in ENTRIES if entry.expected is not None]
    asked = Counter(metric for entry in covered for metric in _metrics(entry))
    assert {name: asked[name] for name in load_catalog().metrics if asked[name] < 3} == {}
    assert {intent for entry in covered for intent in entry.intents} == set(Intent)
    assert len(covered) >= 400
    assert len(ENTRIES) - len(covered) >= 150
    assert DAY == LAST_DAY


def test_a_whole_file_can_be_held_out(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("part: held_out\nquestions: [{ask: bookings}, {ask: win rate}]\n")
    assert [entry.part for entry in load_entries(folder=tmp_path)] == ["held_out", "held_out"]
    (tmp_path / "f.yaml").write_text("part: dev\nquestions: []\n")
    with pytest.raises(UnsoundEntry, match="held_out"):
        load_entries(folder=tmp_path)


def test_no_question_is_asked_twice() -> None:
    asked = Counter((entry.question.casefold(), entry.after) for entry in ENTRIES)
    assert [question for question, times in asked.items() if times > 1] == []


def test_what_the_suite_names_exists_in_the_company(finished_home: Home) -> None:
    services = services_of(finished_home)
    try:
        metrics = load_catalog().metrics
        names = {dimension: _names(services, dimension) for dimension in ("account", "owner", "industry", "stage")}
    finally:
        services.close()
    for entry in ENTRIES:
        assert set(_metrics(entry)) <= set(metrics), entry.where
        filters = (entry.expected or {}).get("filters", {})
        for dimension, written in filters.items() if isinstance(filters, dict) else ():
            if dimension in names:
                assert {name.removeprefix("not ") for name in written} <= names[dimension], entry.where


def _names(services: Services, dimension: str) -> set[str]:
    tables = {"stage": "marts.deals", "owner": "staging.owners"}
    table = services.warehouse.query(
        f"SELECT DISTINCT {dimension} AS name FROM {tables.get(dimension, 'marts.accounts')}"
    )
    return set(table.column("name").to_pylist())


def _metrics(entry: Entry) -> list[str]:
    metrics = (entry.expected or {}).get("metrics", [])
    return [] if metrics == "any" else list(metrics)


def test_a_miss_says_what_was_read_and_what_is_right() -> None:
    entry = Entry(
        "f.yaml 1", "dev", "bookings of Agnes", (), {"metrics": ["bookings"], "filters": {"owner": ["Agnes Adeyemi"]}}
    )
    read = Reading(Intent.TREND, ("bookings",), period=Period("x", Span.of("q2").start, Span.of("q2").end, "Q2"))
    verdict = judge(entry, read, load_catalog())
    assert verdict.is_wrong_grain
    assert str(verdict) == (
        "f.yaml 1 (dev) 'bookings of Agnes': intent is trend, expected value; "
        "filters are by none, expected owner; period is 2026-04-01..2026-06-30, expected the metric's own"
    )


def test_a_right_reading_has_no_faults() -> None:
    expected = {"metrics": ["bookings"], "period": "qtd", "filters": {"owner": ["not Agnes Adeyemi"]}}
    entry = Entry("f.yaml 1", "dev", "bookings without Agnes", (), expected)
    span = Span.of("qtd")
    read = Reading(
        Intent.VALUE,
        ("bookings",),
        period=Period("qtd", span.start, span.end, "Q4"),
        filters=(Filter("owner", ("1",), ("Agnes Adeyemi",), is_excluded=True),),
    )
    assert judge(entry, read, load_catalog()).is_right


@pytest.mark.parametrize(
    "written",
    ["questions: [{ask: a, grains: week}]", "questions: [{ask: a, period: soon}]", "asked: []", "questions: [{}]"],
)
def test_an_entry_that_cannot_be_judged_by_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "f.yaml").write_text(written)
    with pytest.raises(UnsoundEntry, match=r"f\.yaml"):
        load_entries(folder=tmp_path)
