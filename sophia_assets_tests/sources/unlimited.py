"""Clients without limits of their own, for tests that ask a stand-in without limits more than a vendor would allow."""

from __future__ import annotations

from sophia_assets.ingestion.limiter import Account, Limiters, RateLimiter
from sophia_assets.services import Services
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Window


class _Account(Account):
    def limiter(self, name: str, *, requests: float, seconds: float) -> RateLimiter:
        return RateLimiter(1_000_000, 1.0)


class Unlimited(Limiters):
    """Limiters that hold nobody back unless the vendor asks for it."""

    def account(self, system: str, address: str, credential: str) -> Account:
        """An account of its own for everyone who asks."""
        return _Account(self, system)


def read_everything(services: Services, span: Window, run_id: str) -> None:
    """Reads every group of every connected system for `span`, as fast as the stand-ins answer."""
    vars(services.connections)["limiters"] = Unlimited()
    for system in services.start_reading(services.connected, span):
        for group in registry.groups(system):
            services.ingest(system, group, span, run_id)
