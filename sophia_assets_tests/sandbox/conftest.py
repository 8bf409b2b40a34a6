"""The small company's stand-ins, served once per module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sophia_assets_tests.sandbox.clients import Client, gong_client, hubspot_client
from sophia_assets_tests.sandbox.small_company import Served, served, small_company


@pytest.fixture(scope="module")
def unlimited() -> Iterator[Served]:
    """HubSpot and Gong of the small company, without rate limits."""
    with served(small_company(snowflake=None), limits=False) as running:
        yield running


@pytest.fixture
def hubspot(unlimited: Served) -> Client:
    """HubSpot, without rate limits."""
    return hubspot_client(unlimited.env)


@pytest.fixture
def gong(unlimited: Served) -> Client:
    """Gong, without rate limits."""
    return gong_client(unlimited.env)
