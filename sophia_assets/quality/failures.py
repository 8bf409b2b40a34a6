"""What the checks of each table have found, kept so that runs to come know which rows may not go on.

Dagster's own blocking ends with the run, so what is known of a table is kept here until it is checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sophia_assets.encryption.files import read_json, write_json
from sophia_assets.encryption.vault import PLAIN, Vault
from sophia_assets.quality.outcomes import Outcome


@dataclass(frozen=True)
class Told:
    """What people are told of a failing check; `since` is when (UTC, ISO 8601) it was first found to fail."""

    expected: str
    unexpected: int
    recovery: str
    since: str


@dataclass(frozen=True)
class Verdict:
    """What is known of a table: its failing checks of severity error, by name, with what they observed.

    `holding_back` names those of them that keep its rows from going on, `judged` all checks that were made since the
    load `load_id`, `told` what else is known of each failing one.
    """

    load_id: str = ""
    judged: frozenset[str] = frozenset()
    failing: Mapping[str, str] = field(default_factory=dict)
    holding_back: frozenset[str] = frozenset()
    told: Mapping[str, Told] = field(default_factory=dict)

    def is_final(self, load_id: str, checks: Collection[str]) -> bool:
        """Whether all of `checks` were made on the table as that load left it."""
        return self.load_id == load_id and self.judged.issuperset(checks)


class FailureLog:
    """One small file per table under `folder`, replaced as a whole, so that systems never wait for each other.

    `vault` seals them: what a check observed may be a figure. `on_record` is told of what is recorded.
    """

    def __init__(
        self,
        folder: Path,
        vault: Vault = PLAIN,
        on_record: Callable[[str, Sequence[Outcome]], object] = lambda _table, _outcomes: None,
    ) -> None:
        self._folder = folder
        self._vault = vault
        self._on_record = on_record

    def record(self, table: str, load_id: str, outcomes: Iterable[Outcome]) -> None:
        """Replaces what is known of the checks in `outcomes`; what other checks found before stands."""
        before = self.verdict(table)
        made = {outcome.name: outcome for outcome in outcomes}
        standing = {name: observed for name, observed in before.failing.items() if name not in made}
        judged = before.judged if before.load_id == load_id else frozenset()
        now = datetime.now(UTC).isoformat()
        told = {name: item for name, item in before.told.items() if name in standing}
        for name, item in made.items():
            if item.is_error:
                since = before.told[name].since if name in before.told else now
                told[name] = Told(item.expected, item.unexpected, item.recovery, since)
        verdict = {
            "load_id": load_id,
            "judged": sorted(judged.union(made)),
            "failing": {**standing, **{name: item.observed for name, item in made.items() if item.is_error}},
            "holding_back": sorted(
                (before.holding_back - made.keys()) | {name for name, item in made.items() if item.holds_back}
            ),
            "told": {name: asdict(item) for name, item in told.items()},
        }
        write_json(self._vault, self._file(table), _context(table), verdict)
        self._on_record(table, list(made.values()))

    def verdict(self, table: str) -> Verdict:
        """What is known of a table (`system.name`); nothing, where it was never checked."""
        stored: dict[str, Any] = read_json(self._vault, self._file(table), _context(table)) or {}
        return Verdict(
            load_id=str(stored.get("load_id", "")),
            judged=frozenset(stored.get("judged", ())),
            failing={str(name): str(observed) for name, observed in stored.get("failing", {}).items()},
            holding_back=frozenset(stored.get("holding_back", ())),
            told={str(name): Told(**item) for name, item in stored.get("told", {}).items()},
        )

    def failing(self, system: str) -> dict[str, str]:
        """What each failing check of a system's tables observed, by `table.check`."""
        return {
            f"{system}.{file.stem}.{name}": observed
            for file in sorted((self._folder / system).glob("*.json"))
            for name, observed in self.verdict(f"{system}.{file.stem}").failing.items()
        }

    def _file(self, table: str) -> Path:
        system, name = table.split(".")
        return self._folder / system / f"{name}.json"


def _context(table: str) -> str:
    return f"quality/{table.replace('.', '/')}.json"
