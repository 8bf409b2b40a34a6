"""Clients without limits of their own, for tests that ask a stand-in without limits more than a vendor would allow."""

from __future__ import annotations

from sophia_assets.ingestion.limiter import Account, Limiters, RateLimiter


class _Account(Account):
    def limiter(self, name: str, *, requests: float, seconds: float) -> RateLimiter:
        return RateLimiter(1_000_000, 1.0)


class Unlimited(Limiters):
    """Limiters that hold nobody back unless the vendor asks for it."""

    def account(self, system: str, address: str, credential: str) -> Account:
        """An account of its own for everyone who asks."""
        return _Account(self, system)
