"""How often one principal or one address may ask: token buckets in memory, of which only so many are kept.

Belongs here: rates. Does not belong here: sizes and times of a single request (`guarding`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil
from time import monotonic

MOST_BUCKETS = 10_000


class Buckets:
    """One bucket per key, filled at `per_minute` up to `burst`; the key that was used longest ago is forgotten first.

    A rate of 0 lets everything through.
    """

    def __init__(
        self, per_minute: int, burst: int, *, most: int = MOST_BUCKETS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._burst = float(max(1, burst))
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str) -> int:
        """Takes one of a key's tokens: 0, or in how many seconds there will be one."""
        return self._wait(key, 1.0)

    def look(self, key: str) -> int:
        """Like `take`, without taking."""
        return self._wait(key, 0.0)

    def _wait(self, key: str, taken: float) -> int:
        if not self._per_second:
            return 0
        now = self._clock()
        held, since = self._buckets.get(key, (self._burst, now))
        held = min(self._burst, held + (now - since) * self._per_second)
        if held < 1:
            return max(1, ceil((1 - held) / self._per_second))
        if taken:
            self._buckets[key] = (held - taken, now)
            self._buckets.move_to_end(key)
            while len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        return 0


class Limits:
    """The rates of one process. `refusals` are failed credentials of an address, whatever they were shown to."""

    def __init__(self, principal: int, address: int, logins: int) -> None:
        self.principal = Buckets(principal, max(20, principal // 6))
        self.address = Buckets(address, max(50, address // 6))
        self.logins = Buckets(logins, logins)
        self.refusals = Buckets(logins, logins)


def address_key(host: str | None) -> str:
    """What counts as one address: an IPv6 network of 64 bits is one customer's."""
    try:
        address = ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped) if address.ipv4_mapped else str(IPv6Address(int(address) >> 64 << 64))
    return str(address)
