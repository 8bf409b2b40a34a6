"""Both control stores, so that what is counted is shown on both; two providers, and language models made of them."""

from __future__ import annotations

import pytest

from sophia_assets.control.store import ControlStore
from sophia_assets_tests.control.conftest import store, store_url
from sophia_assets_tests.control.postgres import postgres_server, postgres_url
from sophia_assets_tests.llm.stand_ins import Place, Scripted

__all__ = ["postgres_server", "postgres_url", "store", "store_url"]


@pytest.fixture
def first() -> Scripted:
    return Scripted("anthropic")


@pytest.fixture
def second() -> Scripted:
    return Scripted("openai")


@pytest.fixture
def place(store: ControlStore, first: Scripted, second: Scripted) -> Place:
    return Place(store, first, second)
