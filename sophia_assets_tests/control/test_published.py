"""The register keeps one seal for each briefing, the newest, on both stores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, select, text

import sophia_assets.control.migrations as migrations
from sophia_assets.control.published import Register
from sophia_assets.control.schema import REVISION, VERSION_TABLE, published
from sophia_assets.control.store import ControlStore
from sophia_assets_tests.control.postgres import with_driver

DAY = date(2026, 3, 20)
NOON = datetime(2026, 3, 21, 12, tzinfo=UTC)


def test_what_was_entered_is_given_back_by_kind_day_and_role(store: ControlStore) -> None:
    register = Register(store, lambda: NOON)
    register.enter("daily_briefing", DAY, "executive", "a" * 64)
    assert register.digest("daily_briefing", DAY, "executive") == "a" * 64
    for other in (("weekly_business_review", DAY, "executive"), ("daily_briefing", DAY, "analyst")):
        assert register.digest(*other) is None
    assert register.digest("daily_briefing", date(2026, 3, 21), "executive") is None
    with store.reading() as connection:
        assert connection.execute(select(published.c.published_at)).scalar_one() == NOON


def test_a_briefing_that_is_published_again_replaces_what_was_there(store: ControlStore) -> None:
    register = Register(store)
    for digest in ("a" * 64, "b" * 64, "b" * 64):
        register.enter("daily_briefing", DAY, "executive", digest)
    assert register.digest("daily_briefing", DAY, "executive") == "b" * 64


def test_several_who_publish_at_once_leave_one_entry(store: ControlStore) -> None:
    digests = [str(number) * 64 for number in range(6)]
    register = Register(store)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda digest: register.enter("daily_briefing", DAY, "executive", digest), digests))
    assert register.digest("daily_briefing", DAY, "executive") in digests


def test_a_store_from_before_the_register_gets_one_and_keeps_its_rows(store_url: str) -> None:
    first = ControlStore(store_url)
    Register(first).enter("daily_briefing", DAY, "executive", "a" * 64)
    first.close()
    engine = create_engine(with_driver(store_url))
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(migrations.__path__[0]))
        connection.execute(text("INSERT INTO llm_calibrations VALUES ('m', '[]', '2026-03-01 00:00:00')"))
        command.downgrade(config, "0003")
        assert not inspect(connection).has_table("published")
    again = ControlStore(store_url)
    assert Register(again).digest("daily_briefing", DAY, "executive") is None
    with again.reading() as connection:
        assert connection.execute(text("SELECT model FROM llm_calibrations")).scalar_one() == "m"
        assert connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one() == REVISION
    again.close()
    engine.dispose()
