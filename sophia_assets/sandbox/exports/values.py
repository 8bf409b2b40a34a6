"""Reads cells: text, numbers, truth values, dates and moments, in the business time zone."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from zoneinfo import ZoneInfo

from sophia_assets.errors import ConfigurationError
from sophia_assets.sandbox.exports.files import Row

_TRUE, _FALSE = {"true", "yes", "1", "t", "y"}, {"false", "no", "0", "f", "n"}
_DATES_ALLOWED = "Allowed are 2017-12-31 and ISO 8601 moments such as 2017-12-31T09:30:00Z."

# As spreadsheets write amounts: $12,500.00
_MONEY = re.compile(r"-?\$?\d{1,3}(,\d{3})*(\.\d+)?|-?\$\d+(\.\d+)?")


class Cells:
    """Reads cells and remembers how many could not be read, and the span of days of the events it saw."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._moments: dict[str, datetime] = {}
        self._bad: Counter[tuple[str, str, str]] = Counter()
        self.first_event: date | None = None
        self.last_event: date | None = None

    @property
    def timezone(self) -> str:
        """The business time zone's name."""
        return self._zone.key

    @property
    def warnings(self) -> list[str]:
        """One line per column with cells that could not be read."""
        return [
            f"{file}: {count} of the values in {column} could not be read as {what} and are left empty"
            for (file, column, what), count in sorted(self._bad.items())
        ]

    def text(self, row: Row, column: str) -> str | None:
        """The cell as text; what is not text in JSON lines is written as JSON."""
        value = row.cells.get(column)
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def required(self, row: Row, column: str) -> str:
        """The cell as text. Raises ConfigurationError where it is empty."""
        value = self.text(row, column)
        if value is None:
            raise ConfigurationError(
                f"{row.file}, line {row.line}: {column} is empty", remedy="Fill it in, or drop the line."
            )
        return value

    def number(self, row: Row, column: str) -> Decimal | None:
        """The cell as an exact number, None where it is empty or none."""
        value = self.text(row, column)
        if value is None:
            return None
        try:
            number = Decimal(value.replace("$", "").replace(",", "") if _MONEY.fullmatch(value) else value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite():
            return number
        self._bad[(row.file, column, "a number")] += 1
        return None

    def whole(self, row: Row, column: str) -> int | None:
        """The cell as a whole number; a fraction is no whole number."""
        number = self.number(row, column)
        if number is None or number == number.to_integral_value():
            return None if number is None else int(number)
        self._bad[(row.file, column, "a whole number")] += 1
        return None

    def truth(self, row: Row, column: str, otherwise: bool) -> bool:
        """The cell as a truth value, `otherwise` where it is empty or unreadable."""
        value = (self.text(row, column) or "").lower()
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        if value:
            self._bad[(row.file, column, "true or false")] += 1
        return otherwise

    def day(self, row: Row, column: str, *, event: bool = False) -> date | None:
        """The cell as a day of the business time zone. Raises ConfigurationError where it is no date."""
        moment = self.moment(row, column, event=event)
        return moment.astimezone(self._zone).date() if moment else None

    def moment(self, row: Row, column: str, *, event: bool = False) -> datetime | None:
        """The cell as UTC; `event` says that it happened, so that the company's history reaches to it."""
        text = self.text(row, column)
        if text is None:
            return None
        moment = self._moments.get(text)
        if moment is None:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError as error:
                raise ConfigurationError(
                    f"{row.file}, line {row.line}, column {column}: {text!r} is not a date", remedy=_DATES_ALLOWED
                ) from error
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)
            self._moments[text] = moment
        if event:
            self._note(moment.astimezone(self._zone).date())
        return moment

    def midnight(self, day: date) -> datetime:
        """UTC moment at which `day` begins."""
        return datetime.combine(day, time(), self._zone).astimezone(UTC)

    def _note(self, day: date) -> None:
        self.first_event = min(day, self.first_event or day)
        self.last_event = max(day, self.last_event or day)


def no_dates() -> ConfigurationError:
    """The error of an export in which nothing says when it happened."""
    return ConfigurationError(
        "no date in the files says when anything happened",
        remedy="Fill created_at, started_at or UPDATED_AT of at least one file.",
    )


def hubspot_id(text: str | None) -> str | None:
    """An id as HubSpot writes them, in digits; any other text gives a number that is always the same."""
    if text is None or (text.isascii() and text.isdigit()):
        return text
    return str(10**12 + int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") % 10**12)
