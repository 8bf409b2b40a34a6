"""However many processes reach for it at once, a half-open circuit lets one probe through."""

from __future__ import annotations

import pytest

from sophia_assets_tests.control.half_opens import run

pytestmark = pytest.mark.takes(12)


def test_exactly_one_of_several_processes_gets_each_probe(store_url: str) -> None:
    report = run(store_url, processes=4, rounds=45)

    assert report.is_right, report
    assert report.contenders > 2, "the processes must really have competed"
