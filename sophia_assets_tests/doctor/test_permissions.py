"""What clients tell about their own accounts: every table is covered, and what is told can be acted on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sophia_assets.ingestion.limiter import RateLimiter
from sophia_assets.sources import registry
from sophia_assets.sources.permissions import Permission, TellsPermissions, Told
from sophia_assets_tests.sandbox.small_company import Served, served
from sophia_assets_tests.sources.complete_company import complete_company, source_for

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Served]:
    """Every system, without limits."""
    with served(complete_company(), limits=False) as sandbox:
        yield sandbox


def told_by(system: str, sandbox: Served) -> list[Told]:
    """Everything that a client tells."""
    source = source_for(system, sandbox.env)
    assert isinstance(source, TellsPermissions)
    return list(source.permissions())


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_every_table_of_a_system_rests_on_a_permission_that_is_tried(system: str, sandbox: Served) -> None:
    """A new table has to be added there, too."""
    permissions = [each for each in told_by(system, sandbox) if isinstance(each, Permission)]
    tried = {table for each in permissions for table in each.tables}
    assert tried == {table.qualified_name for table in registry.tables(system)}
    assert all(each.error is None for each in permissions)


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_asking_takes_a_handful_of_requests(system: str, sandbox: Served) -> None:
    """A look may not cost what a read does."""
    source = source_for(system, sandbox.env)
    assert isinstance(source, TellsPermissions)
    list(source.permissions())
    assert 0 < source.requests_made <= 12


def test_the_version_of_anthropics_api_is_the_one_that_its_sdk_asks_for() -> None:
    """So that a look and a call meet the same API."""
    import anthropic

    from sophia_assets.doctor.models import _VERSION

    assert anthropic.Anthropic(api_key="x").default_headers["anthropic-version"] == _VERSION


def test_a_limiter_tells_what_is_left() -> None:
    """Of a rolling window, and of a fixed one that a vendor's headers describe."""
    from datetime import UTC, datetime, timedelta

    limiter = RateLimiter(10, 60.0)
    assert limiter.standing() == (10.0, 10.0)
    limiter.acquire(3.0)
    assert limiter.standing() == (7.0, 10.0)
    limiter.learn(remaining=4, resets_at=datetime.now(UTC) + timedelta(minutes=5))
    assert limiter.standing() == (4.0, 10.0)
