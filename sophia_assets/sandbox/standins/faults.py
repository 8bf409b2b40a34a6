"""Faults on demand: what can go wrong with a system, said in one line such as `gong:errors:0.3`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from sophia_assets.errors import ConfigurationError


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault: what it does, its argument's name, default and largest value.

    One that `happens_once` changes the company's data when it is added; the others last until they are cleared.
    """

    effect: str
    argument: str | None = None
    default: float = 0.0
    largest: float = 86_400.0
    happens_once: bool = False


# What every system can play; a system's own kinds are in its package.
KINDS: dict[str, FaultKind] = {
    "down": FaultKind("every connection is cut without an answer"),
    "errors": FaultKind("this share of the requests is answered with a 5xx", "RATE", 0.3, 1.0),
    "storm": FaultKind("this share of the requests is answered with a 429 or a 5xx", "RATE", 0.3, 1.0),
    "rate_limit": FaultKind("429 with Retry-After until this many seconds have passed, at least once", "SECONDS", 10.0),
    "auth": FaultKind("every credential is refused"),
    "slow": FaultKind("every answer waits this many seconds", "SECONDS", 1.0),
    "truncate": FaultKind("every answer's JSON breaks off in the middle"),
    "torn": FaultKind("this share of the answers breaks off in the middle", "RATE", 0.3, 1.0),
    "cut": FaultKind("this share of the connections is cut in the middle of the answer", "RATE", 0.3, 1.0),
    "empty": FaultKind("the system answers that it holds nothing"),
    "pages": FaultKind("pages are short, empty or repeat rows, in an order made from this seed", "SEED", 1.0, 1e9),
}
# How an `expired_cursor` fault reads, for the systems whose cursors can expire.
EXPIRED_CURSOR = FaultKind("the next COUNT page cursors have expired", "COUNT", 1.0, 1e9)

_MOST_REPEATED = 3


@dataclass
class Fault:
    """One active fault. `started` is on the monotonic clock; `served` counts the requests it hit."""

    system: str
    kind: str
    argument: float
    has_argument: bool = True
    started: float = field(default_factory=time.monotonic)
    served: int = 0

    @property
    def text(self) -> str:
        """The fault as it is written on the command line."""
        return f"{self.system}:{self.kind}" + (f":{self.argument:g}" if self.has_argument else "")


def parse_fault(text: str) -> Fault:
    """Read `SYSTEM:KIND[:ARG]`. Raises ConfigurationError that lists what is allowed."""
    return _parsed(text)[0]


def _parsed(text: str) -> tuple[Fault, FaultKind]:
    # The registry's packages declare their own kinds with this module.
    from sophia_assets.sandbox.standins.registry import SYSTEMS, fault_kinds

    system, _, rest = text.partition(":")
    name, _, argument = rest.partition(":")
    if system not in SYSTEMS:
        raise ConfigurationError(
            f"unknown system '{system}' in fault '{text}'", remedy=f"Use one of {_listed(SYSTEMS)}"
        )
    kinds = fault_kinds(system)
    kind = kinds.get(name)
    if kind is None:
        allowed = [_usage(key, value) for key, value in kinds.items()]
        raise ConfigurationError(
            f"unknown kind '{name}' in fault '{text}'", remedy=f"{system} can play {_listed(allowed)}"
        )
    return Fault(system, name, _argument(text, name, kind, argument), kind.argument is not None), kind


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
        self._players: dict[str, Callable[[Fault], None]] = {}
        self._waiting: list[Fault] = []
        self._random = random.Random(0)
        for text in faults:
            self.add(text)

    def attach(self, system: str, play: Callable[[Fault], None]) -> None:
        """Have the system's faults that happen once played by `play`, also those that were added before."""
        self._players[system] = play
        for fault in [fault for fault in self._waiting if fault.system == system]:
            self._waiting.remove(fault)
            play(fault)

    def add(self, text: str) -> Fault:
        """Activate a fault, replacing one of the same kind. Raises ConfigurationError."""
        fault, kind = _parsed(text)
        self._active[fault.system, fault.kind] = fault
        if kind.happens_once:
            play = self._players.get(fault.system)
            if play:
                play(fault)
            else:
                self._waiting.append(fault)
        return fault

    def clear(self, system: str | None = None) -> None:
        """Deactivate all faults, or those of one system. What happened once is not undone."""
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

    def strikes(self, system: str, kind: str) -> bool:
        """Whether this request falls into the share that a fault of this kind spoils."""
        fault = self.active(system, kind)
        if fault is None or self._random.random() >= fault.argument:
            return False
        fault.served += 1
        return True

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
        return self.uses_up(system, "expired_cursor")

    def uses_up(self, system: str, kind: str) -> bool:
        """Whether a fault that holds for COUNT requests holds for this one."""
        fault = self.active(system, kind)
        if fault is None or fault.served >= fault.argument:
            return False
        fault.served += 1
        return True

    def page(self, system: str, start: int, most: int, total: int) -> tuple[int, int]:
        """Where the page that is to begin at `start` begins and ends, [begin, end), in a list of `total`.

        At most `most` rows from `start`, unless `pages` is active: then it may be shorter, empty, or begin
        with rows of the page before. The next page begins at `end`.
        """
        end = min(start + most, total)
        fault = self.active(system, "pages")
        if fault is None:
            return start, end
        chance = random.Random(f"{fault.argument:g} {start} {fault.served}")
        fault.served += 1
        if start and chance.random() < 0.15:
            return start, start
        end = min(start + chance.randint(1, max(most, 1)), total)
        begin = max(0, start - chance.randint(1, _MOST_REPEATED)) if chance.random() < 0.3 else start
        return (begin, end) if end - begin <= most else (start, end)
