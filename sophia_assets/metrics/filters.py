"""Filters of a metric: to which entities of a dimension it is narrowed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Filter:
    """Rows whose `dimension` is one of `ids` (with `is_excluded`: none of them); `names` are what readers see."""

    dimension: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    is_excluded: bool = False
