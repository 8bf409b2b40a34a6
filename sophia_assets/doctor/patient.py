"""What is examined: one home with its settings, and what several checks ask about it, found out once.

Belongs here: opening what the checks look at, without changing it. Does not belong here: judging it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from sophia_assets.home import Home
from sophia_assets.settings import Settings

if TYPE_CHECKING:
    from sophia_assets.doctor.control_store import StoreState
    from sophia_assets.doctor.warehouse import WarehouseState
    from sophia_assets.observability.freshness import Reading
    from sophia_assets.services import Services

T = TypeVar("T")


class Once(Generic[T]):
    """A value that is found out by whoever asks first; others wait for it, in any thread."""

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._found: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._found:
                self._found.append(self._find())
            return self._found[0]


@dataclass(frozen=True)
class Skew:
    """How far another clock is ahead of this machine's, in seconds; `within` is how sure that is."""

    name: str
    seconds: float
    within: float


@dataclass
class Patient:
    """One home. `is_offline` leaves everything out that goes over a network beyond this machine's own stores.

    `only` are the names that were asked for; empty for everything. `skews` are the clocks that checks have met.
    """

    settings: Settings
    home: Home
    services: Services
    is_offline: bool = False
    only: frozenset[str] = frozenset()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    skews: list[Skew] = field(default_factory=list)

    def __post_init__(self) -> None:
        from sophia_assets.doctor.control_store import look_at_store
        from sophia_assets.doctor.warehouse import look_at_warehouse

        self.store: Callable[[], StoreState] = Once(lambda: look_at_store(self))
        """How the control store stands."""
        self.warehouse: Callable[[], WarehouseState] = Once(lambda: look_at_warehouse(self))
        """How the warehouse stands."""
        self.readings: Callable[[], list[Reading]] = Once(lambda: self.services.health().freshness())
        """How old every table and model is; to be asked for only where the warehouse is usable."""

    @property
    def company_is_simulated(self) -> bool:
        """Whether the home holds a company of the sandbox, or one of exports."""
        company = self.home.company()
        return company is not None and company.kind != "live"

    @property
    def sandbox(self) -> Mapping[str, str] | None:
        """The addresses of the sandbox, where one runs."""
        return self.services.connections.sandbox_env

    def wants(self, *names: str) -> bool:
        """Whether any of these was asked for."""
        return not self.only or bool(self.only.intersection(names))
