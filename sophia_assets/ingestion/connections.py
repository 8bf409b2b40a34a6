"""The connections of one home to its systems: one client each, made when first needed, within shared limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property

from sophia_assets.home import Home
from sophia_assets.ingestion.limiter import Limiters, account_digest
from sophia_assets.ingestion.retrying import RetryPolicy
from sophia_assets.settings import Settings
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Source

_LONGEST_PROBE_SECONDS = 30.0


class Connections:
    """Clients by system. `sandbox_env` holds the addresses of a sandbox of one's own; None looks for an announced one.

    `on_ping` is told how many requests a sign of life took. Everything raises ConfigurationError or ConnectionFailed
    where a system cannot be reached by its settings.
    """

    def __init__(
        self,
        settings: Settings,
        home: Home,
        sandbox_env: Mapping[str, str] | None = None,
        *,
        on_ping: Callable[[str, int], object] = lambda _system, _requests: None,
    ) -> None:
        self._settings, self._home, self._own_sandbox = settings, home, sandbox_env
        self._on_ping = on_ping
        self._sources: dict[str, Source] = {}

    @cached_property
    def limiters(self) -> Limiters:
        """The systems' request limits, shared by all homes' processes: they may use the same accounts."""
        return Limiters(self._settings.base_home / "limits")

    @property
    def sandbox_env(self) -> Mapping[str, str] | None:
        """The addresses of the sandbox, where one runs."""
        return self._own_sandbox or self._home.sandbox_env()

    def source(self, system: str) -> Source:
        """The client of a system; nothing is sent yet."""
        if system not in self._sources:
            self._sources[system] = registry.create_source_from_settings(
                system, self.settings_of(system), limiters=self.limiters
            )
        return self._sources[system]

    def settings_of(self, system: str) -> dict[str, str]:
        """The connection settings of a system by name."""
        return self._settings.connection(system, self.sandbox_env)

    def account(self, system: str) -> str:
        """What tells the account that is read from others: a hash of its address and of what opens it.

        A sandbox has another address each time it is started; there it is the company that tells.
        """
        if self._settings.is_sandboxed(system):
            company = self._home.company()
            return f"sandbox {company.key if company else ''}"
        connection = self.settings_of(system)
        address = connection.pop(registry.settings_of(system).address, "")
        return account_digest(address, repr(sorted(connection.items())))

    def requests_made(self, system: str) -> int:
        """How many requests this process has sent to a system."""
        return self._sources[system].requests_made if system in self._sources else 0

    def ping(self, system: str, within: timedelta) -> str:
        """Asks a system for a sign of life, once; returns a line about the account. Raises SophiaError.

        It has ended long before `within` is over: whoever probes a circuit holds it no longer than that.
        """
        seconds = min(within.total_seconds() / 2, _LONGEST_PROBE_SECONDS)
        patience = RetryPolicy(
            attempts=1,
            connection_attempts=1,
            connect_timeout=seconds / 4,
            read_timeout=seconds / 2,
            longest_wait=seconds / 4,
            deadline=seconds,
        )
        source = registry.create_source_from_settings(
            system, self.settings_of(system), retry=patience, limiters=self.limiters
        )
        try:
            return source.ping()
        finally:
            self._on_ping(system, source.requests_made)

    def close(self) -> None:
        """Lets go of the limits."""
        if "limiters" in self.__dict__:
            self.limiters.close()
