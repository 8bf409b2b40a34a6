"""Rules between the fields of one metric, and between metrics: what no single field shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from sophia_assets.metrics.catalog.entries import DAYS_OF, Catalog, Metric, all_words
from sophia_assets.metrics.catalog.problems import did_you_mean, quoted

Finding = tuple[str, str, str]
"""Field, what is wrong, remedy."""

_TARGETS = {"percent": (0.0, 1.0), "score": (1.0, 5.0)}
_FORMATS = {"usd": ("full", "whole", "hundredths"), "count": ("full", "whole")}
_ANY_FORMAT = ("whole", "tenths", "hundredths")


def metric_findings(metric: Metric) -> Iterator[Finding]:
    """What does not fit together within one metric."""
    yield from _ratio(metric) if metric.kind == "ratio" else _measured(metric)
    yield from _periods(metric)
    low, high = _TARGETS.get(metric.unit, (0.0, float("inf")))
    if metric.target is not None and not low <= metric.target <= high:
        span = f"from {low:g} to {high:g}" if metric.unit in _TARGETS else "at least 0"
        yield (
            "target",
            f"{metric.target:g} is no {metric.unit}, which is {span}",
            "Give the target in the metric's unit",
        )
    if metric.target is not None and not metric.periods:
        yield "target", "there is no period in which it could be reached", "Give `periods`, or drop the target"
    formats = _FORMATS.get(metric.unit, _ANY_FORMAT)
    if metric.format and metric.format not in formats:
        yield "format", f"{metric.format} does not fit {metric.unit}", f"Use one of {', '.join(formats)}, or none"
    for dimension in metric.breakdowns:
        if dimension not in metric.dimensions:
            yield "breakdowns", f"{quoted(dimension)} is not among its dimensions", "Add it to `dimensions`"
    if metric.plural and not metric.noun:
        yield "plural", "there is no noun that could be plural", "Give `noun`, or drop `plural`"


def _measured(metric: Metric) -> Iterator[Finding]:
    for field, value in (("table", metric.table), ("expression", metric.expression)):
        if not value:
            yield field, f"a {metric.kind} needs it", f"Give `{field}`"
    for field, part in (("of", metric.of), ("per", metric.per)):
        if part:
            yield field, f"a {metric.kind} has none", "Drop it, or make the kind `ratio`"
    if metric.kind == "flow" and not metric.time:
        yield "time", "a flow needs it", "Give the day on which a row counts"
    if metric.kind == "flow" and metric.covers:
        yield "covers", "a flow has none", "Drop it, or make the kind `stock`"
    if metric.kind == "stock" and metric.time:
        yield "time", "a stock has none", "Drop it, or make the kind `flow`"
    ways = [field for field in ("valid", "covers", "snapshot") if getattr(metric, field)]
    if metric.kind == "stock" and not ways:
        yield "valid", "a stock needs `valid`, `covers` or `snapshot`, to know what stood on a day", "Give one of them"
    if metric.snapshot and (metric.kind == "flow" or len(ways) > 1 or metric.series):
        yield "snapshot", "what stands only now has no versions, no terms, no past", "Drop it, or the other field"


def _ratio(metric: Metric) -> Iterator[Finding]:
    for field in ("of", "per"):
        if not getattr(metric, field):
            yield field, "a ratio needs it", "Name the metric"
    for field in ("table", "expression", "where", "time", "valid", "covers", "snapshot"):
        if getattr(metric, field):
            yield field, "a ratio has none: its parts have", "Drop it, or make the kind `flow` or `stock`"
    for field in ("dimensions", "breakdowns"):
        if getattr(metric, field):
            yield field, "a ratio is one of the whole company", "Drop it"


def _periods(metric: Metric) -> Iterator[Finding]:
    shortest = DAYS_OF[metric.grain]
    for field, keys in (
        ("periods", metric.periods),
        ("series", metric.series),
        ("breakdowns", tuple(metric.breakdowns.values())),
    ):
        for key in dict.fromkeys(keys):
            if metric.kind == "stock" and field != "series" and key != "as_of":
                yield field, f"a stock is measured `as_of` a day, not {key}", "Use as_of"
            elif metric.kind == "flow" and key == "as_of":
                yield field, "a flow has no `as_of`", "Use qtd, last_7d, last_30d or last_60d"
            elif key != "as_of" and DAYS_OF[key] < shortest:
                yield field, f"{key} is shorter than its grain, a {metric.grain}", "Use a longer one"
        for key in dict.fromkeys(key for key in keys if field != "breakdowns" and keys.count(key) > 1):
            yield field, f"{key} is there more than once", "Drop one"
    if metric.run_rate and not (metric.kind == "flow" and metric.is_additive and "qtd" in metric.periods):
        yield "run_rate", "only a sum or count over the quarter to date can be extrapolated", "Drop it"
    if not (metric.periods or metric.series or metric.breakdowns):
        yield "periods", "it is never computed", "Give `periods`, `series` or `breakdowns`"


def catalog_findings(catalog: Catalog, unread: Set[str]) -> Iterator[tuple[str, Finding]]:
    """What does not fit between metrics: entry and finding.

    `unread` names entries that are broken by themselves: nothing is said of what refers to them, nor of what
    only they may use.
    """
    for metric in catalog.metrics.values():
        for dimension in metric.dimensions:
            if dimension not in catalog.dimensions and f"dimensions.{dimension}" not in unread:
                remedy = did_you_mean(dimension, catalog.dimensions, f"Use one of {', '.join(catalog.dimensions)}")
                yield metric.name, ("dimensions", f"{quoted(dimension)} is no dimension", remedy)
        if metric.kind == "ratio" and unread.isdisjoint({metric.of, metric.per}):
            yield from ((metric.name, finding) for finding in _parts(metric, catalog.metrics))
    used = {dimension for metric in catalog.metrics.values() for dimension in metric.dimensions}
    for name in catalog.dimensions:
        if name not in used and not unread:
            yield f"dimensions.{name}", ("", "no metric has this dimension", "Drop it, or add it to a metric")
    meant = _meanings(catalog)
    ambiguous = {word.lower() for word in catalog.ambiguous}
    for word, names in meant.items():
        if len(names) > 1 and word not in ambiguous:
            remedy = "Drop it from one, or list it under `ambiguous`, so that a question with it is asked back"
            for name in names[1:]:
                yield name, ("synonyms", f"{quoted(word)} also means {names[0]}", remedy)
    for word in catalog.ambiguous:
        if len(meant.get(word.lower(), ())) < 2 and not unread:
            yield "", ("ambiguous", f"{quoted(word)} does not mean several metrics", "Drop it")


def _meanings(catalog: Catalog) -> dict[str, list[str]]:
    """The metrics that each word of a question may mean."""
    meant: dict[str, list[str]] = {}
    for metric in catalog.metrics.values():
        for word in all_words(metric):
            meant.setdefault(word, []).append(metric.name)
    return meant


def _parts(metric: Metric, metrics: Mapping[str, Metric]) -> Iterator[Finding]:
    parts = {field: metrics.get(name) for field in ("of", "per") if (name := getattr(metric, field))}
    for field, part in parts.items():
        name = getattr(metric, field)
        if part is None:
            yield field, f"there is no metric {quoted(name)}", did_you_mean(name, metrics, "Name one of the catalog")
        elif part.kind == "ratio":
            yield field, f"{name} is a ratio itself", "Divide metrics that are measured"
    above, below = parts.get("of"), parts.get("per")
    if above and below and "ratio" not in (above.kind, below.kind):
        if above.kind == "stock" and below.kind == "flow":
            yield (
                "per",
                "what stands on a day cannot be divided by what happens in a period",
                "Swap them, or use stocks",
            )
        if above.kind == "stock" and {*metric.periods} - {"as_of"}:
            yield "periods", "a ratio of stocks is measured `as_of` a day", "Use as_of"
        if above.kind == "flow" and "as_of" in metric.periods:
            yield "periods", "a ratio of a flow has no `as_of`", "Use qtd, last_7d, last_30d or last_60d"
        if above.unit == below.unit and metric.unit not in ("percent", "number"):
            yield "unit", f"{above.unit} over {below.unit} is a share or a number", "Use percent or number"
        if above.unit != below.unit and metric.unit == "percent":
            yield "unit", f"{above.unit} over {below.unit} is no share", f"Use {above.unit} or number"
