"""The page of each vendor says what the code does: tables, personal data, settings, permissions, limits, grants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlglot

from sophia_assets.errors import PermissionMissing
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.sandbox.standins.redis.process import RedisProcess
from sophia_assets.settings import PROJECT_ROOT
from sophia_assets.settings.breakers import PROVIDERS
from sophia_assets.settings.llm import read_llm
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Rows, Window
from sophia_assets.sources.gong import api as gong
from sophia_assets.sources.hubspot import api as hubspot
from sophia_assets.sources.linear import api as linear
from sophia_assets.sources.linear import queries
from sophia_assets.sources.permissions import Permission, Remark
from sophia_assets.sources.pinecone import api as pinecone
from sophia_assets.sources.redis import session
from sophia_assets.sources.redis.session import RedisConnection, Server
from sophia_assets.sources.slack import api as slack
from sophia_assets.sources.snowflake.tables import LOCATIONS
from sophia_assets_tests.docs.pages import Page, page
from sophia_assets_tests.sources.unlimited import Unlimited

_SECTIONS = (
    "What to ask for",
    "Make the credential",
    "What is read",
    "What it costs",
    "What it never does",
    "Settings",
    "Check it",
    "Take it back",
)
# Which modules hold the limits and page sizes that a page tells.
_FIGURES = {
    "gong": (gong._REQUESTS, gong._REQUESTS_A_DAY),
    "hubspot": (hubspot._REQUESTS, hubspot._SEARCHES, hubspot.LIST_PAGE, hubspot.SEARCH_PAGE),
    "linear": (linear._REQUESTS, linear._COMPLEXITY, queries.ISSUES.first, queries.MOST_PER_PAGE),
    "slack": (slack.LIMITS["conversations.history"], slack.LIMITS["conversations.list"], slack.PAGE),
    "pinecone": (pinecone._LISTS, pinecone._FETCHES, pinecone.LIST_PAGE, pinecone._CONTROLS),
    "redis": (session._PIPELINES_PER_SECOND,),
    "snowflake": (),
}

every_system = pytest.mark.parametrize("system", registry.SYSTEMS)


def _page(system: str) -> Page:
    return page(f"sophia_assets/sources/{system}/README.md")


@every_system
def test_a_page_has_every_part_that_a_reader_looks_for(system: str) -> None:
    headings = re.findall(r"(?m)^## (.+)$", _page(system).text)

    assert headings == list(_SECTIONS)
    assert f"sophia doctor {system}" in _page(system).section("Check it")
    assert f"SOPHIA_{system.upper()}_MODE=off" in _page(system).section("Take it back")


@every_system
def test_every_table_is_named_with_what_serves_it_and_how_it_is_read(system: str) -> None:
    names = {table.qualified_name for table in registry.tables(system)}
    named = re.compile(rf"`({system}\.[a-z_]+)`")

    for section in ("What to ask for", "What is read"):
        found = set(named.findall(_page(system).section(section)))
        if (system, section) != ("redis", "What to ask for"):
            assert found == names, section


@every_system
def test_personal_data_is_named_beside_its_table(system: str) -> None:
    rows = _page(system).section("What is read").splitlines()
    for table in registry.tables(system):
        row = next(line for line in rows if f"`{table.qualified_name}`" in line)
        for column in table.columns:
            if column.personal:
                assert f"`{column.name}`" in row, f"{table.qualified_name}.{column.name}"


@every_system
def test_all_settings_of_a_system_are_named(system: str) -> None:
    settings = registry.settings_of(system)
    told = _page(system).section("Settings")
    name = system.upper()

    for setting in (*settings.names, f"SOPHIA_{name}_MODE", f"SOPHIA_{name}_CACHE_SECONDS"):
        assert f"`{setting}`" in told, setting
    assert f"may be kept: {settings.cache_seconds} |" in told
    assert f"`SOPHIA_{name}_BREAKER_FAILURE_THRESHOLD` and so on" in told


@every_system
def test_permissions_are_those_of_the_example_of_all_settings(system: str) -> None:
    told = set(re.findall(r"(?m)^\| `([^`]+)` \|", _page(system).section("What to ask for")))
    block = _expanded(_example_block(system))
    if system == "snowflake":
        assert all(schema in block for schema in {location.partition(".")[0] for location in LOCATIONS.values()})
        assert {f"`SELECT` on `{location}`" for location in LOCATIONS.values()} <= set(
            re.findall(r"(?m)^\| (`SELECT` on `[A-Z.]+`) \|", _page(system).section("What to ask for"))
        )
        return
    optional = {"chat:write"}
    assert told
    for permission in told - optional:
        assert permission in block, f"{permission} is not in .env.example"
    scopes = set(
        re.findall(r"\bapi:[a-z:-]+[a-z]|\bcrm\.[a-z_.]+[a-z]|\b(?:channels|groups|users):[a-z.]+[a-z]", block)
    )
    assert scopes <= told


@every_system
def test_limits_and_page_sizes_are_those_of_the_client(system: str) -> None:
    told = _page(system).section("What it costs")

    for figure in _FIGURES[system]:
        assert re.search(rf"(?<![\d,]){figure:,}(?![\d,])", told), figure
    assert "measured against" in told


def test_the_grants_for_snowflake_are_statements_and_cover_every_table() -> None:
    sql = "\n".join(fence.text for fence in _page("snowflake").fences if fence.language == "sql")
    statements = [found.sql("snowflake") for found in sqlglot.parse(sql, dialect="snowflake") if found]

    for location in LOCATIONS.values():
        assert f"GRANT SELECT ON TABLE COMPANY.{location} TO ROLE BRIEFING_READER" in sql
        assert f"GRANT USAGE ON SCHEMA COMPANY.{location.partition('.')[0]} TO ROLE" in sql
    assert len(statements) == sql.count(";")


@pytest.fixture
def redis_server() -> Iterator[RedisProcess]:
    process = RedisProcess("of the server's own users")
    process.start()
    try:
        yield process
    finally:
        process.stop()


def test_the_user_for_redis_may_do_all_that_is_needed_and_nothing_more(redis_server: RedisProcess) -> None:
    [fence] = [fence for fence in _page("redis").fences if fence.language == "redis"]
    [user] = [line for line in fence.text.splitlines() if line.startswith("ACL SETUSER")]
    redis_server.run(
        [
            tuple(user.split()),
            ("HSET", "usage:account:1", "account_name", "Ada", "seats", "3"),
            ("HSET", "usage:daily:2026-01-01", "1:sessions", "2"),
            ("SET", "usage:total:sessions", "2"),
            ("XADD", "usage:events", "*", "account_id", "1", "event", "login"),
            ("SET", "other", "1"),
        ]
    )
    url = f"unix://sophia:password@{redis_server.socket_path}?db=0"
    source = registry.create_source_from_settings("redis", {"REDIS_URL": url}, limiters=Unlimited())
    window = Window(None, datetime.now(UTC) + timedelta(days=1))

    for group in registry.groups("redis"):
        assert [item for item in source.read(group, window) if isinstance(item, Rows) and item.rows], group
    source.ping()
    told = list(source.permissions())  # type: ignore[attr-defined]
    assert not [each for each in told if isinstance(each, Permission) and each.error]
    assert not [each for each in told if isinstance(each, Remark) and each.remedy]
    asked = Server(RedisConnection(url), RetryPolicy(attempts=1), Unlimited()).session()
    for forbidden in (("SET", "usage:total:sessions", "9"), ("GET", "other"), ("FLUSHALL",), ("CONFIG", "GET", "*")):
        with pytest.raises(PermissionMissing):
            asked.ask([forbidden], obj="database")


def test_the_page_of_the_language_models_names_their_settings_and_defaults() -> None:
    found = page("sophia_assets/llm/README.md")
    told, settings = found.section("Settings"), read_llm({})

    for name in PROVIDERS:
        for setting in (f"{name.upper()}_API_KEY", f"{name.upper()}_BASE_URL"):
            assert f"`{setting}`" in told
        for part in ("MODE", "MODEL", "PRICE"):
            assert f"`SOPHIA_{name.upper()}_{part}`" in told
        assert settings.models[name] in told
    assert f"| {settings.deadline_seconds:.0f} |" in told
    assert f"| {settings.daily_budget_usd} |" in told
    assert f"| {settings.cache_seconds} |" in told
    assert re.findall(r"(?m)^## (.+)$", found.text) == [
        "What is sent" if name == "What is read" else name for name in _SECTIONS
    ]


def _example_block(system: str) -> str:
    """The comment above the system's own settings."""
    text = (PROJECT_ROOT / ".env.example").read_text()
    found = re.search(rf"(?m)^# --- {registry.display_name(system)}: (?:.*\n)+?(?=# [A-Z])", text)
    assert found, f".env.example says nothing of {system}"
    return re.sub(r"\n# --- ", " ", found[0])


def _expanded(text: str) -> str:
    """`a.{b,c}.d` as `a.b.d a.c.d`."""
    while found := re.search(r"([\w.:-]*)\{([^}]*)\}([\w.:]*[\w])?", text):
        head, parts, tail = found[1], found[2].split(","), found[3] or ""
        text = text.replace(found[0], " ".join(f"{head}{part}{tail}" for part in parts), 1)
    return text
