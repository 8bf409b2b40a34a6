"""A small part of the campaign in `schedules`, on every registered system."""

from __future__ import annotations

import pytest

from sophia_assets.sources import registry
from sophia_assets_tests.conformance.schedules import campaign

SCHEDULES = 3


@pytest.mark.parametrize("system", registry.SYSTEMS)
def test_however_the_pages_come_the_tables_hold_what_the_company_holds(system: str) -> None:
    assert campaign(system, first=0, count=SCHEDULES) == []
