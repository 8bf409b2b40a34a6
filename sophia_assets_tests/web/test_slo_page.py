"""The page that says how well the platform serves."""

from __future__ import annotations

import pytest
import requests

from sophia_assets.telemetry import series
from sophia_assets_tests.web.html_checks import read_page
from sophia_assets_tests.web.serving import Served


def test_those_who_see_the_platform_find_the_objectives_in_the_navigation(site: Served) -> None:
    site.services.recorder.record(series.FETCHES.add(4, source="linear"))
    page = site.browser().get(f"{site.address}/objectives?days=7", timeout=30)
    assert page.status_code == 200 and 'href="/objectives"' in page.text
    assert "Availability: Linear" in page.text and "Principles kept: no speculation" in page.text
    assert "not known" in page.text
    read_page(page.text)


@pytest.mark.parametrize("days", ["0", "401", "many", "<script>"])
def test_a_span_that_cannot_be_is_refused(site: Served, days: str) -> None:
    refused = requests.get(f"{site.address}/objectives", params={"days": days}, headers=site.bearer(), timeout=30)
    assert refused.status_code == 422 and "<script>" not in refused.text


def test_others_neither_see_the_page_nor_its_link(site: Served) -> None:
    leader = site.browser("seller-without-platform", "sales_leader")
    assert leader.get(f"{site.address}/objectives", timeout=30).status_code == 403
    assert 'href="/objectives"' not in leader.get(f"{site.address}/ask", timeout=30).text
    assert requests.get(f"{site.address}/objectives", timeout=30).status_code == 401
