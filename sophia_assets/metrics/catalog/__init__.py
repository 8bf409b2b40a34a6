"""The metric catalog: what every figure means, one block per metric, in one YAML file per area.

Belongs here: the files, their types, and what can be wrong with them by themselves (`reading`, `consistency`)
and against the models (`checking`).
Does not belong here: compiling a metric to SQL, computing it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sophia_assets.metrics.catalog.entries import Catalog, Dimension, Metric
from sophia_assets.metrics.catalog.problems import CatalogInvalid, Problem
from sophia_assets.metrics.catalog.reading import ReadCatalog, read_catalog

CATALOG_FOLDER = Path(__file__).parent
_SHARED = "dimensions.yaml"

__all__ = ["CATALOG_FOLDER", "Catalog", "CatalogInvalid", "Dimension", "Metric", "Problem", "load_catalog", "read"]


@lru_cache(maxsize=4)
def load_catalog(path: Path = CATALOG_FOLDER) -> Catalog:
    """The catalog in a folder of YAML files, or in one file. Raises CatalogInvalid with everything that is wrong."""
    found = read(path)
    if found.problems:
        raise CatalogInvalid(found.problems)
    return found.catalog


def read(path: Path = CATALOG_FOLDER) -> ReadCatalog:
    """What a folder's YAML files, or one file, hold, with everything that is wrong in them by themselves.

    A file beside the other files of a catalog is read with them; any other one with the platform's dimensions. Only its
    own problems are told.
    """
    if path.is_dir():
        return read_catalog(sorted(path.glob("*.yaml")), root=path.parent)
    beside = sorted(path.parent.glob("*.yaml")) if (path.parent / _SHARED).exists() else [path]
    shared = [] if path.parent / _SHARED in beside or _declares_dimensions(path) else [CATALOG_FOLDER / _SHARED]
    found = read_catalog([*shared, *beside], root=path.parent)
    found.problems = [problem for problem in found.problems if problem.file == path.name]
    return found


def _declares_dimensions(path: Path) -> bool:
    """Whether a line of the file opens the block; a file that is no YAML may say so too."""
    try:
        return any(line.startswith("dimensions:") for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return False
