"""The side of the run: starts the worker early, hands it frames, reads what it found."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any

import pyarrow as pa

from sophia_assets.encryption.frames import seal_frame
from sophia_assets.errors import SophiaError
from sophia_assets.quality.frames import known_name
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.quality.wording import in_words
from sophia_assets.sources.columns import REFERS_TO
from sophia_assets.sources.declarations import Expectation

# Importing takes ten seconds on a busy machine, a frame of 100,000 rows less than one.
_SECONDS_TO_START = 180.0
_SECONDS_TO_ANSWER = 120.0


@dataclass(frozen=True)
class Suite:
    """A frame in an Arrow file, and the rules that its rows must meet. `key` opens the file, where it is sealed."""

    table: str
    file: Path
    rows: int
    expectations: tuple[Expectation, ...]
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def written(
        cls, folder: Path, table: str, rows: pa.Table, expectations: Sequence[Expectation], *, is_sealed: bool = False
    ) -> Suite:
        """The suite with its frame as a file of its own in `folder`, with a key of its own where `is_sealed`."""
        file = folder / f"{table}.arrow"
        if is_sealed:
            sink = pa.BufferOutputStream()
            with pa.ipc.new_file(sink, rows.schema) as writer:
                writer.write_table(rows)
            key = seal_frame(file, sink.getvalue().to_pybytes())
            return cls(table, file, rows.num_rows, tuple(expectations), key)
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
        return cls(table, file, rows.num_rows, tuple(expectations))

    def as_json(self) -> dict[str, Any]:
        """The suite as the worker is asked for it."""
        return {
            "table": self.table,
            "file": str(self.file),
            "key": self.key.hex(),
            "expectations": [_as_validated(item) for item in self.expectations],
        }


class QualityWorker:
    """One worker process, started at construction; asking waits until it is ready, and never for ever. Close it when
    done."""

    def __init__(
        self,
        *,
        command: Sequence[str] = (sys.executable, "-m", "sophia_assets.quality.worker"),
        seconds_to_start: float = _SECONDS_TO_START,
        seconds_to_answer: float = _SECONDS_TO_ANSWER,
    ) -> None:
        self._lock = Lock()
        self._ready = False
        self._unread = b""
        self._seconds_to_start, self._seconds_to_answer = seconds_to_start, seconds_to_answer
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )

    def validate(self, table: str, rows: pa.Table, expectations: Sequence[Expectation]) -> list[Outcome]:
        """One outcome per expectation, in order; where the table cannot be validated, each says so.

        Raises SophiaError where the worker has died, or takes too long.
        """
        if not expectations:
            return []
        with tempfile.TemporaryDirectory(prefix="sophia-quality-") as folder:
            suite = Suite.written(Path(folder), table, rows, expectations)
            (outcomes,) = self.validate_each([suite])
            return outcomes

    def validate_each(self, suites: Sequence[Suite]) -> Generator[list[Outcome]]:
        """The outcomes of each suite, as `validate` gives them, while the worker goes on with the next one.

        Nobody else is served until it is closed, or has come to its end.
        """
        with self._lock, closing(self._ask(suites)) as answers:
            for suite in suites:
                answer = next(answers)
                if "failure" in answer:
                    yield outcomes_of_failure(suite, answer["failure"])
                    continue
                yield [_outcome(item, found) for item, found in zip(suite.expectations, answer["results"], strict=True)]

    @property
    def is_ready(self) -> bool:
        """Whether it has imported what it needs, so that asking it waits for nothing else."""
        if not self._ready and self._lock.acquire(blocking=False):
            try:
                with suppress(OSError, ValueError):
                    self._ready = bool(self._read(0)["ready"])
            finally:
                self._lock.release()
        return self._ready

    def close(self) -> None:
        """Ends the process. Safe to call twice."""
        for stream in (self._process.stdin, self._process.stdout):
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

    def _ask(self, suites: Sequence[Suite]) -> Generator[dict[str, Any]]:
        assert self._process.stdin
        with self._explained():
            if not self._ready:
                self._ready = bool(self._read(self._seconds_to_start)["ready"])
            request = json.dumps({"suites": [suite.as_json() for suite in suites]}) + "\n"
            self._process.stdin.write(request.encode())
        left = len(suites)
        try:
            while left:
                left -= 1
                with self._explained():
                    answer = self._read(self._seconds_to_answer)
                yield answer
        finally:
            # What nobody waited for must not be taken for the answer to the next request.
            with suppress(SophiaError), self._explained():
                for _ in range(left):
                    self._read(self._seconds_to_answer)

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except TimeoutError:
            self._process.kill()
            raise SophiaError(
                f"the validation worker gave no answer within {self._seconds_to_answer:g} s, and was ended",
                remedy="See whether the machine has memory left; then run the checks again",
            ) from None
        except (OSError, ValueError):
            raise SophiaError(
                "the validation worker ended unexpectedly",
                remedy="Run `python -m sophia_assets.quality.worker` to see why",
            ) from None

    def _read(self, seconds: float) -> dict[str, Any]:
        """The next line. Raises TimeoutError after so many seconds, ValueError where there will be none."""
        assert self._process.stdout
        deadline = time.monotonic() + seconds
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            part = os.read(descriptor, 65536)
            if not part:
                raise ValueError("the stream has ended")
            self._unread += part
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _as_validated(declared: Expectation) -> dict[str, Any]:
    """The rule as Great Expectations knows it; a reference has been looked up when the frame was read."""
    kind, arguments = declared.kind, dict(declared.arguments)
    if kind == REFERS_TO:
        kind = "column_values_to_be_in_set"
        more = {"mostly": arguments["mostly"]} if "mostly" in arguments else {}
        arguments = {"column": known_name(arguments["column"]), "value_set": [True], **more}
    return {"name": declared.name, "kind": kind, "arguments": _plain(arguments)}


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, (tuple, set)) else value for name, value in arguments.items()}


def outcomes_of_failure(suite: Suite, reason: str) -> list[Outcome]:
    """What is known of a suite's rules where they could not be run, for a reason without any row's values: nothing."""
    return [_outcome(item, _not_run(suite.rows, reason)) for item in suite.expectations]


def _not_run(rows: int, why: str) -> dict[str, Any]:
    return {"success": False, "rows": rows, "unexpected": 0, "observed_value": None, "error": why}


def _outcome(declared: Expectation, found: Mapping[str, Any]) -> Outcome:
    if found["error"]:
        observed = f"the check could not run: {found['error']}"
    elif found["unexpected"]:
        tolerated = ", as many as are tolerated" if found["success"] else ""
        observed = f"{found['unexpected']:,} of {found['rows']:,} rows do not meet it{tolerated}"
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
        guards_downstream=declared.severity == "error",
    )
