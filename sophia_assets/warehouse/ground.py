"""What answers rest on at a moment: the day, the context, the metrics with good data, and what tells it from another.

Belongs here: reading that off a home's warehouse, whichever engine it is. Does not belong here: running queries for
answers (`marts_copy`, `snowflake_reading`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from sophia_assets.errors import SophiaError

if TYPE_CHECKING:
    from sophia_assets.metrics.catalog import Catalog
    from sophia_assets.metrics.measuring import FactContext
    from sophia_assets.services import Services


@dataclass(frozen=True)
class Ground:
    """What a `Reading` says of itself; `version` is of everything that answers rest on.

    `data` is the version of the tables' rows alone: it stands while loads are recorded that no model has been built
    from yet.
    """

    version: str
    data: str
    day: date
    context: FactContext
    catalog: Catalog
    unusable: tuple[str, ...]


def read_ground(services: Services, *, stamp: str = "", raw_tables: Sequence[str] = ()) -> Ground:
    """The ground as it stands; to be called within a session of the warehouse, so that all of it is of one state.

    `stamp` tells states apart where builds have no numbers (a file's time of change); `raw_tables` are those whose rows
    belong to the data. Raises SophiaError where no model has been built.
    """
    from sophia_assets.metrics.catalog import load_catalog
    from sophia_assets.metrics.facts_cache import ground_of, resting_on_good

    day = _day(services)
    serving = services.serving()
    catalog = resting_on_good(load_catalog(), serving.unusable)
    context = services.fact_context(day, serving)
    known = ground_of(services.warehouse, catalog, context, serving.shares.partial()) or _of_file(context, stamp)
    unusable = tuple(sorted(serving.unusable))
    return Ground(_hash(known, day, unusable), _data(services, raw_tables, stamp), day, context, catalog, unusable)


def _day(services: Services) -> date:
    """The last complete business day that the models cover."""
    yesterday = datetime.now(UTC).astimezone(services.settings.tzinfo).date() - timedelta(days=1)
    found = services.warehouse.query(
        "SELECT COUNT(*) AS found FROM information_schema.tables WHERE LOWER(table_schema) = 'staging' "
        "AND LOWER(table_name) = 'days'"
    ).to_pylist()
    newest: date | None = None
    if found[0]["found"]:
        newest = services.warehouse.query("SELECT MAX(day) AS day FROM staging.days").to_pylist()[0]["day"]
    if newest is None:
        raise SophiaError("there is no data to answer from yet", remedy="Run `sophia run` first")
    return min(yesterday, newest)


def _data(services: Services, raw_tables: Sequence[str], stamp: str) -> str:
    """The version of the models' rows, and of those of `raw_tables`."""
    builds = services.warehouse.query(
        'SELECT model, load_id, shares FROM "_sophia"."builds" WHERE table_name = \'\''
    ).to_pylist()
    loads = services.warehouse.query('SELECT table_name, load_id FROM "_sophia"."state"').to_pylist()
    is_numbered = bool(builds) and all(row["load_id"] for row in builds)
    return _hash(
        sorted((row["model"], row["load_id"] or "", row["shares"] or "") for row in builds),
        sorted((row["table_name"], row["load_id"]) for row in loads if row["table_name"] in raw_tables),
        "" if is_numbered else stamp,
    )


def _of_file(context: FactContext, stamp: str) -> str:
    return _hash(stamp, sorted(context.loaded_through.items()), context.timezone, context.history_start)


def _hash(*parts: object) -> str:
    return sha256(orjson.dumps(parts)).hexdigest()[:32]
