"""After a briefing was made, the figures that the platform was asked for are exported, with what really happened."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sophia_assets.access.principal import Principal
from sophia_assets.assistant.interface import Question
from sophia_assets.home import Home
from sophia_assets.sources import registry
from sophia_assets_tests.finished_home import copied_home, services_of
from sophia_assets_tests.telemetry.exporting import Scrape, scrape_of


@pytest.fixture(scope="module")
def scrape(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Scrape:
    """A scrape of a home whose systems were read, whose briefings were written, and that was asked something."""
    home = copied_home(finished_home, tmp_path_factory.mktemp("mission") / "home")
    services = services_of(home)
    question = Question("What is MRR?", Principal("ada", "executive", "cli"))
    for _ in range(2):
        assert services.assistant.ask(question).status == "answered"
    services.close()
    return scrape_of(home)


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_each_system_was_read_and_has_said_how_long_that_took(scrape: Scrape, system: str) -> None:
    assert scrape.value("sophia_data_fetch_duration_seconds_count", source=system) > 0
    assert scrape.value("sophia_data_fetch_duration_seconds_sum", source=system) > 0
    assert scrape.value("sophia_data_fetches_total", source=system) > 0


@pytest.mark.parametrize("table", [table.qualified_name for table in registry.tables()])
def test_each_table_has_an_age_and_rows(scrape: Scrape, table: str) -> None:
    source, name = table.split(".")
    assert 0 <= scrape.value("sophia_data_freshness_seconds", source=source, table=name) < 86_400
    assert scrape.value("sophia_rows", source=source, table=name) >= 0


@pytest.mark.parametrize(
    ("name", "is_right"),
    [
        ("sophia_data_fetch_errors_total", lambda value: value == 0),
        ("sophia_data_validation_failures_total", lambda value: value >= 0),
        ("sophia_empty_results_total", lambda value: value >= 0),
        ("sophia_cache_hit_rate", lambda value: value != value or 0 <= value <= 1),
        ("sophia_llm_tokens_total", lambda value: value == 0),
    ],
)
def test_what_may_happen_is_told_also_where_it_did_not(
    scrape: Scrape, name: str, is_right: Callable[[float], bool]
) -> None:
    found = scrape.sets(name)
    assert found and all(is_right(scrape.value(name, **labels)) for labels in found)


def test_of_two_equal_questions_the_cache_had_the_answer_to_one(scrape: Scrape) -> None:
    assert scrape.value("sophia_cache_hit_rate", cache="answer") == 0.5
    assert scrape.value("sophia_questions_total", channel="cli", status="answered") == 2


def test_the_writer_without_a_model_counts_as_one_that_answered(scrape: Scrape) -> None:
    labels = {"provider": "offline", "model": "offline"}
    assert scrape.value("sophia_llm_response_seconds_count", **labels) > 0
    assert {labels["provider"] for labels in scrape.sets("sophia_llm_tokens_total")} >= {"anthropic", "openai"}
