"""Rows put into an otherwise empty warehouse, through the loader, to see what models make of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Deleted, ReadItem, Rows, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import Load
from sophia_assets_tests.warehouse.models.loaded_company import Tables, build_all

KNOWN_SINCE = datetime(2025, 9, 1, tzinfo=UTC)


class Planting:
    """An empty warehouse with every raw table; rows go in by `rows`, models come out by `models`."""

    def __init__(self, path: Path) -> None:
        self.warehouse = DuckDBWarehouse(path)
        self._loads = 0

    def rows(self, name: str, *rows: Mapping[str, Any], known_at: datetime = KNOWN_SINCE) -> None:
        """Loads rows of one raw table, read up to `known_at`; columns that a row leaves out are empty."""
        table = registry.table(name)
        full = [{**dict.fromkeys(table.column_names), **row} for row in rows]
        self._load(name, Rows(table.name, full), known_at)

    def gone(self, name: str, *keys: tuple[Any, ...], known_at: datetime = KNOWN_SINCE) -> None:
        """Loads the news that rows with these keys were deleted."""
        self._load(name, Deleted(registry.table(name).name, keys), known_at)

    def models(self) -> Tables:
        """The tables after building every model anew."""
        build_all(self.warehouse)
        return Tables(self.warehouse)

    def model(self, name: str) -> pd.DataFrame:
        """One model, after building it anew, and whatever it reads."""
        build_all(self.warehouse, only=name)
        return Tables(self.warehouse).mart(name)

    def _load(self, name: str, item: ReadItem, known_at: datetime) -> None:
        table = registry.table(name)
        self._loads += 1
        load_id = f"planted-{self._loads}"
        tables = registry.groups(table.system)[table.group]
        self.warehouse.load(Load(load_id, load_id, tables, Window(None, known_at)), [item])
