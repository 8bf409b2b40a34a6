"""The evidence of one entity's figure says of it what the answer said: its value, its share."""

from __future__ import annotations

import requests

from sophia_assets.metrics.drill_down import Evidence
from sophia_assets_tests.finished_home import LAST_DAY
from sophia_assets_tests.web.serving import Served


def test_the_share_is_that_of_the_whole_and_not_of_the_entity_alone(site: Served) -> None:
    facts = site.services.compute_facts(LAST_DAY).by("bookings", "qtd", "owner")
    told = next(fact for fact in facts if fact.share is not None and 0.05 < fact.share < 0.95)
    page = requests.get(
        f"{site.address}/evidence", params=Evidence.of(told).as_parameters(), headers=site.bearer(), timeout=30
    )
    assert page.status_code == 200
    assert told.display in page.text
    assert f"{told.share_display} of the whole" in page.text
    assert "100.0% of the whole" not in page.text
