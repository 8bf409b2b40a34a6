"""What cannot be drilled is refused in one line, before anything is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets_tests.command_line.commands import Sophia, refused
from sophia_assets_tests.environment import default_settings


@pytest.fixture
def sophia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sophia]:
    """The command line on a home that does not exist; a drill could not get a folder."""
    monkeypatch.setattr("tempfile.mkdtemp", lambda **_: pytest.fail("a drill has begun"))
    with default_settings(tmp_path):
        yield Sophia(tmp_path / "var")
    assert not (tmp_path / "var").exists()


def test_an_unknown_system_is_refused_with_those_that_there_are(sophia: Sophia) -> None:
    refused(sophia("drill", "salesforce"), 2, "salesforce", "gong, hubspot")


def test_a_system_that_is_off_is_refused(sophia: Sophia) -> None:
    refused(sophia("drill", "gong", SOPHIA_GONG_MODE="off"), 2, "gong: the system is off", "SOPHIA_GONG_MODE=sandbox")


def test_a_fault_after_which_nothing_heals_by_itself_is_refused(sophia: Sophia) -> None:
    result = sophia("drill", "gong", "--fault", "auth")
    assert result.exit_code == 2
    assert "'auth' is not one of" in result.stderr
