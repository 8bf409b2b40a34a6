"""Keeps clients inside a vendor's request limit before the vendor has to say no.

One limiter stands for one limit of one account, and is shared by everything that uses it: the threads
of a process and, where the limiters have a folder, all processes of the machine.
"""

from __future__ import annotations

import math
import random
import re
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from sophia_assets.ingestion.limit_state import SLOTS, LimitState, LimitStore, now
from sophia_assets.ingestion.waiting import wait

# A request is counted when it arrives, not when it leaves: a little more than the vendor's interval is safe.
_MARGIN = 1.03
# Waiters of several processes do not come back at the very same moment.
_SPREAD_SECONDS = 0.003
# Whoever waits for another thread's turn looks this often whether the wait has been ended.
_TURN_SECONDS = 0.1
_SUFFIX = ".limit"
_KEPT_SECONDS = 7 * 86400.0
# The part of a limit that counting errors in its units may not exceed.
_ROUNDING = 1e-9


class RateLimiter:
    """At most `requests` in any `seconds`, counted from when each request is let through.

    The declared figures are a start; `learn` replaces them by what the vendor's headers say. A limit
    may be in other units than requests (Linear's complexity): `acquire` then takes a `cost`.
    """

    def __init__(self, requests: float, seconds: float, *, file: Path | None = None) -> None:
        self._store = LimitStore(float(requests), float(seconds), file)
        # One thread of each process waits at a time, so that those that came earlier go earlier.
        self._turn = threading.Lock()

    def acquire(self, cost: float = 1.0, *, longest: float = math.inf) -> float:
        """Waits until `cost` more is allowed, and counts it; returns 0.

        Where that would take longer than `longest` seconds, returns how long instead, having counted
        nothing. Raises WaitEnded where the wait was ended.
        """
        while not self._turn.acquire(timeout=_TURN_SECONDS):
            wait(0.0)
        try:
            while (left := self._try(cost)) > 0:
                if left > longest:
                    return left
                wait(left + random.uniform(0.0, _SPREAD_SECONDS))
        finally:
            self._turn.release()
        return 0.0

    def pause(self, seconds: float) -> None:
        """Lets nothing through for that long: the vendor has asked for it."""
        with self._store.locked() as state:
            state.paused_until = max(state.paused_until, now() + seconds)

    def lift(self) -> None:
        """Forgets a pause, for somebody who knows that the vendor's limit was raised."""
        with self._store.locked() as state:
            state.paused_until = 0.0

    def correct(self, by: float) -> None:
        """Counts `by` more, or less, where an answer says what its request really cost."""
        with self._store.locked() as state:
            moment = now()
            _advance(state, moment)
            place = state.newest % SLOTS
            state.slots[place] = max(0.0, state.slots[place] + by)
            state.remaining = max(0.0, state.remaining - by)

    def learn(
        self,
        *,
        limit: float | None = None,
        seconds: float | None = None,
        remaining: float | None = None,
        resets_at: datetime | None = None,
    ) -> None:
        """Takes over the vendor's own figures, from an answer's headers; figures that make no sense are left out.

        With `resets_at` (aware) the limit is a fixed window: `remaining` is all there is until then.
        Without it, it is a rolling window, and what others on the account have used is left to them.
        """
        with self._store.locked() as state:
            moment = now()
            if limit is not None and seconds is not None and limit > 0 and seconds > 0:
                _set_window(state, limit, seconds * _MARGIN, moment)
            if remaining is None or remaining < 0:
                return
            if resets_at is not None:
                _set_budget(state, remaining, moment + (resets_at - datetime.now(UTC)).total_seconds(), moment)
                return
            _advance(state, moment)
            elsewhere = max(0.0, state.limit - remaining - sum(state.slots))
            state.elsewhere = min(elsewhere, max(0.0, state.limit - 1))
            state.elsewhere_until = moment + state.seconds

    def standing(self) -> tuple[float, float]:
        """What is left of the limit now, as far as is known here, and the limit itself."""
        with self._store.locked() as state:
            moment = now()
            _advance(state, moment)
            if moment < state.resets_at:
                return min(state.remaining, state.limit), state.limit
            others = state.elsewhere if moment < state.elsewhere_until else 0.0
            return max(0.0, state.limit - others - sum(state.slots)), state.limit

    def close(self) -> None:
        """Closes the file behind it."""
        self._store.close()

    def _try(self, cost: float) -> float:
        """Counts `cost` and returns 0, or returns after how many seconds it is worth asking again."""
        with self._store.locked() as state:
            moment = now()
            if moment < state.paused_until:
                return state.paused_until - moment
            _advance(state, moment)
            fixed = moment < state.resets_at
            left = _until_reset(state, cost, moment) if fixed else _until_free(state, cost, moment)
            if left <= 0:
                state.slots[state.newest % SLOTS] += cost
                state.remaining = max(0.0, state.remaining - cost)
            return left


def _until_reset(state: LimitState, cost: float, moment: float) -> float:
    """A fixed window: what remains until its reset."""
    return 0.0 if min(cost, state.limit) <= state.remaining else state.resets_at - moment


def _until_free(state: LimitState, cost: float, moment: float) -> float:
    """A rolling window: when enough of what was let through has left it."""
    others = state.elsewhere if moment < state.elsewhere_until else 0.0
    # What is dearer than the whole limit goes alone, rather than never.
    free = state.limit - others - sum(state.slots) - min(cost, state.limit - others) + state.limit * _ROUNDING
    if free >= 0:
        return 0.0
    width = state.seconds / (SLOTS - 1)
    for number in range(state.newest - SLOTS + 1, state.newest + 1):
        free += state.slots[number % SLOTS]
        if free >= 0:
            until = (number + SLOTS) * width
            return max(0.001, (min(until, state.elsewhere_until) if others else until) - moment)
    return max(0.001, state.elsewhere_until - moment)


def _advance(state: LimitState, moment: float) -> None:
    """Empties the slots that have left the window, or all of them where a fixed window has ended."""
    current = int(moment // (state.seconds / (SLOTS - 1)))
    # A slot number ahead of the clock can only be a damaged one.
    ended = 0 < state.resets_at <= moment or state.newest > current + 1
    if ended:
        state.resets_at, state.newest = 0.0, current - SLOTS
    for number in range(max(state.newest + 1, current - SLOTS + 1), current + 1):
        state.slots[number % SLOTS] = 0.0
    state.newest = max(state.newest, current)


def _set_window(state: LimitState, limit: float, seconds: float, moment: float) -> None:
    state.limit = limit
    if math.isclose(seconds, state.seconds):
        return
    _advance(state, moment)
    old, width = state.seconds / (SLOTS - 1), seconds / (SLOTS - 1)
    counts = [(number, state.slots[number % SLOTS]) for number in range(state.newest - SLOTS + 1, state.newest + 1)]
    state.slots, state.seconds, state.newest = [0.0] * SLOTS, seconds, int(moment // width)
    for number, count in counts:
        # As late as it can have been, so that nothing leaves the new window too early.
        place = min(int((number + 1) * old // width), state.newest)
        if place > state.newest - SLOTS:
            state.slots[place % SLOTS] += count


def _set_budget(state: LimitState, remaining: float, resets_at: float, moment: float) -> None:
    """Within one fixed window the budget only falls: answers come in another order than requests were counted."""
    same_window = moment < state.resets_at and abs(resets_at - state.resets_at) < 1.0
    state.remaining = min(state.remaining, remaining) if same_window else remaining
    state.resets_at = state.resets_at if same_window else resets_at


class Account:
    """The limits of one account of one system."""

    def __init__(self, limiters: Limiters, prefix: str) -> None:
        self._limiters, self._prefix = limiters, prefix

    def limiter(self, name: str, *, requests: float, seconds: float) -> RateLimiter:
        """The one limiter for the account's limit `name`; the figures are those to begin with."""
        return self._limiters._named(f"{self._prefix}-{_slug(name)}", requests, seconds)


class Limiters:
    """Hands out limiters. With a `folder`, all processes that use the same folder share them.

    Where the folder cannot be written, they hold within this process, and `warnings` says so.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._made: dict[str, RateLimiter] = {}
        self._lock = threading.Lock()
        self.warnings: list[str] = []

    def account(self, system: str, address: str, credential: str) -> Account:
        """The account that `credential` opens at `address`; only a hash of both is kept."""
        return Account(self, f"{_slug(system)}-{account_digest(address, credential)}")

    def lift(self, system: str) -> None:
        """Forgets every pause of the system's limits, in this process and on file."""
        prefix = f"{_slug(system)}-"
        with self._lock:
            made = [limiter for name, limiter in self._made.items() if name.startswith(prefix)]
        for limiter in made:
            limiter.lift()
        for file in self._folder.glob(f"{prefix}*{_SUFFIX}") if self._folder else ():
            limiter = RateLimiter(0, 0, file=file)
            limiter.lift()
            limiter.close()

    def close(self) -> None:
        """Closes the files."""
        with self._lock:
            for limiter in self._made.values():
                limiter.close()
            self._made.clear()

    def _named(self, name: str, requests: float, seconds: float) -> RateLimiter:
        with self._lock:
            if name not in self._made:
                self._made[name] = self._make(name, requests, seconds)
            return self._made[name]

    def _make(self, name: str, requests: float, seconds: float) -> RateLimiter:
        if self._folder is not None:
            try:
                if not self._made:
                    self._folder.mkdir(parents=True, exist_ok=True)
                    _remove_unused(self._folder)
                return RateLimiter(requests, seconds, file=self._folder / f"{name}{_SUFFIX}")
            except OSError as error:
                self.warnings.append(
                    f"{self._folder} cannot be written ({error.strerror or type(error).__name__}): request limits "
                    "hold within this process only"
                )
                self._folder = None
        return RateLimiter(requests, seconds)


def account_digest(address: str, credential: str) -> str:
    """What tells the account that `credential` opens at `address` from others, with neither of them in it."""
    return blake2b(f"{address}\0{credential}".encode(), digest_size=8).hexdigest()


def _remove_unused(folder: Path) -> None:
    """Removes the files of accounts that nobody has asked for long: each sandbox, for one, has a new address."""
    oldest = time.time() - _KEPT_SECONDS
    for file in folder.glob(f"*{_SUFFIX}"):
        with suppress(OSError):
            if file.stat().st_mtime < oldest:
                file.unlink()


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-")


IN_PROCESS = Limiters()
"""Limiters that hold within this process: what sources use that are given no others."""
