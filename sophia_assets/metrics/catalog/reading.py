"""Reads the catalog's files into a `Catalog`, and collects everything that is wrong in them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sophia_assets.metrics.catalog.consistency import catalog_findings, metric_findings
from sophia_assets.metrics.catalog.documents import Document, read_document
from sophia_assets.metrics.catalog.entries import AREAS, Catalog, Dimension, Metric
from sophia_assets.metrics.catalog.problems import Problem, did_you_mean, in_order, quoted

_Entry = TypeVar("_Entry", bound=BaseModel)
_TOP_KEYS = ("area", "defaults", "metrics", "dimensions", "ambiguous")
_DEFAULTS = ("owner", "access", "sensitivity", "table")


@dataclass
class ReadCatalog:
    """What the files hold. `catalog` has every entry that is sound by itself; `problems` says what is not."""

    catalog: Catalog
    problems: list[Problem]
    places: Mapping[str, tuple[Document, tuple[str | int, ...]]] = field(default_factory=dict)

    def problem(
        self, entry: str, name: str, what: str, remedy: str, allowed: Iterable[str] = (), key: str | int | None = None
    ) -> Problem:
        """A problem with a field of an entry, at its line; `key` points at one item of it."""
        document, place = self.places.get(entry) or next(iter(self.places.values()))
        where: tuple[str | int, ...] = (*place, *([name] if name else []), *([key] if key is not None else []))
        if name in _DEFAULTS and (*place, name) not in document.lines:
            where = ("defaults", name)
        return Problem(document.file, document.line_of(where), entry, name, what, remedy, tuple(allowed))


def read_catalog(files: Sequence[Path], *, root: Path | None = None) -> ReadCatalog:
    """Everything that `files` hold together. Names in problems are relative to `root`."""
    documents = [read_document(path, _shown(path, root)) for path in files]
    gathering = _Gathering()
    for document in documents:
        gathering.take(document)
    return gathering.result()


def _shown(path: Path, root: Path | None) -> str:
    return str(path.relative_to(root)) if root and path.is_relative_to(root) else str(path)


class _Gathering:
    """Collects entries over several files."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.metrics: dict[str, Metric] = {}
        self.dimensions: dict[str, Dimension] = {}
        self.ambiguous: list[str] = []
        self.places: dict[str, tuple[Document, tuple[str | int, ...]]] = {}

    def take(self, document: Document) -> None:
        """Adds one file's entries."""
        self.problems += document.problems
        content = document.content
        if not isinstance(content, dict):
            if not document.problems:
                self._add(document, (), "", "", "the file has no blocks", f"Write one of {', '.join(_TOP_KEYS)}")
            return
        for key in content:
            if key not in _TOP_KEYS:
                remedy = did_you_mean(key, _TOP_KEYS, "Drop it")
                self._add(document, (str(key),), "", str(key), "there is no such block", remedy, _TOP_KEYS)
        self.places.setdefault("", (document, ()))
        if "ambiguous" in content:
            self.places[""] = (document, ())
            self.ambiguous += self._words(document, content["ambiguous"])
        self._dimensions(document, self._block(document, content, "dimensions"))
        defaults = self._defaults(document, content)
        self._metrics(document, self._block(document, content, "metrics"), defaults)

    def result(self) -> ReadCatalog:
        """The catalog of all files, after the rules that span them."""
        metrics = dict(sorted(self.metrics.items(), key=lambda item: AREAS.index(item[1].area)))
        catalog = Catalog.model_construct(dimensions=self.dimensions, metrics=metrics, ambiguous=tuple(self.ambiguous))
        read = ReadCatalog(catalog, self.problems, self.places)
        for metric in self.metrics.values():
            self.problems += [read.problem(metric.name, name, *rest) for name, *rest in metric_findings(metric)]
        sound = {*self.metrics, *(f"dimensions.{name}" for name in self.dimensions), ""}
        unread = self.places.keys() - sound
        for entry, (name, what, remedy) in catalog_findings(catalog, unread):
            self.problems.append(read.problem(entry, name, what, remedy))
        read.problems = in_order(self.problems)
        return read

    def _add(
        self,
        document: Document,
        place: tuple[str | int, ...],
        entry: str,
        name: str,
        what: str,
        remedy: str,
        allowed: Iterable[str] = (),
    ) -> None:
        self.problems.append(Problem(document.file, document.line_of(place), entry, name, what, remedy, tuple(allowed)))

    def _block(self, document: Document, content: Mapping[str, Any], key: str) -> Mapping[Any, Any]:
        block = content.get(key, {})
        if isinstance(block, dict):
            return block
        self._add(document, (key,), "", key, f"it holds {_kind_of(block)}, not entries by name", "Write `name: {...}`")
        return {}

    def _words(self, document: Document, given: Any) -> list[str]:
        if isinstance(given, list) and all(isinstance(word, str) for word in given):
            return given
        self._add(document, ("ambiguous",), "", "ambiguous", "it is no list of words", "Write [word, other words]")
        return []

    def _defaults(self, document: Document, content: Mapping[str, Any]) -> dict[str, Any]:
        block = dict(self._block(document, content, "defaults"))
        for key in [key for key in block if key not in _DEFAULTS]:
            remedy = did_you_mean(key, _DEFAULTS, "Give it in each metric")
            self._add(document, ("defaults", str(key)), "", f"defaults.{key}", "it has no default", remedy, _DEFAULTS)
            del block[key]
        if "area" in content:
            block["area"] = content["area"]
        elif content.get("metrics"):
            self._add(document, (), "", "area", "it is missing", "Say which area the file's metrics are of", AREAS)
            block["area"] = AREAS[0]
        return block

    def _dimensions(self, document: Document, block: Mapping[Any, Any]) -> None:
        for name, given in block.items():
            entry, place = f"dimensions.{name}", ("dimensions", str(name))
            found = self._entry(Dimension, document, entry, place, given, {})
            if found is not None:
                self.dimensions[str(name)] = found

    def _metrics(self, document: Document, block: Mapping[Any, Any], defaults: Mapping[str, Any]) -> None:
        for name, given in block.items():
            place = ("metrics", str(name))
            if isinstance(given, dict) and "name" in given:
                self._add(document, (*place, "name"), str(name), "name", "the block's key is the name", "Drop it")
                given = {key: value for key, value in given.items() if key != "name"}
            if isinstance(given, dict) and "area" in given:
                self._add(document, (*place, "area"), str(name), "area", "the file gives it", "Drop it")
                given = {key: value for key, value in given.items() if key != "area"}
            found = self._entry(Metric, document, str(name), place, given, {**defaults, "name": str(name)})
            if found is not None:
                self.metrics[str(name)] = found

    def _entry(
        self,
        model: type[_Entry],
        document: Document,
        entry: str,
        place: tuple[str | int, ...],
        given: Any,
        defaults: Mapping[str, Any],
    ) -> _Entry | None:
        if entry in self.places:
            other, before = self.places[entry]
            what = f"it is there already, in {other.file} line {other.line_of(before)}"
            self._add(document, place, entry, "", what, "Keep one of the two")
            return None
        self.places[entry] = (document, place)
        if not isinstance(given, dict):
            self._add(document, place, entry, "", f"it is {_kind_of(given)}, not a block of fields", "Give its fields")
            return None
        named = {str(key): value for key, value in given.items()}
        if named.get("kind") == "ratio":
            defaults = {key: value for key, value in defaults.items() if key != "table"}
        try:
            return model.model_validate({**defaults, **named})
        except ValidationError as error:
            for detail in error.errors():
                self.problems.append(_translated(model, document, entry, place, detail, set(named)))
            return None


def _kind_of(value: object) -> str:
    names = {dict: "a block", list: "a list", str: "a text", bool: "yes or no", int: "a number", float: "a number"}
    return "empty" if value is None else names.get(type(value), "something else")


_SHAPES = {"tuple_type": "a list", "dict_type": "a block", "string_type": "a text", "bool_type": "true or false"}


def _translated(
    model: type[BaseModel],
    document: Document,
    entry: str,
    place: tuple[str | int, ...],
    detail: Any,
    given: set[str],
) -> Problem:
    """A finding of the type check in the words of the catalog."""
    loc = [part for part in detail["loc"] if part != "[key]"]
    name = str(loc[0])
    shown = name if name != "name" else ""
    fields = model.model_fields
    about = fields[name].description if name in fields else None
    where = ("defaults", name) if name in _DEFAULTS and name not in given else (*place, *loc)
    if name == "area":
        where = ("area",)
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    allowed: tuple[str, ...] = ()
    remedy = f"Give `{name}`: {about}" if about else "Drop it"
    if kind == "missing":
        what = "it is missing"
        where = place if name not in given else where
    elif kind == "extra_forbidden":
        known = [field for field in fields if field not in ("name", "area")]
        what, remedy = "there is no such field", did_you_mean(name, known, f"Use one of {', '.join(known)}")
    elif kind == "literal_error":
        allowed = tuple(_alternatives(context["expected"]))
        what = f"{quoted(value)} is not allowed"
        remedy = did_you_mean(value, allowed, f"`{name}` is {about}" if about else "Use one of these")
        if isinstance(value, bool):
            remedy = "YAML reads yes, no, on and off as true or false: put the word in quotes"
    elif kind == "string_pattern_mismatch":
        what, remedy = f"{quoted(value)} is not written as it must be", _PATTERNS.get(name, _NAMES)
    elif kind == "too_short" or kind == "string_too_short":
        what = "it is empty"
    elif kind in _SHAPES:
        what = f"it is {_kind_of(value)}, not {_SHAPES[kind]}"
    else:
        what = f"{quoted(value)} does not fit: {detail['msg'].lower()}"
    return Problem(document.file, document.line_of(where), entry, shown, what, remedy, allowed)


_NAMES = "Use small letters, digits and _, and begin with a letter"
_PATTERNS = {
    "owner": "Write it as team:name, in small letters",
    "table": "Write it as schema.name, such as marts.deals",
}


def _alternatives(expected: str) -> Iterable[str]:
    return (part.strip().strip("'") for part in expected.replace(" or ", ", ").split(","))
