"""Which metric is meant where words may mean several, by the unit, the dimensions and the kind of question.

Belongs here: choosing, and the questions that are asked back where nothing decides. Does not belong here: finding the
words (`metric_words`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sophia_assets.assistant.understanding.metric_words import Mention, MetricWords
from sophia_assets.assistant.understanding.vocabulary import (
    DIMENSION_NOUNS,
    DIMENSION_STEMS,
    LISTED_BY,
    SIBLINGS,
    TOPICS,
)
from sophia_assets.assistant.understanding.words import stem
from sophia_assets.metrics.catalog import Catalog, Metric

_NOT_COUNTED = ("usd", "percent")
_MOST_CHOICES = 5
_LEAST_STEMS = 2


@dataclass(frozen=True)
class Wanted:
    """What a question wants of a metric: its unit (from UNIT_WORDS), its dimensions, and what single rows it lists."""

    units: frozenset[str] = frozenset()
    dimensions: tuple[str, ...] = ()
    is_listing_deals: bool = False
    is_ranking: bool = False
    prefers_value: bool = False
    takes_headline: bool = False
    stems: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Chosen:
    """The metric that is meant, or what to ask back; `note` is said with the answer."""

    metric: str | None = None
    choices: tuple[str, ...] = ()
    note: str | None = None
    why: str = ""


def chosen(
    mention: Mention, said: str, stems: Sequence[str], wanted: Wanted, catalog: Catalog, words: MetricWords
) -> Chosen:
    """The metric that a mention means. `said` are its words, `stems` their stems; `words` finds metrics by a stem."""
    candidates = [name for name in mention.candidates if name in catalog.metrics]
    if mention.topic is not None:
        topic = TOPICS[mention.topic]
        return Chosen(topic.headline, note=f"“{said}” is taken as {catalog.metrics[topic.headline].spoken}.")
    candidates, note = _of_unit(candidates, said, stems, wanted.units, catalog, words)
    if not candidates:
        return Chosen(why=note)
    candidates, dimension_note = _of_dimensions(candidates, said, wanted, catalog)
    note = dimension_note or note
    if wanted.prefers_value and all(catalog.metrics[name].unit == "count" for name in candidates):
        valued = [name for name in words.second.get(tuple(stems), ()) if catalog.metrics[name].unit == "usd"]
        valued = valued or [name for name in words.related(stems) if catalog.metrics[name].unit == "usd"]
        if len(valued) == 1:
            return Chosen(valued[0], note=f"“{said}” is taken as {catalog.metrics[valued[0]].spoken}.")
    if wanted.takes_headline and len(candidates) > 1 and tuple(stems) in words.topics:
        headline = TOPICS[words.topics[tuple(stems)]].headline
        return Chosen(headline, note=f"“{said}” is taken as {catalog.metrics[headline].spoken}.")
    if wanted.is_listing_deals and len(candidates) > 0:
        listed = list(dict.fromkeys(LISTED_BY.get(name, name) for name in candidates))
        if listed != candidates and len(listed) == 1:
            return Chosen(listed[0], note=f"Each one is listed with its value: {catalog.metrics[listed[0]].spoken}.")
    if len(candidates) > 1 and wanted.is_ranking:
        valued = [name for name in candidates if catalog.metrics[name].unit == "usd"]
        if len(valued) == 1:
            return Chosen(valued[0], note=f"“{said}” is ranked by {catalog.metrics[valued[0]].spoken}.")
    if len(candidates) > 1 and wanted.prefers_value:
        valued = [name for name in candidates if catalog.metrics[name].unit == "usd"]
        candidates = valued or candidates
    if len(candidates) > 1:
        counted = [name for name in candidates if _counted(catalog.metrics[name]) & wanted.stems]
        candidates = counted if len(counted) == 1 else candidates
    if len(candidates) == 1:
        return Chosen(candidates[0], note=note or None)
    return Chosen(choices=tuple(candidates[:_MOST_CHOICES]), why=f"“{said}” may mean several figures.")


def has_unit(metric: Metric, unit: str) -> bool:
    """Whether a metric is measured in what a question's word for a unit means."""
    if unit == "mean":
        return is_mean(metric)
    if unit == "median":
        return metric.expression.replace(" ", "").lower().startswith("median(")
    if unit == "count":
        return metric.unit not in _NOT_COUNTED
    if unit == "days":
        return metric.unit in ("days", "minutes")
    return metric.unit == unit


def _counted(metric: Metric) -> frozenset[str]:
    """The stems of what a metric counts: of accounts, those of customers as well."""
    word = stem(metric.counts or "-")
    same = DIMENSION_NOUNS.get(DIMENSION_STEMS.get((word,), ""), ())
    return frozenset({word, *map(stem, same)})


def is_mean(metric: Metric) -> bool:
    """Whether a metric is a mean, a median or something per something else."""
    head = metric.expression.replace(" ", "").lower()
    return metric.kind == "ratio" or head.startswith(("avg(", "median(")) or (metric.unit == "number" and "/" in head)


def _of_unit(
    candidates: list[str], said: str, stems: Sequence[str], units: Collection[str], catalog: Catalog, words: MetricWords
) -> tuple[list[str], str]:
    for unit in sorted(units):
        fitting = [name for name in candidates if has_unit(catalog.metrics[name], unit)]
        if fitting:
            counted = [name for name in fitting if catalog.metrics[name].unit == "count"]
            candidates = counted if unit == "count" and counted else fitting
            continue
        if unit == "usd" and all(catalog.metrics[name].unit in ("usd", "score", "number") for name in candidates):
            continue
        related = _related(stems, unit, catalog, words)
        related = [name for name in related if catalog.metrics[name].unit == unit] or related
        if unit == "mean" and not related and all(has_unit(catalog.metrics[name], "score") for name in candidates):
            continue
        if len(related) == 1:
            spoken = catalog.metrics[related[0]].spoken
            return related, f"“{said}” is taken as {spoken}."
        if related:
            return related, ""
        labels = {
            "percent": "a share",
            "count": "a number",
            "usd": "a value",
            "mean": "a mean",
            "median": "a median",
            "days": "a time",
        }
        return [], f"There is no {labels[unit].removeprefix('a ')} of “{said}” in the data."
    return candidates, ""


def _related(stems: Sequence[str], unit: str, catalog: Catalog, words: MetricWords) -> list[str]:
    """The metrics of a unit that say these stems, or else that are about all of them."""
    fitting = [name for name in words.related(stems) if has_unit(catalog.metrics[name], unit)]
    if fitting or len(set(stems)) < _LEAST_STEMS:
        return fitting
    return [name for name in words.with_all(stems) if has_unit(catalog.metrics[name], unit)]


def _of_dimensions(candidates: list[str], said: str, wanted: Wanted, catalog: Catalog) -> tuple[list[str], str]:
    """The candidates that have the dimensions, or metrics that stand for them where these are wanted."""

    def has_all(name: str) -> bool:
        return all(dimension in catalog.metrics[name].dimensions for dimension in wanted.dimensions)

    fitting = [name for name in candidates if has_all(name)]
    if fitting:
        return fitting, ""
    for name in candidates:
        for dimension in wanted.dimensions:
            sibling = SIBLINGS.get((name, dimension))
            if sibling and has_all(sibling):
                return [sibling], f"“{said}” is taken as {catalog.metrics[sibling].spoken}."
    return candidates, ""
