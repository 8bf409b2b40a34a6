"""The validation worker: it answers suite by suite, and a worker that hangs holds up no run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from sophia_assets.errors import SophiaError
from sophia_assets.quality.client import QualityWorker, Suite
from sophia_assets.sources.declarations import Expectation

RULE = Expectation("column_to_exist", {"column": "a"})
ROWS = pa.table({"a": [1]})
READY = "import sys; print('{\"ready\": true}', flush=True); "
RESULT = {"success": True, "rows": 1, "unexpected": 0, "observed_value": None, "error": None}


def worker(script: str) -> QualityWorker:
    return QualityWorker(command=[sys.executable, "-c", script], seconds_to_start=30.0, seconds_to_answer=0.2)


def test_a_worker_that_never_answers_is_ended_and_told() -> None:
    with worker(READY + "[None for _ in sys.stdin]") as hanging:
        with pytest.raises(SophiaError, match=r"gave no answer within 0\.2 s"):
            hanging.validate("shop.items", ROWS, [RULE])
        with pytest.raises(SophiaError, match="ended unexpectedly"):
            hanging.validate("shop.items", ROWS, [RULE])


def test_a_worker_that_is_still_importing_is_not_ready_and_can_be_asked_all_the_same() -> None:
    lines = [json.dumps({"ready": True}), json.dumps({"results": [RESULT]})]
    # It answers once it was asked: one that has ended already could not be asked any more.
    script = (
        "import sys; "
        f"sys.stdin.readline(); print({lines[0]!r}, flush=True); sys.stdin.readline(); print({lines[1]!r}, flush=True)"
    )
    with QualityWorker(command=[sys.executable, "-c", script], seconds_to_answer=30.0) as slow:
        assert not slow.is_ready
        slow._process.stdin.write(b"go\n")  # type: ignore[union-attr]
        assert slow.validate("shop.items", ROWS, [RULE])[0].passed
        assert slow.is_ready


def test_answers_that_nobody_waited_for_are_not_taken_for_those_to_the_next_request(tmp_path: Path) -> None:
    with QualityWorker() as running:
        wrong = Suite.written(tmp_path, "shop.wrong", ROWS, [Expectation("column_to_exist", {"column": "b"})])
        right = Suite.written(tmp_path, "shop.right", ROWS, [RULE])
        left = running.validate_each([right, wrong, wrong])
        assert next(left)[0].passed
        left.close()
        (outcome,) = running.validate("shop.items", ROWS, [RULE])
        assert outcome.passed
