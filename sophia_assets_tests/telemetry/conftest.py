"""Both control stores, so that what is written down is shown on both."""

from __future__ import annotations

from sophia_assets_tests.control.conftest import store, store_url
from sophia_assets_tests.control.postgres import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url", "store", "store_url"]
