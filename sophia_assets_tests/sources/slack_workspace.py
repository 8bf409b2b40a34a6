"""Slack workspaces to be read, and what was read of them, for the tests of Slack's client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.company_data import SlackChannel, SlackData
from sophia_assets.sources.declarations import ReadItem, Rows, Source, Window
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.interface import LoadResult
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sandbox.small_slack import slack_company, workspace
from sophia_assets_tests.sources.complete_company import END, EVERYTHING, contents, ingest, source_for

Row = Mapping[str, Any]
PATIENT = RetryPolicy(attempts=10, first_delay=0.01, longest_delay=0.05, longest_wait=30.0, budget_floor=1000)
LAST_DAY = Window(END - timedelta(days=2), END)


@contextmanager
def running(*channels: SlackChannel, data: SlackData | None = None, **config: Any) -> Iterator[Served]:
    """A workspace of these channels, without limits."""
    company = slack_company(data or workspace(*channels))
    with served(company, wait_for="listening", **{"limits": False, **config}) as sandbox:
        yield sandbox


def now_with(sandbox: Served, *channels: SlackChannel) -> None:
    """From now on the workspace has these channels."""
    sandbox.app.standins["slack"].load(slack_company(workspace(*channels)))


def load(sandbox: Served, warehouse: DuckDBWarehouse, window: Window = EVERYTHING, run_id: str = "run") -> LoadResult:
    """Loads the messages, as a process of its own would."""
    return ingest(source_for("slack", sandbox.env), "messages", warehouse, window, run_id)[0]


def texts(warehouse: DuckDBWarehouse) -> list[str]:
    """What stands in the table, in the order of channel and time."""
    return [row["text"] for row in contents(warehouse, "slack.messages")]


def rows_of(items: list[ReadItem]) -> dict[tuple[str, str], Row]:
    """The messages that were read, by key."""
    rows = [row for item in items if isinstance(item, Rows) for row in item.rows]
    return {(row["channel_id"], row["ts"]): row for row in rows}


def read(source: Source, window: Window = EVERYTHING, resume: Any = None) -> list[ReadItem]:
    return list(source.read("messages", window, resume))
