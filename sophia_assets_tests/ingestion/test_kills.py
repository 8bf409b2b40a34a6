"""Loads that are killed lose nothing, double nothing, and leave nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from sophia_assets_tests.ingestion.kills import campaign


@pytest.mark.timeout(600)
def test_no_row_is_lost_or_doubled_however_often_a_load_is_killed(tmp_path: Path) -> None:
    with campaign(tmp_path, seed=7) as running:
        tally = running.run(10)

    assert tally.findings == []
    assert (tally.lost, tally.doubled) == (0, 0)
    assert tally.count >= 10
