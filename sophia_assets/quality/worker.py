"""The worker: reads requests as lines of JSON, validates Arrow files with Great Expectations, answers in lines.

A request is `{"suites": [{"table", "file", "key", "expectations": [{"name", "kind", "arguments"}]}, ...]}`; the key, in
hex, opens a file that is sealed. Each suite has a line of its own for an answer, in the same order:
`{"results": [...]}`, one for each rule, or `{"failure": "..."}`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, TextIO

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def main() -> None:
    """Imports Great Expectations, says so, then answers until its input closes."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever a library prints must not get between the answers.
    os.dup2(2, 1)
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    # One for all frames: each new one has the whole context written out again.
    source = context.data_sources.add_pandas("tables")
    batches = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("newest")
    _say(answers, {"ready": True})
    for line in sys.stdin:
        for suite in json.loads(line)["suites"]:
            try:
                answer: dict[str, Any] = {"results": _validate(gx, batches, suite)}
            except Exception as error:  # the worker outlives a bad suite; the message may quote rows, the type does not
                answer = {"failure": type(error).__name__}
            _say(answers, answer)


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _validate(gx: Any, batches: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
    import pyarrow as pa

    with _opened(request["file"], bytes.fromhex(request.get("key", ""))) as source:
        frame = pa.ipc.open_file(source).read_all().to_pandas(date_as_object=False)
    batch = batches.get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(name=request["table"])
    for position, expectation in enumerate(request["expectations"]):
        suite.add_expectation(_expectation(gx, expectation, position))
    validation = batch.validate(suite, result_format="SUMMARY").to_json_dict()
    found = {result["expectation_config"]["meta"]["position"]: result for result in validation["results"]}
    return [
        _summary(found[position], len(frame), _names(expectation, frame))
        for position, expectation in enumerate(request["expectations"])
    ]


def _opened(file: str, key: bytes) -> Any:
    import pyarrow as pa

    if not key:
        return pa.memory_map(file)
    from sophia_assets.encryption.frames import open_frame

    return pa.BufferReader(open_frame(Path(file), key))


def _expectation(gx: Any, declared: dict[str, Any], position: int) -> Any:
    name = "Expect" + "".join(part.capitalize() for part in declared["kind"].split("_"))
    return getattr(gx.expectations, name)(**declared["arguments"], meta={"position": position})


def _names(declared: dict[str, Any], frame: Any) -> set[str]:
    arguments = declared["arguments"]
    return {*map(str, frame.columns), str(arguments.get("column")), *map(str, arguments.get("column_list", ()))}


def _summary(result: dict[str, Any], rows: int, names: set[str]) -> dict[str, Any]:
    raised = [info for info in _exceptions(result.get("exception_info") or {}) if info.get("raised_exception")]
    details = result.get("result") or {}
    observed = details.get("observed_value")
    return {
        "success": bool(result["success"]),
        "rows": rows,
        "unexpected": int(details.get("unexpected_count") or 0),
        "observed_value": observed if isinstance(observed, (int, float)) else None,
        "error": _without_values(raised[0].get("exception_message") or "no reason given", names) if raised else None,
    }


def _without_values(message: str, names: set[str]) -> str:
    """The message with everything that it quotes left out, save names of columns: it may be a row's value."""
    return _QUOTED.sub(lambda found: found[0] if found[0][1:-1] in names else "(value)", message)[:300]


def _exceptions(info: dict[str, Any]) -> list[dict[str, Any]]:
    """Errors are given flat, or one level down by metric."""
    return [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, dict)]


if __name__ == "__main__":
    main()
