"""Applying the rules: what is held, and removing what is too old, a small step at a time.

Belongs here: the order, the time that each rule may take, the lock, and what is recorded of it. Does not belong here:
how any kind of record is found (`control_keepers`, `file_keepers`, `warehouse_keepers`; Dagster's own are in
`orchestration.run_retention`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from sophia_assets.errors import ConfigurationError, SophiaError
from sophia_assets.retention.clock import believe
from sophia_assets.retention.rules import NAMES, rule
from sophia_assets.telemetry.logs import get_logger
from sophia_assets.telemetry.series import RETENTION_REMOVED, RETENTION_RUN

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sophia_assets.services import Services
    from sophia_assets.settings.retention import RetentionSettings

SECONDS_PER_RULE = 120.0
"""A rule that has not come to its end by then goes on the next time."""
LOCK = "retention.lock"

_log = get_logger(__name__)


@dataclass(frozen=True)
class Held:
    """What there is of one kind of record: how many, since when (UTC, aware), how many bytes on this machine's disk
    (None where nobody here can tell), and how many of them are too old."""

    count: int
    since: datetime | None
    size: int | None
    due: int


class Keeper(Protocol):
    """Looks after one kind of record. `name` is that of its rule."""

    name: str

    def held(self, cutoff: datetime | None) -> Held:
        """What there is; `cutoff` (UTC, aware) is the moment before which it is too old, None for never."""
        ...

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """Removes what is from before `cutoff`, in steps that each are whole; yields how many records each took.

        Whoever asks may stop after any step, and begin again at any time.
        """
        ...


@dataclass(frozen=True)
class Standing:
    """A rule, and what there is of what it is about. `days` is 0 where it is kept for ever."""

    name: str
    days: int
    held: Held | None
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one rule. `is_whole` is False where there was no more time, or where something went wrong."""

    name: str
    removed: int
    is_whole: bool
    seconds: float
    problem: str = ""


def look(keepers: Sequence[Keeper], settings: RetentionSettings, now: datetime) -> list[Standing]:
    """What there is of every kind; one that cannot be read says why, and the others are told all the same."""
    found = []
    for keeper in keepers:
        held, problem = None, ""
        try:
            held = keeper.held(settings.cutoff(rule(keeper.name), now))
        except Exception as error:  # any driver may raise what it likes: the others are still to be told
            problem = _in_words(error)
        found.append(Standing(keeper.name, settings.days[keeper.name], held, problem))
    return found


def remove(
    keepers: Sequence[Keeper], settings: RetentionSettings, now: datetime, *, seconds: float = SECONDS_PER_RULE
) -> list[Outcome]:
    """Removes what is too old. One rule that fails leaves the others alone."""
    return [_removed(keeper, settings.cutoff(rule(keeper.name), now), seconds) for keeper in keepers]


def _removed(keeper: Keeper, cutoff: datetime | None, seconds: float) -> Outcome:
    began, removed, is_whole, problem = time.monotonic(), 0, True, ""
    try:
        for count in keeper.remove(cutoff) if cutoff is not None else ():
            removed += count
            if time.monotonic() - began > seconds:
                is_whole = False
                break
    except Exception as error:  # see `look`
        is_whole, problem = False, _in_words(error)
        _log.warning("old records could not be removed", what=keeper.name, problem=problem)
    return Outcome(keeper.name, removed, is_whole, round(time.monotonic() - began, 3), problem)


def run(
    services: Services,
    keepers: Sequence[Keeper],
    *,
    by: str,
    reason: str,
    now: datetime | None = None,
    seconds: float = SECONDS_PER_RULE,
) -> list[Outcome]:
    """Removes what is too old, as a deed of `by` that is recorded before anything goes.

    A clock that is far ahead of what is recorded is not believed at once, see `clock`.

    Raises SophiaError where another process does so already, and AuditUnavailable or ControlStoreUnavailable where the
    deed cannot be recorded: then nothing is removed.
    """
    now = now or datetime.now(UTC)
    settings = services.settings.retention
    with _alone(services):
        moment = _record(services, [keeper.name for keeper in keepers], by, reason, now)
        outcomes = remove(keepers, settings, moment, seconds=seconds)
        points = [RETENTION_REMOVED.add(each.removed, what=each.name) for each in outcomes]
        # Rules that were left out, or that failed, do not let it look as if all had been applied.
        if {each.name for each in outcomes if not each.problem} >= set(NAMES):
            points.append(RETENTION_RUN.set(now.timestamp()))
        services.recorder.record(*points)
    return outcomes


def chosen(keepers: Sequence[Keeper], names: Collection[str]) -> list[Keeper]:
    """The keepers of those names, all for none. Raises ConfigurationError for a name that is no rule's."""
    for name in names:
        if name not in NAMES:
            raise ConfigurationError(f"no rule is called {name!r}", remedy=f"Use one of {', '.join(NAMES)}")
    return [keeper for keeper in keepers if not names or keeper.name in names]


@contextmanager
def _alone(services: Services) -> Iterator[None]:
    """Two at once would do no harm, but the same work twice. The system frees the lock when its holder dies."""
    services.home.prepare()
    descriptor = os.open(services.home.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SophiaError(
                "old records of this home are being removed already", remedy="Wait for that to end; nothing was changed"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _record(services: Services, names: list[str], by: str, reason: str, now: datetime) -> datetime:
    """Records the deed; returns the moment that is taken for now."""
    from sophia_assets.control import actions

    days: Mapping[str, Any] = {name: services.settings.retention.days[name] for name in names}

    def work(connection: Connection) -> datetime:
        actions.record(connection, by, "retention.apply", "old records", reason, {"days": days}, at=now)
        return believe(connection, now)

    return services.control.run(work)


def _in_words(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    return f"{type(error).__name__}: {said[0][:300]}" if said and not isinstance(error, SophiaError) else str(error)
