"""The systems that an export folder can hold: one module of this package each.

A system's module has `KEYS`, its objects with the columns without which they mean nothing, and
`build(objects, cells)`, which makes its data or None without any file. Where the vendor has an
export format of its own, `find(folder)` reads it into those objects (nothing where it is not there).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import sophia_assets.sandbox.exports as exports_package
from sophia_assets.sandbox.exports.files import ExportFile
from sophia_assets.sandbox.exports.values import Cells


@cache
def _modules() -> Mapping[str, Any]:
    names = sorted(module.name for module in pkgutil.iter_modules(exports_package.__path__))
    found = {name: importlib.import_module(f"{exports_package.__name__}.{name}") for name in names if name != "systems"}
    return {name: module for name, module in found.items() if hasattr(module, "KEYS")}


def keys() -> Mapping[str, tuple[str, ...]]:
    """Every object of the native layout, with its required columns."""
    return {name: columns for module in _modules().values() for name, columns in module.KEYS.items()}


def vendor_objects(folder: Path) -> dict[str, ExportFile]:
    """What lies in `folder` in the vendors' own export formats, as objects of the native layout."""
    found: dict[str, ExportFile] = {}
    for module in _modules().values():
        if hasattr(module, "find"):
            found |= module.find(folder)
    return found


def build(objects: Mapping[str, ExportFile], cells: Cells) -> dict[str, Any]:
    """Each system's data by its name; None for a system without files."""
    # HubSpot comes last: deals without a date of their own begin with the first event of all systems.
    ordered = sorted(_modules(), key=lambda name: name == "hubspot")
    return {name: _modules()[name].build(objects, cells) for name in ordered}
