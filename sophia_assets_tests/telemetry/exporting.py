"""A scrape of the exporter's parts in this process, and what it says by name and labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from sophia_assets.home import Home
from sophia_assets.settings import load_settings
from sophia_assets.telemetry.exporter.collecting import Looking, Part
from sophia_assets.telemetry.exporter.families import Families
from sophia_assets.telemetry.exporter.ground import Ground
from sophia_assets.telemetry.exporter.parts import every_part
from sophia_assets.telemetry.recording import write
from sophia_assets.telemetry.series import Kind, Origin, Point, Series, every_series


@dataclass(frozen=True)
class Scrape:
    """What one scrape said: `values` by the sample's name and its labels, `kinds` of the families."""

    text: str
    values: Mapping[tuple[str, frozenset[tuple[str, str]]], float]
    kinds: Mapping[str, str]

    def value(self, name: str, /, **labels: str) -> float:
        """One sample's value; KeyError where it is not there."""
        return self.values[name, frozenset(labels.items())]

    def has(self, name: str, /, **labels: str) -> bool:
        return (name, frozenset(labels.items())) in self.values

    def sets(self, name: str) -> list[dict[str, str]]:
        """The label sets of a sample's name."""
        return [dict(labels) for found, labels in self.values if found == name]


def read(text: str) -> Scrape:
    """A scrape as Prometheus' own parser reads it; each sample stands there once."""
    values: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    kinds = {}
    for family in text_string_to_metric_families(text):
        kinds[family.name + ("_total" if family.type == "counter" else "")] = family.type
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in values, f"{key} stands there twice"
            values[key] = sample.value
    return Scrape(text, values, kinds)


def looked(settings: Mapping[str, str], parts: Iterable[Part] | None = None) -> tuple[Looking, Ground]:
    """Each part, looked at once, without threads."""
    ground = Ground(load_settings(dict(settings)))
    looking = Looking(ground, tuple(parts or every_part(15)))
    look_again(looking, ground, parts)
    return looking, ground


def look_again(looking: Looking, ground: Ground, parts: Iterable[Part] | None = None) -> None:
    """Another look at everything."""
    ground.follow()
    # What is counted is told by the next look at what is recorded.
    every = sorted(parts or every_part(15), key=lambda part: part.name != "counting")
    for part in every:
        looking.look(part)


def scraped(looking: Looking) -> Scrape:
    """What is served now; the other format must say it as well."""
    registry = CollectorRegistry()
    registry.register(Families(looking.samples))
    list(read_openmetrics(generate_openmetrics(registry).decode()))  # type: ignore[no-untyped-call]
    return read(generate_latest(registry).decode())


def scrape_of(home: Home, **settings: str) -> Scrape:
    """One scrape of a home."""
    looking, ground = looked({"SOPHIA_HOME": str(home.path), **settings})
    try:
        return scraped(looking)
    finally:
        ground.close()


def any_point(series: Series) -> Point:
    """Something that happened, of whichever series."""
    labels = dict.fromkeys(series.labels, "something")
    if series.kind is Kind.COUNTER:
        return series.add(1.0, **labels)
    return series.set(1.0, **labels) if series.kind is Kind.GAUGE else series.observe(1.0, **labels)


def record_everything(home: Home) -> None:
    """One point of every series that is written down."""
    ground = Ground(load_settings({"SOPHIA_HOME": str(home.path)}))
    try:
        with ground.services().control.transaction() as connection:
            write(connection, [any_point(one) for one in every_series() if one.origin is Origin.RECORDED])
    finally:
        ground.close()
