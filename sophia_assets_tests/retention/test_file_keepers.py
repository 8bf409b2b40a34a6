"""Old files go by when they were written; the newest stay, and so does whatever is none of ours."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from pathlib import Path

from sophia_assets.control.published import Register
from sophia_assets.control.store import ControlStore
from sophia_assets.home import Home
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.kinds import DAILY, WEEKLY, BriefingKind
from sophia_assets.retention.file_keepers import BriefingsKeeper, FactsKeeper, LooseFilesKeeper
from sophia_assets_tests.retention.conftest import NOW

CUTOFF = NOW - timedelta(days=100)
LONG_AGO = NOW - timedelta(days=200)


def _written(path: Path, at: datetime) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def _briefed(home: Home, store: ControlStore | None, day: date, at: datetime, kind: BriefingKind = DAILY) -> Path:
    folder = BriefingArchive(home.briefings).files(day, kind).folder
    for name in ("briefing.json", "manifest.json", "sales_leader/briefing.json"):
        _written(folder / name, at)
    if store is not None:
        Register(store, lambda: at).enter(kind.key, day, "executive", "0" * 64)
    return folder


def test_a_briefing_goes_with_its_seal_and_the_newest_of_each_kind_stays(home: Home, store: ControlStore) -> None:
    old = [_briefed(home, store, date(2026, 3, day), LONG_AGO) for day in (1, 2, 3)]
    weekly = _briefed(home, store, date(2026, 3, 1), LONG_AGO, WEEKLY)
    keeper = BriefingsKeeper(home, store)
    assert keeper.held(CUTOFF).due == 2
    assert sum(keeper.remove(CUTOFF)) == 2
    assert [folder.exists() for folder in (*old, weekly)] == [False, False, True, True]
    register = Register(store)
    assert [register.digest(DAILY.key, date(2026, 3, day), "executive") is None for day in (1, 2, 3)] == [
        True,
        True,
        False,
    ]


def test_what_counts_is_when_a_briefing_was_written_and_not_which_day_it_is_of(home: Home, store: ControlStore) -> None:
    caught_up = _briefed(home, store, date(2024, 1, 1), NOW)
    _briefed(home, store, date(2026, 11, 22), NOW)
    assert sum(BriefingsKeeper(home, store).remove(CUTOFF)) == 0
    assert caught_up.exists()


def test_one_that_no_register_has_goes_by_its_files(home: Home, store: ControlStore) -> None:
    old, young = _briefed(home, None, date(2026, 3, 1), LONG_AGO), _briefed(home, None, date(2026, 3, 2), NOW)
    assert sum(BriefingsKeeper(home, store).remove(CUTOFF)) == 1
    assert (old.exists(), young.exists()) == (False, True)


def test_a_removal_that_was_cut_short_is_finished(home: Home, store: ControlStore) -> None:
    day = date(2026, 3, 1)
    folder = _briefed(home, store, day, LONG_AGO)
    _briefed(home, store, date(2026, 11, 22), NOW)
    folder.rename(folder.with_name(f".removed-{folder.name}"))
    assert BriefingArchive(home.briefings).days() == [date(2026, 11, 22)], "nobody reads what is going"
    assert sum(BriefingsKeeper(home, store).remove(CUTOFF)) == 0
    assert Register(store).digest(DAILY.key, day, "executive") is None
    assert [path.name for path in home.briefings.iterdir()] == ["2026-11-22"]


def test_old_facts_go_but_for_the_newest_day(home: Home) -> None:
    files = [_written(home.path / "facts" / f"2026-03-0{day}.parquet", LONG_AGO) for day in (1, 2, 3)]
    assert sum(FactsKeeper(home).remove(CUTOFF)) == 2
    assert [file.exists() for file in files] == [False, False, True]


def test_state_that_nobody_touches_and_drafts_of_the_dead_go_and_nothing_else_does(home: Home) -> None:
    gone = [
        _written(home.path / "limits" / "gong-0123-day.limit", LONG_AGO),
        _written(home.path / "cache" / "lineage-x.json", LONG_AGO),
        _written(home.path / f".company.json.{2**22 + 1}", LONG_AGO),
        _written(home.briefings / "2026-03-01" / f".briefing.json.{2**22 + 1}", LONG_AGO),
    ]
    kept = [
        _written(home.path / "limits" / "hubspot-0123-day.limit", NOW),
        _written(home.path / "company.json", LONG_AGO),
        _written(home.path / "audit.key", LONG_AGO),
        _written(home.path / ".env", LONG_AGO),
        _written(home.path / f".company.json.{os.getpid()}", LONG_AGO),
        _written(home.path / "limits" / "notes.txt", LONG_AGO),
    ]
    keeper = LooseFilesKeeper(home)
    assert keeper.held(CUTOFF).due == 4
    assert sum(keeper.remove(CUTOFF)) == 4
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


def test_an_empty_home_has_nothing_to_remove(home: Home, store: ControlStore) -> None:
    for keeper in (BriefingsKeeper(home, store), FactsKeeper(home), LooseFilesKeeper(home)):
        assert (keeper.held(CUTOFF).count, sum(keeper.remove(CUTOFF))) == (0, 0)
