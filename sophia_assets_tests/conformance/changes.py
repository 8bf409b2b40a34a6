"""Changes to a company between two loads, and clients that change rows on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sources.declarations import ColumnType, ReadItem, Rows, Source, Table, Window
from sophia_assets_tests.sources.wrapped import Wrapped


def after_deletions(system: str, company: CompanyData) -> CompanyData:
    """The company after somebody deleted something of every kind that the system lets one delete."""
    data = deepcopy(getattr(company, system))
    _DELETIONS[system](data)
    return replace(company, **{system: data})


def _delete_from_gong(data: Any) -> None:
    del data.users[-1], data.calls[-3]


def _delete_from_hubspot(data: Any) -> None:
    # HubSpot archives, and leaves the modification time as it was.
    for records in data.objects.values():
        for record in [found for found in records if not found.archived][-2:]:
            record.archived, record.archived_at = True, record.updated_at + timedelta(hours=1)
    del data.owners[-1], data.stages[-1]


def _delete_from_snowflake(data: Any) -> None:
    for table in data.tables:
        table.rows = list(table.rows)[:-1]


def _delete_from_slack(data: Any) -> None:
    data.users.pop()
    for channel in data.channels:
        alone = [m for m in channel.messages if m.thread_ts is None]
        if alone:
            channel.messages.remove(alone[-1])


def _delete_from_linear(data: Any) -> None:
    data.labels[:] = [label for label in data.labels if label is not data.labels[-1]]
    data.cycles.pop()
    for issue in data.issues:
        issue.label_ids = [one for one in issue.label_ids if one in {label.id for label in data.labels}]
        if issue.cycle_id not in {cycle.id for cycle in data.cycles}:
            issue.cycle_id = None
    parents = {issue.parent_id for issue in data.issues}
    data.issues.remove(next(issue for issue in reversed(data.issues) if issue.id not in parents))


def _delete_from_pinecone(data: Any) -> None:
    for records in data.namespaces.values():
        records.pop()


def _delete_from_redis(data: Any) -> None:
    for prefix in ("usage:account:", "usage:total:"):
        for held in (data.hashes, data.strings):
            keys = [key for key in held if key.startswith(prefix)]
            if keys:
                del held[keys[-1]]


_DELETIONS: Mapping[str, Callable[[Any], None]] = {
    "gong": _delete_from_gong,
    "hubspot": _delete_from_hubspot,
    "snowflake": _delete_from_snowflake,
    "slack": _delete_from_slack,
    "linear": _delete_from_linear,
    "pinecone": _delete_from_pinecone,
    "redis": _delete_from_redis,
}


def renamed(table: Table, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with another value in its first text column beside the key, if it has one."""
    texts = (c.name for c in table.columns if c.type is ColumnType.STRING and c.name not in table.primary_key)
    name = next(texts, None)
    return row if name is None else {**row, name: f"{row.get(name)} before"}


class Altering(Wrapped):
    """A source whose rows are changed on the way by `change(table, row)`, which returns the row to pass on."""

    def __init__(self, source: Source, change: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]) -> None:
        super().__init__(source)
        self.change = change

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        for item in self.source.read(group, window, resume):
            if isinstance(item, Rows):
                yield Rows(item.table, [self.change(item.table, row) for row in item.rows])
            else:
                yield item
