"""A read gets through a storm of every kind of failure, in hardly more requests than it takes."""

from __future__ import annotations

import pytest

from sophia_assets_tests.ingestion.storm import Crossing, Weather, cross, storm


@pytest.fixture(scope="module", params=[1, 4], ids=["one thread", "four threads"])
def crossing(request: pytest.FixtureRequest) -> Crossing:
    with storm(Weather(rate=0.3, retry_after=0.05, readers=request.param)) as weather:
        return cross(weather, 300)


def test_every_page_is_read_in_at_most_a_fifth_more_requests_than_ideal(crossing: Crossing) -> None:
    assert crossing.pages == 300
    assert crossing.ideal > 350
    assert crossing.requests <= 1.2 * crossing.ideal


def test_no_request_comes_before_its_retry_after_is_over(crossing: Crossing) -> None:
    assert crossing.too_early == ()
