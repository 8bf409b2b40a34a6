"""How the values of Redis keys become rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

Row = dict[str, Any]
EntryId = tuple[int, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT_FIELDS = ("account_id", "user_id", "event", "feature")


def text(value: bytes) -> str:
    r"""The value as text; bytes that are no UTF-8 are written as `\xff`."""
    return value.decode("utf-8", "backslashreplace")


def fields(flat: Sequence[bytes]) -> dict[str, str]:
    """A hash, or a stream entry's fields, from the list in which Redis gives names and values."""
    decoded = [text(part) for part in flat]
    return dict(zip(decoded[::2], decoded[1::2], strict=True))


def account_row(account_id: str, held: Mapping[str, str]) -> Row:
    """An account's hash as a row; fields that no column holds end up in `_extra`."""
    found: Row = {**held, "account_id": account_id}
    if "features" in found:
        found["features"] = _parsed(found["features"])
    return {name: None if value == "" else value for name, value in found.items()}


def daily_rows(day: date, flat: Sequence[bytes]) -> list[Row]:
    """A day's hash as rows; an account's id may hold colons, a counter's name does not."""
    counted_on = datetime(day.year, day.month, day.day, tzinfo=UTC)
    names = (text(name).rpartition(":") for name in flat[::2])
    return [
        {"day": day, "account_id": account_id or None, "counter": counter, "value": text(value),
         "counted_on": counted_on}
        for (account_id, _, counter), value in zip(names, flat[1::2], strict=True)
    ]  # fmt: skip


def event_row(identifier: EntryId, held: Mapping[str, str]) -> Row:
    """A stream's entry as a row; what no column holds is a property."""
    found: Row = {name: held.get(name) for name in _EVENT_FIELDS}
    properties: dict[str, Any] = {
        name: value for name, value in held.items() if name not in _EVENT_FIELDS and name != "properties"
    }
    if "properties" in held:
        given = _parsed(held["properties"])
        properties |= given if isinstance(given, dict) else {"properties": given}
    return found | {
        "event_id": id_text(identifier),
        "occurred_at": _EPOCH + timedelta(milliseconds=identifier[0]),
        "properties": properties,
    }


def entry_id(written: bytes | str) -> EntryId:
    """`1767225600000-5` as its milliseconds and sequence, which order entries as Redis does."""
    moment, _, sequence = (written if isinstance(written, str) else written.decode()).partition("-")
    return int(moment), int(sequence or 0)


def id_text(identifier: EntryId) -> str:
    """The id as Redis writes it."""
    return f"{identifier[0]}-{identifier[1]}"


def first_millisecond(moment: datetime) -> int:
    """The first whole millisecond since 1970 that is not before `moment` (aware)."""
    return -(-(moment - _EPOCH) // timedelta(milliseconds=1))


def moment_of(identifier: EntryId) -> str:
    """When an entry was added, to the second, for people."""
    return f"{_EPOCH + timedelta(milliseconds=identifier[0]):%Y-%m-%d %H:%M:%S} UTC"


def _parsed(value: str) -> Any:
    """The JSON that a field holds; a field that holds none stays text."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
