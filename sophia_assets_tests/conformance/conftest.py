"""The complete company, served as it is for the tests of the sources."""

from sophia_assets_tests.sources.conftest import _served_company, sandbox, warehouse

__all__ = ["_served_company", "sandbox", "warehouse"]
