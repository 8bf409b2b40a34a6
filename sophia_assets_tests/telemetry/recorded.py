"""What is written down in a control store, read by tests as it is told: by series, labels and part."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from sophia_assets.control.schema import measures
from sophia_assets.control.store import ControlStore
from sophia_assets.telemetry.recording import EVER, VALUE
from sophia_assets.telemetry.series import Origin, Series, every_series

RECORDED = {series.name: series for series in every_series() if series.origin is Origin.RECORDED}


def cells(store: ControlStore, day: str = EVER) -> dict[tuple[str, tuple[str, ...], str], float]:
    """Every value of a day, or since ever, by (series, labels, part)."""
    with store.reading() as connection:
        rows = connection.execute(select(measures).where(measures.c.day == day)).all()
    return {(row.series, tuple(json.loads(row.labels)), row.part): row.value for row in rows}


def value(store: ControlStore, series: Series, part: str = VALUE, **labels: str) -> float | None:
    """One value since ever; None where there is none."""
    return cells(store).get((series.name, tuple(labels[name] for name in series.labels), part))


def labelled(store: ControlStore) -> list[tuple[Series, dict[str, str]]]:
    """Every recorded series with the labels under which it has come."""
    found: list[tuple[Series, dict[str, str]]] = []
    for name, labels in sorted({(name, labels) for name, labels, _ in cells(store)}):
        series = RECORDED[name]
        found.append((series, dict(zip(series.labels, labels, strict=True))))
    return found


def names(store: ControlStore) -> set[str]:
    """The series that have a value."""
    return {name for name, _, _ in cells(store)}


def changes(before: dict[Any, float], after: dict[Any, float]) -> dict[Any, float]:
    """What was added, cell by cell, to those of which there is more."""
    return {cell: amount - before.get(cell, 0.0) for cell, amount in after.items() if amount != before.get(cell, 0.0)}
