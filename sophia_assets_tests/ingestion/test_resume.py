"""A read that broke off is gone on with behind its last checkpoint, in its own window, and only while that is right."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.errors import ConnectionFailed, ResponseInvalid, SystemSwitchedOff
from sophia_assets.ingestion.ingest import begin_group, group_window, ingest_group
from sophia_assets.sources import registry
from sophia_assets.sources.columns import string
from sophia_assets.sources.declarations import ReadItem, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import LoadResult
from sophia_assets_tests.ingestion.paged_source import WINDOW, PagedOwners

TABLES = registry.groups("hubspot")["owners"]
LATER = Window(None, WINDOW.end + timedelta(minutes=20))
CUT = ConnectionFailed("cut off")


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=TABLES, checkpoint_seconds=0)


@pytest.fixture
def owners(tmp_path: Path) -> PagedOwners:
    return PagedOwners(tmp_path / "asked")


def load(source: PagedOwners, warehouse: DuckDBWarehouse, window: Window = WINDOW, run_id: str = "run") -> LoadResult:
    """One load for the partition WINDOW."""
    [result] = ingest_group(source, "owners", window, warehouse, run_id=run_id, partition=WINDOW)
    return result


def broken(source: PagedOwners, warehouse: DuckDBWarehouse, page: int, error: Exception = CUT, **changed: Any) -> None:
    """A load that breaks off at a page."""
    with pytest.raises(type(error)):
        load(replace(source, broken_at=page, error=error, **changed), warehouse, run_id="broken")


def stages(warehouse: DuckDBWarehouse) -> list[Path]:
    """The stages that lie beside the warehouse."""
    return sorted((warehouse.path.parent / "staging" / "warehouse").glob("*"))


def names(warehouse: DuckDBWarehouse) -> dict[str, str]:
    found = warehouse.query("SELECT owner_id, last_name FROM hubspot.owners WHERE _deleted_at IS NULL").to_pylist()
    return {row["owner_id"]: row["last_name"] for row in found}


def test_no_finished_page_is_asked_for_again(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    broken(owners, warehouse, 17)
    assert names(warehouse) == {}
    result = load(owners, warehouse)

    assert owners.pages_asked() == list(range(30))
    assert (result.rows_read, result.inserted, result.rows_total, result.requests) == (600, 600, 600, 30)
    assert stages(warehouse) == []


def test_a_read_whose_system_is_switched_off_ends_at_the_next_page_and_is_gone_on_with_later(
    owners: PagedOwners, warehouse: DuckDBWarehouse
) -> None:
    looks = iter(range(100))

    def look() -> None:
        if next(looks) == 4:
            raise SystemSwitchedOff("the flag hubspot.enabled is off", system="hubspot")

    pending = begin_group(owners, "owners", WINDOW, warehouse, run_id="ended", before_page=look)
    with pytest.raises(SystemSwitchedOff), pending:
        pending.read()
    assert owners.pages_asked() == list(range(5))
    load(owners, warehouse)
    assert owners.pages_asked() == list(range(30))


def test_a_resumed_read_keeps_its_window_and_its_moment(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    broken(owners, warehouse, 17)

    assert group_window("hubspot", "owners", WINDOW, warehouse, now=LATER.end) == WINDOW
    assert load(owners, warehouse, LATER, run_id="next").window == WINDOW


def test_what_was_read_to_its_end_is_merged_without_asking_again(
    owners: PagedOwners, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sophia_assets.warehouse.loading.judge", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            load(owners, warehouse)

    assert load(owners, warehouse).inserted == 600
    assert owners.pages_asked() == list(range(30))


def _interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_load_that_was_committed_but_not_cleaned_up_is_recognised(
    owners: PagedOwners, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("sophia_assets.warehouse.stage_folder.StageFolder.remove", lambda _: None)
        first = load(owners, warehouse)
    assert len(stages(warehouse)) == 1

    assert load(owners, warehouse, LATER, run_id="another") == first
    assert stages(warehouse) == []
    assert owners.pages_asked() == list(range(30))


def test_an_answer_that_is_lost_after_the_commit_changes_nothing_a_hundred_times(
    owners: PagedOwners, warehouse: DuckDBWarehouse
) -> None:
    first = load(owners, warehouse)

    assert all(load(owners, warehouse) == first for _ in range(100))
    assert len(owners.pages_asked()) == 30
    assert warehouse.query('SELECT count(*) AS n FROM "_sophia"."loads"').to_pylist() == [{"n": 1}]


def test_another_partition_begins_at_its_beginning(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    broken(owners, warehouse, 17)
    ingest_group(owners, "owners", LATER, warehouse, run_id="other", partition=LATER)

    assert owners.pages_asked() == [*range(17), *range(30)]


@pytest.mark.parametrize("hours", [-25, 25])
def test_a_stage_that_is_too_old_is_not_gone_on_with(
    hours: int, owners: PagedOwners, warehouse: DuckDBWarehouse
) -> None:
    broken(owners, warehouse, 17)
    _backdate(stages(warehouse)[0], timedelta(hours=hours))

    assert load(owners, warehouse, LATER).window == LATER
    assert owners.pages_asked() == [*range(17), *range(30)]
    assert stages(warehouse) == []


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_an_hour_off_loses_nothing(hours: int, owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    broken(owners, warehouse, 17)
    _backdate(stages(warehouse)[0], timedelta(hours=hours))

    assert load(owners, warehouse, LATER).rows_total == 600
    assert owners.pages_asked() == list(range(30))


def _backdate(stage: Path, by: timedelta) -> None:
    manifest = json.loads((stage / "manifest.json").read_text())
    manifest["started_at"] = (datetime.now(UTC) - by).isoformat()
    (stage / "manifest.json").write_text(json.dumps(manifest))


def test_a_stage_of_other_declarations_is_not_gone_on_with(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    broken(owners, warehouse, 17)
    wider = [replace(table, columns=(*table.columns, string("nickname", "Nickname."))) for table in TABLES]
    reopened = DuckDBWarehouse(warehouse.path, tables=wider)
    from sophia_assets.warehouse.interface import LoadKey

    assert reopened.unfinished(LoadKey("hubspot", "owners", WINDOW), TABLES) is not None
    assert reopened.unfinished(LoadKey("hubspot", "owners", WINDOW), wider) is None


def test_what_another_account_sent_is_not_gone_on_with(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(ConnectionFailed):
        ingest_group(replace(owners, broken_at=17, error=CUT), "owners", WINDOW, warehouse, run_id="a", account="one")
    assert group_window("hubspot", "owners", WINDOW, warehouse, now=LATER.end, account="two") == LATER

    [result] = ingest_group(owners, "owners", WINDOW, warehouse, run_id="a", account="two")
    assert (result.rows_read, owners.pages_asked()) == (600, [*range(17), *range(30)])
    assert stages(warehouse) == []


def test_what_one_account_has_stored_is_read_again_from_another(
    owners: PagedOwners, warehouse: DuckDBWarehouse
) -> None:
    for account in ("one", "two"):
        ingest_group(owners, "owners", WINDOW, warehouse, run_id="a", account=account)

    assert len(owners.pages_asked()) == 60


def test_a_journal_of_many_checkpoints_stays_small(
    owners: PagedOwners, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sophia_assets.warehouse.stage_folder._LONGEST_JOURNAL", 2_000)
    broken(owners, warehouse, 28)
    assert (stages(warehouse)[0] / "journal.jsonl").stat().st_size < 4_000

    assert load(owners, warehouse).rows_total == 600
    assert owners.pages_asked() == list(range(30))


def test_what_the_source_had_to_say_outlives_a_kill(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    broken(owners, warehouse, 17, notice="2 were left out")
    result = load(owners, warehouse)

    assert result.notices == ("2 were left out",)
    assert warehouse.recorded(result.load_id) == [result]


def test_a_torn_last_line_and_bytes_beyond_it_are_dropped(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    broken(owners, warehouse, 17)
    [stage] = stages(warehouse)
    for name in ("journal.jsonl", "owners.rows.0.arrows"):
        with (stage / name).open("ab") as file:
            file.write(b'{"position": 99, "comp')

    assert load(owners, warehouse).rows_total == 600
    assert owners.pages_asked() == list(range(30))


def test_files_that_are_not_what_the_journal_says_are_read_anew(
    owners: PagedOwners, warehouse: DuckDBWarehouse
) -> None:
    broken(owners, warehouse, 17)
    (stages(warehouse)[0] / "owners.rows.0.arrows").unlink()

    assert load(owners, warehouse).rows_total == 600
    assert owners.pages_asked() == [*range(17), *range(30)]


def test_a_position_that_the_system_refuses_does_not_block_the_group(
    owners: PagedOwners, warehouse: DuckDBWarehouse
) -> None:
    broken(owners, warehouse, 17)
    broken(owners, warehouse, 17, ResponseInvalid("no such cursor"))

    assert load(owners, warehouse).rows_total == 600
    assert owners.pages_asked() == [*range(17), *range(30)]


def test_doubled_and_reordered_pages_collapse(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    load(owners, warehouse)
    before = names(warehouse)
    shuffled = {page: owners.page(29 - page // 2) for page in range(30)} | {
        29: [row for page in range(30) for row in owners.page(page)]
    }
    result = load(replace(owners, rows=shuffled), warehouse, LATER, run_id="again")

    assert names(warehouse) == before
    assert (result.inserted, result.updated, result.deleted) == (0, 0, 0)


class _Waiting(PagedOwners):
    """Waits in the middle until it is told to go on."""

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for number, item in enumerate(super().read(group, window, resume)):
            if number == 10:
                reached.set()
                assert go_on.wait(30)
            yield item


reached, go_on = threading.Event(), threading.Event()


def test_a_second_load_of_the_same_at_the_same_time_does_not_disturb_the_first(
    tmp_path: Path, owners: PagedOwners, warehouse: DuckDBWarehouse
) -> None:
    slow = threading.Thread(target=load, args=(_Waiting(tmp_path / "slow"), warehouse, WINDOW, "slow"))
    slow.start()
    assert reached.wait(30)
    assert load(owners, warehouse, LATER, run_id="quick").inserted == 600
    go_on.set()
    slow.join()

    assert len(names(warehouse)) == 600
    loads = warehouse.query('SELECT run_id, inserted, unchanged FROM "_sophia"."loads" ORDER BY rowid').to_pylist()
    assert [tuple(row.values()) for row in loads] == [("quick", 600, 0), ("slow", 0, 600)]
    assert stages(warehouse) == []


def test_what_dead_processes_left_is_swept(owners: PagedOwners, warehouse: DuckDBWarehouse) -> None:
    root = warehouse.path.parent / "staging" / "warehouse"
    for name in ("private-of-a-dead-process", "hubspot.owners.half-removed"):
        (root / name).mkdir(parents=True)
        (root / name / "owners.rows.0.arrows").write_bytes(b"rest")
    load(owners, warehouse)

    assert stages(warehouse) == []
