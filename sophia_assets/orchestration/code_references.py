"""Where in the code an asset is declared, so that the UI leads there."""

from __future__ import annotations

import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.sources.declarations import Table


def reference_to_file(path: Path, line: int | None = None) -> dict[str, Any]:
    """The metadata that leads to a file, and to a line of it (from 1)."""
    label = "/".join(path.parts[-2:])
    with warnings.catch_warnings():
        # Code references are marked beta; the version is pinned, so the warning tells nothing new.
        warnings.simplefilter("ignore", dg.BetaWarning)
        reference = dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=label)
        return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def reference_to_table(table: Table) -> dict[str, Any]:
    """The metadata that leads to the declaration of a raw table."""
    return reference_to_file(*_declaration(table.system, table.name))


@cache
def _declaration(system: str, name: str) -> tuple[Path, int | None]:
    """The file and line where a table is declared, by its name; that of associations is made from a shorter one."""
    folder = PROJECT_ROOT / "sophia_assets" / "sources" / system
    files = sorted(folder.glob("*tables.py"), reverse=True)
    for wanted in (rf'name="{name}"', rf'"{name.removesuffix("_associations")}",'):
        for path in files:
            for number, text in enumerate(_lines(path), start=1):
                if re.search(wanted, text):
                    return path, number
    return folder / "tables.py", None


@cache
def _lines(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8").splitlines())
