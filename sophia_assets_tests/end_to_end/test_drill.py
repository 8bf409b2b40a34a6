"""`sophia drill` against a running Dagster daemon and sandbox: a system fails, is contained, and comes back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sophia_assets_tests.end_to_end.whole_runs import SOPHIA

pytestmark = [pytest.mark.long, pytest.mark.takes(120)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where whoever drills works; their home and the folder for temporary files lie in it."""
    made = tmp_path_factory.mktemp("drill")
    (made / "temporary").mkdir()
    return made


@pytest.fixture(scope="module")
def drilled(folder: Path) -> dict[str, Any]:
    """What `sophia drill gong --json` says."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        [str(SOPHIA), "drill", "gong", "--json"],
        env={**kept, "SOPHIA_HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=560,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.timeout(600)
def test_a_system_that_fails_is_contained_and_comes_back_by_itself(drilled: dict[str, Any]) -> None:
    assert [step["what"] for step in drilled["steps"]] == [
        drilled["steps"][0]["what"],
        "Gong fails",
        "Dagster's daemon runs",
        "Its sensor asks for what is due",
        "The run fails, the circuit opens",
        "Every table says so",
        "The sensor says why it waits",
        "HubSpot is read all the same",
        "The briefing is written and says so",
        "Gong is healed",
        "One probe goes out and comes back",
        "The circuit closes",
        "The missed days are filled",
        "The sensor rests",
    ]
    assert drilled["passed"] and drilled["problem"] is None


@pytest.mark.timeout(600)
def test_the_sensor_tells_the_story_in_order(drilled: dict[str, Any]) -> None:
    said = [entry["says"] for entry in drilled["timeline"]]
    told = [next(number for number, says in enumerate(said) if part in says) for part in STORY]
    assert told == sorted(told), said


STORY = (
    "asks for gong:",
    "Gong is not asked. Its circuit is open since",
    "asks for probe:gong:1:",
    "Gong was read up to",
)


@pytest.mark.timeout(600)
def test_nothing_of_the_users_is_touched_and_nothing_is_left(drilled: dict[str, Any], folder: Path) -> None:
    assert not (folder / "home").exists()
    assert [path.name for path in (folder / "temporary").iterdir() if "sophia" in path.name] == []
