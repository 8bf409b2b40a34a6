"""Calling `sophia`, and saying what a refusal must look like."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result

from sophia_assets.cli import main
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.insight.archive import BriefingArchive

SIMULATED = CompanyIdentity(
    "simulated", seed=42, start="2026-01-01", name="Northwind", first_day="2026-01-01", last_day="2026-03-31"
)


@dataclass(frozen=True)
class Sophia:
    """The command line and the home that it works in."""

    base_home: Path

    def __call__(self, *arguments: str, **environment: str) -> Result:
        """Runs one command in this process."""
        return CliRunner().invoke(main, list(arguments), env=environment, prog_name="sophia")

    def hold(self, identity: CompanyIdentity = SIMULATED) -> Home:
        """Makes the home one that has been run for a company."""
        home = Home(self.base_home)
        home.prepare()
        home.record_company(identity)
        return home

    def with_briefing(self, day: str) -> Home:
        """Makes the home one that holds a briefing."""
        home = self.hold()
        folder = home.briefings / day
        folder.mkdir()
        (folder / "briefing.md").write_text(f"# Briefing of {day}\n")
        (folder / "briefing.json").write_text(f'{{"date": "{day}"}}')
        assert BriefingArchive(home.briefings).days()
        return home


def refused(result: Result, exit_code: int, *told: str) -> str:
    """Asserts that a command failed in one clear line with what is in `told`; returns the line."""
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == exit_code, result.output
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    for text in told:
        assert text in lines[0]
    return lines[0]


def contents(folder: Path) -> dict[str, str]:
    """Every file under a folder with a hash of what is in it, lock files aside."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }
