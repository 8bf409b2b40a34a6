"""Circuits on a store go by the pure rules, in any order of events."""

from __future__ import annotations

import pytest

from sophia_assets_tests.control.steps import play

pytestmark = pytest.mark.takes(10)


def test_every_step_on_the_store_is_the_step_of_the_rules(store_url: str) -> None:
    assert play(store_url, examples=8, seeded=True).steps >= 300
