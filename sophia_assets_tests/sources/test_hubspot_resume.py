"""A read of HubSpot that is cut off behind any of its pages goes on there, and nothing is missing or wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from sophia_assets.ingestion.ingest import ingest_group
from sophia_assets.sandbox.company_data import HubSpotData
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import (
    Checkpoint,
    CompleteSet,
    Deleted,
    PresentKeys,
    ReadItem,
    Rows,
    Source,
    Window,
)
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import START, Served, make_deal, served, small_company, small_hubspot
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, IMPATIENT, group_contents
from sophia_assets_tests.sources.unlimited import Unlimited
from sophia_assets_tests.sources.wrapped import Wrapped

SOON = Window(START - timedelta(days=1), END)


def _data() -> HubSpotData:
    """Two pages of each list, and a millisecond in which more deals were modified than a search page holds."""
    data = small_hubspot(0, contacts=130)
    tie = START + timedelta(days=9)
    data.objects["deals"] = [
        *(make_deal(number) for number in range(1, 231)),
        *(make_deal(number, tie) for number in range(231, 481)),
        *(make_deal(number, archived=True) for number in range(481, 541)),
    ]
    return data


@pytest.fixture(scope="module")
def crm() -> Iterator[Served]:
    with served(small_company(hubspot=_data(), gong=None, snowflake=None), wait_for="listening", limits=False) as it:
        yield it


def _source(crm: Served) -> Source:
    return registry.create_source_from_settings("hubspot", crm.env, retry=IMPATIENT, limiters=Unlimited())


def _told(items: list[ReadItem]) -> set[tuple[Any, ...]]:
    """What a read said, whatever the order and however often."""
    told: set[tuple[Any, ...]] = set()
    for item in items:
        match item:
            case Rows():
                told |= {(item.table, orjson.dumps(row, option=orjson.OPT_SORT_KEYS)) for row in item.rows}
            case Deleted() | PresentKeys():
                told |= {(type(item).__name__, item.table, key) for key in item.keys}
            case CompleteSet():
                told.add(("complete", item.table))
    return told


@pytest.mark.parametrize("window", [EVERYTHING, SOON], ids=["full", "incremental"])
@pytest.mark.parametrize("group", ["deals", "contacts", "owners"])
def test_every_checkpoint_is_a_place_to_go_on_from(group: str, window: Window, crm: Served) -> None:
    whole = list(_source(crm).read(group, window))
    places = [place for place, item in enumerate(whole) if isinstance(item, Checkpoint)]
    assert places
    for place in places:
        checkpoint = whole[place]
        assert isinstance(checkpoint, Checkpoint)
        position = orjson.loads(orjson.dumps(checkpoint.position))
        rest = list(_source(crm).read(group, window, resume=position))
        assert _told(whole[:place]) | _told(rest) == _told(whole)


def test_going_on_behind_a_late_checkpoint_asks_for_little(crm: Served) -> None:
    whole = list(_source(crm).read("deals", EVERYTHING))
    last = [item.position for item in whole if isinstance(item, Checkpoint)][-2]
    source = _source(crm)
    list(source.read("deals", EVERYTHING, resume=last))
    # The schema, the account's time zone, the last page.
    assert source.requests_made == 3


def test_the_drain_of_a_full_millisecond_has_checkpoints_of_its_own(crm: Served) -> None:
    positions = [item.position for item in _source(crm).read("deals", SOON) if isinstance(item, Checkpoint)]
    assert [position["drain"] for position in positions if position.get("drain")]


def test_a_page_ends_with_a_checkpoint(crm: Served) -> None:
    source = _source(crm)
    kinds = [type(item) for item in source.read("deals", SOON)]
    assert kinds.count(Checkpoint) >= 12
    assert kinds[-1] is Checkpoint


class _Killed(BaseException):
    """The end of a process, as far as a read is concerned."""


class _Cut(Wrapped):
    """A source whose read ends for good in the middle of a page, after some checkpoints."""

    def __init__(self, source: Source, checkpoints: int) -> None:
        super().__init__(source)
        self._left = checkpoints

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for item in self.source.read(group, window, resume):
            if isinstance(item, Checkpoint):
                self._left -= 1
            elif self._left <= 0:
                raise _Killed
            yield item


@pytest.mark.parametrize("window", [EVERYTHING, SOON], ids=["full", "incremental"])
@pytest.mark.parametrize("checkpoints", [0, 1, 4, 7])
def test_a_read_killed_in_mid_page_loses_and_doubles_nothing(
    checkpoints: int, window: Window, crm: Served, tmp_path: Path
) -> None:
    whole, cut = DuckDBWarehouse(tmp_path / "whole.duckdb"), DuckDBWarehouse(tmp_path / "cut" / "cut.duckdb")
    ingest_group(_source(crm), "deals", window, whole, run_id="whole")
    with pytest.raises(_Killed):
        ingest_group(_Cut(_source(crm), checkpoints), "deals", window, cut, run_id="killed")
    assert cut.row_counts()["hubspot.deals"] == 0

    ingest_group(_source(crm), "deals", window, cut, run_id="again")
    assert group_contents(cut, "hubspot", "deals") == group_contents(whole, "hubspot", "deals")
