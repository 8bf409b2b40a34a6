"""Layouts: how the files of some other export become the objects of the native layout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.exports.files import ExportFile, Row, header, read_file
from sophia_assets.sandbox.exports.values import Cells

_FIRST_DAY = "first_day"


def find_layout(folder: Path, given: Path | None) -> Mapping[str, Any] | None:
    """The layout for `folder`: the one given, its own `layout.yaml`, or a shipped one that recognises it."""
    own = folder / "layout.yaml"
    if given is not None or own.is_file():
        path = given or own
        try:
            return _checked(path.read_text("utf-8"), str(path))
        except OSError as error:
            raise ConfigurationError(f"the layout {path} cannot be read: {error.strerror}") from error
    for shipped in sorted(files(__package__).joinpath("layouts").iterdir(), key=lambda entry: entry.name):
        if shipped.name.endswith(".yaml"):
            layout = _checked(shipped.read_text("utf-8"), shipped.name)
            if _recognises(layout, folder):
                return layout
    return None


def _checked(text: str, name: str) -> Mapping[str, Any]:
    try:
        layout = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"the layout {name} is not YAML: {error}") from error
    if not isinstance(layout, dict) or not isinstance(layout.get("objects"), dict):
        raise ConfigurationError(f"the layout {name} has no `objects`", remedy="See layouts/crm_opportunities.yaml.")
    return layout


def _recognises(layout: Mapping[str, Any], folder: Path) -> bool:
    wanted = layout.get("recognise") or {}
    return bool(wanted) and all(
        (folder / name).is_file() and set(columns) <= header(folder / name) for name, columns in wanted.items()
    )


class LayoutReader:
    """Applies one layout to one folder; `warnings` says what it had to assume."""

    def __init__(self, layout: Mapping[str, Any], folder: Path, cells: Cells) -> None:
        self._layout, self._folder, self._cells = layout, folder, cells
        self._files: dict[str, ExportFile] = {}
        self._ids: dict[str, dict[str, str]] = defaultdict(dict)
        self._assumed: dict[tuple[str, str], set[int]] = defaultdict(set)

    @property
    def warnings(self) -> list[str]:
        """One line per column that was empty and for which the first day was taken."""
        return [
            f"{file}: {len(lines)} rows have no {column}; the first day of the data, {self._cells.first_event},"
            " stands in for it"
            for (file, column), lines in sorted(self._assumed.items())
        ]

    def read(self) -> dict[str, ExportFile]:
        """The objects of the native layout, in the order in which the layout lists them."""
        for name, columns in (self._layout.get("events") or {}).items():
            for row in self._file(name).rows:
                for column in columns:
                    self._cells.moment(row, column, event=True)
        return {name: self._object(name, sources) for name, sources in self._layout["objects"].items()}

    def _object(self, name: str, sources: list[Mapping[str, Any]]) -> ExportFile:
        rows: list[Row] = []
        for source in sources:
            if "records" in source:
                rows += [Row(name, index, dict(cells)) for index, cells in enumerate(source["records"], start=1)]
            else:
                rows += self._rows(name, source)
        return ExportFile(name, frozenset(column for row in rows for column in row.cells), rows)

    def _rows(self, name: str, source: Mapping[str, Any]) -> list[Row]:
        made: list[Row] = []
        key, distinct = source.get("key"), source.get("distinct")
        id_column = next(iter(source["columns"]))
        for position, row in enumerate(self._file(source["file"]).rows):
            if not all(row.cells.get(column) in allowed for column, allowed in (source.get("where") or {}).items()):
                continue
            if distinct and (row.cells.get(distinct) is None or row.cells[distinct] in self._ids[name]):
                continue
            cells = {column: self._value(row, position, rule) for column, rule in source["columns"].items()}
            if key and row.cells.get(key) is not None:
                self._ids[name][row.cells[key]] = str(cells[id_column])
            made.append(Row(row.file, row.line, cells))
        return made

    def _value(self, row: Row, position: int, rule: Any) -> Any:
        if isinstance(rule, str):
            return row.cells.get(rule)
        if "value" in rule:
            return rule["value"]
        if "row" in rule:
            return str(int(rule["row"]) + position)
        if "template" in rule:
            return _fill(rule["template"], row) or _fill(rule.get("otherwise", ""), row)
        value = row.cells.get(rule["column"])
        if "refer" in rule:
            return None if value is None else self._ids[rule["refer"]].get(value)
        if "words" in rule and value is not None:
            first, _, rest = value.partition(" ")
            return (first if rule["words"] == "first" else rest) or None
        if "times" in rule:
            number = self._cells.number(row, rule["column"])
            return None if number is None else _plain(number * Decimal(str(rule["times"])))
        if value is None and rule.get("otherwise") == _FIRST_DAY and self._cells.first_event:
            self._assumed[(row.file, rule["column"])].add(row.line)
            return self._cells.first_event.isoformat()
        return value

    def _file(self, name: str) -> ExportFile:
        if name not in self._files:
            path = self._folder / name
            if not path.is_file():
                raise ConfigurationError(f"{name} is missing in {self._folder}", remedy="The layout needs it.")
            self._files[name] = read_file(path, name)
            self._files[name].require(tuple((self._layout.get("recognise") or {}).get(name, ())))
        return self._files[name]


def _fill(template: str, row: Row) -> str | None:
    """The template with the row's values, None where one of them is empty."""
    try:
        return template.format_map({name: value for name, value in row.cells.items() if value is not None})
    except KeyError:
        return None


def _plain(number: Decimal) -> str:
    """A number without exponent or needless zeros."""
    return f"{number.normalize():f}"
