"""The side of the run: starts the worker early, hands it frames, reads what it found."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import pyarrow as pa

from sophia_assets.errors import SophiaError
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.sources.declarations import Expectation


class QualityWorker:
    """One worker process, started at construction; `validate` waits until it is ready. Close it when done."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ready = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sophia_assets.quality.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def validate(self, table: str, rows: pa.Table, expectations: Sequence[Expectation]) -> list[Outcome]:
        """One outcome per expectation, in order; where the table cannot be validated, each says so.

        Raises SophiaError where the worker has died.
        """
        if not expectations:
            return []
        with tempfile.TemporaryDirectory(prefix="sophia-quality-") as folder, self._lock:
            path = Path(folder) / "rows.arrow"
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
                writer.write_table(rows)
            request = {
                "table": table,
                "file": str(path),
                "expectations": [
                    {"name": item.name, "kind": item.kind, "arguments": _plain(item.arguments)} for item in expectations
                ],
            }
            answer = self._ask(request)
        if "failure" in answer:
            answer = {"results": [_not_run(rows.num_rows, answer["failure"]) for _ in expectations]}
        return [_outcome(item, found) for item, found in zip(expectations, answer["results"], strict=True)]

    def close(self) -> None:
        """Ends the process. Safe to call twice."""
        for stream in (self._process.stdin, self._process.stdout):
            # A request that a dead worker did not take is still in the stream.
            with suppress(BrokenPipeError):
                if stream:
                    stream.close()
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait()

    def __enter__(self) -> QualityWorker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            if not self._ready:
                self._ready = bool(self._read()["ready"])
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return self._read()
        except (OSError, ValueError):
            raise SophiaError(
                "the validation worker ended unexpectedly",
                remedy="Run `python -m sophia_assets.quality.worker` to see why",
            ) from None

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, (tuple, set)) else value for name, value in arguments.items()}


def _not_run(rows: int, why: str) -> dict[str, Any]:
    return {"success": False, "rows": rows, "unexpected": 0, "observed_value": None, "error": why}


def _outcome(declared: Expectation, found: Mapping[str, Any]) -> Outcome:
    if found["error"]:
        observed = f"the check could not run: {found['error']}"
    elif found["unexpected"]:
        observed = f"{found['unexpected']:,} of {found['rows']:,} rows do not meet it"
    elif found["observed_value"] is not None:
        observed = f"{found['observed_value']:,}"
    else:
        observed = f"all of {found['rows']:,} rows meet it" if found["success"] else "not met"
    return Outcome(
        name=declared.name,
        passed=found["success"] and not found["error"],
        severity=declared.severity,
        expected=in_words(declared),
        observed=observed,
        unexpected=found["unexpected"],
        rows=found["rows"],
        errored=bool(found["error"]),
        recovery=declared.recovery,
    )


_RULES_IN_WORDS = {
    "column_values_to_not_be_null": "has a value",
    "column_values_to_be_unique": "is never repeated",
    "compound_columns_to_be_unique": "are never repeated together",
    "column_values_to_be_between": "lies in range",
    "column_values_to_be_in_set": "is one of the known values",
    "column_to_exist": "exists",
}


def in_words(declared: Expectation) -> str:
    """What an expectation asks for, in plain words."""
    arguments = dict(declared.arguments)
    subject = arguments.pop("column", None) or ", ".join(arguments.pop("column_list", ())) or "the table"
    mostly = arguments.pop("mostly", None)
    rule = _RULES_IN_WORDS.get(declared.kind) or declared.kind.replace("_", " ")
    limits = ", ".join(
        f"{key.replace('_', ' ')} {', '.join(map(str, value)) if isinstance(value, (list, tuple, set)) else value}"
        for key, value in arguments.items()
        if value is not None
    )
    words = f"{subject} {rule}" + (f" ({limits})" if limits else "")
    return f"{words}, in at least {mostly:.0%} of rows" if mostly is not None else words
