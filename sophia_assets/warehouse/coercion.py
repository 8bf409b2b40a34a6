"""Turns what a system sent into the declared types, and tells what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from math import isfinite
from typing import Any

import orjson
import pyarrow as pa

from sophia_assets.sources.declarations import ColumnType

DECIMAL_TYPE = pa.decimal128(18, 4)

ARROW_TYPES: dict[ColumnType, pa.DataType] = {
    ColumnType.STRING: pa.string(),
    ColumnType.INTEGER: pa.int64(),
    ColumnType.DECIMAL: DECIMAL_TYPE,
    ColumnType.FLOAT: pa.float64(),
    ColumnType.BOOLEAN: pa.bool_(),
    ColumnType.TIMESTAMP: pa.timestamp("us"),
    ColumnType.DATE: pa.date32(),
    ColumnType.JSON: pa.string(),
}

SQL_TYPES: dict[ColumnType, str] = {
    ColumnType.STRING: "VARCHAR",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.DECIMAL: "DECIMAL(18, 4)",
    ColumnType.FLOAT: "DOUBLE",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.DATE: "DATE",
    ColumnType.JSON: "JSON",
}

_FOUR_PLACES = Decimal("0.0001")
_ROUNDING = Context(prec=40, rounding=ROUND_HALF_EVEN)
_DECIMAL_LIMIT = Decimal(10) ** 14
_INTEGER_LIMIT = 2**63
_TRUE, _FALSE = frozenset({"true", "t", "yes", "1"}), frozenset({"false", "f", "no", "0"})


def coerce_column(values: Sequence[Any], kind: ColumnType) -> tuple[list[Any], list[int]]:
    """The values as `kind`, with None for those that do not fit, and the places of those that did not."""
    convert = _CONVERTERS[kind]
    plain = _PLAIN[kind]
    misfits: list[int] = []
    coerced: list[Any] = []
    for value in values:
        if value is None or type(value) is plain:
            coerced.append(value)
            continue
        try:
            coerced.append(convert(value))
        except (ValueError, TypeError, ArithmeticError, OverflowError, AttributeError):
            misfits.append(len(coerced))
            coerced.append(None)
    return coerced, misfits


def as_json(value: Any) -> str:
    """Canonical JSON text (sorted keys), so that equal values give equal text."""
    return orjson.dumps(value, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()


def naive_utc(value: datetime) -> datetime:
    """The same moment as naive UTC; a datetime without a zone is taken to be UTC already."""
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def aware_utc(value: datetime | None) -> datetime | None:
    """A naive UTC datetime from the warehouse, made aware."""
    return None if value is None else value.replace(tzinfo=UTC)


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return as_json(value)


def _integer(value: Any) -> int:
    if type(value) is int and -_INTEGER_LIMIT < value < _INTEGER_LIMIT:
        return value
    number = _number(value)
    if number != number.to_integral_value() or abs(number) >= _INTEGER_LIMIT:
        raise ValueError("not a 64-bit whole number")
    return int(number)


def _decimal(value: Any) -> Decimal:
    rounded = _number(value).quantize(_FOUR_PLACES, context=_ROUNDING)
    if abs(rounded) >= _DECIMAL_LIMIT:
        raise ValueError("does not fit DECIMAL(18, 4)")
    return rounded


def _float(value: Any) -> float:
    if type(value) is float and isfinite(value):
        return value
    return float(_number(value))


def _number(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value).strip())
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not number.is_finite():
        raise ValueError("not a finite number")
    return number


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("not a truth value")


def _timestamp(value: Any) -> datetime:
    """ISO 8601 with or without a zone (then UTC), a date (midnight UTC), or milliseconds since 1970."""
    if isinstance(value, datetime):
        return naive_utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, bool):
        raise TypeError("a truth value is not a time")
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / 1000, UTC).replace(tzinfo=None)
    text = value.strip()
    if text.lstrip("-").isdigit() and len(text) > 8:
        return datetime.fromtimestamp(int(text) / 1000, UTC).replace(tzinfo=None)
    return naive_utc(datetime.fromisoformat(text))


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return naive_utc(value).date()
    if isinstance(value, date):
        return value
    return _timestamp(value).date()


_CONVERTERS: dict[ColumnType, Callable[[Any], Any]] = {
    ColumnType.STRING: _string,
    ColumnType.INTEGER: _integer,
    ColumnType.DECIMAL: _decimal,
    ColumnType.FLOAT: _float,
    ColumnType.BOOLEAN: _boolean,
    ColumnType.TIMESTAMP: _timestamp,
    ColumnType.DATE: _date,
    ColumnType.JSON: as_json,
}


class _Never:
    """The plain type of kinds whose values always need conversion."""


# Values of exactly this Python type are taken as they are: the fast path of most columns.
_PLAIN: dict[ColumnType, type] = {
    ColumnType.STRING: str,
    ColumnType.INTEGER: _Never,
    ColumnType.DECIMAL: _Never,
    ColumnType.FLOAT: _Never,
    ColumnType.BOOLEAN: bool,
    ColumnType.TIMESTAMP: _Never,
    ColumnType.DATE: _Never,
    ColumnType.JSON: _Never,
}
