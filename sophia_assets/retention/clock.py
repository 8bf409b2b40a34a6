"""What time it is for retention: a clock that was set wrong must not cost the records of years.

Time is taken to have passed as far as something was recorded on its days, and a week more with each application. A
clock that shows a year in the far future removes a week too much at most; after a year in which the machine was off,
what is old goes within some weeks, and nothing grew meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import Connection, func, select

from sophia_assets.control.schema import marks, measures
from sophia_assets.control.store import ControlStore, insert_new, update_version
from sophia_assets.telemetry.recording import EVER

MARK = "retention: the time that is believed"
AHEAD = timedelta(days=7)
"""So far ahead of the days that are known may the clock be."""

_log = structlog.get_logger(__name__)


def believed(store: ControlStore, now: datetime) -> datetime:
    """The moment (UTC, aware) that is taken for now: `now`, or an earlier one where that is too far ahead."""
    with store.reading() as connection:
        return _believed(connection, now)


def believe(connection: Connection, now: datetime) -> datetime:
    """The same, and remembers it: the next application may go on from there. Stale where another did so just now."""
    moment = _believed(connection, now)
    if moment < now:
        _log.warning(
            "the clock is far ahead of what is recorded, so that little is removed at a time",
            clock=f"{now:%Y-%m-%d %H:%M}",
            taken_for=f"{moment:%Y-%m-%d %H:%M}",
        )
    row = connection.execute(select(marks).where(marks.c.name == MARK)).one_or_none()
    if row is None:
        insert_new(connection, marks, {"name": MARK, "value": moment.isoformat(), "version": 1})
    elif datetime.fromisoformat(row.value) < moment:
        update_version(connection, marks, MARK, row.version, {"value": moment.isoformat()})
    return moment


def _believed(connection: Connection, now: datetime) -> datetime:
    today = now.astimezone(UTC).date().isoformat()
    # What was recorded today may come from a clock that is wrong only since then.
    earlier = (measures.c.day != EVER) & (measures.c.day < today)
    value = connection.execute(select(marks.c.value).where(marks.c.name == MARK)).scalar()
    first = value or connection.execute(select(func.max(measures.c.day)).where(earlier)).scalar()
    if first is None:
        return now
    since = datetime.fromisoformat(first)
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    days = select(func.count(measures.c.day.distinct())).where(earlier, measures.c.day > first[:10])
    recorded = timedelta(days=connection.execute(days).scalar() or 0)
    return min(now, since + recorded + AHEAD)
