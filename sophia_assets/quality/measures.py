"""Rules about a table as a whole: what is measured in the warehouse, and between which bounds it has to lie.

What is measured is one number a rule; all of a table's make one row, which is validated like any other frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median

from sophia_assets.quality.ledger import TableLedger
from sophia_assets.quality.outcomes import Outcome, span_in_words
from sophia_assets.sources.columns import EXISTS, MOVED_WITHIN
from sophia_assets.sources.declarations import Expectation, Table
from sophia_assets.warehouse.coercion import aware_utc
from sophia_assets.warehouse.interface import Warehouse

VOLUME = "row_count_is_usual"
NEWEST_EVENT = "newest_event_is_recent"
# Fewer rows than this share of the usual number are a loss; so many times more are worth a look.
LEAST_SHARE, MOST_SHARE = 0.5, 3.0
# What is usual is known after so many loads, and means something from so many rows on.
LOADS_NEEDED, ROWS_NEEDED = 3, 100
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Measure:
    """One number of a table, the bounds it must lie in, and how it is told. `value` inf where there is nothing."""

    name: str
    value: float
    least: float | None
    most: float | None
    expected: str
    observed: str
    rows: int
    recovery: str
    severity: str = "warn"
    unexpected: int = 0
    guards_downstream: bool = False

    def outcome(self, validated: Outcome) -> Outcome:
        """What is told once the number has been validated."""
        return Outcome(
            name=self.name,
            passed=validated.passed,
            severity=self.severity,
            expected=self.expected,
            observed=validated.observed if validated.errored else self.observed,
            unexpected=0 if validated.passed else self.unexpected,
            rows=self.rows,
            errored=validated.errored,
            recovery=self.recovery,
            guards_downstream=self.guards_downstream,
        )


def is_measured(expectation: Expectation) -> bool:
    """Whether a declared rule is about the table as a whole."""
    return expectation.kind in (EXISTS, MOVED_WITHIN)


def measures(
    warehouse: Warehouse, table: Table, ledger: TableLedger, names: Sequence[str], in_words: Mapping[str, str]
) -> list[Measure]:
    """Those of the table's measured rules that `names` names, in that order; one SELECT for all of them.

    `in_words` says what each declared rule asks for.
    """
    declared = {item.name: item for item in table.expectations if is_measured(item)}
    counted = sorted({str(item.arguments["column"]) for item in declared.values() if item.kind == EXISTS})
    event = table.freshness.event_column
    newest = sorted({str(item.arguments["column"]) for item in declared.values() if item.kind == MOVED_WITHIN})
    newest += [event] if event and event not in newest else []
    wanted = [f"COUNT({name}) AS n_{name}" for name in counted] + [f"MAX({name}) AS newest_{name}" for name in newest]
    found = warehouse.query(
        f"SELECT {', '.join(['COUNT(*) AS n', *wanted])} FROM {table.qualified_name} WHERE _deleted_at IS NULL"
    ).to_pylist()[0]

    def made() -> Iterator[Measure]:
        for name in names:
            if name == VOLUME:
                yield _volume(found["n"], ledger)
            elif name == NEWEST_EVENT:
                yield _newest_event(table, ledger, _moment(found[f"newest_{event}"]) if event else ledger.newest)
            elif declared[name].kind == EXISTS:
                column = declared[name].arguments["column"]
                yield _exists(declared[name], found["n"], found[f"n_{column}"], in_words[name])
            else:
                column = declared[name].arguments["column"]
                yield _moved(declared[name], ledger, _moment(found[f"newest_{column}"]), found["n"], in_words[name])

    return list(made())


def _volume(rows: int, ledger: TableLedger) -> Measure:
    """An empty table is a warning, since a system may hold nothing; one that lost its rows is an error."""
    usual = median(ledger.rows_before) if len(ledger.rows_before) >= LOADS_NEEDED else 0
    compared = usual >= ROWS_NEEDED
    share = rows / usual if compared else float(rows > 0)
    is_loss = compared and share < LEAST_SHARE
    expected = "at least one row"
    observed = f"{rows:,} rows"
    if compared:
        expected += f", and {LEAST_SHARE:.0%} to {MOST_SHARE:.0%} of the usual {usual:,.0f}"
        observed += f", {share:.0%} of the median of the last {len(ledger.rows_before)} loads"
    elif not rows:
        observed = "0 rows: the table is empty, not broken"
    return Measure(
        name=VOLUME,
        value=share,
        least=LEAST_SHARE,
        most=MOST_SHARE,
        expected=expected,
        observed=observed,
        rows=rows,
        severity="error" if is_loss else "warn",
        unexpected=max(0, round(usual - rows)) if is_loss else 0,
        recovery="See whether the system really holds so many, and whether the credential may read all of them. A "
        "number that stays is taken for the usual one after a few loads.",
        guards_downstream=True,
    )


def _newest_event(table: Table, ledger: TableLedger, newest: datetime | None) -> Measure:
    limit = table.freshness.newest_event
    assert limit is not None
    return _recency(
        NEWEST_EVENT,
        f"an event within {span_in_words(limit)} of the time up to which the table was read",
        limit,
        newest,
        ledger,
        rows=ledger.rows_total,
        recovery="Look into the system itself: it answers, but nothing new has happened in it for longer than usual.",
    )


def _moved(rule: Expectation, ledger: TableLedger, newest: datetime | None, rows: int, expected: str) -> Measure:
    limit = timedelta(days=rule.arguments["days"])
    return _recency(rule.name, expected, limit, newest, ledger, rows=rows, recovery=rule.recovery)


def _recency(
    name: str,
    expected: str,
    limit: timedelta,
    newest: datetime | None,
    ledger: TableLedger,
    *,
    rows: int,
    recovery: str,
) -> Measure:
    if newest is None or ledger.loaded_through is None:
        return Measure(name, math.inf, None, limit / _DAY, expected, "no event at all", rows, recovery)
    observed = f"newest event {newest:%Y-%m-%d %H:%M}, read up to {ledger.loaded_through:%Y-%m-%d %H:%M} (UTC)"
    age = (ledger.loaded_through - newest) / _DAY
    return Measure(name, age, None, limit / _DAY, expected, observed, rows, recovery)


def _exists(rule: Expectation, rows: int, held: int, expected: str) -> Measure:
    observed = f"{held:,} of {rows:,} rows have a value" if rows else "the table is empty, so nothing can be told"
    return Measure(
        name=rule.name,
        value=float(held or not rows),
        least=1,
        most=None,
        expected=expected,
        observed=observed,
        rows=rows,
        severity=rule.severity,
        unexpected=rows - held,
        recovery=rule.recovery,
        guards_downstream=rule.severity == "error",
    )


def _moment(value: date | datetime | None) -> datetime | None:
    """A day stands for its end: what happened on it may have happened late."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value + _DAY, time(), UTC)
    return aware_utc(value)
