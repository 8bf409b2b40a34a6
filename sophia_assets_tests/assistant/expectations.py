"""What the question suite holds to be right: entries of its files, symbolic periods, and how a reading is judged.

Belongs here: `Entry`, `Span`, `judge`. Does not belong here: running the suite, or anything of how questions are read.

An entry of a file, each field but `ask` optional:

- `ask`: the question; `after`: the questions of the same conversation before it, oldest first.
- `intent`: one, or a list of which any is right; `value` if left out.
- `metrics`: all of them, in any order; with `metrics_any: true` any of them is enough; `any`: does not matter.
- `period`: a span (`2026-03-01..2026-11-20`, `2026-09-30`, or a name in `SPANS`), or a list of which any is right; null
  in it for none. Left out or `own`: the metric's own, where one value, a ranking or a breakdown is asked for.
- `compared_to`: likewise; `both`: two spans that are compared, in any order.
- `grain` of a trend, `dimension`, `limit`, `order`: one, or a list of which any is right. `dimension: any` does not
  matter; left out of a value or a trend, there must be none.
- `filters`: names per dimension, `not NAME` for what is left out; there must be no other. `any`: does not matter.
- `search`: beginnings of words that quotes must be looked for by.
- `may_clarify: true`: asking back is right, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sophia_assets.assistant.interface import Intent, NotRead, Reading
from sophia_assets.metrics.catalog import Catalog
from sophia_assets.metrics.facts import Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.periods import period_for

DAY = date(2026, 11, 20)
"""What "today" means in the suite; a Friday."""

SPANS = {
    "this_week": "2026-11-16..2026-11-20",
    "last_week": "2026-11-09..2026-11-15",
    "mtd": "2026-11-01..2026-11-20",
    "last_month": "2026-10-01..2026-10-31",
    "qtd": "2026-10-01..2026-11-20",
    "qtd_before": "2026-07-01..2026-08-20",
    "qtd_last_year": "2025-10-01..2025-11-20",
    "last_quarter": "2026-07-01..2026-09-30",
    "q2": "2026-04-01..2026-06-30",
    "q3": "2026-07-01..2026-09-30",
    "ytd": "2026-01-01..2026-11-20",
    "last_7d": "2026-11-14..2026-11-20",
    "last_30d": "2026-10-22..2026-11-20",
    "last_42d": "2026-10-10..2026-11-20",
    "last_60d": "2026-09-22..2026-11-20",
    "last_90d": "2026-08-23..2026-11-20",
}
FIELDS = {
    "ask",
    "after",
    "intent",
    "metrics",
    "metrics_any",
    "period",
    "compared_to",
    "both",
    "grain",
    "dimension",
    "filters",
    "limit",
    "order",
    "search",
    "may_clarify",
}
_ONE_LEVEL = {Intent.VALUE, Intent.TREND}
_OWN_PERIOD = {Intent.VALUE, Intent.RANKING, Intent.BREAKDOWN}
_UNFILTERED = {Intent.FRESHNESS, Intent.DEFINITION, Intent.HELP}


@dataclass(frozen=True)
class Span:
    """An inclusive span of days."""

    start: date
    end: date

    @classmethod
    def of(cls, written: str | date) -> Span:
        """`2026-03-01..2026-11-20`, one day, or a name in `SPANS`. Raises ValueError."""
        start, _, end = SPANS.get(str(written), str(written)).partition("..")
        return cls(date.fromisoformat(start), date.fromisoformat(end or start))

    @classmethod
    def of_period(cls, period: Period | None) -> Span | None:
        return cls(period.start, period.end) if period else None

    def __str__(self) -> str:
        return f"{self.start}" if self.start == self.end else f"{self.start}..{self.end}"


@dataclass(frozen=True)
class Entry:
    """A question with what is right: `where` is its file and number, `expected` None for what must not be answered."""

    where: str
    part: str
    question: str
    after: tuple[str, ...]
    expected: Mapping[str, Any] | None

    @property
    def kind(self) -> str:
        """The type under which it is counted."""
        return "off coverage" if self.expected is None else self.intents[0].value

    @property
    def intents(self) -> tuple[Intent, ...]:
        """The intents that are right, the likeliest first."""
        return tuple(Intent(name) for name in _several((self.expected or {}).get("intent", "value")))


@dataclass(frozen=True)
class Verdict:
    """How an entry went: `faults` says what was wrong, empty if it was right.

    `is_wrong_grain`: the right metric was read, and at another level than asked for: by something else or not at all
    broken down, narrowed by another dimension, or in other steps of time.
    """

    entry: Entry
    faults: tuple[str, ...] = ()
    is_wrong_grain: bool = False
    is_abstained: bool = False

    @property
    def is_right(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        asked = " / ".join((*self.entry.after, self.entry.question))
        return f"{self.entry.where} ({self.entry.part}) {asked!r}: {'; '.join(self.faults) or 'right'}"


def judge(entry: Entry, read: Reading | NotRead, catalog: Catalog) -> Verdict:
    """Holds a reading of a covered question against what is right."""
    expected = entry.expected or {}
    if isinstance(read, NotRead):
        if expected.get("may_clarify") and read.status == "clarify":
            return Verdict(entry)
        return Verdict(entry, (f"not read ({read.status}): {read.reason}",), is_abstained=True)
    levels = [*_dimension_faults(entry, read), *_filter_level_faults(entry, read), *_grain_faults(entry, read)]
    metrics = list(_metric_faults(expected, read))
    faults = [
        *_intent_faults(entry, read),
        *metrics,
        *levels,
        *_filter_faults(entry, read),
        *_period_faults(entry, read, catalog),
        *_other_faults(expected, read),
    ]
    return Verdict(entry, tuple(dict.fromkeys(faults)), is_wrong_grain=bool(levels) and not metrics)


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _fault(what: str, found: Any, expected: Any) -> str:
    return f"{what} is {_shown(found)}, expected {' or '.join(_shown(one) for one in _several(expected))}"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(one)}" for key, one in value.items()) or "none"
    if isinstance(value, (tuple, set, frozenset)):
        return " + ".join(sorted(map(str, value))) or "none"
    return str(value)


def _intent_faults(entry: Entry, read: Reading) -> Iterable[str]:
    if read.intent not in entry.intents:
        yield _fault("intent", read.intent.value, [intent.value for intent in entry.intents])


def _metric_faults(expected: Mapping[str, Any], read: Reading) -> Iterable[str]:
    if "metrics" not in expected or expected["metrics"] == "any":
        return
    found, right = set(read.metrics), set(expected["metrics"])
    if expected.get("metrics_any"):
        if not found or not found <= right:
            yield _fault("metric", found, sorted(right))
    elif found != right:
        yield _fault("metric" if len(right) == 1 else "metrics", found, [frozenset(right)])


def _dimension_faults(entry: Entry, read: Reading) -> Iterable[str]:
    expected = entry.expected or {}
    if "dimension" in expected:
        right = _several(expected["dimension"])
        if right != ["any"] and read.dimension not in right:
            yield _fault("dimension", read.dimension, right)
    elif set(entry.intents) <= _ONE_LEVEL and read.dimension:
        yield _fault("dimension", read.dimension, None)


def _filter_level_faults(entry: Entry, read: Reading) -> Iterable[str]:
    expected = (entry.expected or {}).get("filters", {})
    if expected == "any" or (not expected and read.intent in _UNFILTERED):
        return
    found = {one.dimension for one in read.filters}
    if found != set(expected):
        yield _fault("filters are by", found, [frozenset(expected)]).replace("are by is", "are by")


def _filter_faults(entry: Entry, read: Reading) -> Iterable[str]:
    expected = (entry.expected or {}).get("filters", {})
    if expected == "any":
        return
    for dimension, names in expected.items():
        right = frozenset(_plain(name) for name in names)
        found = frozenset(_plain(name) for one in read.filters if one.dimension == dimension for name in _names(one))
        if found != right and found:
            yield _fault(f"filter of {dimension}", found, [right])


def _names(one: Filter) -> list[str]:
    return [f"not {name}" if one.is_excluded else name for name in one.names]


def _plain(name: str) -> str:
    return name.casefold().replace("_", " ")


def _grain_faults(entry: Entry, read: Reading) -> Iterable[str]:
    expected = entry.expected or {}
    if "grain" in expected and read.grain not in _several(expected["grain"]):
        yield _fault("grain", read.grain, expected["grain"])


def _period_faults(entry: Entry, read: Reading, catalog: Catalog) -> Iterable[str]:
    expected = entry.expected or {}
    found, before = Span.of_period(read.period), Span.of_period(read.compared_to)
    if "both" in expected:
        right = {Span.of(one) for one in expected["both"]}
        if {found, before} != right:
            yield _fault("the pair of periods", {found, before}, [frozenset(right)])
        return
    if expected.get("period", "own") != "own":
        yield from _span_faults("period", found, expected["period"])
    elif set(entry.intents) <= _OWN_PERIOD and found and found not in own_spans(read.metrics, catalog):
        yield _fault("period", found, "the metric's own")
    if "compared_to" in expected:
        yield from _span_faults("compared to", before, expected["compared_to"])


def _span_faults(what: str, found: Span | None, written: Any) -> Iterable[str]:
    right = [None if one is None else Span.of(one) for one in _several(written)]
    if found not in right:
        yield _fault(what, found, right)


def own_spans(metrics: Iterable[str], catalog: Catalog) -> set[Span]:
    """The spans that metrics are read for where a question names none."""
    keys = {"as_of"}
    for name in metrics:
        metric = catalog.metrics[name]
        keys |= {*metric.periods, *metric.breakdowns.values()} or {"last_30d"}
    return {Span(period.start, period.end) for period, _ in (period_for(key, DAY) for key in keys)}


def _other_faults(expected: Mapping[str, Any], read: Reading) -> Iterable[str]:
    for name in ("limit", "order"):
        if name in expected and getattr(read, name) not in _several(expected[name]):
            yield _fault(name, getattr(read, name), expected[name])
    words = " ".join(read.search).casefold()
    for beginning in expected.get("search", ()):
        if beginning not in words:
            yield _fault("search", words or None, f"something with {beginning!r}")
