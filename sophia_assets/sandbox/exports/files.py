"""Reads the files of an export folder into rows that know where they came from."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sophia_assets.errors import ConfigurationError

SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Row:
    """One record of a file: `line` is its line number, empty text is None."""

    file: str
    line: int
    cells: dict[str, Any]


@dataclass(frozen=True)
class ExportFile:
    """One file's rows; `name` is its path below the export folder, `columns` all columns that occur."""

    name: str
    columns: frozenset[str]
    rows: list[Row]

    def has(self, columns: tuple[str, ...]) -> bool:
        """Whether all `columns` are there."""
        return self.columns.issuperset(columns)

    def require(self, columns: tuple[str, ...]) -> None:
        """Raise ConfigurationError unless all `columns` are there."""
        missing = [column for column in columns if column not in self.columns]
        if missing and self.columns:
            raise ConfigurationError(
                f"{self.name} has no column {', '.join(missing)}",
                remedy=f"Add it; the file's columns are: {', '.join(sorted(self.columns)) or 'none'}.",
            )


def read_file(path: Path, name: str) -> ExportFile:
    """All rows of a CSV or JSON lines file. Raises ConfigurationError where it is not one."""
    try:
        rows = list(_csv_rows(path, name) if path.suffix == ".csv" else _json_rows(path, name))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name} is not UTF-8 text", remedy="Save it as UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise ConfigurationError(f"{name} cannot be read: {error}") from error
    columns = header(path) if path.suffix == ".csv" else {column for row in rows for column in row.cells}
    return ExportFile(name, frozenset(columns), rows)


def header(path: Path) -> set[str]:
    """The column names of a CSV file, none for any other."""
    if path.suffix != ".csv":
        return set()
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        return {column.strip() for column in next(csv.reader(stream), []) if column.strip()}


def _csv_rows(path: Path, name: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        columns = [column.strip() for column in next(reader, [])]
        for values in reader:
            if any(value.strip() for value in values):
                pairs = zip(columns, values, strict=False)
                yield Row(name, reader.line_num, {column: value.strip() or None for column, value in pairs if column})


def _json_rows(path: Path, name: str) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig") as stream:
        for line, text in enumerate(stream, start=1):
            if not text.strip():
                continue
            try:
                record = json.loads(text)
            except json.JSONDecodeError as error:
                raise ConfigurationError(
                    f"{name}, line {line} is not JSON: {error.msg}", remedy="Write one JSON object per line."
                ) from error
            if not isinstance(record, dict):
                raise ConfigurationError(f"{name}, line {line} is not a JSON object", remedy="Write one per line.")
            yield Row(name, line, {key: _tidy(value) for key, value in record.items()})


def _tidy(value: Any) -> Any:
    return (value.strip() or None) if isinstance(value, str) else value
