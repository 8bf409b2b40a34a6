"""What a run tells of a read beside its figures: what the source had to say, and never what a system answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Notice, ReadItem, Rows, Window
from sophia_assets_tests.orchestration.platform import Platform, failure_text, materializations, shown

CANARY = "canary.person@private.example"


class _Redis:
    """Stands in for Redis' client: says something, and trips over a value where it is asked to."""

    system = "redis"
    requests_made = 0

    def __init__(self, *, trips: bool = False) -> None:
        self._trips = trips

    def ping(self) -> str:
        return "here"

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        yield Rows("totals", [{"counter": "accounts", "value": 3}])
        yield Notice("totals", "2 of the keys were left out")
        if self._trips:
            int(CANARY)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with Platform.on(tmp_path, {"REDIS_URL": "redis://127.0.0.1:1"}) as platform:
        yield platform


def read_totals(platform: Platform, source: _Redis, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(registry, "create_source_from_settings", lambda *_, **__: source)
    return platform.ingest("redis", group="counters")


def test_what_the_source_had_to_say_is_shown_and_warned_of(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    result = read_totals(platform, _Redis(), monkeypatch)

    (totals,) = materializations(result)["redis.totals"]
    assert shown(totals.metadata)["notices"] == ["2 of the keys were left out"]
    warned = [entry.user_message for entry in platform.instance.all_logs(result.run_id) if entry.level == 30]
    assert warned == ["redis.totals: 2 of the keys were left out"]


def test_a_value_that_a_source_trips_over_is_nowhere_in_the_event_log(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = read_totals(platform, _Redis(trips=True), monkeypatch)

    assert "not shaped as expected (ValueError)" in failure_text(result)
    entries = [str(entry) for entry in platform.instance.all_logs(result.run_id)]
    assert any("in read\\n" in entry for entry in entries), "where it happened is told"
    assert not any(CANARY in entry for entry in entries)
