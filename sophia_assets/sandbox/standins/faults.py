"""Faults on demand: what can go wrong with a system, said in one line such as `gong:errors:0.3`."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from sophia_assets.errors import ConfigurationError

SYSTEMS = ("hubspot", "gong", "snowflake")


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: what it does, its argument's name, default and largest value, and where it exists."""

    effect: str
    argument: str | None = None
    default: float = 0.0
    largest: float = 86_400.0
    systems: tuple[str, ...] = SYSTEMS


KINDS: dict[str, FaultKind] = {
    "down": FaultKind("every connection is cut without an answer"),
    "errors": FaultKind("this share of the requests is answered with a 5xx", "RATE", 0.3, 1.0),
    "rate_limit": FaultKind("429 with Retry-After until this many seconds have passed, at least once", "SECONDS", 10.0),
    "auth": FaultKind("every credential is refused"),
    "slow": FaultKind("every answer waits this many seconds", "SECONDS", 1.0),
    "truncate": FaultKind("every answer's JSON breaks off in the middle"),
    "empty": FaultKind("the system answers that it holds nothing"),
    "expired_cursor": FaultKind("the next COUNT page cursors have expired", "COUNT", 1.0, 1e9, ("gong",)),
}


@dataclass
class Fault:
    """One active fault. `started` is on the monotonic clock; `served` counts the requests it hit."""

    system: str
    kind: str
    argument: float
    started: float = field(default_factory=time.monotonic)
    served: int = 0

    @property
    def text(self) -> str:
        """The fault as it is written on the command line."""
        return f"{self.system}:{self.kind}" + (f":{self.argument:g}" if KINDS[self.kind].argument else "")


def parse_fault(text: str) -> Fault:
    """Read `SYSTEM:KIND[:ARG]`. Raises ConfigurationError that lists what is allowed."""
    system, _, rest = text.partition(":")
    name, _, argument = rest.partition(":")
    if system not in SYSTEMS:
        raise ConfigurationError(
            f"unknown system '{system}' in fault '{text}'", remedy=f"Use one of {_listed(SYSTEMS)}"
        )
    kind = KINDS.get(name)
    if kind is None or system not in kind.systems:
        allowed = [_usage(key, value) for key, value in KINDS.items() if system in value.systems]
        raise ConfigurationError(
            f"unknown kind '{name}' in fault '{text}'", remedy=f"{system} can play {_listed(allowed)}"
        )
    return Fault(system, name, _argument(text, name, kind, argument))


def _argument(text: str, name: str, kind: FaultKind, argument: str) -> float:
    if not argument:
        return kind.default
    try:
        value = float(argument)
    except ValueError:
        value = -1.0
    if kind.argument is None or not 0 <= value <= kind.largest:
        expected = f"{kind.argument} from 0 to {kind.largest:g}" if kind.argument else "no argument"
        raise ConfigurationError(f"wrong argument in fault '{text}'", remedy=f"{name} takes {expected}")
    return value


def _usage(name: str, kind: FaultKind) -> str:
    return f"{name}:{kind.argument}" if kind.argument else name


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


class FaultBoard:
    """The faults that are active now, at most one of a kind per system."""

    def __init__(self, faults: Iterable[str] = ()) -> None:
        self._active: dict[tuple[str, str], Fault] = {}
        self._random = random.Random(0)
        for text in faults:
            self.add(text)

    def add(self, text: str) -> Fault:
        """Activate a fault, replacing one of the same kind. Raises ConfigurationError."""
        fault = parse_fault(text)
        self._active[fault.system, fault.kind] = fault
        return fault

    def clear(self, system: str | None = None) -> None:
        """Deactivate all faults, or those of one system."""
        self._active = {key: fault for key, fault in self._active.items() if system not in (None, fault.system)}

    def listed(self) -> list[str]:
        """The active faults as text, sorted."""
        return sorted(fault.text for fault in self._active.values())

    def any_on(self, system: str) -> bool:
        """Whether any fault is active for the system."""
        return bool(self._active) and any(key[0] == system for key in self._active)

    def active(self, system: str, kind: str) -> Fault | None:
        """The active fault of this kind, or None."""
        return self._active.get((system, kind))

    def strikes(self, system: str) -> bool:
        """Whether this request falls into the share that `errors` spoils."""
        fault = self.active(system, "errors")
        return fault is not None and self._random.random() < fault.argument

    def rate_limited_for(self, system: str) -> float | None:
        """Seconds that `rate_limit` still refuses requests, or None when it refuses none."""
        fault = self.active(system, "rate_limit")
        if fault is None:
            return None
        left = fault.started + fault.argument - time.monotonic()
        if left <= 0 and fault.served:
            del self._active[system, "rate_limit"]
            return None
        fault.served += 1
        return max(left, 0.0)

    def cursor_expires(self, system: str) -> bool:
        """Whether the cursor that just came in counts as expired; uses up one of the fault's COUNT."""
        fault = self.active(system, "expired_cursor")
        if fault is None or fault.served >= fault.argument:
            return False
        fault.served += 1
        return True
