"""Redis' part of an export folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.company_data import RedisData
from sophia_assets.sandbox.exports.files import ExportFile, Row
from sophia_assets.sandbox.exports.values import Cells, hubspot_id

# The objects and the columns without which they mean nothing.
KEYS: dict[str, tuple[str, ...]] = {
    "redis/account_usage": ("account_id",),
    "redis/daily_usage": (
        "day",
        "account_id",
        "counter",
        "value",
    ),
    "redis/totals": (
        "counter",
        "value",
    ),
    "redis/events": (
        "event",
        "occurred_at",
    ),
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def build(objects: Mapping[str, ExportFile], cells: Cells) -> RedisData | None:
    """Accounts, daily counters, totals and events under the prefix `usage:`, or None without any of their files."""
    if not any(name.startswith("redis/") for name in objects):
        return None
    hashes: dict[str, dict[str, str]] = defaultdict(dict)
    for row in _rows(objects, "redis/account_usage"):
        hashes[f"usage:account:{_account(row, cells, required=True)}"] = _usage(row, cells)
    for row in _rows(objects, "redis/daily_usage"):
        day = cells.day(row, "day", event=True)
        count = cells.whole(row, "value")
        if day is None:
            raise ConfigurationError(f"{row.file}, line {row.line}: day is empty", remedy="A count needs its day.")
        field = f"{_account(row, cells, required=True)}:{cells.required(row, 'counter')}"
        if count is not None:
            hashes[f"usage:daily:{day}"][field] = str(count)
    totals = {cells.required(row, "counter"): cells.whole(row, "value") for row in _rows(objects, "redis/totals")}
    events = _events(_rows(objects, "redis/events"), cells)
    return RedisData(
        hashes=dict(hashes),
        strings={f"usage:total:{name}": str(count) for name, count in totals.items() if count is not None},
        streams={"usage:events": events} if events else {},
    )


def _usage(row: Row, cells: Cells) -> dict[str, str]:
    """An account's hash: every column but the id, as text."""
    found = {name: cells.text(row, name) for name in row.cells if name != "account_id"}
    seen = cells.moment(row, "last_seen_at", event=True)
    found["last_seen_at"] = seen.isoformat() if seen else None
    present = {name: value for name, value in found.items() if value is not None}
    # A hash without a field would be no key at all.
    return present or {"account_name": ""}


def _events(rows: list[Row], cells: Cells) -> list[tuple[str, dict[str, str]]]:
    """Entries in the order of their moments; within a millisecond in the order of the file."""
    dated: list[tuple[int, dict[str, str]]] = []
    for row in rows:
        moment = cells.moment(row, "occurred_at", event=True)
        if moment is None:
            raise ConfigurationError(
                f"{row.file}, line {row.line}: occurred_at is empty", remedy="An event needs a date."
            )
        cells.required(row, "event")
        held = {name: cells.text(row, name) for name in row.cells if name not in ("occurred_at", "account_id")}
        held["account_id"] = _account(row, cells)
        dated.append(((moment - _EPOCH) // _MILLISECOND, {name: value for name, value in held.items() if value}))
    entries: list[tuple[str, dict[str, str]]] = []
    sequence, previous = 0, None
    for milliseconds, held_fields in sorted(dated, key=lambda entry: entry[0]):
        sequence = sequence + 1 if milliseconds == previous else 0
        previous = milliseconds
        entries.append((f"{milliseconds}-{sequence}", held_fields))
    return entries


def _account(row: Row, cells: Cells, *, required: bool = False) -> str | None:
    return hubspot_id(cells.required(row, "account_id") if required else cells.text(row, "account_id"))


def _rows(objects: Mapping[str, ExportFile], name: str) -> list[Row]:
    return objects[name].rows if name in objects else []
