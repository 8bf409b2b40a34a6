"""`sophia` as a user runs it, a process of its own, and what it leaves behind."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from sophia_assets.metrics.facts_frame import facts_from_frame
from sophia_assets.sandbox.config import SandboxConfig
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets_tests.end_to_end.recomputed_work import MARTS
from sophia_assets_tests.end_to_end.stand_in_answers import Answers, read_answers

SOPHIA = Path(sys.executable).with_name("sophia")
REPOSITORY = Path(__file__).resolve().parents[2]

LAST_DAY = date(2025, 9, 30)
DAYS = 200
SEED = 3


@dataclass(frozen=True)
class WholeRun:
    """A `sophia run --json` that ended well: its answer, and the home it worked in."""

    result: dict[str, Any]
    home: Path

    @property
    def day(self) -> str:
        return str(self.result["date"])

    @property
    def company(self) -> dict[str, Any]:
        """What the home says about the company it holds."""
        return dict(json.loads((self.home / "company.json").read_text(encoding="utf-8")))

    def briefing(self) -> dict[str, Any]:
        """`sophia briefing show --json` of the run's day."""
        return dict(json.loads(sophia(self.home, "briefing", "show", "--date", self.day, "--json")))

    def text(self) -> str:
        """The briefing as people read it."""
        return Path(self.result["briefing_md"]).read_text(encoding="utf-8")

    def facts(self) -> dict[tuple[str, str, str, str], dict[str, Any]]:
        """Every fact of the day, by metric, period, dimension and entity id (empty for the whole company)."""
        frame = pd.read_parquet(self.home / "facts" / f"{self.day}.parquet")
        return {fact_key(fact): fact for fact in map(json.loads, frame["fact"])}

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Asks the warehouse."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return list(connection.execute(sql).fetchall())

    def unknown(self) -> set[str]:
        """The metrics of which nothing is known of the day."""
        frame = pd.read_parquet(self.home / "facts" / f"{self.day}.parquet")
        return {entry.metric for entry in facts_from_frame(frame).unknown}

    def marts(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of the marts by which metrics of `recomputed_work` are computed."""
        with duckdb.connect(str(self.home / "warehouse.duckdb"), read_only=True) as connection:
            return {mart: connection.execute(f"SELECT * FROM {mart}").to_arrow_table().to_pylist() for mart in MARTS}

    def answers(self) -> Answers:
        """The same company's answers, from stand-ins of one's own without rate limits, and the marts' rows."""
        held = self.company
        config = SandboxConfig(
            seed=held["seed"],
            start=date.fromisoformat(held["start"]),
            as_of=date.fromisoformat(held["last_day"]),
            limits=False,
        )
        with start_sandbox(config) as sandbox:
            return read_answers(sandbox.endpoints.env).with_marts(self.marts())


def fact_key(fact: dict[str, Any]) -> tuple[str, str, str, str]:
    """What identifies a fact, read from its evidence."""
    dimension, entity = next(iter(fact["entity_ids"].items()), ("", ""))
    return fact["metric"], fact["period"]["key"], dimension, entity


def sophia(home: Path, *arguments: str, **settings: str) -> str:
    """Runs a command in `home`, away from any settings of the developer's; returns what it printed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [str(SOPHIA), *arguments],
        env={**kept, "SOPHIA_HOME": str(home), **settings},
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert done.returncode == 0, f"sophia {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}"
    return done.stdout


def run_whole(home: Path, *arguments: str, **settings: str) -> WholeRun:
    """`sophia run --json` with `arguments` in `home`."""
    return WholeRun(json.loads(sophia(home, "run", "--json", *arguments, **settings)), home)


def once_per_session(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], WholeRun]) -> WholeRun:
    """What `build` makes in a folder, built by the first of the session's workers and read by the others."""
    root = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent
    answer = root / f"{name}.json"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answer.exists():
            answer.write_text(json.dumps(build(root / name).result), encoding="utf-8")
    return WholeRun(json.loads(answer.read_text(encoding="utf-8")), root / name)
