"""Loads a folder of exports as a company."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company.streams import zone
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.exports.files import SUFFIXES, ExportFile, read_file
from sophia_assets.sandbox.exports.layouts import LayoutReader, find_layout
from sophia_assets.sandbox.exports.systems import build, keys, vendor_objects
from sophia_assets.sandbox.exports.values import Cells, no_dates


def load_exports(directory: Path, *, timezone: str, layout: Path | None = None) -> CompanyData:
    """The company whose exports lie in `directory`; see the package's docstring for what may lie there.

    Dates without a time are midnight in `timezone`. `first_day` and `last_day` span the events in
    the files (forecasts such as the close date of an open deal are not events). `layout` is the path
    of a layout that goes before any other. A system without files is None.

    Raises ConfigurationError, in one line, for a folder that is missing or holds nothing known, a
    file without a required column, an empty key, or a date that is none.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"there is no folder {directory}", remedy="Name a folder of CSV or JSONL exports.")
    cells = Cells(zone(timezone))
    found_layout = find_layout(directory, layout)
    reader = LayoutReader(found_layout, directory, cells) if found_layout else None
    objects = reader.read() if reader else _native_objects(directory)
    known = keys()
    for name, file in objects.items():
        if name not in known:
            raise ConfigurationError(f"{name} is not a known object", remedy=f"Known are: {', '.join(known)}.")
        file.require(known[name])
    systems = build(objects, cells)
    if cells.first_event is None or cells.last_event is None:
        raise no_dates()
    name = str(found_layout.get("name") or directory.name) if found_layout else directory.resolve().name
    unused = [] if reader else _unused(directory, objects)
    return CompanyData(
        name=name,
        first_day=cells.first_event,
        last_day=cells.last_event,
        **systems,
        warnings=[*(reader.warnings if reader else []), *unused, *cells.warnings],
    )


def _native_objects(directory: Path) -> dict[str, ExportFile]:
    named = {
        name: read_file(path, path.relative_to(directory).as_posix())
        for name in keys()
        for path in (directory / f"{name}{suffix}" for suffix in SUFFIXES)
        if path.is_file()
    }
    objects = vendor_objects(directory)
    # A vendor's own export may have the name of a native file; then its header tells.
    objects |= {name: file for name, file in named.items() if name not in objects or file.has(keys()[name])}
    if not objects:
        raise ConfigurationError(
            f"no file in {directory} is recognised",
            remedy="Expected files such as hubspot/deals.csv, a vendor's own export, or a layout.yaml.",
        )
    return objects


def _unused(directory: Path, objects: Mapping[str, ExportFile]) -> list[str]:
    """A warning for each file of which nothing was taken: a wrong name or header is easily missed."""
    used = {file.name for file in objects.values()} | {row.file for file in objects.values() for row in file.rows}
    tables = sorted(path for suffix in SUFFIXES for glob in ("*", "*/*") for path in directory.glob(f"{glob}{suffix}"))
    names = [(path, path.relative_to(directory).as_posix()) for path in tables]
    return [
        f"{name} is not used: {'it is empty' if not path.stat().st_size else 'its name and columns are not known'}"
        for path, name in names
        if not {name, path.name, name.removesuffix(path.suffix)} & used
    ]
