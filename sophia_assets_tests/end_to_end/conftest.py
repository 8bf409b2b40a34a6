"""The whole runs that several tests look at, each made once per session."""

from __future__ import annotations

import pytest

from sophia_assets_tests.end_to_end.whole_runs import DAYS, LAST_DAY, SEED, WholeRun, once_per_session, run_whole


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    """A small simulated company's first briefing, on the last day of a quarter. Not to be changed."""
    arguments = ("--days", str(DAYS), "--seed", str(SEED), "--date", LAST_DAY.isoformat())
    return once_per_session(tmp_path_factory, "first-run", lambda home: run_whole(home, *arguments))
