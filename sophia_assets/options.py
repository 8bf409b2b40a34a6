"""Types of command-line options that several commands share."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from sophia_assets.settings import parse_date


class _Day(click.ParamType[date]):
    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> date:
        return value if isinstance(value, date) else parse_date(str(value), param.opts[0] if param else "the date")


#: A calendar day; what is not one is told with an example.
DAY = _Day()
