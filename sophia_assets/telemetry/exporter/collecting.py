"""Looking again and again, each part by itself, so that one that fails or hangs takes neither the others nor a scrape.

A scrape only tells what the looks before it have found. What a part found stays for a while when it fails, with
`sophia_exporter_collector_up` at 0 and its age beside it; then nothing is better than what may no longer be so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sophia_assets.telemetry.exporter.ground import Ground
from sophia_assets.telemetry.exporter.samples import Sample, age
from sophia_assets.telemetry.logs import get_logger
from sophia_assets.telemetry.series import COLLECTOR_AGE, COLLECTOR_SECONDS, COLLECTOR_UP

KEPT_SECONDS = 900.0
"""How long the last good look is told of a part that can no longer be read."""
HANGS_AFTER_SECONDS = 20.0
_FOLLOW_SECONDS = 2.0
_log = get_logger(__name__)

Look = Callable[[Ground], Sequence[Sample]]


@dataclass(frozen=True)
class Part:
    """One part of the figures: its name, how it is looked at, and how many seconds lie between two looks."""

    name: str
    look: Look
    every: float


@dataclass
class _Standing:
    """What is known of a part. Moments are seconds of the epoch, 0 where there was none."""

    found: Sequence[Sample] = ()
    found_at: float = 0.0
    took: float = 0.0
    began: float = 0.0
    is_looking: bool = False
    problem: str = ""
    generation: int = -1
    wake: threading.Event = field(default_factory=threading.Event)


class Looking:
    """All parts, each on a thread of its own from `start` to `stop`."""

    def __init__(self, ground: Ground, parts: Sequence[Part]) -> None:
        self._ground = ground
        self._parts = tuple(parts)
        self._standings = {part.name: _Standing() for part in parts}
        self._ended = threading.Event()
        self._telling = threading.Lock()
        self._began = time.time()

    def start(self, wait_seconds: float = 10.0) -> None:
        """Begins, and waits until each part was looked at once, at most so long."""
        self._ground.follow()
        for part in self._parts:
            threading.Thread(target=self._keep_looking, args=(part,), name=f"look-{part.name}", daemon=True).start()
        threading.Thread(target=self._keep_following, name="follow", daemon=True).start()
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline and not all(each.began and not each.is_looking for each in self._all()):
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends; a look that hangs is left to the end of the process."""
        self._ended.set()
        for standing in self._all():
            standing.wake.set()

    def look(self, part: Part) -> None:
        """Looks at one part now, whatever comes of it."""
        standing = self._standings[part.name]
        generation = self._ground.generation
        standing.began, standing.is_looking = time.time(), True
        clock = time.monotonic()
        try:
            found = part.look(self._ground)
        except Exception as error:
            self._tell(part, str(error) or type(error).__name__)
        else:
            standing.found, standing.found_at, standing.generation = found, time.time(), generation
            standing.problem = ""
        finally:
            standing.took, standing.is_looking = time.monotonic() - clock, False

    def _tell(self, part: Part, problem: str) -> None:
        """Remembers a problem; it is told once, not with every look, nor by every part that meets the same one."""
        with self._telling:
            is_new = all(each.problem != problem for each in self._all())
            self._standings[part.name].problem = problem
        if is_new:
            _log.warning("a part of the figures cannot be read", collector=part.name, problem=problem)

    def samples(self) -> Iterator[Sample]:
        """What was found last, and how the parts stand."""
        now, generation = time.time(), self._ground.generation
        for part in self._parts:
            standing = self._standings[part.name]
            is_of_this = standing.generation == generation
            hangs = standing.is_looking and now - standing.began > HANGS_AFTER_SECONDS
            is_up = is_of_this and not standing.problem and not hangs
            yield COLLECTOR_UP.set(float(is_up), collector=part.name)
            yield COLLECTOR_SECONDS.set(now - standing.began if hangs else standing.took, collector=part.name)
            yield age(COLLECTOR_AGE, standing.found_at or self._began, collector=part.name)
            if is_of_this and now - standing.found_at < max(KEPT_SECONDS, 3 * part.every):
                yield from standing.found

    def _keep_looking(self, part: Part) -> None:
        wake = self._standings[part.name].wake
        while not self._ended.is_set():
            self.look(part)
            wake.wait(part.every)
            wake.clear()

    def _keep_following(self) -> None:
        while not self._ended.wait(_FOLLOW_SECONDS):
            try:
                has_moved = self._ground.follow()
            except Exception as error:
                _log.warning("the current home cannot be told", problem=str(error))
                continue
            if has_moved:
                for standing in self._all():
                    standing.wake.set()

    def _all(self) -> list[_Standing]:
        return list(self._standings.values())
