"""What runs and the web process have written down since ever, with a zero for what is known and has not happened."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from sophia_assets.control.schema import measures
from sophia_assets.sources import registry
from sophia_assets.telemetry.exporter.ground import Ground
from sophia_assets.telemetry.exporter.known_labels import known_labels
from sophia_assets.telemetry.exporter.samples import Distribution, Sample, age
from sophia_assets.telemetry.labels import CACHES, HIT
from sophia_assets.telemetry.recording import COUNT, EVER, SUM, VALUE
from sophia_assets.telemetry.series import (
    CACHE_HIT_RATE,
    CACHE_REQUESTS,
    FRESHNESS,
    FRESHNESS_LIMIT,
    LAST_LOAD,
    Kind,
    Origin,
    Point,
    Series,
    every_series,
)

MOST_LABELS = 2_000
"""So many sets of labels of one series are told: a scrape stays short whatever somebody has written down."""


@dataclass
class _Cells:
    """The cells of one series by their labels and parts."""

    by_labels: dict[tuple[str, ...], dict[str, float]] = field(default_factory=lambda: defaultdict(dict))


def recorded(ground: Ground) -> list[Sample]:
    """Everything that was written down, the caches' hit rates, and how old each table's last load is."""
    held = _held(ground)
    known = known_labels(ground.settings)
    found: list[Sample] = []
    for series in every_series():
        if series.origin is Origin.RECORDED:
            cells = held.get(series.name, _Cells()).by_labels
            found.extend(_samples(series, cells, known.get(series.name, set())))
    found.extend(_hit_rates(held.get(CACHE_REQUESTS.name, _Cells()).by_labels))
    found.extend(_freshness(ground, held.get(LAST_LOAD.name, _Cells()).by_labels))
    return found


def _held(ground: Ground) -> dict[str, _Cells]:
    """What the store holds, by the name of the series. Rows of other versions' series are left out."""
    if not ground.has_store():
        return {}
    table = measures.c
    wanted = select(table.series, table.labels, table.part, table.value).where(table.day == EVER)
    series = {one.name: one for one in every_series()}
    found: dict[str, _Cells] = defaultdict(_Cells)
    with ground.services().control.reading() as connection:
        for name, text, part, value in connection.execute(wanted):
            labels = _labels(text) if name in series and _is_sound(series[name], value) else None
            if labels is None or len(labels) != len(series[name].labels):
                continue
            held = found[name].by_labels
            if labels in held or len(held) < MOST_LABELS:
                held[labels][part] = value
    return found


def _is_sound(series: Series, value: object) -> bool:
    """Whether it can be told. SQLite keeps whatever somebody wrote there, and one such row would cost every scrape."""
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return is_number and (series.kind is Kind.GAUGE or value >= 0)  # type: ignore[operator]


def _labels(text: str) -> tuple[str, ...] | None:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tuple(map(str, values)) if isinstance(values, list) else None


def _samples(
    series: Series, cells: Mapping[tuple[str, ...], Mapping[str, float]], known: Iterable[tuple[str, ...]]
) -> Iterator[Sample]:
    """Of a gauge what was set; of what only grows, what is known as well."""
    if series.kind is Kind.GAUGE:
        known = ()
    for labels in sorted({*cells, *known}):
        parts = cells.get(labels, {})
        if series.kind is Kind.HISTOGRAM:
            counts = {part: value for part, value in parts.items() if part not in (SUM, COUNT, VALUE)}
            yield Distribution(series, labels, counts, parts.get(SUM, 0.0))
        elif VALUE in parts or series.kind is Kind.COUNTER:
            yield Point(series, labels, parts.get(VALUE, 0.0))


def _hit_rates(cells: Mapping[tuple[str, ...], Mapping[str, float]]) -> Iterator[Sample]:
    """Of each cache the share that was found; no number where nothing was asked."""
    asked: dict[str, float] = dict.fromkeys(CACHES, 0.0)
    hits: dict[str, float] = defaultdict(float)
    for labels, parts in cells.items():
        cache, outcome = labels
        asked[cache] = asked.get(cache, 0.0) + parts.get(VALUE, 0.0)
        hits[cache] += parts.get(VALUE, 0.0) if outcome == HIT else 0.0
    for cache, number in asked.items():
        yield CACHE_HIT_RATE.set(hits[cache] / number if number else math.nan, cache=cache)


def _freshness(ground: Ground, loads: Mapping[tuple[str, ...], Mapping[str, float]]) -> Iterator[Sample]:
    """How old the last load of each table is, and may be, of the systems that are in use.

    What was never loaded, while something was, is older than any limit.
    """
    connected = _in_use(ground)
    for table in registry.tables():
        if table.system not in connected:
            continue
        labels = {"source": table.system, "table": table.name}
        for level, limit in (("warn", table.freshness.warn), ("fail", table.freshness.fail)):
            yield FRESHNESS_LIMIT.set(limit.total_seconds(), **labels, level=level)
        at = loads.get((table.system, table.name), {}).get(VALUE)
        if at is not None or loads:
            yield age(FRESHNESS, -math.inf if at is None else at, **labels)


def _in_use(ground: Ground) -> Sequence[str]:
    """The systems that are read: what is off, or switched off by a flag, cannot be late."""
    services = ground.services()
    if not ground.has_store():
        return services.connected
    return [system for system in services.connected if not services.switched_off_by(system)]
